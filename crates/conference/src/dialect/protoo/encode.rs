//! Writes responses, notifications and our own requests.

use serde_json::{Value, json};
use watersmeet_engine::command::{ConsumerId, Layers, ProducerId, TransportId};
use watersmeet_wire::params::IceProtocol;

use super::{CREATE_TCP_TRANSPORT, Entry, PREPARE, Reception, State};
use crate::close_codes::CLOSE_PROTOO_FOR_GOOD;
use crate::dialect::{Effect, RequestTag, media_json};
use crate::message::{
    CreatedConsumer, CreatedTransport, Direction, Notice, ParticipantSummary, PeerId, Refusal,
    Reply,
};

/// How somebody without a name is shown. The demonstration's page cannot do without.
const NAMELESS: &str = "Guest";

impl State {
    /// Writes the answer to a request.
    pub(in crate::dialect) fn reply(&mut self, tag: &RequestTag, reply: &Reply) -> Vec<Effect> {
        match reply {
            Reply::Done if tag.event == PREPARE => self.seated(),
            Reply::Joined { others, .. } => self.joined(tag, others),
            Reply::WaitingForApproval { .. } => {
                self.waiting = Some(tag.clone());
                Vec::new()
            }
            Reply::RouterCapabilities(capabilities) => accepted(tag, json!(**capabilities)),
            Reply::TransportCreated(offer) => self.transport_created(tag, offer),
            Reply::IceRestarted { ice, .. } => accepted(tag, json!(ice)),
            Reply::Produced { producer, .. } => {
                accepted(tag, json!({ "id": producer.producer.to_string() }))
            }
            Reply::Consumed(offer) => self.offered(offer),
            Reply::Stats { reports, .. } => accepted(tag, json!(reports)),
            _ => accepted(tag, json!({})),
        }
    }

    /// It has a seat: what it asked first is asked now.
    fn seated(&mut self) -> Vec<Effect> {
        match std::mem::replace(&mut self.entry, Entry::Seated) {
            Entry::Preparing(tag, request) => vec![Effect::Request(tag, *request)],
            Entry::Outside | Entry::Seated | Entry::Inside => Vec::new(),
        }
    }

    /// Everybody knows of it now. Writes who is there, and consumes what they send.
    fn joined(&mut self, tag: &RequestTag, others: &[ParticipantSummary]) -> Vec<Effect> {
        self.entry = Entry::Inside;
        let producers = others.iter().flat_map(|it| &it.producers);
        self.wanted = producers.map(|it| it.producer).collect();
        let peers = others
            .iter()
            .map(|it| peer(&it.peer, it.display_name.as_deref()))
            .collect::<Vec<_>>();
        let mut effects = accepted(tag, json!({ "peers": peers }));
        effects.extend(self.consume());
        effects
    }

    /// Writes a transport. On the first one to receive, everything is consumed.
    fn transport_created(&mut self, tag: &RequestTag, offer: &CreatedTransport) -> Vec<Effect> {
        let mut parameters = media_json::transport_parameters(offer);
        if tag.event == CREATE_TCP_TRANSPORT {
            let candidates = offer.candidates.iter();
            let over_tcp = candidates.filter(|it| it.protocol == IceProtocol::Tcp);
            let over_tcp = json!(over_tcp.collect::<Vec<_>>());
            parameters.insert("iceCandidates".to_owned(), over_tcp);
        }
        let mut effects = accepted(tag, Value::Object(parameters));
        if offer.direction == Direction::Recv {
            self.receiving = Some(offer.transport);
            effects.extend(self.consume());
        }
        effects
    }

    /// Asks the client to take a consumer.
    fn offered(&mut self, offer: &CreatedConsumer) -> Vec<Effect> {
        let reception = Reception {
            consumer: offer.consumer,
            transport: offer.transport,
        };
        self.consumers.insert(offer.producer, reception);
        let id = self.next_request;
        self.next_request = id.wrapping_add(1);
        self.offered.insert(id, offer.consumer);
        let mut data = media_json::consumer_parameters(offer);
        let app_data = offer.source.app_data.as_deref();
        data.insert("peerId".to_owned(), json!(offer.producer_peer.as_str()));
        data.insert("type".to_owned(), json!(consumer_type(offer)));
        data.insert("producerPaused".to_owned(), json!(offer.source.paused));
        data.insert(
            "appData".to_owned(),
            app_data.cloned().unwrap_or_else(|| json!({})),
        );
        let frame = json!({"request": true, "id": id, "method": "newConsumer", "data": data});
        vec![Effect::SendFrame(frame.to_string())]
    }

    /// Writes the refusal of a request.
    pub(in crate::dialect) fn refusal(
        &mut self,
        tag: &RequestTag,
        refusal: &Refusal,
    ) -> Vec<Effect> {
        if tag.event == PREPARE {
            // What it asked first is refused for the reason that it has no seat.
            return match std::mem::replace(&mut self.entry, Entry::Outside) {
                Entry::Preparing(tag, _) => rejected(&tag, refusal),
                Entry::Outside | Entry::Seated | Entry::Inside => Vec::new(),
            };
        }
        rejected(tag, refusal)
    }

