//! Model of a network link: delay and jitter, loss in bursts (Gilbert–Elliott), reordering,
//! duplication, a bitrate limit with a drop-tail queue, and outages. Each link has its own random
//! generator, so that links do not influence each other.

pub mod capacity;

use std::time::Duration;

use watersmeet_peer::random;
use watersmeet_wire::units::{Bitrate, Rng, Time};

use self::capacity::{Capacity, RateStep};

/// Length of the IP and UDP headers of a datagram, in bytes.
pub const OVERHEAD_LEN: usize = 28;

/// Interval between changes of the jitter: queues in the network fill and drain gradually.
const JITTER_HOLD: Duration = Duration::from_millis(50);

/// Extra delay of a reordered packet: minimum and span.
const REORDER_DELAY_MIN: Duration = Duration::from_millis(5);
const REORDER_DELAY_SPAN_MICROS: u64 = 15_000;

/// Loss model of a link.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    /// No loss.
    None,
    /// Independent loss of each packet, with this probability.
    Random(f64),
    /// Alternating runs of received and lost packets.
    Bursts {
        /// Mean length of a run of received packets.
        mean_received: f64,
        /// Mean length of a run of lost packets.
        mean_lost: f64,
    },
}

/// Properties of one direction of a link.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkProfile {
    /// One-way delay without jitter.
    pub delay: Duration,
    /// Maximum deviation from the delay, in both directions.
    pub jitter: Duration,
    /// Loss model.
    pub loss: Loss,
    /// Share of packets that are delayed and reordered.
    pub reorder: f64,
    /// Share of packets that are duplicated.
    pub duplicate: f64,
    /// Maximum bitrate; unlimited when absent.
    pub rate: Option<Bitrate>,
    /// Maximum queueing delay; packets above it are dropped.
    pub queue: Duration,
}

impl LinkProfile {
    /// Returns a link with only this delay.
    pub const fn clean(delay: Duration) -> Self {
        Self {
            delay,
            jitter: Duration::ZERO,
            loss: Loss::None,
            reorder: 0.0,
            duplicate: 0.0,
            rate: None,
            queue: Duration::from_millis(300),
        }
    }

    /// Returns whether all packets arrive exactly once and in order.
    pub fn preserves_order(&self) -> bool {
        self.loss == Loss::None
            && self.reorder == 0.0
            && self.duplicate == 0.0
            && self.rate.is_none()
    }
}

/// Counters of a link.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct LinkCounts {
    /// Packets sent.
    pub offered: u64,
    /// Packets lost.
    pub lost: u64,
    /// Packets dropped because the queue was full.
    pub queue_drops: u64,
    /// Packets reordered.
    pub reordered: u64,
    /// Packets duplicated.
    pub duplicated: u64,
    /// Bytes sent, with the headers of IP and UDP.
    pub offered_bytes: u64,
    /// Bytes of the packets that were neither lost nor dropped.
    pub passed_bytes: u64,
}

/// One direction of a link.
#[derive(Debug)]
pub struct Link {
    /// Properties of the link.
    profile: LinkProfile,
    /// Random generator.
    rng: Rng,
    /// Whether a run of lost packets is going on.
    is_bad: bool,
    /// Current deviation from the delay, in microseconds.
    jitter_micros: i64,
    /// Time of the next change of the deviation.
    jitter_until: Time,
    /// Bitrate over time.
    capacity: Capacity,
    /// Time at which the last packet leaves the queue.
    free_at: Time,
    /// Arrival of the last packet that was not reordered.
    in_order_at: Time,
    /// Arrival of the last reliable message.
    reliable_at: Time,
    /// End of the current outage.
    outage_until: Time,
    /// Counters.
    counts: LinkCounts,
}

impl Link {
    /// Creates a link without queue, jitter or loss in progress.
    pub fn new(profile: LinkProfile, rng: Rng) -> Self {
        Self {
            profile,
            capacity: Capacity::constant(profile.rate),
            rng,
            is_bad: false,
            jitter_micros: 0,
            jitter_until: Time::ZERO,
            free_at: Time::ZERO,
            in_order_at: Time::ZERO,
            reliable_at: Time::ZERO,
            outage_until: Time::ZERO,
            counts: LinkCounts::default(),
        }
    }

    /// Returns the properties of the link.
    pub const fn profile(&self) -> &LinkProfile {
        &self.profile
    }

