//! Encodes responses, notifications and requests of the server.

use serde_json::{Value, json};
use watersmeet_engine::command::{ConsumerId, EncodingScore, Layers, ProducerId, TransportId};
use watersmeet_wire::params::IceProtocol;

use super::{ActiveConsumer, CREATE_TCP_TRANSPORT, Entry, PREPARE, State};
use crate::close_codes::CLOSE_PROTOO_FOR_GOOD;
use crate::dialect::effect::{Effect, RequestTag};
use crate::dialect::media_json::{consumer_parameters, transport_parameters};
use crate::message::{
    ClientDevice, CreatedConsumer, CreatedTransport, Direction, Notice, ParticipantSummary, PeerId,
    Refusal, Reply, RoomSnapshot, overall_score,
};

/// Display name of participants without one. The page of the mediasoup demo requires a name.
const DEFAULT_DISPLAY_NAME: &str = "Guest";

impl State {
    /// Encodes the reply to a request.
    pub(crate) fn encode_reply(&mut self, tag: &RequestTag, reply: &Reply) -> Vec<Effect> {
        match reply {
            Reply::Done if tag.event == PREPARE => self.prepared(),
            Reply::Joined(snapshot) => self.joined(tag, snapshot),
            Reply::WaitingForApproval(_) => {
                self.pending_join = Some(tag.clone());
                Vec::new()
            }
            Reply::RouterCapabilities(capabilities) => respond(tag, json!(**capabilities)),
            Reply::TransportCreated(created) => self.transport_created(tag, created),
            Reply::IceRestarted { ice, .. } => respond(tag, json!(ice)),
            Reply::Produced { producer, .. } => {
                respond(tag, json!({ "id": producer.producer.to_string() }))
            }
            Reply::Consumed(created) => self.offer_consumer(created),
            Reply::Stats { reports, .. } => respond(tag, json!(reports)),
            _ => respond(tag, json!({})),
        }
    }

    /// Records that a place is reserved, and sends the request that waited for it.
    fn prepared(&mut self) -> Vec<Effect> {
        match std::mem::replace(&mut self.entry, Entry::Prepared) {
            Entry::Preparing(tag, request) => vec![Effect::Request(tag, *request)],
            Entry::Outside | Entry::Prepared | Entry::Inside => Vec::new(),
        }
    }

    /// Responds to `join` with the other participants, and consumes their producers.
    fn joined(&mut self, tag: &RequestTag, snapshot: &RoomSnapshot) -> Vec<Effect> {
        self.entry = Entry::Inside;
        let others = &snapshot.others;
        let producers = others.iter().flat_map(|it| &it.producers);
        self.unconsumed = producers.map(|it| it.producer).collect();
        let peers: Vec<_> = others.iter().map(peer_json).collect();
        let mut effects = respond(tag, json!({ "peers": peers }));
        let speaker = snapshot.active_speaker.as_ref();
        effects.extend(speaker.map(|peer| active_speaker(Some(peer))));
        effects.extend(self.consume_all());
        effects
    }

    /// Responds with a created transport. On a receive transport, consumes all producers of others.
    fn transport_created(&mut self, tag: &RequestTag, created: &CreatedTransport) -> Vec<Effect> {
        let mut parameters = transport_parameters(created);
        if tag.event == CREATE_TCP_TRANSPORT {
            let candidates = created.candidates.iter();
            let over_tcp = candidates.filter(|it| it.protocol == IceProtocol::Tcp);
            let over_tcp = json!(over_tcp.collect::<Vec<_>>());
            parameters.insert("iceCandidates".to_owned(), over_tcp);
        }
        let mut effects = respond(tag, Value::Object(parameters));
        if created.direction == Direction::Recv {
            self.recv_transport = Some(created.transport);
            effects.extend(self.consume_all());
        }
        effects
    }

