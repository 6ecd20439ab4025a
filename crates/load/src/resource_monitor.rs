//! Resource usage of processes from `/proc` (proc(5)): CPU time by thread, memory, and context
//! switches. Snapshots are taken before the first join, and at the start and end of the measurement;
//! the results are their differences. A snapshot takes milliseconds, so media threads take none.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use procfs::process::{Process, Task};
use procfs::{CurrentSI, KernelStats, ProcError};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::options::ReportArgs;
use crate::run_lengths::{self, MetricsError, RunCounters, RunLengths};
use crate::socket_drops;

/// Prefix of the names of the server's media threads.
pub const SHARD_PREFIX: &str = "shard-";

/// Reason why the resource usage cannot be read.
#[derive(Debug, Error)]
pub enum MonitorError {
    /// The process does not exist, or reading it is not permitted.
    #[error("process {pid}: {error}")]
    Process {
        /// Process identifier.
        pid: i32,
        /// Error of `/proc`.
        error: ProcError,
    },
    /// Reading the server's metrics failed.
    #[error(transparent)]
    RunLengths(#[from] MetricsError),
}

/// A thread at one point in time.
#[derive(Debug, Clone, PartialEq)]
struct Thread {
    /// Name of the thread.
    name: String,
    /// CPU time so far.
    cpu: Duration,
    /// Time for which it was runnable and waited for a core.
    waited: Duration,
    /// Voluntary and involuntary context switches.
    switches: [u64; 2],
}

/// A process at one point in time.
#[derive(Debug, Clone, PartialEq)]
struct Usage {
    /// CPU time so far, including threads that have ended.
    cpu: Duration,
    /// Threads by identifier.
    threads: BTreeMap<i32, Thread>,
    /// Resident memory.
    rss_bytes: u64,
    /// Datagrams that the kernel dropped at its sockets so far.
    socket_drops: u64,
}

/// Takes snapshots of the server's processes and of the generator.
#[derive(Debug)]
pub struct ResourceMonitor {
    /// Process identifiers of the server.
    pids: Vec<i32>,
    /// URL of the server's metrics.
    metrics: Option<String>,
    /// API key for the metrics.
    api_key: Option<String>,
}

/// All monitored processes at one point in time.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Time at which it was taken.
    at: Instant,
    /// The server's processes.
    servers: Vec<Usage>,
    /// The generator.
    own: Usage,
    /// The server's run counters.
    counters: Option<RunCounters>,
    /// CPU time given to other virtual machines by the hypervisor, mean per core.
    stolen: Duration,
}

/// CPU time of a thread.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThreadCost {
    /// Name of the thread.
    pub name: String,
    /// CPU time in seconds.
    pub cpu_s: f64,
    /// Seconds for which it was runnable and waited for a core.
    pub waited_s: f64,
}

/// Resource usage of processes between two snapshots.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessCost {
    /// CPU time in seconds.
    pub cpu_s: f64,
    /// CPU time by thread, the busiest first, without idle threads.
    pub threads: Vec<ThreadCost>,
    /// Resident memory at the end.
    pub rss_bytes: u64,
    /// Voluntary context switches.
    pub voluntary_switches: u64,
    /// Involuntary context switches.
    pub involuntary_switches: u64,
    /// Datagrams that the kernel dropped because nobody read them in time.
    #[serde(default)]
    pub socket_drops: u64,
}

/// Resource usage during a run.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunCost {
    /// Seconds between the snapshots of the measurement.
    pub seconds: f64,
    /// The server's usage in that time; `None` when no process was named.
    pub server: Option<ProcessCost>,
    /// The generator's usage in that time.
    pub own: ProcessCost,
    /// CPU usage of the generator: of its busiest thread, or of all its threads on its cores if that
    /// is more; 1 is full. Above [`RunCost::OWN_SHARE_MAX`] the results are invalid.
    pub own_share: f64,
    /// CPU seconds of the server from before the first join to the start of the measurement.
    pub joining_cpu_s: Option<f64>,
    /// CPU seconds of the media threads among them; `None` when they are not known.
    pub joining_shards_cpu_s: Option<f64>,
    /// Datagrams that the kernel dropped at the server's sockets, from before the first join to the
    /// end of the measurement.
    #[serde(default)]
    pub socket_drops: Option<u64>,
    /// Resident memory of the server before the first join.
    pub rss_before_bytes: Option<u64>,
    /// Runs that the server sent, if its metrics were read.
    pub runs: Option<RunLengths>,
    /// Share of CPU time that the hypervisor gave to other virtual machines.
    pub stolen_share: f64,
}

impl ResourceMonitor {
    /// Creates a monitor of the processes that `args` name.
    ///
    /// # Errors
    /// Fails when the first snapshot fails.
    pub fn new(args: &ReportArgs) -> Result<Self, MonitorError> {
        let monitor = Self {
            pids: args.pids.clone(),
            metrics: args.metrics.clone(),
            api_key: args.api_key.clone(),
        };
        monitor.snapshot()?;
        Ok(monitor)
    }

    /// Takes a snapshot: some milliseconds, more when the server's metrics are fetched.
    ///
    /// # Errors
    /// Fails when a process cannot be read, or the metrics cannot be fetched.
    pub fn snapshot(&self) -> Result<Snapshot, MonitorError> {
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        let key = self.api_key.as_deref();
        let counters = self
            .metrics
            .as_deref()
            .map(|url| run_lengths::fetch(url, key));
        let counters = counters.transpose()?;
        let servers = self.pids.iter().map(|&pid| Usage::of(pid));
        Ok(Snapshot {
            servers: servers.collect::<Result<_, _>>()?,
            own: Usage::of(own)?,
            counters,
            stolen: stolen(),
            at: Instant::now(),
        })
    }
}

