//! What the figures are to be. A bar is one number for one figure; a profile has several.

use std::fmt;

use super::figure::Figure;

/// One number that a figure is to keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// Which figure.
    pub figure: Figure,
    /// On which side of the number.
    side: Side,
    /// The number, in the figure's unit.
    limit: f64,
}

/// On which side of its bar a figure is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// So much or more.
    Least,
    /// So much or less.
    Most,
}

const fn least(figure: Figure, limit: f64) -> Bar {
    let side = Side::Least;
    Bar {
        figure,
        side,
        limit,
    }
}

const fn most(figure: Figure, limit: f64) -> Bar {
    let side = Side::Most;
    Bar {
        figure,
        side,
        limit,
    }
}

/// The profiles that have bars.
pub const NAMES: [&str; 15] = [
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
    "webinar",
    "webinar-600",
    "meeting",
    "meeting-32",
    "audio",
];

/// Forwarding as such. 100,000 packets a second is what we hope for.
const L1: [Bar; 3] = [
    least(Figure::PacketsOut, 60_000.0),
    most(Figure::ServerCpu, 85.0),
    most(Figure::Violations, 0.0),
];

/// Many consumers on one worker.
const L2: [Bar; 3] = [
    least(Figure::Consumers, 1_000.0),
    most(Figure::Loss, 0.0),
    most(Figure::LatencyP99, 5.0),
];

/// Ten speakers and two hundred listeners.
const L3: [Bar; 3] = [
    least(Figure::Consumers, 2_000.0),
    most(Figure::ServerCpu, 85.0),
    most(Figure::Loss, 0.01),
];

/// Forty people who all see each other.
const L4: [Bar; 3] = [
    least(Figure::Consumers, 1_560.0),
    most(Figure::ServerCpu, 90.0),
    most(Figure::JoinP99, 1_000.0),
];

/// One camera for 250 people.
const L5: [Bar; 3] = [
    least(Figure::Consumers, 250.0),
    most(Figure::Loss, 0.01),
    most(Figure::Plis, 1.1),
];

/// Many small rooms in which little happens.
const L6: [Bar; 3] = [
    least(Figure::Transports, 4_000.0),
    most(Figure::ServerCpu, 60.0),
    most(Figure::MemoryPerTransport, 120.0),
];

/// Fifty who join every second.
const L7: [Bar; 4] = [
    least(Figure::JoinRate, 50.0),
    most(Figure::JoinFailures, 0.0),
    most(Figure::JoinP95, 400.0),
    most(Figure::JoinP99, 1_000.0),
];

/// Three hundred who join within a second.
const L7_BURST: [Bar; 3] = [
    most(Figure::JoinFailures, 0.0),
    most(Figure::JoinP99, 3_000.0),
    most(Figure::JoinCpu, 0.6),
];

/// Latency at half load.
const L9_HALF: [Bar; 2] = [
    most(Figure::LatencyP99, 2.0),
    most(Figure::LatencyP999, 10.0),
];

/// Latency at full load.
const L9: [Bar; 2] = [
    most(Figure::LatencyP99, 5.0),
    most(Figure::LatencyP999, 10.0),
];

/// One camera for 200 people. A server that spends 16.7 µs on a packet is to be outdone five times.
const WEBINAR: [Bar; 3] = [
    most(Figure::Loss, 0.1),
    most(Figure::LatencyP99, 2.0),
    most(Figure::CpuPerPacket, 3.34),
];

/// As many as one core is to serve, where nearly everything still arrives.
const FULL: [Bar; 1] = [most(Figure::Loss, 0.1)];

/// Twenty people who all see each other. Of 8.6 µs, a quarter.
const MEETING: [Bar; 3] = [
    most(Figure::Loss, 0.1),
    most(Figure::LatencyP99, 2.0),
    most(Figure::CpuPerPacket, 2.15),
];

/// Ten speakers and two hundred listeners. 8.4 µs, divided by three and a half.
const AUDIO: [Bar; 3] = [
    most(Figure::Loss, 0.1),
    most(Figure::LatencyP99, 2.0),
    most(Figure::CpuPerPacket, 2.4),
];

/// The bars called `name`.
pub const fn named(name: &str) -> Option<&'static [Bar]> {
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
        b"webinar" => &WEBINAR,
        b"webinar-600" | b"meeting-32" => &FULL,
        b"meeting" => &MEETING,
        b"audio" => &AUDIO,
        _ => return None,
    })
}

impl Bar {
    /// Whether `value` keeps it, in a word.
    pub fn judge(&self, value: f64) -> &'static str {
        let is_met = match self.side {
            Side::Least => value >= self.limit,
            Side::Most => value <= self.limit,
        };
        if is_met { "met" } else { "MISSED" }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.side {
            Side::Least => '≥',
            Side::Most => '≤',
        };
        write!(f, "{sign} {}", self.figure.write(self.limit))
    }
}
