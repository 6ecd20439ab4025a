//! The meetlite dialect: Socket.IO events of the default namespace, for users with a token. It is
//! push-style: the server consumes for its client and announces each consumer, which the client
//! then resumes. Nothing is acknowledged, every reply is an event; and since a client rejects all
//! its promises on an `error`, none is ever sent but for a request that failed.
//!
//! A client is shown to itself in two steps: it enters at `join-room`, and hears of the others
//! with its first transport. What happens in between goes into what it is told then. Must never
//! decide who may do what; that only users come in is a rule of this dialect's clients.

mod consumers;
mod p2p_signalling;
mod payloads;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::json;
use watersmeet_engine::command::{ProducerId, TransportId};
use watersmeet_wire::units::Map;

use self::consumers::Receptions;
use self::payloads::{
    ConnectTransport, ConsumerRef, CreateProducer, CreateTransport, Devices, KindRef, Label,
    MediaState, Ready, RoomRef, SetCapabilities,
};
use super::media_json::{self, Event};
use super::{Effect, RequestTag, SessionContext};
use crate::close_codes::CLOSE_NORMAL;
use crate::connect_request::Namespace;
use crate::message::{
    CreatedTransport, Direction, Notice, ParticipantSummary, ProducerSummary, Refusal,
    RemovalReason, Reply, Request,
};

/// Where its clients connect.
const NAMESPACE: Namespace = Namespace::Main;

const JOIN_ROOM: &str = "join-room";
const READY: &str = "ready";
const LEAVE: &str = "user-left";
const CREATE_PRODUCER: &str = "create-producer";
const RESUME_CONSUMER: &str = "resume-consumer";
const PAUSE_CONSUMER: &str = "pause-consumer";
const PAUSE_PRODUCER: &str = "pause-producer";
const CLOSE_PRODUCER: &str = "close-producer";
/// What the dialect asks by itself: to consume, to close what a client has replaced, and to tell
/// others that it can be called.
const CONSUME: &str = "consume";
const REPLACE: &str = "replace";
const ANNOUNCE: &str = "announce";

/// Its requests, and the fixed text of each that fails.
const REQUESTS: [(&str, &str); 15] = [
    (JOIN_ROOM, "Failed to join room"),
    (READY, "Failed to join room"),
    (LEAVE, "Failed to leave room"),
    ("create-webrtc-transport", "Failed to create transport"),
    ("connect-webrtc-transport", "Failed to connect transport"),
    ("set-rtp-capabilities", "Failed to set RTP capabilities"),
    (CREATE_PRODUCER, "Failed to create producer"),
    (PAUSE_PRODUCER, "Failed to pause producer"),
    ("resume-producer", "Failed to resume producer"),
    (CLOSE_PRODUCER, "Failed to close producer"),
    (RESUME_CONSUMER, "Failed to resume consumer"),
    (PAUSE_CONSUMER, "Failed to pause consumer"),
    ("resume-all-consumers", "Failed to resume consumers"),
    ("media-state-change", "Failed to update media state"),
    ("get-participant-stats", "Failed to get participant stats"),
];

/// What is remembered of a connection.
#[derive(Debug)]
pub(crate) struct State {
    /// What is known since the opening.
    opened: SessionContext,
    /// The room it is in.
    room: Option<Arc<str>>,
    /// The request whose answer waits for a host's decision.
    waiting: Option<&'static str>,
    /// Whether it has been told of the others.
    is_visible: bool,
    /// Whether it calls others without the media server.
    is_calling: bool,
    /// What its devices do, as it last said.
    devices: Devices,
    /// Who else is in the room, longest first, and what they send. No more than the room allows.
    others: Vec<ParticipantSummary>,
    /// Its newest transport to send on.
    sending: Option<TransportId>,
    /// What it sends, one of each label.
    producers: Map<Label, Own>,
    /// What it receives.
    receptions: Receptions,
}

/// Something that the client sends.
#[derive(Debug)]
enum Own {
    /// It is being made; so often it was asked for again meanwhile.
    Asked(u8),
    /// It was made.
    Made(ProducerSummary),
}

impl State {
    /// A fresh connection's.
    pub(super) fn new(opened: SessionContext) -> Self {
        Self {
            opened,
            room: None,
            waiting: None,
            is_visible: false,
            is_calling: false,
            devices: Devices::default(),
            others: Vec::new(),
            sending: None,
            producers: Map::new(),
            receptions: Receptions::default(),
        }
    }

