//! Signalling of peer-to-peer calls: meetlite clients without access to the media server forward
//! offers and candidates to one another. Every message is parsed into its type and written again,
//! so that no unknown field passes, and the conference sets the sender. A client that sends `ready`
//! is announced to all others. Clients that are ready too reply, and in each pair the client with
//! the smaller id starts the call.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::payloads::{self, DeviceState, emit};
use super::request_names::ANNOUNCE;
use super::state::State;
use crate::dialect::effect::{Effect, RequestTag};
use crate::dialect::media_json::bad_request;
use crate::dialect::socketio_event::SocketIoEvent;
use crate::message::{ChatRequest, ParticipantSummary, PeerId, Refusal, Request, User};

/// Maximum length of a session description, in bytes. Chrome's description with the media of ten
/// participants has about 20,000.
const SDP_LEN_MAX: usize = 40_000;

/// Maximum length of a candidate and of each of its text fields, in bytes.
const CANDIDATE_LEN_MAX: usize = 1_000;

/// Sends a chat message.
const CHAT: &str = "chat:message";

/// Names of all messages that clients forward to one another.
const SIGNALS: [&str; 12] = [
    "call-user",
    "make-answer",
    "ice-candidate",
    "screen-share-call",
    "screen-share-answer",
    "screen-share-candidate",
    "screen-share-started",
    "screen-share-ready",
    "screen-share-stopped",
    "chat:typing-start",
    "chat:typing-stop",
    CHAT,
];

/// A message between two clients, in the form in which the conference relays it. The tag
/// distinguishes it from messages of other dialects.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "meetlite", rename_all = "kebab-case")]
enum Signal {
    /// The sender accepts calls.
    Ready {
        media: DeviceState,
    },
    /// Reply to `Ready`: the sender accepts calls as well.
    Present {
        media: DeviceState,
    },
    CallUser {
        offer: Description,
    },
    MakeAnswer {
        answer: Description,
    },
    IceCandidate {
        candidate: Option<Candidate>,
    },
    ScreenShareCall {
        offer: Description,
    },
    ScreenShareAnswer {
        answer: Description,
    },
    ScreenShareCandidate {
        candidate: Option<Candidate>,
    },
    ScreenShareStarted,
    ScreenShareReady,
    ScreenShareStopped,
    TypingStart,
    TypingStop,
}

/// An `RTCSessionDescriptionInit`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Description {
    #[serde(rename = "type")]
    kind: DescriptionKind,
    #[serde(default)]
    sdp: String,
}

/// An `RTCSdpType`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DescriptionKind {
    Offer,
    Pranswer,
    Answer,
    Rollback,
}

/// An `RTCIceCandidateInit`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    #[serde(default)]
    candidate: String,
    sdp_mid: Option<String>,
    #[serde(rename = "sdpMLineIndex")]
    sdp_m_line_index: Option<u16>,
    username_fragment: Option<String>,
}

/// Receiver of a message; absent means all others.
#[derive(Deserialize)]
struct Addressed {
    to: Option<String>,
}

#[derive(Deserialize)]
struct Offer {
    offer: Description,
}

#[derive(Deserialize)]
struct Answer {
    answer: Description,
}

#[derive(Deserialize)]
struct Trickle {
    candidate: Option<Candidate>,
}

#[derive(Deserialize)]
struct Chat {
    #[serde(alias = "text", alias = "content")]
    message: String,
}

/// Returns the name of a message between clients, or `None` for another event.
pub(super) fn find_name(event: &str) -> Option<&'static str> {
    SIGNALS.into_iter().find(|it| *it == event)
}

/// Returns the error message for a message that was not forwarded, or for an unknown event. Returns
/// `None` if the receiver has left or the rate limit was reached: no client waits for these.
pub(super) fn error_message(event: &str, refusal: &Refusal) -> Option<&'static str> {
    match (find_name(event), refusal) {
        (None, Refusal::RateLimited) => Some("Too many messages"),
        (None, _) => Some("Unknown event"),
        (Some(CHAT), _) => Some("Failed to send message"),
        (Some(_), Refusal::ParticipantNotFound | Refusal::RateLimited) => None,
        (Some(_), _) => Some("Failed to send signal"),
    }
}

