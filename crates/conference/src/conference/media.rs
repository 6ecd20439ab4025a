//! Ownership of media: which session has which transports, producers and consumers, on which shard,
//! and who receives what. An object counts from the moment of the request that creates it, so that
//! whatever is being created can already be closed.
//!
//! A session reaches only what it owns itself, and producers of its own room. For everything else
//! the answer is that it does not exist.

mod objects;
mod removal;
mod removed;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::{MediaKind, RtpParameters};
use watersmeet_wire::units::{Map, Time};

use self::objects::{AnnouncedProducer, SessionMedia, Transport};
pub(super) use self::objects::{Consumer, HeldConsume};
pub(super) use self::removed::RemovedProducer;
use crate::dialect::RequestTag;
use crate::message::{
    CreatedTransport, Direction, ProducerSummary, Refusal, SessionId, ShardId, TransportKey,
};

/// Ownership of all media.
#[derive(Debug, Default)]
pub(super) struct MediaOwnership {
    /// What each session owns. A session without media has no entry.
    by_session: Map<SessionId, SessionMedia>,
    /// Owners of transports.
    transports: Map<TransportId, SessionId>,
    /// Producers that other participants know of.
    producers: Map<ProducerId, AnnouncedProducer>,
    /// Owners of consumers.
    consumers: Map<ConsumerId, SessionId>,
}

/// Transport that a session has requested by key before.
#[derive(Debug)]
pub(super) enum KeyedTransport {
    /// It exists.
    Created(Box<CreatedTransport>),
    /// Its shard creates it; the request waits for it too.
    Awaited,
    /// Its shard creates it, and too many requests wait for it.
    TooManyRequests,
}

/// What another shard must know of a producer that is piped to it.
#[derive(Debug)]
pub(super) struct ProducerToPipe {
    /// Audio or video.
    pub kind: MediaKind,
    /// What can be consumed of it.
    pub consumable: Box<RtpParameters>,
    /// Whether it is paused.
    pub paused: bool,
    /// Shard that receives it.
    pub origin: ShardId,
}

/// Transports.
impl MediaOwnership {
    /// Number of transports, including those being created.
    pub(super) fn transports_len(&self) -> usize {
        self.transports.len()
    }

    /// Number of transports of a session, including those being created.
    pub(super) fn transports_len_of(&self, session: SessionId) -> usize {
        self.of(session).map_or(0, |it| it.transports.len())
    }

    /// Transports of a session and their shards.
    pub(super) fn transports_of(&self, session: SessionId) -> Vec<(ShardId, TransportId)> {
        let transports = self.of(session).into_iter().flat_map(|it| &it.transports);
        transports.map(|(id, it)| (it.shard, *id)).collect()
    }

    /// Owner of a transport.
    pub(super) fn transport_owner(&self, transport: TransportId) -> Option<SessionId> {
        self.transports.get(&transport).copied()
    }

    /// Adds a transport that its shard is to create.
    pub(super) fn add_transport(
        &mut self,
        session: SessionId,
        transport: TransportId,
        direction: Direction,
        shard: ShardId,
        key: Option<TransportKey>,
    ) {
        let created = Transport {
            direction,
            shard,
            key,
            offer: None,
            waiting_tags: Vec::new(),
        };
        let media = self.by_session.entry(session).or_default();
        media.transports.insert(transport, created);
        self.transports.insert(transport, session);
    }

    /// Transport that a session has requested by this key before. While its shard creates it, up to
    /// `tags_max` requests wait for it.
    pub(super) fn transport_of_key(
        &mut self,
        session: SessionId,
        key: TransportKey,
        tag: &RequestTag,
        tags_max: usize,
    ) -> Option<KeyedTransport> {
        let transports = self.by_session.get_mut(&session)?.transports.values_mut();
        let mut of_key = transports.filter(|it| it.key == Some(key));
        let transport = of_key.next()?;
        if let Some(offer) = &transport.offer {
            return Some(KeyedTransport::Created(offer.clone()));
        }
        if transport.waiting_tags.len() >= tags_max {
            return Some(KeyedTransport::TooManyRequests);
        }
        transport.waiting_tags.push(tag.clone());
        Some(KeyedTransport::Awaited)
    }

