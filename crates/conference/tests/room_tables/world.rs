//! A conference with people who speak JSON and shards that only keep books: each shard refuses
//! what a worker would refuse and knows at any time what it holds, so that a test can ask whether
//! anything was left behind.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::rand_core::SeedableRng;
use serde_json::{Value, json};
use watersmeet_conference::access::TokenKeys;
use watersmeet_conference::socketio::{self, PacketKind};
use watersmeet_conference::{
    CommandToken, Conference, ConferenceConfig, ConferenceLimits, ConnectRequest, DialectKind,
    Namespace, Output, SessionId, ShardId,
};
use watersmeet_engine::command::{
    CloseReason, Command, ConsumerId, Event, ProducerId, Refusal, Reply, RouterId, TransportId,
    TransportOptions,
};
use watersmeet_wire::params::MediaKind;
use watersmeet_wire::units::{Rng, Time};

/// What a worker would hold.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Shard {
    pub routers: BTreeSet<RouterId>,
    pub transports: BTreeMap<TransportId, RouterId>,
    pub producers: BTreeMap<ProducerId, (TransportId, MediaKind)>,
    pub consumers: BTreeMap<ConsumerId, (TransportId, ProducerId)>,
    /// Producers of other shards, with the router they are known in and their own shard.
    pub pipes: BTreeMap<ProducerId, (RouterId, MediaKind, u8)>,
}

impl Shard {
    /// Does what it is told, as a worker would, and reports what else ended by that.
    pub fn execute(&mut self, command: Command, events: &mut Vec<Event>) -> Result<Reply, Refusal> {
        match command {
            Command::CreateRouter { router, .. } => {
                assert!(self.routers.insert(router), "a router id twice");
                let capabilities = serde_json::from_value(json!({})).unwrap();
                return Ok(Reply::Router { capabilities });
            }
            Command::CloseRouter { router } => {
                if !self.routers.remove(&router) {
                    return Err(Refusal::RouterNotFound);
                }
                let own = self.transports.iter().filter(|(_, it)| **it == router);
                let own: Vec<_> = own.map(|(id, _)| *id).collect();
                for transport in own {
                    self.close_transport(transport, events);
                }
                self.pipes.retain(|_, (it, ..)| *it != router);
            }
            Command::CreateTransport {
                router, transport, ..
            } => {
                if !self.routers.contains(&router) {
                    return Err(Refusal::RouterNotFound);
                }
                assert!(self.transports.insert(transport, router).is_none());
                return Ok(transport_reply());
            }
            Command::ConnectTransport { transport, .. } => self.transport(transport)?,
            Command::RestartIce { transport } => {
                self.transport(transport)?;
                let Reply::Transport { ice, .. } = transport_reply() else {
                    unreachable!()
                };
                return Ok(Reply::IceRestarted { ice });
            }
            Command::CloseTransport { transport } => {
                self.transport(transport)?;
                self.close_transport(transport, events);
            }
            Command::Produce {
                transport,
                producer,
                kind,
                ..
            } => {
                self.transport(transport)?;
                assert!(self.producers.insert(producer, (transport, kind)).is_none());
                let consumable = serde_json::from_value(rtp_parameters()).unwrap();
                return Ok(Reply::Producer {
                    consumable: Box::new(consumable),
                });
            }
            Command::CreatePipedProducer {
                router,
                producer,
                kind,
                origin,
                ..
            } => {
                if !self.routers.contains(&router) {
                    return Err(Refusal::RouterNotFound);
                }
                assert!(!self.producers.contains_key(&producer), "it is here");
                let pipe = (router, kind, origin);
                assert!(self.pipes.insert(producer, pipe).is_none(), "piped twice");
            }
            Command::PauseProducer { producer } => self.pause(producer, true, events)?,
            Command::ResumeProducer { producer } => self.pause(producer, false, events)?,
            Command::CloseProducer { producer } => {
                self.kind_of(producer)?;
                self.close_producer(producer, events);
            }
            Command::Consume {
                transport,
                consumer,
                producer,
                capabilities,
                ..
            } => {
                self.transport(transport)?;
                let kind = self.kind_of(producer)?;
                if capabilities.codecs.is_empty() {
                    return Err(Refusal::CannotConsume);
                }
                assert!(
                    self.consumers
                        .insert(consumer, (transport, producer))
                        .is_none()
                );
                return Ok(Reply::Consumer {
                    kind,
                    rtp: serde_json::from_value(rtp_parameters()).unwrap(),
                    producer_paused: false,
                    simulcast: false,
                });
            }
            Command::PauseConsumer { consumer }
            | Command::ResumeConsumer { consumer }
            | Command::SetPreferredLayers { consumer, .. }
            | Command::RequestKeyframe { consumer } => self.consumer(consumer)?,
            Command::CloseConsumer { consumer } => {
                self.consumer(consumer)?;
                self.consumers.remove(&consumer);
            }
            Command::ProducerStats { producer } => {
                self.producers
                    .get(&producer)
                    .ok_or(Refusal::ProducerNotFound)?;
                return Ok(Reply::ProducerStats(Vec::new()));
            }
            // The figures themselves are the engine's; the books have none to show.
            Command::TransportStats { transport } => {
                self.transport(transport)?;
                return Ok(Reply::ProducerStats(Vec::new()));
            }
            Command::ConsumerStats { consumer } => {
                self.consumer(consumer)?;
                return Ok(Reply::ProducerStats(Vec::new()));
            }
        }
        Ok(Reply::Done)
    }

