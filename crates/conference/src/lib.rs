//! Rooms, participants and signalling, without I/O. The caller passes in the time, frames of
//! connections and replies of shards, and drains the outputs: frames for connections, commands for
//! shards.

pub mod access;
mod bans;
pub mod call_quality;
pub mod close_codes;
pub mod conference;
mod connect_request;
pub mod dialect;
#[cfg(feature = "faults")]
pub mod faults;
pub mod limits;
mod liveness;
pub mod message;
pub mod names;
mod relay_budget;
mod resumption;
mod room;
pub mod room_event;
mod seats;
mod session;
pub mod turn;

pub use conference::{Conference, ConferenceConfig, ConferenceGauges, Output};
pub use connect_request::{ClientKey, ConnectRequest, DialectKind, Namespace};
pub use dialect::socketio;
pub use limits::{ConferenceLimits, ForwardingLimits};
pub use message::{CommandToken, SessionId, ShardId};
