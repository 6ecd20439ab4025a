//! Decodes events as requests.

use serde::Deserialize;
use serde_json::Value;
use watersmeet_wire::params::RtpCapabilities;

use super::{APPROVE, APPROVE_AND_PROMOTE, CONSUME, JOIN, JOIN_WITH_ROLES, RECEIVE, State};
use crate::dialect::effect::{Effect, RequestTag};
use crate::dialect::media_json::{
    ConnectPayload, ProducePayload, bad_request, parse_consumer_id, parse_producer_id,
};
use crate::dialect::socketio_event::SocketIoEvent;
use crate::message::{Direction, JoinRequest, Moderation, Policy, Refusal, Request, TransportKey};

/// `join`. Its RTP capabilities are empty in every client, so they are not read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Join {
    room_id: String,
    display_name: Option<String>,
    invite_token: Option<String>,
    user_id: Option<String>,
}

/// `createTransport`
#[derive(Deserialize)]
struct CreateTransport {
    /// Absent means a send transport. A client that requests only one transport gets its receive
    /// transport when it consumes.
    kind: Option<Direction>,
}

/// `consume`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Consume {
    producer_id: String,
    rtp_capabilities: RtpCapabilities,
}

/// `resumeConsumer`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConsumerRef {
    consumer_id: String,
}

/// `approveJoin`, `promoteToProducer` and `demoteToConsumer`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PeerRef {
    peer_id: String,
    promote: Option<bool>,
}

impl State {
    /// Decodes an event.
    pub(crate) fn decode(&mut self, event: SocketIoEvent) -> Result<Vec<Effect>, Refusal> {
        if event.name == JOIN {
            return self.join(event);
        }
        let id = event.id();
        let room = event.argument.get("roomId").map(Value::as_str);
        let is_current = self.check_room(room.flatten());
        let (event, request) = request(event)?;
        is_current?;
        let mut effects = vec![Effect::Request(RequestTag { id, event }, request)];
        if event == CONSUME && self.recv_transport.is_none() {
            // The request waits for the transport. A second `consume` before it exists creates no
            // second transport, because both carry the same key.
            let request = Request::CreateTransport {
                direction: Direction::Recv,
                key: Some(TransportKey::Recv),
            };
            effects.push(Effect::Request(RequestTag::internal(RECEIVE), request));
        }
        Ok(effects)
    }

    /// Checks that a request names the room that the client is in.
    fn check_room(&self, room: Option<&str>) -> Result<(), Refusal> {
        let room = room.ok_or_else(|| bad_request("roomId is missing"))?;
        match &self.room {
            Some(own) if **own == *room => Ok(()),
            Some(_) => Err(Refusal::RoomNotFound),
            None => Err(Refusal::NotInRoom),
        }
    }

    /// Reads `join`. Its acknowledgement contains the router's capabilities, so these are requested
    /// before the first join.
    fn join(&mut self, event: SocketIoEvent) -> Result<Vec<Effect>, Refusal> {
        let id = event.id();
        let join: Join = event.read()?;
        let event = match join.user_id {
            Some(_) => JOIN_WITH_ROLES,
            None => JOIN,
        };
        let request = Request::Join(Box::new(JoinRequest {
            room: join.room_id,
            display_name: join.display_name.clone(),
            token: join.invite_token.filter(|it| !it.is_empty()),
            policy: join.user_id.is_some().then_some(Policy::Approval),
            user: join.user_id.clone(),
            ..JoinRequest::default()
        }));
        let tag = RequestTag { id, event };
        if self.pending_join.is_some() {
            return Err(bad_request("joining already"));
        }
        self.display_name = join.display_name;
        self.user_id = join.user_id;
        if self.router_capabilities.is_some() {
            return Ok(vec![Effect::Request(tag, request)]);
        }
        self.pending_join = Some(request);
        Ok(vec![Effect::Request(tag, Request::RouterCapabilities)])
    }
}

/// Reads a request. Returns it with the event that tags it.
fn request(event: SocketIoEvent) -> Result<(&'static str, Request), Refusal> {
    Ok(match event.name.as_str() {
        "createTransport" => {
            let kind = event.read::<CreateTransport>()?.kind;
            ("createTransport", create_transport(kind))
        }
        "connectTransport" => {
            let request = event.read::<ConnectPayload>()?.into_request()?;
            ("connectTransport", request)
        }
        "produce" => ("produce", event.read::<ProducePayload>()?.into_request()?),
        CONSUME => (CONSUME, consume(event.read()?)?),
        "resumeConsumer" => {
            let ConsumerRef { consumer_id } = event.read()?;
            let consumer = parse_consumer_id(&consumer_id)?;
            let paused = false;
            let request = Request::PauseConsumer { consumer, paused };
            ("resumeConsumer", request)
        }
        "requestSpeakingPermission" => ("requestSpeakingPermission", Request::RequestToSpeak),
        APPROVE => {
            let PeerRef {
                peer_id: peer,
                promote,
            } = event.read()?;
            let promote = promote.unwrap_or(false);
            let name = if promote {
                APPROVE_AND_PROMOTE
            } else {
                APPROVE
            };
            (name, Request::Moderate(Moderation::Admit { peer, promote }))
        }
        "promoteToProducer" => {
            let peer = event.read::<PeerRef>()?.peer_id;
            let request = Request::Moderate(Moderation::Promote { peer });
            ("promoteToProducer", request)
        }
        "demoteToConsumer" => {
            let peer = event.read::<PeerRef>()?.peer_id;
            let request = Request::Moderate(Moderation::Demote { peer });
            ("demoteToConsumer", request)
        }
        _ => return Err(Refusal::UnknownType),
    })
}

/// Reads `createTransport`. A second request for the same direction returns the same transport.
fn create_transport(kind: Option<Direction>) -> Request {
    let direction = kind.unwrap_or(Direction::Send);
    let key = match direction {
        Direction::Send => TransportKey::Send,
        Direction::Recv => TransportKey::Recv,
    };
    Request::CreateTransport {
        direction,
        key: Some(key),
    }
}

/// Reads `consume`. The consumer starts unpaused, because clients never resume one.
fn consume(payload: Consume) -> Result<Request, Refusal> {
    Ok(Request::Consume {
        producer: parse_producer_id(&payload.producer_id)?,
        transport: None,
        capabilities: payload.rtp_capabilities,
        start_paused: false,
    })
}
