//! The figures of a run: how each is called, computed and written. Their order is the table's.

use super::Outcome;
use crate::latency::Latency;

/// One figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Consumers that were open.
    Consumers,
    /// Transports that were open.
    Transports,
    /// Packets into the server, a second.
    PacketsIn,
    /// Packets forwarded, a second.
    PacketsOut,
    /// Megabits forwarded, a second.
    MegabitsOut,
    /// Packets that never came, in percent.
    Loss,
    /// Packets that came more than once.
    Duplicates,
    /// Packets that were not asked for.
    Violations,
    /// Packets that came only when sent again.
    Retransmitted,
    /// Requests for lost packets, a second and publisher.
    Nacks,
    /// Requests for keyframes, a second and publisher.
    Plis,
    /// Half of the packets took at most this long.
    LatencyP50,
    /// 99 of 100 did.
    LatencyP99,
    /// 999 of 1,000 did.
    LatencyP999,
    /// The longest.
    LatencyMax,
    /// The server's processor time, in percent of one core.
    ServerCpu,
    /// That of its busiest media thread.
    BusiestShard,
    /// The server's processor time for each forwarded packet.
    CpuPerPacket,
    /// Of it, the media threads'.
    ShardsPerPacket,
    /// Of it, all other threads'.
    RestPerPacket,
    /// Datagrams that left together, on average.
    RunLength,
    /// Times that a thread of the server gave up its processor, a second.
    Voluntary,
    /// Times that it was taken, a second.
    Involuntary,
    /// The server's memory.
    Memory,
    /// What each transport added to it.
    MemoryPerTransport,
    /// People who got in.
    Joined,
    /// People who did not.
    JoinFailures,
    /// People who got in, a second.
    JoinRate,
    /// Half of them waited at most this long.
    JoinP50,
    /// 95 of 100 did.
    JoinP95,
    /// 99 of 100 did.
    JoinP99,
    /// The server's processor time for each transport that joined, where nothing was sent.
    JoinCpu,
    /// Of it, the media threads'.
    JoinShardsCpu,
    /// Time that other programs kept the server's busiest thread from its core, in percent.
    ServerWaited,
    /// Time that they kept ours.
    OwnWaited,
    /// The share of the machine that its host gave to others.
    Stolen,
    /// Our own processor time, in percent of what we may use.
    OwnCpu,
}

/// What a figure is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// Things.
    Count,
    /// Things a second.
    PerSecond,
    /// Things a second, few of them.
    FewPerSecond,
    /// Megabits a second.
    Megabits,
    /// Percent, two digits.
    FinePercent,
    /// Percent.
    Percent,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Mebibytes.
    Mebibytes,
    /// Kibibytes.
    Kibibytes,
    /// A plain number.
    Number,
}

impl Figure {
    /// All of them.
    pub const ALL: [Self; 37] = [
        Self::Consumers,
        Self::Transports,
        Self::PacketsIn,
        Self::PacketsOut,
        Self::MegabitsOut,
        Self::Loss,
        Self::Duplicates,
        Self::Violations,
        Self::Retransmitted,
        Self::Nacks,
        Self::Plis,
        Self::LatencyP50,
        Self::LatencyP99,
        Self::LatencyP999,
        Self::LatencyMax,
        Self::ServerCpu,
        Self::BusiestShard,
        Self::CpuPerPacket,
        Self::ShardsPerPacket,
        Self::RestPerPacket,
        Self::RunLength,
        Self::Voluntary,
        Self::Involuntary,
        Self::Memory,
        Self::MemoryPerTransport,
        Self::Joined,
        Self::JoinFailures,
        Self::JoinRate,
        Self::JoinP50,
        Self::JoinP95,
        Self::JoinP99,
        Self::JoinCpu,
        Self::JoinShardsCpu,
        Self::OwnCpu,
        Self::ServerWaited,
        Self::OwnWaited,
        Self::Stolen,
    ];

