//! Loss as a sign of congestion, told apart from loss that the path has at any rate.
//!
//! When more is lost than usual, the rate is lowered as a trial. If less is lost then, the loss came
//! from congestion and the lower rate stays; if as much is lost, it is inherent to the path (a weak
//! radio link), and the former rate returns. Packets that are lost in one long run, an outage, count
//! for neither.

use std::collections::VecDeque;
use std::time::Duration;

use watersmeet_wire::units::{Bitrate, Time};

use super::probe::ProbeResult;
use super::sent_ledger::SentPacket;

/// Loss above the inherent one from which on a lower rate is tried, in thousandths: soon, and when it
/// lasts.
const EXCESS: u64 = 100;
const EXCESS_LASTING: u64 = 40;

/// Loss above the inherent one from which on the rate does not grow, in thousandths.
const EXCESS_HOLD: u64 = 30;

/// Upper bound of the loss accepted as inherent, in thousandths.
const INHERENT_MAX: u64 = 500;

/// Shortest interval that is judged, and the packets it needs.
const SHORT: (Duration, u64) = (Duration::from_millis(300), 50);

/// Share of what arrived that is sent in a trial.
const REDUCED_PERCENT: u64 = 90;

/// Fewest packets of a trial.
const TRIAL_PACKETS_MIN: u64 = 15;

/// Logarithm of how much more likely one explanation of the loss has to be than the other.
const EVIDENCE: f64 = 4.0;

/// The same of a probe.
const EVIDENCE_OF_PROBE: f64 = 2.0;

/// Age up to which a probe shows something, and time for which one is waited for.
const PROBE_AGE_MAX: Duration = Duration::from_secs(3);
const ASKED_MAX: Duration = Duration::from_millis(1_500);

/// Interval in which loss shows that lasts.
const LASTING: (Duration, u64) = (Duration::from_secs(4), 200);

/// Interval after which fewer packets suffice, and how many.
const SPARSE: (Duration, u64) = (Duration::from_millis(1_200), 15);

/// Span and number of lost packets in a row from which on they are an outage.
const OUTAGE: (Duration, usize) = (Duration::from_millis(150), 8);

/// Time by which later packets may overtake one that is not lost.
const REORDERING_MAX: Duration = Duration::from_millis(150);

/// Upper bound of the packets that may yet turn out not to be lost; more count as lost at once.
const UNDECIDED_MAX: usize = 256;

/// Time for which a trial may run without result.
const TRIAL_MAX: Duration = Duration::from_secs(4);

/// Change of the bitrate that the measured loss requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Try this lower rate.
    Reduce(Bitrate),
    /// Return to this rate: lowering it did not help.
    Restore(Bitrate),
    /// Probe at this rate, which shows more without making the picture worse.
    Probe(Bitrate),
}

/// Packets of one interval.
#[derive(Debug, Default, Clone, Copy)]
struct Interval {
    first_sent: Option<Time>,
    last_sent: Time,
    packets: u64,
    lost: u64,
    bytes: u64,
}

/// A lowered rate whose effect is awaited.
#[derive(Debug, Clone, Copy)]
struct Trial {
    /// Packets sent from then on show the effect.
    since: Time,
    former_rate: Bitrate,
    former_loss: u64,
    former_sent: Bitrate,
}

impl Trial {
    /// Returns the loss in thousandths if the path carries what arrived before, when `sent` bits a second
    /// are sent and `inherent` thousandths are lost at any rate.
    fn expected_loss(&self, inherent: u64, sent: u64) -> u64 {
        let carried =
            self.former_sent.as_bps() / 1_000 * 1_000_u64.saturating_sub(self.former_loss);
        inherent + excess_loss(sent, carried)
    }
}

/// Returns the loss in thousandths when `sent` bits a second are sent over a path that carries `carried`.
fn excess_loss(sent: u64, carried: u64) -> u64 {
    let excess = (sent.saturating_sub(carried) * 1_000).checked_div(sent);
    excess.unwrap_or(0)
}

