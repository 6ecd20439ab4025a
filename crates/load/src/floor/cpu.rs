//! Which core a thread runs on, and what it has spent there.

use std::time::Duration;

use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// Keeps this thread on `core`. Where there is no such core it runs wherever it may.
pub fn pin(core: usize) {
    if core >= CpuSet::MAX_CPU {
        return;
    }
    let mut set = CpuSet::new();
    set.set(core);
    // A machine with one core has no other; the figures are worse then, not wrong.
    let _ = sched_setaffinity(None, &set);
}

/// What this thread has spent on processors, the kernel's work for it included.
pub fn spent() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(nanos)
}
