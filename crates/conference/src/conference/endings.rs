//! How things end: by request, by a closed connection, by the engine's own decision, or because a
//! shard was lost. Everything that depends on what ends, ends with it here, in one step; what the
//! engine reports of the same later is news no more.

use std::collections::BTreeSet;
use std::sync::Arc;

use watersmeet_engine::command::{
    CloseReason, Command, ConsumerId, DtlsState, Event, ProducerId, TransportId,
};
use watersmeet_wire::units::Time;

use super::{Conference, Timer};
use crate::message::{Notice, Refusal, SessionId, ShardId};
use crate::room::{Participant, Room, Router};
use crate::session::Consumer;

impl Conference {
    /// A worker reported something.
    pub fn handle_event(&mut self, now: Time, shard: ShardId, event: Event) {
        self.now = now;
        self.happened(shard, event);
        self.settle();
    }

    /// What it means that a worker reported something.
    fn happened(&mut self, shard: ShardId, event: Event) {
        match event {
            Event::TransportClosed { transport, reason } => {
                self.handle_transport_closed(transport, reason);
            }
            Event::ProducerClosed { producer } => {
                let Some(owner) = self.producer_owner(producer) else {
                    return;
                };
                if let Some(notice) = self.end_producer(owner, producer) {
                    self.tell(owner, &notice);
                }
            }
            Event::ConsumerClosed { consumer } => {
                if let Some((session, Consumer { producer, .. })) = self.forget_consumer(consumer) {
                    self.tell(session, &Notice::ConsumerClosed { consumer, producer });
                }
            }
            Event::ConsumerProducerPaused { consumer, paused } => {
                if let Some(&session) = self.consumers.get(&consumer) {
                    self.tell(session, &Notice::ConsumerPaused { consumer, paused });
                }
            }
            Event::ConsumerLayersChanged { consumer, layers } => {
                if let Some(&session) = self.consumers.get(&consumer) {
                    self.tell(session, &Notice::ConsumerLayersChanged { consumer, layers });
                }
            }
            Event::IceStateChanged { transport, state } => {
                tracing::debug!(shard = shard.0, %transport, ?state, "ICE");
            }
            Event::DtlsStateChanged { transport, state } => {
                tracing::debug!(shard = shard.0, %transport, ?state, "DTLS");
                let owner = self.transports.get(&transport).copied();
                if let Some(owner) = owner.filter(|_| state == DtlsState::Connected) {
                    self.tally_connection(owner);
                }
            }
            Event::PipedProducerClosed { producer } => {
                self.forget_pipe(producer, shard);
            }
            Event::ProducerScore { .. } => {}
        }
    }

    /// A shard's worker was rebuilt empty. Rooms that were there get a new router when somebody
    /// makes a transport again; everybody stays in them.
    pub fn handle_shard_lost(&mut self, now: Time, shard: ShardId) {
        self.now = now;
        let rooms: Vec<Arc<str>> = self
            .rooms
            .iter()
            .filter(|(_, room)| room.router_on(shard).is_some())
            .map(|(name, _)| Arc::clone(name))
            .collect();
        tracing::warn!(shard = shard.0, rooms = rooms.len(), "a shard was lost");
        for room in rooms {
            self.lose_media(&room, shard);
        }
        self.settle();
    }

