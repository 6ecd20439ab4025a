//! What belongs to whom. A request reaches only what its own session has, and producers of its own
//! room; for everything else the answer is that it does not exist.

use std::sync::Arc;

use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};

use super::Conference;
use crate::message::{Refusal, SessionId, ShardId};
use crate::room::Participant;
use crate::session::{Place, Session};

impl Conference {
    /// Where a session takes part.
    pub(super) fn place(&self, id: SessionId) -> Result<Place, Refusal> {
        let session = self.sessions.get(&id).ok_or(Refusal::Internal)?;
        session.place.clone().ok_or(Refusal::NotInRoom)
    }

    /// A session, if it takes part somewhere.
    pub(super) fn present(&self, id: SessionId) -> Result<&Session, Refusal> {
        let session = self.sessions.get(&id).ok_or(Refusal::Internal)?;
        session
            .place
            .as_ref()
            .map(|_| session)
            .ok_or(Refusal::NotInRoom)
    }

    /// The room that a session takes part in or waits for.
    pub(super) fn whereabouts(&self, id: SessionId) -> Result<Arc<str>, Refusal> {
        let session = self.sessions.get(&id).ok_or(Refusal::Internal)?;
        let place = session.place.as_ref().or(session.lobby.as_ref());
        Ok(Arc::clone(&place.ok_or(Refusal::NotInRoom)?.room))
    }

    /// Oneself, as one's room knows one.
    pub(super) fn myself(&self, id: SessionId) -> Result<&Participant, Refusal> {
        let place = self.place(id)?;
        let room = self.rooms.get(&place.room).ok_or(Refusal::Internal)?;
        // Whoever is there unseen takes no part yet.
        room.participants
            .get(&place.order)
            .ok_or(Refusal::NotInRoom)
    }

    /// The shard of one's own transport.
    pub(super) fn own_transport(
        &self,
        id: SessionId,
        transport: TransportId,
    ) -> Result<ShardId, Refusal> {
        let own = self.present(id)?.transports.get(&transport);
        Ok(own
            .filter(|it| it.is_made())
            .ok_or(Refusal::TransportNotFound)?
            .shard)
    }

    /// The shard of one's own producer.
    pub(super) fn own_producer(
        &self,
        id: SessionId,
        producer: ProducerId,
    ) -> Result<ShardId, Refusal> {
        let session = self.present(id)?;
        session
            .producer_shard(producer)
            .ok_or(Refusal::ProducerNotFound)
    }

    /// The shard of one's own consumer.
    pub(super) fn own_consumer(
        &self,
        id: SessionId,
        consumer: ConsumerId,
    ) -> Result<ShardId, Refusal> {
        let session = self.present(id)?;
        session
            .consumer_shard(consumer)
            .ok_or(Refusal::ConsumerNotFound)
    }

    /// Checks that a producer is in the room of somebody. One elsewhere does not exist for it.
    pub(super) fn producer_in(&self, place: &Place, producer: ProducerId) -> Result<(), Refusal> {
        let owner = self.producers.get(&producer);
        let here = owner.is_some_and(|it| it.room == place.room);
        here.then_some(()).ok_or(Refusal::ProducerNotFound)
    }
}
