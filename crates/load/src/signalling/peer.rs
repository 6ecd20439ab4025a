//! Signalling of a scripted peer: it joins a room, creates its transports, publishes its tracks,
//! consumes all other producers, and leaves on command.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_peer::negotiation::{
    AudioRepair, IncomingStream, camera_parameters, microphone_parameters, receive_capabilities,
};
use watersmeet_wire::params::RtpParameters;
use watersmeet_wire::units::Ssrc;

use super::responses::{list, parse_transport};
use super::{Connection, Frame, SignallingError, text};
use crate::camera::Camera;
use crate::media::Command;
use crate::media::published_track::{MediaGenerator, PublishedTrack, StreamIds, TrackSender};
use crate::media::received_stream::ExpectedStream;
use crate::media::transport::TransportPlan;
use crate::microphone::Microphone;
use crate::run_state::RunState;
use crate::seeded_rng::SeededRng;

/// Longest wait for a transport to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// `consume` requests without a response at a time.
const CONSUMES_MAX: usize = 32;

/// RIDs of simulcast layers, the lowest first.
const RIDS: [&str; 3] = ["r0", "r1", "r2"];

/// Behaviour of a peer.
#[derive(Debug, Clone, Copy)]
pub struct PeerPlan {
    /// Number of the room.
    pub room: u32,
    /// Whether it creates a transport for sending.
    pub sends: bool,
    /// Whether it publishes tracks.
    pub publishes: bool,
    /// Whether it consumes other producers.
    pub receives: bool,
}

/// A command to a peer in its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerCommand {
    /// Runs a random operation on a random consumer.
    Operate,
    /// Leaves the room.
    Leave,
}

/// A consumer of a peer.
struct ActiveConsumer {
    /// Identifier of the consumer.
    id: String,
    /// Identifier of the publishing peer.
    publisher: String,
    /// SSRC of its stream.
    ssrc: Ssrc,
    /// Whether it was paused by an operation.
    is_paused: bool,
}

/// A scripted peer.
pub struct Peer {
    run_state: Rc<RunState>,
    plan: PeerPlan,
    /// Number of the peer in the run, which selects its media thread.
    number: u64,
    connection: Connection,
    rng: SeededRng,
    /// RTP capabilities of the router.
    router: Value,
    /// RTP capabilities for receiving.
    capabilities: Value,
    send: Option<String>,
    recv: Option<String>,
    /// Producers that are to be consumed.
    unconsumed: VecDeque<String>,
    /// Producers whose `consume` request has no response yet, oldest first.
    requested: VecDeque<String>,
    /// Number of `resumeConsumer` requests without a response.
    resuming: usize,
    /// Consumers by producer.
    consumers: BTreeMap<String, ActiveConsumer>,
    /// Identifier of the next request that carries one.
    next_id: u64,
}

impl Peer {
    /// Joins a room. Returns when both transports are connected, all tracks are published, and all
    /// existing producers are consumed.
    ///
    /// # Errors
    /// Fails when one of these steps fails; the transports are then closed.
    pub async fn join(
        run_state: Rc<RunState>,
        plan: PeerPlan,
        number: u64,
    ) -> Result<Self, SignallingError> {
        let options = &run_state.options;
        let connection = Connection::open(&options.url, options.token.as_deref()).await?;
        let rng = run_state.new_rng();
        let mut peer = Self {
            run_state,
            plan,
            number,
            connection,
            rng,
            router: Value::Null,
            capabilities: Value::Null,
            send: None,
            recv: None,
            unconsumed: VecDeque::new(),
            requested: VecDeque::new(),
            resuming: 0,
            consumers: BTreeMap::new(),
            next_id: 1,
        };
        match peer.set_up().await {
            Ok(()) => Ok(peer),
            Err(error) => {
                peer.leave().await;
                Err(error)
            }
        }
    }

