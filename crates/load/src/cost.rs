//! What processes cost, read from `/proc` (proc(5)): time on processors, thread by thread, memory,
//! and context switches. It is looked at before anybody joins, and at the start and end of what is
//! measured; the differences are what counts. Nothing here is called on a thread that moves media:
//! a look takes milliseconds.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use procfs::process::{Process, Task};
use procfs::{CurrentSI, KernelStats, ProcError};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::runs::{self, Counters, Runs, RunsError};
use crate::table::ReportArgs;

/// What the media threads' names begin with.
pub const SHARD_PREFIX: &str = "shard-";

/// Why nothing can be said.
#[derive(Debug, Error)]
pub enum CostError {
    /// There is no such process, or it is not ours to look at.
    #[error("process {pid}: {error}")]
    Process {
        /// Which.
        pid: i32,
        /// Why not.
        error: ProcError,
    },
    /// The server does not say how long its runs are.
    #[error(transparent)]
    Runs(#[from] RunsError),
}

/// A thread at one moment.
#[derive(Debug, Clone, PartialEq)]
struct Thread {
    /// As the operating system calls it.
    name: String,
    /// Its time on processors so far.
    cpu: Duration,
    /// The time it was ready to work and others had its processor.
    waited: Duration,
    /// Times it gave the processor away, and times it was taken from it.
    switches: [u64; 2],
}

/// A process at one moment.
#[derive(Debug, Clone, PartialEq)]
struct Usage {
    /// Its time on processors so far, with that of threads that have ended.
    cpu: Duration,
    /// Its threads, by number.
    threads: BTreeMap<i32, Thread>,
    /// Memory that is really there.
    rss_bytes: u64,
}

/// What is watched: the server's processes, and this one.
#[derive(Debug)]
pub struct Observer {
    /// The server's processes.
    pids: Vec<i32>,
    /// Where the server shows its counters.
    metrics: Option<String>,
    /// What the server wants to be shown for that.
    api_key: Option<String>,
}

/// All of it at one moment.
#[derive(Debug, Clone)]
pub struct Sight {
    /// When.
    at: Instant,
    /// The server's processes.
    servers: Vec<Usage>,
    /// This process.
    own: Usage,
    /// The server's counters.
    counters: Option<Counters>,
    /// The time for which the host of a virtual machine ran others on a processor, on average.
    stolen: Duration,
}

/// What a thread cost.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThreadCost {
    /// As the operating system calls it.
    pub name: String,
    /// Its time on processors.
    pub cpu_s: f64,
    /// The time it was ready to work and others had its processor.
    pub waited_s: f64,
}

/// What processes cost between two moments.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Time on processors.
    pub cpu_s: f64,
    /// The same by thread, without what cost nothing; the dearest first.
    pub threads: Vec<ThreadCost>,
    /// Memory at the end.
    pub rss_bytes: u64,
    /// Times a thread gave the processor away.
    pub voluntary_switches: u64,
    /// Times a processor was taken from a thread.
    pub involuntary_switches: u64,
}

/// What a run cost.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Time between the two looks at what is measured.
    pub seconds: f64,
    /// The server in that time; nothing when no process was named.
    pub server: Option<Cost>,
    /// This process in that time.
    pub own: Cost,
    /// The share that the busiest of our threads, or all of them together of the cores that they
    /// may use, had at work: 1 is all. Above [`Costs::OWN_SHARE_MAX`] the figures are ours.
    pub own_share: f64,
    /// The server's processor time from before the first join until the start of what is measured.
    pub joining_cpu_s: Option<f64>,
    /// Of it, the media threads'; nothing when they cannot be told apart.
    pub joining_shards_cpu_s: Option<f64>,
    /// The server's memory before the first join.
    pub rss_before_bytes: Option<u64>,
    /// How the server's datagrams left, when it says so.
    pub runs: Option<Runs>,
    /// The share of all processors that the host of a virtual machine gave to others.
    pub stolen_share: f64,
}

