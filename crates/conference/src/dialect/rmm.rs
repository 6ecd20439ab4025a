//! The rmm dialect: Socket.IO events of the default namespace, for clients that are invited by a
//! link. Every request names its room and is acknowledged; what fails is acknowledged with
//! `{error}`. Its clients never resume a consumer, so consumers start running here, and they learn
//! of their receive transport by their first consumer.
//!
//! Roles are switched on by the `userId` of a `join`. A client that sends none knows no waiting
//! room: its `join` is acknowledged when a host has let it in. Must never decide who may do what.

mod encode;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use watersmeet_wire::params::{DtlsParameters, MediaKind, RtpCapabilities, RtpParameters};

use super::media_json::{self, Event};
use super::{Effect, RequestTag, SessionContext};
use crate::connect_request::Namespace;
use crate::message::{
    CreatedTransport, Direction, Moderation, PeerId, Policy, Refusal, Request, TransportKey,
};

/// Where its clients connect.
const NAMESPACE: Namespace = Namespace::Main;

/// A `join` of a client that knows no roles.
const JOIN: &str = "join";
/// A `join` of a client that knows roles.
const JOIN_WITH_ROLES: &str = "join with roles";
/// A `consume`.
const CONSUME: &str = "consume";
/// What the dialect asks by itself: a transport for what a client consumes.
const RECEIVE: &str = "receive";
/// An `approveJoin` that lets somebody in to watch.
const APPROVE: &str = "approveJoin";
/// An `approveJoin` that lets somebody in to speak.
const APPROVE_AND_PROMOTE: &str = "approveJoin and promote";

/// What is remembered of a connection.
#[derive(Debug)]
pub(crate) struct State {
    /// What is known since the opening.
    opened: SessionContext,
    /// The room it is in or waits for.
    room: Option<Arc<str>>,
    /// How it wanted to be seen when it last joined.
    display_name: Option<String>,
    /// What routers can forward, once it was asked.
    capabilities: Option<Arc<RtpCapabilities>>,
    /// A `join` that comes after the answer about capabilities.
    joining: Option<Request>,
    /// The `join` of a client that waits without knowing it.
    held: Option<RequestTag>,
    /// Its receive transport.
    receiving: Option<Box<CreatedTransport>>,
    /// Who waits for this host's decision; no more than may wait for a room.
    waiting: BTreeSet<PeerId>,
}

/// `join`. What the client can receive is empty at this point, and nobody reads it.
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
    /// Absent means to send: a client that asks for one transport only is given the other when it
    /// consumes.
    kind: Option<Direction>,
}

/// `connectTransport`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectTransport {
    transport_id: String,
    dtls_parameters: DtlsParameters,
}

/// `produce`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Produce {
    transport_id: String,
    kind: MediaKind,
    rtp_parameters: RtpParameters,
    app_data: Option<Value>,
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
    /// A fresh connection's.
    pub(super) fn new(opened: SessionContext) -> Self {
        Self {
            opened,
            room: None,
            display_name: None,
            capabilities: None,
            joining: None,
            held: None,
            receiving: None,
            waiting: BTreeSet::new(),
        }
    }

    /// Reads an event.
    pub(super) fn decode(&mut self, event: Event) -> Result<Vec<Effect>, Refusal> {
        if event.name == JOIN {
            return self.join(event);
        }
        let id = event.id();
        let room = event.argument.get("roomId").map(Value::as_str);
        let here = self.is_here(room.flatten());
        let (event, request) = request(event)?;
        here?;
        let mut effects = vec![Effect::Request(RequestTag { id, event }, request)];
        if event == CONSUME && self.receiving.is_none() {
            // The wish waits for it. Asking again while it is being made is no second transport.
            let request = Request::CreateTransport {
                direction: Direction::Recv,
                key: Some(TransportKey::Recv),
            };
            effects.push(Effect::Request(RequestTag::internal(RECEIVE), request));
        }
        Ok(effects)
    }

    /// Checks that a request is about the room that its client is in.
    fn is_here(&self, room: Option<&str>) -> Result<(), Refusal> {
        let room = room.ok_or_else(|| media_json::explained("roomId is missing"))?;
        match &self.room {
            Some(own) if **own == *room => Ok(()),
            Some(_) => Err(Refusal::RoomNotFound),
            None => Err(Refusal::NotInRoom),
        }
    }

    /// Reads `join`. Its answer tells capabilities too, so they are asked for before the first one.
    fn join(&mut self, event: Event) -> Result<Vec<Effect>, Refusal> {
        let id = event.id();
        let join: Join = event.read()?;
        let event = match join.user_id {
            Some(_) => JOIN_WITH_ROLES,
            None => JOIN,
        };
        let request = Request::Join {
            room: join.room_id,
            display_name: join.display_name.clone(),
            token: join.invite_token.filter(|it| !it.is_empty()),
            policy: join.user_id.is_some().then_some(Policy::Approval),
            user: join.user_id,
        };
        let tag = RequestTag { id, event };
        if self.joining.is_some() {
            return Err(media_json::explained("joining already"));
        }
        self.display_name = join.display_name;
        if self.capabilities.is_some() {
            return Ok(vec![Effect::Request(tag, request)]);
        }
        self.joining = Some(request);
        Ok(vec![Effect::Request(tag, Request::RouterCapabilities)])
    }
}

/// Reads a request, and what its answer is made for.
fn request(event: Event) -> Result<(&'static str, Request), Refusal> {
    Ok(match event.name.as_str() {
        "createTransport" => {
            let kind = event.read::<CreateTransport>()?.kind;
            ("createTransport", create_transport(kind))
        }
        "connectTransport" => {
            let ConnectTransport {
                transport_id,
                dtls_parameters: dtls,
            } = event.read()?;
            let transport = media_json::transport(&transport_id)?;
            let request = Request::ConnectTransport { transport, dtls };
            ("connectTransport", request)
        }
        "produce" => ("produce", produce(event.read()?)?),
        CONSUME => (CONSUME, consume(event.read()?)?),
        "resumeConsumer" => {
            let ConsumerRef { consumer_id } = event.read()?;
            let consumer = media_json::consumer(&consumer_id)?;
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

/// Reads `createTransport`. Whoever asks again for the same kind is given the same transport.
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

/// Reads `produce`.
fn produce(payload: Produce) -> Result<Request, Refusal> {
    let app_data = media_json::app_data(payload.app_data)?;
    Ok(Request::Produce {
        transport: media_json::transport(&payload.transport_id)?,
        kind: payload.kind,
        rtp: payload.rtp_parameters,
        source: media_json::source(payload.kind, app_data.as_ref()),
        paused: false,
        app_data,
    })
}

/// Reads `consume`. Nobody will resume it.
fn consume(payload: Consume) -> Result<Request, Refusal> {
    Ok(Request::Consume {
        producer: media_json::producer(&payload.producer_id)?,
        transport: None,
        capabilities: payload.rtp_capabilities,
        start_paused: false,
    })
}