    /// What it is called in the table, and what it is counted in.
    const fn describe(self) -> (&'static str, Unit) {
        match self {
            Self::Consumers => ("consumers", Unit::Count),
            Self::Transports => ("transports", Unit::Count),
            Self::PacketsIn => ("packets into the server", Unit::PerSecond),
            Self::PacketsOut => ("packets forwarded", Unit::PerSecond),
            Self::MegabitsOut => ("forwarded", Unit::Megabits),
            Self::Loss => ("lost", Unit::FinePercent),
            Self::Duplicates => ("duplicates", Unit::Count),
            Self::Violations => ("violations", Unit::Count),
            Self::Retransmitted => ("came when sent again", Unit::Count),
            Self::Nacks => ("NACKs for each publisher", Unit::FewPerSecond),
            Self::Plis => ("PLIs for each publisher", Unit::FewPerSecond),
            Self::LatencyP50 => ("latency p50", Unit::Millis),
            Self::LatencyP99 => ("latency p99", Unit::Millis),
            Self::LatencyP999 => ("latency p99.9", Unit::Millis),
            Self::LatencyMax => ("latency at most", Unit::Millis),
            Self::ServerCpu => ("server CPU, of one core", Unit::Percent),
            Self::BusiestShard => ("busiest media thread", Unit::Percent),
            Self::CpuPerPacket => ("server CPU per packet", Unit::Micros),
            Self::ShardsPerPacket => ("  media threads", Unit::Micros),
            Self::RestPerPacket => ("  other threads", Unit::Micros),
            Self::RunLength => ("datagrams in a run", Unit::Number),
            Self::Voluntary => ("context switches, voluntary", Unit::PerSecond),
            Self::Involuntary => ("context switches, forced", Unit::PerSecond),
            Self::Memory => ("server RSS", Unit::Mebibytes),
            Self::MemoryPerTransport => ("RSS per transport", Unit::Kibibytes),
            Self::Joined => ("joined", Unit::Count),
            Self::JoinFailures => ("failed to join", Unit::Count),
            Self::JoinRate => ("joins", Unit::FewPerSecond),
            Self::JoinP50 => ("join p50", Unit::Millis),
            Self::JoinP95 => ("join p95", Unit::Millis),
            Self::JoinP99 => ("join p99", Unit::Millis),
            Self::JoinCpu => ("CPU per joining transport", Unit::Millis),
            Self::JoinShardsCpu => ("  of it media threads", Unit::Millis),
            Self::OwnCpu => ("generator's own CPU", Unit::Percent),
            Self::ServerWaited => ("others had the server's core", Unit::Percent),
            Self::OwnWaited => ("others had the generator's", Unit::Percent),
            Self::Stolen => ("the host took of all cores", Unit::Percent),
        }
    }

