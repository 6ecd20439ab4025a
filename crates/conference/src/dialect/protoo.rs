//! The protoo dialect: mediasoup's demonstration protocol, with requests both ways. The address
//! names the room. Clients make transports before they join, so the first one takes a seat there
//! that nobody sees. Whatever others send is consumed for the client, which is asked to take each
//! consumer and resumed when it says yes. Must never decide who may do what.

mod decode;
mod encode;

use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::RtpCapabilities;
use watersmeet_wire::units::Map;

use super::{Effect, RequestTag, SessionContext};
use crate::message::Request;

/// What the dialect asks by itself: a seat in the room.
const PREPARE: &str = "prepare";
/// What the dialect asks by itself: to receive something.
const CONSUME: &str = "consume";
/// What the dialect asks by itself: to let a consumer begin, or to end it.
const SETTLE: &str = "settle";
/// A transport of a client that can only use TCP.
const CREATE_TCP_TRANSPORT: &str = "createWebRtcTransport over TCP";

/// What is remembered of a connection.
#[derive(Debug)]
pub(crate) struct State {
    /// What is known since the opening.
    opened: SessionContext,
    /// Where it is on its way into the room.
    entry: Entry,
    /// The `join` that is answered when a host lets the client in.
    waiting: Option<RequestTag>,
    /// What the client can receive. Without it nothing is consumed.
    capabilities: Option<RtpCapabilities>,
    /// The newest transport that it receives on.
    receiving: Option<TransportId>,
    /// What others send and it does not receive yet, oldest first.
    wanted: Vec<ProducerId>,
    /// What it receives, by what others send.
    consumers: Map<ProducerId, Reception>,
    /// Consumers that it is asked to take, by the number of the request. Each is one of
    /// `consumers`.
    offered: Map<u32, ConsumerId>,
    /// The number of the next request.
    next_request: u32,
}

/// The way into the room.
#[derive(Debug)]
enum Entry {
    /// It has no seat.
    Outside,
    /// It has asked for a seat, for the sake of this request.
    Preparing(RequestTag, Box<Request>),
    /// It has a seat.
    Seated,
    /// Everybody knows of it.
    Inside,
}

/// Something that arrives.
#[derive(Debug, Clone, Copy)]
struct Reception {
    /// The consumer.
    consumer: ConsumerId,
    /// Where it arrives.
    transport: TransportId,
}

impl State {
    /// A fresh connection's.
    pub(super) fn new(opened: SessionContext) -> Self {
        Self {
            opened,
            entry: Entry::Outside,
            waiting: None,
            capabilities: None,
            receiving: None,
            wanted: Vec::new(),
            consumers: Map::new(),
            offered: Map::new(),
            next_request: 1,
        }
    }

    /// Asks for whatever the client can receive and does not receive yet.
    fn consume(&mut self) -> Vec<Effect> {
        let (Entry::Inside, Some(transport), Some(capabilities)) =
            (&self.entry, self.receiving, &self.capabilities)
        else {
            return Vec::new();
        };
        let wanted = std::mem::take(&mut self.wanted).into_iter();
        let asks = wanted.map(|producer| {
            let request = Request::Consume {
                producer,
                transport: Some(transport),
                capabilities: capabilities.clone(),
                start_paused: true,
            };
            Effect::Request(RequestTag::internal(CONSUME), request)
        });
        asks.collect()
    }
}
