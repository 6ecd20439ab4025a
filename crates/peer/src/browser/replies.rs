//! What a scripted browser does about the frames it is sent.

use serde_json::{Value, json};
use watersmeet_wire::params::RtpParameters;
use watersmeet_wire::units::Time;

use super::{Asked, Browser, BrowserEvent, Consumption, Direction, REFUSALS_MAX, Refused};
use crate::negotiation::{self, Incoming};

impl Browser {
    /// Takes a frame from the server.
    pub fn handle_frame(&mut self, now: Time, text: &str) {
        let frame: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        let kind = word(&frame, "type");
        let payload = frame.get("payload").unwrap_or(&Value::Null);
        let Some(id) = frame.get("id") else {
            if !self.handle_notice(now, &kind, payload) {
                self.stray(text);
            }
            return;
        };
        let asked = id.as_u64().and_then(|id| self.asked.remove(&id));
        let Some((request, meaning)) = asked else {
            self.stray(text);
            return;
        };
        if kind == "error" {
            let (code, message) = (word(payload, "code"), word(payload, "message"));
            if self.refusals.len() < REFUSALS_MAX {
                self.refusals.push(Refused {
                    request,
                    code,
                    message,
                });
            }
            return;
        }
        self.handle_reply(now, meaning, payload);
    }

    fn handle_reply(&mut self, now: Time, meaning: Asked, payload: &Value) {
        match meaning {
            Asked::Capabilities => {
                self.capabilities = payload.get("rtpCapabilities").cloned().unwrap_or_default();
                let join = json!({"roomId": self.options.room, "displayName": self.options.name});
                self.ask("joinRoom", join, Asked::Join);
            }
            Asked::Join => self.handle_joined(now, payload),
            Asked::Create(direction) => {
                let transport = word(payload, "transportId");
                self.transports.insert(direction, transport.clone());
                let connect =
                    json!({"transportId": transport, "dtlsParameters": self.options.dtls});
                self.ask("connectTransport", connect, Asked::Other);
                self.events.push_back(BrowserEvent::TransportReady {
                    transport,
                    direction,
                });
            }
            Asked::Produce(place) => {
                let producer = word(payload, "producerId");
                match self.publications.get_mut(&place) {
                    Some(publication) => publication.producer = Some(producer),
                    // It was taken back before the server knew of it.
                    None => {
                        self.ask(
                            "closeProducer",
                            json!({"producerId": producer}),
                            Asked::Other,
                        );
                    }
                }
            }
            Asked::Consume(since) => self.handle_consumed(since, payload),
            Asked::Other => {}
        }
    }

    fn handle_joined(&mut self, now: Time, payload: &Value) {
        if !self.options.sources.is_empty() {
            let create = json!({"direction": "send"});
            self.ask("createTransport", create, Asked::Create(Direction::Send));
        }
        if self.options.watches {
            let create = json!({"direction": "recv"});
            self.ask("createTransport", create, Asked::Create(Direction::Recv));
        }
        for peer in list(payload, "existingProducers") {
            for producer in list(peer, "producers") {
                self.consume(now, &word(producer, "producerId"));
            }
        }
    }

    fn handle_consumed(&mut self, since: Time, payload: &Value) {
        let parameters = payload.get("rtpParameters").cloned().unwrap_or_default();
        let parameters = serde_json::from_value::<RtpParameters>(parameters).ok();
        let Some(incoming) = parameters.as_ref().and_then(Incoming::of) else {
            self.stray(&payload.to_string());
            return;
        };
        let consumption = Consumption {
            consumer: word(payload, "consumerId"),
            producer: word(payload, "producerId"),
            peer: word(payload, "producerPeerId"),
            ssrc: incoming.ssrc,
            video: incoming.video,
            paused: false,
            producer_paused: false,
            quiet_since: None,
        };
        self.receiver.add(since, incoming);
        let resume = json!({"consumerId": consumption.consumer});
        self.consumptions
            .insert(consumption.producer.clone(), consumption);
        self.ask("resumeConsumer", resume, Asked::Other);
    }

    /// Whether the notice is one that is known.
    fn handle_notice(&mut self, now: Time, kind: &str, payload: &Value) -> bool {
        let (peer, producer) = (word(payload, "peerId"), word(payload, "producerId"));
        match kind {
            "connected" => {
                self.peer = Some(peer);
                self.ask("getRouterRtpCapabilities", json!({}), Asked::Capabilities);
            }
            "newProducer" => self.consume(now, &producer),
            "peerLeft" => self.drop_consumptions(now, |it| it.peer == peer),
            "producerClosed" => self.drop_consumptions(now, |it| it.producer == producer),
            "consumerClosed" => {
                let consumer = word(payload, "consumerId");
                self.drop_consumptions(now, |it| it.consumer == consumer);
            }
            "consumerPaused" | "consumerResumed" => {
                let consumer = word(payload, "consumerId");
                self.hold_or_expect(now, &consumer, kind == "consumerPaused");
            }
            "transportClosed" => {
                let transport = word(payload, "transportId");
                self.transports.retain(|_, ours| *ours != transport);
                self.events
                    .push_back(BrowserEvent::TransportClosed { transport });
            }
            "newPeer"
            | "roleChanged"
            | "producerPaused"
            | "producerResumed"
            | "consumerLayersChanged" => {}
            _ => return false,
        }
        true
    }

    fn hold_or_expect(&mut self, now: Time, consumer: &str, paused: bool) {
        let mut consumptions = self.consumptions.values_mut();
        let Some(consumption) = consumptions.find(|it| it.consumer == consumer) else {
            return;
        };
        consumption.producer_paused = paused;
        consumption.settle(now);
        if paused {
            self.receiver.hold(now, consumption.ssrc);
        } else if !consumption.paused {
            self.receiver.expect(now, consumption.ssrc);
        }
    }

    fn consume(&mut self, now: Time, producer: &str) {
        if self.options.watches {
            let capabilities = negotiation::receive_capabilities(&self.capabilities);
            let payload = json!({"producerId": producer, "rtpCapabilities": capabilities});
            self.ask("consume", payload, Asked::Consume(now));
        }
    }

    fn stray(&mut self, text: &str) {
        if self.strays.len() < REFUSALS_MAX {
            self.strays.push(text.to_owned());
        }
    }
}

/// The text in this field, or none.
fn word(object: &Value, field: &str) -> String {
    object
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// The list in this field, or an empty one.
fn list<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    object
        .get(field)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}
