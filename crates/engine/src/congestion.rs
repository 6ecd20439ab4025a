//! Congestion control of one transport: how much its path carries, found from transport-wide feedback
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01) or what was made of other feedback
//! ([`crate::numbered_packets`]), and when packets may be sent.
//!
//! One file per idea: [`sent_ledger`] knows what was sent, [`acknowledged_rate`] what arrives,
//! [`delay_trend`] and [`queueing_delay`] whether a queue grows or stands, [`loss_limit`] what loss
//! means, [`episode`] what lower rates achieve, [`probe`] looks for more, [`pacer`] spreads packets.
//! [`BandwidthEstimator`] decides.
//!
//! Only feedback about packets that were sent counts, and a rate is never taken to be higher than that
//! at which packets were sent, so that a peer that lies harms only itself.

mod acknowledged_rate;
mod busy_rate;
mod competition;
mod delay_trend;
mod episode;
mod loss_limit;
mod pacer;
mod probe;
mod queueing_delay;
mod sending;
mod sent_ledger;
#[cfg(test)]
mod tests;

use std::time::Duration;

use watersmeet_wire::rtcp::twcc::WRAP_MICROS;
use watersmeet_wire::units::{Bitrate, Time};

use self::acknowledged_rate::AcknowledgedRate;
use self::busy_rate::BusyRate;
use self::competition::{Competition, Ending};
use self::delay_trend::{DelayTrend, Trend};
use self::episode::Episode;
use self::loss_limit::{LossLimit, Verdict};
use self::pacer::Pacer;
use self::probe::{ProbeResult, Prober};
use self::queueing_delay::QueueingDelay;
use self::sent_ledger::{Outcome, SentLedger, SentPacket};
use crate::rate::RateWindow;

pub use self::sent_ledger::PACKETS_MAX;

/// Bounds of the estimate.
const FLOOR: Bitrate = Bitrate::from_kbps(30);
const CEILING: Bitrate = Bitrate::from_kbps(100_000);

/// Time without any feedback after which the peer is taken to send none.
const UNRESPONSIVE_AFTER: Duration = Duration::from_millis(1_500);

/// Time between feedback from which on the path was interrupted.
const INTERRUPTION: Duration = Duration::from_millis(900);

/// Queueing delay that calls for a lower rate by itself, and that confirms a growing delay.
const QUEUE_MAX: Duration = Duration::from_millis(50);
const QUEUE_CONFIRMED: Duration = Duration::from_millis(20);

/// Queueing delay that calls for it soon, besides four times the variation of the delay.
const QUEUE_LONG: Duration = Duration::from_millis(80);

/// Upper bound of what variation of the delay adds to these.
const VARIATION_MAX: Duration = Duration::from_millis(60);

/// Share of what arrives that is the estimate after congestion: of the rate while a queue stood, which
/// is what the path carries, and where that is unknown of all that arrived lately.
const BUSY_PERCENT: u64 = 95;
const ARRIVED_PERCENT: u64 = 85;

/// Time after competing traffic was there in which it is sooner recognised again.
const COMPETITION_EXPECTED_FOR: Duration = Duration::from_secs(15);

/// Bitrate that is tried beside competing traffic though less has arrived so far.
const SHOWN_MIN: Bitrate = Bitrate::from_kbps(400);

/// Bitrate below which delay does not push the estimate while competing traffic is expected to return: about
/// that of a small picture.
const HELD_MIN: Bitrate = Bitrate::from_kbps(280);

/// Length of a large packet in bytes.
const LARGE_PACKET: usize = 1_200;

/// Lowest bitrate of a bottleneck that accounts for the delay of a single packet.
const TRANSMISSION_RATE_MIN: Bitrate = Bitrate::from_kbps(150);

/// Longest time between two updates that counts.
const UPDATE_MAX: Duration = Duration::from_millis(200);

/// Growth per second, in percent, and at least.
const GROWTH_PERCENT: u64 = 8;
const GROWTH_MIN: Bitrate = Bitrate::from_kbps(40);

