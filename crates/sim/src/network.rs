//! Links: what happens to a packet between two places. Delay and jitter, loss in bursts
//! (Gilbert–Elliott), overtaking, duplication, a rate with a drop-tail queue, and outages. Each link
//! draws from a generator of its own, so that what happens on one does not depend on another.

use std::time::Duration;

use watersmeet_peer::random;
use watersmeet_wire::units::{Bitrate, Rng, Time};

/// Bytes of IP and UDP around a datagram.
const OVERHEAD_LEN: usize = 28;

/// How long a link keeps its present jitter: queues elsewhere fill and empty, they do not dice.
const JITTER_HOLD: Duration = Duration::from_millis(50);

/// How much later than it should a packet comes that is overtaken.
const OVERTAKEN_MIN: Duration = Duration::from_millis(5);
const OVERTAKEN_SPAN_MICROS: u64 = 15_000;

/// How packets are lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    /// Not at all.
    None,
    /// Each by itself, with this probability.
    Random(f64),
    /// In bursts: so many packets pass on average, then so many are lost.
    Bursts {
        /// Mean length of a good run.
        good: f64,
        /// Mean length of a bad run.
        bad: f64,
    },
}

/// What one direction of a link is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkProfile {
    /// One-way delay without jitter.
    pub delay: Duration,
    /// The delay varies by so much, both ways.
    pub jitter: Duration,
    /// How packets are lost.
    pub loss: Loss,
    /// Share of packets that later ones overtake.
    pub reorder: f64,
    /// Share of packets that come twice.
    pub duplicate: f64,
    /// What it carries; absent means anything.
    pub rate: Option<Bitrate>,
    /// How long its queue may become; what comes then is lost.
    pub queue: Duration,
}

impl LinkProfile {
    /// A link that only takes its time.
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

    /// Whether packets come in the order they went, all of them, once.
    pub fn is_orderly(&self) -> bool {
        self.loss == Loss::None
            && self.reorder == 0.0
            && self.duplicate == 0.0
            && self.rate.is_none()
    }
}

/// What a link did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct LinkCounts {
    /// Packets that were given to it.
    pub offered: u64,
    /// Packets it lost.
    pub lost: u64,
    /// Packets that found its queue full.
    pub overflowed: u64,
    /// Packets it let others overtake.
    pub overtaken: u64,
    /// Packets it doubled.
    pub doubled: u64,
}

/// One direction of a link.
#[derive(Debug)]
pub struct Link {
    /// What it is like.
    profile: LinkProfile,
    /// Its own generator.
    rng: Rng,
    /// Whether a burst of loss is going on.
    is_bad: bool,
    /// The present deviation from the delay, in microseconds around zero.
    jitter_micros: i64,
    /// Until when that holds.
    jitter_until: Time,
    /// When the last packet has left the queue.
    free_at: Time,
    /// When the newest packet in order arrives.
    in_order_at: Time,
    /// When the newest reliable bytes arrive.
    reliable_at: Time,
    /// Until when nothing passes.
    dark_until: Time,
    /// What it did.
    counts: LinkCounts,
}

impl Link {
    /// A link in its best state.
    pub fn new(profile: LinkProfile, rng: Rng) -> Self {
        Self {
            profile,
            rng,
            is_bad: false,
            jitter_micros: 0,
            jitter_until: Time::ZERO,
            free_at: Time::ZERO,
            in_order_at: Time::ZERO,
            reliable_at: Time::ZERO,
            dark_until: Time::ZERO,
            counts: LinkCounts::default(),
        }
    }

    /// What it is like.
    pub const fn profile(&self) -> &LinkProfile {
        &self.profile
    }

    /// Makes it another link. What is on its way arrives.
    pub const fn change(&mut self, profile: LinkProfile) {
        self.profile = profile;
    }

    /// Lets nothing pass until then.
    pub const fn darken(&mut self, until: Time) {
        self.dark_until = until;
    }

    /// What it did.
    pub const fn counts(&self) -> LinkCounts {
        self.counts
    }

    /// When a packet of `len` bytes that is sent now arrives: never, once, or twice.
    pub fn carry(&mut self, now: Time, len: usize) -> [Option<Time>; 2] {
        self.counts.offered += 1;
        if self.loses() || now < self.dark_until {
            self.counts.lost += 1;
            return [None; 2];
        }
        let Some(left) = self.leave_queue(now, len) else {
            self.counts.overflowed += 1;
            return [None; 2];
        };
        let arrival = self.arrive(now, left);
        let doubled = random::chance(&mut self.rng, self.profile.duplicate);
        self.counts.doubled += u64::from(doubled);
        [
            Some(arrival),
            doubled.then_some(arrival + Duration::from_millis(1)),
        ]
    }

    /// When something that is never lost and keeps its order arrives: a connection's next bytes.
    pub fn carry_reliably(&mut self, now: Time) -> Time {
        let arrival = now.max(self.dark_until) + self.profile.delay;
        self.reliable_at = self.reliable_at.max(arrival);
        self.reliable_at
    }

    fn loses(&mut self) -> bool {
        match self.profile.loss {
            Loss::None => false,
            Loss::Random(share) => random::chance(&mut self.rng, share),
            Loss::Bursts { good, bad } => {
                let mean = if self.is_bad { bad } else { good };
                if random::chance(&mut self.rng, 1.0 / mean.max(1.0)) {
                    self.is_bad = !self.is_bad;
                }
                self.is_bad
            }
        }
    }

    /// When the packet has been put on the line; never when the queue is full.
    fn leave_queue(&mut self, now: Time, len: usize) -> Option<Time> {
        let Some(rate) = self.profile.rate else {
            return Some(now);
        };
        let start = self.free_at.max(now);
        if start.since(now) > self.profile.queue {
            return None;
        }
        self.free_at = start + rate.time_to_send(len + OVERHEAD_LEN)?;
        Some(self.free_at)
    }

    fn arrive(&mut self, now: Time, left: Time) -> Time {
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
            self.counts.overtaken += 1;
            let extra = random::below(&mut self.rng, OVERTAKEN_SPAN_MICROS);
            return arrival + OVERTAKEN_MIN + Duration::from_micros(extra);
        }
        self.in_order_at = arrival;
        arrival
    }
}

#[cfg(test)]
mod tests;