    /// Records that a transport was created. Returns it with its key, and the further requests that
    /// waited for it; `None` when it was closed meanwhile.
    pub(super) fn finish_transport(
        &mut self,
        session: SessionId,
        mut created: CreatedTransport,
    ) -> Option<(Box<CreatedTransport>, Vec<RequestTag>)> {
        let (id, direction) = (created.transport, created.direction);
        let media = self.by_session.get_mut(&session)?;
        let transport = media.transports.get_mut(&id)?;
        created.key = transport.key;
        let created = Box::new(created);
        transport.offer = Some(created.clone());
        let tags = std::mem::take(&mut transport.waiting_tags);
        if direction == Direction::Recv {
            media.receive_transport = Some(id);
        }
        Some((created, tags))
    }

    /// Takes the further requests that wait for a transport.
    pub(super) fn take_waiting_tags(
        &mut self,
        session: SessionId,
        transport: TransportId,
    ) -> Vec<RequestTag> {
        let media = self.by_session.get_mut(&session);
        let transport = media.and_then(|it| it.transports.get_mut(&transport));
        transport.map_or_else(Vec::new, |it| std::mem::take(&mut it.waiting_tags))
    }

    /// Shard of a session's transport, created or being created.
    pub(super) fn shard_of_transport(
        &self,
        session: SessionId,
        transport: TransportId,
    ) -> Option<ShardId> {
        self.of(session)?
            .transports
            .get(&transport)
            .map(|it| it.shard)
    }

    /// Shard of a session's transport.
    ///
    /// # Errors
    /// It has no such transport, or that is not created yet.
    pub(super) fn own_transport(
        &self,
        session: SessionId,
        transport: TransportId,
    ) -> Result<ShardId, Refusal> {
        let own = self
            .of(session)
            .and_then(|it| it.transports.get(&transport));
        let created = own.filter(|it| it.offer.is_some());
        Ok(created.ok_or(Refusal::TransportNotFound)?.shard)
    }

    /// Shard of a session's transport that carries media in this direction.
    ///
    /// # Errors
    /// It has no such transport, that is not created yet, or its direction is the other one.
    pub(super) fn own_transport_for(
        &self,
        session: SessionId,
        transport: TransportId,
        direction: Direction,
    ) -> Result<ShardId, Refusal> {
        let own = self
            .of(session)
            .and_then(|it| it.transports.get(&transport));
        let fitting = own.filter(|it| it.offer.is_some() && it.direction == direction);
        Ok(fitting.ok_or(Refusal::TransportNotFound)?.shard)
    }

    /// Shard of a session's transports, if it has any.
    pub(super) fn shard_of(&self, session: SessionId) -> Option<ShardId> {
        let mut transports = self.of(session)?.transports.values();
        transports.next().map(|it| it.shard)
    }

    /// Newest transport on which a session receives.
    pub(super) fn receive_transport(&self, session: SessionId) -> Option<TransportId> {
        self.of(session)?.receive_transport
    }
}

/// Producers.
impl MediaOwnership {
    /// Number of producers that other participants know of.
    pub(super) fn producers_len(&self) -> usize {
        self.producers.len()
    }

    /// Number of producers of a session, including those being created.
    pub(super) fn producers_len_of(&self, session: SessionId) -> usize {
        self.of(session).map_or(0, |it| it.producers.len())
    }

    /// Producers of a session, including those being created.
    pub(super) fn producers_of(&self, session: SessionId) -> Vec<ProducerId> {
        let producers = self.of(session).map(|it| it.producers.keys());
        producers.into_iter().flatten().copied().collect()
    }

    /// Adds a producer that its shard is to create.
    pub(super) fn add_producer(
        &mut self,
        session: SessionId,
        producer: ProducerId,
        transport: TransportId,
    ) {
        let media = self.by_session.entry(session).or_default();
        media.producers.insert(producer, transport);
    }