    /// Handles frames and commands until the peer is told to leave or the connection ends.
    ///
    /// # Errors
    /// Returns why the connection ended.
    pub async fn run_until_left(
        mut self,
        mut commands: mpsc::UnboundedReceiver<PeerCommand>,
    ) -> Result<(), SignallingError> {
        let result = loop {
            let step = tokio::select! {
                frame = self.connection.next() => match frame {
                    Ok(frame) => self.handle_frame(frame).await,
                    Err(error) => Err(error),
                },
                command = commands.recv() => match command {
                    Some(PeerCommand::Operate) => self.run_random_operation().await,
                    Some(PeerCommand::Leave) | None => break Ok(()),
                },
            };
            if let Err(error) = step {
                break Err(error);
            }
        };
        self.leave().await;
        result
    }

    async fn leave(mut self) {
        for transport in [2 * self.number, 2 * self.number + 1] {
            self.send_to_thread(Command::Close(transport));
        }
        self.run_state.add_consumers(-self.consumers_len());
        self.run_state.add_transports(-self.transports_len());
        self.consumers.clear();
        self.connection.close().await;
    }

    fn consumers_len(&self) -> i64 {
        i64::try_from(self.consumers.len()).unwrap_or(i64::MAX)
    }

    fn transports_len(&self) -> i64 {
        i64::from(self.send.is_some()) + i64::from(self.recv.is_some())
    }

    fn send_to_thread(&self, command: Command) {
        self.run_state.send_to_thread(self.number, command);
    }

    async fn set_up(&mut self) -> Result<(), SignallingError> {
        let any = |_: &Value| true;
        let room = self.run_state.room_name(self.plan.room);
        let request = json!({ "roomId": room });
        let joined = self
            .connection
            .request("joinRoom", request, "roomJoined", any);
        let joined = joined.await?;
        let response = self.connection.request(
            "getRouterRtpCapabilities",
            json!({}),
            "routerRtpCapabilities",
            any,
        );
        self.router = response
            .await?
            .get_mut("rtpCapabilities")
            .map(Value::take)
            .unwrap_or_default();
        self.capabilities = receive_capabilities(&self.router, AudioRepair::Retransmission);
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
        self.run_state.add_transports(self.transports_len());
        for connected in ready {
            let connected = timeout(CONNECT_TIMEOUT, connected).await;
            let profile = match connected {
                Ok(Ok(Ok(profile))) => profile,
                Ok(Ok(Err(why))) => return Err(SignallingError::Transport(why)),
                Ok(Err(_)) => return Err(SignallingError::Transport("no socket left".to_owned())),
                Err(_) => return Err(SignallingError::Transport("no handshake".to_owned())),
            };
            self.run_state.set_srtp_profile(profile);
        }
        if self.plan.publishes {
            self.publish().await?;
        }
        self.consume_existing(&joined).await
    }

    /// Creates a transport and starts connecting it. Returns its identifier, and a channel that reports
    /// the result.
    async fn open_transport(
        &mut self,
        direction: &str,
        number: u64,
    ) -> Result<(String, oneshot::Receiver<Result<SrtpProfile, String>>), SignallingError> {
        let request = json!({ "direction": direction });
        let is_response = |it: &Value| text(it, "direction").is_none_or(|it| it == direction);
        let response =
            self.connection
                .request("createTransport", request, "transportCreated", is_response);
        let created = response.await?;
        let id = text(&created, "transportId").ok_or(SignallingError::Malformed("transportId"))?;
        let id = id.to_owned();
        let (remote, dtls) = parse_transport(&created)?;
        let fingerprint = self.run_state.fingerprint();
        let request = json!({
            "transportId": id,
            "dtlsParameters": {
                "role": "client",
                "fingerprints": [{ "algorithm": "sha-256", "value": fingerprint }],
            },
        });
        let is_response = |it: &Value| text(it, "transportId").is_none_or(|it| it == id);
        let response = self.connection.request(
            "connectTransport",
            request,
            "transportConnected",
            is_response,
        );
        response.await?;
        let (ready, connected) = oneshot::channel();
        let plan = TransportPlan {
            run: self.run_state.run,
            room: self.plan.room,
            cname: format!("load-{}", self.number),
            reporter: Ssrc(self.rng.next_u32().max(1)),
            remote,
            fingerprints: dtls.fingerprints,
            rng: self.rng.split(),
            ready,
        };
        self.send_to_thread(Command::Open(number, Box::new(plan)));
        Ok((id, connected))
    }

