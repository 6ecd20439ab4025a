//! Roles of participants, and rules of rooms about who may enter.

use serde::{Deserialize, Serialize};

/// Permissions of a participant in its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sends, receives and moderates.
    Host,
    /// Sends and receives.
    Speaker,
    /// Receives.
    Viewer,
}

/// Rule of a room about who may share screens.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Sharing {
    /// Hosts and speakers.
    #[default]
    Everybody,
    /// Hosts only.
    Hosts,
}

/// Entry policy of a room.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Everybody who knows the room's name.
    #[default]
    Open,
    /// Everybody with a token for the room.
    InviteOnly,
    /// Everybody whom a host admits; until then they wait.
    Approval,
    /// Hosts only.
    Locked,
}