/// Returns the logarithm of how much more likely it is, with one loss than with another, that so many
/// packets arrived and so many were lost. Both losses in thousandths.
fn evidence((arrived, lost): (u64, u64), loss: u64, other: u64) -> f64 {
    let share = |loss: u64| f64::from(u32::try_from(loss.clamp(5, 950)).unwrap_or(950)) / 1_000.0;
    let count = |packets: u64| f64::from(u32::try_from(packets).unwrap_or(u32::MAX));
    let (loss, other) = (share(loss), share(other));
    let of_lost = count(lost) * (loss / other).ln();
    count(arrived).mul_add(((1.0 - loss) / (1.0 - other)).ln(), of_lost)
}

/// Returns whether the loss of a probe shows that what is lost in an interval at a lower rate is inherent:
/// it is as high, and not as high as if the path carried no more than what arrived in the interval.
fn shows_inherent(probe: &ProbeResult, interval: &Interval) -> bool {
    let (sent, arrived) = probe.packets;
    let lost = sent.saturating_sub(arrived);
    let expected = excess_loss(probe.sent.as_bps(), interval.arrived_rate().as_bps());
    evidence((arrived, lost), interval.loss(), expected) > EVIDENCE_OF_PROBE
}

/// Loss of a path.
#[derive(Debug, Default)]
pub struct LossLimit {
    /// Packets since the last judgement.
    interval: Interval,
    /// Packets of the last seconds.
    lasting: Interval,
    /// Lost packets since the last that arrived: time of sending and length.
    run: Vec<(Time, u16)>,
    /// Lost packets that may still arrive, oldest first.
    undecided: VecDeque<(Time, u16)>,
    /// Loss that the path has at any rate, in thousandths.
    inherent: u64,
    /// Loss of the last interval, in thousandths.
    latest: u64,
    trial: Option<Trial>,
    /// The latest result of a probe, and its time.
    probe: Option<(Time, ProbeResult)>,
    /// Time at which a probe was asked for, because of an interval and because of the last seconds. It holds
    /// until the next of the same length has no such loss.
    asked: Option<Time>,
    asked_for_lasting: Option<Time>,
    /// Time of sending from which on packets count.
    counted_from: Time,
}

impl Interval {
    fn add(&mut self, at: Time, len: u16, is_lost: bool) {
        let first = self.first_sent.get_or_insert(at);
        *first = at.min(*first);
        self.last_sent = self.last_sent.max(at);
        self.packets += 1;
        self.lost += u64::from(is_lost);
        self.bytes += u64::from(len);
    }

    fn span(&self) -> Duration {
        self.first_sent
            .map_or(Duration::ZERO, |first| self.last_sent.since(first))
    }

    fn has(&self, (span, packets): (Duration, u64)) -> bool {
        self.span() >= span && self.packets >= packets
    }

    /// Returns the loss in thousandths.
    fn loss(&self) -> u64 {
        (self.lost * 1_000).checked_div(self.packets).unwrap_or(0)
    }

    /// Returns by how much the loss of so many packets exceeds its mean by chance, in thousandths: two
    /// standard deviations, where losses come in pairs.
    fn chance(&self, mean: u64) -> u64 {
        let variance = mean * 1_000_u64.saturating_sub(mean) * 2;
        2 * variance
            .checked_div(self.packets)
            .unwrap_or_default()
            .isqrt()
    }

    /// Returns the rate at which packets arrived.
    fn arrived_rate(&self) -> Bitrate {
        let arrived = 1_000_u64.saturating_sub(self.loss());
        Bitrate::from_bps(self.sent_rate().as_bps() / 1_000 * arrived)
    }

    fn sent_rate(&self) -> Bitrate {
        let micros = u64::try_from(self.span().as_micros()).unwrap_or(u64::MAX);
        let bits = self.bytes.saturating_mul(8_000_000);
        Bitrate::from_bps(bits.checked_div(micros).unwrap_or(0))
    }
}

impl LossLimit {
    /// Records that a packet arrived.
    pub fn record_arrival(&mut self, packet: &SentPacket) {
        self.end_run();
        self.count(packet.at, packet.len, false);
        while let Some(&(at, len)) = self.undecided.front()
            && (packet.at.since(at) > REORDERING_MAX || self.undecided.len() > UNDECIDED_MAX)
        {
            self.undecided.pop_front();
            self.count(at, len, true);
        }
    }

