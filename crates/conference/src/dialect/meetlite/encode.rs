//! Encodes replies, refusals and notices as events.

use std::sync::Arc;

use serde_json::json;

use super::p2p_signalling;
use super::payloads::{self, DeviceState, ProducerLabel, emit};
use super::request_names::{
    ANNOUNCE, CONSUME, CREATE_PRODUCER, JOIN_ROOM, LEAVE, PAUSE_CONSUMER, READY, REPLACE,
    RESUME_CONSUMER, find_request,
};
use super::state::{OwnProducer, State};
use crate::close_codes::CLOSE_NORMAL;
use crate::dialect::effect::{Effect, RequestTag};
use crate::dialect::media_json::transport_parameters;
use crate::message::{
    CreatedTransport, Direction, Notice, ParticipantSummary, ProducerSummary, Refusal,
    RemovalReason, Reply, Request, RoomSnapshot,
};

impl State {
    /// Encodes the reply to a request.
    pub(crate) fn encode_reply(&mut self, tag: &RequestTag, reply: &Reply) -> Vec<Effect> {
        match reply {
            Reply::RouterCapabilities(capabilities) => {
                let payload = json!({ "rtpCapabilities": **capabilities });
                vec![emit("router-rtp-capabilities", payload)]
            }
            Reply::Joined(RoomSnapshot { room, others, .. }) => self.enter(tag.event, room, others),
            Reply::WaitingForApproval(_) => {
                self.leave();
                self.pending_join = Some(tag.event);
                Vec::new()
            }
            Reply::Left { .. } => {
                self.leave();
                Vec::new()
            }
            Reply::TransportCreated(created) => self.transport_created(created),
            Reply::Produced { producer, .. } => self.produced(producer),
            Reply::ProducerClosed { producer } => {
                self.remove_own_producer(*producer);
                Vec::new()
            }
            Reply::Consumed(created) => {
                let mut effects = self.consumers.add(created);
                effects.extend(self.consumers.consume_all(&self.others));
                effects
            }
            Reply::ConsumerPaused { consumer, paused } => {
                self.consumers.set_paused(*consumer, *paused)
            }
            _ => Vec::new(),
        }
    }

    /// Records that the client is in a room, and replies to the request that entered it.
    pub(super) fn enter(
        &mut self,
        event: &'static str,
        room: &Arc<str>,
        others: &[ParticipantSummary],
    ) -> Vec<Effect> {
        self.leave();
        self.room = Some(Arc::clone(room));
        self.others = others.to_vec();
        match event {
            READY => self.start_p2p(),
            _ => {
                let tag = RequestTag::internal(event);
                vec![Effect::Request(tag, Request::RouterCapabilities)]
            }
        }
    }

    /// Sends the client its transport, and with the first one the list of other participants.
    /// Closes an older transport of the same direction, which the client has replaced.
    fn transport_created(&mut self, created: &CreatedTransport) -> Vec<Effect> {
        let mut payload = transport_parameters(created);
        payload.insert("direction".to_owned(), json!(created.direction));
        let mut effects = vec![emit("webrtc-transport-created", payload.into())];
        let replaced = match created.direction {
            Direction::Send => {
                self.producers.clear();
                self.send_transport.replace(created.transport)
            }
            Direction::Recv => self.consumers.replace_transport(created.transport),
        };
        if let Some(transport) = replaced {
            let request = Request::CloseTransport { transport };
            effects.push(Effect::Request(RequestTag::internal(REPLACE), request));
        }
        if !self.knows_others {
            self.knows_others = true;
            effects.push(payloads::existing_participants(&self.others));
        }
        effects.extend(self.consumers.consume_all(&self.others));
        effects
    }

    /// Sends `producer-created`, once for every request for the producer.
    fn produced(&mut self, producer: &ProducerSummary) -> Vec<Effect> {
        let label = ProducerLabel::of(producer);
        let created = OwnProducer::Created(producer.clone());
        let repeats = match self.producers.insert(label, created) {
            Some(OwnProducer::Requested(repeats)) => repeats,
            Some(OwnProducer::Created(_)) | None => 0,
        };
        (0..=repeats)
            .map(|_| payloads::producer_created(producer))
            .collect()
    }

