//! Why requests are refused: stable codes for programs, words for people.

use thiserror::Error;
use watersmeet_engine::command;

/// Why a request was refused. Each has a stable code.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The frame or a part of it makes no sense; the text says which.
    #[error("{0}")]
    BadRequest(String),
    /// The dialect has no such request.
    #[error("Unknown message type")]
    UnknownType,
    /// Only somebody in a room can ask this.
    #[error("Not in a room")]
    NotInRoom,
    /// There is no such room, or none for the one who asks.
    #[error("Room not found")]
    RoomNotFound,
    /// There is nobody of this name in the room.
    #[error("Participant not found")]
    ParticipantNotFound,
    /// A token is missing, or it is none of ours, or none for this.
    #[error("Invalid token")]
    InvalidToken,
    /// One's role does not allow it.
    #[error("Not allowed")]
    Forbidden,
    /// Nobody may enter now.
    #[error("Room is locked")]
    RoomLocked,
    /// The room is there already.
    #[error("Room already exists")]
    RoomExists,
    /// It has no such transport, or not for this direction.
    #[error("Transport not found")]
    TransportNotFound,
    /// There is no such producer in the room, or it is another's.
    #[error("Producer not found")]
    ProducerNotFound,
    /// It has no such consumer.
    #[error("Consumer not found")]
    ConsumerNotFound,
    /// What it can receive does not fit the producer.
    #[error("Cannot consume")]
    CannotConsume,
    /// The transport has other DTLS parameters already.
    #[error("Transport already connected")]
    AlreadyConnected,
    /// A cap was reached; the text names it.
    #[error("Too many {0}")]
    LimitReached(&'static str),
    /// It asks too much in too short a time.
    #[error("Too many messages")]
    RateLimited,
    /// The media engine did not answer in time.
    #[error("Request timed out")]
    TimedOut,
    /// The worker that held the object is gone. Joining again helps.
    #[error("Worker lost")]
    WorkerLost,
    /// The server contradicts itself.
    #[error("Internal error")]
    Internal,
}

impl Refusal {
    /// The stable name of the refusal on the wire.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad-request",
            Self::UnknownType => "unknown-type",
            Self::NotInRoom => "not-in-room",
            Self::RoomNotFound => "room-not-found",
            Self::ParticipantNotFound => "participant-not-found",
            Self::InvalidToken => "invalid-token",
            Self::Forbidden => "forbidden",
            Self::RoomLocked => "room-locked",
            Self::RoomExists => "room-exists",
            Self::TransportNotFound => "transport-not-found",
            Self::ProducerNotFound => "producer-not-found",
            Self::ConsumerNotFound => "consumer-not-found",
            Self::CannotConsume => "cannot-consume",
            Self::AlreadyConnected => "already-connected",
            Self::LimitReached(_) => "limit-reached",
            Self::RateLimited => "rate-limited",
            Self::TimedOut => "timed-out",
            Self::WorkerLost => "worker-lost",
            Self::Internal => "internal",
        }
    }
}

impl From<command::Refusal> for Refusal {
    fn from(refusal: command::Refusal) -> Self {
        match refusal {
            // The conference makes a router before it uses it: without one, its worker lost it.
            command::Refusal::RouterNotFound | command::Refusal::WorkerLost => Self::WorkerLost,
            command::Refusal::TransportNotFound => Self::TransportNotFound,
            command::Refusal::ProducerNotFound => Self::ProducerNotFound,
            command::Refusal::ConsumerNotFound => Self::ConsumerNotFound,
            command::Refusal::IdInUse => Self::Internal,
            command::Refusal::CannotConsume => Self::CannotConsume,
            command::Refusal::AlreadyConnected => Self::AlreadyConnected,
            command::Refusal::BadParameters(what) => Self::BadRequest(what),
            command::Refusal::LimitReached(what) => Self::LimitReached(what),
        }
    }
}
