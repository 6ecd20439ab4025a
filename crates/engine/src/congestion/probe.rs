//! Probing: short bursts of packets at a higher rate show whether the path carries more than the
//! present media needs.

use std::time::Duration;

use watersmeet_wire::units::{Bitrate, Time};

use super::sent_ledger::SentPacket;

/// Length of a probe, of one at a small rate, and its upper bound on a path whose delay varies. At a small rate
/// few packets fit the usual length, and a frame of another stream before one of them makes the path seem slow.
const LENGTH: Duration = Duration::from_millis(20);
const LENGTH_OF_SMALL: Duration = Duration::from_millis(40);
const LENGTH_MAX: Duration = Duration::from_millis(100);

/// Fewest packets of a probe, and of one that shows how much is lost.
const PACKETS_MIN: u32 = 5;
const PACKETS_OF_LOSS_PROBE: u32 = 14;

/// Time within which the packets of a probe have to be sent.
const SENDING_MAX: Duration = Duration::from_millis(250);

/// Fewest packets that show a result.
const PACKETS_OF_RESULT_MIN: i64 = 3;

/// Longest time between packets of a probe that is computed with, in microseconds.
const SPAN_MAX: i64 = 2_000_000;

/// Share of the bytes of a probe that shows a result, in tenths.
const ARRIVED_MIN_TENTHS: u64 = 4;

/// Share of the rate of a probe that has to arrive if the path carries it.
const CARRIED_MIN_PERCENT: u64 = 90;

/// Variation of the delay that does not disturb probes.
const VARIATION_USUAL: Duration = Duration::from_millis(8);

/// Time by which later packets may overtake those of a probe.
const REORDERING_MAX: Duration = Duration::from_millis(60);

/// Time after which a probe without complete feedback is given up.
const RESULT_MAX: Duration = Duration::from_millis(1_500);

/// Pause after a probe that found more, and bounds of the pause after one that did not.
const PAUSE_AFTER_SUCCESS: Duration = Duration::from_millis(150);
const PAUSE_MIN: Duration = Duration::from_millis(1_000);
const PAUSE_MAX: Duration = Duration::from_millis(4_000);

/// Rate up to which a probe disturbs nothing, so that the next one follows soon: there may be no picture yet.
pub const SMALL: Bitrate = Bitrate::from_kbps(400);

/// Rate of a small probe, in percent of the goal, and its upper bound: what it finds is imprecise.
const SMALL_PERCENT: u64 = 150;
const GENEROUS_MAX: Bitrate = Bitrate::from_kbps(300);

/// Pause after a probe of which too little is known.
const PAUSE_UNKNOWN: Duration = Duration::from_millis(300);

/// Number of first probes that go to three times the estimate; later ones go to twice.
const FIRST_PROBES: u16 = 2;

/// A probe that is being sent or whose feedback is awaited.
#[derive(Debug, Clone, Copy)]
struct Probe {
    id: u16,
    rate: Bitrate,
    bytes_wanted: u64,
    packets_wanted: u32,
    /// How much the delay varied before it.
    variation: Duration,
    started: Time,
    /// Time at which its last packet so far was sent.
    last_sent: Time,
    bytes_sent: u64,
    packets_sent: u32,
    is_sent: bool,
    arrived: Arrived,
}

/// Packets of a probe that arrived: sums for the regression of arrival on sending time, each counted
/// in microseconds from the first that arrived.
#[derive(Debug, Default, Clone, Copy)]
struct Arrived {
    bytes: u64,
    packets: i64,
    origin: Option<(Time, i64)>,
    first_sent: i64,
    last_sent: i64,
    last_len: u16,
    sum_sent: i64,
    sum_arrival: i64,
    sum_sent_sent: i64,
    sum_sent_arrival: i64,
}

/// Result of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeResult {
    /// Rate at which its packets arrived.
    pub received: Bitrate,
    /// Whether the path carried it without forming a queue.
    pub is_carried: bool,
    /// Rate at which it was sent.
    pub sent: Bitrate,
    /// Packets that were sent and that arrived.
    pub packets: (u64, u64),
}

/// Decides when to probe and measures.
#[derive(Debug)]
pub struct Prober {
    /// Rate that would be of use; nothing is probed when it is known to be there.
    goal: Bitrate,
    /// Rate at which to probe next, whatever the goal is, to see what is lost.
    loss_probe: Option<Bitrate>,
    next: Time,
    pause: Duration,
    count: u16,
    probe: Option<Probe>,
    /// Time at which a packet of a probe was last sent.
    last_sent: Time,
    /// Whether any probe has had a result.
    has_result: bool,
}

impl Default for Prober {
    fn default() -> Self {
        Self {
            goal: Bitrate::ZERO,
            loss_probe: None,
            next: Time::ZERO,
            pause: PAUSE_MIN,
            count: 0,
            probe: None,
            last_sent: Time::ZERO,
            has_result: false,
        }
    }
}

