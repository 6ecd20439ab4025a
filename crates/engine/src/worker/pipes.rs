//! Producers that are piped between shards. The worker that a peer sends to forwards each packet
//! once to every shard that consumes it; the worker there treats it as if it had just accepted it
//! and serves its own consumers from its own packet cache. Keyframe requests travel back, losses do
//! not: a consumer's loss is repaired by its own shard, a publisher's by the shard it sends to.
//!
//! A shard subscribes to a producer while it has consumers of it, and repeats the subscription every
//! second: that repairs what a full queue has dropped.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use watersmeet_wire::params::{MediaKind, RtpParameters};
use watersmeet_wire::units::Time;

use super::metrics::WorkerTotals;
use super::{PIPES_PER_ROUTER_MAX, SHARD_MESSAGES_MAX, Worker};
use crate::command::{Event, Refusal, Reply};
use crate::ids::{ProducerId, RouterId};
use crate::packet::Arrival;
use crate::producer::activity::bit;
use crate::producer::{Origin, PipeSubscription, Producer};
use crate::shard_message::{ShardMessage, SharedPacket, VoiceState};
use crate::slots::{ConsumerKey, ProducerKey};
use crate::timers::TimerKind;

/// Interval at which subscriptions are repeated.
const SUBSCRIPTION_INTERVAL: Duration = Duration::from_secs(1);

/// Fields of [`crate::command::Command::CreatePipedProducer`].
pub(super) struct PipeRequest {
    pub router: RouterId,
    pub producer: ProducerId,
    pub kind: MediaKind,
    pub consumable: RtpParameters,
    pub paused: bool,
    pub is_screen: bool,
    pub origin: u8,
}