    /// Records that a packet called lost has arrived late.
    pub fn record_late_arrival(&mut self, packet: &SentPacket) {
        let late = (packet.at, packet.len);
        if let Some(index) = self.undecided.iter().position(|it| *it == late) {
            self.undecided.remove(index);
            self.count(packet.at, packet.len, false);
        }
    }

    /// Records that a packet is missing.
    pub fn record_loss(&mut self, packet: &SentPacket) {
        if self.run.len() < UNDECIDED_MAX {
            self.run.push((packet.at, packet.len));
        }
    }

    /// Ends a run of lost packets. A long one was an outage and does not count.
    fn end_run(&mut self) {
        let span = match self.run.as_slice() {
            [] => return,
            [(first, _), .., (last, _)] => last.since(*first),
            [_] => Duration::ZERO,
        };
        if span < OUTAGE.0 || self.run.len() < OUTAGE.1 {
            self.undecided.extend(&self.run);
        }
        self.run.clear();
    }

    fn count(&mut self, at: Time, len: u16, is_lost: bool) {
        if at >= self.counted_from && self.trial.is_none_or(|trial| at >= trial.since) {
            self.interval.add(at, len, is_lost);
            self.lasting.add(at, len, is_lost);
        }
    }

    /// Records that a queue stands: what is lost of the packets sent so far says nothing else.
    pub fn ignore_until(&mut self, now: Time) {
        self.counted_from = now;
        self.probe = None;
        self.interval = Interval::default();
        self.lasting = Interval::default();
    }

    /// Records the result of a probe.
    pub const fn record_probe(&mut self, now: Time, result: ProbeResult) {
        self.probe = Some((now, result));
    }

    /// Returns the loss that the path has at any rate, in thousandths.
    pub const fn inherent(&self) -> u64 {
        self.inherent
    }

    /// Returns whether the rate may grow, as far as loss is concerned.
    pub const fn allows_growth(&self) -> bool {
        self.trial.is_none() && self.latest <= self.inherent + EXCESS_HOLD
    }

    /// Returns the verdict on the interval that has ended, if one has. `estimate` is the present rate.
    pub fn evaluate(&mut self, now: Time, estimate: Bitrate) -> Option<Verdict> {
        if let Some(trial) = self.trial {
            return self.evaluate_trial(now, &trial);
        }
        if self.interval.has(SHORT) || self.interval.has(SPARSE) {
            let interval = std::mem::take(&mut self.interval);
            self.latest = interval.loss();
            if self.latest > self.inherent + EXCESS + interval.chance(self.inherent) {
                return self.examine(now, estimate, &interval, |it| &mut it.asked);
            }
            self.asked = None;
            if self.inherent > 0 {
                self.inherent = (self.inherent * 7 + self.latest) / 8;
            }
        }
        if self.lasting.has(LASTING) {
            let lasting = std::mem::take(&mut self.lasting);
            if lasting.loss() > self.inherent + EXCESS_LASTING + lasting.chance(self.inherent) {
                return self.examine(now, estimate, &lasting, |it| &mut it.asked_for_lasting);
            }
            self.asked_for_lasting = None;
        }
        None
    }

    /// Distinguishes congestion from inherent loss: by the loss of a probe at a higher rate, else by sending
    /// less. `asked` selects when a probe was asked for because of the same loss.
    fn examine(
        &mut self,
        now: Time,
        estimate: Bitrate,
        interval: &Interval,
        asked: fn(&mut Self) -> &mut Option<Time>,
    ) -> Option<Verdict> {
        let sent = interval.sent_rate();
        let is_usable = |(at, probe): &(Time, ProbeResult)| {
            now.since(*at) < PROBE_AGE_MAX && probe.sent.as_bps() * 2 > sent.as_bps() * 3
        };
        let Some((_, probe)) = self.probe.filter(is_usable) else {
            if now.since(*asked(self).get_or_insert(now)) < ASKED_MAX {
                return Some(Verdict::Probe(Bitrate::from_bps(sent.as_bps() * 2)));
            }
            *asked(self) = None;
            return Some(self.begin_trial(now, estimate, interval));
        };
        *asked(self) = None;
        if shows_inherent(&probe, interval) {
            self.inherent = interval.loss().min(INHERENT_MAX);
            return None;
        }
        self.probe = None;
        Some(self.begin_trial(now, estimate, interval))
    }

