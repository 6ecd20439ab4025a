//! Producers that cross between shards. The worker that a peer sends to hands each packet once to
//! every shard where it is wanted; a worker there takes it in as if it had just been accepted, and
//! its own consumers are sent it from its own history. Wishes for keyframes cross back, losses
//! never do: what a peer misses is sent again from where it was sent, and what the publisher's path
//! lost is asked for again where it arrives.
//!
//! What is wanted where is told by the shard that wants it, as long as somebody there consumes it,
//! and again every second: what a full queue loses is made good by the next word.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use watersmeet_wire::params::{MediaKind, RtpParameters};
use watersmeet_wire::units::Time;

use super::control::bad;
use super::{PIPES_PER_ROUTER_MAX, SHARD_MESSAGES_MAX, Worker, WorkerTotals};
use crate::command::{Event, ProducerId, Refusal, Reply, RouterId};
use crate::packet::Arrival;
use crate::producer::{Origin, Producer};
use crate::shard_message::{ShardMessage, SharedPacket};
use crate::slots::{ConsumerKey, ProducerKey};
use crate::timers::TimerKind;

/// How often a shard says again what it wants.
const INTERVAL: Duration = Duration::from_secs(1);

/// A producer as its own shard tells it to another.
pub(super) struct PipeRequest {
    /// The router it is consumed in.
    pub router: RouterId,
    /// Its id.
    pub producer: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// What can be consumed of it.
    pub consumable: RtpParameters,
    /// Whether it is paused.
    pub paused: bool,
    /// Where it comes from.
    pub origin: u8,
}

impl Worker {
    /// Takes what the worker of another shard had for this one.
    pub fn handle_shard_message(&mut self, now: Time, from: u8, message: ShardMessage) {
        match message {
            ShardMessage::Media(packet) => self.accept_shard_packet(now, from, &packet),
            ShardMessage::State {
                producer,
                paused,
                active,
            } => {
                if let Some(key) = self.piped(from, producer) {
                    self.contain_pipe(key, |worker| {
                        worker.apply_producer_state(now, key, paused, active)
                    });
                }
            }
            ShardMessage::Closed { producer } => {
                if let Some(key) = self.piped(from, producer) {
                    self.close_pipe(key);
                }
            }
            ShardMessage::Subscribe { producer, awaited } => {
                self.handle_subscription(now, from, producer, awaited);
            }
            ShardMessage::Unsubscribe { producer } => {
                let key = self.producer_keys.get(&producer);
                let producer = key.and_then(|key| self.producers.get_mut(*key));
                if let Some(producer) = producer {
                    producer.pipes.retain(|shard| *shard != from);
                }
            }
            ShardMessage::Keyframe { producer, stream } => {
                let Some(&key) = self.producer_keys.get(&producer) else {
                    return;
                };
                if let Some(producer) = self.producers.get_mut(key) {
                    producer.request_keyframe(stream);
                }
                self.send_keyframe_requests(now, key);
            }
        }
    }

    /// What there is for other shards, until there is nothing, with the shard it is for.
    pub fn poll_shard_message(&mut self) -> Option<(u8, ShardMessage)> {
        self.shard_messages.pop_front()
    }

    /// Makes a producer of another shard known in a router.
    pub(super) fn accept_pipe(&mut self, request: PipeRequest) -> Result<Reply, Refusal> {
        let router_key = self.router_key(request.router)?;
        if self.producer_keys.contains_key(&request.producer) {
            return Err(Refusal::IdInUse);
        }
        if request.consumable.encodings.is_empty() || request.origin == self.shard {
            return Err(bad("a producer of another shard has encodings"));
        }
        let router = self
            .routers
            .get_mut(router_key)
            .ok_or(Refusal::RouterNotFound)?;
        if router.pipes.len() >= PIPES_PER_ROUTER_MAX {
            return Err(Refusal::LimitReached("producers of other shards"));
        }
        let mut producer = Producer::piped(
            request.producer,
            request.kind,
            request.consumable,
            router_key,
            request.origin,
        );
        producer.paused = request.paused;
        let key = self.producers.insert(producer);
        router.pipes.push(key);
        router.add_producer(key);
        self.producer_keys.insert(request.producer, key);
        Ok(Reply::Done)
    }

    /// Somebody has begun to consume a producer: if it comes from another shard, that is told.
    pub(super) fn subscribe_if_first_consumer(&mut self, now: Time, key: ProducerKey) {
        let is_first = self.listeners(key).len() == 1;
        if is_first {
            self.subscribe(now, key);
        }
    }

    /// Nobody consumes a producer any more, perhaps: if it comes from another shard, that is told.
    pub(super) fn unsubscribe_if_unused(&mut self, key: ProducerKey) {
        if !self.listeners(key).is_empty() {
            return;
        }
        let Some(pipe) = self.producers.get_mut(key) else {
            return;
        };
        if let Origin::Shard(origin) = pipe.origin {
            pipe.rest();
            let producer = pipe.id;
            self.cross(origin, ShardMessage::Unsubscribe { producer });
        }
    }

