//! Handling of frames from the server.

use serde_json::{Value, json};
use watersmeet_wire::params::RtpParameters;
use watersmeet_wire::units::Time;

use super::{
    Browser, BrowserEvent, ConsumedStream, Direction, PendingRequest, REFUSALS_MAX, RefusedRequest,
};
use crate::negotiation::{self, IncomingStream};

/// Encodings of a camera, at most.
const CAMERA_ENCODINGS: usize = 3;

impl Browser {
    /// Handles a frame from the server.
    pub fn handle_frame(&mut self, now: Time, text: &str) {
        let frame: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        let kind = text_of(&frame, "type");
        let payload = frame.get("payload").unwrap_or(&Value::Null);
        let Some(id) = frame.get("id") else {
            if !self.handle_notification(now, &kind, payload) {
                self.record_unexpected_frame(text);
            }
            return;
        };
        let pending = id.as_u64().and_then(|id| self.pending.remove(&id));
        let Some((request, request_kind)) = pending else {
            self.record_unexpected_frame(text);
            return;
        };
        if kind == "error" {
            let (code, message) = (text_of(payload, "code"), text_of(payload, "message"));
            if self.refused_requests.len() < REFUSALS_MAX {
                self.refused_requests.push(RefusedRequest {
                    request,
                    code,
                    message,
                });
            }
            return;
        }
        self.handle_reply(now, request_kind, payload);
    }

    fn handle_reply(&mut self, now: Time, request_kind: PendingRequest, payload: &Value) {
        match request_kind {
            PendingRequest::Capabilities => {
                self.capabilities = payload.get("rtpCapabilities").cloned().unwrap_or_default();
                let join = json!({"roomId": self.options.room, "displayName": self.options.name});
                self.request("joinRoom", join, PendingRequest::Join);
            }
            PendingRequest::Join => self.handle_joined(now, payload),
            PendingRequest::Create(direction) => {
                let transport = text_of(payload, "transportId");
                self.transports.insert(direction, transport.clone());
                let connect =
                    json!({"transportId": transport, "dtlsParameters": self.options.dtls});
                self.request("connectTransport", connect, PendingRequest::Other);
                self.events.push_back(BrowserEvent::TransportReady {
                    transport,
                    direction,
                });
            }
            PendingRequest::Produce(index) => {
                let producer = text_of(payload, "producerId");
                match self.published_sources.get_mut(&index) {
                    Some(published) => published.producer = Some(producer),
                    // The source was unpublished before the server created its producer.
                    None => {
                        self.request(
                            "closeProducer",
                            json!({"producerId": producer}),
                            PendingRequest::Other,
                        );
                    }
                }
            }
            PendingRequest::Consume(since) => self.handle_consumed(since, payload),
            PendingRequest::Other => {}
        }
    }

    fn handle_joined(&mut self, now: Time, payload: &Value) {
        self.active_speaker = named(text_of(payload, "activeSpeaker"));
        if !self.options.sources.is_empty() {
            let create = json!({"direction": "send"});
            self.request(
                "createTransport",
                create,
                PendingRequest::Create(Direction::Send),
            );
        }
        if self.options.subscribes {
            let create = json!({"direction": "recv"});
            self.request(
                "createTransport",
                create,
                PendingRequest::Create(Direction::Recv),
            );
        }
        for peer in list_of(payload, "existingProducers") {
            for producer in list_of(peer, "producers") {
                self.consume(now, &text_of(producer, "producerId"));
            }
        }
    }

    fn handle_consumed(&mut self, since: Time, payload: &Value) {
        let parameters = payload.get("rtpParameters").cloned().unwrap_or_default();
        let parameters = serde_json::from_value::<RtpParameters>(parameters).ok();
        let Some(incoming) = parameters
            .as_ref()
            .and_then(IncomingStream::from_parameters)
        else {
            self.record_unexpected_frame(&payload.to_string());
            return;
        };
        let stream = ConsumedStream {
            consumer: text_of(payload, "consumerId"),
            producer: text_of(payload, "producerId"),
            peer: text_of(payload, "producerPeerId"),
            ssrc: incoming.ssrc,
            video: incoming.video,
            paused: false,
            producer_paused: false,
            paused_since: None,
            withheld_since: None,
        };
        self.receiver.add_stream(since, incoming);
        let resume = json!({"consumerId": stream.consumer});
        self.consumed_streams
            .insert(stream.producer.clone(), stream);
        self.request("resumeConsumer", resume, PendingRequest::Other);
    }