    fn transport(&self, id: TransportId) -> Result<(), Refusal> {
        self.transports
            .get(&id)
            .map(|_| ())
            .ok_or(Refusal::TransportNotFound)
    }

    /// What a producer sends that can be consumed here, its own or another shard's.
    fn kind_of(&self, id: ProducerId) -> Result<MediaKind, Refusal> {
        let own = self.producers.get(&id).map(|(_, kind)| *kind);
        let kind = own.or_else(|| self.pipes.get(&id).map(|(_, kind, _)| *kind));
        kind.ok_or(Refusal::ProducerNotFound)
    }

    fn consumer(&self, id: ConsumerId) -> Result<(), Refusal> {
        self.consumers
            .get(&id)
            .map(|_| ())
            .ok_or(Refusal::ConsumerNotFound)
    }

    fn pause(&self, id: ProducerId, paused: bool, events: &mut Vec<Event>) -> Result<(), Refusal> {
        self.producers.get(&id).ok_or(Refusal::ProducerNotFound)?;
        let consumers = self.consumers.iter().filter(|(_, (_, it))| *it == id);
        events.extend(consumers.map(|(id, _)| Event::ConsumerProducerPaused {
            consumer: *id,
            paused,
        }));
        Ok(())
    }

    fn close_producer(&mut self, id: ProducerId, events: &mut Vec<Event>) {
        self.producers.remove(&id);
        self.pipes.remove(&id);
        self.consumers.retain(|consumer, (_, producer)| {
            if *producer == id {
                events.push(Event::ConsumerClosed {
                    consumer: *consumer,
                });
            }
            *producer != id
        });
    }

