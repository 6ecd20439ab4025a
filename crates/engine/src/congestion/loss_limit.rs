//! Loss as a sign of congestion, told apart from loss that the path has at any rate.
//!
//! When more is lost than usual, the rate is lowered as a trial. If less is lost then, the loss came
//! from congestion and the lower rate stays; if as much is lost, it is inherent to the path (a weak
//! radio link), and the former rate returns. Packets that are lost in one long run, an outage, count
//! for neither.

use std::collections::VecDeque;
use std::time::Duration;

use watersmeet_wire::units::{Bitrate, Time};

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

/// Interval of a trial, and the packets it needs.
const TRIAL: (Duration, u64) = (Duration::from_millis(300), 100);

/// Interval in which loss shows that lasts.
const LASTING: (Duration, u64) = (Duration::from_secs(4), 200);

/// Interval after which fewer packets suffice, and how many.
const SPARSE: (Duration, u64) = (Duration::from_millis(1_200), 15);

/// Span of a run of lost packets from which on it is an outage.
const OUTAGE: Duration = Duration::from_millis(150);

/// Time by which later packets may overtake one that is not lost.
const REORDERING_MAX: Duration = Duration::from_millis(150);

/// Upper bound of the packets that may yet turn out not to be lost; more count as lost at once.
const UNDECIDED_MAX: usize = 256;

/// Time for which a trial may run without result.
const TRIAL_MAX: Duration = Duration::from_secs(4);

/// Change of the bitrate that the measured loss requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Try a lower rate.
    Reduce,
    /// Return to this rate: lowering it did not help.
    Restore(Bitrate),
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
        if span < OUTAGE {
            self.undecided.extend(&self.run);
        }
        self.run.clear();
    }

    fn count(&mut self, at: Time, len: u16, is_lost: bool) {
        if self.trial.is_none_or(|trial| at >= trial.since) {
            self.interval.add(at, len, is_lost);
            self.lasting.add(at, len, is_lost);
        }
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
            if now.since(trial.since) > TRIAL_MAX {
                self.trial = None;
            }
            return self.evaluate_trial(&trial);
        }
        if self.interval.has(SHORT) || self.interval.has(SPARSE) {
            let interval = std::mem::take(&mut self.interval);
            self.latest = interval.loss();
            if self.latest > self.inherent + EXCESS + interval.chance(self.inherent) {
                return Some(self.begin_trial(now, estimate, &interval));
            }
            if self.inherent > 0 {
                self.inherent = (self.inherent * 7 + self.latest) / 8;
            }
        }
        if self.lasting.has(LASTING) {
            let lasting = std::mem::take(&mut self.lasting);
            if lasting.loss() > self.inherent + EXCESS_LASTING + lasting.chance(self.inherent) {
                return Some(self.begin_trial(now, estimate, &lasting));
            }
        }
        None
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
        Verdict::Reduce
    }

    fn evaluate_trial(&mut self, trial: &Trial) -> Option<Verdict> {
        if !self.interval.has(TRIAL) && !self.interval.has(SPARSE) {
            return None;
        }
        let interval = std::mem::take(&mut self.interval);
        let loss = interval.loss();
        self.latest = loss;
        let excess = trial.former_loss.saturating_sub(self.inherent);
        if loss.saturating_sub(self.inherent) * 100 <= excess * 35 {
            self.trial = None;
            return None;
        }
        let (sent, former) = (interval.sent_rate().as_bps(), trial.former_sent.as_bps());
        if sent * 100 > former * 85 {
            // As much is sent as before, which shows nothing.
            return None;
        }
        self.trial = None;
        self.inherent = loss.min(trial.former_loss).min(INHERENT_MAX);
        Some(Verdict::Restore(trial.former_rate))
    }

    /// Forgets the present interval: after an outage, or on another path.
    pub fn restart(&mut self) {
        *self = Self {
            inherent: self.inherent,
            ..Self::default()
        };
    }
}
