//! Calls without the media server: meetlite clients that cannot reach it hand one another their
//! offers and candidates. Every message is read into its type and written anew, so that nothing
//! passes that is not known here, and who sent it is what the conference says, never what the
//! message says. Whoever is `ready` tells all others; those that are ready too answer, and of each
//! two the one with the smaller id begins.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::payloads::{self, Devices, told};
use super::{ANNOUNCE, State};
use crate::dialect::media_json::{self, Event};
use crate::dialect::{Effect, RequestTag};
use crate::message::{ParticipantSummary, PeerId, Refusal, Request, User};

/// Longest session description, in bytes. Chrome's with ten participants' media has about 20,000.
const SDP_LEN_MAX: usize = 40_000;

/// Longest candidate, and longest text beside it, in bytes.
const CANDIDATE_LEN_MAX: usize = 1_000;

const CHAT: &str = "chat:message";

/// What its clients hand one another.
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

/// A message between two clients, as it travels through the conference. The tag tells it from the
/// messages of other dialects.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "meetlite", rename_all = "kebab-case")]
enum Signal {
    /// Somebody can be called.
    Ready {
        media: Devices,
    },
    /// Somebody can be called too.
    Present {
        media: Devices,
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

/// Whom a message is for; absent means all others.
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

/// The name of a message between clients, if this is one.
pub(super) fn name(event: &str) -> Option<&'static str> {
    SIGNALS.into_iter().find(|it| *it == event)
}

/// The text for a message that could not be handed on, or for an event that is none. Whom it was
/// for may just have left, and a flood of candidates is nobody's promise: of these nothing is told.
pub(super) fn error(event: &str, refusal: &Refusal) -> Option<&'static str> {
    match (name(event), refusal) {
        (None, Refusal::RateLimited) => Some("Too many messages"),
        (None, _) => Some("Unknown event"),
        (Some(CHAT), _) => Some("Failed to send message"),
        (Some(_), Refusal::ParticipantNotFound | Refusal::RateLimited) => None,
        (Some(_), _) => Some("Failed to send signal"),
    }
}

impl Description {
    /// Checks its length.
    fn checked(self) -> Result<Self, Refusal> {
        match self.sdp.len() <= SDP_LEN_MAX {
            true => Ok(self),
            false => Err(media_json::explained("sdp is too long")),
        }
    }
}

/// Checks the length of a candidate.
fn checked(candidate: Option<Candidate>) -> Result<Option<Candidate>, Refusal> {
    if let Some(it) = &candidate {
        let beside = [&it.sdp_mid, &it.username_fragment].into_iter().flatten();
        let mut texts = beside.chain([&it.candidate]);
        if texts.any(|it| it.len() > CANDIDATE_LEN_MAX) {
            return Err(media_json::explained("candidate is too long"));
        }
    }
    Ok(candidate)
}

/// Reads a message of this name.
fn signal(name: &str, event: Event) -> Result<Signal, Refusal> {
    Ok(match name {
        "call-user" => Signal::CallUser {
            offer: event.read::<Offer>()?.offer.checked()?,
        },
        "make-answer" => Signal::MakeAnswer {
            answer: event.read::<Answer>()?.answer.checked()?,
        },
        "ice-candidate" => Signal::IceCandidate {
            candidate: checked(event.read::<Trickle>()?.candidate)?,
        },
        "screen-share-call" => Signal::ScreenShareCall {
            offer: event.read::<Offer>()?.offer.checked()?,
        },
        "screen-share-answer" => Signal::ScreenShareAnswer {
            answer: event.read::<Answer>()?.answer.checked()?,
        },
        "screen-share-candidate" => Signal::ScreenShareCandidate {
            candidate: checked(event.read::<Trickle>()?.candidate)?,
        },
        "screen-share-started" => Signal::ScreenShareStarted,
        "screen-share-ready" => Signal::ScreenShareReady,
        "screen-share-stopped" => Signal::ScreenShareStopped,
        "chat:typing-start" => Signal::TypingStart,
        "chat:typing-stop" => Signal::TypingStop,
        _ => return Err(Refusal::UnknownType),
    })
}

/// Asks for a message to be handed on. Each has a JSON form, so the fallback is for the compiler.
fn relay(event: &'static str, to: Option<String>, signal: &Signal) -> Effect {
    let body = serde_json::to_value(signal).unwrap_or_default();
    Effect::Request(RequestTag::internal(event), Request::Relay { to, body })
}

