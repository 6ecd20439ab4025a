//! What participants are told unasked.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use watersmeet_engine::command::{CloseReason, ConsumerId, Layers, ProducerId, TransportId};
use watersmeet_wire::params::MediaKind;

use super::{ParticipantSummary, PeerId, Policy, ProducerSummary, Role, User};

/// What a participant is told unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Somebody entered the room.
    ParticipantJoined {
        /// Who.
        peer: PeerId,
        /// How it wants to be seen.
        display_name: Option<Arc<str>>,
        /// Whom its token names.
        user: Option<User>,
        /// What it may do.
        role: Role,
    },
    /// Somebody left, with all it produced.
    ParticipantLeft {
        /// Who.
        peer: PeerId,
        /// How it wanted to be seen.
        display_name: Option<Arc<str>>,
        /// What it sent; each ended with it.
        producers: Vec<ProducerId>,
    },
    /// Somebody wants to be seen by another name.
    DisplayNameChanged {
        /// Who.
        peer: PeerId,
        /// How it wanted to be seen before.
        before: Option<Arc<str>>,
        /// How it wants to be seen.
        display_name: Option<Arc<str>>,
    },
    /// Somebody sends something new.
    ProducerAdded {
        /// Who.
        peer: PeerId,
        /// How it wants to be seen.
        display_name: Option<Arc<str>>,
        /// What.
        producer: ProducerSummary,
    },
    /// Somebody paused or resumed a producer.
    ProducerPaused {
        /// Who.
        peer: PeerId,
        /// Which.
        producer: ProducerId,
        /// Whether it is paused now.
        paused: bool,
    },
    /// A producer ended, and every consumer of it.
    ProducerClosed {
        /// Whose.
        peer: PeerId,
        /// Which.
        producer: ProducerId,
    },
    /// One's transport ended, with all that was on it.
    TransportClosed {
        /// Which.
        transport: TransportId,
        /// Why.
        reason: CloseReason,
    },
    /// The producer behind one's consumer was paused or resumed.
    ConsumerPaused {
        /// Which.
        consumer: ConsumerId,
        /// Whether nothing comes now.
        paused: bool,
    },
    /// One's consumer ended though its producer did not.
    ConsumerClosed {
        /// Which.
        consumer: ConsumerId,
        /// What it received.
        producer: ProducerId,
    },
    /// Another layer comes to one's consumer; absent means none.
    ConsumerLayersChanged {
        /// Which.
        consumer: ConsumerId,
        /// What comes.
        layers: Option<Layers>,
    },
    /// All one's transports are gone, with everything on them. Joining again brings it back.
    WorkerLost,
    /// Somebody said something.
    Chat {
        /// Who.
        peer: PeerId,
        /// How it wants to be seen.
        display_name: Option<Arc<str>>,
        /// What.
        text: Arc<str>,
    },
    /// Somebody's devices changed.
    MediaState {
        /// Whose.
        peer: PeerId,
        /// Whether the microphone is on.
        audio: bool,
        /// Whether the camera is on.
        video: bool,
    },
    /// Another client sent a message of its own kind.
    Relayed {
        /// Who.
        from: PeerId,
        /// Whom its token names.
        user: Option<User>,
        /// The message.
        body: Arc<Value>,
    },
    /// Somebody waits to be let in. Hosts are told.
    JoinRequested {
        /// Who.
        peer: PeerId,
        /// Who it says it is.
        user: Option<Arc<str>>,
        /// How it wants to be seen.
        display_name: Option<Arc<str>>,
    },
    /// Somebody who waited does so no more: it was let in, sent away, or left. Hosts are told.
    JoinRequestResolved {
        /// Who.
        peer: PeerId,
    },
    /// One was let in.
    Admitted {
        /// The room's name.
        room: Arc<str>,
        /// What one may do there.
        role: Role,
        /// Who is there and what they send, as after entering.
        others: Vec<ParticipantSummary>,
    },
    /// Somebody may do more or less than before, oneself perhaps.
    RoleChanged {
        /// Who.
        peer: PeerId,
        /// How it wants to be seen.
        display_name: Option<Arc<str>>,
        /// What it may do now.
        role: Role,
    },
    /// A viewer asks to speak. Hosts are told.
    SpeakRequested {
        /// Who.
        peer: PeerId,
        /// Who it says it is.
        user: Option<Arc<str>>,
        /// How it wants to be seen.
        display_name: Option<Arc<str>>,
    },
    /// A host paused what one sends.
    Muted {
        /// Which producer.
        producer: ProducerId,
        /// Audio or video.
        kind: MediaKind,
    },
    /// Others decide who may enter now.
    PolicyChanged {
        /// How.
        policy: Policy,
    },
    /// One is in the room no more.
    Removed {
        /// Why.
        reason: RemovalReason,
    },
}

/// Why somebody is in a room no more, though it did not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum RemovalReason {
    /// A host did not let it in.
    Denied,
    /// A host sent it away.
    Removed,
    /// The same user came in by another connection.
    Replaced,
    /// The room was closed.
    RoomClosed,
}
