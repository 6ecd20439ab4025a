//! The sfu dialect: Socket.IO events for clients that send no room name. The first event of a
//! client makes it enter the room of its address, and is carried out after that. The client
//! receives every remote producer on a separate transport, found by the producer. Producers that
//! existed before are announced after the first reply about capabilities, because the client could
//! not receive them earlier. Only events that ask for an acknowledgement get one. Must never decide
//! about permissions.
//!
//! The first clients of the tutorial, in the namespace `/mediasoup`, name no producer: they have one receive transport, and consume
//! the newest producer of others that they can receive, or else their own (`nameless`).

mod decode;
mod encode;
mod nameless;

use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::{MediaKind, RtpCapabilities};

use super::effect::RequestTag;
use super::remote_producers::RemoteProducers;
use super::session_context::SessionContext;
use crate::connect_request::Namespace;
use crate::message::Request;

/// Tag of the dialect's own request to enter the room.
const JOIN: &str = "join";
/// Returns the RTP capabilities of the router inside an object.
const CAPABILITIES: &str = "getRtpCapabilities";
/// The same in the second part of the tutorial, whose server makes its router then.
const CREATE_ROOM: &str = "createRoom";
/// Returns the RTP capabilities of the router without an object around them.
const BARE_CAPABILITIES: &str = "getRouterRtpCapabilities";
/// Lists the producers of others.
const LIST: &str = "getAvailableProducers";

/// State of one connection.
#[derive(Debug)]
pub(crate) struct State {
    /// Constant facts about the connection.
    context: SessionContext,
    /// Namespace of the connection.
    namespace: Namespace,
    /// Progress of entering the room.
    entry: Entry,
    /// Producers of others in the room.
    remote_producers: RemoteProducers,
    /// Producers that are not announced yet, oldest first. `None` after the announcement.
    unannounced: Option<Vec<(ProducerId, MediaKind)>>,
    /// Newest transport that the client sends on.
    send_transport: Option<TransportId>,
    /// Newest consumer of the client.
    newest_consumer: Option<ConsumerId>,
    /// Newest receive transport that belongs to no producer.
    nameless_transport: Option<TransportId>,
    /// Newest producer of the client.
    own_producer: Option<ProducerId>,
    /// Unanswered `consume` events that name no producer. Bounded by `NAMELESS_MAX`.
    nameless: Vec<NamelessConsume>,
}

/// An unanswered `consume` that names no producer.
#[derive(Debug)]
struct NamelessConsume {
    /// Tag of the event.
    tag: RequestTag,
    /// RTP capabilities of the client.
    capabilities: RtpCapabilities,
    /// Producers that are tried if this one is refused, best last.
    candidates: Vec<ProducerId>,
}

/// Progress of entering the room.
#[derive(Debug)]
enum Entry {
    /// The client is not in the room.
    Outside,
    /// A join was requested; this request is carried out afterwards. A host may have to admit the
    /// client first.
    Joining(RequestTag, Box<Request>),
    /// The client is in the room.
    Inside,
}

impl State {
    /// Creates the state of a new connection.
    pub(super) fn new(namespace: Namespace, context: SessionContext) -> Self {
        Self {
            context,
            namespace,
            entry: Entry::Outside,
            remote_producers: RemoteProducers::default(),
            unannounced: Some(Vec::new()),
            send_transport: None,
            newest_consumer: None,
            nameless_transport: None,
            own_producer: None,
            nameless: Vec::new(),
        }
    }
}
