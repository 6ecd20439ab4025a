//! Ownership of media: the transports, producers and consumers of each session, with their shards
//! and receivers. An object is recorded when it is requested, so that it can be closed while its
//! shard is still creating it.
//!
//! A session can only use objects that it owns, and producers of its own room. Any other object is
//! refused as if it did not exist.

mod cameras;
mod closed;
mod objects;
mod removal;
mod removed;
mod scores;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::{MediaKind, RtpParameters};
use watersmeet_wire::units::{Map, Time};

pub(super) use self::closed::ClosedObject;
use self::closed::ClosedObjects;
use self::objects::{AnnouncedProducer, ProducerScores, SessionMedia, Transport};
pub(super) use self::objects::{Consumer, HeldConsume, OwnedTrack, SCORE_MAX};
pub(super) use self::removed::RemovedProducer;
use crate::dialect::RequestTag;
use crate::message::{
    CreatedTransport, Direction, ProducerSummary, Refusal, SessionId, ShardId, TransportKey,
};

/// Ownership of all media.
#[derive(Debug, Default)]
pub(super) struct MediaOwnership {
    /// Transports, producers and consumers of each session; sessions without media have no entry.
    by_session: Map<SessionId, SessionMedia>,
    /// Owner of each transport.
    transports: Map<TransportId, SessionId>,
    /// Producers that were announced to other participants.
    producers: Map<ProducerId, AnnouncedProducer>,
    /// Owner of each consumer.
    consumers: Map<ConsumerId, SessionId>,
    /// Closed objects of sessions that are still in the room where they were closed.
    closed: Map<SessionId, ClosedObjects>,
}

/// State of a transport that a session has already requested by key.
#[derive(Debug)]
pub(super) enum KeyedTransport {
    /// The shard has created it.
    Created(Box<CreatedTransport>),
    /// Its shard is creating it; the new request waits for the same transport.
    Awaited,
    /// Its shard is creating it, and too many requests wait for it already.
    TooManyRequests,
}

/// Producer to pipe to another shard, with the parameters which that shard needs.
#[derive(Debug)]
pub(super) struct ProducerToPipe {
    /// Media kind: audio or video.
    pub kind: MediaKind,
    /// RTP parameters that consumers receive.
    pub consumable: Box<RtpParameters>,
    /// Whether the producer is paused.
    pub paused: bool,
    /// Whether it is a shared screen.
    pub is_screen: bool,
    /// Shard that receives its media from the client.
    pub origin: ShardId,
}

/// Transports.
impl MediaOwnership {
    /// Returns the number of transports, including those being created.
    pub(super) fn transports_len(&self) -> usize {
        self.transports.len()
    }

    /// Returns the number of transports of a session, including those being created.
    pub(super) fn transports_len_of(&self, session: SessionId) -> usize {
        self.of(session).map_or(0, |it| it.transports.len())
    }

    /// Returns the transports of a session and their shards.
    pub(super) fn transports_of(&self, session: SessionId) -> Vec<(ShardId, TransportId)> {
        let transports = self.of(session).into_iter().flat_map(|it| &it.transports);
        transports.map(|(id, it)| (it.shard, *id)).collect()
    }

    /// Returns the owner of a transport.
    pub(super) fn transport_owner(&self, transport: TransportId) -> Option<SessionId> {
        self.transports.get(&transport).copied()
    }

    /// Adds a transport before its shard creates it.
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

    /// Returns the transport that a session has already requested by this key. While its shard
    /// creates it, up to `tags_max` further requests wait for it.
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

    /// Records that a transport was created. Returns it with its key and the requests that waited
    /// for it, or `None` when it was closed meanwhile.
    pub(super) fn confirm_transport(
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

    /// Returns the shard of a session's transport, created or being created.
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

    /// Returns the shard of a session's transport.
    ///
    /// # Errors
    /// The session has no such transport, or the transport is not created yet.
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

    /// Returns the shard of a session's transport that carries media in this direction.
    ///
    /// # Errors
    /// The session has no such transport, it is not created yet, or it has the other direction.
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

    /// Returns the shard of a session's transports, if it has any.
    pub(super) fn shard_of(&self, session: SessionId) -> Option<ShardId> {
        let mut transports = self.of(session)?.transports.values();
        transports.next().map(|it| it.shard)
    }

    /// Returns the newest receive transport of a session.
    pub(super) fn receive_transport(&self, session: SessionId) -> Option<TransportId> {
        self.of(session)?.receive_transport
    }
}

/// Producers.
impl MediaOwnership {
    /// Returns the number of announced producers.
    pub(super) fn producers_len(&self) -> usize {
        self.producers.len()
    }