impl Description {
    /// Returns the description if it is not too long.
    fn checked(self) -> Result<Self, Refusal> {
        match self.sdp.len() <= SDP_LEN_MAX {
            true => Ok(self),
            false => Err(bad_request("sdp is too long")),
        }
    }
}

/// Checks the length of a candidate.
fn check_candidate(candidate: Option<Candidate>) -> Result<Option<Candidate>, Refusal> {
    if let Some(it) = &candidate {
        let beside = [&it.sdp_mid, &it.username_fragment].into_iter().flatten();
        let mut texts = beside.chain([&it.candidate]);
        if texts.any(|it| it.len() > CANDIDATE_LEN_MAX) {
            return Err(bad_request("candidate is too long"));
        }
    }
    Ok(candidate)
}

/// Reads the message of this name.
fn read_signal(name: &str, event: SocketIoEvent) -> Result<Signal, Refusal> {
    Ok(match name {
        "call-user" => Signal::CallUser {
            offer: event.read::<Offer>()?.offer.checked()?,
        },
        "make-answer" => Signal::MakeAnswer {
            answer: event.read::<Answer>()?.answer.checked()?,
        },
        "ice-candidate" => Signal::IceCandidate {
            candidate: check_candidate(event.read::<Trickle>()?.candidate)?,
        },
        "screen-share-call" => Signal::ScreenShareCall {
            offer: event.read::<Offer>()?.offer.checked()?,
        },
        "screen-share-answer" => Signal::ScreenShareAnswer {
            answer: event.read::<Answer>()?.answer.checked()?,
        },
        "screen-share-candidate" => Signal::ScreenShareCandidate {
            candidate: check_candidate(event.read::<Trickle>()?.candidate)?,
        },
        "screen-share-started" => Signal::ScreenShareStarted,
        "screen-share-ready" => Signal::ScreenShareReady,
        "screen-share-stopped" => Signal::ScreenShareStopped,
        "chat:typing-start" => Signal::TypingStart,
        "chat:typing-stop" => Signal::TypingStop,
        _ => return Err(Refusal::UnknownType),
    })
}

/// Requests to forward a message. Every message can be written as JSON; the fallback is never used.
fn relay(event: &'static str, to: Option<String>, signal: &Signal) -> Effect {
    let body = serde_json::to_value(signal).unwrap_or_default();
    Effect::Request(RequestTag::internal(event), Request::Relay { to, body })
}

impl State {
    /// Decodes a message for other clients.
    pub(super) fn decode_signal(
        &mut self,
        name: &'static str,
        event: SocketIoEvent,
    ) -> Result<Vec<Effect>, Refusal> {
        if name == CHAT {
            let text = event.read::<Chat>()?.message;
            return Ok(vec![Effect::Request(
                RequestTag::internal(CHAT),
                Request::Chat(ChatRequest {
                    text,
                    ..ChatRequest::default()
                }),
            )]);
        }
        let to = match &event.argument {
            Value::Object(_) => {
                Addressed::deserialize(&event.argument)
                    .map_err(|error| bad_request(&error.to_string()))?
                    .to
            }
            _ => None,
        };
        let signal = read_signal(name, event)?;
        let is_for_one = matches!(
            signal,
            Signal::CallUser { .. }
                | Signal::MakeAnswer { .. }
                | Signal::IceCandidate { .. }
                | Signal::ScreenShareCall { .. }
                | Signal::ScreenShareAnswer { .. }
                | Signal::ScreenShareCandidate { .. }
        );
        if is_for_one && to.is_none() {
            return Err(bad_request("to is missing"));
        }
        Ok(vec![relay(name, to, &signal)])
    }

    /// Sends the client the list of participants, and announces to the room that it accepts calls.
    pub(super) fn start_p2p(&mut self) -> Vec<Effect> {
        self.is_p2p = true;
        let media = self.devices;
        vec![
            room_data(&self.others),
            relay(ANNOUNCE, None, &Signal::Ready { media }),
        ]
    }