    /// Announces a producer in its room, with its summary for others and what they can consume.
    /// Returns false when it was closed meanwhile.
    pub(super) fn announce_producer(
        &mut self,
        session: SessionId,
        room: &Arc<str>,
        summary: ProducerSummary,
        consumable: Box<RtpParameters>,
    ) -> bool {
        let producer = summary.producer;
        let Ok(shard) = self.own_producer(session, producer) else {
            return false;
        };
        let Some(media) = self.by_session.get_mut(&session) else {
            return false;
        };
        media.announced.push(producer);
        let announced = AnnouncedProducer {
            owner: session,
            room: Arc::clone(room),
            summary,
            shard,
            consumable,
            pipes: BTreeSet::new(),
            consumers: Map::new(),
        };
        self.producers.insert(producer, announced);
        true
    }

    /// Shard of a session's producer.
    ///
    /// # Errors
    /// It has no such producer.
    pub(super) fn own_producer(
        &self,
        session: SessionId,
        producer: ProducerId,
    ) -> Result<ShardId, Refusal> {
        let media = self.of(session);
        let transport = media.and_then(|it| it.transports.get(it.producers.get(&producer)?));
        Ok(transport.ok_or(Refusal::ProducerNotFound)?.shard)
    }

    /// Owner of an announced producer.
    pub(super) fn producer_owner(&self, producer: ProducerId) -> Option<SessionId> {
        self.producers.get(&producer).map(|it| it.owner)
    }

    /// Room of an announced producer.
    pub(super) fn producer_room(&self, producer: ProducerId) -> Option<Arc<str>> {
        let announced = self.producers.get(&producer)?;
        Some(Arc::clone(&announced.room))
    }

    /// Summary of an announced producer.
    pub(super) fn producer_summary(&self, producer: ProducerId) -> Option<&ProducerSummary> {
        self.producers.get(&producer).map(|it| &it.summary)
    }

    /// Summaries of the announced producers of a session, oldest first.
    pub(super) fn summaries_of(&self, session: SessionId) -> Vec<ProducerSummary> {
        self.announced_by(session)
            .map(|it| it.summary.clone())
            .collect()
    }

    /// Number of announced producers of a session.
    pub(super) fn announced_len_of(&self, session: SessionId) -> usize {
        self.of(session).map_or(0, |it| it.announced.len())
    }

    /// Number of consumers of a session's announced producers.
    pub(super) fn receivers_len_of(&self, session: SessionId) -> usize {
        self.announced_by(session)
            .map(|it| it.consumers.len())
            .sum()
    }

    /// Records that a producer is paused or not. Returns whether that changed, `None` when it is not
    /// announced.
    pub(super) fn set_producer_paused(
        &mut self,
        producer: ProducerId,
        paused: bool,
    ) -> Option<bool> {
        let summary = &mut self.producers.get_mut(&producer)?.summary;
        Some(std::mem::replace(&mut summary.paused, paused) != paused)
    }

    /// Records that a producer is piped to a shard, unless it is known there already. Returns what
    /// that shard must know then.
    ///
    /// # Errors
    /// It is not announced.
    pub(super) fn pipe_producer(
        &mut self,
        producer: ProducerId,
        shard: ShardId,
    ) -> Result<Option<ProducerToPipe>, Refusal> {
        let announced = self.producers.get_mut(&producer);
        let announced = announced.ok_or(Refusal::ProducerNotFound)?;
        if announced.shard == shard || !announced.pipes.insert(shard) {
            return Ok(None);
        }
        Ok(Some(ProducerToPipe {
            kind: announced.summary.kind,
            consumable: announced.consumable.clone(),
            paused: announced.summary.paused,
            origin: announced.shard,
        }))
    }

    /// Records that a producer is no longer known on a shard that is not its own. Returns whether
    /// it was.
    pub(super) fn remove_pipe(&mut self, producer: ProducerId, shard: ShardId) -> bool {
        let announced = self.producers.get_mut(&producer);
        announced.is_some_and(|it| it.pipes.remove(&shard))
    }

    /// Records that no producer of these sessions is known any more on a shard not its own.
    pub(super) fn remove_pipes_to(&mut self, sessions: &[SessionId], shard: ShardId) {
        for session in sessions {
            let announced = self.by_session.get(session).map(|it| &it.announced);
            for producer in announced.into_iter().flatten() {
                if let Some(announced) = self.producers.get_mut(producer) {
                    announced.pipes.remove(&shard);
                }
            }
        }
    }
}