    /// Returns the number of producers of a session, including those being created.
    pub(super) fn producers_len_of(&self, session: SessionId) -> usize {
        self.of(session).map_or(0, |it| it.producers.len())
    }

    /// Returns the producers of a session, including those being created.
    pub(super) fn producers_of(&self, session: SessionId) -> Vec<ProducerId> {
        let producers = self.of(session).map(|it| it.producers.keys());
        producers.into_iter().flatten().copied().collect()
    }

    /// Adds a producer before its shard creates it.
    pub(super) fn add_producer(
        &mut self,
        session: SessionId,
        producer: ProducerId,
        transport: TransportId,
    ) {
        let media = self.by_session.entry(session).or_default();
        media.producers.insert(producer, transport);
    }

    /// Announces a producer in its room, with its summary and the RTP parameters for consumers.
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
            scores: ProducerScores::default(),
        };
        self.producers.insert(producer, announced);
        true
    }

    /// Returns the shard of a session's producer.
    ///
    /// # Errors
    /// The session has no such producer.
    pub(super) fn own_producer(
        &self,
        session: SessionId,
        producer: ProducerId,
    ) -> Result<ShardId, Refusal> {
        let media = self.of(session);
        let transport = media.and_then(|it| it.transports.get(it.producers.get(&producer)?));
        Ok(transport.ok_or(Refusal::ProducerNotFound)?.shard)
    }

    /// Returns the owner of an announced producer.
    pub(super) fn producer_owner(&self, producer: ProducerId) -> Option<SessionId> {
        self.producers.get(&producer).map(|it| it.owner)
    }

    /// Returns the room of an announced producer.
    pub(super) fn producer_room(&self, producer: ProducerId) -> Option<Arc<str>> {
        let announced = self.producers.get(&producer)?;
        Some(Arc::clone(&announced.room))
    }

    /// Returns the summary of an announced producer.
    pub(super) fn producer_summary(&self, producer: ProducerId) -> Option<&ProducerSummary> {
        self.producers.get(&producer).map(|it| &it.summary)
    }

    /// Returns an announced producer as room events name it.
    pub(super) fn track(&self, producer: ProducerId) -> Option<OwnedTrack> {
        self.producers.get(&producer).map(AnnouncedProducer::track)
    }

    /// Returns the summaries of the announced producers of a session, oldest first.
    pub(super) fn summaries_of(&self, session: SessionId) -> Vec<ProducerSummary> {
        self.announced_by(session)
            .map(|it| it.summary.clone())
            .collect()
    }

    /// Returns the number of announced producers of a session.
    pub(super) fn announced_len_of(&self, session: SessionId) -> usize {
        self.of(session).map_or(0, |it| it.announced.len())
    }

    /// Returns the announced producers of a session, each with the shard that receives it.
    pub(super) fn placed_producers_of(&self, session: SessionId) -> Vec<(ShardId, ProducerId)> {
        let announced = self.announced_by(session);
        announced
            .map(|it| (it.shard, it.summary.producer))
            .collect()
    }

    /// Returns the consumers of a session, each with the shard of its transport.
    pub(super) fn placed_consumers_of(&self, session: SessionId) -> Vec<(ShardId, ConsumerId)> {
        let Some(media) = self.of(session) else {
            return Vec::new();
        };
        let placed = media.consumers.iter().filter_map(|(id, consumer)| {
            let transport = media.transports.get(&consumer.transport)?;
            Some((transport.shard, *id))
        });
        placed.collect()
    }

    /// Returns the number of consumers of a session's announced producers.
    pub(super) fn receivers_len_of(&self, session: SessionId) -> usize {
        self.announced_by(session)
            .map(|it| it.consumers.len())
            .sum()
    }

    /// Records whether a producer is paused. Returns whether that changed, or `None` when the
    /// producer is not announced.
    pub(super) fn set_producer_paused(
        &mut self,
        producer: ProducerId,
        paused: bool,
    ) -> Option<bool> {
        let summary = &mut self.producers.get_mut(&producer)?.summary;
        Some(std::mem::replace(&mut summary.paused, paused) != paused)
    }

    /// Records that a producer is piped to a shard. Returns the parameters for that shard, or
    /// `None` when it has the producer already.
    ///
    /// # Errors
    /// The producer is not announced.
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
            is_screen: announced.summary.is_screen(),
            origin: announced.shard,
        }))
    }

    /// Records that a producer is no longer piped to a shard. Returns false when it was not piped
    /// there.
    pub(super) fn remove_pipe(&mut self, producer: ProducerId, shard: ShardId) -> bool {
        let announced = self.producers.get_mut(&producer);
        announced.is_some_and(|it| it.pipes.remove(&shard))
    }

    /// Records that no producer of these sessions is piped to the shard any more.
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
    /// Returns the number of consumers, including those being created.
    pub(super) fn consumers_len(&self) -> usize {
        self.consumers.len()
    }

    /// Returns the number of consumers of a session, including those being created.
    pub(super) fn consumers_len_of(&self, session: SessionId) -> usize {
        self.of(session).map_or(0, |it| it.consumers.len())
    }

    /// Returns the number of a session's requests to consume that wait for a receive transport.
    pub(super) fn held_len_of(&self, session: SessionId) -> usize {
        self.of(session).map_or(0, |it| it.held.len())
    }

    /// Adds a consumer before its shard creates it.
    pub(super) fn add_consumer(&mut self, session: SessionId, id: ConsumerId, consumer: Consumer) {
        if let Some(producer) = self.producers.get_mut(&consumer.producer) {
            producer.consumers.insert(id, session);
        }
        let media = self.by_session.entry(session).or_default();
        media.consumers.insert(id, consumer);
        self.consumers.insert(id, session);
    }

    /// Returns the owner of a consumer.
    pub(super) fn consumer_owner(&self, consumer: ConsumerId) -> Option<SessionId> {
        self.consumers.get(&consumer).copied()
    }

    /// Returns the shard of a session's consumer.
    ///
    /// # Errors
    /// The session has no such consumer.
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

    /// Returns whether a session has a consumer.
    pub(super) fn has_consumer(&self, session: SessionId, consumer: ConsumerId) -> bool {
        self.of(session)
            .is_some_and(|it| it.consumers.contains_key(&consumer))
    }

    /// Adds a request to consume that waits for a receive transport. Returns whether it is the
    /// session's only one.
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

    /// Takes the held requests to consume whose deadline has passed. Also returns the next
    /// deadline.
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