    /// Reads an event. One that makes no sense is refused in the words of its request.
    pub(super) fn decode(&mut self, event: Event) -> Result<Vec<Effect>, Refusal> {
        let mut requests = REQUESTS.iter();
        let (name, outcome) = match requests.find(|(name, _)| *name == event.name) {
            Some((name, _)) => (*name, self.request(name, event)),
            None => {
                let name = p2p_signalling::name(&event.name).ok_or(Refusal::UnknownType)?;
                (name, self.signal(name, event))
            }
        };
        Ok(outcome.unwrap_or_else(|refusal| self.refusal(&RequestTag::internal(name), &refusal)))
    }

    /// Reads a request.
    fn request(&mut self, name: &'static str, event: Event) -> Result<Vec<Effect>, Refusal> {
        let request = match name {
            JOIN_ROOM => self.join(event.read::<RoomRef>()?.room_id)?,
            READY => return self.ready(event.read()?),
            LEAVE => Request::Leave,
            "create-webrtc-transport" => {
                let CreateTransport { room_id, direction } = event.read()?;
                self.check_room(room_id.as_deref())?;
                let key = None;
                Request::CreateTransport { direction, key }
            }
            "connect-webrtc-transport" => {
                let ConnectTransport {
                    dtls_parameters: dtls,
                    direction,
                } = event.read()?;
                let transport = match direction {
                    Direction::Send => self.sending,
                    Direction::Recv => self.receptions.transport,
                };
                let transport = transport.ok_or(Refusal::TransportNotFound)?;
                Request::ConnectTransport { transport, dtls }
            }
            "set-rtp-capabilities" => {
                self.check_room(None)?;
                let capabilities = event.read::<SetCapabilities>()?.rtp_capabilities;
                self.receptions.set_capabilities(capabilities);
                return Ok(self.receptions.consume(&self.others));
            }
            CREATE_PRODUCER => return self.create_producer(event.read()?),
            RESUME_CONSUMER | PAUSE_CONSUMER => {
                let ConsumerRef { consumer_id } = event.read()?;
                return Ok(vec![consumers::pause(name, &consumer_id)]);
            }
            "resume-all-consumers" => return Ok(self.receptions.resume_all()),
            PAUSE_PRODUCER | "resume-producer" => Request::PauseProducer {
                producer: self.own(event.read::<KindRef>()?.kind)?,
                paused: name == PAUSE_PRODUCER,
            },
            CLOSE_PRODUCER => {
                let KindRef { kind } = event.read()?;
                if !self.producers.contains_key(&kind) {
                    // It has what it wants.
                    return Ok(Vec::new());
                }
                let producer = self.own(kind)?;
                Request::CloseProducer { producer }
            }
            "media-state-change" => {
                let MediaState { room_id, devices } = event.read()?;
                self.check_room(room_id.as_deref())?;
                self.devices = devices;
                Request::MediaState {
                    audio: devices.audio_enabled,
                    video: devices.video_enabled,
                }
            }
            _ => return Ok(vec![self.stats()]),
        };
        Ok(vec![Effect::Request(RequestTag::internal(name), request)])
    }

    /// Reads `ready`. Whoever is in the room already only begins to call.
    fn ready(&mut self, payload: Ready) -> Result<Vec<Effect>, Refusal> {
        self.devices = payload.media_state.unwrap_or_default();
        if self.room.as_deref() == Some(&*payload.room_id) {
            return Ok(self.start_calling());
        }
        let request = self.join(payload.room_id)?;
        Ok(vec![Effect::Request(RequestTag::internal(READY), request)])
    }

    /// Asks to enter a room. Others may come into open rooms without a token; here they may not.
    fn join(&self, room: String) -> Result<Request, Refusal> {
        if !self.opened.is_user {
            return Err(Refusal::InvalidToken);
        }
        Ok(Request::Join {
            room,
            display_name: None,
            token: None,
            user: None,
            policy: None,
        })
    }

    /// Checks that the client is in a room, and in the one that it names.
    fn check_room(&self, named: Option<&str>) -> Result<(), Refusal> {
        let room = self.room.as_deref().ok_or(Refusal::NotInRoom)?;
        match named {
            Some(named) if named != room => Err(Refusal::RoomNotFound),
            _ => Ok(()),
        }
    }

    /// Its producer of a label.
    fn own(&self, label: Label) -> Result<ProducerId, Refusal> {
        match self.producers.get(&label) {
            Some(Own::Made(summary)) => Ok(summary.producer),
            Some(Own::Asked(_)) | None => Err(Refusal::ProducerNotFound),
        }
    }