    /// Writes a notice.
    pub(in crate::dialect) fn notice(&mut self, notice: &Notice) -> Vec<Effect> {
        match notice {
            Notice::ParticipantJoined {
                peer: id,
                display_name,
                ..
            } => vec![notified("newPeer", &peer(id, display_name.as_deref()))],
            Notice::ParticipantLeft {
                peer, producers, ..
            } => {
                let mut effects: Vec<_> = producers.iter().flat_map(|it| self.ended(*it)).collect();
                let data = json!({ "peerId": peer.as_str() });
                effects.push(notified("peerClosed", &data));
                effects
            }
            Notice::DisplayNameChanged {
                peer,
                before,
                display_name,
            } => {
                let data = json!({
                    "peerId": peer.as_str(),
                    "displayName": display_name.as_deref().unwrap_or(NAMELESS),
                    "oldDisplayName": before.as_deref().unwrap_or(NAMELESS),
                });
                vec![notified("peerDisplayNameChanged", &data)]
            }
            Notice::ProducerAdded { producer, .. } => {
                self.wanted.push(producer.producer);
                self.consume()
            }
            Notice::ProducerClosed { producer, .. } => self.ended(*producer),
            Notice::TransportClosed { transport, .. } => self.transport_closed(*transport),
            Notice::ConsumerPaused { consumer, paused } => {
                let method = match paused {
                    true => "consumerPaused",
                    false => "consumerResumed",
                };
                vec![notified(method, &consumer_ref(*consumer))]
            }
            Notice::ConsumerClosed { producer, .. } => self.ended(*producer),
            Notice::ConsumerLayersChanged { consumer, layers } => {
                let data = layers_changed(*consumer, *layers);
                vec![notified("consumerLayersChanged", &data)]
            }
            Notice::Admitted { others, .. } => match self.waiting.take() {
                Some(tag) => self.joined(&tag, others),
                None => Vec::new(),
            },
            Notice::WorkerLost => vec![Effect::CLOSE_MEDIA_LOST],
            Notice::Removed { .. } => vec![Effect::Close {
                code: CLOSE_PROTOO_FOR_GOOD,
                reason: "no longer in the room",
            }],
            _ => Vec::new(),
        }
    }

    /// Writes that nothing more comes of a producer, if the client received it.
    fn ended(&mut self, producer: ProducerId) -> Vec<Effect> {
        self.wanted.retain(|it| *it != producer);
        let Some(Reception { consumer, .. }) = self.consumers.remove(&producer) else {
            return Vec::new();
        };
        self.offered.retain(|_, it| *it != consumer);
        vec![notified("consumerClosed", &consumer_ref(consumer))]
    }

    /// Writes what ended with a transport. It is consumed again when there is another.
    fn transport_closed(&mut self, transport: TransportId) -> Vec<Effect> {
        self.receiving = self.receiving.filter(|it| *it != transport);
        let receptions = self.consumers.iter();
        let lost: Vec<_> = receptions
            .filter(|(_, it)| it.transport == transport)
            .map(|(producer, _)| *producer)
            .collect();
        let effects = lost.iter().flat_map(|it| self.ended(*it)).collect();
        self.wanted.extend(lost);
        effects
    }
}

/// Writes the response to a request, unless nobody waits for it.
fn accepted(tag: &RequestTag, data: Value) -> Vec<Effect> {
    let id = tag.id.as_ref();
    let frame = id.map(|id| json!({"response": true, "id": id, "ok": true, "data": data}));
    let frame = frame.map(|it| Effect::SendFrame(it.to_string()));
    frame.into_iter().collect()
}

/// Writes that a request is refused, unless nobody waits for it.
fn rejected(tag: &RequestTag, refusal: &Refusal) -> Vec<Effect> {
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

/// The number of a refusal, in the manner of HTTP.
const fn error_code(refusal: &Refusal) -> u16 {
    match refusal {
        Refusal::BadRequest(_) | Refusal::CannotConsume => 400,
        Refusal::InvalidToken => 401,
        Refusal::Forbidden | Refusal::NotInRoom | Refusal::RoomLocked => 403,
        Refusal::UnknownType
        | Refusal::RoomNotFound
        | Refusal::ParticipantNotFound
        | Refusal::TransportNotFound
        | Refusal::ProducerNotFound
        | Refusal::ConsumerNotFound => 404,
        Refusal::RoomExists | Refusal::AlreadyConnected => 409,
        Refusal::LimitReached(_) | Refusal::RateLimited => 429,
        Refusal::Internal => 500,
        Refusal::WorkerLost => 503,
        Refusal::TimedOut => 504,
    }
}

/// Writes a notification.
fn notified(method: &str, data: &Value) -> Effect {
    let frame = json!({"notification": true, "method": method, "data": data});
    Effect::SendFrame(frame.to_string())
}

/// Somebody, as the demonstration's page shows people.
fn peer(id: &PeerId, display_name: Option<&str>) -> Value {
    json!({
        "id": id.as_str(),
        "displayName": display_name.unwrap_or(NAMELESS),
        "device": {"flag": "unknown", "name": "unknown", "version": ""},
    })
}

/// The data that names a consumer.
fn consumer_ref(consumer: ConsumerId) -> Value {
    json!({ "consumerId": consumer.to_string() })
}

/// The data of `consumerLayersChanged`; no layers at all are null.
fn layers_changed(consumer: ConsumerId, layers: Option<Layers>) -> Value {
    json!({
        "consumerId": consumer.to_string(),
        "spatialLayer": layers.map(|it| it.spatial_layer),
        "temporalLayer": layers.and_then(|it| it.temporal_layer),
    })
}

/// Whether a consumer has layers to choose from, which is what the page wants to know.
fn consumer_type(offer: &CreatedConsumer) -> &'static str {
    let mut encodings = offer.rtp.encodings.iter();
    let mode = encodings.find_map(|it| it.scalability_mode.as_deref());
    match mode {
        None => "simple",
        Some(mode) if mode.starts_with("L1") || mode.starts_with("S1") => "simple",
        Some(mode) if mode.contains('_') => "svc",
        Some(_) => "simulcast",
    }
}