    /// Writes `newConsumer`, which asks the client to accept a consumer.
    fn offer_consumer(&mut self, created: &CreatedConsumer) -> Vec<Effect> {
        let consumer = ActiveConsumer {
            consumer: created.consumer,
            transport: created.transport,
        };
        self.consumers.insert(created.producer, consumer);
        let id = self.next_request_id;
        self.next_request_id = id.wrapping_add(1);
        self.unanswered.insert(id, created.consumer);
        let mut data = consumer_parameters(created);
        let producer = &created.producer_summary;
        let app_data = producer.app_data.as_deref();
        data.insert("peerId".to_owned(), json!(created.producer_peer.as_str()));
        data.insert("type".to_owned(), json!(consumer_type(created)));
        data.insert("producerPaused".to_owned(), json!(producer.paused));
        data.insert(
            "appData".to_owned(),
            app_data.cloned().unwrap_or_else(|| json!({})),
        );
        let frame = json!({"request": true, "id": id, "method": "newConsumer", "data": data});
        vec![Effect::SendFrame(frame.to_string())]
    }

    /// Encodes the refusal of a request.
    pub(crate) fn encode_refusal(&mut self, tag: &RequestTag, refusal: &Refusal) -> Vec<Effect> {
        if tag.event == PREPARE {
            // The request that waited for the place is refused for the same reason.
            return match std::mem::replace(&mut self.entry, Entry::Outside) {
                Entry::Preparing(tag, _) => respond_error(&tag, refusal),
                Entry::Outside | Entry::Prepared | Entry::Inside => Vec::new(),
            };
        }
        respond_error(tag, refusal)
    }

    /// Encodes a notice.
    pub(crate) fn encode_notice(&mut self, notice: &Notice) -> Vec<Effect> {
        match notice {
            Notice::ParticipantJoined(joined) => vec![notify("newPeer", &peer_json(joined))],
            Notice::ParticipantLeft {
                peer, producers, ..
            } => {
                let mut effects: Vec<_> = producers
                    .iter()
                    .flat_map(|it| self.producer_closed(*it))
                    .collect();
                let data = json!({ "peerId": peer.as_str() });
                effects.push(notify("peerClosed", &data));
                effects
            }
            Notice::DisplayNameChanged {
                peer,
                before,
                display_name,
            } => {
                let data = json!({
                    "peerId": peer.as_str(),
                    "displayName": display_name.as_deref().unwrap_or(DEFAULT_DISPLAY_NAME),
                    "oldDisplayName": before.as_deref().unwrap_or(DEFAULT_DISPLAY_NAME),
                });
                vec![notify("peerDisplayNameChanged", &data)]
            }
            Notice::ProducerAdded { producer, .. } => {
                self.unconsumed.push(producer.producer);
                self.consume_all()
            }
            Notice::ProducerClosed { producer, .. } => self.producer_closed(*producer),
            Notice::TransportClosed { transport, .. } => self.transport_closed(*transport),
            Notice::ConsumerClosed { producer, .. } => self.producer_closed(*producer),
            Notice::ActiveSpeaker { peer } => vec![active_speaker(peer.as_ref())],
            Notice::Admitted(snapshot) => match self.pending_join.take() {
                Some(tag) => self.joined(&tag, snapshot),
                None => Vec::new(),
            },
            Notice::WorkerLost => vec![Effect::CLOSE_MEDIA_LOST],
            Notice::Removed { .. } => vec![Effect::Close {
                code: CLOSE_PROTOO_FOR_GOOD,
                reason: "no longer in the room",
            }],
            _ => self.encode_media_notice(notice),
        }
    }

