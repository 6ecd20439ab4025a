//! Translation between the frames of a connection and signalling messages. A dialect is pure: it
//! decodes frames into requests, and encodes replies, refusals and notices as its clients expect
//! them. It keeps little state per connection and must never decide anything about rooms or media.
//!
//! Decoding and encoding return a list of effects, carried out in order: frames to send, and
//! requests of the dialect itself (some dialects consume for their clients). The replies are passed
//! to the dialect with the tag of the request.

mod call;
mod effect;
pub mod json;
mod media_json;
mod meetlite;
pub mod native;
mod protoo;
mod remote_producers;
mod rmm;
mod session_context;
mod sfu;
pub mod socketio;
mod socketio_event;
mod transport_events;

use crate::connect_request::{DialectKind, Namespace};
use crate::message::{Notice, Refusal, Reply};
use socketio_event::SocketIoEvent;

pub(crate) use self::effect::{DecodeError, Effect, RequestTag};
pub(crate) use self::session_context::SessionContext;

/// The dialect of one connection, with its state.
#[derive(Debug)]
pub(crate) enum Dialect {
    /// JSON `{type, payload, id?}`.
    Native(native::State),
    /// Socket.IO before the first event, which determines the dialect.
    Undecided(Namespace, SessionContext),
    /// Socket.IO, clients that name no room.
    Sfu(sfu::State),
    /// Socket.IO, clients invited by a link.
    Rmm(rmm::State),
    /// Socket.IO, clients for which the server consumes.
    Meetlite(meetlite::State),
    /// Socket.IO, namespace `/call`.
    Call(call::State),
    /// Protocol of the mediasoup demo.
    Protoo(protoo::State),
}

impl Dialect {
    /// Creates the state of a new connection.
    pub(crate) fn new(kind: DialectKind, context: SessionContext) -> Self {
        match kind {
            DialectKind::Native => Self::Native(native::State::default()),
            DialectKind::SocketIo(Namespace::Main) if context.is_user => {
                Self::Meetlite(meetlite::State::new(context))
            }
            DialectKind::SocketIo(Namespace::Call) => {
                Self::Call(call::State::new(Namespace::Call, context))
            }
            DialectKind::SocketIo(namespace) => Self::Undecided(namespace, context),
            DialectKind::Protoo => Self::Protoo(protoo::State::new(context)),
        }
    }

