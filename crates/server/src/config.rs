//! Configuration: read from a file, `.env`, the environment and flags, each overriding the one before.
//! Unknown keys are refused, so that a misspelt key is noticed.
//!
//! `settings` has the keys. The last line of each key's description is a sample line for the file;
//! the sample files are generated from them (`config/sample_files.rs`). Reads files only; opens no
//! socket and starts nothing.

mod aliases;
mod announced;
mod domains;
mod dot_env;
mod environment;
mod error;
mod flags;
mod limits;
mod listener;
mod load;
mod log_filter;
mod operators;
mod port_conflicts;
mod private_files;
#[cfg(test)]
mod sample_files;
mod secret;
mod service_variables;
mod settings;
mod sources;
#[cfg(test)]
mod tests;
mod toml_file;
mod validation;
mod values;
mod variable_names;
mod variables;
mod webhook;

pub use announced::{AnnouncedAddress, is_documentation, is_unreachable};
pub use error::ConfigError;
pub use flags::{Flags, Task};
pub use limits::LimitsTable;
pub use listener::{ListenerConfig, Mount};
pub use load::Loaded;
pub use log_filter::check as check_log_filter;
pub use private_files::PrivateFiles;
pub use secret::Secret;
pub use settings::Config;
pub use sources::Sources;
pub use values::LogFormat;
pub use values::{
    Codec, CodecChoice, CodecParameter, DtlsChoice, Egress, ExpiredTokens, Network, RoomCreation,
    RoomPolicy,
};
pub use webhook::WebhookConfig;