/// Helpers for several kinds of objects.
impl MediaOwnership {
    /// Returns whether an object of a session was closed, by whichever side.
    pub(super) fn was_closed(&self, session: SessionId, object: ClosedObject) -> bool {
        let closed = self.closed.get(&session);
        closed.is_some_and(|it| it.contains(object))
    }

    /// Forgets the closed objects of a session that leaves its room.
    pub(super) fn forget_closed(&mut self, session: SessionId) {
        self.closed.remove(&session);
    }

    fn record_closed(&mut self, session: SessionId, object: ClosedObject) {
        self.closed.entry(session).or_default().record(object);
    }

    fn of(&self, session: SessionId) -> Option<&SessionMedia> {
        self.by_session.get(&session)
    }

    /// Returns the announced producers of a session, oldest first.
    fn announced_by(&self, session: SessionId) -> impl Iterator<Item = &AnnouncedProducer> {
        let announced = self.of(session).map(|it| &it.announced);
        let announced = announced.into_iter().flatten();
        announced.filter_map(|it| self.producers.get(it))
    }

    /// Removes the entry of a session that has no media left.
    fn drop_empty(&mut self, session: SessionId) {
        if self.of(session).is_some_and(SessionMedia::is_empty) {
            self.by_session.remove(&session);
        }
    }
}
