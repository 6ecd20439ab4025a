//! The one signalling language: what a participant may ask (`Request`), what it is answered
//! (`Reply` or `Refusal`) and what it is told unasked (`Notice`).
//!
//! Every dialect translates between these and its own frames. Nothing here knows JSON, sockets or
//! media, and nothing here may carry what only one dialect needs.

mod notice;
mod refusal;
mod reply;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use watersmeet_engine::command::{ConsumerId, Layers, ProducerId, TransportId};
use watersmeet_wire::params::{DtlsParameters, MediaKind, RtpCapabilities, RtpParameters};
use watersmeet_wire::units::Rng;

pub use self::notice::{Notice, RemovalReason};
pub use self::refusal::Refusal;
pub use self::reply::{
    CreatedConsumer, CreatedTransport, ParticipantSummary, ProducerSummary, Reply,
};

/// Names one connection. Chosen by the server, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Names one shard: one thread with one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u8);

/// Names one command on its way to a shard and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandToken(pub u64);

/// The public name of a participant. Drawn, it has 128 random bits, so that nobody guesses
/// another's; a participant that a token names goes by that name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(Arc<str>);

impl PeerId {
    /// Draws a new id that begins so.
    pub fn generate(rng: &mut Rng, prefix: &str) -> Self {
        let mut bytes = [0; 16];
        rand_chacha::rand_core::Rng::fill_bytes(rng, &mut bytes);
        Self(format!("{prefix}{:032x}", u128::from_le_bytes(bytes)).into())
    }

    /// The id of somebody whom a token names.
    pub fn from_user_id(name: &str) -> Self {
        Self(name.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Somebody whom a token names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name, unique where the token comes from.
    pub id: Arc<str>,
    /// The address for mail.
    pub email: Option<Arc<str>>,
}

impl User {
    /// The part of its address before the `@`: how people call somebody who gives no other name.
    pub fn email_local_part(&self) -> Option<Arc<str>> {
        let (mailbox, _) = self.email.as_deref()?.split_once('@')?;
        Some(mailbox.into()).filter(|_| !mailbox.is_empty())
    }
}

/// What a participant may do in its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sends, receives and decides about others.
    Host,
    /// Sends and receives.
    Speaker,
    /// Receives.
    Viewer,
}

/// Who may enter a room.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Everybody who knows its name.
    #[default]
    Open,
    /// Whoever brings a token for it.
    InviteOnly,
    /// Whoever a host lets in; the others wait.
    Approval,
    /// Nobody but hosts.
    Locked,
}

/// What a transport is for, in the words of clients that ask twice: the second time they get the
/// first one again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransportKey {
    /// The one to send on.
    Send,
    /// The one to receive on.
    Recv,
    /// The one to receive this producer on.
    RecvProducer(ProducerId),
}

/// Which way media goes on a transport, as the participant sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The participant sends on it.
    Send,
    /// The participant receives on it.
    Recv,
}

/// What a producer shows or sounds like to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum MediaSource {
    /// A voice.
    Mic,
    /// A face.
    Camera,
    /// A shared screen.
    Screen,
    /// What a shared screen sounds like.
    ScreenAudio,
}

/// Whose statistics are asked for. Only one's own objects answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatsSubject {
    /// A transport.
    Transport(TransportId),
    /// A producer.
    Producer(ProducerId),
    /// A consumer.
    Consumer(ConsumerId),
}

