//! The native dialect: every frame is JSON `{type, payload, id?}`. A request may carry an `id`,
//! which its reply or its error repeats.
//!
//! A client that never sends an `id` gets exactly the frames of the protocol's first version,
//! without later fields and notices. The first `id` shows that the client supports the whole
//! protocol; from then on it is sent all notices. Must never decide about permissions.

mod config;
mod decode;
mod decode_conversation;
mod encode;
mod encode_breakouts;
mod encode_conversation;
mod encode_media;
mod frame;
mod payloads;
mod state;
#[cfg(test)]
mod typescript;

pub use self::config::Config;
pub(super) use self::decode::decode;
pub(super) use self::encode::{encode_connected, encode_notice, encode_refusal, encode_reply};
pub(super) use self::frame::number_frame;
pub use self::payloads::ClientOptions;
pub(crate) use self::state::State;
