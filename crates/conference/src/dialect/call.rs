//! The call dialect: Socket.IO events of the namespaces `/call` and `/mediasoup`, for clients that
//! join a room by name and ask for the producers that are there. Every remote producer has a
//! receive transport of its own, which the client names when it consumes. Later producers are
//! announced. Must never decide who may do what.

mod decode;
mod encode;

use watersmeet_engine::command::TransportId;

use super::remote_producers::RemoteProducers;
use super::{RequestTag, SessionContext};
use crate::connect_request::Namespace;

/// A room to enter, and capabilities.
const JOIN: &str = "joinRoom";
/// A transport.
const CREATE_TRANSPORT: &str = "createWebRtcTransport";
/// The client's DTLS parameters for the transport it sends on.
const CONNECT: &str = "transport-connect";
/// Something to send.
const PRODUCE: &str = "transport-produce";
/// What there is to receive.
const LIST: &str = "getProducers";
/// Something to receive.
const CONSUME: &str = "consume";
/// The client's DTLS parameters for a transport it receives on.
const CONNECT_RECEIVE: &str = "transport-recv-connect";
/// A consumer that may begin.
const RESUME: &str = "consumer-resume";

/// What is remembered of a connection.
#[derive(Debug)]
pub(crate) struct State {
    /// What is known since the opening.
    opened: SessionContext,
    /// Where it lives.
    namespace: Namespace,
    /// What there is to receive.
    remotes: RemoteProducers,
    /// The newest transport that it sends on.
    sending: Option<TransportId>,
    /// The `joinRoom` that is answered when a host lets the client in.
    waiting: Option<RequestTag>,
}

impl State {
    /// A fresh connection's.
    pub(super) fn new(namespace: Namespace, opened: SessionContext) -> Self {
        Self {
            opened,
            namespace,
            remotes: RemoteProducers::default(),
            sending: None,
            waiting: None,
        }
    }
}
