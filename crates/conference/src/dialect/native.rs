//! The native dialect: every frame is JSON `{type, payload, id?}`. A request may carry an `id`,
//! which its reply or its error carries too.
//!
//! A client that never sends an `id` is served exactly the frames of the protocol's first
//! description: no field and no notice that it does not know. The first `id` says that the client
//! knows the whole protocol, and from then on it is told everything. Must never decide who may do
//! what.

mod decode;
mod encode;
mod payloads;
#[cfg(test)]
mod typescript;

pub(super) use self::decode::decode;
pub(super) use self::encode::{connected, notice, refusal, reply};
pub use self::payloads::ClientOptions;

/// What native clients are told when they connect.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Config {
    /// What to do differently, if anything.
    pub client: Option<ClientOptions>,
}

/// What is remembered of a connection.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Whether the client has shown that it knows more than the first description.
    extended: bool,
}