impl State {
    /// Reads a message for another client.
    pub(super) fn signal(
        &mut self,
        name: &'static str,
        event: Event,
    ) -> Result<Vec<Effect>, Refusal> {
        if name == CHAT {
            let text = event.read::<Chat>()?.message;
            return Ok(vec![Effect::Request(
                RequestTag::internal(CHAT),
                Request::Chat { text },
            )]);
        }
        let to = match &event.argument {
            Value::Object(_) => {
                Addressed::deserialize(&event.argument)
                    .map_err(|error| media_json::explained(&error.to_string()))?
                    .to
            }
            _ => None,
        };
        let signal = signal(name, event)?;
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
            return Err(media_json::explained("to is missing"));
        }
        Ok(vec![relay(name, to, &signal)])
    }

    /// Tells who is in the room, and the room that this client can be called.
    pub(super) fn start_calling(&mut self) -> Vec<Effect> {
        self.is_calling = true;
        let media = self.devices;
        vec![
            room_data(&self.others),
            relay(ANNOUNCE, None, &Signal::Ready { media }),
        ]
    }

    /// Tells what another client handed on.
    pub(super) fn relayed(
        &mut self,
        from: &PeerId,
        user: Option<&User>,
        body: &Value,
    ) -> Vec<Effect> {
        let Ok(signal) = Signal::deserialize(body) else {
            // It is a message between clients of another dialect.
            return Vec::new();
        };
        let is_heard = match signal {
            Signal::TypingStart | Signal::TypingStop => self.is_calling || self.is_visible,
            _ => self.is_calling,
        };
        if !is_heard {
            return Vec::new();
        }
        let (name, payload) = match signal {
            Signal::Ready { media } => return self.found(from, user, media),
            Signal::Present { media } => {
                return vec![payloads::media_state(from, media), self.initiate(from)];
            }
            Signal::CallUser { offer } => ("call-user", sent(from, "offer", &offer)),
            Signal::MakeAnswer { answer } => ("answer-made", sent(from, "answer", &answer)),
            Signal::IceCandidate { candidate } => {
                ("ice-candidate", sent(from, "candidate", &candidate))
            }
            Signal::ScreenShareCall { offer } => ("screen-share-call", sent(from, "offer", &offer)),
            Signal::ScreenShareAnswer { answer } => {
                ("screen-share-answer", sent(from, "answer", &answer))
            }
            Signal::ScreenShareCandidate { candidate } => (
                "screen-share-candidate",
                sent(from, "candidate", &candidate),
            ),
            Signal::ScreenShareStarted => ("screen-share-started", by(from, user)),
            Signal::ScreenShareReady => ("screen-share-ready", by(from, user)),
            Signal::ScreenShareStopped => ("screen-share-stopped", by(from, user)),
            Signal::TypingStart => ("chat:typing-start", payloads::sender(from, user)),
            Signal::TypingStop => ("chat:typing-stop", payloads::sender(from, user)),
        };
        vec![told(name, payload.into())]
    }

    /// Tells that somebody can be called now, and that one that this client can be called too.
    fn found(&self, from: &PeerId, user: Option<&User>, media: Devices) -> Vec<Effect> {
        let present = Signal::Present {
            media: self.devices,
        };
        vec![
            told("user-joined", payloads::sender(from, user).into()),
            payloads::media_state(from, media),
            self.initiate(from),
            relay(ANNOUNCE, Some(from.to_string()), &present),
        ]
    }

    /// Tells with whom to begin a call. Exactly one of the two does.
    fn initiate(&self, other: &PeerId) -> Effect {
        let payload = json!({
            "targetUserId": other.as_str(),
            "isInitiator": self.opened.peer < *other,
        });
        told("initiate-connection", payload)
    }
}

/// `room-data`: who is there. What devices do, each tells by itself when it hears of the newcomer.
fn room_data(others: &[ParticipantSummary]) -> Effect {
    let participants: Vec<_> = others.iter().map(|it| it.peer.as_str()).collect();
    let named = |value: fn(&ParticipantSummary) -> Value| {
        let entries = others.iter().map(|it| (it.peer.to_string(), value(it)));
        Value::Object(entries.collect())
    };
    let payload = json!({
        "participants": participants,
        "mediaState": named(|_| json!(Devices::default())),
        "participantInfo": named(payloads::info),
    });
    told("room-data", payload)
}

/// What somebody sent to one other.
fn sent(from: &PeerId, name: &str, value: &impl Serialize) -> Map<String, Value> {
    let mut payload = Map::new();
    payload.insert("from".to_owned(), json!(from.as_str()));
    payload.insert(name.to_owned(), json!(value));
    payload
}

/// What somebody did.
fn by(from: &PeerId, user: Option<&User>) -> Map<String, Value> {
    let mut payload = payloads::sender(from, user);
    payload.insert("from".to_owned(), json!(from.as_str()));
    payload
}