    /// Publishes the video track, then the audio track.
    async fn publish(&mut self) -> Result<(), SignallingError> {
        let shape = self.run_state.shape;
        if shape.video_kbps > 0 {
            let ids = self.camera_ids();
            let encodings: Vec<Value> = ids.iter().map(encoding).collect();
            let cname = format!("load-{}", self.number);
            let parameters = camera_parameters("0", &cname, &encodings);
            let simulcast = self.run_state.options.simulcast;
            let pacing = self.run_state.options.pacing;
            let now = self.run_state.clock.now();
            let rng = self.rng.inner_mut();
            let camera = Camera::new(now, shape.video_kbps, simulcast, pacing, rng);
            self.produce(
                "video",
                "0",
                parameters,
                MediaGenerator::Camera(camera),
                ids,
            )
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
            let len = self.run_state.options.audio_bytes.map(usize::from);
            let now = self.run_state.clock.now();
            let microphone = Microphone::new(now, len, self.rng.inner_mut());
            let generator = MediaGenerator::Microphone(microphone);
            self.produce("audio", "1", parameters, generator, ids)
                .await?;
        }
        Ok(())
    }

    /// Chooses the SSRCs and RIDs of a camera's streams.
    fn camera_ids(&mut self) -> Vec<StreamIds> {
        let rids: Vec<Option<&str>> = if self.run_state.options.simulcast {
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
        Ssrc(self.rng.next_u32().max(1))
    }

    async fn produce(
        &mut self,
        kind: &str,
        mid: &str,
        parameters: Value,
        generator: MediaGenerator,
        ids: Vec<StreamIds>,
    ) -> Result<(), SignallingError> {
        let request = json!({
            "transportId": self.send, "kind": kind, "rtpParameters": parameters,
        });
        let is_response = |it: &Value| text(it, "kind").is_none_or(|it| it == kind);
        let response = self
            .connection
            .request("produce", request, "produced", is_response);
        let produced = response.await?;
        let producer =
            text(&produced, "producerId").ok_or(SignallingError::Malformed("producerId"))?;
        let sender = TrackSender {
            run: self.run_state.run,
            room: self.plan.room,
            producer: self.run_state.register_producer(producer),
        };
        let [_, _, high, low] = self.rng.next_u32().to_be_bytes();
        let first = u16::from_be_bytes([high, low]);
        let outgoing = PublishedTrack::new(sender, mid.to_owned(), generator, ids, first);
        self.send_to_thread(Command::Publish(2 * self.number, Box::new(outgoing)));
        Ok(())
    }

    /// Consumes all producers that exist when the peer joins.
    async fn consume_existing(&mut self, joined: &Value) -> Result<(), SignallingError> {
        for publisher in list(joined, "existingProducers") {
            for producer in list(publisher, "producers") {
                self.add_producer(text(producer, "producerId"));
            }
        }
        self.send_consume_requests().await?;
        let caught_up = async {
            while !(self.unconsumed.is_empty() && self.requested.is_empty() && self.resuming == 0) {
                let frame = self.connection.next().await?;
                self.handle_frame(frame).await?;
            }
            Ok(())
        };
        let caught_up = timeout(CONNECT_TIMEOUT, caught_up).await;
        caught_up.unwrap_or(Err(SignallingError::NoResponse("consume")))
    }

    fn add_producer(&mut self, producer: Option<&str>) {
        if let Some(producer) = producer.filter(|_| self.plan.receives) {
            self.unconsumed.push_back(producer.to_owned());
        }
    }

    async fn send_consume_requests(&mut self) -> Result<(), SignallingError> {
        while self.requested.len() < CONSUMES_MAX
            && let Some(producer) = self.unconsumed.pop_front()
        {
            let request = json!({
                "producerId": producer, "rtpCapabilities": self.capabilities,
            });
            self.connection.send("consume", request).await?;
            self.requested.push_back(producer);
        }
        Ok(())
    }

    async fn handle_frame(&mut self, frame: Frame) -> Result<(), SignallingError> {
        let payload = &frame.payload;
        match frame.kind.as_str() {
            "newProducer" => self.add_producer(text(payload, "producerId")),
            "consumed" => self.handle_consumed(payload).await?,
            "consumerResumed" => self.resuming = self.resuming.saturating_sub(1),
            "producerClosed" => {
                let producer = text(payload, "producerId").unwrap_or_default();
                self.remove_consumers(|it, _| it == producer);
            }
            "peerLeft" => {
                let publisher = text(payload, "peerId").unwrap_or_default();
                self.remove_consumers(|_, it| it.publisher == publisher);
            }
            // Errors carry no identifier; requests are handled in order.
            "error" => {
                let message = text(payload, "message").unwrap_or("no message");
                self.run_state.record_refusal(message);
                self.requested.pop_front();
            }
            _ => {}
        }
        self.send_consume_requests().await
    }

    async fn handle_consumed(&mut self, payload: &Value) -> Result<(), SignallingError> {
        let part = |name: &'static str| {
            let found = text(payload, name).map(str::to_owned);
            found.ok_or(SignallingError::Malformed(name))
        };
        let (id, producer) = (part("consumerId")?, part("producerId")?);
        let publisher = text(payload, "producerPeerId").unwrap_or_default();
        self.requested.retain(|it| *it != producer);
        let parameters = payload.get("rtpParameters").cloned().unwrap_or_default();
        let parameters: RtpParameters = serde_json::from_value(parameters)
            .map_err(|_| SignallingError::Malformed("rtpParameters"))?;
        let stream = IncomingStream::from_parameters(&parameters)
            .ok_or(SignallingError::Malformed("rtpParameters"))?;
        let consumer = ActiveConsumer {
            id: id.clone(),
            publisher: publisher.to_owned(),
            ssrc: stream.ssrc,
            is_paused: false,
        };
        let expected = ExpectedStream {
            run: self.run_state.run,
            room: self.plan.room,
            producer: self.run_state.producer_number(&producer),
            stream,
        };
        self.send_to_thread(Command::Receive(2 * self.number + 1, Box::new(expected)));
        if self.consumers.insert(producer, consumer).is_none() {
            self.run_state.add_consumers(1);
        }
        self.resuming += 1;
        let request = json!({ "consumerId": id });
        self.connection.send("resumeConsumer", request).await
    }