impl Prober {
    /// Sets the rate that would be of use.
    pub fn set_goal(&mut self, goal: Bitrate) {
        self.goal = goal;
    }

    /// Returns the rate that would be of use.
    pub const fn goal(&self) -> Bitrate {
        self.goal
    }

    /// Starts a probe if one is due. `variation` is how much the delay varies.
    pub fn start_if_due(&mut self, now: Time, estimate: Bitrate, variation: Duration) {
        if self.probe.is_some() || now < self.next {
            return;
        }
        let factor = if self.count < FIRST_PROBES { 3 } else { 2 };
        let bound = estimate.as_bps().saturating_mul(factor);
        let generous = self.goal.as_bps().saturating_mul(SMALL_PERCENT) / 100;
        let useful = self.goal.as_bps().max(generous.min(GENEROUS_MAX.as_bps()));
        let useful = useful.min(bound);
        let (rate, packets_wanted) = match self.loss_probe.take() {
            Some(rate) => (rate.as_bps().min(bound).max(useful), PACKETS_OF_LOSS_PROBE),
            None if self.goal > estimate => (useful, PACKETS_MIN),
            None => return,
        };
        let usual = if rate > SMALL.as_bps() {
            LENGTH
        } else {
            LENGTH_OF_SMALL
        };
        let length = (usual + variation * 4).min(LENGTH_MAX);
        let micros = u64::try_from(length.as_micros()).unwrap_or(0);
        let bytes = rate.saturating_mul(micros) / 8_000_000;
        self.begin(now, rate, (bytes, packets_wanted), variation);
    }

    /// Sends one packet, which shows whether the path is back.
    pub fn ping(&mut self, now: Time, estimate: Bitrate) {
        self.begin(now, estimate.as_bps(), (1, 1), Duration::ZERO);
    }

    fn begin(&mut self, now: Time, rate: u64, wanted: (u64, u32), variation: Duration) {
        let (bytes_wanted, packets_wanted) = wanted;
        self.count = self.count.wrapping_add(1).max(1);
        self.probe = Some(Probe {
            id: self.count,
            rate: Bitrate::from_bps(rate),
            bytes_wanted,
            packets_wanted,
            variation,
            started: now,
            last_sent: now,
            bytes_sent: 0,
            packets_sent: 0,
            is_sent: false,
            arrived: Arrived::default(),
        });
    }

    /// Returns the probe being sent: its id and rate.
    pub fn sending(&self) -> Option<(u16, Bitrate)> {
        let probe = self.probe.as_ref().filter(|probe| !probe.is_sent)?;
        Some((probe.id, probe.rate))
    }

    /// Returns whether no probe has had a result yet.
    pub const fn awaits_first(&self) -> bool {
        !self.has_result
    }

    /// Returns when a packet of a probe was last sent.
    pub const fn last_sent(&self) -> Time {
        self.last_sent
    }

    /// Records that a packet of the present probe was sent.
    pub fn record_sent(&mut self, now: Time, len: usize) {
        let Some(probe) = &mut self.probe else {
            return;
        };
        self.last_sent = now;
        probe.last_sent = now;
        probe.bytes_sent += len as u64;
        probe.packets_sent += 1;
        let is_complete =
            probe.bytes_sent >= probe.bytes_wanted && probe.packets_sent >= probe.packets_wanted;
        probe.is_sent = is_complete || now.since(probe.started) > SENDING_MAX;
    }

    /// Records the arrival of a packet of a probe, in microseconds of the peer's clock.
    pub fn record_arrival(&mut self, packet: &SentPacket, arrival: i64) {
        let Some(probe) = self.probe.as_mut().filter(|it| it.id == packet.probe) else {
            return;
        };
        probe.arrived.add(packet, arrival);
    }

    /// Returns the result of the present probe, once enough of it has arrived. `newest_acknowledged` is
    /// the sending time of the newest packet that arrived, `loss` what is lost at any rate, in thousandths.
    pub fn conclude(
        &mut self,
        now: Time,
        newest_acknowledged: Time,
        loss: u64,
    ) -> Option<ProbeResult> {
        let probe = self.probe.as_ref()?;
        let has_all = probe.is_sent && probe.arrived.packets >= probe.packets_sent.into();
        let is_past = probe.is_sent && newest_acknowledged > probe.last_sent + REORDERING_MAX;
        if !has_all && !is_past {
            self.abandon_if_late(now);
            return None;
        }
        let probe = *probe;
        self.probe = None;
        let result = probe.result(loss);
        self.has_result |= result.is_some();
        match result {
            Some(result) => self.schedule(now, probe.rate, result.is_carried),
            // Feedback was lost, most likely.
            None => self.next = now + PAUSE_UNKNOWN,
        }
        result
    }

    /// Gives up a probe without result, and one whose packets could not be sent in time.
    pub fn abandon_if_late(&mut self, now: Time) {
        let limit = |probe: &Probe| {
            if probe.is_sent {
                RESULT_MAX
            } else {
                SENDING_MAX
            }
        };
        let late = self.probe.filter(|it| now.since(it.started) > limit(it));
        if let Some(probe) = late {
            self.probe = None;
            self.schedule(now, probe.rate, false);
        }
    }