    /// What it is called in the table.
    pub const fn label(self) -> &'static str {
        self.describe().0
    }

    /// The figure as it is written, with its unit.
    pub fn write(self, value: f64) -> String {
        match self.describe().1 {
            Unit::Count => grouped(value),
            Unit::PerSecond => format!("{} /s", grouped(value)),
            Unit::FewPerSecond => format!("{value:.2} /s"),
            Unit::Megabits => format!("{} Mbit/s", grouped(value)),
            Unit::FinePercent => format!("{value:.3} %"),
            Unit::Percent => format!("{value:.1} %"),
            Unit::Millis => format!("{value:.2} ms"),
            Unit::Micros => format!("{value:.3} µs"),
            Unit::Mebibytes => format!("{value:.1} MiB"),
            Unit::Kibibytes => format!("{value:.1} KiB"),
            Unit::Number => format!("{value:.2}"),
        }
    }

    /// The figure of a run, if the run knows it.
    pub fn of(self, outcome: &Outcome) -> Option<f64> {
        match self {
            Self::Consumers => some(outcome.consumers),
            Self::Transports => some(outcome.transports),
            Self::PacketsIn
            | Self::PacketsOut
            | Self::MegabitsOut
            | Self::Loss
            | Self::Duplicates
            | Self::Violations
            | Self::Retransmitted
            | Self::Nacks
            | Self::Plis => self.of_media(outcome),
            Self::LatencyP50 => millis(&outcome.latency, |it| it.p50_us),
            Self::LatencyP99 => millis(&outcome.latency, |it| it.p99_us),
            Self::LatencyP999 => millis(&outcome.latency, |it| it.p999_us),
            Self::LatencyMax => millis(&outcome.latency, |it| it.max_us),
            Self::Joined
            | Self::JoinFailures
            | Self::JoinRate
            | Self::JoinP50
            | Self::JoinP95
            | Self::JoinP99
            | Self::JoinCpu
            | Self::JoinShardsCpu => self.of_joins(outcome),
            Self::OwnCpu => Some(outcome.costs.own_share * 100.0),
            Self::OwnWaited => Some(outcome.costs.waited_shares()[1] * 100.0),
            Self::Stolen => Some(outcome.costs.stolen_share * 100.0),
            Self::RunLength => outcome.costs.runs.as_ref()?.mean(),
            _ => self.of_server(outcome),
        }
    }

    fn of_media(self, outcome: &Outcome) -> Option<f64> {
        let media = &outcome.media;
        // A run without media knows nothing of it.
        some(media.expected + media.delivered)?;
        let publishers = outcome.setup.rooms * outcome.setup.publishers;
        match self {
            Self::PacketsIn => outcome.rate(media.published),
            Self::PacketsOut => outcome.rate(media.delivered),
            Self::MegabitsOut => {
                let bits = outcome.mean_len()? * 8.0 / 1e6;
                Some(outcome.rate(media.delivered)? * bits)
            }
            Self::Loss => {
                let lost = media.expected.saturating_sub(media.delivered);
                ratio(lost as f64 * 100.0, media.expected as f64)
            }
            Self::Duplicates => Some(media.duplicates as f64),
            Self::Violations => Some(media.violations as f64),
            Self::Retransmitted => Some(media.retransmitted as f64),
            Self::Nacks => ratio(outcome.rate(media.nacks)?, publishers as f64),
            Self::Plis => ratio(outcome.rate(media.plis)?, publishers as f64),
            _ => None,
        }
    }

    fn of_server(self, outcome: &Outcome) -> Option<f64> {
        let costs = &outcome.costs;
        let server = costs.server.as_ref()?;
        let packets = outcome.media.delivered as f64;
        let shards_s = server.shards_cpu_s();
        match self {
            Self::ServerCpu => ratio(server.cpu_s * 100.0, costs.seconds),
            Self::BusiestShard if shards_s > 0.0 => {
                ratio(server.busiest_shard_cpu_s() * 100.0, costs.seconds)
            }
            Self::CpuPerPacket => ratio(server.cpu_s * 1e6, packets),
            // Another server's threads have other names: nothing is told apart.
            Self::ShardsPerPacket if shards_s > 0.0 => ratio(shards_s * 1e6, packets),
            Self::RestPerPacket if shards_s > 0.0 => {
                ratio((server.cpu_s - shards_s).max(0.0) * 1e6, packets)
            }
            Self::ServerWaited => Some(costs.waited_shares()[0] * 100.0),
            Self::Voluntary => ratio(server.voluntary_switches as f64, costs.seconds),
            Self::Involuntary => ratio(server.involuntary_switches as f64, costs.seconds),
            Self::Memory => Some(server.rss_bytes as f64 / f64::from(1 << 20)),
            Self::MemoryPerTransport => {
                let added = server.rss_bytes.saturating_sub(costs.rss_before_bytes?);
                ratio(added as f64 / 1_024.0, outcome.transports as f64)
            }
            _ => None,
        }
    }

    fn of_joins(self, outcome: &Outcome) -> Option<f64> {
        let joins = &outcome.joins;
        some(joins.count + joins.failures)?;
        // Where there is media, most of the time before the start went into forwarding.
        let each = |cpu_s: Option<f64>| {
            let cpu_ms = cpu_s.filter(|_| outcome.media.published == 0)? * 1e3;
            ratio(cpu_ms, outcome.transports as f64)
        };
        match self {
            Self::Joined => Some(joins.count as f64),
            Self::JoinFailures => Some(joins.failures as f64),
            Self::JoinRate => ratio(joins.count as f64, joins.seconds),
            Self::JoinP50 => millis(&joins.latency, |it| it.p50_us),
            Self::JoinP95 => millis(&joins.latency, |it| it.p95_us),
            Self::JoinP99 => millis(&joins.latency, |it| it.p99_us),
            Self::JoinCpu => each(outcome.costs.joining_cpu_s),
            Self::JoinShardsCpu => each(outcome.costs.joining_shards_cpu_s),
            _ => None,
        }
    }
}

/// A count, unless there is none.
fn some(count: u64) -> Option<f64> {
    (count > 0).then_some(count as f64)
}

/// A quotient, unless its divisor is zero.
fn ratio(dividend: f64, divisor: f64) -> Option<f64> {
    (divisor > 0.0).then(|| dividend / divisor)
}

/// A percentile in milliseconds, unless nothing was recorded.
fn millis(latency: &Latency, micros: fn(&Latency) -> u64) -> Option<f64> {
    (latency.count > 0).then(|| micros(latency) as f64 / 1e3)
}

/// A whole number with its thousands apart: `12,345`.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut written = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            written.push(',');
        }
        written.push(digit);
    }
    written
}
