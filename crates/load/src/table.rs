//! What a run showed, as one table and as JSON.

use serde::Serialize;

/// All that a run showed. Counts are of the measured seconds alone, unless said otherwise.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Outcome {
    /// The profile's name.
    pub profile: String,
    /// The server.
    pub url: String,
    /// Rooms.
    pub rooms: u32,
    /// Peers that publish, in each room.
    pub publishers: u32,
    /// Peers that only receive, in each room.
    pub subscribers: u32,
    /// Video of each publisher in kbit/s; zero for none.
    pub video_kbps: u32,
    /// Whether publishers speak.
    pub audio: bool,
    /// Whether cameras send three encodings.
    pub simulcast: bool,
    /// The SRTP profile that was agreed on.
    pub srtp: String,
    /// Whether received datagrams may be joined to runs, which real clients do not do.
    pub gro: bool,
    /// How frames are paced.
    pub pacing: String,
    /// Of how many packets one was decrypted and checked; the sequence numbers of all are.
    pub verify_every: u32,
    /// Media threads of the generator.
    pub threads: u32,
    /// Seed of all chance.
    pub seed: u64,
    /// Seconds measured.
    pub seconds: f64,
    /// Peers connected at the end.
    pub peers: u32,
    /// Transports connected at the end.
    pub transports: u32,
    /// Producers at the end.
    pub producers: u32,
    /// Consumers at the end.
    pub consumers: u32,
    /// Consumers that got nothing, although their producer sent.
    pub silent_consumers: u32,
    /// Media packets sent to the server.
    pub packets_in: u64,
    /// Bytes of them, as datagrams.
    pub bytes_in: u64,
    /// Media packets forwarded by the server and received, repairs not counted.
    pub packets_out: u64,
    /// Bytes of them, as datagrams.
    pub bytes_out: u64,
    /// Packets missing from received streams, before repair.
    pub lost: u64,
    /// Of those lost, how many a retransmission brought.
    pub repaired: u64,
    /// Packets received twice.
    pub duplicates: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Received ÷ (sent × consumers of each): also counts what the server chose not to forward.
    pub delivered: Option<f64>,
    /// Packets that came to a consumer they do not belong to, or changed. Of the whole run.
    pub violations: u64,
    /// The first of them, in words.
    pub first_violation: Option<String>,
    /// NACKs sent: sequence numbers asked for.
    pub nacked: u64,
    /// Keyframe requests that consumers sent.
    pub keyframe_requests_sent: u64,
    /// Keyframe requests that publishers got.
    pub keyframe_requests_received: u64,
    /// Datagrams that could not be opened, or were nothing we know.
    pub discarded: u64,
    /// From before sending at a publisher to the kernel's arrival at a consumer.
    pub latency: Quantiles,
    /// Joins of the measured seconds, when the profile makes any.
    pub joins: Option<Joins>,
    /// Requests per second that a profile made on top.
    pub operations: u64,
    /// What the server's processes cost; none when no `--pid` was given.
    pub server: Option<ServerCost>,
    /// What the generator itself cost.
    pub own: OwnCost,
    /// Why the run shows nothing, if so.
    pub invalid: Option<String>,
}

/// Points of a distribution, in microseconds.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub struct Quantiles {
    /// How many were measured.
    pub count: u64,
    /// Half are below.
    pub p50_us: f64,
    /// 95 % are below.
    pub p95_us: f64,
    /// 99 % are below.
    pub p99_us: f64,
    /// 99.9 % are below.
    pub p999_us: f64,
    /// The greatest.
    pub max_us: f64,
}

/// Joins: from opening the WebSocket until both transports are connected and everything is
/// consumed.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Joins {
    /// Joins that were asked for.
    pub started: u64,
    /// Joins that came to their end.
    pub completed: u64,
    /// Joins that failed.
    pub failed: u64,
    /// Why the first of them failed.
    pub first_failure: Option<String>,
    /// How long they took.
    pub took: Quantiles,
}

/// What the server's processes cost in the measured seconds.
#[derive(Debug, Default, Clone, Serialize)]
pub struct ServerCost {
    /// Processes.
    pub pids: Vec<u32>,
    /// CPU time in seconds, user and system.
    pub cpu_seconds: f64,
    /// Of it, in the kernel.
    pub system_seconds: f64,
    /// CPU time ÷ forwarded packets, in microseconds.
    pub us_per_packet: f64,
    /// Context switches, of their own will and not.
    pub context_switches: u64,
    /// Resident bytes before the first peer joined.
    pub rss_before: u64,
    /// Resident bytes at the end.
    pub rss_after: u64,
    /// What came on top, for each transport, in bytes.
    pub rss_per_transport: f64,
    /// CPU time from the first join to the last, for each transport, in microseconds.
    pub us_per_joined_transport: f64,
}

/// What the generator itself cost in the measured seconds.
#[derive(Debug, Default, Clone, Serialize)]
pub struct OwnCost {
    /// CPU time in seconds, user and system.
    pub cpu_seconds: f64,
    /// The share of its busiest thread's core, or of all it may use where that is more.
    pub share: f64,
    /// CPU time ÷ received packets, in microseconds.
    pub us_per_packet: f64,
}
