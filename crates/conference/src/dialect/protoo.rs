//! The protoo dialect: protocol of the mediasoup demo, with requests in both directions. The
//! address names the room. Clients create transports before they join, so the first transport
//! reserves an unannounced place in the room. The dialect consumes every producer of others and
//! asks the client to accept each consumer; accepted ones are resumed. Must never decide about
//! permissions.

mod decode;
mod encode;

use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::RtpCapabilities;
use watersmeet_wire::units::Map;

use super::effect::{Effect, RequestTag};
use super::session_context::SessionContext;
use crate::message::Request;

/// Tag of the dialect's own request to reserve a place in the room.
const PREPARE: &str = "prepare";
/// Tag of the dialect's own requests to consume a producer.
const CONSUME: &str = "consume";
/// Tag of the dialect's own requests to resume or close a consumer that the client answered.
const SETTLE: &str = "settle";
/// Tag of a request for a transport by a client that can only use TCP.
const CREATE_TCP_TRANSPORT: &str = "createWebRtcTransport over TCP";

/// State of one connection.
#[derive(Debug)]
pub(crate) struct State {
    /// Constant facts about the connection.
    context: SessionContext,
    /// Progress of entering the room.
    entry: Entry,
    /// Tag of the `join` that is answered when a host admits the client.
    pending_join: Option<RequestTag>,
    /// RTP capabilities of the client. Without them, no producer is consumed.
    capabilities: Option<RtpCapabilities>,
    /// Newest transport that the client receives on.
    recv_transport: Option<TransportId>,
    /// Producers of others that are not consumed yet, oldest first.
    unconsumed: Vec<ProducerId>,
    /// Consumers of the client, by producer.
    consumers: Map<ProducerId, ActiveConsumer>,
    /// Consumers that the client has not answered yet, by the id of the request `newConsumer`.
    /// Each is one of `consumers`.
    unanswered: Map<u32, ConsumerId>,
    /// Id of the next request to the client.
    next_request_id: u32,
}

/// Progress of entering the room.
#[derive(Debug)]
enum Entry {
    /// No place in the room is reserved.
    Outside,
    /// A place was requested; this request is carried out afterwards.
    Preparing(RequestTag, Box<Request>),
    /// A place is reserved and not announced to others.
    Prepared,
    /// The client has joined and was announced to others.
    Inside,
}

/// A consumer of the client.
#[derive(Debug, Clone, Copy)]
struct ActiveConsumer {
    /// Id of the consumer.
    consumer: ConsumerId,
    /// Transport that it is received on.
    transport: TransportId,
}

impl State {
    /// Creates the state of a new connection.
    pub(super) fn new(context: SessionContext) -> Self {
        Self {
            context,
            entry: Entry::Outside,
            pending_join: None,
            capabilities: None,
            recv_transport: None,
            unconsumed: Vec::new(),
            consumers: Map::new(),
            unanswered: Map::new(),
            next_request_id: 1,
        }
    }

    /// Requests a consumer for each producer that is not consumed yet, if the client can receive.
    fn consume_all(&mut self) -> Vec<Effect> {
        let (Entry::Inside, Some(transport), Some(capabilities)) =
            (&self.entry, self.recv_transport, &self.capabilities)
        else {
            return Vec::new();
        };
        let unconsumed = std::mem::take(&mut self.unconsumed).into_iter();
        let requests = unconsumed.map(|producer| {
            let request = Request::Consume {
                producer,
                transport: Some(transport),
                capabilities: capabilities.clone(),
                start_paused: true,
            };
            Effect::Request(RequestTag::internal(CONSUME), request)
        });
        requests.collect()
    }
}