impl Observer {
    /// Watches what `args` name.
    pub fn new(args: &ReportArgs) -> Result<Self, CostError> {
        let observer = Self {
            pids: args.pids.clone(),
            metrics: args.metrics.clone(),
            api_key: args.api_key.clone(),
        };
        observer.look()?;
        Ok(observer)
    }

    /// How things are now. Takes milliseconds, more when the server's counters are asked for.
    pub fn look(&self) -> Result<Sight, CostError> {
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        let key = self.api_key.as_deref();
        let counters = self.metrics.as_deref().map(|url| runs::fetch(url, key));
        let counters = counters.transpose()?;
        let servers = self.pids.iter().map(|&pid| Usage::of(pid));
        Ok(Sight {
            servers: servers.collect::<Result<_, _>>()?,
            own: Usage::of(own)?,
            counters,
            stolen: stolen(),
            at: Instant::now(),
        })
    }
}

impl Usage {
    /// What process `pid` has used.
    fn of(pid: i32) -> Result<Self, CostError> {
        Self::read(pid).map_err(|error| CostError::Process { pid, error })
    }

    fn read(pid: i32) -> Result<Self, ProcError> {
        let process = Process::new(pid)?;
        let stat = process.stat()?;
        let mut threads = BTreeMap::new();
        for task in process.tasks()?.flatten() {
            // A thread that ends while it is looked at is not missed: the process counts it.
            if let Ok(thread) = Thread::read(&task) {
                threads.insert(task.tid, thread);
            }
        }
        Ok(Self {
            cpu: ticks(stat.utime + stat.stime),
            threads,
            rss_bytes: stat.rss * procfs::page_size(),
        })
    }
}

impl Thread {
    fn read(task: &Task) -> Result<Self, ProcError> {
        let stat = task.stat()?;
        let status = task.status()?;
        // The scheduler's own account has nanoseconds; not every kernel shows it.
        let exact = task.schedstat().ok();
        let cpu = exact.as_ref().map(|it| it.sum_exec_runtime);
        let waited = exact.as_ref().map(|it| it.run_delay);
        Ok(Self {
            name: stat.comm,
            cpu: cpu.map_or_else(|| ticks(stat.utime + stat.stime), Duration::from_nanos),
            waited: Duration::from_nanos(waited.unwrap_or(0)),
            switches: [
                status.voluntary_ctxt_switches.unwrap_or(0),
                status.nonvoluntary_ctxt_switches.unwrap_or(0),
            ],
        })
    }
}

/// The time that the host has taken from a processor of this machine so far, on average; none where
/// there is no host.
fn stolen() -> Duration {
    let Ok(statistics) = KernelStats::current() else {
        return Duration::ZERO;
    };
    let processors = statistics.cpu_time.len().max(1) as u64;
    ticks(statistics.total.steal.unwrap_or(0) / processors)
}

/// The clock ticks of `/proc`, 10 ms nearly everywhere.
fn ticks(count: u64) -> Duration {
    Duration::from_millis(count * 1_000 / procfs::ticks_per_second().max(1))
}

impl Cost {
    /// What all of `after` cost since `before`, both in the same order.
    fn between(before: &[Usage], after: &[Usage]) -> Self {
        let mut cost = Self::default();
        for (before, after) in before.iter().zip(after) {
            cost.cpu_s += after.cpu.saturating_sub(before.cpu).as_secs_f64();
            cost.rss_bytes += after.rss_bytes;
            for (id, thread) in &after.threads {
                let earlier = before.threads.get(id);
                cost.add_thread(earlier, thread);
            }
        }
        cost.threads.sort_by(|a, b| b.cpu_s.total_cmp(&a.cpu_s));
        cost
    }