    /// Writes `participant-stats`: the client's producers and consumers.
    pub(super) fn encode_stats(&self) -> Effect {
        let producers = self.producers.iter().filter_map(|(label, own)| match own {
            OwnProducer::Created(summary) => {
                Some(json!({ "producerId": summary.producer.to_string(), "kind": label }))
            }
            OwnProducer::Requested(_) => None,
        });
        let producers: Vec<_> = producers.collect();
        let payload = json!({
            "participantId": self.context.peer.as_str(),
            "producers": producers,
            "consumers": self.consumers.list(),
        });
        emit("participant-stats", payload)
    }

    /// Encodes the refusal of a request.
    pub(crate) fn encode_refusal(&mut self, tag: &RequestTag, refusal: &Refusal) -> Vec<Effect> {
        match (tag.event, refusal) {
            // The dialect made these requests, so the client gets no error.
            (REPLACE | ANNOUNCE, _) => return Vec::new(),
            // The client has left already.
            (LEAVE, Refusal::NotInRoom) => return Vec::new(),
            (CONSUME, _) => {
                self.consumers.mark_refused(tag);
                return self.consumers.consume_all(&self.others);
            }
            (RESUME_CONSUMER | PAUSE_CONSUMER, _) if tag.id.is_some() => {
                return vec![payloads::consumer_error(tag, refusal)];
            }
            (CREATE_PRODUCER, _) => {
                let label = tag.id.as_ref().and_then(ProducerLabel::from_tag);
                if let Some(label) = label {
                    self.producers.remove(&label);
                }
            }
            _ => {}
        }
        let text = match (find_request(tag.event), refusal) {
            (Some((JOIN_ROOM | READY, _)), Refusal::InvalidToken) => "Authentication failed",
            (Some((_, text)), _) => text,
            (None, _) => match p2p_signalling::error_message(tag.event, refusal) {
                Some(text) => text,
                None => return Vec::new(),
            },
        };
        vec![emit("error", json!({ "message": text }))]
    }

    /// Encodes a notice.
    pub(crate) fn encode_notice(&mut self, notice: &Notice) -> Vec<Effect> {
        match notice {
            Notice::Admitted(RoomSnapshot { room, others, .. }) => {
                let event = self.pending_join.take().unwrap_or(JOIN_ROOM);
                self.enter(event, room, others)
            }
            Notice::Removed { reason } => self.removed(*reason),
            Notice::WorkerLost => vec![Effect::CLOSE_MEDIA_LOST],
            Notice::TransportClosed { transport, .. } => {
                if self.send_transport == Some(*transport) {
                    self.send_transport = None;
                    self.producers.clear();
                }
                self.consumers.transport_closed(*transport)
            }
            Notice::ConsumerPaused { consumer, paused } => {
                self.consumers.producer_paused(*consumer, *paused)
            }
            Notice::ConsumerClosed { producer, .. } => self.consumers.close(*producer),
            Notice::Chat(message) => {
                let peer = &message.from.peer;
                let user = self.other(peer).and_then(|it| it.user.as_ref());
                vec![payloads::chat(peer, user, &message.text)]
            }
            Notice::MediaState { peer, audio, video } if self.knows_others || self.is_p2p => {
                let devices = DeviceState {
                    audio_enabled: *audio,
                    video_enabled: *video,
                };
                vec![payloads::media_state(peer, devices)]
            }
            Notice::Relayed { from, user, body } => self.encode_signal(from, user.as_ref(), body),
            _ => self.encode_room_change(notice),
        }
    }

    /// Closes the connection of a client that was removed. Refuses its pending join first.
    fn removed(&mut self, reason: RemovalReason) -> Vec<Effect> {
        let pending = self.pending_join.take();
        let mut effects = pending.map_or_else(Vec::new, |event| {
            self.encode_refusal(&RequestTag::internal(event), &Refusal::Forbidden)
        });
        effects.push(Effect::Close {
            code: CLOSE_NORMAL,
            reason: match reason {
                RemovalReason::Replaced => "the user has come by another connection",
                RemovalReason::Denied
                | RemovalReason::Removed
                | RemovalReason::RoomClosed
                | RemovalReason::Ended => "removed from the room",
            },
        });
        effects
    }
}
