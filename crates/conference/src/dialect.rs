//! Frames ⇄ messages. A dialect is pure: it reads what a connection sends into requests and
//! writes replies and notices in that connection's own words. It keeps a few words of state per
//! connection and must never decide anything about rooms or media.
//!
//! What a dialect makes of an input is a list of effects, carried out in order: frames to send,
//! and requests of its own (a push-style dialect consumes for its client) whose replies come back
//! to it by their tag.

mod call;
pub mod json;
mod media_json;
mod meetlite;
pub mod native;
mod protoo;
mod remote_producers;
mod rmm;
mod sfu;
pub mod socketio;

use std::sync::Arc;

use serde_json::Value;

use crate::close_codes::{CLOSE_NORMAL, CLOSE_RESTART};
use crate::connect_request::{DialectKind, Namespace};
use crate::message::{Notice, PeerId, Refusal, Reply, Request};
use crate::turn::IceServer;
use media_json::Event;

/// How a request is known when its answer comes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RequestTag {
    /// The client's name for the request, echoed as it came. `None` when it gave none.
    pub id: Option<Value>,
    /// What the dialect asked it for: the client's event, or the dialect's own word.
    pub event: &'static str,
}

impl RequestTag {
    /// The tag of something that the dialect asks by itself.
    pub(crate) const fn internal(event: &'static str) -> Self {
        Self { id: None, event }
    }
}

/// Something that a dialect wants done.
#[expect(
    clippy::large_enum_variant,
    reason = "effects live no longer than the frame that led to them, and most are requests"
)]
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    /// Send a frame.
    SendFrame(String),
    /// Carry out a request.
    Request(RequestTag, Request),
    /// Close the connection.
    Close {
        /// The WebSocket close code.
        code: u16,
        /// Why, for people.
        reason: &'static str,
    },
}

impl Effect {
    /// The tags of what is asked; one that says nothing when nothing is.
    pub(crate) fn request_tags(effects: Vec<Self>) -> Vec<RequestTag> {
        let tags = effects.into_iter().filter_map(|effect| match effect {
            Self::Request(tag, _) => Some(tag),
            Self::SendFrame(_) | Self::Close { .. } => None,
        });
        let tags: Vec<_> = tags.collect();
        match tags.is_empty() {
            true => vec![RequestTag::default()],
            false => tags,
        }
    }
}

impl Effect {
    /// The end of a connection whose media worker is gone: its client comes back by itself, and
    /// begins anew.
    pub(crate) const CLOSE_MEDIA_LOST: Self = Self::Close {
        code: CLOSE_RESTART,
        reason: "all media is lost",
    };
    /// The end of a connection that has no business here any more.
    pub(crate) const CLOSE_REMOVED: Self = Self::Close {
        code: CLOSE_NORMAL,
        reason: "no longer in the room",
    };
}

/// A frame that could not be read as a request.
#[derive(Debug, PartialEq)]
pub(crate) struct DecodeError {
    /// What is known of the request.
    pub tag: RequestTag,
    /// What is wrong with it.
    pub refusal: Refusal,
}

/// What a dialect is told of its connection when it opens.
#[derive(Debug, Clone)]
pub(crate) struct SessionContext {
    /// The connection's public name.
    pub peer: PeerId,
    /// The room of clients that name none.
    pub room: Arc<str>,
    /// What it calls itself.
    pub claimed_peer: Option<Arc<str>>,
    /// Whether a token says who it is.
    pub is_user: bool,
    /// STUN and TURN servers for it.
    pub ice_servers: Arc<[IceServer]>,
}

/// One connection's dialect with its state.
#[derive(Debug)]
pub(crate) enum Dialect {
    /// JSON `{type, payload, id?}`.
    Native(native::State),
    /// Socket.IO, before the first event.
    Undecided(Namespace, SessionContext),
    /// The one-room dialect of Socket.IO.
    Sfu(sfu::State),
    /// The meetings dialect of Socket.IO.
    Rmm(rmm::State),
    /// The push-style dialect of Socket.IO.
    Meetlite(meetlite::State),
    /// The dialect of the namespace `/call`.
    Call(call::State),
    /// mediasoup's demonstration protocol.
    Protoo(protoo::State),
}

impl Dialect {
    /// A fresh connection's.
    pub(crate) fn new(kind: DialectKind, opened: SessionContext) -> Self {
        match kind {
            DialectKind::Native => Self::Native(native::State::default()),
            DialectKind::SocketIo(Namespace::Main) if opened.is_user => {
                Self::Meetlite(meetlite::State::new(opened))
            }
            DialectKind::SocketIo(Namespace::Call) => {
                Self::Call(call::State::new(Namespace::Call, opened))
            }
            DialectKind::SocketIo(namespace) => Self::Undecided(namespace, opened),
            DialectKind::Protoo => Self::Protoo(protoo::State::new(opened)),
        }
    }

