//! What one scripted peer says: it joins, makes its transports, publishes what it has, consumes
//! whatever the others publish, and leaves when it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_peer::negotiation::{
    IncomingStream, camera_parameters, microphone_parameters, receive_capabilities,
};
use watersmeet_wire::params::RtpParameters;
use watersmeet_wire::units::Ssrc;

use super::answers::{list, read_transport};
use super::{Connection, Frame, SignallingError, text};
use crate::camera::Camera;
use crate::chance::Chance;
use crate::media::Command;
use crate::media::incoming::Expectation;
use crate::media::outgoing::{Origin, Outgoing, Sender, StreamIds};
use crate::media::transport::TransportPlan;
use crate::microphone::Microphone;
use crate::world::World;

/// How long a transport may take to be connected.
const CONNECT_PATIENCE: Duration = Duration::from_secs(20);

/// `consume` requests that wait for their answers at a time.
const CONSUMES_MAX: usize = 32;

/// Names of simulcast encodings, the smallest first.
const RIDS: [&str; 3] = ["r0", "r1", "r2"];

/// What a peer is to do.
#[derive(Debug, Clone, Copy)]
pub struct PeerPlan {
    /// The room.
    pub room: u32,
    /// Whether it has a transport to send on.
    pub sends: bool,
    /// Whether it publishes.
    pub publishes: bool,
    /// Whether it receives.
    pub receives: bool,
}

/// What a peer is told while it is in the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Do something with one of your consumers; which, chance says.
    Operate,
    /// Leave.
    Leave,
}

/// A consumer that runs.
struct Consumed {
    /// Its id.
    id: String,
    /// Who publishes.
    publisher: String,
    /// Its stream.
    ssrc: Ssrc,
    /// Whether it was paused by an operation.
    is_paused: bool,
}

/// One peer.
pub struct Peer {
    world: Rc<World>,
    plan: PeerPlan,
    /// Its number in the run, which chooses its thread.
    number: u64,
    connection: Connection,
    chance: Chance,
    /// What the router can do.
    router: Value,
    /// What it can receive.
    capabilities: Value,
    send: Option<String>,
    recv: Option<String>,
    /// Producers to consume, and who publishes them.
    wanted: VecDeque<String>,
    /// Requests that wait for their answers, oldest first.
    asked: VecDeque<String>,
    /// Consumers that wait to be resumed.
    resuming: usize,
    /// By producer.
    consumers: BTreeMap<String, Consumed>,
    /// Id of the next request that has one.
    next_id: u64,
}

impl Peer {
    /// Joins: returns once both transports are connected, everything is published, and all that
    /// was there is consumed.
    ///
    /// # Errors
    /// Why it did not come to that; its transports are closed then.
    pub async fn join(
        world: Rc<World>,
        plan: PeerPlan,
        number: u64,
    ) -> Result<Self, SignallingError> {
        let options = &world.options;
        let connection = Connection::open(&options.url, options.token.as_deref()).await?;
        let chance = world.chance();
        let mut peer = Self {
            world,
            plan,
            number,
            connection,
            chance,
            router: Value::Null,
            capabilities: Value::Null,
            send: None,
            recv: None,
            wanted: VecDeque::new(),
            asked: VecDeque::new(),
            resuming: 0,
            consumers: BTreeMap::new(),
            next_id: 1,
        };
        match peer.enter().await {
            Ok(()) => Ok(peer),
            Err(error) => {
                peer.hang_up().await;
                Err(error)
            }
        }
    }

    /// Stays in the room until it is told to leave, or the connection ends.
    ///
    /// # Errors
    /// Why the connection ended.
    pub async fn stay(
        mut self,
        mut orders: mpsc::UnboundedReceiver<Order>,
    ) -> Result<(), SignallingError> {
        let result = loop {
            let step = tokio::select! {
                frame = self.connection.next() => match frame {
                    Ok(frame) => self.handle_frame(frame).await,
                    Err(error) => Err(error),
                },
                order = orders.recv() => match order {
                    Some(Order::Operate) => self.operate().await,
                    Some(Order::Leave) | None => break Ok(()),
                },
            };
            if let Err(error) = step {
                break Err(error);
            }
        };
        self.hang_up().await;
        result
    }

