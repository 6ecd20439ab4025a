//! Replies to requests that were carried out.

use std::sync::Arc;

use serde_json::Value;
use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::{IceParameters, RtpCapabilities};

use super::conversation::ConversationSnapshot;
use super::media::{CreatedConsumer, CreatedTransport, StatsSubject};
use super::participant::{LobbyState, ParticipantSummary, ProducerSummary, RoomSnapshot};

/// Result of a request that was carried out.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Codecs and header extensions that routers forward.
    RouterCapabilities(Arc<RtpCapabilities>),
    /// The participant entered the room.
    Joined(RoomSnapshot),
    /// The participant waits until a host admits it.
    WaitingForApproval(LobbyState),
    /// The participant left the room.
    Left {
        /// Name of the room.
        room: Arc<str>,
    },
    /// The transport was created.
    TransportCreated(Box<CreatedTransport>),
    /// The transport has its client's DTLS parameters.
    TransportConnected {
        /// Id of the transport.
        transport: TransportId,
    },
    /// The transport has new ICE credentials.
    IceRestarted {
        /// Id of the transport.
        transport: TransportId,
        /// New ICE credentials of the server.
        ice: IceParameters,
    },
    /// The transport was closed.
    TransportClosed {
        /// Id of the transport.
        transport: TransportId,
    },
    /// The producer was created.
    Produced {
        /// The producer, as other participants see it.
        producer: ProducerSummary,
        /// Number of producers of other participants in the room.
        others: usize,
    },
    /// The producer was paused or resumed.
    ProducerPaused {
        /// Id of the producer.
        producer: ProducerId,
        /// Whether it is paused now.
        paused: bool,
    },
    /// The producer was closed.
    ProducerClosed {
        /// Id of the producer.
        producer: ProducerId,
    },
    /// The consumer was created.
    Consumed(Box<CreatedConsumer>),
    /// The consumer was paused or resumed.
    ConsumerPaused {
        /// Id of the consumer.
        consumer: ConsumerId,
        /// Whether it is paused now.
        paused: bool,
    },
    /// The consumer was closed.
    ConsumerClosed {
        /// Id of the consumer.
        consumer: ConsumerId,
    },
    /// The preferred layers were set.
    PreferredLayersSet {
        /// Id of the consumer.
        consumer: ConsumerId,
    },
    /// A keyframe was requested.
    KeyframeRequested {
        /// Id of the consumer.
        consumer: ConsumerId,
    },
    /// Statistics in mediasoup's form.
    Stats {
        /// Object that they describe.
        subject: StatsSubject,
        /// Reports as JSON objects.
        reports: Vec<Value>,
    },
    /// All participants in the room, including the requester.
    Participants(Vec<ParticipantSummary>),
    /// The chat message was sent, now or before.
    ChatSent {
        /// Id of the message.
        message: u64,
        /// Time at which the server received it, in milliseconds since 1970.
        sent_at_ms: u64,
    },
    /// The session goes on over this connection.
    Resumed {
        /// Id of the last request of the session that arrived.
        last_request: Option<Value>,
    },
    /// Chat messages, raised hands and polls.
    Conversation(Box<ConversationSnapshot>),
    /// Acknowledges requests that have no result: relay, moderation, requests to speak.
    Done,
}

impl Reply {
    /// Returns the consumer that is sent from now on.
    pub(crate) const fn started_consumer(&self) -> Option<ConsumerId> {
        match self {
            Self::Consumed(created) if !created.paused => Some(created.consumer),
            Self::ConsumerPaused {
                consumer,
                paused: false,
            } => Some(*consumer),
            _ => None,
        }
    }
}