impl Usage {
    /// Reads process `pid`.
    fn of(pid: i32) -> Result<Self, MonitorError> {
        Self::read(pid).map_err(|error| MonitorError::Process { pid, error })
    }

    fn read(pid: i32) -> Result<Self, ProcError> {
        let process = Process::new(pid)?;
        let stat = process.stat()?;
        let mut threads = BTreeMap::new();
        for task in process.tasks()?.flatten() {
            // A thread may end meanwhile; the process still includes its CPU time.
            if let Ok(thread) = Thread::read(&task) {
                threads.insert(task.tid, thread);
            }
        }
        Ok(Self {
            cpu: ticks(stat.utime + stat.stime),
            threads,
            rss_bytes: stat.rss * procfs::page_size(),
            socket_drops: socket_drops::of_process(&process),
        })
    }
}

impl Thread {
    fn read(task: &Task) -> Result<Self, ProcError> {
        let stat = task.stat()?;
        let status = task.status()?;
        // The scheduler's statistics have nanoseconds, but not every kernel provides them.
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

/// Returns the CPU time that the hypervisor gave to other machines so far, mean per core; zero
/// without a hypervisor.
fn stolen() -> Duration {
    let Ok(statistics) = KernelStats::current() else {
        return Duration::ZERO;
    };
    let processors = statistics.cpu_time.len().max(1) as u64;
    ticks(statistics.total.steal.unwrap_or(0) / processors)
}

/// Converts clock ticks of `/proc`, mostly of 10 ms.
fn ticks(count: u64) -> Duration {
    Duration::from_millis(count * 1_000 / procfs::ticks_per_second().max(1))
}

impl ProcessCost {
    /// Returns the usage of all processes between two snapshots, both in the same order.
    fn between(before: &[Usage], after: &[Usage]) -> Self {
        let mut cost = Self::default();
        for (before, after) in before.iter().zip(after) {
            cost.cpu_s += after.cpu.saturating_sub(before.cpu).as_secs_f64();
            cost.rss_bytes += after.rss_bytes;
            cost.socket_drops += after.socket_drops.saturating_sub(before.socket_drops);
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

    /// Returns the seconds for which the busiest thread waited for a core.
    pub fn busiest_waited_s(&self) -> f64 {
        self.threads.first().map_or(0.0, |it| it.waited_s)
    }

    /// Returns the CPU seconds of all media threads.
    pub fn shards_cpu_s(&self) -> f64 {
        let shards = self.threads.iter();
        shards
            .filter(|it| it.name.starts_with(SHARD_PREFIX))
            .map(|it| it.cpu_s)
            .sum()
    }

    /// Returns the CPU seconds of the busiest media thread.
    pub fn busiest_shard_cpu_s(&self) -> f64 {
        let shards = self.threads.iter();
        shards
            .filter(|it| it.name.starts_with(SHARD_PREFIX))
            .map(|it| it.cpu_s)
            .fold(0.0, f64::max)
    }
}

impl RunCost {
    /// CPU usage of the generator above which it measures itself.
    pub const OWN_SHARE_MAX: f64 = 0.85;

    /// Returns the usage between three snapshots: before the first join, and at the start and end of
    /// the measurement.
    pub fn between(before: &Snapshot, start: &Snapshot, end: &Snapshot) -> Self {
        let seconds = end.at.saturating_duration_since(start.at).as_secs_f64();
        let is_monitored = !end.servers.is_empty();
        let own = ProcessCost::between(
            std::slice::from_ref(&start.own),
            std::slice::from_ref(&end.own),
        );
        let joining = ProcessCost::between(&before.servers, &start.servers);
        let counters = start.counters.as_ref().zip(end.counters.as_ref());
        let stolen = end.stolen.saturating_sub(start.stolen);
        Self {
            seconds,
            server: is_monitored.then(|| ProcessCost::between(&start.servers, &end.servers)),
            own_share: own_share(&own, seconds),
            own,
            joining_cpu_s: is_monitored.then_some(joining.cpu_s),
            joining_shards_cpu_s: Some(joining.shards_cpu_s()).filter(|&it| it > 0.0),
            socket_drops: is_monitored
                .then(|| ProcessCost::between(&before.servers, &end.servers).socket_drops),
            rss_before_bytes: is_monitored
                .then(|| before.servers.iter().map(|it| it.rss_bytes).sum()),
            runs: counters.map(|(start, end)| RunLengths::between(start, end)),
            stolen_share: stolen.as_secs_f64() / seconds.max(f64::MIN_POSITIVE),
        }
    }

    /// Share of time for which the busiest thread may wait for a core. Above it latency and loss are
    /// due to other programs.
    pub const WAITED_SHARE_MAX: f64 = 0.1;

    /// Returns whether the generator had enough CPU time left for valid results.
    pub fn is_valid(&self) -> bool {
        self.own_share <= Self::OWN_SHARE_MAX
    }

    /// Returns the share of time for which the busiest thread of the server, and of the generator,
    /// waited for a core.
    pub fn waited_shares(&self) -> [f64; 2] {
        let server = self
            .server
            .as_ref()
            .map_or(0.0, ProcessCost::busiest_waited_s);
        [server, self.own.busiest_waited_s()].map(|it| it / self.seconds.max(f64::MIN_POSITIVE))
    }
}

/// Returns the CPU usage of the generator, 1 is full.
fn own_share(own: &ProcessCost, seconds: f64) -> f64 {
    if seconds <= 0.0 {
        return 0.0;
    }
    // Respects the cores to which this process is pinned.
    let cores = available_parallelism().map_or(1, usize::from) as f64;
    let busiest = own.threads.iter().map(|it| it.cpu_s).fold(0.0, f64::max);
    busiest.max(own.cpu_s / cores) / seconds
}
