//! One room: who is in it, in the order they came, and what they send. A room knows no frames and
//! sends nothing; it answers who is there and who must hear of what.

use std::sync::Arc;

use watersmeet_engine::command::{ConsumerId, ProducerId, RouterId};
use watersmeet_wire::units::Map;

use crate::message::{ParticipantSummary, PeerId, ProducerSummary, SessionId, ShardId};

/// One room.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// Where its media is, once somebody has made a transport.
    pub router: Option<Router>,
    /// Who is in it, by the order of entering.
    pub participants: Map<u64, Participant>,
    /// The number of the next who enters.
    next_order: u64,
}

/// A room's share of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Router {
    /// Its id.
    pub id: RouterId,
    /// Where it is.
    pub shard: ShardId,
}

/// Somebody in a room.
#[derive(Debug)]
pub(crate) struct Participant {
    /// The connection.
    pub session: SessionId,
    /// The public name.
    pub peer: PeerId,
    /// How it wants to be seen.
    pub display_name: Option<Arc<str>>,
    /// What it sends, oldest first. A producer is here from the moment that others are told of it
    /// until the moment that they are told of its end.
    pub producers: Vec<Producer>,
}

/// Something that a participant sends.
#[derive(Debug)]
pub(crate) struct Producer {
    /// What others are told of it.
    pub summary: ProducerSummary,
    /// Who receives it, those that are being made included.
    pub consumers: Map<ConsumerId, SessionId>,
}

impl Room {
    /// Lets somebody in and tells the number it has here.
    pub(crate) fn enter(&mut self, participant: Participant) -> u64 {
        let order = self.next_order;
        self.next_order += 1;
        self.participants.insert(order, participant);
        order
    }

    /// Everybody but the participant of this number, and what they send.
    pub(crate) fn others(&self, order: u64) -> Vec<ParticipantSummary> {
        self.participants
            .iter()
            .filter(|(it, _)| **it != order)
            .map(|(_, participant)| participant.summary())
            .collect()
    }

    /// Everybody and what they send.
    pub(crate) fn everybody(&self) -> Vec<ParticipantSummary> {
        self.participants
            .values()
            .map(Participant::summary)
            .collect()
    }

    /// A producer of the participant of this number.
    pub(crate) fn producer_mut(&mut self, order: u64, id: ProducerId) -> Option<&mut Producer> {
        let participant = self.participants.get_mut(&order)?;
        participant
            .producers
            .iter_mut()
            .find(|it| it.summary.producer == id)
    }
}

impl Participant {
    /// What others are told of it.
    fn summary(&self) -> ParticipantSummary {
        ParticipantSummary {
            peer: self.peer,
            display_name: self.display_name.clone(),
            producers: self.producers.iter().map(|it| it.summary.clone()).collect(),
        }
    }

    /// Takes a producer away.
    pub(crate) fn remove_producer(&mut self, id: ProducerId) -> Option<Producer> {
        let index = self
            .producers
            .iter()
            .position(|it| it.summary.producer == id)?;
        Some(self.producers.remove(index))
    }
}
