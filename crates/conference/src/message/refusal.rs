//! Reasons for refusing a request: stable codes for programs, messages for people.

use thiserror::Error;
use watersmeet_engine::command;

/// Reason why a request was refused. Each has a stable code.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The frame or a part of it is invalid; the text says which.
    #[error("{0}")]
    BadRequest(String),
    /// The dialect has no request of this name.
    #[error("Unknown message type")]
    UnknownType,
    /// The request is only allowed in a room.
    #[error("Not in a room")]
    NotInRoom,
    /// The room does not exist, or the requester may not learn that it exists.
    #[error("Room not found")]
    RoomNotFound,
    /// There is no session to resume, or it cannot be resumed by this client or any more.
    #[error("Session not found")]
    SessionNotFound,
    /// The room has no participant with this id.
    #[error("Participant not found")]
    ParticipantNotFound,
    /// The token is missing, not valid, or not valid for this room.
    #[error("Invalid token")]
    InvalidToken,
    /// The client of the participant cannot tell private messages from others.
    #[error("Participant cannot receive private messages")]
    NoPrivateMessages,
    /// The client of the participant with this name cannot be moved to breakout rooms.
    #[error("{0} cannot enter breakout rooms")]
    NoBreakoutRooms(String),
    /// The room has no such poll.
    #[error("Poll not found")]
    PollNotFound,
    /// The poll has ended.
    #[error("Poll is closed")]
    PollClosed,
    /// The requester's role does not allow it.
    #[error("Not allowed")]
    Forbidden,
    /// The room is locked: only hosts may enter.
    #[error("Room is locked")]
    RoomLocked,
    /// A host has banned the participant from the room.
    #[error("Banned from this room")]
    Banned,
    /// The server shuts down and opens no further rooms.
    #[error("Server is restarting")]
    ShuttingDown,
    /// A room of this name exists already.
    #[error("Room already exists")]
    RoomExists,
    /// The participant has no such transport, or it has the other direction.
    #[error("Transport not found")]
    TransportNotFound,
    /// The room has no such producer, or it belongs to another participant.
    #[error("Producer not found")]
    ProducerNotFound,
    /// The participant has no such consumer.
    #[error("Consumer not found")]
    ConsumerNotFound,
    /// The client's RTP capabilities do not cover the producer.
    #[error("Cannot consume")]
    CannotConsume,
    /// The transport was connected before, with other DTLS parameters.
    #[error("Transport already connected")]
    AlreadyConnected,
    /// A limit was reached; the text names it.
    #[error("Too many {0}")]
    LimitReached(&'static str),
    /// The connection sends more messages than the rate limit allows.
    #[error("Too many messages")]
    RateLimited,
    /// The media engine did not answer in time.
    #[error("Request timed out")]
    TimedOut,
    /// The worker that owned the object failed. The client has to join again.
    #[error("Worker lost")]
    WorkerLost,
    /// The server's state is inconsistent: a bug.
    #[error("Internal error")]
    Internal,
}

impl Refusal {
    /// Returns the stable code that clients see.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad-request",
            Self::UnknownType => "unknown-type",
            Self::NotInRoom => "not-in-room",
            Self::RoomNotFound => "room-not-found",
            Self::SessionNotFound => "session-not-found",
            Self::ParticipantNotFound => "participant-not-found",
            Self::InvalidToken => "invalid-token",
            Self::NoPrivateMessages => "no-private-messages",
            Self::NoBreakoutRooms(_) => "no-breakout-rooms",
            Self::PollNotFound => "poll-not-found",
            Self::PollClosed => "poll-closed",
            Self::Forbidden => "forbidden",
            Self::RoomLocked => "room-locked",
            Self::Banned => "banned",
            Self::ShuttingDown => "shutting-down",
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
            // The conference creates a router before it uses it. If it is missing, the worker
            // that owned it failed.
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
