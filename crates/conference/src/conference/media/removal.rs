//! Removal of media objects together with their dependants, in one step. Later events of the engine
//! about these objects are ignored.

use std::collections::BTreeSet;
use std::sync::Arc;

use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};

use super::objects::Consumer;
use super::removed::{RemovedMedia, RemovedProducer, RemovedTransport};
use super::{ClosedObject, MediaOwnership};
use crate::message::SessionId;

impl MediaOwnership {
    /// Removes a transport with its producers and consumers.
    pub fn remove_transport(
        &mut self,
        session: SessionId,
        transport: TransportId,
    ) -> RemovedTransport {
        self.transports.remove(&transport);
        let Some(media) = self.by_session.get_mut(&session) else {
            return RemovedTransport::default();
        };
        let shard = media.transports.remove(&transport).map(|it| it.shard);
        media.receive_transport = media.receive_transport.filter(|it| *it != transport);
        let producers = media.producers.iter();
        let producers = producers.filter(|(_, it)| **it == transport);
        let producers: Vec<_> = producers.map(|(id, _)| *id).collect();
        let consumers = media.consumers.iter();
        let consumers = consumers.filter(|(_, it)| it.transport == transport);
        let consumers: Vec<_> = consumers.map(|(id, _)| *id).collect();
        for consumer in consumers {
            self.remove_consumer(consumer);
        }
        let producers = producers
            .into_iter()
            .filter_map(|it| self.remove_producer(session, it));
        let producers = producers.collect();
        self.drop_empty(session);
        if shard.is_some() {
            self.record_closed(session, ClosedObject::Transport(transport));
        }
        RemovedTransport { shard, producers }
    }

    /// Removes a producer with its consumers. Returns `None` when it was not announced.
    pub fn remove_producer(
        &mut self,
        session: SessionId,
        producer: ProducerId,
    ) -> Option<RemovedProducer> {
        if let Some(media) = self.by_session.get_mut(&session) {
            let own = media.producers.remove(&producer);
            media.announced.retain(|it| *it != producer);
            self.drop_empty(session);
            if own.is_some() {
                self.record_closed(session, ClosedObject::Producer(producer));
            }
        }
        let removed = self.producers.remove(&producer)?;
        let track = removed.track();
        for (consumer, receiver) in removed.consumers {
            self.consumers.remove(&consumer);
            if let Some(media) = self.by_session.get_mut(&receiver) {
                media.consumers.remove(&consumer);
                self.drop_empty(receiver);
                self.record_closed(receiver, ClosedObject::Consumer(consumer));
            }
        }
        Some(RemovedProducer {
            producer,
            track,
            room: removed.room,
            pipes: removed.pipes,
            score_timer: removed.scores.timer,
        })
    }

    /// Removes a consumer. Returns its owner.
    pub fn remove_consumer(&mut self, id: ConsumerId) -> Option<(SessionId, Consumer)> {
        let owner = self.consumers.remove(&id)?;
        let consumer = self.by_session.get_mut(&owner)?.consumers.remove(&id)?;
        self.drop_empty(owner);
        self.record_closed(owner, ClosedObject::Consumer(id));
        if let Some(producer) = self.producers.get_mut(&consumer.producer) {
            producer.consumers.remove(&id);
        }
        Some((owner, consumer))
    }

    /// Removes every record that names a session. Follows no index, so it also works on the
    /// inconsistent records that a panic left.
    pub fn purge(&mut self, session: SessionId) -> RemovedMedia {
        let media = self.by_session.remove(&session).unwrap_or_default();
        self.closed.remove(&session);
        self.transports.retain(|_, owner| *owner != session);
        self.consumers.retain(|_, owner| *owner != session);
        let mut producers = Vec::new();
        let mut orphans = BTreeSet::new();
        self.producers.retain(|&producer, it| {
            it.consumers.retain(|_, receiver| *receiver != session);
            if it.owner != session {
                return true;
            }
            orphans.extend(it.consumers.keys().copied());
            producers.push(RemovedProducer {
                producer,
                track: it.track(),
                room: Arc::clone(&it.room),
                pipes: std::mem::take(&mut it.pipes),
                score_timer: it.scores.timer,
            });
            false
        });
        for consumer in orphans {
            self.remove_consumer(consumer);
        }
        let transports = media.transports.iter();
        RemovedMedia {
            transports: transports.map(|(id, it)| (it.shard, *id)).collect(),
            producers,
        }
    }

    /// Returns the sessions whose media records contradict each other.
    pub fn inconsistent_sessions(&self) -> BTreeSet<SessionId> {
        let mut found = BTreeSet::new();
        for (&session, media) in &self.by_session {
            let owns = |owner: Option<&SessionId>| owner == Some(&session);
            let is_consistent = media
                .transports
                .keys()
                .all(|it| owns(self.transports.get(it)))
                && media
                    .producers
                    .values()
                    .all(|it| media.transports.contains_key(it))
                && media.announced.iter().all(|it| {
                    let owner = self.producers.get(it).map(|it| &it.owner);
                    media.producers.contains_key(it) && owns(owner)
                })
                && media.consumers.iter().all(|(id, it)| {
                    let producer = self.producers.get(&it.producer);
                    owns(self.consumers.get(id))
                        && media.transports.contains_key(&it.transport)
                        && producer.is_some_and(|it| owns(it.consumers.get(id)))
                });
            if !is_consistent {
                found.insert(session);
            }
        }
        let owners = self.transports.iter();
        let lost = owners.filter(|(id, owner)| {
            let media = self.by_session.get(owner);
            media.is_none_or(|it| !it.transports.contains_key(id))
        });
        found.extend(lost.map(|(_, owner)| *owner));
        let owners = self.consumers.iter();
        let lost = owners.filter(|(id, owner)| {
            let media = self.by_session.get(owner);
            media.is_none_or(|it| !it.consumers.contains_key(id))
        });
        found.extend(lost.map(|(_, owner)| *owner));
        let owners = self.producers.iter();
        let lost = owners.filter(|(id, it)| {
            let media = self.by_session.get(&it.owner);
            media.is_none_or(|media| !media.announced.contains(id))
        });
        found.extend(lost.map(|(_, it)| it.owner));
        found
    }

    /// Returns the sessions that own media.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.by_session.keys().copied()
    }
}
