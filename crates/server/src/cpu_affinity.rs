//! Pins threads to processor cores (Linux only).

/// Pins the calling thread to one core: the `index`th of those that the process may use, modulo
/// their number.
///
/// # Errors
/// The system refuses, or is not Linux.
#[cfg(target_os = "linux")]
pub fn pin_to_core(index: usize) -> std::io::Result<()> {
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

/// Pins the calling thread to one core: not supported here.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn pin_to_core(_: usize) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::thread::sched_getaffinity;

    use super::*;

    #[test]
    fn pinned_thread_runs_on_one_of_the_allowed_cores() {
        let allowed = sched_getaffinity(None).unwrap();
        for index in [0, 1, 1_000_003] {
            let pinned = std::thread::spawn(move || {
                pin_to_core(index).unwrap();
                sched_getaffinity(None).unwrap()
            });
            let pinned = pinned.join().unwrap();
            let is_within = (0..rustix::thread::CpuSet::MAX_CPU)
                .all(|core| !pinned.is_set(core) || allowed.is_set(core));
            assert!(pinned.count() == 1 && is_within);
        }
    }
}