    /// What a connection is sent first.
    pub(crate) fn welcome_frames(
        kind: DialectKind,
        opened: &SessionContext,
        options: &native::Config,
    ) -> Vec<String> {
        match kind {
            DialectKind::Native => vec![native::connected(opened, options)],
            DialectKind::SocketIo(namespace) => {
                let sid = opened.peer.as_str();
                let mut frames = vec![socketio::write_connect(namespace.name(), sid)];
                if namespace != Namespace::Main {
                    let payload = serde_json::json!({ "socketId": sid });
                    let name = "connection-success";
                    frames.push(socketio::write_event(namespace.name(), name, &[payload]));
                }
                frames
            }
            DialectKind::Protoo => Vec::new(),
        }
    }

    /// What a connection is told that may not open; the close code comes after it.
    pub(crate) fn rejection_frame(kind: DialectKind) -> Option<String> {
        match kind {
            DialectKind::SocketIo(namespace) => Some(socketio::write_connect_error(
                namespace.name(),
                "Authentication failed",
            )),
            DialectKind::Native | DialectKind::Protoo => None,
        }
    }

    /// Whether each producer is received on a transport of its own.
    pub(crate) const fn has_transport_per_producer(&self) -> bool {
        matches!(self, Self::Undecided(..) | Self::Sfu(_) | Self::Call(_))
    }

    /// Reads a frame.
    pub(crate) fn decode(&mut self, frame: &str) -> Result<Vec<Effect>, DecodeError> {
        match self {
            Self::Native(state) => native::decode(state, frame),
            Self::Protoo(state) => state.decode(frame),
            _ => self.decode_event(media_json::event(frame)?),
        }
    }

    /// Reads a Socket.IO event. The first one decides which dialect it is.
    fn decode_event(&mut self, event: Option<Event>) -> Result<Vec<Effect>, DecodeError> {
        let Some(event) = event else {
            return Ok(Vec::new());
        };
        if let Self::Undecided(namespace, opened) = self
            && let Some(decided) = decide(*namespace, &event.name, opened)
        {
            *self = decided;
        }
        let id = event.id();
        let outcome = match self {
            Self::Sfu(state) => state.decode(event),
            Self::Rmm(state) => state.decode(event),
            Self::Meetlite(state) => state.decode(event),
            Self::Call(state) => state.decode(event),
            Self::Undecided(..) | Self::Native(_) | Self::Protoo(_) => Err(Refusal::UnknownType),
        };
        let tag = RequestTag { id, event: "" };
        outcome.map_err(|refusal| DecodeError { tag, refusal })
    }

    /// Writes the answer to a request.
    pub(crate) fn reply(&mut self, tag: &RequestTag, reply: &Reply) -> Vec<Effect> {
        match self {
            Self::Native(state) => vec![Effect::SendFrame(native::reply(state, &tag.id, reply))],
            Self::Undecided(..) => Vec::new(),
            Self::Sfu(state) => state.reply(tag, reply),
            Self::Rmm(state) => state.reply(tag, reply),
            Self::Meetlite(state) => state.reply(tag, reply),
            Self::Call(state) => state.reply(tag, reply),
            Self::Protoo(state) => state.reply(tag, reply),
        }
    }

    /// Writes the refusal of a request.
    pub(crate) fn refusal(&mut self, tag: &RequestTag, refusal: &Refusal) -> Vec<Effect> {
        match self {
            Self::Native(_) => vec![Effect::SendFrame(native::refusal(&tag.id, refusal))],
            Self::Undecided(namespace, _) => media_json::refused(*namespace, tag, refusal),
            Self::Sfu(state) => state.refusal(tag, refusal),
            Self::Rmm(state) => state.refusal(tag, refusal),
            Self::Meetlite(state) => state.refusal(tag, refusal),
            Self::Call(state) => state.refusal(tag, refusal),
            Self::Protoo(state) => state.refusal(tag, refusal),
        }
    }

    /// Writes a notice; nothing when this client does not want to know.
    pub(crate) fn notice(&mut self, notice: &Notice) -> Vec<Effect> {
        match self {
            Self::Native(state) => native::notice(state, notice)
                .map(Effect::SendFrame)
                .into_iter()
                .collect(),
            Self::Undecided(..) => Vec::new(),
            Self::Sfu(state) => state.notice(notice),
            Self::Rmm(state) => state.notice(notice),
            Self::Meetlite(state) => state.notice(notice),
            Self::Call(state) => state.notice(notice),
            Self::Protoo(state) => state.notice(notice),
        }
    }
}

/// The dialect whose clients begin with this event, if there is one.
fn decide(namespace: Namespace, event: &str, opened: &SessionContext) -> Option<Dialect> {
    let opened = opened.clone();
    Some(match (namespace, event) {
        (Namespace::Main, "join" | "createTransport") => Dialect::Rmm(rmm::State::new(opened)),
        (Namespace::Main, "join-room" | "ready") => Dialect::Meetlite(meetlite::State::new(opened)),
        (Namespace::Mediasoup, "joinRoom") => Dialect::Call(call::State::new(namespace, opened)),
        (
            Namespace::Main | Namespace::Mediasoup,
            "getRtpCapabilities"
            | "getRouterRtpCapabilities"
            | "getAvailableProducers"
            | "createWebRtcTransport",
        ) => Dialect::Sfu(sfu::State::new(namespace, opened)),
        _ => return None,
    })
}