    /// Returns the name of the dialect, as in `docs/protocol.md`.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Native(_) => "native",
            Self::Undecided(..) => "socketio",
            Self::Sfu(_) => "sfu",
            Self::Rmm(_) => "rmm",
            Self::Meetlite(_) => "meetlite",
            Self::Call(_) => "call",
            Self::Protoo(_) => "protoo",
        }
    }

    /// Returns the first frames for a new connection.
    pub(crate) fn welcome_frames(
        kind: DialectKind,
        context: &SessionContext,
        config: &native::Config,
    ) -> Vec<String> {
        match kind {
            DialectKind::Native => vec![native::encode_connected(context, config)],
            DialectKind::SocketIo(namespace) => {
                let sid = context.peer.as_str();
                let mut frames = vec![socketio::write_connect(namespace.name(), sid)];
                if namespace != Namespace::Main {
                    let payload = match namespace {
                        Namespace::Mediasoup => serde_json::json!({
                            "socketId": sid, "existsProducer": context.somebody_sends,
                        }),
                        Namespace::Main | Namespace::Call => serde_json::json!({ "socketId": sid }),
                    };
                    let name = "connection-success";
                    frames.push(socketio::write_event(namespace.name(), name, &[payload]));
                }
                frames
            }
            DialectKind::Protoo => Vec::new(),
        }
    }

    /// Returns the frame to send to a refused connection before the close code.
    pub(crate) fn rejection_frame(kind: DialectKind) -> Option<String> {
        match kind {
            DialectKind::SocketIo(namespace) => Some(socketio::write_connect_error(
                namespace.name(),
                "Authentication failed",
            )),
            DialectKind::Native | DialectKind::Protoo => None,
        }
    }

    /// Returns whether clients receive each producer on a separate transport.
    pub(crate) const fn has_transport_per_producer(&self) -> bool {
        matches!(self, Self::Undecided(..) | Self::Sfu(_) | Self::Call(_))
    }

    /// Returns whether clients tell private chat messages from others.
    pub(crate) const fn has_private_messages(&self) -> bool {
        matches!(self, Self::Native(state) if state.is_extended())
    }

    /// Adds a number to a frame. Only clients of the native dialect get numbers.
    pub(crate) fn number_frame(&self, text: String, seq: u64) -> String {
        match self {
            Self::Native(_) => native::number_frame(&text, seq),
            _ => text,
        }
    }

    /// Returns whether clients can be moved to breakout rooms.
    pub(crate) const fn has_breakout_rooms(&self) -> bool {
        self.has_private_messages()
    }

    /// Decodes a frame.
    pub(crate) fn decode(&mut self, frame: &str) -> Result<Vec<Effect>, DecodeError> {
        match self {
            Self::Native(state) => native::decode(state, frame),
            Self::Protoo(state) => state.decode(frame),
            _ => self.decode_event(SocketIoEvent::parse(frame)?),
        }
    }

    /// Decodes a Socket.IO event. The first one determines the dialect.
    fn decode_event(&mut self, event: Option<SocketIoEvent>) -> Result<Vec<Effect>, DecodeError> {
        let Some(event) = event else {
            return Ok(Vec::new());
        };
        if let Self::Undecided(namespace, context) = self
            && let Some(detected) = detect(*namespace, &event.name, context)
        {
            *self = detected;
        }
        let id = event.id();
        let decoded = match self {
            Self::Sfu(state) => state.decode(event),
            Self::Rmm(state) => state.decode(event),
            Self::Meetlite(state) => state.decode(event),
            Self::Call(state) => state.decode(event),
            Self::Undecided(..) | Self::Native(_) | Self::Protoo(_) => Err(Refusal::UnknownType),
        };
        let tag = RequestTag { id, event: "" };
        decoded.map_err(|refusal| DecodeError { tag, refusal })
    }

    /// Encodes the reply to a request.
    pub(crate) fn encode_reply(&mut self, tag: &RequestTag, reply: &Reply) -> Vec<Effect> {
        match self {
            Self::Native(state) => {
                vec![Effect::SendFrame(native::encode_reply(
                    state, &tag.id, reply,
                ))]
            }
            Self::Undecided(..) => Vec::new(),
            Self::Sfu(state) => state.encode_reply(tag, reply),
            Self::Rmm(state) => state.encode_reply(tag, reply),
            Self::Meetlite(state) => state.encode_reply(tag, reply),
            Self::Call(state) => state.encode_reply(tag, reply),
            Self::Protoo(state) => state.encode_reply(tag, reply),
        }
    }

    /// Encodes the refusal of a request.
    pub(crate) fn encode_refusal(&mut self, tag: &RequestTag, refusal: &Refusal) -> Vec<Effect> {
        match self {
            Self::Native(_) => vec![Effect::SendFrame(native::encode_refusal(&tag.id, refusal))],
            Self::Undecided(namespace, _) => {
                socketio_event::acknowledge_refusal(*namespace, tag, refusal)
            }
            Self::Sfu(state) => state.encode_refusal(tag, refusal),
            Self::Rmm(state) => state.encode_refusal(tag, refusal),
            Self::Meetlite(state) => state.encode_refusal(tag, refusal),
            Self::Call(state) => state.encode_refusal(tag, refusal),
            Self::Protoo(state) => state.encode_refusal(tag, refusal),
        }
    }

    /// Encodes a notice. Returns no effects when the client does not support this notice.
    pub(crate) fn encode_notice(&mut self, notice: &Notice) -> Vec<Effect> {
        match (notice, &mut *self) {
            (_, Self::Native(_)) => {}
            // Only clients of the native dialect do not know closed producers.
            (
                Notice::ParticipantRestarted {
                    participant,
                    producers,
                },
                _,
            ) => {
                let closed = producers.iter().map(|&producer| Notice::ProducerClosed {
                    peer: participant.peer.clone(),
                    producer,
                });
                return closed.flat_map(|it| self.encode_notice(&it)).collect();
            }
            _ => {}
        }
        match self {
            Self::Native(state) => native::encode_notice(state, notice)
                .into_iter()
                .map(Effect::SendFrame)
                .collect(),
            Self::Undecided(..) => Vec::new(),
            Self::Sfu(state) => state.encode_notice(notice),
            Self::Rmm(state) => state.encode_notice(notice),
            Self::Meetlite(state) => state.encode_notice(notice),
            Self::Call(state) => state.encode_notice(notice),
            Self::Protoo(state) => state.encode_notice(notice),
        }
    }
}

/// Returns the dialect whose clients begin with this event, or `None` for an unknown event.
fn detect(namespace: Namespace, event: &str, context: &SessionContext) -> Option<Dialect> {
    let context = context.clone();
    Some(match (namespace, event) {
        (Namespace::Main, "join" | "createTransport") => Dialect::Rmm(rmm::State::new(context)),
        (Namespace::Main, "join-room" | "ready") => {
            Dialect::Meetlite(meetlite::State::new(context))
        }
        (Namespace::Mediasoup, "joinRoom") => Dialect::Call(call::State::new(namespace, context)),
        (Namespace::Mediasoup, "createRoom") => Dialect::Sfu(sfu::State::new(namespace, context)),
        (
            Namespace::Main | Namespace::Mediasoup,
            "getRtpCapabilities"
            | "getRouterRtpCapabilities"
            | "getAvailableProducers"
            | "createWebRtcTransport",
        ) => Dialect::Sfu(sfu::State::new(namespace, context)),
        _ => return None,
    })
}
