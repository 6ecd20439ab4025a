//! The Watersmeet program: reads its configuration, starts logging and runs the app until it is
//! told to stop.

use std::process::ExitCode;

use clap::Parser;

mod app;
mod clock;
mod conference_setup;
mod config;
mod doctor;
mod file_descriptor_limit;
mod http;
mod hub;
mod ip_addresses;
mod listeners;
mod logging;
mod media_sockets;
mod process_metrics;
mod session_outbox;
mod shard;
mod shard_metrics;
mod shard_queues;
mod startup_banner;
mod watchdog;

use config::{Flags, Loaded, Task};

/// Exit status for a configuration that cannot be used (`EX_CONFIG` of sysexits).
const EXIT_CONFIG: u8 = 78;

fn main() -> ExitCode {
    let flags = Flags::parse();
    if let Some(Task::Doctor { json }) = flags.task {
        return doctor::run(&flags, json);
    }
    let loaded = match Loaded::of_process(&flags) {
        Ok(loaded) => loaded,
        Err(error) => return refuse(&error, EXIT_CONFIG),
    };
    if let Err(error) = logging::start(&loaded.config) {
        return refuse(&error, EXIT_CONFIG);
    }
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    match app::run(&loaded) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&error, error.exit_status()),
    }
}

fn refuse(error: &dyn std::error::Error, status: u8) -> ExitCode {
    eprintln!("watersmeet: {error}");
    ExitCode::from(status)
}
