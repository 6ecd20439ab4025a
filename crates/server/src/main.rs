//! The Watersmeet program: reads its configuration, starts logging and runs the app until it is
//! told to stop.

use std::process::ExitCode;

use clap::Parser;

mod addresses;
mod app;
mod clock;
mod config;
mod descriptors;
mod doctor;
mod doors;
mod exchange;
mod greeting;
mod http;
mod hub;
mod log;
mod machine;
mod media;
mod meter;
mod outbox;
mod rooms;
mod shard;
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
    if let Err(error) = log::start(&loaded.config) {
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