    /// Stops probing for a while: the path is congested.
    pub fn pause(&mut self, now: Time, length: Duration) {
        self.probe = None;
        self.loss_probe = None;
        self.next = self.next.max(now + length);
    }

    /// Probes at `rate` as soon as possible, to see how much of it is lost.
    pub fn probe_for_loss(&mut self, now: Time, rate: Bitrate) {
        self.loss_probe = Some(rate);
        self.next = self.next.min(now);
    }

    /// Probes soon: something has changed for the better, or a former pause has lost its reason.
    pub fn hurry(&mut self, now: Time) {
        self.pause = PAUSE_MIN;
        self.next = self.next.min(now);
    }

    /// Returns when the next probe is due.
    pub fn poll_timeout(&self, estimate: Bitrate) -> Time {
        match &self.probe {
            Some(probe) if probe.is_sent => probe.started + RESULT_MAX,
            Some(probe) => probe.started + SENDING_MAX,
            None if self.goal > estimate || self.loss_probe.is_some() => self.next,
            None => Time::FAR_FUTURE,
        }
    }

    fn schedule(&mut self, now: Time, rate: Bitrate, is_carried: bool) {
        if is_carried {
            self.pause = PAUSE_MIN;
            self.next = now + PAUSE_AFTER_SUCCESS;
        } else {
            let longest = if rate <= SMALL { PAUSE_MIN } else { PAUSE_MAX };
            self.next = now + self.pause.min(longest);
            self.pause = (self.pause * 2).min(PAUSE_MAX);
        }
    }
}

impl Probe {
    /// Returns the result, when `loss` thousandths are lost at any rate.
    fn result(&self, loss: u64) -> Option<ProbeResult> {
        let arrived = &self.arrived;
        if arrived.packets < PACKETS_OF_RESULT_MIN
            || arrived.bytes * 10 < self.bytes_sent * ARRIVED_MIN_TENTHS
        {
            return None;
        }
        let span = u64::try_from(arrived.last_sent - arrived.first_sent).ok()?;
        let bits = (arrived.bytes - u64::from(arrived.last_len)).saturating_mul(8_000_000);
        let sent = bits.checked_div(span)?;
        let stretch = arrived.stretch_percent()?;
        // Growth of the delay within its usual variation is no sign of a queue.
        let tolerated = self.variation.saturating_sub(VARIATION_USUAL) * 2;
        let grown =
            Duration::from_micros(span).saturating_mul(u32::try_from(stretch - 100).ok()?) / 100;
        let stretch = if grown <= tolerated { 100 } else { stretch };
        let received = sent.saturating_mul(100) / stretch;
        let received = received.saturating_mul(1_000) / 1_000_u64.saturating_sub(loss).max(1);
        let rate = self.rate.as_bps();
        let packets = u64::try_from(arrived.packets).unwrap_or(0);
        Some(ProbeResult {
            received: Bitrate::from_bps(received.min(rate)),
            is_carried: received * 100 >= rate.min(sent) * CARRIED_MIN_PERCENT,
            sent: Bitrate::from_bps(sent.min(rate)),
            packets: (self.packets_sent.into(), packets),
        })
    }
}

impl Arrived {
    fn add(&mut self, packet: &SentPacket, arrival: i64) {
        let (first, first_arrival) = *self.origin.get_or_insert((packet.at, arrival));
        let after = |time: Time, earlier: Time| {
            i64::try_from(time.since(earlier).as_micros()).unwrap_or(i64::MAX)
        };
        let sent = (after(packet.at, first) - after(first, packet.at)).min(SPAN_MAX);
        let arrival = arrival.saturating_sub(first_arrival);
        let arrival = arrival.clamp(-SPAN_MAX, SPAN_MAX);
        self.packets += 1;
        self.bytes += u64::from(packet.len);
        self.first_sent = self.first_sent.min(sent);
        if sent >= self.last_sent {
            self.last_sent = sent;
            self.last_len = packet.len;
        }
        self.sum_sent += sent;
        self.sum_arrival += arrival;
        self.sum_sent_sent += sent * sent;
        self.sum_sent_arrival += sent * arrival;
    }

    /// Returns the slope of arrival over sending time in percent, at least 100: by how much the path
    /// stretched the probe. `None` when all was sent at once.
    fn stretch_percent(&self) -> Option<u64> {
        let count = i128::from(self.packets);
        let (sent, arrival) = (i128::from(self.sum_sent), i128::from(self.sum_arrival));
        let variance = count * i128::from(self.sum_sent_sent) - sent * sent;
        let covariance = count * i128::from(self.sum_sent_arrival) - sent * arrival;
        let percent = (covariance * 100).checked_div(variance)?;
        Some(u64::try_from(percent.max(100)).unwrap_or(u64::MAX))
    }
}