    /// Tells the shard a producer comes from that it is wanted, now and every second.
    pub(super) fn subscribe(&mut self, now: Time, key: ProducerKey) {
        let is_wanted = !self.listeners(key).is_empty();
        let Some(pipe) = self.producers.get_mut(key) else {
            return;
        };
        let Origin::Shard(origin) = pipe.origin else {
            return;
        };
        if !is_wanted {
            return;
        }
        let due = now + INTERVAL;
        self.timers
            .set(&mut pipe.pipe_deadline, due, TimerKind::Pipe(key));
        let (producer, awaited) = (pipe.id, pipe.awaited_keyframes());
        self.cross(origin, ShardMessage::Subscribe { producer, awaited });
    }

    /// Another shard wants a producer, or still wants it.
    fn handle_subscription(&mut self, now: Time, from: u8, producer: ProducerId, awaited: u8) {
        let key = self.producer_keys.get(&producer).copied();
        let found = key.and_then(|key| Some((key, self.producers.get_mut(key)?)));
        let Some((key, found)) = found.filter(|(_, it)| it.is_own()) else {
            return self.cross(from, ShardMessage::Closed { producer });
        };
        if !found.pipes.contains(&from) {
            found.pipes.push(from);
        }
        if !found.paused {
            found.remind_of_keyframes(awaited);
        }
        let state = found.state();
        self.cross(from, state);
        self.send_keyframe_requests(now, key);
    }

    /// Hands a packet to every shard that wants it.
    #[inline]
    pub(super) fn forward_to_shards(&mut self, key: ProducerKey, arrival: &Arrival) {
        let Some(producer) = self.producers.get(key) else {
            return;
        };
        if producer.pipes.is_empty() {
            return;
        }
        let packet = self
            .pool
            .share(producer.id, *arrival, producer.stored(arrival));
        for &shard in &producer.pipes {
            let message = ShardMessage::Media(Arc::clone(&packet));
            let is_taken = put(&mut self.shard_messages, &mut self.retired, shard, message);
            self.retired.shard_packets_sent += u64::from(is_taken);
        }
    }

    /// Tells every shard that wants a producer how it stands.
    pub(super) fn send_producer_state(&mut self, key: ProducerKey) {
        let Some(producer) = self.producers.get(key) else {
            return;
        };
        let state = producer.state();
        for shard in producer.pipes.clone() {
            self.cross(shard, state.clone());
        }
    }

    /// Tells another shard something.
    pub(super) fn cross(&mut self, shard: u8, message: ShardMessage) {
        put(&mut self.shard_messages, &mut self.retired, shard, message);
    }

    /// Takes in a packet that another shard hands over.
    fn accept_shard_packet(&mut self, now: Time, from: u8, packet: &SharedPacket) {
        let key = self.piped(from, packet.producer);
        let Some(key) = key.filter(|key| !self.listeners(*key).is_empty()) else {
            self.retired.shard_packets_unwanted += 1;
            // It was told so already, unless that was lost.
            let producer = packet.producer;
            return self.cross(from, ShardMessage::Unsubscribe { producer });
        };
        self.retired.shard_packets_received += 1;
        self.contain_pipe(key, |worker| {
            if let Some(producer) = worker.producers.get_mut(key) {
                producer.keep(now, packet);
            }
            worker.fan_out(now, key, &packet.arrival);
        });
    }

    /// Takes over how a producer of another shard stands.
    fn apply_producer_state(&mut self, now: Time, key: ProducerKey, paused: bool, active: u8) {
        let Some(producer) = self.producers.get_mut(key) else {
            return;
        };
        let is_news = producer.activity.set_active(active);
        self.update_paused(now, key, paused);
        if is_news {
            self.notify_active_streams(now, key);
        }
    }

    /// The place of a producer that this shard hands over.
    fn piped(&self, from: u8, producer: ProducerId) -> Option<ProducerKey> {
        let key = *self.producer_keys.get(&producer)?;
        let found = self.producers.get(key)?;
        (found.origin == Origin::Shard(from)).then_some(key)
    }

    /// Everybody here who consumes a producer.
    pub(super) fn listeners(&self, key: ProducerKey) -> &[ConsumerKey] {
        let producer = self.producers.get(key);
        let router = producer.and_then(|it| self.routers.get(it.router));
        router.map_or(&[], |router| router.consumers_of(key))
    }

    /// Closes a producer of another shard that was not commanded to close.
    fn close_pipe(&mut self, key: ProducerKey) {
        let Some(producer) = self.producers.get(key).map(|it| it.id) else {
            return;
        };
        self.close_producer(key, false);
        self.report_event(Event::PipedProducerClosed { producer });
    }

    /// Runs something on behalf of a producer of another shard. If its code fails, that producer is
    /// closed here and nothing else is touched.
    pub(super) fn contain_pipe(&mut self, key: ProducerKey, run: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| run(&mut *self))).is_err() {
            tracing::error!(producer = %key, "a fault in a producer of another shard");
            self.close_pipe(key);
        }
    }
}

/// Puts something with what waits for other shards, or counts it as dropped. Says whether there was
/// room.
fn put(
    shard_messages: &mut VecDeque<(u8, ShardMessage)>,
    totals: &mut WorkerTotals,
    shard: u8,
    message: ShardMessage,
) -> bool {
    if shard_messages.len() >= SHARD_MESSAGES_MAX {
        totals.shard_messages_dropped += 1;
        return false;
    }
    shard_messages.push_back((shard, message));
    true
}