/// What a participant asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// What the routers of this place can forward. Needs no room.
    RouterCapabilities,
    /// Enters a room, which is made when it is not there, and leaves the one before. Entering the
    /// room one is in starts afresh there.
    Join {
        /// The room's name.
        room: String,
        /// How others shall see the participant.
        display_name: Option<String>,
        /// A token that says what it may do, when it was not brought at the opening.
        token: Option<String>,
        /// Who it says it is; hosts are told, nothing is decided by it.
        user: Option<String>,
        /// Who may enter, should this make the room. Absent: as configured.
        policy: Option<Policy>,
    },
    /// Takes a seat in a room unseen, so that transports can be made there before anybody is told.
    /// Joining that room keeps them.
    PrepareJoin {
        /// The room's name.
        room: String,
    },
    /// Leaves the room.
    Leave,
    /// Wants to be seen by another name.
    ChangeDisplayName {
        /// The name.
        display_name: String,
    },
    /// Makes a transport.
    CreateTransport {
        /// What it is for.
        direction: Direction,
        /// Which one it is, for clients that ask twice.
        key: Option<TransportKey>,
    },
    /// Ends one's own transport with all that is on it.
    CloseTransport {
        /// Which.
        transport: TransportId,
    },
    /// Tells a transport the participant's DTLS parameters.
    ConnectTransport {
        /// Which.
        transport: TransportId,
        /// Role and fingerprints.
        dtls: DtlsParameters,
    },
    /// Draws new ICE credentials for a transport.
    RestartIce {
        /// Which.
        transport: TransportId,
    },
    /// Announces media that is sent on a transport.
    Produce {
        /// The transport it is sent on.
        transport: TransportId,
        /// Audio or video.
        kind: MediaKind,
        /// What is sent.
        rtp: RtpParameters,
        /// What people will make of it.
        source: Option<MediaSource>,
        /// Whether it begins paused.
        paused: bool,
        /// Anything, for the clients of others: a JSON object.
        app_data: Option<Value>,
    },
    /// Stops one's own producer for a while, or lets it go on.
    PauseProducer {
        /// Which.
        producer: ProducerId,
        /// True to stop, false to go on.
        paused: bool,
    },
    /// Ends one's own producer.
    CloseProducer {
        /// Which.
        producer: ProducerId,
    },
    /// Asks to receive a producer of the room. Waits for the receive transport when there is none
    /// yet.
    Consume {
        /// Which.
        producer: ProducerId,
        /// Where; absent means the newest receive transport.
        transport: Option<TransportId>,
        /// What the participant can receive.
        capabilities: RtpCapabilities,
        /// Whether it waits for `PauseConsumer { paused: false }` before anything is sent.
        start_paused: bool,
    },
    /// Stops one's own consumer for a while, or lets it go on.
    PauseConsumer {
        /// Which.
        consumer: ConsumerId,
        /// True to stop, false to go on.
        paused: bool,
    },
    /// Ends one's own consumer.
    CloseConsumer {
        /// Which.
        consumer: ConsumerId,
    },
    /// Wishes for a layer.
    SetPreferredLayers {
        /// Of which consumer.
        consumer: ConsumerId,
        /// The wish.
        layers: Layers,
    },
    /// Asks for a keyframe.
    RequestKeyframe {
        /// For which consumer.
        consumer: ConsumerId,
    },
    /// Asks for statistics.
    Stats {
        /// Of what.
        subject: StatsSubject,
    },
    /// Who is in the room, oneself included.
    ListParticipants,
    /// Says something to everybody.
    Chat {
        /// What.
        text: String,
    },
    /// Tells what one's devices do, for clients that show it.
    MediaState {
        /// Whether the microphone is on.
        audio: bool,
        /// Whether the camera is on.
        video: bool,
    },
    /// Hands a message of the client's own kind to another client, or to all.
    Relay {
        /// To whom; absent means all others.
        to: Option<String>,
        /// The message.
        body: Value,
    },
    /// Asks the hosts to be made a speaker.
    RequestToSpeak,
    /// Something that only a host may ask.
    Moderate(Moderation),
}

/// What a host decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moderation {
    /// Lets in somebody who waits.
    Admit {
        /// Who.
        peer: String,
        /// Whether it may speak.
        promote: bool,
    },
    /// Sends away somebody who waits.
    Deny {
        /// Who.
        peer: String,
    },
    /// Makes a viewer a speaker.
    Promote {
        /// Who.
        peer: String,
    },
    /// Makes a speaker a viewer, and ends what it sends.
    Demote {
        /// Who.
        peer: String,
    },
    /// Pauses what somebody sends.
    Mute {
        /// Who.
        peer: String,
        /// What; absent means all.
        kind: Option<MediaKind>,
    },
    /// Sends somebody away.
    Remove {
        /// Who.
        peer: String,
    },
    /// Decides who may enter.
    SetPolicy {
        /// The policy.
        policy: Policy,
    },
}