/// Time after congestion for which bursts are spread wider.
const CAREFUL_FOR: Duration = Duration::from_secs(30);

/// Time without sending after which the state of the path is unknown.
const IDLE_AFTER: Duration = Duration::from_millis(400);

/// Time after the round trip of a probe for which its own queue shows.
const PROBE_ECHO: Duration = Duration::from_millis(150);

/// Pauses of probing after congestion, usually and while the estimate is small: there may be no picture.
const PROBE_PAUSE: Duration = Duration::from_millis(1_500);
const PROBE_PAUSE_SMALL: Duration = Duration::from_millis(700);

/// Bandwidth estimate of a transport, and the times at which it may send.
#[derive(Debug)]
pub struct BandwidthEstimator {
    ledger: SentLedger,
    acknowledged: AcknowledgedRate,
    busy: BusyRate,
    trend: DelayTrend,
    queue: QueueingDelay,
    loss: LossLimit,
    prober: Prober,
    pacer: Pacer,
    estimate: Bitrate,
    round_trip: Duration,
    first_sent: Option<Time>,
    last_sent: Time,
    last_feedback: Option<Time>,
    /// Time at which the first packet since the latest feedback was sent.
    awaiting_since: Option<Time>,
    /// Latest arrival in microseconds of the peer's clock, which does not wrap here.
    last_arrival: Option<i64>,
    newest_acknowledged: Time,
    updated: Time,
    congestion: Option<Episode>,
    /// Competition for the bottleneck, while there is.
    competition: Option<Competition>,
    /// Time until which another one is expected.
    competition_expected_until: Time,
    /// Acknowledged bitrate at the latest congestion; above it the estimate grows only by probing.
    capacity: Option<Bitrate>,
    /// Whether packets are sent evenly, because they wait for long.
    is_even: bool,
    /// Audio packets whose arrival is not reported.
    unreported_sent: RateWindow,
    /// Their bitrate at the latest feedback.
    unreported: Bitrate,
}

impl BandwidthEstimator {
    /// Creates an estimator that begins at `start`.
    pub fn new(start: Bitrate) -> Self {
        Self {
            ledger: SentLedger::default(),
            acknowledged: AcknowledgedRate::default(),
            busy: BusyRate::default(),
            trend: DelayTrend::default(),
            queue: QueueingDelay::default(),
            loss: LossLimit::default(),
            prober: Prober::default(),
            pacer: Pacer::default(),
            estimate: start.clamp(FLOOR, CEILING),
            round_trip: Duration::from_millis(100),
            first_sent: None,
            last_sent: Time::ZERO,
            last_feedback: None,
            awaiting_since: None,
            last_arrival: None,
            newest_acknowledged: Time::ZERO,
            updated: Time::ZERO,
            congestion: None,
            competition: None,
            competition_expected_until: Time::ZERO,
            capacity: None,
            is_even: false,
            unreported_sent: RateWindow::default(),
            unreported: Bitrate::ZERO,
        }
    }

    /// Returns the estimated bitrate; `None` when the peer sends no feedback.
    pub fn estimate(&self, now: Time) -> Option<Bitrate> {
        let is_new = |first| now.since(first) < UNRESPONSIVE_AFTER;
        let is_responsive = self.last_feedback.is_some() || self.first_sent.is_none_or(is_new);
        is_responsive.then_some(self.estimate)
    }

    /// Returns whether nothing has shown yet that the path carries no more than the estimate.
    pub const fn is_guess(&self) -> bool {
        self.congestion.is_none() && self.capacity.is_none()
    }

    /// Returns the share of packets that the path loses at any rate, in thousandths.
    pub const fn inherent_loss(&self) -> u64 {
        self.loss.inherent()
    }

    /// Sets the bitrate that would be of use; the path is probed for it while the estimate is lower.
    pub fn set_goal(&mut self, goal: Bitrate) {
        self.prober.set_goal(goal.min(CEILING));
    }

    /// Returns whether no probe has had a result yet.
    pub const fn awaits_first_probe(&self) -> bool {
        self.prober.awaits_first()
    }