    /// Reads `create-producer`. There is one of each label: whoever asks again is told of that one.
    fn create_producer(&mut self, payload: CreateProducer) -> Result<Vec<Effect>, Refusal> {
        let app_data = media_json::app_data(payload.app_data)?;
        let kind = payload.kind.kind();
        let is_screen = media_json::source(kind, app_data.as_ref()).is_some();
        let label = payload.kind.of_screen(is_screen);
        let transport = self.sending.ok_or(Refusal::TransportNotFound)?;
        match self.producers.get_mut(&label) {
            Some(Own::Made(summary)) => return Ok(vec![payloads::producer_created(summary)]),
            Some(Own::Asked(again)) => {
                *again = again.saturating_add(1);
                return Ok(Vec::new());
            }
            None => {}
        }
        self.producers.insert(label, Own::Asked(0));
        let tag = RequestTag {
            id: Some(json!(label)),
            event: CREATE_PRODUCER,
        };
        let request = Request::Produce {
            transport,
            kind,
            rtp: payload.rtp_parameters,
            source: Some(label.source()),
            paused: false,
            app_data,
        };
        Ok(vec![Effect::Request(tag, request)])
    }

    /// What the client sends and receives.
    fn stats(&self) -> Effect {
        let producers = self.producers.iter().filter_map(|(label, own)| match own {
            Own::Made(summary) => {
                Some(json!({ "producerId": summary.producer.to_string(), "kind": label }))
            }
            Own::Asked(_) => None,
        });
        let producers: Vec<_> = producers.collect();
        let payload = json!({
            "participantId": self.opened.peer.as_str(),
            "producers": producers,
            "consumers": self.receptions.list(),
        });
        payloads::told("participant-stats", payload)
    }

    /// Writes the answer to a request.
    pub(super) fn reply(&mut self, tag: &RequestTag, reply: &Reply) -> Vec<Effect> {
        match reply {
            Reply::RouterCapabilities(capabilities) => {
                let payload = json!({ "rtpCapabilities": **capabilities });
                vec![payloads::told("router-rtp-capabilities", payload)]
            }
            Reply::Joined { room, others, .. } => self.enter(tag.event, room, others),
            Reply::WaitingForApproval { .. } => {
                self.leave();
                self.waiting = Some(tag.event);
                Vec::new()
            }
            Reply::Left { .. } => {
                self.leave();
                Vec::new()
            }
            Reply::TransportCreated(offer) => self.created(offer),
            Reply::Produced { producer, .. } => self.produced(producer),
            Reply::ProducerClosed { producer } => {
                self.forget_own(*producer);
                Vec::new()
            }
            Reply::Consumed(offer) => {
                let mut effects = self.receptions.consumed(offer);
                effects.extend(self.receptions.consume(&self.others));
                effects
            }
            Reply::ConsumerPaused { consumer, paused } => {
                self.receptions.paused(*consumer, *paused)
            }
            _ => Vec::new(),
        }
    }

    /// Forgets the room it was in.
    fn leave(&mut self) {
        let opened = self.opened.clone();
        let devices = self.devices;
        *self = Self {
            devices,
            ..Self::new(opened)
        };
    }

    /// Notes that it is in a room, and answers the request that led there.
    fn enter(
        &mut self,
        event: &'static str,
        room: &Arc<str>,
        others: &[ParticipantSummary],
    ) -> Vec<Effect> {
        self.leave();
        self.room = Some(Arc::clone(room));
        self.others = others.to_vec();
        match event {
            READY => self.start_calling(),
            _ => vec![Effect::Request(
                RequestTag::internal(event),
                Request::RouterCapabilities,
            )],
        }
    }

    /// Tells of a transport; with the first one, of the others. One that was there before for the
    /// same direction is not used any more: the client has begun afresh with this one.
    fn created(&mut self, offer: &CreatedTransport) -> Vec<Effect> {
        let mut payload = media_json::transport_parameters(offer);
        payload.insert("direction".to_owned(), json!(offer.direction));
        let mut effects = vec![payloads::told("webrtc-transport-created", payload.into())];
        let replaced = match offer.direction {
            Direction::Send => {
                self.producers.clear();
                self.sending.replace(offer.transport)
            }
            Direction::Recv => self.receptions.begin(offer.transport),
        };
        if let Some(transport) = replaced {
            let request = Request::CloseTransport { transport };
            effects.push(Effect::Request(RequestTag::internal(REPLACE), request));
        }
        if !self.is_visible {
            self.is_visible = true;
            effects.push(payloads::existing_participants(&self.others));
        }
        effects.extend(self.receptions.consume(&self.others));
        effects
    }