    /// Encodes a notice about what arrives of the client's own producers and consumers.
    fn encode_media_notice(&self, notice: &Notice) -> Vec<Effect> {
        match notice {
            Notice::ConsumerPaused { consumer, paused } => {
                let method = match paused {
                    true => "consumerPaused",
                    false => "consumerResumed",
                };
                vec![notify(method, &consumer_ref(*consumer))]
            }
            Notice::ConsumerLayersChanged {
                consumer, layers, ..
            } => {
                let data = layers_changed(*consumer, *layers);
                vec![notify("consumerLayersChanged", &data)]
            }
            Notice::ProducerScore { producer, scores } => {
                vec![notify("producerScore", &producer_score(*producer, scores))]
            }
            // A client does not know the consumer before it has accepted it.
            Notice::ConsumerScore { consumer, .. }
                if self.unanswered.values().any(|it| it == consumer) =>
            {
                Vec::new()
            }
            Notice::ConsumerScore {
                consumer,
                score,
                producer_scores,
            } => {
                let data = consumer_score(*consumer, *score, producer_scores);
                vec![notify("consumerScore", &data)]
            }
            _ => Vec::new(),
        }
    }

    /// Writes `consumerClosed` for a closed producer, if the client received it.
    fn producer_closed(&mut self, producer: ProducerId) -> Vec<Effect> {
        self.unconsumed.retain(|it| *it != producer);
        let Some(ActiveConsumer { consumer, .. }) = self.consumers.remove(&producer) else {
            return Vec::new();
        };
        self.unanswered.retain(|_, it| *it != consumer);
        vec![notify("consumerClosed", &consumer_ref(consumer))]
    }

    /// Writes `consumerClosed` for each consumer of a closed transport. Their producers are
    /// consumed again on the next receive transport.
    fn transport_closed(&mut self, transport: TransportId) -> Vec<Effect> {
        self.recv_transport = self.recv_transport.filter(|it| *it != transport);
        let consumers = self.consumers.iter();
        let lost: Vec<_> = consumers
            .filter(|(_, it)| it.transport == transport)
            .map(|(producer, _)| *producer)
            .collect();
        let effects = lost
            .iter()
            .flat_map(|it| self.producer_closed(*it))
            .collect();
        self.unconsumed.extend(lost);
        effects
    }
}

/// Writes the response to a request. A notification gets no response.
fn respond(tag: &RequestTag, data: Value) -> Vec<Effect> {
    let id = tag.id.as_ref();
    let frame = id.map(|id| json!({"response": true, "id": id, "ok": true, "data": data}));
    let frame = frame.map(|it| Effect::SendFrame(it.to_string()));
    frame.into_iter().collect()
}

/// Writes the error response to a request. A notification gets no response.
fn respond_error(tag: &RequestTag, refusal: &Refusal) -> Vec<Effect> {
    let frame = tag.id.as_ref().map(|id| {
        json!({
            "response": true,
            "id": id,
            "ok": false,
            "errorCode": error_code(refusal),
            "errorReason": refusal.to_string(),
        })
    });
    let frame = frame.map(|it| Effect::SendFrame(it.to_string()));
    frame.into_iter().collect()
}

/// Returns the error code of a refusal. The codes are HTTP status codes.
const fn error_code(refusal: &Refusal) -> u16 {
    match refusal {
        Refusal::BadRequest(_) | Refusal::CannotConsume => 400,
        Refusal::InvalidToken => 401,
        Refusal::Forbidden | Refusal::NotInRoom | Refusal::RoomLocked | Refusal::Banned => 403,
        Refusal::UnknownType
        | Refusal::RoomNotFound
        | Refusal::SessionNotFound
        | Refusal::ParticipantNotFound
        | Refusal::TransportNotFound
        | Refusal::ProducerNotFound
        | Refusal::ConsumerNotFound
        | Refusal::PollNotFound => 404,
        Refusal::RoomExists
        | Refusal::AlreadyConnected
        | Refusal::NoPrivateMessages
        | Refusal::NoBreakoutRooms(_)
        | Refusal::PollClosed => 409,
        Refusal::LimitReached(_) | Refusal::RateLimited => 429,
        Refusal::Internal => 500,
        Refusal::WorkerLost | Refusal::ShuttingDown => 503,
        Refusal::TimedOut => 504,
    }
}

