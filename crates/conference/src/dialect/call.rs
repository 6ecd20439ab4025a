//! The call dialect: Socket.IO events of the namespaces `/call` and `/mediasoup`, for clients that
//! join a room by name and then list its producers. They receive every remote producer on a
//! separate transport, which they name when they consume. Later producers are announced. Must
//! never decide about permissions.

mod decode;
mod encode;

use watersmeet_engine::command::TransportId;

use super::effect::RequestTag;
use super::remote_producers::RemoteProducers;
use super::session_context::SessionContext;
use crate::connect_request::Namespace;

/// Enters a room and returns the RTP capabilities of its router.
const JOIN: &str = "joinRoom";
/// Lists the producers of others.
const LIST: &str = "getProducers";

/// State of one connection.
#[derive(Debug)]
pub(crate) struct State {
    /// Constant facts about the connection.
    context: SessionContext,
    /// Namespace of the connection.
    namespace: Namespace,
    /// Producers of others in the room.
    remote_producers: RemoteProducers,
    /// Newest transport that the client sends on.
    send_transport: Option<TransportId>,
    /// Tag of the `joinRoom` that is acknowledged when a host admits the client.
    pending_join: Option<RequestTag>,
}

impl State {
    /// Creates the state of a new connection.
    pub(super) fn new(namespace: Namespace, context: SessionContext) -> Self {
        Self {
            context,
            namespace,
            remote_producers: RemoteProducers::default(),
            send_transport: None,
            pending_join: None,
        }
    }
}
