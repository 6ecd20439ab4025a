//! State of one meetlite connection.

use std::sync::Arc;

use watersmeet_engine::command::{ProducerId, TransportId};
use watersmeet_wire::units::Map;

use super::consumers::ClientConsumers;
use super::payloads::{DeviceState, ProducerLabel};
use crate::dialect::session_context::SessionContext;
use crate::message::{ParticipantSummary, PeerId, ProducerSummary, Refusal};

/// State of one connection.
#[derive(Debug)]
pub(crate) struct State {
    /// Constant facts about the connection.
    pub(super) context: SessionContext,
    /// Room that the client is in.
    pub(super) room: Option<Arc<str>>,
    /// Name of the request that is answered when a host admits the client.
    pub(super) pending_join: Option<&'static str>,
    /// Whether the client has received the list of other participants.
    pub(super) knows_others: bool,
    /// Whether the client calls others without the media server.
    pub(super) is_p2p: bool,
    /// Devices of the client, as it last reported them.
    pub(super) devices: DeviceState,
    /// The other participants and their producers, in order of joining. Bounded by the limit of
    /// participants in a room.
    pub(super) others: Vec<ParticipantSummary>,
    /// Newest transport that the client sends on.
    pub(super) send_transport: Option<TransportId>,
    /// Producers of the client, one for each label.
    pub(super) producers: Map<ProducerLabel, OwnProducer>,
    /// Consumers of the client.
    pub(super) consumers: ClientConsumers,
}

/// A producer of the client.
#[derive(Debug)]
pub(super) enum OwnProducer {
    /// The producer was requested. The number counts further requests for it in the meantime.
    Requested(u8),
    /// The producer was created.
    Created(ProducerSummary),
}

impl State {
    /// Creates the state of a new connection.
    pub(crate) fn new(context: SessionContext) -> Self {
        Self {
            context,
            room: None,
            pending_join: None,
            knows_others: false,
            is_p2p: false,
            devices: DeviceState::default(),
            others: Vec::new(),
            send_transport: None,
            producers: Map::new(),
            consumers: ClientConsumers::default(),
        }
    }

    /// Resets everything that belongs to the current room.
    pub(super) fn leave(&mut self) {
        let context = self.context.clone();
        let devices = self.devices;
        *self = Self {
            devices,
            ..Self::new(context)
        };
    }

    /// Returns another participant in the room.
    pub(super) fn other(&self, peer: &PeerId) -> Option<&ParticipantSummary> {
        self.others.iter().find(|it| it.peer == *peer)
    }

    /// Returns the client's producer of a label.
    ///
    /// # Errors
    /// Returns `ProducerNotFound` when it does not exist yet.
    pub(super) fn own_producer(&self, label: ProducerLabel) -> Result<ProducerId, Refusal> {
        match self.producers.get(&label) {
            Some(OwnProducer::Created(summary)) => Ok(summary.producer),
            Some(OwnProducer::Requested(_)) | None => Err(Refusal::ProducerNotFound),
        }
    }

    /// Removes a producer of the client. Returns false if it has no such producer.
    pub(super) fn remove_own_producer(&mut self, producer: ProducerId) -> bool {
        let mut own = self.producers.iter();
        let label = own.find_map(|(label, own)| match own {
            OwnProducer::Created(summary) if summary.producer == producer => Some(*label),
            OwnProducer::Created(_) | OwnProducer::Requested(_) => None,
        });
        label.and_then(|it| self.producers.remove(&it)).is_some()
    }
}
