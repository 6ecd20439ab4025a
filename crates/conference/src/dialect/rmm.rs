//! The rmm dialect: Socket.IO events of the default namespace, for clients that are invited by a
//! link. Every request names its room and is acknowledged, a failed one with `{error}`. Clients
//! never resume consumers, so these start unpaused, and they learn of their receive transport with
//! the first consumer.
//!
//! A `join` with a `userId` turns on roles. A client without one does not support waiting rooms:
//! its `join` is acknowledged when a host has admitted it. Must never decide about permissions.

mod decode;
mod encode;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use watersmeet_wire::params::RtpCapabilities;

use super::effect::RequestTag;
use super::session_context::SessionContext;
use crate::connect_request::Namespace;
use crate::message::{CreatedTransport, PeerId, Request};

/// Namespace of all clients.
const NAMESPACE: Namespace = Namespace::Main;

/// A `join` of a client without support for roles.
const JOIN: &str = "join";
/// A `join` of a client with support for roles.
const JOIN_WITH_ROLES: &str = "join with roles";
/// Requests a consumer.
const CONSUME: &str = "consume";
/// Tag of the dialect's own request for a receive transport.
const RECEIVE: &str = "receive";
/// An `approveJoin` that admits a viewer.
const APPROVE: &str = "approveJoin";
/// An `approveJoin` that admits a speaker.
const APPROVE_AND_PROMOTE: &str = "approveJoin and promote";

/// State of one connection.
#[derive(Debug)]
pub(crate) struct State {
    /// Constant facts about the connection.
    context: SessionContext,
    /// Room that the client is in or waits for.
    room: Option<Arc<str>>,
    /// Display name of the last `join`.
    display_name: Option<String>,
    /// Claimed user id of the last `join`; only a client that supports roles sends one.
    user_id: Option<String>,
    /// RTP capabilities of routers, once they were requested.
    router_capabilities: Option<Arc<RtpCapabilities>>,
    /// A `join` that is requested after the router's capabilities are known.
    pending_join: Option<Request>,
    /// Tag of the unanswered `join` of a waiting client without support for waiting rooms.
    unanswered_join: Option<RequestTag>,
    /// Receive transport of the client.
    recv_transport: Option<Box<CreatedTransport>>,
    /// Participants that wait for this host. Bounded by the limit of the lobby.
    waiting: BTreeSet<PeerId>,
}

impl State {
    /// Creates the state of a new connection.
    pub(super) fn new(context: SessionContext) -> Self {
        Self {
            context,
            room: None,
            display_name: None,
            user_id: None,
            router_capabilities: None,
            pending_join: None,
            unanswered_join: None,
            recv_transport: None,
            waiting: BTreeSet::new(),
        }
    }
}
