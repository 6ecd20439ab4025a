//! What this process costs the machine, as Linux tells it under `/proc/self` (proc(5)). Elsewhere
//! nothing is known. What reads is never called on a media thread.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// Where a `stat` line has these, counted behind the name in parentheses.
const USER_TICKS: usize = 11;
/// See `USER_TICKS`.
const SYSTEM_TICKS: usize = 12;
/// See `USER_TICKS`.
const VIRTUAL_BYTES: usize = 20;
/// See `USER_TICKS`.
const RESIDENT_PAGES: usize = 21;

/// Time on a processor.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Cpu {
    /// In the program.
    pub user: Duration,
    /// In the kernel, on the program's behalf.
    pub system: Duration,
}

/// What the process costs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Time on processors, of all threads.
    pub cpu: Cpu,
    /// Memory that is really there.
    pub resident_bytes: u64,
    /// Memory that was asked for.
    pub virtual_bytes: u64,
    /// Open files and sockets.
    pub descriptors: u64,
    /// How many there may be.
    pub descriptors_max: u64,
}

/// What this process costs.
pub fn process() -> Option<Process> {
    let fields = read_stat(Path::new("/proc/self/stat"))?;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    Some(Process {
        cpu: cpu(&fields)?,
        resident_bytes: *fields.get(RESIDENT_PAGES)? * rustix::param::page_size() as u64,
        virtual_bytes: *fields.get(VIRTUAL_BYTES)?,
        descriptors: fs::read_dir("/proc/self/fd").map_or(0, |it| it.count() as u64),
        descriptors_max: limit.current.unwrap_or(u64::MAX),
    })
}

/// Keeps the calling thread on one of the cores that the process may use: the `index`th, from the
/// beginning again after the last.
#[cfg(target_os = "linux")]
pub fn pin(index: usize) -> std::io::Result<()> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let allowed = sched_getaffinity(None)?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
    let count = (allowed.count() as usize).max(1);
    let mut chosen = CpuSet::new();
    if let Some(core) = cores.nth(index % count) {
        chosen.set(core);
    }
    Ok(sched_setaffinity(None, &chosen)?)
}

/// Keeps the calling thread on one core: only Linux is asked.
#[cfg(not(target_os = "linux"))]
pub fn pin(_: usize) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// What one thread of this process costs.
pub fn thread(id: i32) -> Option<Cpu> {
    cpu(&read_stat(Path::new(&format!(
        "/proc/self/task/{id}/stat"
    )))?)
}

fn cpu(fields: &[u64]) -> Option<Cpu> {
    let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
    let time = |ticks: u64| Duration::from_millis(ticks * 1_000 / ticks_per_second);
    Some(Cpu {
        user: time(*fields.get(USER_TICKS)?),
        system: time(*fields.get(SYSTEM_TICKS)?),
    })
}

/// The fields of a `stat` line behind the name. What is no number, or a negative one, is 0.
fn read_stat(path: &Path) -> Option<Vec<u64>> {
    let line = fs::read_to_string(path).ok()?;
    // The name may hold anything, parentheses and blanks too.
    let (_, fields) = line.rsplit_once(") ")?;
    let fields = fields.split_whitespace();
    Some(fields.map(|field| field.parse().unwrap_or(0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pinned_thread_has_one_core_of_those_it_may_use() {
        use rustix::thread::sched_getaffinity;
        let allowed = sched_getaffinity(None).unwrap();
        for index in [0, 1, 1_000_003] {
            let pinned = std::thread::spawn(move || {
                pin(index).unwrap();
                sched_getaffinity(None).unwrap()
            });
            let pinned = pinned.join().unwrap();
            let is_within = (0..rustix::thread::CpuSet::MAX_CPU)
                .all(|core| !pinned.is_set(core) || allowed.is_set(core));
            assert!(pinned.count() == 1 && is_within);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_and_its_threads_are_seen_at_work() {
        let thread_id = rustix::thread::gettid().as_raw_nonzero().get();
        let before = thread(thread_id).unwrap();
        let mut sum = 0_u64;
        while thread(thread_id).unwrap().user < before.user + Duration::from_millis(30) {
            sum = (0..100_000).fold(sum, u64::wrapping_add);
        }
        let process = process().unwrap();
        assert!(process.cpu.user >= Duration::from_millis(30), "{sum}");
        assert!(process.resident_bytes > 1 << 20);
        assert!(process.virtual_bytes > process.resident_bytes);
        assert!(process.descriptors > 2 && process.descriptors < process.descriptors_max);
        assert_eq!(thread(i32::MAX), None);
    }
}
