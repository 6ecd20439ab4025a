//! `watersmeet-load`, the load generator: thousands of scripted peers over real sockets against any
//! server that speaks the native protocol. Prints one table of loss, latency and the server's
//! resource usage.
//!
//! A run is invalid when the generator's own threads used more than 85 % of their cores: it would
//! then measure itself. Linux only: it uses the kernel's receive timestamps and `/proc`.
//!
//! Exit codes: 0 valid, and every peer received its media; 1 no results; 3 a packet was delivered to
//! the wrong peer or altered; 4 the generator itself was too busy; 5 a peer received nothing or
//! failed to join.

#![cfg(target_os = "linux")]

mod camera;
mod clock;
mod cost_floor;
mod cost_plot;
mod latency;
mod load_run;
mod loss_tracker;
mod media;
mod metric;
mod microphone;
mod options;
mod outcome;
mod payload;
mod report;
mod resource_monitor;
mod run_lengths;
mod run_state;
mod seeded_rng;
mod signalling;
mod socket_drops;
mod test_header;
mod thresholds;
mod traffic_stats;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::cost_floor::FloorArgs;
use self::cost_plot::PlotArgs;
use self::load_run::RunReport;
use self::options::Options;

/// Exit code: a packet was misdelivered or altered.
const VIOLATIONS: u8 = 3;

/// Exit code: the generator was too busy.
const GENERATOR_BUSY: u8 = 4;

/// Exit code: a peer received nothing or failed to join.
const MEDIA_MISSING: u8 = 5;

/// Command line: a load run, unless there is a subcommand.
#[derive(Debug, Parser)]
#[command(
    name = "watersmeet-load",
    version,
    args_conflicts_with_subcommands = true
)]
struct CommandLine {
    /// Subcommand that evaluates earlier runs.
    #[command(subcommand)]
    subcommand: Option<Subcommands>,
    /// Options of a load run.
    #[command(flatten)]
    options: Options,
}

/// Evaluations of the outcomes of earlier runs.
#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Measure the minimum cost of sending the same traffic, and print it beside the runs
    Floor(FloorArgs),
    /// Draw a chart of cost against load
    Plot(PlotArgs),
}

fn main() -> ExitCode {
    let CommandLine {
        subcommand,
        options,
    } = CommandLine::parse();
    let result = match subcommand {
        None => return run_load(options),
        Some(Subcommands::Floor(args)) => args.run(),
        Some(Subcommands::Plot(args)) => args.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("watersmeet-load: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the load, and prints the results.
fn run_load(options: Options) -> ExitCode {
    let report_args = options.report.clone();
    let report = match load_run::run(options) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("watersmeet-load: {error}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(error) = report::print(&report.outcome, &report_args) {
        eprintln!("watersmeet-load: {error}");
        return ExitCode::FAILURE;
    }
    for remark in &report.remarks {
        println!("{remark}");
    }
    ExitCode::from(exit_code(&report))
}

fn exit_code(report: &RunReport) -> u8 {
    let outcome = &report.outcome;
    if outcome.media.violations > 0 {
        VIOLATIONS
    } else if !outcome.costs.is_valid() {
        GENERATOR_BUSY
    } else if report.silent_consumers > 0 || outcome.joins.failures > 0 {
        MEDIA_MISSING
    } else {
        0
    }
}
