//! People and rooms, without I/O: who is where, who sends what, and who must hear of it. It is told
//! the time and what each connection says, and its outputs (frames for connections, commands for
//! shards) wait in order until they are drained.

pub mod access;
pub mod caps;
pub mod conference;
pub mod dialect;
pub mod message;
mod opening;
mod room;
mod session;
pub mod turn;

pub use caps::Caps;
pub use conference::{Conference, ConferenceConfig, Counts, Output};
pub use dialect::socketio;
pub use message::{CommandToken, SessionId, ShardId};
pub use opening::{DialectKind, Namespace, Opening};
