//! Distributes the estimated bitrate of a transport among its video consumers, and applies the result:
//! consumers change their layer, are paused with a notice, and come back by themselves.

use watersmeet_wire::params::MediaKind;
use watersmeet_wire::rtcp::congestion_feedback::CongestionFeedback;
use watersmeet_wire::rtcp::twcc::TransportFeedback;
use watersmeet_wire::units::{Bitrate, Time};

use super::Worker;
use super::candidates::{goal, shares};
use crate::allocation::allocate;
use crate::consumer::layer_limit::LayerLimit;
use crate::consumer::queued_packet::QueuedPacket;
use crate::numbered_packets::ReportedPacket;
use crate::retransmissions_in_flight::Unrepaired;
use crate::slots::{ConsumerKey, ProducerKey, TransportKey};
use crate::timers::TimerKind;

/// Threshold of overload: bitrate being sent, in percent of the available bitrate, above which layers that
/// no longer fit stop at once.
const OVERLOAD_PERCENT: u64 = 125;

impl Worker {
    /// Handles transport-wide feedback of a peer.
    pub(super) fn accept_transport_feedback(
        &mut self,
        now: Time,
        key: TransportKey,
        feedback: &TransportFeedback<'_>,
    ) {
        let entry = self.transports.get(key);
        let bandwidth = entry.and_then(|entry| entry.outbound.bandwidth.as_ref());
        if bandwidth.is_some_and(|it| !it.ignores_transport_feedback()) {
            self.accept_arrivals(now, key, feedback.packets());
        }
    }

    /// Handles congestion control feedback of a peer.
    pub(super) fn accept_congestion_feedback(
        &mut self,
        now: Time,
        key: TransportKey,
        feedback: &CongestionFeedback<'_>,
    ) {
        let entry = self.transports.get_mut(key);
        let bandwidth = entry.and_then(|entry| entry.outbound.bandwidth.as_mut());
        let numbered = bandwidth.and_then(|it| it.numbered_packets.as_mut());
        if let Some(numbered) = numbered {
            let reported = numbered.resolve(feedback);
            self.accept_arrivals(now, key, reported.iter().copied());
        }
    }

    /// Handles what a peer reports about packets: transport-wide numbers in order, and arrivals.
    fn accept_arrivals(
        &mut self,
        now: Time,
        key: TransportKey,
        reported: impl Iterator<Item = ReportedPacket> + Clone,
    ) {
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        let outbound = &mut entry.outbound;
        let Some(bandwidth) = &mut outbound.bandwidth else {
            return;
        };
        bandwidth.estimator.record_feedback(now, reported.clone());
        let lost = bandwidth.retransmissions.take_lost(reported);
        let is_allocation_due = bandwidth.is_allocation_due(now);
        if outbound.has_more_to_send() {
            self.send_queue
                .enqueue_again(now, now, key, &mut outbound.queue_entry);
        }
        if is_allocation_due {
            self.allocate_bandwidth(now, key);
        } else {
            self.set_bandwidth_timer(now, key);
        }
        let belongs = |one: &Unrepaired, next: &Unrepaired| {
            one.packet.ssrc == next.packet.ssrc && one.is_certain == next.is_certain
        };
        for lost in lost.chunk_by(belongs) {
            if let Some(first) = lost.first() {
                let seqs = lost.iter().map(|it| it.packet.seq);
                self.resend(now, key, first.packet.ssrc, first.is_certain, seqs);
            }
        }
    }

    /// Handles the timer of a transport's bandwidth.
    pub(super) fn update_bandwidth(&mut self, now: Time, key: TransportKey) {
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        let outbound = &mut entry.outbound;
        let Some(bandwidth) = &mut outbound.bandwidth else {
            return;
        };
        if outbound.path.is_some() {
            bandwidth.estimator.handle_timeout(now);
            if outbound.has_more_to_send() {
                self.send_queue
                    .enqueue_again(now, now, key, &mut outbound.queue_entry);
            }
        }
        self.allocate_bandwidth(now, key);
    }

