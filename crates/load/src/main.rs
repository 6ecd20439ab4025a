//! `watersmeet-load`: thousands of scripted peers over real sockets against any server that speaks
//! the native protocol, and one table of what they saw and what serving them cost.
//!
//! It measures the server, never itself: a run in which its own threads had more than 85 % of
//! their cores is said to be invalid. Linux only: it asks the kernel when datagrams came, and reads
//! `/proc`.
//!
//! It ends with 0 when the figures can be believed and everybody got what is theirs; 1 when there
//! are no figures; 3 when a packet came to somebody it was not for, or not as it was sent; 4 when
//! the generator itself was too busy; 5 when somebody got nothing or did not get in.

#![cfg(target_os = "linux")]

mod camera;
mod chance;
mod clock;
mod cost;
mod floor;
mod gaps;
mod latency;
mod media;
mod microphone;
mod options;
mod payload;
mod plot;
mod run;
mod runs;
mod signalling;
mod stamp;
mod table;
mod tally;
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::floor::FloorArgs;
use self::options::Options;
use self::plot::PlotArgs;
use self::run::Told;

/// A packet came to somebody it was not for.
const VIOLATED: u8 = 3;

/// The generator was too busy.
const BUSY: u8 = 4;

/// Somebody got nothing, or did not get in.
const MISSING: u8 = 5;

/// What is to be done: a run, unless something else is named.
#[derive(Debug, Parser)]
#[command(
    name = "watersmeet-load",
    version,
    args_conflicts_with_subcommands = true
)]
struct Program {
    /// Something else than a run.
    #[command(subcommand)]
    other: Option<Other>,
    /// How to run.
    #[command(flatten)]
    options: Options,
}

/// What is done with the outcomes of runs.
#[derive(Debug, Subcommand)]
enum Other {
    /// Measure what sending as in these runs costs at least, and print both beside each other
    Floor(FloorArgs),
    /// Draw what serving costs as it grows
    Plot(PlotArgs),
}

fn main() -> ExitCode {
    let Program { other, options } = Program::parse();
    let done = match other {
        None => return measure(options),
        Some(Other::Floor(args)) => args.run(),
        Some(Other::Plot(args)) => args.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("watersmeet-load: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs, and tells what was seen.
fn measure(options: Options) -> ExitCode {
    let report = options.report.clone();
    let told = match run::run(options) {
        Ok(told) => told,
        Err(error) => {
            eprintln!("watersmeet-load: {error}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(error) = told.outcome.report(&report) {
        eprintln!("watersmeet-load: {error}");
        return ExitCode::FAILURE;
    }
    for remark in &told.remarks {
        println!("{remark}");
    }
    ExitCode::from(code(&told))
}

/// What the shell is told.
fn code(told: &Told) -> u8 {
    let outcome = &told.outcome;
    if outcome.media.violations > 0 {
        VIOLATED
    } else if !outcome.costs.is_valid() {
        BUSY
    } else if told.silent > 0 || outcome.joins.failures > 0 {
        MISSING
    } else {
        0
    }
}
