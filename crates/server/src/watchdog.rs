//! Notices a media thread that no longer turns. A thread cannot be killed, so one that hangs for
//! good takes the process with it: whoever runs the program starts it again, and browsers rejoin.

use std::time::Duration;

use tokio::time::interval;

use crate::shard::Heartbeat;

/// How often the pulses are felt. A shard turns at least every 250 ms.
const INTERVAL: Duration = Duration::from_millis(500);

/// Intervals without a beat after which a shard counts as hung: 2 s.
const HUNG_AFTER: u32 = 4;

/// Intervals without a beat after which the process gives up: 8 s.
const ABORT_AFTER: u32 = 16;

/// Feels the pulses for ever. Counting its own intervals, not the clock, it does not mistake a
/// machine that slept for a shard that hangs.
pub async fn run(pulses: Vec<Heartbeat>) {
    let mut patients: Vec<_> = pulses.into_iter().map(WatchedShard::new).collect();
    let mut interval = interval(INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        for patient in &mut patients {
            if patient.feel() == ABORT_AFTER {
                tracing::error!(
                    shard = patient.pulse.shard(),
                    "shard hangs for good: aborting"
                );
                std::process::abort();
            }
        }
    }
}

#[derive(Debug)]
struct WatchedShard {
    /// Whose pulse is felt.
    pulse: Heartbeat,
    /// Beats at the last interval.
    beats: u64,
    /// Intervals since the last beat.
    silent: u32,
}

impl WatchedShard {
    fn new(pulse: Heartbeat) -> Self {
        Self {
            beats: pulse.beats(),
            pulse,
            silent: 0,
        }
    }

    /// Counts the intervals without a beat, and says so once when there are too many.
    fn feel(&mut self) -> u32 {
        let beats = self.pulse.beats();
        self.silent = if beats == self.beats {
            self.silent + 1
        } else {
            0
        };
        self.beats = beats;
        if self.silent == HUNG_AFTER {
            tracing::error!(shard = self.pulse.shard(), "shard hangs");
        }
        self.pulse.set_hung(self.silent >= HUNG_AFTER);
        self.silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_without_a_beat_for_two_seconds_is_hung_and_one_beat_heals_it() {
        let pulse = Heartbeat::new(0);
        let mut patient = WatchedShard::new(pulse.clone());
        for interval in 1..=HUNG_AFTER {
            assert!(!pulse.hung());
            assert_eq!(patient.feel(), interval);
        }
        assert!(pulse.hung());
        pulse.beat();
        assert_eq!(patient.feel(), 0);
        assert!(!pulse.hung());
    }
}