/// Consumers.
impl MediaOwnership {
    /// Number of consumers, including those being created.
    pub(super) fn consumers_len(&self) -> usize {
        self.consumers.len()
    }

    /// Number of consumers of a session, including those being created.
    pub(super) fn consumers_len_of(&self, session: SessionId) -> usize {
        self.of(session).map_or(0, |it| it.consumers.len())
    }

    /// Number of requests of a session to consume that wait for a receive transport.
    pub(super) fn held_len_of(&self, session: SessionId) -> usize {
        self.of(session).map_or(0, |it| it.held.len())
    }

    /// Adds a consumer that its shard is to create.
    pub(super) fn add_consumer(&mut self, session: SessionId, id: ConsumerId, consumer: Consumer) {
        if let Some(producer) = self.producers.get_mut(&consumer.producer) {
            producer.consumers.insert(id, session);
        }
        let media = self.by_session.entry(session).or_default();
        media.consumers.insert(id, consumer);
        self.consumers.insert(id, session);
    }

    /// Owner of a consumer.
    pub(super) fn consumer_owner(&self, consumer: ConsumerId) -> Option<SessionId> {
        self.consumers.get(&consumer).copied()
    }

    /// Shard of a session's consumer.
    ///
    /// # Errors
    /// It has no such consumer.
    pub(super) fn own_consumer(
        &self,
        session: SessionId,
        consumer: ConsumerId,
    ) -> Result<ShardId, Refusal> {
        let media = self.of(session);
        let transport =
            media.and_then(|it| it.transports.get(&it.consumers.get(&consumer)?.transport));
        Ok(transport.ok_or(Refusal::ConsumerNotFound)?.shard)
    }

    /// Whether a session has a consumer.
    pub(super) fn has_consumer(&self, session: SessionId, consumer: ConsumerId) -> bool {
        self.of(session)
            .is_some_and(|it| it.consumers.contains_key(&consumer))
    }

    /// Adds a request to consume that waits for a receive transport. Returns whether it is the only
    /// one.
    pub(super) fn hold(&mut self, session: SessionId, held: HeldConsume) -> bool {
        let media = self.by_session.entry(session).or_default();
        media.held.push_back(held);
        media.held.len() == 1
    }

    /// Takes all requests to consume that wait for a receive transport, oldest first.
    pub(super) fn take_held(&mut self, session: SessionId) -> VecDeque<HeldConsume> {
        let media = self.by_session.get_mut(&session);
        let held = media.map(|it| std::mem::take(&mut it.held));
        self.drop_empty(session);
        held.unwrap_or_default()
    }

    /// Takes the requests to consume whose time has passed. Also returns the deadline of the next.
    pub(super) fn take_expired_held(
        &mut self,
        session: SessionId,
        now: Time,
    ) -> (Vec<HeldConsume>, Option<Time>) {
        let mut expired = Vec::new();
        let Some(media) = self.by_session.get_mut(&session) else {
            return (expired, None);
        };
        while let Some(held) = media.held.pop_front_if(|it| it.deadline <= now) {
            expired.push(held);
        }
        let next = media.held.front().map(|it| it.deadline);
        self.drop_empty(session);
        (expired, next)
    }
}

/// What several of the above need.
impl MediaOwnership {
    fn of(&self, session: SessionId) -> Option<&SessionMedia> {
        self.by_session.get(&session)
    }

    /// Announced producers of a session, oldest first.
    fn announced_by(&self, session: SessionId) -> impl Iterator<Item = &AnnouncedProducer> {
        let announced = self.of(session).map(|it| &it.announced);
        let announced = announced.into_iter().flatten();
        announced.filter_map(|it| self.producers.get(it))
    }

    /// Removes the entry of a session that has no media any more.
    fn drop_empty(&mut self, session: SessionId) {
        if self.of(session).is_some_and(SessionMedia::is_empty) {
            self.by_session.remove(&session);
        }
    }
}