    /// Distributes a transport's bitrate anew, where there is an estimate of it.
    pub(super) fn allocate_bandwidth(&mut self, now: Time, key: TransportKey) {
        let Some(entry) = self.transports.get(key) else {
            return;
        };
        if !entry.transport.options().adapts_to_bandwidth {
            return;
        }
        let consumers = entry.outbound.consumers.clone();
        self.distribute_redundancy(now, key);
        let Some(entry) = self.transports.get(key) else {
            return;
        };
        let Some(available) = entry.outbound.available_bitrate(now) else {
            for consumer in consumers {
                self.limit_layers(now, consumer, LayerLimit::UNLIMITED);
            }
            self.record_allocation(now, key, Bitrate::ZERO, Bitrate::ZERO);
            return self.set_bandwidth_timer(now, key);
        };
        let mut keys = Vec::new();
        let mut sent = 0;
        let mut candidates = Vec::new();
        let mut reserved = 0;
        let terms = entry.outbound.terms();
        for consumer_key in consumers {
            let Some(consumer) = self.consumers.get(consumer_key) else {
                continue;
            };
            if consumer.kind == MediaKind::Audio {
                // Audio whose arrival is not reported is not part of what the estimate measures.
                if consumer.has_arrival_feedback() {
                    reserved += consumer.bitrate(now).as_bps();
                }
                continue;
            }
            sent += self.current_bitrate(now, consumer).as_bps();
            if let Some(candidate) = self.candidate(now, consumer, available, terms) {
                keys.push(consumer_key);
                candidates.push(candidate);
            }
        }
        let budget = Bitrate::from_bps(available.as_bps().saturating_sub(reserved));
        let allocation = allocate(budget, &candidates);
        let goal = goal(&candidates, &allocation, reserved);
        let shares = shares(budget, &candidates, &allocation, terms);
        let is_overloaded = (sent + reserved) * 100 > available.as_bps() * OVERLOAD_PERCENT;
        if !keys.is_empty()
            && let Some(entry) = self.transports.get_mut(key)
            && let Some(bandwidth) = &mut entry.outbound.bandwidth
        {
            bandwidth.begin(now);
        }
        for ((key, granted), share) in keys.into_iter().zip(allocation.granted).zip(shares) {
            if let Some(consumer) = self.consumers.get_mut(key) {
                consumer.share = share;
            }
            self.limit_layers(now, key, granted.into());
            if is_overloaded {
                self.stop_better_layer(now, key);
            }
            self.report_layers_reason(now, key);
        }
        let used = Bitrate::from_bps(allocation.used.as_bps() + reserved);
        self.record_allocation(now, key, used, Bitrate::from_bps(goal));
        self.request_deferred_keyframes(now, key);
        self.set_bandwidth_timer(now, key);
    }

    /// Returns whether keyframes for a transport's consumers are to be requested later, and remembers to.
    pub(super) fn defers_keyframes(&mut self, now: Time, key: TransportKey) -> bool {
        let entry = self.transports.get_mut(key);
        let bandwidth = entry.and_then(|entry| entry.outbound.bandwidth.as_mut());
        bandwidth.is_some_and(|it| it.defers_keyframes(now))
    }

    /// Requests the keyframes that were deferred, once they can be sent.
    fn request_deferred_keyframes(&mut self, now: Time, key: TransportKey) {
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        let bandwidth = entry.outbound.bandwidth.as_mut();
        if !bandwidth.is_some_and(|it| it.take_deferred_keyframes(now)) {
            return;
        }
        for consumer in entry.outbound.consumers.clone() {
            self.request_awaited_keyframe(now, consumer);
        }
    }