/// Writes a notification.
fn notify(method: &str, data: &Value) -> Effect {
    let frame = json!({"notification": true, "method": method, "data": data});
    Effect::SendFrame(frame.to_string())
}

/// Writes `activeSpeaker`. The id is null when nobody speaks.
fn active_speaker(peer: Option<&PeerId>) -> Effect {
    let data = json!({ "peerId": peer.map(PeerId::as_str) });
    notify("activeSpeaker", &data)
}

/// Returns a participant as the mediasoup demo describes peers. Its page shows the device, so that
/// participants of other dialects need one too.
fn peer_json(participant: &ParticipantSummary) -> Value {
    let name = participant.display_name.as_deref();
    json!({
        "id": participant.peer.as_str(),
        "displayName": name.unwrap_or(DEFAULT_DISPLAY_NAME),
        "device": match participant.device.as_deref() {
            Some(device) => device_json(device),
            None => json!({"flag": "unknown", "name": "unknown", "version": ""}),
        },
    })
}

/// Returns the device of a client with the members that the client gave.
fn device_json(device: &ClientDevice) -> Value {
    let members = [
        ("flag", &device.flag),
        ("name", &device.name),
        ("version", &device.version),
    ];
    let members = members.into_iter();
    let given = members.filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_deref()?))));
    Value::Object(given.collect())
}

/// Returns the data that names a consumer.
fn consumer_ref(consumer: ConsumerId) -> Value {
    json!({ "consumerId": consumer.to_string() })
}

/// Returns the data of `consumerLayersChanged`. The layers are null when nothing is forwarded.
fn layers_changed(consumer: ConsumerId, layers: Option<Layers>) -> Value {
    json!({
        "consumerId": consumer.to_string(),
        "spatialLayer": layers.map(|it| it.spatial_layer),
        "temporalLayer": layers.and_then(|it| it.temporal_layer),
    })
}

/// Returns the data of `producerScore`. The scores are those of the encodings that have arrived.
fn producer_score(producer: ProducerId, scores: &[EncodingScore]) -> Value {
    let score = scores.iter().map(|it| {
        let mut score = json!({"encodingIdx": it.encoding, "ssrc": it.ssrc.0, "score": it.score});
        if let (Some(rid), Some(score)) = (it.rid, score.as_object_mut()) {
            score.insert("rid".to_owned(), json!(rid.to_string()));
        }
        score
    });
    json!({"producerId": producer.to_string(), "score": score.collect::<Vec<_>>()})
}

/// Returns the data of `consumerScore`. `producerScores` has an entry for each encoding up to the last
/// that has arrived.
fn consumer_score(consumer: ConsumerId, score: u8, producer_scores: &[EncodingScore]) -> Value {
    let of = |encoding: u8| producer_scores.iter().find(|it| it.encoding == encoding);
    let count = producer_scores.iter().map(|it| it.encoding + 1).max();
    let scores = (0..count.unwrap_or(0)).map(|it| of(it).map_or(0, |it| it.score));
    json!({
        "consumerId": consumer.to_string(),
        "score": {
            "score": score,
            "producerScore": overall_score(producer_scores),
            "producerScores": scores.collect::<Vec<_>>(),
        },
    })
}

/// Returns mediasoup's consumer type. The demo page offers a choice of layers unless it is
/// "simple".
fn consumer_type(created: &CreatedConsumer) -> &'static str {
    let mut encodings = created.rtp.encodings.iter();
    let mode = encodings.find_map(|it| it.scalability_mode.as_deref());
    match mode {
        None => "simple",
        Some(mode) if mode.starts_with("L1") || mode.starts_with("S1") => "simple",
        Some(mode) if mode.contains('_') => "svc",
        Some(_) => "simulcast",
    }
}
