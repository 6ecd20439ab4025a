//! How full this server is, as one figure: the largest share of anything that is used up by more participants.
//! At 1 the next ones would spoil calls or be refused; above, they do. For autoscalers, load balancers and alerts.

use std::time::Duration;

use watersmeet_conference::{ConferenceGauges, ConferenceLimits};

use crate::process_metrics::ProcessMetrics;
use crate::shard_metrics::ShardMetrics;

/// Share of time for which a media thread may work. Above, packets wait for it for longer than jitter buffers
/// like, and there is nothing left for keyframes and bursts.
const BUSY_FULL: f64 = 0.9;

/// Time that a media thread needs to connect a transport (docs/performance.md, profile L7).
const HANDSHAKE_COST: Duration = Duration::from_millis(1);

/// How full the server is, by part. Each is a share, where 1 is full.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// The part that is fullest.
    pub used: f64,
    /// All parts with their names.
    pub parts: [(&'static str, f64); 5],
}

impl Capacity {
    /// Computes how full the server is from the metrics of its shards, conference and process.
    pub fn new(
        shards: &[ShardMetrics],
        gauges: &ConferenceGauges,
        limits: &ConferenceLimits,
        process: Option<ProcessMetrics>,
    ) -> Self {
        let busiest =
            |share: fn(&ShardMetrics) -> f64| shards.iter().map(share).fold(0.0, f64::max);
        let process = process.unwrap_or_default();
        let parts = [
            ("cpu", busiest(cpu)),
            ("handshakes", busiest(handshakes)),
            ("connections", share(gauges.sessions, limits.sessions_max)),
            ("rooms", share(gauges.rooms, limits.rooms_max)),
            (
                "open_files",
                ratio(process.descriptors, process.descriptors_max),
            ),
        ];
        Self {
            used: parts.iter().map(|(_, share)| *share).fold(0.0, f64::max),
            parts,
        }
    }
}

/// Returns the share of a media thread that packets and everything else on it need: receiving, decrypting,
/// forwarding, encrypting and sending. A thread that is kept from its core counts as busy.
fn cpu(metrics: &ShardMetrics) -> f64 {
    f64::from(metrics.busy_permille) / 1_000.0 / BUSY_FULL
}

/// Returns the share of the next second of a media thread that handshakes in progress will need.
fn handshakes(metrics: &ShardMetrics) -> f64 {
    let connecting = metrics.worker.transports.connecting;
    ratio(connecting, 1) * HANDSHAKE_COST.as_secs_f64()
}

fn share(used: usize, max: usize) -> f64 {
    ratio(used as u64, max as u64)
}

/// Returns `used` as a share of `max`, or 0 when there is no bound.
#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
fn ratio(used: u64, max: u64) -> f64 {
    match max {
        0 => 0.0,
        _ => used as f64 / max as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(busy_permille: u16, connecting: u64) -> ShardMetrics {
        let mut metrics = ShardMetrics {
            busy_permille,
            ..ShardMetrics::default()
        };
        metrics.worker.transports.connecting = connecting;
        metrics
    }

    #[test]
    fn fullest_part_of_the_busiest_thread_decides() {
        let gauges = ConferenceGauges {
            sessions: 5_000,
            rooms: 100,
            ..ConferenceGauges::default()
        };
        let limits = ConferenceLimits::default();
        let of = |shards: &[ShardMetrics]| Capacity::new(shards, &gauges, &limits, None);
        let calm = of(&[shard(90, 0), shard(45, 20)]);
        let expected = [
            ("cpu", 0.1),
            ("handshakes", 0.02),
            ("connections", 0.25),
            ("rooms", 0.01),
            ("open_files", 0.0),
        ];
        for (part, expected) in calm.parts.into_iter().zip(expected) {
            assert_eq!(part.0, expected.0);
            assert!((part.1 - expected.1).abs() < 1e-9, "{part:?}");
        }
        assert!((calm.used - 0.25).abs() < 1e-9);
        let busy = of(&[shard(450, 0), shard(990, 0)]);
        assert!((busy.used - 1.1).abs() < 1e-9, "{busy:?}");
        let joining = of(&[shard(300, 700)]);
        assert!((joining.used - 0.7).abs() < 1e-9, "{joining:?}");
    }

    #[test]
    fn open_files_count_where_the_system_reports_them() {
        let process = ProcessMetrics {
            descriptors: 900,
            descriptors_max: 1_024,
            ..ProcessMetrics::default()
        };
        let limits = ConferenceLimits::default();
        let capacity = Capacity::new(&[], &ConferenceGauges::default(), &limits, Some(process));
        assert!((capacity.used - 900.0 / 1_024.0).abs() < 1e-9);
    }
}
