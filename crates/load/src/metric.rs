//! Metrics of a run: their labels, computation and formatting, in the order of the table.

use crate::latency::Latency;
use crate::outcome::Outcome;

/// A metric of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Open consumers.
    Consumers,
    /// Open transports.
    Transports,
    /// Packets sent to the server per second.
    PacketsIn,
    /// Packets forwarded by the server per second.
    PacketsOut,
    /// Megabits forwarded by the server per second.
    MegabitsOut,
    /// Packets lost, in percent.
    Loss,
    /// Packets received more than once.
    Duplicates,
    /// Packets misdelivered or altered.
    Violations,
    /// Packets received only as retransmissions.
    Retransmitted,
    /// Packets requested from each publisher per second.
    Nacks,
    /// Keyframes requested from each publisher per second.
    Plis,
    /// Median latency.
    LatencyP50,
    /// 99th percentile of the latency.
    LatencyP99,
    /// 99.9th percentile of the latency.
    LatencyP999,
    /// Greatest latency.
    LatencyMax,
    /// CPU usage of the server, in percent of one core.
    ServerCpu,
    /// CPU usage of the server's busiest media thread, in percent of one core.
    BusiestShard,
    /// CPU time of the server per forwarded packet.
    CpuPerPacket,
    /// CPU time of the media threads per forwarded packet.
    ShardsPerPacket,
    /// CPU time of all other threads per forwarded packet.
    RestPerPacket,
    /// Mean number of datagrams in a GSO run.
    RunLength,
    /// Voluntary context switches of the server per second.
    VoluntarySwitches,
    /// Involuntary context switches of the server per second.
    InvoluntarySwitches,
    /// Memory of the server (RSS).
    Memory,
    /// Memory added per transport.
    MemoryPerTransport,
    /// Datagrams that the kernel dropped at the server's sockets.
    SocketDrops,
    /// Peers that joined.
    Joined,
    /// Peers that failed to join.
    JoinFailures,
    /// Joins per second.
    JoinRate,
    /// Median duration of a join.
    JoinP50,
    /// 95th percentile of the duration of a join.
    JoinP95,
    /// 99th percentile of the duration of a join.
    JoinP99,
    /// CPU time of the server per joining transport, in runs without media.
    JoinCpu,
    /// CPU time of the media threads per joining transport.
    JoinShardsCpu,
    /// Time that the server's busiest thread waited for a core, in percent.
    ServerWaited,
    /// Time that the generator's busiest thread waited for a core, in percent.
    OwnWaited,
    /// CPU time that the hypervisor gave to other machines, in percent.
    Stolen,
    /// CPU usage of the generator, in percent of its cores.
    OwnCpu,
}

/// Unit and precision of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// A count.
    Count,
    /// A rate per second.
    PerSecond,
    /// A low rate per second, with two decimals.
    LowPerSecond,
    /// Megabits per second.
    Megabits,
    /// Percent, with three decimals.
    FinePercent,
    /// Percent, with one decimal.
    Percent,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Mebibytes.
    Mebibytes,
    /// Kibibytes.
    Kibibytes,
    /// A number without unit.
    Number,
}