    /// Takes the media out of a room that was on a shard whose worker is gone. Who has media on
    /// other shards keeps it, and only loses sight of those who had theirs there.
    fn lose_media(&mut self, name: &Arc<str>, shard: ShardId) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        // A command may still be on its way to the new worker: what it makes there is closed.
        let router = room.router_on(shard);
        room.routers.retain(|it| it.shard != shard);
        room.forget_pipes_to(shard);
        let everybody = room.sessions();
        if let Some(router) = router {
            self.command(shard, Command::CloseRouter { router });
        }
        let mut closed: Vec<(SessionId, Notice)> = Vec::new();
        let mut hit = BTreeSet::new();
        for &session in &everybody {
            let session_of = self.sessions.get(&session);
            if session_of.is_some_and(|it| it.depends_on(shard)) {
                hit.insert(session);
                let ended = self.forget_media(session, Some(Refusal::WorkerLost));
                closed.extend(ended.into_iter().map(|notice| (session, notice)));
            }
        }
        for session in everybody {
            let of_others = closed.iter().filter(|(owner, _)| *owner != session);
            for (_, notice) in of_others {
                self.tell(session, notice);
            }
            if hit.contains(&session) {
                self.tell(session, &Notice::WorkerLost);
            }
        }
    }

    /// Takes a session out of its room, if it is in one. Its unanswered requests are refused with
    /// `refusal`, or forgotten when nobody hears it.
    pub(super) fn leave(&mut self, id: SessionId, refusal: Option<Refusal>) {
        self.leave_lobby(id);
        let Some(place) = self.sessions.get(&id).and_then(|it| it.place.clone()) else {
            return;
        };
        let transports = self.transports_of(id);
        let closed = self.forget_media(id, refusal);
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        session.place = None;
        let peer = session.peer.clone();
        tracing::info!(session = id.0, room = %place.room, %peer, "a participant left");
        let Some(room) = self.rooms.get_mut(&place.room) else {
            return;
        };
        let left = room.participants.remove(&place.order);
        room.unseen.remove(&place.order);
        if room.is_empty() {
            // Routers take their transports with them.
            for Router { id, shard } in std::mem::take(&mut room.routers) {
                self.command(shard, Command::CloseRouter { router: id });
            }
            self.remove_if_unused(&place.room);
            return;
        }
        self.close_transports(transports);
        let Some(Participant { display_name, .. }) = left else {
            return;
        };
        let producers = closed.iter().filter_map(|notice| match notice {
            Notice::ProducerClosed { producer, .. } => Some(*producer),
            _ => None,
        });
        let notice = Notice::ParticipantLeft {
            peer,
            display_name,
            producers: producers.collect(),
        };
        self.tell_others(&place.room, id, &notice);
        self.find_a_host(&place.room);
    }

    /// Forgets a room that nobody is in, waits for, or is expected in.
    pub(super) fn remove_if_unused(&mut self, name: &str) {
        if self.rooms.get(name).is_some_and(Room::is_unused) {
            tracing::info!(room = name, "a room is closed");
            self.rooms.remove(name);
        }
    }

    /// Ends all media of a session that stays in its room.
    pub(super) fn end_media(&mut self, id: SessionId, refusal: Option<Refusal>) {
        let Some(place) = self.sessions.get(&id).and_then(|it| it.place.clone()) else {
            return;
        };
        let transports = self.transports_of(id);
        let closed = self.forget_media(id, refusal);
        self.close_transports(transports);
        for notice in &closed {
            self.tell_others(&place.room, id, notice);
        }
    }

    /// The transports of a session and where they are.
    fn transports_of(&self, id: SessionId) -> Vec<(ShardId, TransportId)> {
        let session = self.sessions.get(&id);
        let transports = session.into_iter().flat_map(|it| &it.transports);
        transports.map(|(id, it)| (it.shard, *id)).collect()
    }

    /// Tells shards to close transports.
    fn close_transports(&mut self, transports: Vec<(ShardId, TransportId)>) {
        for (shard, transport) in transports {
            self.command(shard, Command::CloseTransport { transport });
        }
    }

    /// Forgets all media of a session and all that was being made, and tells what others would have
    /// to be told of it. Shards are not told.
    fn forget_media(&mut self, id: SessionId, refusal: Option<Refusal>) -> Vec<Notice> {
        let Some(session) = self.sessions.get_mut(&id) else {
            return Vec::new();
        };
        let transports: Vec<_> = session.transports.keys().copied().collect();
        let held = std::mem::take(&mut session.held);
        let pending = std::mem::take(&mut session.pending);
        if let Some(first) = held.front() {
            self.timers.remove(&(first.deadline, Timer::Held(id)));
        }
        let mut unanswered: Vec<_> = pending
            .into_iter()
            .filter_map(|token| self.take_pending(token))
            .filter_map(|pending| pending.asker.map(|(_, tag)| tag))
            .collect();
        unanswered.extend(held.into_iter().map(|it| it.tag));
        for tag in unanswered {
            if let Some(refusal) = &refusal {
                self.answer(id, &tag, Err(refusal.clone()));
            }
        }
        let mut closed = Vec::new();
        for transport in transports {
            closed.extend(self.forget_transport(id, transport));
        }
        closed
    }

    /// The engine closed a transport. Its owner is told; the others see its producers end.
    fn handle_transport_closed(&mut self, transport: TransportId, reason: CloseReason) {
        let Some(&owner) = self.transports.get(&transport) else {
            return;
        };
        tracing::info!(session = owner.0, %transport, ?reason, "a transport was closed");
        let closed = self.forget_transport(owner, transport);
        self.tell(owner, &Notice::TransportClosed { transport, reason });
        let place = self.sessions.get(&owner).and_then(|it| it.place.clone());
        let Some(place) = place else {
            return;
        };
        for notice in &closed {
            self.tell_others(&place.room, owner, notice);
        }
    }

    /// Ends a producer and tells the others. Gives what they were told.
    pub(super) fn end_producer(
        &mut self,
        owner: SessionId,
        producer: ProducerId,
    ) -> Option<Notice> {
        let place = self.producers.get(&producer).cloned();
        let notice = self.forget_producer(owner, producer)?;
        self.tell_others(&place?.room, owner, &notice);
        Some(notice)
    }

    /// Forgets a transport with all that is on it, and tells what others would have to be told.
    pub(super) fn forget_transport(
        &mut self,
        id: SessionId,
        transport: TransportId,
    ) -> Vec<Notice> {
        self.transports.remove(&transport);
        let Some(session) = self.sessions.get_mut(&id) else {
            return Vec::new();
        };
        if let Some(removed) = session.transports.remove(&transport)
            && let Some(load) = self.loads.get_mut(usize::from(removed.shard.0))
        {
            load.transports = load.transports.saturating_sub(1);
        }
        session.receive_transport = session.receive_transport.filter(|it| *it != transport);
        let on_it = session.producers.iter().filter(|(_, it)| **it == transport);
        let producers: Vec<_> = on_it.map(|(id, _)| *id).collect();
        let on_it = session
            .consumers
            .iter()
            .filter(|(_, it)| it.transport == transport);
        let consumers: Vec<_> = on_it.map(|(id, _)| *id).collect();
        for consumer in consumers {
            self.forget_consumer(consumer);
        }
        producers
            .into_iter()
            .filter_map(|it| self.forget_producer(id, it))
            .collect()
    }

    /// Forgets a producer with its consumers, and tells what others would have to be told: nothing
    /// if they never heard of it.
    fn forget_producer(&mut self, id: SessionId, producer: ProducerId) -> Option<Notice> {
        let session = self.sessions.get_mut(&id)?;
        session.producers.remove(&producer);
        let peer = session.peer.clone();
        let place = self.producers.remove(&producer)?;
        let room = self.rooms.get_mut(&place.room)?;
        let owner = room.participants.get_mut(&place.order)?;
        let removed = owner.remove_producer(producer)?;
        for &shard in &removed.pipes {
            self.command(shard, Command::CloseProducer { producer });
        }
        for (consumer, receiver) in removed.consumers {
            self.consumers.remove(&consumer);
            if let Some(receiver) = self.sessions.get_mut(&receiver) {
                receiver.consumers.remove(&consumer);
            }
        }
        Some(Notice::ProducerClosed { peer, producer })
    }

    /// Forgets a consumer, and tells whose it was.
    pub(super) fn forget_consumer(&mut self, id: ConsumerId) -> Option<(SessionId, Consumer)> {
        let owner = self.consumers.remove(&id)?;
        let consumer = self.sessions.get_mut(&owner)?.consumers.remove(&id)?;
        if let Some(place) = self.producers.get(&consumer.producer)
            && let Some(room) = self.rooms.get_mut(&place.room)
            && let Some(producer) = room.producer_mut(place.order, consumer.producer)
        {
            producer.consumers.remove(&id);
        }
        Some((owner, consumer))
    }

    /// Whose an announced producer is.
    fn producer_owner(&self, producer: ProducerId) -> Option<SessionId> {
        let place = self.producers.get(&producer)?;
        let room = self.rooms.get(&place.room)?;
        room.participants.get(&place.order).map(|it| it.session)
    }
}
