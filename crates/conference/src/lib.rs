//! People and rooms, without I/O: who is where, who sends what, and who must hear of it. It is told
//! the time and what each connection says, and its outputs (frames for connections, commands for
//! shards) wait in order until they are drained.

pub mod access;
pub mod close_codes;
pub mod conference;
mod connect_request;
pub mod dialect;
pub mod limits;
pub mod message;
mod room;
mod session;
pub mod turn;

pub use conference::{Conference, ConferenceConfig, ConferenceGauges, Output};
pub use connect_request::{ConnectRequest, DialectKind, Namespace};
pub use dialect::socketio;
pub use limits::ConferenceLimits;
pub use message::{CommandToken, SessionId, ShardId};