impl Metric {
    /// All metrics, in the order of the table.
    pub const ALL: [Self; 38] = [
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
        Self::VoluntarySwitches,
        Self::InvoluntarySwitches,
        Self::Memory,
        Self::MemoryPerTransport,
        Self::SocketDrops,
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

    /// Returns label and unit.
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
            Self::Retransmitted => ("retransmitted", Unit::Count),
            Self::Nacks => ("NACKs per publisher", Unit::LowPerSecond),
            Self::Plis => ("PLIs per publisher", Unit::LowPerSecond),
            Self::LatencyP50 => ("latency p50", Unit::Millis),
            Self::LatencyP99 => ("latency p99", Unit::Millis),
            Self::LatencyP999 => ("latency p99.9", Unit::Millis),
            Self::LatencyMax => ("latency max", Unit::Millis),
            Self::ServerCpu => ("server CPU, of one core", Unit::Percent),
            Self::BusiestShard => ("busiest media thread", Unit::Percent),
            Self::CpuPerPacket => ("server CPU per packet", Unit::Micros),
            Self::ShardsPerPacket => ("  media threads", Unit::Micros),
            Self::RestPerPacket => ("  other threads", Unit::Micros),
            Self::RunLength => ("datagrams in a run", Unit::Number),
            Self::VoluntarySwitches => ("context switches, voluntary", Unit::PerSecond),
            Self::InvoluntarySwitches => ("context switches, forced", Unit::PerSecond),
            Self::Memory => ("server RSS", Unit::Mebibytes),
            Self::MemoryPerTransport => ("RSS per transport", Unit::Kibibytes),
            Self::SocketDrops => ("datagrams dropped at sockets", Unit::Count),
            Self::Joined => ("joined", Unit::Count),
            Self::JoinFailures => ("failed to join", Unit::Count),
            Self::JoinRate => ("joins", Unit::LowPerSecond),
            Self::JoinP50 => ("join p50", Unit::Millis),
            Self::JoinP95 => ("join p95", Unit::Millis),
            Self::JoinP99 => ("join p99", Unit::Millis),
            Self::JoinCpu => ("CPU per joining transport", Unit::Millis),
            Self::JoinShardsCpu => ("  media threads, joining", Unit::Millis),
            Self::OwnCpu => ("generator's own CPU", Unit::Percent),
            Self::ServerWaited => ("server waited for its core", Unit::Percent),
            Self::OwnWaited => ("generator waited for its core", Unit::Percent),
            Self::Stolen => ("stolen by the host", Unit::Percent),
        }
    }

    /// Returns the label in the table.
    pub const fn label(self) -> &'static str {
        self.describe().0
    }

    /// Formats `value` with its unit.
    pub fn format(self, value: f64) -> String {
        match self.describe().1 {
            Unit::Count => grouped(value),
            Unit::PerSecond => format!("{} /s", grouped(value)),
            Unit::LowPerSecond => format!("{value:.2} /s"),
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

    /// Returns the metric of a run; `None` if it was not measured.
    pub fn of(self, outcome: &Outcome) -> Option<f64> {
        match self {
            Self::Consumers => non_zero(outcome.consumers),
            Self::Transports => non_zero(outcome.transports),
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
            Self::SocketDrops => outcome.costs.socket_drops.map(|it| it as f64),
            Self::OwnCpu => Some(outcome.costs.own_share * 100.0),
            Self::OwnWaited => Some(outcome.costs.waited_shares()[1] * 100.0),
            Self::Stolen => Some(outcome.costs.stolen_share * 100.0),
            Self::RunLength => outcome.costs.runs.as_ref()?.mean(),
            _ => self.of_server(outcome),
        }
    }

    fn of_media(self, outcome: &Outcome) -> Option<f64> {
        let media = &outcome.media;
        // A run without media has no such metrics.
        non_zero(media.expected + media.delivered)?;
        let publishers = outcome.setup.rooms * outcome.setup.publishers;
        match self {
            Self::PacketsIn => outcome.per_second(media.published),
            Self::PacketsOut => outcome.per_second(media.delivered),
            Self::MegabitsOut => {
                let bits = outcome.mean_len()? * 8.0 / 1e6;
                Some(outcome.per_second(media.delivered)? * bits)
            }
            Self::Loss => {
                let lost = media.expected.saturating_sub(media.delivered);
                ratio(lost as f64 * 100.0, media.expected as f64)
            }
            Self::Duplicates => Some(media.duplicates as f64),
            Self::Violations => Some(media.violations as f64),
            Self::Retransmitted => Some(media.retransmitted as f64),
            Self::Nacks => ratio(outcome.per_second(media.nacks)?, publishers as f64),
            Self::Plis => ratio(outcome.per_second(media.plis)?, publishers as f64),
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
            // Threads of another server have other names and cannot be distinguished.
            Self::ShardsPerPacket if shards_s > 0.0 => ratio(shards_s * 1e6, packets),
            Self::RestPerPacket if shards_s > 0.0 => {
                ratio((server.cpu_s - shards_s).max(0.0) * 1e6, packets)
            }
            Self::ServerWaited => Some(costs.waited_shares()[0] * 100.0),
            Self::VoluntarySwitches => ratio(server.voluntary_switches as f64, costs.seconds),
            Self::InvoluntarySwitches => ratio(server.involuntary_switches as f64, costs.seconds),
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
        non_zero(joins.count + joins.failures)?;
        // With media, most of the time before the measurement is spent on forwarding.
        let per_transport = |cpu_s: Option<f64>| {
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
            Self::JoinCpu => per_transport(outcome.costs.joining_cpu_s),
            Self::JoinShardsCpu => per_transport(outcome.costs.joining_shards_cpu_s),
            _ => None,
        }
    }
}

/// Returns `count`, or `None` if it is zero.
fn non_zero(count: u64) -> Option<f64> {
    (count > 0).then_some(count as f64)
}

/// Returns the quotient, or `None` if the divisor is zero.
fn ratio(dividend: f64, divisor: f64) -> Option<f64> {
    (divisor > 0.0).then(|| dividend / divisor)
}

/// Returns a percentile in milliseconds, or `None` if nothing was recorded.
fn millis(latency: &Latency, micros: fn(&Latency) -> u64) -> Option<f64> {
    (latency.count > 0).then(|| micros(latency) as f64 / 1e3)
}

/// Formats a whole number with thousands separators: `12,345`.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut written = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            written.push(',');
        }
        written.push(digit);
    }
    written
}