    fn add_thread(&mut self, before: Option<&Thread>, after: &Thread) {
        let [voluntary, involuntary] = after.switches;
        let [voluntary_before, involuntary_before] = before.map_or([0; 2], |it| it.switches);
        self.voluntary_switches += voluntary.saturating_sub(voluntary_before);
        self.involuntary_switches += involuntary.saturating_sub(involuntary_before);
        let since = |of: fn(&Thread) -> Duration| {
            let earlier = before.map_or(Duration::ZERO, of);
            of(after).saturating_sub(earlier).as_secs_f64()
        };
        let cpu_s = since(|it| it.cpu);
        if cpu_s > 0.0 {
            self.threads.push(ThreadCost {
                name: after.name.clone(),
                cpu_s,
                waited_s: since(|it| it.waited),
            });
        }
    }

    /// The time that the busiest thread was ready to work and others had its processor.
    pub fn busiest_waited_s(&self) -> f64 {
        self.threads.first().map_or(0.0, |it| it.waited_s)
    }

    /// Processor time of media threads.
    pub fn shards_cpu_s(&self) -> f64 {
        let shards = self.threads.iter();
        shards
            .filter(|it| it.name.starts_with(SHARD_PREFIX))
            .map(|it| it.cpu_s)
            .sum()
    }

    /// Processor time of the busiest media thread.
    pub fn busiest_shard_cpu_s(&self) -> f64 {
        let shards = self.threads.iter();
        shards
            .filter(|it| it.name.starts_with(SHARD_PREFIX))
            .map(|it| it.cpu_s)
            .fold(0.0, f64::max)
    }
}

impl Costs {
    /// The share of its cores above which a generator measures itself.
    pub const OWN_SHARE_MAX: f64 = 0.85;

    /// What happened between three looks: before anybody joined, and at the start and the end of
    /// what is measured.
    pub fn between(before: &Sight, start: &Sight, end: &Sight) -> Self {
        let seconds = end.at.saturating_duration_since(start.at).as_secs_f64();
        let is_watched = !end.servers.is_empty();
        let own = Cost::between(
            std::slice::from_ref(&start.own),
            std::slice::from_ref(&end.own),
        );
        let joining = Cost::between(&before.servers, &start.servers);
        let counters = start.counters.as_ref().zip(end.counters.as_ref());
        let stolen = end.stolen.saturating_sub(start.stolen);
        Self {
            seconds,
            server: is_watched.then(|| Cost::between(&start.servers, &end.servers)),
            own_share: own_share(&own, seconds),
            own,
            joining_cpu_s: is_watched.then_some(joining.cpu_s),
            joining_shards_cpu_s: Some(joining.shards_cpu_s()).filter(|&it| it > 0.0),
            rss_before_bytes: is_watched
                .then(|| before.servers.iter().map(|it| it.rss_bytes).sum()),
            runs: counters.map(|(start, end)| Runs::between(start, end)),
            stolen_share: stolen.as_secs_f64() / seconds.max(f64::MIN_POSITIVE),
        }
    }

    /// The share of time that other programs may keep the busiest thread of the server, or of
    /// ours, from its processor. Above it latency and loss are the machine's.
    pub const WAITED_SHARE_MAX: f64 = 0.1;

    /// Whether the figures are the server's, and not those of a generator at its end.
    pub fn is_valid(&self) -> bool {
        self.own_share <= Self::OWN_SHARE_MAX
    }

    /// The share of time that the busiest thread of the server, and of ours, was ready to work and
    /// others had its processor.
    pub fn waited_shares(&self) -> [f64; 2] {
        let server = self.server.as_ref().map_or(0.0, Cost::busiest_waited_s);
        [server, self.own.busiest_waited_s()].map(|it| it / self.seconds.max(f64::MIN_POSITIVE))
    }
}

/// How near this process was to its own end.
fn own_share(own: &Cost, seconds: f64) -> f64 {
    if seconds <= 0.0 {
        return 0.0;
    }
    // Tells how many cores this process is pinned to.
    let cores = available_parallelism().map_or(1, usize::from) as f64;
    let busiest = own.threads.iter().map(|it| it.cpu_s).fold(0.0, f64::max);
    busiest.max(own.cpu_s / cores) / seconds
}
