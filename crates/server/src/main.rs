//! The Watersmeet program: reads the configuration, starts logging and runs the server until a
//! signal ends it.

use std::process::ExitCode;

use clap::Parser;

mod acme;
mod app;
mod app_error;
mod call_history;
mod capacity;
mod clock;
mod conference_setup;
mod config;
mod cpu_affinity;
mod current_thread;
mod doctor;
mod file_descriptor_limit;
mod health_command;
mod heartbeat;
mod host_names;
mod http;
mod https_client;
mod hub;
mod ice_url;
mod ip_addresses;
mod listen_hint;
mod listeners;
mod local_addresses;
mod logging;
mod media_sockets;
mod origin;
mod private_networks;
mod process_metrics;
mod room_events;
mod session_outbox;
mod shard;
mod shard_metrics;
mod shard_queues;
mod startup_banner;
mod state_directory;
mod turn_server;
mod turn_urls;
mod watchdog;
mod webhooks;

use app_error::EXIT_CONFIG;
use config::{Flags, Loaded, Task};

fn main() -> ExitCode {
    let flags = Flags::parse();
    match flags.task {
        Some(Task::Doctor { json }) => return doctor::run(&flags, json),
        Some(Task::Health) => return health_command::run(&flags),
        None => {}
    }
    let loaded = match Loaded::from_process(&flags) {
        Ok(loaded) => loaded,
        Err(error) => return exit_with_error(&error, EXIT_CONFIG),
    };
    let log = match logging::init(&loaded.config) {
        Ok(log) => log,
        Err(error) => return exit_with_error(&error, EXIT_CONFIG),
    };
    for note in &loaded.notes {
        tracing::info!("{note}");
    }
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    match app::run(&loaded, log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit_with_error(&error.message(&loaded.sources), error.exit_status()),
    }
}

fn exit_with_error(error: &dyn std::fmt::Display, status: u8) -> ExitCode {
    eprintln!("watersmeet: {error}");
    ExitCode::from(status)
}
