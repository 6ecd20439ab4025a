//! `watersmeet-score`: runs the cases of the scoreboard on all processors and writes the table.
//!
//! `watersmeet-score [--case TEXT] [--seed N] [--seeds N] [--out FILE] [--series] [--sweep N]`
//!
//! Without options it prints the table of all cases on the committed seeds. `--case` keeps the cases
//! whose name contains a text; `--seed` runs one seed, `--seeds` the first N committed ones. `--out`
//! also writes the table to a file. `--series` prints the samples of each run, as CSV. `--sweep` runs N
//! new seeds, and fails when a row that is met in the table of FILE is missed by a wide margin.

mod options;
mod pool;
mod report;

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use watersmeet_sim::score::cases;

use self::options::Options;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the cases; returns whether all runs could be measured and, in a sweep, none failed widely.
fn run() -> Result<bool, Box<dyn Error>> {
    let options = Options::parse(std::env::args().skip(1))?;
    let mut cases = cases::all();
    cases.retain(|case| case.name.contains(&options.case));
    if cases.is_empty() {
        return Err(format!("no case is named {:?}", options.case).into());
    }
    if options.series {
        report::print_series(&cases, &options.seeds)?;
        return Ok(true);
    }
    let figures = pool::run_all(&cases, &options.seeds);
    let all_ran = report::print_failed_runs(&cases, &figures)?;
    if options.is_sweep {
        let committed = std::fs::read_to_string(&options.out)?;
        Ok(report::print_wide_misses(&cases, &figures, &committed)? && all_ran)
    } else {
        report::print_table(&cases, &figures, &options)?;
        Ok(all_ran)
    }
}