    /// Removes consumers whose producer or peer is gone.
    fn remove_consumers(&mut self, is_gone: impl Fn(&str, &ActiveConsumer) -> bool) {
        let gone: Vec<String> = self
            .consumers
            .iter()
            .filter(|(producer, consumer)| is_gone(producer, consumer))
            .map(|(producer, _)| producer.clone())
            .collect();
        for producer in gone {
            if let Some(consumer) = self.consumers.remove(&producer) {
                self.send_to_thread(Command::StopReceiving(2 * self.number + 1, consumer.ssrc));
                self.run_state.add_consumers(-1);
            }
        }
    }

    /// Pauses or resumes a random consumer, or selects its preferred layer.
    async fn run_random_operation(&mut self) -> Result<(), SignallingError> {
        let index = self.rng.below(self.consumers.len() as u64);
        let index = usize::try_from(index).unwrap_or(0);
        let layer = self.rng.below(3);
        let is_layer_choice = self.rng.below(3) == 0;
        let Some(consumer) = self.consumers.values_mut().nth(index) else {
            return Ok(());
        };
        let mut request = json!({ "consumerId": consumer.id });
        let kind = match (is_layer_choice, consumer.is_paused) {
            (true, _) => {
                if let Some(fields) = request.as_object_mut() {
                    fields.insert("spatialLayer".to_owned(), json!(layer));
                }
                "setPreferredLayers"
            }
            (false, true) => "resumeConsumer",
            (false, false) => "pauseConsumer",
        };
        if !is_layer_choice {
            consumer.is_paused = !consumer.is_paused;
        }
        self.next_id += 1;
        self.connection
            .send_with_id(self.next_id, kind, request)
            .await
    }
}

/// Returns an encoding as `mediasoup-client` announces it: by RID if there are several, otherwise by
/// SSRC.
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
    fn encodings_are_announced_as_by_mediasoup_client() {
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
