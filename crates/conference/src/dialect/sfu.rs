//! The sfu dialect: Socket.IO events for clients that name no room. The first event of a client is
//! its way in, and what it asks waits until it is in. Every remote producer has a receive transport
//! of its own, found by the producer. Producers that were there before are announced after the
//! first answer about capabilities: earlier the client could not receive them. Acknowledgements are
//! only sent where they are wanted. Must never decide who may do what.

mod decode;
mod encode;

use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::MediaKind;

use super::remote_producers::RemoteProducers;
use super::{RequestTag, SessionContext};
use crate::connect_request::Namespace;
use crate::message::Request;

/// What the dialect asks by itself: to enter the room.
const JOIN: &str = "join";
/// Capabilities, inside an object.
const CAPABILITIES: &str = "getRtpCapabilities";
/// Capabilities, bare.
const BARE_CAPABILITIES: &str = "getRouterRtpCapabilities";
/// A transport.
const CREATE_TRANSPORT: &str = "createWebRtcTransport";
/// The client's DTLS parameters for the transport it sends on.
const CONNECT: &str = "transport-connect";
/// Something to send.
const PRODUCE: &str = "transport-produce";
/// Something to receive.
const CONSUME: &str = "consume";
/// The client's DTLS parameters for a transport it receives on.
const CONNECT_RECEIVE: &str = "transport-recv-connect";
/// A consumer that may begin.
const RESUME: &str = "consumer-resume";
/// What there is to receive.
const LIST: &str = "getAvailableProducers";

/// What is remembered of a connection.
#[derive(Debug)]
pub(crate) struct State {
    /// What is known since the opening.
    opened: SessionContext,
    /// Where it lives.
    namespace: Namespace,
    /// Whether it is in its room.
    entry: Entry,
    /// What there is to receive.
    remotes: RemoteProducers,
    /// What was there before and is not announced yet, oldest first; `None` once it is.
    unannounced: Option<Vec<(ProducerId, MediaKind)>>,
    /// The newest transport that it sends on.
    sending: Option<TransportId>,
    /// Its newest consumer.
    newest_consumer: Option<ConsumerId>,
}

/// The way into a room.
#[derive(Debug)]
enum Entry {
    /// It is not in a room.
    Outside,
    /// It has asked to enter, for the sake of this request. A host may have to let it in.
    Entering(RequestTag, Box<Request>),
    /// It is in its room.
    Inside,
}

impl State {
    /// A fresh connection's.
    pub(super) fn new(namespace: Namespace, opened: SessionContext) -> Self {
        Self {
            opened,
            namespace,
            entry: Entry::Outside,
            remotes: RemoteProducers::default(),
            unannounced: Some(Vec::new()),
            sending: None,
            newest_consumer: None,
        }
    }
}