    async fn hang_up(mut self) {
        for transport in [2 * self.number, 2 * self.number + 1] {
            self.tell(Command::Close(transport));
        }
        self.world.note_consumers(-self.consumers_len());
        self.world.note_transports(-self.transports_len());
        self.consumers.clear();
        self.connection.close().await;
    }

    fn consumers_len(&self) -> i64 {
        i64::try_from(self.consumers.len()).unwrap_or(i64::MAX)
    }

    fn transports_len(&self) -> i64 {
        i64::from(self.send.is_some()) + i64::from(self.recv.is_some())
    }

    fn tell(&self, command: Command) {
        self.world.tell(self.number, command);
    }

    async fn enter(&mut self) -> Result<(), SignallingError> {
        let any = |_: &Value| true;
        let room = self.world.room_name(self.plan.room);
        let request = json!({ "roomId": room });
        let joined = self.connection.ask("joinRoom", request, "roomJoined", any);
        let joined = joined.await?;
        let asked = self.connection.ask(
            "getRouterRtpCapabilities",
            json!({}),
            "routerRtpCapabilities",
            any,
        );
        self.router = asked
            .await?
            .get_mut("rtpCapabilities")
            .map(Value::take)
            .unwrap_or_default();
        self.capabilities = receive_capabilities(&self.router);
        let mut ready = Vec::new();
        if self.plan.sends {
            let (id, connected) = self.open_transport("send", 2 * self.number).await?;
            self.send = Some(id);
            ready.push(connected);
        }
        if self.plan.receives {
            let (id, connected) = self.open_transport("recv", 2 * self.number + 1).await?;
            self.recv = Some(id);
            ready.push(connected);
        }
        self.world.note_transports(self.transports_len());
        for connected in ready {
            let connected = timeout(CONNECT_PATIENCE, connected).await;
            let profile = match connected {
                Ok(Ok(Ok(profile))) => profile,
                Ok(Ok(Err(why))) => return Err(SignallingError::Transport(why)),
                Ok(Err(_)) => return Err(SignallingError::Transport("no socket left".to_owned())),
                Err(_) => return Err(SignallingError::Transport("no handshake".to_owned())),
            };
            self.world.note_profile(profile);
        }
        if self.plan.publishes {
            self.publish().await?;
        }
        self.consume_existing(&joined).await
    }

    /// Makes a transport and begins to connect it; its id, and what tells when it is connected.
    async fn open_transport(
        &mut self,
        direction: &str,
        number: u64,
    ) -> Result<(String, oneshot::Receiver<Result<SrtpProfile, String>>), SignallingError> {
        let request = json!({ "direction": direction });
        let is_mine = |it: &Value| text(it, "direction").is_none_or(|it| it == direction);
        let asked = self
            .connection
            .ask("createTransport", request, "transportCreated", is_mine);
        let created = asked.await?;
        let id = text(&created, "transportId").ok_or(SignallingError::Malformed("transportId"))?;
        let id = id.to_owned();
        let (remote, dtls) = read_transport(&created)?;
        let fingerprint = self.world.fingerprint();
        let request = json!({
            "transportId": id,
            "dtlsParameters": {
                "role": "client",
                "fingerprints": [{ "algorithm": "sha-256", "value": fingerprint }],
            },
        });
        let is_mine = |it: &Value| text(it, "transportId").is_none_or(|it| it == id);
        let asked = self
            .connection
            .ask("connectTransport", request, "transportConnected", is_mine);
        asked.await?;
        let (ready, connected) = oneshot::channel();
        let plan = TransportPlan {
            run: self.world.run,
            room: self.plan.room,
            cname: format!("load-{}", self.number),
            reporter: Ssrc(self.chance.word().max(1)),
            remote,
            fingerprints: dtls.fingerprints,
            chance: self.chance.split(),
            ready,
        };
        self.tell(Command::Open(number, Box::new(plan)));
        Ok((id, connected))
    }

