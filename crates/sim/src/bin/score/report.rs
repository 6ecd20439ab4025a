//! Output of the program: the table, misses of a sweep, and samples.

use std::error::Error;
use std::io::Write as _;

use watersmeet_sim::score::case::Case;
use watersmeet_sim::score::recording::{Recording, time_of};
use watersmeet_sim::score::run::run_case;
use watersmeet_sim::score::table::{CaseFigures, Committed, count_met, write_row, write_table};

use crate::options::Options;

/// Interval between two printed samples, in samples.
const SERIES_STEP: usize = 5;

/// Prints the table, and writes it to the file.
pub fn print_table(
    cases: &[Case],
    figures: &[CaseFigures],
    options: &Options,
) -> Result<(), Box<dyn Error>> {
    let table = write_table(cases, figures);
    let (met, all) = count_met(&table);
    writeln!(std::io::stdout(), "{table}\n{met} of {all} rows are met")?;
    if !options.out.is_empty() {
        let text = format!(
            "# Scoreboard\n\n\
             Figures of simulated calls against their bars, written by `make score`; \
             [simulation.md](simulation.md#the-scoreboard) explains them. {} seeds; {met} of {all} \
             rows are met.\n\n{table}",
            options.seeds.len(),
        );
        std::fs::write(&options.out, text)?;
    }
    Ok(())
}

/// Prints the runs in which an invariant did not hold; returns whether there were none.
pub fn print_failed_runs(cases: &[Case], figures: &[CaseFigures]) -> Result<bool, Box<dyn Error>> {
    let mut all_ran = true;
    for (case, figures) in cases.iter().zip(figures) {
        for seed in &figures.failed {
            all_ran = false;
            writeln!(
                std::io::stdout(),
                "{}, seed {seed}: the run failed",
                case.name
            )?;
        }
    }
    Ok(all_ran)
}

/// Prints every run that misses by a wide margin a bar which the committed seeds meet; returns whether
/// there were none.
pub fn print_wide_misses(
    cases: &[Case],
    figures: &[CaseFigures],
    committed: &str,
) -> Result<bool, Box<dyn Error>> {
    let committed = Committed::parse(committed);
    let mut misses = 0;
    for (case, figures) in cases.iter().zip(figures) {
        for (row, of_row) in case.rows.iter().zip(&figures.rows) {
            if !committed.is_met(case, row) {
                continue;
            }
            for entry in of_row
                .iter()
                .filter(|(_, it)| row.bar.is_missed_widely(*it))
            {
                misses += 1;
                writeln!(
                    std::io::stdout(),
                    "{}",
                    write_row(case, row, &[*entry], false)
                )?;
            }
        }
    }
    writeln!(
        std::io::stdout(),
        "{misses} figures miss their bar by a wide margin"
    )?;
    Ok(misses == 0)
}

/// Prints the samples of all runs, ten a second.
pub fn print_series(cases: &[Case], seeds: &[u64]) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout();
    writeln!(
        out,
        "case,seed,viewer,publisher,seconds,line_kbps,estimate_kbps,offered_kbps,passed_kbps,\
         queue_ms,dropped,layer,frames,withheld"
    )?;
    for case in cases {
        for seed in seeds {
            let recording = run_case(case, *seed);
            print_recording(&mut out, case.name, *seed, &recording)?;
        }
    }
    Ok(())
}

fn print_recording(
    out: &mut impl std::io::Write,
    name: &str,
    seed: u64,
    recording: &Recording,
) -> Result<(), Box<dyn Error>> {
    for viewer in &recording.viewers {
        for pair in &viewer.pairs {
            for index in (SERIES_STEP..viewer.line.len()).step_by(SERIES_STEP) {
                let (Some(line), Some(video)) = (viewer.line.get(index), pair.samples.get(index))
                else {
                    continue;
                };
                let (from, until) = (time_of(index - SERIES_STEP), time_of(index));
                let offered = viewer.rate(from, until, |line| line.offered) / 1_000.0;
                let passed = viewer.rate(from, until, |line| line.passed) / 1_000.0;
                let estimate = line.estimate.unwrap_or(0.0) / 1_000.0;
                let layer = pair.shown_layer(index).map_or(-1, i32::from);
                writeln!(
                    out,
                    "{name:?},{seed},{},{},{:.1},{:.0},{estimate:.0},{offered:.0},{passed:.0},{:.0},\
                     {},{layer},{},{}",
                    viewer.name,
                    pair.publisher,
                    until.as_secs_f64(),
                    line.capacity / 1_000.0,
                    line.queue * 1_000.0,
                    line.drops,
                    video.frames,
                    video.is_withheld,
                )?;
            }
        }
    }
    Ok(())
}