    /// Returns whether packets are on the way, and feedback has not come for longer than it should.
    pub fn is_interrupted(&self, now: Time) -> bool {
        let limit = INTERRUPTION + self.round_trip;
        self.last_feedback.is_some()
            && self
                .awaiting_since
                .is_some_and(|since| now.since(since) > limit)
    }

    /// Returns whether padding should be sent for a probe as soon as pacing allows.
    pub fn wants_padding(&self) -> bool {
        self.prober.sending().is_some()
    }

    /// Returns when [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Time {
        let probe = self.prober.poll_timeout(self.estimate);
        let limit = INTERRUPTION + self.round_trip;
        let awaiting = self.last_feedback.and(self.awaiting_since);
        let interrupted = awaiting.map(|since| since + limit);
        interrupted.map_or(probe, |at| {
            probe.min(at.max(self.last_sent + self.trickle_interval()))
        })
    }

    /// Starts or gives up a probe where that is due.
    pub fn handle_timeout(&mut self, now: Time) {
        self.prober.abandon_if_late(now);
        if self.is_interrupted(now) && now.since(self.last_sent) >= self.trickle_interval() {
            self.prober.ping(now, self.estimate);
            return;
        }
        // Where nothing is sent, only a probe shows whether what was the case still is.
        let is_idle = now.since(self.last_sent) > IDLE_AFTER;
        if !is_idle && (self.is_interrupted(now) || self.is_queue_standing()) {
            self.prober.pause(now, PROBE_PAUSE);
            return;
        }
        let variation = self.queue.variation();
        self.prober.start_if_due(now, self.estimate, variation);
    }

    /// Forgets what is on the way and how long it takes: the path is another one.
    pub fn path_changed(&mut self) {
        self.ledger.abandon();
        self.queue.restart();
        self.trend.restart();
        self.loss.restart();
        self.acknowledged.restart();
        self.busy.restart();
    }

    /// Handles feedback of the peer: for packets in order, the transport-wide number, and the arrival in
    /// microseconds of the peer's clock, which may wrap, or `None` when it did not arrive.
    pub fn record_feedback(
        &mut self,
        now: Time,
        feedback: impl Iterator<Item = (u16, Option<i64>)> + Clone,
    ) {
        self.unreported = self.unreported_sent.bitrate(now);
        let was_interrupted = self.is_interrupted(now);
        let mut acknowledged = None;
        let mut unreported = self.unreported(feedback.clone());
        for (seq, arrival) in feedback {
            let arrival = arrival.map(|arrival| self.unwrap(arrival));
            match self.ledger.resolve(seq, arrival.is_some()) {
                None => {}
                Some(Outcome::Lost(packet)) => {
                    self.loss.record_loss(&packet);
                    self.count_in_competition(true);
                }
                Some(Outcome::Arrived(packet)) => {
                    self.count_in_competition(false);
                    self.loss.record_arrival(&packet);
                    let unreported = std::mem::take(&mut unreported);
                    self.record_arrival(&packet, arrival.unwrap_or_default(), unreported);
                    acknowledged = acknowledged.max(Some(packet.at));
                }
                Some(Outcome::ArrivedLate(packet)) => {
                    self.loss.record_late_arrival(&packet);
                    self.record_arrival(&packet, arrival.unwrap_or_default(), 0);
                }
            }
        }
        let Some(newest) = acknowledged else {
            return;
        };
        self.newest_acknowledged = self.newest_acknowledged.max(newest);
        self.record_round_trip(now.since(newest));
        self.last_feedback = Some(now);
        self.awaiting_since = None;
        if was_interrupted {
            self.resume(now);
        }
        self.update(now);
        self.handle_timeout(now);
    }

    /// Returns the bytes that arrived, most likely, of those whose feedback was lost before this one: the same
    /// share as of what this one covers.
    fn unreported(&mut self, feedback: impl Iterator<Item = (u16, Option<i64>)> + Clone) -> u64 {
        let skipped = self.ledger.cover(feedback.clone().map(|(seq, _)| seq));
        if skipped == 0 {
            return 0;
        }
        let (mut arrived, mut covered) = (0_u64, 0_u64);
        for (_, arrival) in feedback {
            covered += 1;
            arrived += u64::from(arrival.is_some());
        }
        (skipped * arrived).checked_div(covered).unwrap_or(0)
    }

    /// Returns an arrival time that continues the former ones, though the peer's counter wraps.
    fn unwrap(&mut self, arrival: i64) -> i64 {
        let last = self.last_arrival.unwrap_or(arrival);
        let ahead = (arrival - last).rem_euclid(WRAP_MICROS);
        let difference = if ahead > WRAP_MICROS / 2 {
            ahead - WRAP_MICROS
        } else {
            ahead
        };
        let unwrapped = last.saturating_add(difference);
        self.last_arrival = Some(unwrapped);
        unwrapped
    }

    /// Records the arrival of a packet. `unreported` are the bytes before it whose feedback was lost: they
    /// count as arrived by then, or the path would seem to carry less.
    fn record_arrival(&mut self, packet: &SentPacket, arrival: i64, unreported: u64) {
        let sent = i64::try_from(packet.at.as_micros()).unwrap_or(i64::MAX);
        let bytes = u64::from(packet.len) + unreported;
        self.acknowledged.record(sent, arrival, bytes);
        self.trend.record(packet.at, arrival);
        let delay = arrival.saturating_sub(sent);
        self.queue.record(arrival, delay);
        let transmission = self.transmission_time(usize::from(packet.len)).as_micros();
        let transmission = i64::try_from(transmission).unwrap_or(i64::MAX);
        self.busy
            .record(arrival, delay.saturating_sub(transmission), bytes);
        if packet.probe != 0 {
            self.prober.record_arrival(packet, arrival);
        }
    }

    /// Returns how long the bottleneck takes for a packet of `len` bytes by itself: on slow paths as long as for a
    /// queue.
    fn transmission_time(&self, len: usize) -> Duration {
        let rate = self.estimate.as_bps() + self.unreported.as_bps();
        let rate = Bitrate::from_bps(rate).max(TRANSMISSION_RATE_MIN);
        rate.time_to_send(len).unwrap_or_default()
    }

    fn record_round_trip(&mut self, sample: Duration) {
        self.round_trip = (self.round_trip * 7 + sample.min(Duration::from_secs(2))) / 8;
    }

    /// Continues after an interruption: what was lost in it says nothing of the path's capacity.
    fn resume(&mut self, now: Time) {
        self.ledger.abandon();
        self.acknowledged.restart();
        self.busy.restart();
        self.trend.restart();
        self.loss.restart();
        self.prober.hurry(now);
    }

    /// Returns the queueing delay that calls for a lower rate by itself.
    fn queue_max(&self) -> Duration {
        QUEUE_MAX + self.packet_time() + self.queue.variation().min(VARIATION_MAX)
    }

    /// Returns how long the bottleneck takes for a large packet.
    fn packet_time(&self) -> Duration {
        self.transmission_time(LARGE_PACKET)
    }

    fn is_queue_standing(&self) -> bool {
        self.queue.get() > self.queue_max()
    }

    /// Returns the bitrate at which packets arrive.
    fn arrived(&self) -> Bitrate {
        self.acknowledged.get().unwrap_or(self.estimate)
    }

    /// Returns the bitrate of everything of this transport that goes through the path.
    fn through(&self) -> Bitrate {
        Bitrate::from_bps(self.arrived().as_bps() + self.unreported.as_bps())
    }

    /// Returns whether competing traffic was there so lately that it may be back.
    fn expects_competition(&self, now: Time) -> bool {
        now < self.competition_expected_until
    }

    fn count_in_competition(&mut self, is_lost: bool) {
        if let Some(competition) = &mut self.competition {
            competition.count(is_lost);
        }
    }

    fn update(&mut self, now: Time) {
        let since_update = now.since(self.updated);
        self.updated = now;
        if self.competition.is_some() {
            self.compete(now, since_update);
            return;
        }
        let through = self.through();
        if let Some(congestion) = &mut self.congestion {
            congestion.record_arrived(since_update.min(UPDATE_MAX), through);
        }
        if let Some(result) =
            self.prober
                .conclude(now, self.newest_acknowledged, self.loss.inherent())
        {
            self.apply_probe(now, result);
        }
        match self.loss.evaluate(now, self.estimate) {
            Some(Verdict::Reduce(lower)) => {
                self.capacity = Some(lower);
                self.set(self.estimate.min(lower));
                self.prober.pause(now, PROBE_PAUSE);
            }
            Some(Verdict::Probe(rate)) => self.prober.probe_for_loss(now, rate),
            Some(Verdict::Restore(former)) => self.set(self.estimate.max(former)),
            None => {}
        }
        let queue = self.queue.get();
        let confirmed =
            QUEUE_CONFIRMED + self.packet_time() + self.queue.variation().min(VARIATION_MAX) * 2;
        let confirmed = confirmed.min(self.queue_max());
        let is_growing = self.trend.get() == Trend::Growing && queue > confirmed;
        let latest = self.queue.latest();
        let is_long = latest > QUEUE_LONG + self.packet_time() + self.queue.variation() * 4;
        // A probe forms a queue of its own that soon is gone.
        let is_probed = now.since(self.prober.last_sent()) < self.round_trip + PROBE_ECHO;
        let is_queued = is_growing || queue > self.queue_max();
        if let Some(congestion) = &mut self.congestion {
            congestion.observe(latest);
        }
        if is_long || is_queued && !is_probed {
            self.loss.ignore_until(now);
            self.decrease(now, queue.max(latest));
        } else {
            if self.is_queue_left(now, queue) {
                self.begin_competition(now, queue);
                return;
            }
            if self.trend.get() != Trend::Falling && self.loss.allows_growth() {
                self.grow(since_update);
            }
        }
    }

    fn apply_probe(&mut self, now: Time, result: ProbeResult) {
        self.loss.record_probe(now, result);
        let percent = if result.is_carried { 100 } else { 90 };
        let found = Bitrate::from_bps(result.received.as_bps() * percent / 100);
        if !result.is_carried {
            self.capacity = Some(result.received);
        } else if self.capacity.is_some_and(|it| it < found) {
            self.capacity = None;
        }
        self.set(self.estimate.max(found));
    }

    /// Lowers the estimate because of a queue, at most once in a round-trip time.
    fn decrease(&mut self, now: Time, queue: Duration) {
        let interval = self.round_trip.min(Duration::from_secs(1)) + Duration::from_millis(100);
        let needs_decrease = |it: &mut Episode| it.needs_decrease(now, interval, queue);
        if !self.congestion.as_mut().is_none_or(needs_decrease) {
            return;
        }
        let former = self.congestion;
        let standing = former.filter(|former| former.is_queue_standing);
        let busy = self.busy.get(self.queue.base());
        let arrived = self.arrived();
        if standing.is_some_and(|former| self.is_filled_by_others(now, queue, &former)) {
            self.begin_competition(now, queue);
            return;
        }
        let (carried, percent) =
            busy.map_or((arrived, ARRIVED_PERCENT), |rate| (rate, BUSY_PERCENT));
        self.capacity = Some(carried);
        let others = self.unreported.as_bps();
        let total = Bitrate::from_bps(carried.as_bps() + others);
        let lower = (total.as_bps() * percent / 100).saturating_sub(others);
        let lower = Bitrate::from_bps(lower);
        let least = if self.expects_competition(now) {
            Bitrate::from_bps(self.estimate.as_bps() * BUSY_PERCENT / 100).max(HELD_MIN)
        } else {
            FLOOR
        };
        self.set(self.estimate.min(lower.max(least)));
        let pause = if self.estimate < probe::SMALL {
            PROBE_PAUSE_SMALL
        } else {
            PROBE_PAUSE
        };
        self.prober.pause(now, pause);
        match &mut self.congestion {
            Some(former) if former.is_queue_standing => former.decrease(now, queue, total),
            congestion => *congestion = Some(Episode::begin(now, queue, total)),
        }
    }

    /// Returns whether a queue that called for a lower rate is left, though it no longer calls for one.
    /// Forgets one that is not.
    fn is_queue_left(&mut self, now: Time, queue: Duration) -> bool {
        let is_short = queue * 2 < self.queue_max();
        let through = self.through();
        let Some(congestion) = &mut self.congestion else {
            return false;
        };
        congestion.record_queue(queue, is_short, through);
        let congestion = *congestion;
        self.is_filled_by_others(now, queue, &congestion)
    }

    /// Returns whether sending less has shown that other traffic fills the queue.
    fn is_filled_by_others(&self, now: Time, queue: Duration, congestion: &Episode) -> bool {
        let is_expected = self.expects_competition(now);
        !self.is_mostly_unreported() && congestion.is_fruitless(now, queue, is_expected)
    }

    fn begin_competition(&mut self, now: Time, queue: Duration) {
        self.queue.hold_base();
        self.congestion = None;
        self.capacity = None;
        self.competition = Some(Competition::begin(now, queue));
    }

    /// Updates the estimate while competing traffic fills the queue.
    fn compete(&mut self, now: Time, elapsed: Duration) {
        let packet_time = self.packet_time();
        let Some(competition) = &mut self.competition else {
            return;
        };
        self.loss.ignore_until(now);
        let empty = QUEUE_CONFIRMED + packet_time + self.queue.variation().min(VARIATION_MAX);
        if let Some(ending) = competition.record_queue(now, self.queue.get(), empty) {
            self.competition = None;
            self.queue.release_base();
            match ending {
                Ending::DelayChanged => self.queue.accept_as_base(),
                Ending::Mistaken => {}
                Ending::QueueEmpty => {
                    self.competition_expected_until = now + COMPETITION_EXPECTED_FOR;
                }
            }
            return;
        }
        let has_overflowed = competition.has_overflowed(now, self.round_trip, self.loss.inherent());
        let arrived = self.arrived();
        // The path is known to carry what arrives, and is assumed to carry half as much again.
        let shown = Bitrate::from_bps((arrived.as_bps() * 3 / 2).max(SHOWN_MIN.as_bps()));
        if has_overflowed {
            self.set(competition::reduced(self.estimate.min(shown)));
            return;
        }
        let grown = competition::grown(self.estimate, elapsed.min(UPDATE_MAX), self.round_trip);
        self.set(grown.min(self.prober.goal().max(shown).max(self.estimate)));
    }

    /// Raises the estimate steadily, but not far beyond what is known to arrive.
    fn grow(&mut self, elapsed: Duration) {
        let Some(acknowledged) = self.acknowledged.get() else {
            return;
        };
        if self
            .capacity
            .is_some_and(|it| acknowledged.as_bps() > it.as_bps() * 11 / 10)
        {
            self.capacity = None;
        }
        let capacity = self.capacity.unwrap_or(CEILING).as_bps();
        let bound = (acknowledged.as_bps() * 3 / 2 + 10_000).min(capacity);
        let millis = u64::try_from(elapsed.min(UPDATE_MAX).as_millis()).unwrap_or(0);
        let per_second = (self.estimate.as_bps() * GROWTH_PERCENT / 100).max(GROWTH_MIN.as_bps());
        let grown = self.estimate.as_bps() + per_second * millis / 1_000;
        self.set(self.estimate.max(Bitrate::from_bps(grown.min(bound))));
    }

    fn set(&mut self, estimate: Bitrate) {
        self.estimate = estimate.clamp(FLOOR, CEILING);
    }

    /// Returns whether there was congestion lately.
    fn is_careful(&self, now: Time) -> bool {
        self.competition.is_some()
            || self
                .congestion
                .is_some_and(|it| it.has_decreased_within(now, CAREFUL_FOR))
    }
}