    /// Publishes video first, then audio.
    async fn publish(&mut self) -> Result<(), SignallingError> {
        let shape = self.world.shape;
        if shape.video_kbps > 0 {
            let ids = self.camera_ids();
            let encodings: Vec<Value> = ids.iter().map(encoding).collect();
            let cname = format!("load-{}", self.number);
            let parameters = camera_parameters("0", &cname, &encodings);
            let simulcast = self.world.options.simulcast;
            let pacing = self.world.options.pacing;
            let now = self.world.clock.now();
            let rng = self.chance.generator();
            let camera = Camera::new(now, shape.video_kbps, simulcast, pacing, rng);
            self.produce("video", "0", parameters, Origin::Camera(camera), ids)
                .await?;
        }
        if shape.audio {
            let ids = vec![StreamIds {
                ssrc: self.ssrc(),
                rtx_ssrc: None,
                rid: None,
            }];
            let ssrc = ids.first().map_or(Ssrc(1), |it| it.ssrc);
            let parameters = microphone_parameters("1", &format!("load-{}", self.number), ssrc);
            let len = self.world.options.audio_bytes.map(usize::from);
            let now = self.world.clock.now();
            let microphone = Microphone::new(now, len, self.chance.generator());
            let origin = Origin::Microphone(microphone);
            self.produce("audio", "1", parameters, origin, ids).await?;
        }
        Ok(())
    }

    /// Names of a camera's streams.
    fn camera_ids(&mut self) -> Vec<StreamIds> {
        let rids: Vec<Option<&str>> = if self.world.options.simulcast {
            RIDS.into_iter().map(Some).collect()
        } else {
            vec![None]
        };
        let named = rids.into_iter().map(|rid| StreamIds {
            ssrc: self.ssrc(),
            rtx_ssrc: Some(self.ssrc()),
            rid: rid.map(str::to_owned),
        });
        named.collect()
    }

    fn ssrc(&mut self) -> Ssrc {
        Ssrc(self.chance.word().max(1))
    }

    async fn produce(
        &mut self,
        kind: &str,
        mid: &str,
        parameters: Value,
        origin: Origin,
        ids: Vec<StreamIds>,
    ) -> Result<(), SignallingError> {
        let request = json!({
            "transportId": self.send, "kind": kind, "rtpParameters": parameters,
        });
        let is_mine = |it: &Value| text(it, "kind").is_none_or(|it| it == kind);
        let asked = self.connection.ask("produce", request, "produced", is_mine);
        let produced = asked.await?;
        let producer =
            text(&produced, "producerId").ok_or(SignallingError::Malformed("producerId"))?;
        let from = Sender {
            run: self.world.run,
            room: self.plan.room,
            source: self.world.register(producer),
        };
        let [_, _, high, low] = self.chance.word().to_be_bytes();
        let first = u16::from_be_bytes([high, low]);
        let outgoing = Outgoing::new(from, mid.to_owned(), origin, ids, first);
        self.tell(Command::Publish(2 * self.number, Box::new(outgoing)));
        Ok(())
    }

    /// Consumes all that the server told of, up to the end.
    async fn consume_existing(&mut self, joined: &Value) -> Result<(), SignallingError> {
        for publisher in list(joined, "existingProducers") {
            for producer in list(publisher, "producers") {
                self.want(text(producer, "producerId"));
            }
        }
        self.ask_consumes().await?;
        let caught_up = async {
            while !(self.wanted.is_empty() && self.asked.is_empty() && self.resuming == 0) {
                let frame = self.connection.next().await?;
                self.handle_frame(frame).await?;
            }
            Ok(())
        };
        let caught_up = timeout(CONNECT_PATIENCE, caught_up).await;
        caught_up.unwrap_or(Err(SignallingError::Silence("consume")))
    }

    fn want(&mut self, producer: Option<&str>) {
        if let Some(producer) = producer.filter(|_| self.plan.receives) {
            self.wanted.push_back(producer.to_owned());
        }
    }

    async fn ask_consumes(&mut self) -> Result<(), SignallingError> {
        while self.asked.len() < CONSUMES_MAX
            && let Some(producer) = self.wanted.pop_front()
        {
            let request = json!({
                "producerId": producer, "rtpCapabilities": self.capabilities,
            });
            self.connection.send("consume", request).await?;
            self.asked.push_back(producer);
        }
        Ok(())
    }

    async fn handle_frame(&mut self, frame: Frame) -> Result<(), SignallingError> {
        let payload = &frame.payload;
        match frame.kind.as_str() {
            "newProducer" => self.want(text(payload, "producerId")),
            "consumed" => self.handle_consumed(payload).await?,
            "consumerResumed" => self.resuming = self.resuming.saturating_sub(1),
            "producerClosed" => {
                let producer = text(payload, "producerId").unwrap_or_default();
                self.forget(|it, _| it == producer);
            }
            "peerLeft" => {
                let publisher = text(payload, "peerId").unwrap_or_default();
                self.forget(|_, it| it.publisher == publisher);
            }
            // Without ids nobody knows whose failure it is: requests are worked on in order.
            "error" => {
                let message = text(payload, "message").unwrap_or("no message");
                self.world.note_refusal(message);
                self.asked.pop_front();
            }
            _ => {}
        }
        self.ask_consumes().await
    }

