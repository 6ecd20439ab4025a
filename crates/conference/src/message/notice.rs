//! Notices: messages to participants without a request.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use watersmeet_engine::command::{
    CloseReason, ConsumerId, Demand, EncodingScore, Layers, LayersReason, ProducerId, TransportId,
};
use watersmeet_wire::params::MediaKind;

use super::breakouts::{BreakoutPerson, BreakoutState};
use super::conversation::{Author, Caption, ChatMessage, ChatPolicy, PollState, RaisedHand};
use super::ids::PeerId;
use super::participant::{LobbyState, ParticipantSummary, ProducerSummary, RoomSnapshot, User};
use super::role::{Policy, Role, Sharing};

/// A change of which a participant is notified. `peer` is the participant that it concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A participant entered the room.
    ParticipantJoined(Box<ParticipantSummary>),
    /// A participant entered the room again in which it was already; its producers are closed.
    ParticipantRestarted {
        /// The participant.
        participant: Box<ParticipantSummary>,
        /// Producers that were closed.
        producers: Vec<ProducerId>,
    },
    /// A participant left the room; its producers are closed.
    ParticipantLeft {
        /// Id of the participant.
        peer: PeerId,
        /// Name that was shown.
        display_name: Option<Arc<str>>,
        /// Producers that were closed.
        producers: Vec<ProducerId>,
    },
    /// The receiver waits in a lobby, and a host came, or the last one left.
    LobbyChanged(LobbyState),
    /// The number of participants of a large room changed. Some of them are not listed.
    ParticipantCount {
        /// Participants in the room, including the receiver of this notice.
        count: usize,
    },
    /// Another participant is speaking, or nobody is any more.
    ActiveSpeaker {
        /// Id of the participant, perhaps the receiver's own. `None` means that nobody speaks.
        peer: Option<PeerId>,
    },
    /// A participant changed its display name.
    DisplayNameChanged {
        /// Id of the participant.
        peer: PeerId,
        /// Name that was shown before.
        before: Option<Arc<str>>,
        /// Name to show now.
        display_name: Option<Arc<str>>,
    },
    /// A participant has a new producer.
    ProducerAdded {
        /// Id of the participant.
        peer: PeerId,
        /// Name of the participant.
        display_name: Option<Arc<str>>,
        /// The producer.
        producer: ProducerSummary,
    },
    /// A participant paused or resumed a producer.
    ProducerPaused {
        /// Id of the participant.
        peer: PeerId,
        /// Id of the producer.
        producer: ProducerId,
        /// Whether it is paused now.
        paused: bool,
    },
    /// A producer was closed, and with it all its consumers.
    ProducerClosed {
        /// Id of its owner.
        peer: PeerId,
        /// Id of the producer.
        producer: ProducerId,
    },
    /// A transport of the receiver of this notice was closed, with everything on it.
    TransportClosed {
        /// Id of the transport.
        transport: TransportId,
        /// Reason of the close.
        reason: CloseReason,
    },
    /// The producer of a consumer was paused or resumed.
    ConsumerPaused {
        /// Id of the consumer.
        consumer: ConsumerId,
        /// Whether the producer is paused now.
        paused: bool,
    },
    /// A consumer was closed though its producer was not.
    ConsumerClosed {
        /// Id of the consumer.
        consumer: ConsumerId,
        /// Id of its producer.
        producer: ProducerId,
    },
    /// A consumer switched to other layers.
    ConsumerLayersChanged {
        /// Id of the consumer.
        consumer: ConsumerId,
        /// Layers that are forwarded now. `None` means that nothing is forwarded.
        layers: Option<Layers>,
        /// Why no better ones are. `None` where the preferred ones are, or are about to be.
        reason: Option<LayersReason>,
    },
    /// Another share of a producer of the receiver of this notice arrives at the server than before.
    ProducerScore {
        /// Id of the producer.
        producer: ProducerId,
        /// Scores of its encodings that have arrived.
        scores: Vec<EncodingScore>,
    },
    /// Another share of a consumer, or of its producer, arrives than before.
    ConsumerScore {
        /// Id of the consumer.
        consumer: ConsumerId,
        /// Score of what arrives at the receiver of this notice.
        score: u8,
        /// Scores of the producer's encodings that have arrived at the server.
        producer_scores: Vec<EncodingScore>,
    },
    /// The others want other layers or bitrates of a producer of the receiver of this notice.
    ProducerDemandChanged {
        /// Id of the producer.
        producer: ProducerId,
        /// Layers and bitrates that they want.
        demand: Demand,
    },
    /// The worker failed: all transports of the participant are gone. Joining again restores them.
    WorkerLost,
    /// The server shuts down: the connection will be closed, and the client is to connect again.
    ServerClosing {
        /// Seconds until the connection is closed.
        seconds: u32,
    },
    /// A participant sent a chat message.
    Chat(Arc<ChatMessage>),
    /// A host changed who may write.
    ChatPolicyChanged {
        /// The new policy.
        policy: ChatPolicy,
    },
    /// A participant raised its hand, perhaps the receiver of this notice.
    HandRaised(RaisedHand),
    /// A hand was lowered, or its owner has left.
    HandLowered {
        /// Id of the owner.
        peer: PeerId,
    },
    /// A participant shows a reaction.
    Reaction {
        /// Participant who shows it.
        from: Author,
        /// One of [`super::REACTIONS`].
        reaction: &'static str,
    },
    /// Caption: the words of a participant as text.
    Caption(Caption),
    /// A participant started a poll, perhaps the receiver of this notice.
    PollOpened(Arc<PollState>),
    /// A poll has another vote, or was closed.
    PollChanged {
        /// Id of the poll.
        poll: u64,
        /// Number of votes for each answer.
        votes: Arc<[usize]>,
        /// Whether it has ended.
        is_closed: bool,
    },
    /// A participant turned devices on or off.
    MediaState {
        /// Id of the participant.
        peer: PeerId,
        /// Whether the microphone is on.
        audio: bool,
        /// Whether the camera is on.
        video: bool,
    },
    /// Another client sent a message that only clients understand.
    Relayed {
        /// Id of the sender.
        from: PeerId,
        /// User whom the sender's token names.
        user: Option<User>,
        /// The message.
        body: Arc<Value>,
    },
    /// A participant waits to be admitted. Sent to hosts.
    JoinRequested(Applicant),
    /// A participant no longer waits: it was admitted or denied, or it left. Sent to hosts.
    JoinRequestResolved {
        /// Id of the participant.
        peer: PeerId,
    },
    /// A host admitted the receiver of this notice.
    Admitted(RoomSnapshot),
    /// The role of a participant changed, perhaps the receiver's own.
    RoleChanged {
        /// Id of the participant.
        peer: PeerId,
        /// Name of the participant.
        display_name: Option<Arc<str>>,
        /// New role of the participant.
        role: Role,
    },
    /// A viewer asks for the role of a speaker. Sent to hosts.
    SpeakRequested(Applicant),
    /// A host paused a producer of the receiver of this notice.
    Muted {
        /// Id of the producer.
        producer: ProducerId,
        /// Audio or video.
        kind: MediaKind,
    },
    /// A host changed who may enter the room.
    PolicyChanged {
        /// The new policy.
        policy: Policy,
    },
    /// A host asks the receiver of this notice to switch its microphone on.
    UnmuteRequested {
        /// Id of the host; `None` for the operator.
        by: Option<PeerId>,
    },
    /// A host has stopped the shared screens of the receiver of this notice.
    SharingStopped,
    /// A host shows another participant large to everybody, or none any more.
    SpotlightChanged {
        /// Id of the participant, perhaps the receiver's own.
        peer: Option<PeerId>,
    },
    /// A host changed who may share screens.
    SharingChanged {
        /// The new rule.
        sharing: Sharing,
    },
    /// Nothing arrives from a participant any more, or something arrives again.
    InterruptionChanged {
        /// Id of the participant.
        peer: PeerId,
        /// Whether nothing arrives.
        interrupted: bool,
    },
    /// The meeting has breakout rooms, or something about them has changed.
    Breakouts(Box<BreakoutState>),
    /// A participant is in another room of the meeting. Sent to hosts.
    BreakoutMoved(BreakoutPerson),
    /// The breakout rooms were closed.
    BreakoutsClosed,
    /// The receiver of this notice was moved to another room, and its media was closed.
    Moved(RoomSnapshot),
    /// The receiver of this notice is no longer in the room and no longer waits for it.
    Removed {
        /// Reason of the removal.
        reason: RemovalReason,
    },
}

impl Notice {
    /// Returns whether a client that does not keep up may lose it: a message of another participant.
    pub(crate) const fn is_droppable(&self) -> bool {
        matches!(
            self,
            Self::Chat(_) | Self::Reaction { .. } | Self::Caption(_) | Self::Relayed { .. }
        )
    }
}

/// A participant that asks hosts for admission or for a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applicant {
    /// Id of the participant.
    pub peer: PeerId,
    /// Claimed user id, not verified.
    pub user: Option<Arc<str>>,
    /// Name to show.
    pub display_name: Option<Arc<str>>,
}

/// Why a participant that did not leave is no longer in the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum RemovalReason {
    /// A host did not admit it.
    Denied,
    /// A host removed it.
    Removed,
    /// The same user joined on another connection.
    Replaced,
    /// The operator closed the room.
    RoomClosed,
    /// A host ended the meeting for everybody.
    Ended,
}

/// Returns one score for all encodings of a producer, which come over the same path: the lowest of those
/// that arrive, or 0 when none does.
pub fn overall_score(scores: &[EncodingScore]) -> u8 {
    let arriving = scores.iter().map(|it| it.score).filter(|it| *it > 0);
    arriving.min().unwrap_or(0)
}