    /// Encodes a message that another client sent.
    pub(super) fn encode_signal(
        &mut self,
        from: &PeerId,
        user: Option<&User>,
        body: &Value,
    ) -> Vec<Effect> {
        let Ok(signal) = Signal::deserialize(body) else {
            // The message is one between clients of another dialect.
            return Vec::new();
        };
        let is_wanted = match signal {
            Signal::TypingStart | Signal::TypingStop => self.is_p2p || self.knows_others,
            _ => self.is_p2p,
        };
        if !is_wanted {
            return Vec::new();
        }
        let (name, payload) = match signal {
            Signal::Ready { media } => return self.peer_ready(from, user, media),
            Signal::Present { media } => {
                return vec![payloads::media_state(from, media), self.initiate(from)];
            }
            Signal::CallUser { offer } => ("call-user", payload_from(from, "offer", &offer)),
            Signal::MakeAnswer { answer } => ("answer-made", payload_from(from, "answer", &answer)),
            Signal::IceCandidate { candidate } => {
                ("ice-candidate", payload_from(from, "candidate", &candidate))
            }
            Signal::ScreenShareCall { offer } => {
                ("screen-share-call", payload_from(from, "offer", &offer))
            }
            Signal::ScreenShareAnswer { answer } => {
                ("screen-share-answer", payload_from(from, "answer", &answer))
            }
            Signal::ScreenShareCandidate { candidate } => (
                "screen-share-candidate",
                payload_from(from, "candidate", &candidate),
            ),
            Signal::ScreenShareStarted => ("screen-share-started", sender_payload(from, user)),
            Signal::ScreenShareReady => ("screen-share-ready", sender_payload(from, user)),
            Signal::ScreenShareStopped => ("screen-share-stopped", sender_payload(from, user)),
            Signal::TypingStart => ("chat:typing-start", payloads::sender(from, user)),
            Signal::TypingStop => ("chat:typing-stop", payloads::sender(from, user)),
        };
        vec![emit(name, payload.into())]
    }

    /// Notifies the client that a participant accepts calls, and replies that this client does too.
    fn peer_ready(&self, from: &PeerId, user: Option<&User>, media: DeviceState) -> Vec<Effect> {
        let present = Signal::Present {
            media: self.devices,
        };
        vec![
            emit("user-joined", payloads::sender(from, user).into()),
            payloads::media_state(from, media),
            self.initiate(from),
            relay(ANNOUNCE, Some(from.to_string()), &present),
        ]
    }

    /// Writes `initiate-connection`. Exactly one client of each pair is the initiator.
    fn initiate(&self, other: &PeerId) -> Effect {
        let payload = json!({
            "targetUserId": other.as_str(),
            "isInitiator": self.context.peer < *other,
        });
        emit("initiate-connection", payload)
    }
}

/// Writes `room-data`: the other participants. Each reports its devices in its reply to `Ready`.
fn room_data(others: &[ParticipantSummary]) -> Effect {
    let participants: Vec<_> = others.iter().map(|it| it.peer.as_str()).collect();
    let by_peer = |value: fn(&ParticipantSummary) -> Value| {
        let entries = others.iter().map(|it| (it.peer.to_string(), value(it)));
        Value::Object(entries.collect())
    };
    let payload = json!({
        "participants": participants,
        "mediaState": by_peer(|_| json!(DeviceState::default())),
        "participantInfo": by_peer(payloads::participant_info),
    });
    emit("room-data", payload)
}

/// Returns a payload with the sender and the member `name`.
fn payload_from(from: &PeerId, name: &str, value: &impl Serialize) -> Map<String, Value> {
    let mut payload = Map::new();
    payload.insert("from".to_owned(), json!(from.as_str()));
    payload.insert(name.to_owned(), json!(value));
    payload
}

/// Returns a payload that only names its sender.
fn sender_payload(from: &PeerId, user: Option<&User>) -> Map<String, Value> {
    let mut payload = payloads::sender(from, user);
    payload.insert("from".to_owned(), json!(from.as_str()));
    payload
}
