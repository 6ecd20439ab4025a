//! Detects shards that hang. A thread cannot be killed, so a shard that hangs for long ends the
//! process: the service manager restarts it and browsers rejoin.

use std::time::Duration;

use tokio::time::interval;

use crate::heartbeat::Heartbeat;

/// Interval at which heartbeats are checked. A shard beats at least every 250 ms.
const INTERVAL: Duration = Duration::from_millis(500);

/// Intervals without a beat after which a shard counts as hung: 2 s.
const HUNG_AFTER: u32 = 4;

/// Intervals without a beat after which the process aborts: 8 s.
const ABORT_AFTER: u32 = 16;

/// Checks heartbeats for ever. Counts its own intervals instead of reading the clock, so that a
/// machine that was suspended does not look like a shard that hangs.
pub async fn run(heartbeats: Vec<Heartbeat>) {
    let mut shards: Vec<_> = heartbeats.into_iter().map(WatchedShard::new).collect();
    let mut interval = interval(INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        for shard in &mut shards {
            if shard.check() == ABORT_AFTER {
                tracing::error!(
                    shard = shard.heartbeat.shard(),
                    "shard hung for 8 s: aborting the process"
                );
                std::process::abort();
            }
        }
    }
}

#[derive(Debug)]
struct WatchedShard {
    /// Heartbeat of the shard.
    heartbeat: Heartbeat,
    /// Beats at the last check.
    beats: u64,
    /// Intervals since the last beat.
    silent: u32,
}

impl WatchedShard {
    fn new(heartbeat: Heartbeat) -> Self {
        Self {
            beats: heartbeat.beats(),
            heartbeat,
            silent: 0,
        }
    }

    /// Returns the intervals without a beat, and logs once when they reach `HUNG_AFTER`.
    fn check(&mut self) -> u32 {
        let beats = self.heartbeat.beats();
        self.silent = if beats == self.beats {
            self.silent + 1
        } else {
            0
        };
        self.beats = beats;
        if self.silent == HUNG_AFTER {
            tracing::error!(shard = self.heartbeat.shard(), "shard hangs");
        }
        self.heartbeat.set_hung(self.silent >= HUNG_AFTER);
        self.silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_is_hung_after_two_seconds_without_a_beat_until_the_next_beat() {
        let heartbeat = Heartbeat::new(0);
        let mut shard = WatchedShard::new(heartbeat.clone());
        for interval in 1..=HUNG_AFTER {
            assert!(!heartbeat.is_hung());
            assert_eq!(shard.check(), interval);
        }
        assert!(heartbeat.is_hung());
        heartbeat.record_beat();
        assert_eq!(shard.check(), 0);
        assert!(!heartbeat.is_hung());
    }
}
