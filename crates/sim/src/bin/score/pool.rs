//! Runs all cases with all seeds on all processors.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use watersmeet_sim::score::case::Case;
use watersmeet_sim::score::evaluate::figures;
use watersmeet_sim::score::run::run_case;
use watersmeet_sim::score::table::CaseFigures;

/// Most threads.
const THREADS_MAX: usize = 64;

/// Returns the figures of all cases, in their order. They do not depend on the number of threads.
pub fn run_all(cases: &[Case], seeds: &[u64]) -> Vec<CaseFigures> {
    // Long cases first, so that no thread waits for the last one alone.
    let mut jobs: Vec<(usize, u64)> = (0..cases.len())
        .flat_map(|case| seeds.iter().map(move |seed| (case, *seed)))
        .collect();
    jobs.sort_by_key(|(case, _)| cases.get(*case).map(|case| std::cmp::Reverse(case.length)));
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads.min(THREADS_MAX) {
            scope.spawn(|| {
                while let Some((case, seed)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let figures = cases.get(*case).and_then(|case| figures_of(case, *seed));
                    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                    results.push((*case, *seed, figures));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(case, seed, _)| (*case, *seed));
    let mut all: Vec<CaseFigures> = cases.iter().map(CaseFigures::new).collect();
    for (case, seed, figures) in results {
        match (all.get_mut(case), figures) {
            (Some(of_case), Some(figures)) => of_case.add(seed, figures),
            (Some(of_case), None) => of_case.failed.push(seed),
            (None, _) => {}
        }
    }
    all
}

/// Returns the figures of one run; `None` when an invariant did not hold, which is printed.
fn figures_of(case: &Case, seed: u64) -> Option<Vec<Vec<f64>>> {
    let measure = || {
        let recording = run_case(case, seed);
        let rows = case.rows.iter();
        rows.map(|row| figures(row.measure, &recording)).collect()
    };
    catch_unwind(AssertUnwindSafe(measure)).ok()
}
