//! Core and CPU time of the calling thread.

use std::time::Duration;

use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// Pins the calling thread to `core`. Has no effect if there is no such core.
pub fn pin(core: usize) {
    if core >= CpuSet::MAX_CPU {
        return;
    }
    let mut set = CpuSet::new();
    set.set(core);
    // On a machine with one core the results are worse, but not wrong.
    let _ = sched_setaffinity(None, &set);
}

/// Returns the CPU time of the calling thread, including its time in the kernel.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(nanos)
}