    async fn handle_consumed(&mut self, payload: &Value) -> Result<(), SignallingError> {
        let part = |name: &'static str| {
            let found = text(payload, name).map(str::to_owned);
            found.ok_or(SignallingError::Malformed(name))
        };
        let (id, producer) = (part("consumerId")?, part("producerId")?);
        let publisher = text(payload, "producerPeerId").unwrap_or_default();
        self.asked.retain(|it| *it != producer);
        let parameters = payload.get("rtpParameters").cloned().unwrap_or_default();
        let parameters: RtpParameters = serde_json::from_value(parameters)
            .map_err(|_| SignallingError::Malformed("rtpParameters"))?;
        let stream = IncomingStream::from_parameters(&parameters)
            .ok_or(SignallingError::Malformed("rtpParameters"))?;
        let consumed = Consumed {
            id: id.clone(),
            publisher: publisher.to_owned(),
            ssrc: stream.ssrc,
            is_paused: false,
        };
        let expected = Expectation {
            run: self.world.run,
            room: self.plan.room,
            source: self.world.source_of(&producer),
            stream,
        };
        self.tell(Command::Expect(2 * self.number + 1, Box::new(expected)));
        if self.consumers.insert(producer, consumed).is_none() {
            self.world.note_consumers(1);
        }
        self.resuming += 1;
        let request = json!({ "consumerId": id });
        self.connection.send("resumeConsumer", request).await
    }

    /// Takes consumers out that ended with their producers.
    fn forget(&mut self, is_gone: impl Fn(&str, &Consumed) -> bool) {
        let gone: Vec<String> = self
            .consumers
            .iter()
            .filter(|(producer, consumed)| is_gone(producer, consumed))
            .map(|(producer, _)| producer.clone())
            .collect();
        for producer in gone {
            if let Some(consumed) = self.consumers.remove(&producer) {
                self.tell(Command::Forget(2 * self.number + 1, consumed.ssrc));
                self.world.note_consumers(-1);
            }
        }
    }

    /// Pauses or resumes a consumer, or chooses its layers.
    async fn operate(&mut self) -> Result<(), SignallingError> {
        let place = self.chance.below(self.consumers.len() as u64);
        let place = usize::try_from(place).unwrap_or(0);
        let layer = self.chance.below(3);
        let chooses = self.chance.below(3) == 0;
        let Some(consumed) = self.consumers.values_mut().nth(place) else {
            return Ok(());
        };
        let mut request = json!({ "consumerId": consumed.id });
        let kind = match (chooses, consumed.is_paused) {
            (true, _) => {
                if let Some(fields) = request.as_object_mut() {
                    fields.insert("spatialLayer".to_owned(), json!(layer));
                }
                "setPreferredLayers"
            }
            (false, true) => "resumeConsumer",
            (false, false) => "pauseConsumer",
        };
        if !chooses {
            consumed.is_paused = !consumed.is_paused;
        }
        self.next_id += 1;
        self.connection
            .send_with_id(self.next_id, kind, request)
            .await
    }
}

/// An encoding as `mediasoup-client` announces it: by its name when there are several, otherwise
/// by its streams.
fn encoding(ids: &StreamIds) -> Value {
    match (&ids.rid, ids.rtx_ssrc) {
        (Some(rid), _) => json!({ "rid": rid, "active": true }),
        (None, Some(rtx)) => json!({ "ssrc": ids.ssrc.0, "rtx": { "ssrc": rtx.0 } }),
        (None, None) => json!({ "ssrc": ids.ssrc.0 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_named_as_the_clients_do() {
        let mut ids = StreamIds {
            ssrc: Ssrc(1),
            rtx_ssrc: Some(Ssrc(2)),
            rid: None,
        };
        assert_eq!(encoding(&ids), json!({ "ssrc": 1, "rtx": { "ssrc": 2 } }));
        ids.rid = Some("r0".to_owned());
        assert_eq!(encoding(&ids)["rid"], "r0");
        assert_eq!(encoding(&ids).get("ssrc"), None);
    }
}