    /// Distributes the bitrates of all transports that consume a producer, whose layers have changed.
    pub(super) fn allocate_for_consumers_of(&mut self, now: Time, key: ProducerKey) {
        for consumer in self.consumers_of(key).to_vec() {
            let transport = self.consumers.get(consumer).map(|it| it.transport);
            if let Some(transport) = transport {
                self.allocate_bandwidth(now, transport);
            }
        }
    }

    /// Bounds the layers of a consumer, and reports when it is paused.
    fn limit_layers(&mut self, now: Time, key: ConsumerKey, limit: LayerLimit) {
        let Some(consumer) = self.consumers.get_mut(key) else {
            return;
        };
        let former = consumer.layers.limit();
        if former == limit || consumer.kind == MediaKind::Audio {
            return;
        }
        // A consumer that prefers a lower layer does not leave the higher one for lack of bandwidth.
        if consumer.share.is_less_than_wanted() || limit.step() > former.step() {
            consumer.rise.record_change(now, former, limit);
        }
        consumer.layers.set_limit(limit);
        if limit != LayerLimit::Paused {
            return self.request_awaited_keyframe(now, key);
        }
        let transport = consumer.transport;
        self.withdraw_packets(transport, key);
        self.report_layers(now, key);
    }

    /// Stops sending a layer above the bound of a consumer, instead of waiting for a keyframe of a lower
    /// one.
    fn stop_better_layer(&mut self, now: Time, key: ConsumerKey) {
        let Some(consumer) = self.consumers.get(key) else {
            return;
        };
        // A layer that needs no keyframe is left with the next picture anyhow.
        let is_above = consumer.layers.current() > consumer.layers.target();
        if is_above && consumer.awaited_keyframe().is_some() {
            self.restart_video(now, key);
        }
    }

    /// Drops the packets of a consumer that wait to be sent. It continues with a keyframe.
    pub(super) fn restart_video(&mut self, now: Time, key: ConsumerKey) {
        let Some(consumer) = self.consumers.get_mut(key) else {
            return;
        };
        consumer.layers.restart();
        let transport = consumer.transport;
        self.withdraw_packets(transport, key);
        self.request_awaited_keyframe(now, key);
    }

    /// Takes back the packets of a consumer that wait to be sent.
    pub(super) fn withdraw_packets(&mut self, transport: TransportKey, key: ConsumerKey) {
        self.withdraw_packets_if(transport, |packet| packet.consumer == key);
    }

    /// Takes back those of the packets that wait to be sent for which `is_withdrawn` holds.
    pub(super) fn withdraw_packets_if(
        &mut self,
        transport: TransportKey,
        is_withdrawn: impl Fn(&QueuedPacket) -> bool,
    ) {
        let Some(entry) = self.transports.get_mut(transport) else {
            return;
        };
        let unsent = entry.outbound.unsent().iter();
        for packet in unsent.filter(|it| is_withdrawn(it)) {
            if let Some(consumer) = self.consumers.get_mut(packet.consumer) {
                consumer.forget_sent(packet);
            }
        }
        entry.outbound.remove_packets_if(is_withdrawn);
    }

    /// Records what is used of a transport's bandwidth, and what would be of use.
    fn record_allocation(&mut self, now: Time, key: TransportKey, used: Bitrate, goal: Bitrate) {
        let entry = self.transports.get_mut(key);
        if let Some(bandwidth) = entry.and_then(|entry| entry.outbound.bandwidth.as_mut()) {
            bandwidth.estimator.set_goal(goal);
            bandwidth.record_allocation(now, used);
        }
    }

    /// Sets the timer of a transport's bandwidth.
    fn set_bandwidth_timer(&mut self, now: Time, key: TransportKey) {
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        if entry.outbound.path.is_none() {
            return;
        }
        if let Some(bandwidth) = &mut entry.outbound.bandwidth {
            let due = bandwidth.poll_timeout(now);
            self.timers
                .set(&mut bandwidth.deadline, due, TimerKind::Bandwidth(key));
        }
    }
}