    /// Tells of its own producer, as often as it was asked for.
    fn produced(&mut self, producer: &ProducerSummary) -> Vec<Effect> {
        let label = Label::of(producer);
        let own = self.producers.insert(label, Own::Made(producer.clone()));
        let again = match own {
            Some(Own::Asked(again)) => again,
            Some(Own::Made(_)) | None => 0,
        };
        (0..=again)
            .map(|_| payloads::producer_created(producer))
            .collect()
    }

    /// Forgets its own producer. False when it is none.
    fn forget_own(&mut self, producer: ProducerId) -> bool {
        let mut own = self.producers.iter();
        let label = own.find_map(|(label, own)| match own {
            Own::Made(summary) if summary.producer == producer => Some(*label),
            Own::Made(_) | Own::Asked(_) => None,
        });
        label.and_then(|it| self.producers.remove(&it)).is_some()
    }

    /// Writes the refusal of a request.
    pub(super) fn refusal(&mut self, tag: &RequestTag, refusal: &Refusal) -> Vec<Effect> {
        match (tag.event, refusal) {
            // The client has not asked for these.
            (REPLACE | ANNOUNCE, _) => return Vec::new(),
            // It has what it wants.
            (LEAVE, Refusal::NotInRoom) => return Vec::new(),
            (CONSUME, _) => {
                self.receptions.give_up(tag);
                return self.receptions.consume(&self.others);
            }
            (RESUME_CONSUMER | PAUSE_CONSUMER, _) if tag.id.is_some() => {
                return vec![payloads::consumer_error(tag, refusal)];
            }
            (CREATE_PRODUCER, _) => {
                let label = tag.id.as_ref().and_then(Label::parse);
                if let Some(label) = label {
                    self.producers.remove(&label);
                }
            }
            _ => {}
        }
        let mut requests = REQUESTS.iter();
        let text = match (requests.find(|(name, _)| *name == tag.event), refusal) {
            (Some((JOIN_ROOM | READY, _)), Refusal::InvalidToken) => "Authentication failed",
            (Some((_, text)), _) => text,
            (None, _) => match p2p_signalling::error(tag.event, refusal) {
                Some(text) => text,
                None => return Vec::new(),
            },
        };
        vec![payloads::told("error", json!({ "message": text }))]
    }

    /// Writes a notice.
    pub(super) fn notice(&mut self, notice: &Notice) -> Vec<Effect> {
        match notice {
            Notice::Admitted { room, others, .. } => {
                let event = self.waiting.take().unwrap_or(JOIN_ROOM);
                self.enter(event, room, others)
            }
            Notice::Removed { reason } => self.removed(*reason),
            Notice::WorkerLost => vec![Effect::CLOSE_MEDIA_LOST],
            Notice::TransportClosed { transport, .. } => {
                if self.sending == Some(*transport) {
                    self.sending = None;
                    self.producers.clear();
                }
                self.receptions.end(*transport)
            }
            Notice::ConsumerPaused { consumer, paused } => {
                self.receptions.producer_paused(*consumer, *paused)
            }
            Notice::ConsumerClosed { producer, .. } => self.receptions.close(*producer),
            Notice::Chat { peer, text, .. } => {
                let user = self.other(peer).and_then(|it| it.user.as_ref());
                vec![payloads::chat(peer, user, text)]
            }
            Notice::MediaState { peer, audio, video } if self.is_visible || self.is_calling => {
                let devices = Devices {
                    audio_enabled: *audio,
                    video_enabled: *video,
                };
                vec![payloads::media_state(peer, devices)]
            }
            Notice::Relayed { from, user, body } => self.relayed(from, user.as_ref(), body),
            _ => self.changed(notice),
        }
    }

    /// Says why it is in the room no more, as far as it waits to hear that, and lets it go.
    fn removed(&mut self, reason: RemovalReason) -> Vec<Effect> {
        let waited = self.waiting.take();
        let mut effects = waited.map_or_else(Vec::new, |event| {
            self.refusal(&RequestTag::internal(event), &Refusal::Forbidden)
        });
        effects.push(Effect::Close {
            code: CLOSE_NORMAL,
            reason: match reason {
                RemovalReason::Replaced => "the user has come by another connection",
                RemovalReason::Denied | RemovalReason::Removed | RemovalReason::RoomClosed => {
                    "removed from the room"
                }
            },
        });
        effects
    }
}
