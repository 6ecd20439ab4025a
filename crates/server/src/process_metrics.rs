//! CPU time, memory and file descriptors of this process, as Linux reports them under `/proc`
//! (proc(5)). Other systems report nothing. Reads files, so it is never called on a shard.

use std::time::Duration;

/// CPU time.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct CpuTime {
    /// Spent in the program.
    pub user: Duration,
    /// Spent in the kernel on behalf of the program.
    pub system: Duration,
}

/// Resource usage of the process.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ProcessMetrics {
    /// CPU time of all threads together.
    pub cpu: CpuTime,
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
    /// Virtual memory, in bytes.
    pub virtual_bytes: u64,
    /// Open file descriptors, sockets included.
    pub descriptors: u64,
    /// Soft limit of open file descriptors.
    pub descriptors_max: u64,
}

/// Returns the resource usage of this process; `None` when the system does not report it.
#[cfg(target_os = "linux")]
pub fn read() -> Option<ProcessMetrics> {
    let process = procfs::process::Process::myself().ok()?;
    let stat = process.stat().ok()?;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    Some(ProcessMetrics {
        cpu: cpu_time(&stat),
        resident_bytes: stat.rss * procfs::page_size(),
        virtual_bytes: stat.vsize,
        descriptors: process.fd_count().map_or(0, |count| count as u64),
        descriptors_max: limit.current.unwrap_or(u64::MAX),
    })
}

/// Returns the CPU time of one thread of this process; `None` when there is no such thread.
#[cfg(target_os = "linux")]
pub fn thread_cpu_time(id: i32) -> Option<CpuTime> {
    let process = procfs::process::Process::myself().ok()?;
    let stat = process.task_from_tid(id).ok()?.stat().ok()?;
    Some(cpu_time(&stat))
}

#[cfg(target_os = "linux")]
fn cpu_time(stat: &procfs::process::Stat) -> CpuTime {
    let ticks_per_second = procfs::ticks_per_second().max(1);
    let time = |ticks: u64| Duration::from_millis(ticks * 1_000 / ticks_per_second);
    CpuTime {
        user: time(stat.utime),
        system: time(stat.stime),
    }
}

/// Returns nothing: only Linux is supported.
#[cfg(not(target_os = "linux"))]
pub fn read() -> Option<ProcessMetrics> {
    None
}

/// Returns nothing: only Linux is supported.
#[cfg(not(target_os = "linux"))]
pub fn thread_cpu_time(_: i32) -> Option<CpuTime> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn metrics_show_the_work_of_the_process_and_its_threads() {
        let thread_id = rustix::thread::gettid().as_raw_nonzero().get();
        let before = thread_cpu_time(thread_id).unwrap();
        let mut sum = 0_u64;
        let worked = Duration::from_millis(30);
        // The kernel rounds the times of the thread and of the process differently.
        while thread_cpu_time(thread_id).unwrap().user < before.user + worked
            || read().unwrap().cpu.user < worked
        {
            sum = (0..100_000).fold(sum, u64::wrapping_add);
        }
        let process = read().unwrap();
        assert!(process.cpu.user >= worked, "{sum}");
        assert!(process.resident_bytes > 1 << 20);
        assert!(process.virtual_bytes > process.resident_bytes);
        assert!(process.descriptors > 2 && process.descriptors < process.descriptors_max);
        assert_eq!(thread_cpu_time(i32::MAX), None);
    }
}