    /// Handles a notification; returns whether its type is known.
    fn handle_notification(&mut self, now: Time, kind: &str, payload: &Value) -> bool {
        let (peer, producer) = (text_of(payload, "peerId"), text_of(payload, "producerId"));
        match kind {
            "connected" => {
                self.peer = Some(peer);
                self.request(
                    "getRouterRtpCapabilities",
                    json!({}),
                    PendingRequest::Capabilities,
                );
            }
            "newProducer" => self.consume(now, &producer),
            "peerLeft" => self.drop_streams(now, |it| it.peer == peer),
            "producerClosed" => self.drop_streams(now, |it| it.producer == producer),
            "consumerClosed" => {
                let consumer = text_of(payload, "consumerId");
                self.drop_streams(now, |it| it.consumer == consumer);
            }
            "consumerPaused" | "consumerResumed" => {
                let consumer = text_of(payload, "consumerId");
                self.set_producer_paused(now, &consumer, kind == "consumerPaused");
            }
            "transportClosed" => {
                let transport = text_of(payload, "transportId");
                self.transports.retain(|_, ours| *ours != transport);
                self.events
                    .push_back(BrowserEvent::TransportClosed { transport });
            }
            "consumerLayersChanged" => {
                let consumer = text_of(payload, "consumerId");
                let is_withheld = payload.get("spatialLayer").is_none();
                let mut streams = self.consumed_streams.values_mut();
                if let Some(stream) = streams.find(|it| it.consumer == consumer) {
                    stream.withheld_since =
                        is_withheld.then(|| stream.withheld_since.unwrap_or(now));
                }
            }
            "producerDemandChanged" if self.follows_demand => {
                let layer = payload.get("spatialLayer").and_then(Value::as_u64);
                self.send_encodings_up_to(&producer, layer);
            }
            "producerDemandChanged" => {}
            "activeSpeaker" => self.active_speaker = named(peer),
            "newPeer" | "roleChanged" | "producerPaused" | "producerResumed" | "producerScore"
            | "consumerScore" => {}
            _ => return false,
        }
        true
    }

    /// Sends the encodings of a camera up to this one, or none.
    fn send_encodings_up_to(&mut self, producer: &str, layer: Option<u64>) {
        let mut published = self.published_sources.values();
        let source = published.find(|it| it.producer.as_deref() == Some(producer));
        let Some(source) = source.map(|it| it.source) else {
            return;
        };
        for (encoding, index) in (0..CAMERA_ENCODINGS).zip(0..) {
            let is_wanted = layer.is_some_and(|layer| index <= layer);
            self.sender.set_encoding_active(source, encoding, is_wanted);
        }
    }

    fn set_producer_paused(&mut self, now: Time, consumer: &str, paused: bool) {
        let mut consumed_streams = self.consumed_streams.values_mut();
        let Some(stream) = consumed_streams.find(|it| it.consumer == consumer) else {
            return;
        };
        stream.producer_paused = paused;
        stream.update_paused_since(now);
        if paused {
            self.receiver.pause_stream(now, stream.ssrc);
        } else if !stream.paused {
            self.receiver.resume_stream(now, stream.ssrc);
        }
    }

    fn consume(&mut self, now: Time, producer: &str) {
        if self.options.subscribes {
            let mut capabilities =
                negotiation::receive_capabilities(&self.capabilities, self.audio_repair);
            if self.congestion_feedback {
                negotiation::replace_transport_feedback(&mut capabilities);
            }
            let payload = json!({"producerId": producer, "rtpCapabilities": capabilities});
            self.request("consume", payload, PendingRequest::Consume(now));
        }
    }

    fn record_unexpected_frame(&mut self, text: &str) {
        if self.unexpected_frames.len() < REFUSALS_MAX {
            self.unexpected_frames.push(text.to_owned());
        }
    }
}

/// Returns the text of a field; empty when absent.
fn text_of(object: &Value, field: &str) -> String {
    object
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// Returns the elements of a list field; none when absent.
fn list_of<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    object
        .get(field)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Returns a peer id, or `None` when the field that names it is absent.
fn named(peer: String) -> Option<String> {
    Some(peer).filter(|it| !it.is_empty())
}