    fn begin_trial(&mut self, now: Time, estimate: Bitrate, interval: &Interval) -> Verdict {
        self.trial = Some(Trial {
            since: now + SHORT.0 / 3,
            former_rate: estimate,
            former_loss: interval.loss(),
            former_sent: interval.sent_rate(),
        });
        self.interval = Interval::default();
        self.lasting = Interval::default();
        Verdict::Reduce(Bitrate::from_bps(
            interval.arrived_rate().as_bps() * REDUCED_PERCENT / 100,
        ))
    }

    fn evaluate_trial(&mut self, now: Time, trial: &Trial) -> Option<Verdict> {
        let interval = self.interval;
        let (sent, former) = (interval.sent_rate().as_bps(), trial.former_sent.as_bps());
        let is_over = now.since(trial.since) > TRIAL_MAX && interval.packets > 0;
        // The loss of a trial counts only when the rate has really fallen.
        let is_lower = interval.packets >= TRIAL_PACKETS_MIN && sent * 100 <= former * 85;
        if !is_lower && !is_over {
            return None;
        }
        let expected = trial.expected_loss(self.inherent, sent);
        let arrived = interval.packets - interval.lost;
        let evidence = evidence((arrived, interval.lost), trial.former_loss, expected);
        if evidence.abs() < EVIDENCE && !is_over {
            return None;
        }
        self.trial = None;
        self.interval = Interval::default();
        self.latest = interval.loss();
        if evidence < 0.0 {
            return None;
        }
        self.inherent = self.latest.min(trial.former_loss).min(INHERENT_MAX);
        Some(Verdict::Restore(trial.former_rate))
    }

    /// Forgets the present interval: after an outage, or on another path.
    pub fn restart(&mut self) {
        *self = Self {
            inherent: self.inherent,
            trial: self.trial,
            counted_from: self.counted_from,
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::super::sent_ledger::{Outcome, SentLedger};
    use super::*;

    /// Packets that are sent every 5 ms, and what is concluded from their loss.
    #[derive(Default)]
    struct Path {
        limit: LossLimit,
        ledger: SentLedger,
        sent: u16,
        verdicts: Vec<Verdict>,
    }

    impl Path {
        /// Sends packets, of which one of `lost_of` is lost.
        fn send(&mut self, packets: u16, lost_of: u16) {
            for _ in 0..packets {
                let now = Time::from_millis(u64::from(self.sent) * 5);
                self.ledger.record(now, self.sent, 1_200, 0);
                let is_lost = self.sent.checked_rem(lost_of) == Some(0);
                match self.ledger.resolve(self.sent, !is_lost) {
                    Some(Outcome::Lost(packet)) => self.limit.record_loss(&packet),
                    Some(Outcome::Arrived(packet)) => self.limit.record_arrival(&packet),
                    _ => unreachable!("each packet is reported once"),
                }
                let verdict = self.limit.evaluate(now, Bitrate::from_kbps(2_000));
                self.verdicts.extend(verdict);
                self.sent += 1;
            }
        }

        fn has_reduced(&self) -> bool {
            let is_reduced = |verdict: &Verdict| matches!(verdict, Verdict::Reduce(_));
            self.verdicts.iter().any(is_reduced)
        }
    }

    #[test]
    fn loss_that_lasts_without_a_probe_lowers_the_rate() {
        let mut path = Path::default();
        path.send(300, 0);
        path.send(600, 5);
        assert!(path.has_reduced(), "{:?}", path.verdicts);
    }

    #[test]
    fn single_moments_of_loss_do_not_lower_the_rate() {
        let mut path = Path::default();
        for _ in 0..20 {
            path.send(600, 0);
            path.send(40, 5);
        }
        assert!(!path.verdicts.is_empty());
        assert!(!path.has_reduced(), "{:?}", path.verdicts);
    }
}