impl Worker {
    /// Handles a message from the worker of shard `from`.
    pub fn handle_shard_message(&mut self, now: Time, from: u8, message: ShardMessage) {
        match message {
            ShardMessage::Media(packet) => self.accept_shard_packet(now, from, &packet),
            ShardMessage::State {
                producer,
                paused,
                active,
                started,
            } => {
                if let Some(key) = self.piped_producer(from, producer) {
                    self.contain_pipe_fault(now, key, |worker| {
                        worker.apply_producer_state(now, key, paused, (active, started));
                    });
                }
            }
            ShardMessage::Closed { producer } => {
                if let Some(key) = self.piped_producer(from, producer) {
                    self.close_pipe(now, key);
                }
            }
            ShardMessage::Subscribe {
                producer,
                awaited,
                want,
            } => {
                let shard = from;
                let subscription = PipeSubscription {
                    shard,
                    awaited,
                    want,
                };
                self.handle_subscription(now, producer, subscription);
            }
            ShardMessage::Unsubscribe { producer } => {
                let key = self.producer_keys.get(&producer);
                let producer = key.and_then(|key| self.producers.get_mut(*key));
                if let Some(producer) = producer {
                    producer.pipes.retain(|pipe| pipe.shard != from);
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

    /// Returns the next message for another shard, with its destination; `None` when all were sent.
    pub fn poll_shard_message(&mut self) -> Option<(u8, ShardMessage)> {
        self.shard_messages.pop_front()
    }

    /// Creates a producer that is piped from another shard.
    pub(super) fn create_piped_producer(&mut self, request: PipeRequest) -> Result<Reply, Refusal> {
        let router_key = self.router_key(request.router)?;
        if self.producer_keys.contains_key(&request.producer) {
            return Err(Refusal::IdInUse);
        }
        if request.consumable.encodings.is_empty() || request.origin == self.shard {
            return Err(Refusal::bad_parameters(
                "a producer of another shard has encodings",
            ));
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
        if request.is_screen {
            producer.mark_as_screen();
        }
        let key = self.producers.insert(producer);
        router.pipes.push(key);
        router.add_producer(key);
        self.producer_keys.insert(request.producer, key);
        Ok(Reply::Done)
    }

    /// Subscribes to a piped producer that has just got its first consumer.
    pub(super) fn subscribe_if_first_consumer(&mut self, now: Time, key: ProducerKey) {
        if self.consumers_of(key).len() == 1 {
            self.subscribe(now, key);
        }
    }

    /// Unsubscribes from a piped producer that has no consumers left.
    pub(super) fn unsubscribe_if_unused(&mut self, key: ProducerKey) {
        if !self.consumers_of(key).is_empty() {
            return;
        }
        let Some(pipe) = self.producers.get_mut(key) else {
            return;
        };
        if let Origin::Shard(origin) = pipe.origin {
            pipe.reset_state();
            let producer = pipe.id;
            self.send_to_shard(origin, ShardMessage::Unsubscribe { producer });
        }
    }

    /// Subscribes to a piped producer, now and every second while it has consumers.
    pub(super) fn subscribe(&mut self, now: Time, key: ProducerKey) {
        let is_consumed = !self.consumers_of(key).is_empty();
        let Some(pipe) = self.producers.get_mut(key) else {
            return;
        };
        let Origin::Shard(origin) = pipe.origin else {
            return;
        };
        if !is_consumed {
            return;
        }
        let due = now + SUBSCRIPTION_INTERVAL;
        self.timers
            .set(&mut pipe.pipe_deadline, due, TimerKind::Pipe(key));
        let producer = pipe.id;
        let awaited = self.awaited_keyframes(now, key);
        let want = self.want_here(now, key);
        if let Some(pipe) = self.producers.get_mut(key) {
            pipe.record_told(now, want);
        }
        let message = ShardMessage::Subscribe {
            producer,
            awaited,
            want,
        };
        self.send_to_shard(origin, message);
    }

    /// Returns the streams whose keyframe was requested and is still wanted, as a bit set.
    fn awaited_keyframes(&self, now: Time, key: ProducerKey) -> u8 {
        let producer = self.producers.get(key);
        let awaited = producer.map_or(0, Producer::awaited_keyframes);
        let is_kept =
            |stream: &u8| awaited & bit(*stream) != 0 && self.is_keyframe_wanted(now, key, *stream);
        (0..8)
            .filter(is_kept)
            .fold(0, |bits, stream| bits | bit(stream))
    }

    /// Handles a new or repeated subscription of another shard.
    fn handle_subscription(
        &mut self,
        now: Time,
        producer: ProducerId,
        subscription: PipeSubscription,
    ) {
        let (from, awaited) = (subscription.shard, subscription.awaited);
        let key = self.producer_keys.get(&producer).copied();
        let found = key.and_then(|key| Some((key, self.producers.get_mut(key)?)));
        let Some((key, found)) = found.filter(|(_, it)| it.is_local()) else {
            return self.send_to_shard(from, ShardMessage::Closed { producer });
        };
        found.record_subscription(subscription);
        let is_raised = subscription.want.layer > found.told_layer();
        if !found.paused {
            found.renew_keyframe_requests(awaited);
        }
        let state = found.state(None);
        self.send_to_shard(from, state);
        if is_raised {
            self.update_demand(now, key);
        }
        self.send_keyframe_requests(now, key);
    }

    /// Sends a packet to every shard that has subscribed to its producer.
    #[inline]
    pub(super) fn forward_to_shards(
        &mut self,
        key: ProducerKey,
        arrival: &Arrival,
        voice: VoiceState,
    ) {
        let Some(producer) = self.producers.get(key) else {
            return;
        };
        if producer.pipes.is_empty() {
            return;
        }
        let packet = self
            .pool
            .share(producer.id, *arrival, voice, producer.cached(arrival));
        for &PipeSubscription { shard, .. } in &producer.pipes {
            let message = ShardMessage::Media(Arc::clone(&packet));
            let messages = &mut self.shard_messages;
            let is_queued = enqueue(messages, &mut self.closed_totals, shard, message);
            self.closed_totals.shard_packets_sent += u64::from(is_queued);
        }
    }

    /// Sends a producer's state to every shard that has subscribed to it.
    pub(super) fn send_producer_state(&mut self, key: ProducerKey, started: Option<u8>) {
        let Some(producer) = self.producers.get(key) else {
            return;
        };
        let state = producer.state(started);
        for pipe in producer.pipes.clone() {
            self.send_to_shard(pipe.shard, state.clone());
        }
    }

    /// Queues a message to another shard.
    pub(super) fn send_to_shard(&mut self, shard: u8, message: ShardMessage) {
        enqueue(
            &mut self.shard_messages,
            &mut self.closed_totals,
            shard,
            message,
        );
    }

    /// Accepts a packet that another shard forwards.
    fn accept_shard_packet(&mut self, now: Time, from: u8, packet: &SharedPacket) {
        let key = self.piped_producer(from, packet.producer);
        let Some(key) = key.filter(|key| !self.consumers_of(*key).is_empty()) else {
            self.closed_totals.shard_packets_unwanted += 1;
            // This repeats the unsubscription, which may have been dropped.
            let producer = packet.producer;
            return self.send_to_shard(from, ShardMessage::Unsubscribe { producer });
        };
        self.closed_totals.shard_packets_received += 1;
        self.contain_pipe_fault(now, key, |worker| {
            if let Some(producer) = worker.producers.get_mut(key) {
                producer.cache(now, packet);
            }
            let choice = worker.choose_piped_voice(now, key, packet);
            worker.fan_out_voice(now, key, &packet.arrival, choice);
        });
    }

    /// Applies the state that a piped producer's own shard reports.
    fn apply_producer_state(
        &mut self,
        now: Time,
        key: ProducerKey,
        paused: bool,
        (active, started): (u8, Option<u8>),
    ) {
        let Some(producer) = self.producers.get_mut(key) else {
            return;
        };
        let is_changed = producer.activity.set_active(active);
        self.update_paused(now, key, paused);
        if is_changed {
            self.notify_active_streams(now, key, started);
        }
    }

    /// Returns the key of a producer that is piped from this shard.
    fn piped_producer(&self, from: u8, producer: ProducerId) -> Option<ProducerKey> {
        let key = *self.producer_keys.get(&producer)?;
        let found = self.producers.get(key)?;
        (found.origin == Origin::Shard(from)).then_some(key)
    }

    /// Returns the consumers of a producer on this worker.
    pub(super) fn consumers_of(&self, key: ProducerKey) -> &[ConsumerKey] {
        let producer = self.producers.get(key);
        let router = producer.and_then(|it| self.routers.get(it.router));
        router.map_or(&[], |router| router.consumers_of(key))
    }

    /// Closes a piped producer and reports it, because no command asked for it.
    fn close_pipe(&mut self, now: Time, key: ProducerKey) {
        let Some(producer) = self.producers.get(key).map(|it| it.id) else {
            return;
        };
        self.close_producer(now, key, false);
        self.report_event(Event::PipedProducerClosed { producer });
    }

    /// Runs `work` for a piped producer. A panic in it closes that producer here and nothing else.
    pub(super) fn contain_pipe_fault(
        &mut self,
        now: Time,
        key: ProducerKey,
        work: impl FnOnce(&mut Self),
    ) {
        if catch_unwind(AssertUnwindSafe(|| work(&mut *self))).is_err() {
            tracing::error!(producer = %key, "piped producer closed: its code panicked");
            self.close_pipe(now, key);
        }
    }
}

/// Appends a message to the queue, or counts it as dropped when the queue is full. Returns whether it
/// was appended.
fn enqueue(
    messages: &mut VecDeque<(u8, ShardMessage)>,
    totals: &mut WorkerTotals,
    shard: u8,
    message: ShardMessage,
) -> bool {
    if messages.len() >= SHARD_MESSAGES_MAX {
        totals.shard_messages_dropped += 1;
        return false;
    }
    messages.push_back((shard, message));
    true
}