    /// Changes the properties of the link. Packets in the queue leave it at the previous bitrate.
    pub fn set_profile(&mut self, profile: LinkProfile) {
        self.profile = profile;
        self.capacity = Capacity::constant(profile.rate);
    }

    /// Changes the bitrate at these times, in ascending order. Packets in the queue then leave it at
    /// the new bitrate.
    pub fn schedule_rates(&mut self, steps: Vec<RateStep>) {
        self.capacity.schedule(steps);
    }

    /// Returns the bitrate at a time; `None` when it is unlimited.
    pub fn rate_at(&self, at: Time) -> Option<Bitrate> {
        self.capacity.rate_at(at)
    }

    /// Returns how long a packet that arrives now waits in the queue.
    pub fn queueing_delay(&self, now: Time) -> Duration {
        self.free_at.max(now).since(now)
    }

    /// Drops all packets until a time.
    pub const fn start_outage(&mut self, until: Time) {
        self.outage_until = until;
    }

    /// Returns the counters.
    pub const fn counts(&self) -> LinkCounts {
        self.counts
    }

    /// Returns the arrival times of a packet of `len` bytes that is sent now: none, one, or two.
    pub fn transmit(&mut self, now: Time, len: usize) -> [Option<Time>; 2] {
        let wire_len = (len + OVERHEAD_LEN) as u64;
        self.counts.offered += 1;
        self.counts.offered_bytes += wire_len;
        if self.is_lost() || now < self.outage_until {
            self.counts.lost += 1;
            return [None; 2];
        }
        let Some(left) = self.leave_queue(now, len) else {
            self.counts.queue_drops += 1;
            return [None; 2];
        };
        self.counts.passed_bytes += wire_len;
        let arrival = self.arrival_time(now, left);
        let duplicated = random::chance(&mut self.rng, self.profile.duplicate);
        self.counts.duplicated += u64::from(duplicated);
        [
            Some(arrival),
            duplicated.then_some(arrival + Duration::from_millis(1)),
        ]
    }

    /// Returns the arrival time of a message on a reliable, ordered connection.
    pub fn transmit_reliably(&mut self, now: Time) -> Time {
        let arrival = now.max(self.outage_until) + self.profile.delay;
        self.reliable_at = self.reliable_at.max(arrival);
        self.reliable_at
    }

    fn is_lost(&mut self) -> bool {
        match self.profile.loss {
            Loss::None => false,
            Loss::Random(share) => random::chance(&mut self.rng, share),
            Loss::Bursts {
                mean_received,
                mean_lost,
            } => {
                let mean = if self.is_bad {
                    mean_lost
                } else {
                    mean_received
                };
                if random::chance(&mut self.rng, 1.0 / mean.max(1.0)) {
                    self.is_bad = !self.is_bad;
                }
                self.is_bad
            }
        }
    }

    /// Returns when the packet leaves the queue; `None` when the queue is full.
    fn leave_queue(&mut self, now: Time, len: usize) -> Option<Time> {
        if self.capacity.rate_at(now).is_none() {
            return Some(now);
        }
        let start = self.free_at.max(now);
        if start.since(now) > self.profile.queue {
            return None;
        }
        self.free_at = self.capacity.departure(start, len + OVERHEAD_LEN)?;
        Some(self.free_at)
    }

    fn arrival_time(&mut self, now: Time, left: Time) -> Time {
        if now >= self.jitter_until {
            self.jitter_until = now + JITTER_HOLD;
            let span = u64::try_from(self.profile.jitter.as_micros()).unwrap_or(0);
            let drawn = random::below(&mut self.rng, 2 * span + 1);
            self.jitter_micros =
                i64::try_from(drawn).unwrap_or(0) - i64::try_from(span).unwrap_or(0);
        }
        let deviation = Duration::from_micros(self.jitter_micros.unsigned_abs());
        let arrival = if self.jitter_micros < 0 {
            left + self.profile.delay.saturating_sub(deviation)
        } else {
            left + self.profile.delay + deviation
        };
        let arrival = arrival.max(self.in_order_at);
        if random::chance(&mut self.rng, self.profile.reorder) {
            self.counts.reordered += 1;
            let extra = random::below(&mut self.rng, REORDER_DELAY_SPAN_MICROS);
            return arrival + REORDER_DELAY_MIN + Duration::from_micros(extra);
        }
        self.in_order_at = arrival;
        arrival
    }
}

#[cfg(test)]
mod tests;
