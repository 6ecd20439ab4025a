//! Bitrate of a link over time: constant, or changed at times that are known from the start, so
//! that packets which wait in the queue at a change leave it at the new bitrate.

use std::time::Duration;

use watersmeet_wire::units::{Bitrate, Time};

/// Most changes of the bitrate of a link; later ones are dropped.
pub const RATE_STEPS_MAX: usize = 256;

/// Change of the bitrate of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateStep {
    /// Time of the change.
    pub at: Time,
    /// Bitrate from then on.
    pub rate: Bitrate,
}

/// Bitrate over time.
#[derive(Debug)]
pub struct Capacity {
    /// Bitrate before the first change; unlimited when absent.
    initial: Option<Bitrate>,
    /// Changes, in order of time.
    steps: Vec<RateStep>,
}

impl Capacity {
    /// Returns a bitrate that does not change.
    pub const fn constant(initial: Option<Bitrate>) -> Self {
        Self {
            initial,
            steps: Vec::new(),
        }
    }

    /// Changes the bitrate at these times.
    pub fn schedule(&mut self, mut steps: Vec<RateStep>) {
        steps.truncate(RATE_STEPS_MAX);
        steps.sort_by_key(|step| step.at);
        self.steps = steps;
    }

    /// Returns the bitrate at a time; `None` when it is unlimited.
    pub fn rate_at(&self, at: Time) -> Option<Bitrate> {
        let passed = self.steps.iter().rev().find(|step| step.at <= at);
        passed.map(|step| step.rate).or(self.initial)
    }

    /// Returns when a packet of `len` bytes has been sent whose first bit is sent at `start`. Returns
    /// `None` when the bitrate stays zero.
    pub fn departure(&self, start: Time, len: usize) -> Option<Time> {
        // Bits times microseconds per second, so that no bit is lost at a change.
        let mut left = (len as u128) * 8 * 1_000_000;
        let mut at = start;
        loop {
            let Some(rate) = self.rate_at(at) else {
                return Some(at);
            };
            let bps = u128::from(rate.as_bps());
            let next = self.steps.iter().find(|step| step.at > at);
            let until_next = next.map(|step| step.at.since(at).as_micros());
            let needed = left.checked_div(bps);
            match (needed, until_next) {
                (Some(needed), until) if until.is_none_or(|until| needed <= until) => {
                    let micros = u64::try_from(needed).unwrap_or(u64::MAX);
                    return Some(at + Duration::from_micros(micros));
                }
                (_, Some(until)) => {
                    left -= (bps * until).min(left);
                    at = next?.at;
                }
                (_, None) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(steps: &[(u64, u64)]) -> Capacity {
        let mut capacity = Capacity::constant(Some(Bitrate::from_kbps(1_000)));
        let step = |&(millis, kbps)| RateStep {
            at: Time::from_millis(millis),
            rate: Bitrate::from_kbps(kbps),
        };
        capacity.schedule(steps.iter().map(step).collect());
        capacity
    }

    #[test]
    fn packet_is_sent_at_the_bitrates_of_the_times_it_takes() {
        // 4,000 bit at 1 Mbit/s in 4 ms, 4,000 bit at 0.5 Mbit/s in 8 ms.
        let departure = steps(&[(4, 500)]).departure(Time::ZERO, 1_000);
        assert_eq!(departure, Some(Time::from_millis(12)));
    }

    #[test]
    fn packet_waits_while_the_bitrate_is_zero() {
        let capacity = steps(&[(4, 0), (10, 1_000), (20, 0)]);
        assert_eq!(
            capacity.departure(Time::ZERO, 1_000),
            Some(Time::from_millis(14))
        );
        assert_eq!(capacity.departure(Time::from_millis(20), 1), None);
    }
}
