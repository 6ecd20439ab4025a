//! Thresholds that the metrics of a run are compared with, as named sets.

use std::fmt;

use crate::metric::Metric;

/// Upper or lower limit of one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// Metric that is limited.
    pub metric: Metric,
    /// Whether the limit is a minimum or maximum.
    kind: Kind,
    /// The limit, in the metric's unit.
    limit: f64,
}

/// Kind of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The metric must be at least the limit.
    Min,
    /// The metric must be at most the limit.
    Max,
}

const fn min(metric: Metric, limit: f64) -> Threshold {
    let kind = Kind::Min;
    Threshold {
        metric,
        kind,
        limit,
    }
}

const fn max(metric: Metric, limit: f64) -> Threshold {
    let kind = Kind::Max;
    Threshold {
        metric,
        kind,
        limit,
    }
}

/// Names of the sets.
pub const NAMES: [&str; 17] = [
    "L1",
    "L2",
    "L3",
    "L4",
    "L5",
    "L6",
    "L7",
    "L7-burst",
    "L9-half",
    "L9",
    "L10",
    "L10-media",
    "webinar",
    "webinar-600",
    "meeting",
    "meeting-32",
    "audio",
];

/// Forwarding rate on one core. The goal beyond the threshold is 100,000 packets per second.
const L1: [Threshold; 3] = [
    min(Metric::PacketsOut, 60_000.0),
    max(Metric::ServerCpu, 85.0),
    max(Metric::Violations, 0.0),
];

/// Many consumers on one worker.
const L2: [Threshold; 3] = [
    min(Metric::Consumers, 1_000.0),
    max(Metric::Loss, 0.0),
    max(Metric::LatencyP99, 5.0),
];

/// 10 publishers and 200 subscribers of audio.
const L3: [Threshold; 3] = [
    min(Metric::Consumers, 2_000.0),
    max(Metric::ServerCpu, 85.0),
    max(Metric::Loss, 0.01),
];

/// A meeting of 40 peers.
const L4: [Threshold; 3] = [
    min(Metric::Consumers, 1_560.0),
    max(Metric::ServerCpu, 90.0),
    max(Metric::JoinP99, 1_000.0),
];

/// One camera and 250 subscribers.
const L5: [Threshold; 3] = [
    min(Metric::Consumers, 250.0),
    max(Metric::Loss, 0.01),
    max(Metric::Plis, 1.1),
];

/// Many small rooms with little traffic.
const L6: [Threshold; 3] = [
    min(Metric::Transports, 4_000.0),
    max(Metric::ServerCpu, 60.0),
    max(Metric::MemoryPerTransport, 120.0),
];

/// 50 joins per second.
const L7: [Threshold; 4] = [
    min(Metric::JoinRate, 50.0),
    max(Metric::JoinFailures, 0.0),
    max(Metric::JoinP95, 400.0),
    max(Metric::JoinP99, 1_000.0),
];

/// 300 joins within a second.
const L7_BURST: [Threshold; 3] = [
    max(Metric::JoinFailures, 0.0),
    max(Metric::JoinP99, 3_000.0),
    max(Metric::JoinCpu, 0.6),
];

/// Latency at half load.
const L9_HALF: [Threshold; 2] = [max(Metric::LatencyP99, 2.0), max(Metric::LatencyP999, 10.0)];

/// Latency at full load.
const L9: [Threshold; 2] = [max(Metric::LatencyP99, 5.0), max(Metric::LatencyP999, 10.0)];

/// 1,500 viewers join a webinar, 50 per second, while nothing is sent.
const L10: [Threshold; 6] = [
    min(Metric::Joined, 1_501.0),
    max(Metric::JoinFailures, 0.0),
    max(Metric::JoinP95, 400.0),
    max(Metric::JoinCpu, 1.0),
    max(Metric::MemoryPerTransport, 40.0),
    max(Metric::SocketDrops, 0.0),
];

/// The same while a voice is sent.
const L10_MEDIA: [Threshold; 4] = [
    min(Metric::Joined, 1_501.0),
    max(Metric::JoinFailures, 0.0),
    max(Metric::JoinP95, 400.0),
    max(Metric::SocketDrops, 0.0),
];

/// One camera and 200 subscribers. The CPU limit is a fifth of the 16.7 µs that another server spends
/// per packet.
const WEBINAR: [Threshold; 3] = [
    max(Metric::Loss, 0.1),
    max(Metric::LatencyP99, 2.0),
    max(Metric::CpuPerPacket, 3.34),
];

/// Full load of one core: nearly all packets must still arrive.
const FULL_LOAD: [Threshold; 1] = [max(Metric::Loss, 0.1)];

/// A meeting of 20 peers. The CPU limit is a quarter of 8.6 µs.
const MEETING: [Threshold; 3] = [
    max(Metric::Loss, 0.1),
    max(Metric::LatencyP99, 2.0),
    max(Metric::CpuPerPacket, 2.15),
];

/// 10 publishers and 200 subscribers of audio. The CPU limit is 8.4 µs divided by 3.5.
const AUDIO: [Threshold; 3] = [
    max(Metric::Loss, 0.1),
    max(Metric::LatencyP99, 2.0),
    max(Metric::CpuPerPacket, 2.4),
];

/// Returns the set called `name`.
pub const fn named(name: &str) -> Option<&'static [Threshold]> {
    Some(match name.as_bytes() {
        b"L1" => &L1,
        b"L2" => &L2,
        b"L3" => &L3,
        b"L4" => &L4,
        b"L5" => &L5,
        b"L6" => &L6,
        b"L7" => &L7,
        b"L7-burst" => &L7_BURST,
        b"L9-half" => &L9_HALF,
        b"L9" => &L9,
        b"L10" => &L10,
        b"L10-media" => &L10_MEDIA,
        b"webinar" => &WEBINAR,
        b"webinar-600" | b"meeting-32" => &FULL_LOAD,
        b"meeting" => &MEETING,
        b"audio" => &AUDIO,
        _ => return None,
    })
}

impl Threshold {
    /// Returns "met" or "MISSED" for `value`.
    pub fn judge(&self, value: f64) -> &'static str {
        let is_met = match self.kind {
            Kind::Min => value >= self.limit,
            Kind::Max => value <= self.limit,
        };
        if is_met { "met" } else { "MISSED" }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.kind {
            Kind::Min => '≥',
            Kind::Max => '≤',
        };
        write!(f, "{sign} {}", self.metric.format(self.limit))
    }
}