    fn close_transport(&mut self, id: TransportId, events: &mut Vec<Event>) {
        self.transports.remove(&id);
        self.consumers.retain(|_, (transport, _)| *transport != id);
        let own = self.producers.iter().filter(|(_, (it, _))| *it == id);
        let own: Vec<_> = own.map(|(id, _)| *id).collect();
        for producer in own {
            self.close_producer(producer, events);
            events.push(Event::ProducerClosed { producer });
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a worker says of a transport.
fn transport_reply() -> Reply {
    Reply::Transport {
        ice: serde_json::from_value(ice_parameters()).unwrap(),
        candidates: serde_json::from_value(json!([candidate()])).unwrap(),
        dtls: serde_json::from_value(dtls_parameters("auto")).unwrap(),
    }
}

pub fn ice_parameters() -> Value {
    json!({"usernameFragment": "u", "password": "p", "iceLite": true})
}

pub fn candidate() -> Value {
    json!({
        "foundation": "udp", "priority": 1, "ip": "127.0.0.1", "address": "127.0.0.1",
        "protocol": "udp", "port": 40_000, "type": "host",
    })
}

pub fn dtls_parameters(role: &str) -> Value {
    json!({"role": role, "fingerprints": [{"algorithm": "sha-256", "value": "AA:BB"}]})
}

pub fn rtp_parameters() -> Value {
    let value = json!({
        "mid": "0",
        "codecs": [{"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90_000}],
        "encodings": [{"ssrc": 1}],
    });
    let parameters: watersmeet_wire::params::RtpParameters = serde_json::from_value(value).unwrap();
    serde_json::to_value(parameters).unwrap()
}

pub fn capabilities() -> Value {
    let value = json!({
        "codecs": [{"mimeType": "video/VP8", "preferredPayloadType": 96, "clockRate": 90_000}],
        "headerExtensions": [],
    });
    let capabilities: watersmeet_wire::params::RtpCapabilities =
        serde_json::from_value(value).unwrap();
    serde_json::to_value(capabilities).unwrap()
}

/// The secret of the tokens of these tests.
pub const SECRET: &[u8] = b"0123456789-tests-of-the-room-tables-9876543210";

/// Seconds since 1970 at the beginning of these tests.
pub const UNIX_S: u64 = 1_800_000_000;

/// A conference of two shards that accepts tokens.
pub fn config() -> ConferenceConfig {
    ConferenceConfig {
        media_codecs: Vec::new(),
        capabilities: serde_json::from_value(capabilities()).unwrap(),
        transport_options: TransportOptions::default(),
        shards: 2,
        spread_above_permille: 600,
        limits: ConferenceLimits::default(),
        native: Default::default(),
        keys: Some(Arc::new(TokenKeys::new(SECRET, None).unwrap())),
        policy: Default::default(),
        rooms_need_token: false,
        default_room: "lobby".into(),
        ice_servers: Default::default(),
        unix_epoch: Duration::from_secs(UNIX_S),
    }
}

/// A frame as a value: a Socket.IO packet says what it is by its first key.
fn readable(text: &str) -> Value {
    let Ok(packet) = socketio::parse(text) else {
        return serde_json::from_str(text).unwrap();
    };
    let payload = || serde_json::from_str::<Value>(packet.data).unwrap();
    match packet.kind {
        PacketKind::Connect => json!({"connect": payload()}),
        PacketKind::ConnectError => json!({"connectError": payload()}),
        PacketKind::Disconnect => json!({"disconnect": true}),
        PacketKind::Ack => json!({"ack": packet.ack, "payload": payload()[0]}),
        PacketKind::Event => json!({"event": payload()[0], "payload": payload()[1]}),
    }
}

/// The conference and everybody around it.
pub struct World {
    pub conference: Conference,
    pub now: Time,
    pub shards: Vec<Shard>,
    /// Commands that no shard has seen yet, oldest first.
    pub commands: VecDeque<(ShardId, CommandToken, Command)>,
    /// Whether shards answer at once.
    pub prompt: bool,
    /// What everybody was sent, oldest first.
    pub frames: BTreeMap<SessionId, VecDeque<Value>>,
    /// The same, as it was on the wire.
    pub texts: BTreeMap<SessionId, VecDeque<String>>,
    /// Who was sent away, and with which code.
    pub closed: BTreeMap<SessionId, u16>,
    next_session: u64,
    next_id: u64,
}

impl World {
    pub fn new() -> Self {
        Self::with_limits(ConferenceLimits::default())
    }

    pub fn with_limits(limits: ConferenceLimits) -> Self {
        Self::with(ConferenceConfig { limits, ..config() })
    }

    pub fn with(config: ConferenceConfig) -> Self {
        let shards = config.shards;
        Self {
            conference: Conference::new(config, Rng::seed_from_u64(1)),
            now: Time::from_millis(1_000),
            shards: vec![Shard::default(); usize::from(shards)],
            commands: VecDeque::new(),
            prompt: true,
            frames: BTreeMap::new(),
            texts: BTreeMap::new(),
            closed: BTreeMap::new(),
            next_session: 0,
            next_id: 0,
        }
    }

    /// A connection that has read its greeting, and its peer id.
    pub fn open(&mut self) -> (SessionId, String) {
        let session = self.open_silently();
        let greeting = self.next(session);
        assert_eq!(greeting["type"], "connected");
        (
            session,
            greeting["payload"]["peerId"].as_str().unwrap().to_owned(),
        )
    }

    pub fn open_silently(&mut self) -> SessionId {
        self.open_as(ConnectRequest::new(DialectKind::Native))
    }

    /// A connection of any kind; its greeting is unread.
    pub fn open_as(&mut self, opening: ConnectRequest) -> SessionId {
        let session = SessionId(self.next_session);
        self.next_session += 1;
        self.conference.handle_open(self.now, session, opening);
        self.settle();
        session
    }

    /// A Socket.IO connection to a namespace that has read its greeting, and its id.
    pub fn open_socket(&mut self, namespace: Namespace) -> (SessionId, String) {
        let session = self.open_as(ConnectRequest::new(DialectKind::SocketIo(namespace)));
        let sid = self.next(session)["connect"]["sid"]
            .as_str()
            .unwrap()
            .to_owned();
        if namespace != Namespace::Main {
            assert_eq!(self.next(session)["event"], "connection-success");
        }
        (session, sid)
    }

    /// Sends an event that wants no acknowledgement.
    pub fn emit(&mut self, session: SessionId, namespace: Namespace, name: &str, payload: Value) {
        let text = socketio::write_event(namespace.name(), name, &[payload]);
        self.send_text(session, &text);
    }

    /// Sends an event and gives what its acknowledgement says, once it has come.
    pub fn call(
        &mut self,
        session: SessionId,
        namespace: Namespace,
        name: &str,
        payload: Value,
    ) -> Option<Value> {
        self.next_id += 1;
        let id = self.next_id;
        let text = socketio::write_event(namespace.name(), name, &[payload]);
        let (head, body) = text.split_at(text.find('[').unwrap());
        self.send_text(session, &format!("{head}{id}{body}"));
        let frames = self.frames.get_mut(&session)?;
        let index = frames.iter().position(|it| it["ack"] == json!(id))?;
        frames.remove(index).map(|it| it["payload"].clone())
    }

    pub fn close(&mut self, session: SessionId) {
        self.conference.handle_close(self.now, session);
        self.settle();
    }

    pub fn send_text(&mut self, session: SessionId, text: &str) {
        self.conference.handle_frame(self.now, session, text);
        self.settle();
    }

    /// Sends a frame as a client does that knows no ids.
    pub fn send(&mut self, session: SessionId, kind: &str, payload: Value) {
        self.send_text(
            session,
            &json!({"type": kind, "payload": payload}).to_string(),
        );
    }

    /// Sends a frame with an id and gives that id.
    pub fn request(&mut self, session: SessionId, kind: &str, payload: Value) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        self.send_text(
            session,
            &json!({"type": kind, "payload": payload, "id": id}).to_string(),
        );
        id
    }

    /// Sends a frame with an id and takes the answer out of what arrives.
    pub fn ask(&mut self, session: SessionId, kind: &str, payload: Value) -> Value {
        let id = self.request(session, kind, payload);
        self.answer(session, id)
            .unwrap_or_else(|| panic!("{kind} was not answered"))
    }

    /// The answer to a request, if it has arrived.
    pub fn answer(&mut self, session: SessionId, id: u64) -> Option<Value> {
        let frames = self.frames.entry(session).or_default();
        let index = frames.iter().position(|it| it["id"] == id)?;
        frames.remove(index)
    }

    /// Asks and gives the payload of the answer, which must be of this type.
    pub fn get(&mut self, session: SessionId, kind: &str, payload: Value, answer: &str) -> Value {
        let mut frame = self.ask(session, kind, payload);
        assert_eq!(frame["type"], answer, "{frame}");
        frame["payload"].take()
    }

    /// Asks and gives the code of the error that must be the answer.
    pub fn refused(&mut self, session: SessionId, kind: &str, payload: Value) -> String {
        let payload = self.get(session, kind, payload, "error");
        payload["code"].as_str().unwrap().to_owned()
    }

    /// The next frame that a connection was sent.
    pub fn next(&mut self, session: SessionId) -> Value {
        self.frames
            .get_mut(&session)
            .and_then(VecDeque::pop_front)
            .expect("a frame")
    }

    /// Everything that a connection was sent since last asked.
    pub fn all(&mut self, session: SessionId) -> Vec<Value> {
        std::mem::take(self.frames.entry(session).or_default()).into()
    }

    /// The types of what a connection was sent since last asked.
    pub fn types(&mut self, session: SessionId) -> Vec<String> {
        let frames = self.all(session);
        frames
            .iter()
            .map(|it| it["type"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Drains the outputs, and lets shards answer if they are prompt.
    pub fn settle(&mut self) {
        loop {
            while let Some(output) = self.conference.poll_output() {
                self.take(output);
            }
            if !(self.prompt && self.answer_command()) {
                return;
            }
        }
    }

    fn take(&mut self, output: Output) {
        match output {
            Output::Frame { session, text } => {
                assert!(
                    !self.closed.contains_key(&session),
                    "a frame after the end: {text}"
                );
                let frame = readable(&text);
                self.texts.entry(session).or_default().push_back(text);
                self.frames.entry(session).or_default().push_back(frame);
            }
            Output::Close { session, code, .. } => {
                assert_eq!(self.closed.insert(session, code), None, "closed twice");
            }
            Output::Command {
                shard,
                token,
                command,
            } => {
                self.commands.push_back((shard, token, command));
            }
        }
    }

    /// Lets the oldest command be carried out and answered. False when there is none.
    pub fn answer_command(&mut self) -> bool {
        let Some((shard, token, command)) = self.commands.pop_front() else {
            return false;
        };
        let mut events = Vec::new();
        let worker = &mut self.shards[usize::from(shard.0)];
        let result = worker.execute(command, &mut events);
        self.conference.handle_reply(self.now, token, result);
        for event in events {
            self.conference.handle_event(self.now, shard, event);
        }
        while let Some(output) = self.conference.poll_output() {
            self.take(output);
        }
        true
    }

    /// Lets shards answer everything.
    pub fn answer_all(&mut self) {
        while self.answer_command() {}
    }

    pub fn event(&mut self, shard: ShardId, event: Event) {
        self.conference.handle_event(self.now, shard, event);
        self.settle();
    }

    /// The engine closes a transport by itself.
    pub fn engine_closes(&mut self, transport: &str) {
        let transport = TransportId::parse(transport).unwrap();
        let of = |it: &Shard| it.transports.contains_key(&transport);
        let index = self.shards.iter().position(of).unwrap();
        let mut events = Vec::new();
        self.shards[index].close_transport(transport, &mut events);
        let reason = CloseReason::ConsentLost;
        events.push(Event::TransportClosed { transport, reason });
        let shard = ShardId(u8::try_from(index).unwrap());
        for event in events {
            self.event(shard, event);
        }
    }

    /// A worker is rebuilt empty.
    pub fn lose(&mut self, shard: ShardId) {
        self.shards[usize::from(shard.0)] = Shard::default();
        self.conference.handle_shard_lost(self.now, shard);
        self.settle();
    }

    /// Lets time pass, stopping at every timer.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let due = self.conference.poll_timeout();
            self.now = due.clamp(self.now, end);
            self.conference.handle_timeout(self.now);
            self.settle();
            if due > end {
                return;
            }
        }
    }

    /// Checks that nobody and nothing is left, here or on a shard.
    pub fn assert_empty(&self) {
        // What has happened so far stays.
        let mut counts = self.conference.gauges();
        counts.totals = Default::default();
        let nothing = Conference::new(config(), Rng::seed_from_u64(0)).gauges();
        assert_eq!(counts, nothing);
        assert_eq!(self.conference.poll_timeout(), Time::FAR_FUTURE);
        for shard in &self.shards {
            assert!(shard.is_empty(), "left behind: {shard:?}");
        }
    }

    // What people do all the time.

    /// A connection that is in a room, and its peer id.
    pub fn joined(&mut self, room: &str) -> (SessionId, String) {
        let (session, peer) = self.open();
        self.get(session, "joinRoom", json!({"roomId": room}), "roomJoined");
        (session, peer)
    }

    pub fn transport(&mut self, session: SessionId, direction: &str) -> String {
        let payload = json!({"direction": direction});
        let created = self.get(session, "createTransport", payload, "transportCreated");
        created["transportId"].as_str().unwrap().to_owned()
    }

    pub fn produce(&mut self, session: SessionId, transport: &str, kind: &str) -> String {
        let produced = self.get(session, "produce", produce(transport, kind), "produced");
        produced["producerId"].as_str().unwrap().to_owned()
    }

    pub fn consume(&mut self, session: SessionId, producer: &str) -> String {
        let consumed = self.get(session, "consume", consume(producer), "consumed");
        consumed["consumerId"].as_str().unwrap().to_owned()
    }
}

/// The payload of `produce`.
pub fn produce(transport: &str, kind: &str) -> Value {
    json!({"transportId": transport, "kind": kind, "rtpParameters": rtp_parameters()})
}

/// The payload of `consume`.
pub fn consume(producer: &str) -> Value {
    json!({"producerId": producer, "rtpCapabilities": capabilities()})
}
