//! A conference with clients that send JSON and with fake shards, driven in virtual time. A test can
//! check at any time that no object is left over.

#[path = "harness/fake_shard.rs"]
mod fake_shard;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::rand_core::SeedableRng;
use serde_json::{Value, json};
use watersmeet_conference::access::TokenKeys;
use watersmeet_conference::room_event::RoomEvent;
use watersmeet_conference::socketio::{self, PacketKind};
use watersmeet_conference::{
    CommandToken, Conference, ConferenceConfig, ConferenceLimits, ConnectRequest, DialectKind,
    Namespace, Output, SessionId, ShardId,
};
use watersmeet_engine::command::{CloseReason, Command, Event, TransportId, TransportOptions};
use watersmeet_wire::units::{Rng, Time};

pub use self::fake_shard::FakeShard;

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

/// Secret of all tokens in these tests.
pub const SECRET: &[u8] = b"0123456789-tests-of-the-room-tables-9876543210";

/// Start of these tests, in seconds since 1970.
pub const UNIX_S: u64 = 1_800_000_000;

/// Returns the configuration of a conference with two shards that accepts tokens.
pub fn config() -> ConferenceConfig {
    ConferenceConfig {
        media_codecs: Vec::new(),
        capabilities: serde_json::from_value(capabilities()).unwrap(),
        transport_options: TransportOptions::default(),
        shards: 2,
        spread_above_permille: 600,
        limits: ConferenceLimits::default(),
        forwarding: Default::default(),
        native: Default::default(),
        keys: Some(Arc::new(token_keys())),
        expired_tokens_disconnect: false,
        policy: Default::default(),
        rooms_need_token: false,
        default_room: "lobby".into(),
        ice_servers: Default::default(),
        unix_epoch: Duration::from_secs(UNIX_S),
    }
}

/// Parses a frame. The first key of a Socket.IO packet's value is its type.
fn parse_frame(text: &str) -> Value {
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

/// A conference with its shards and clients.
pub struct TestConference {
    pub conference: Conference,
    pub now: Time,
    pub shards: Vec<FakeShard>,
    /// Commands that no shard has executed yet, oldest first.
    pub commands: VecDeque<(ShardId, CommandToken, Command)>,
    /// Whether shards execute commands at once.
    pub executes_immediately: bool,
    /// Frames that each client was sent and has not read, oldest first.
    pub frames: BTreeMap<SessionId, VecDeque<Value>>,
    /// The same frames as text.
    pub texts: BTreeMap<SessionId, VecDeque<String>>,
    /// Texts of all frames that may be dropped.
    pub droppable: BTreeSet<String>,
    /// Close codes of the connections that the conference closed.
    pub closed: BTreeMap<SessionId, u16>,
    /// Events of rooms, oldest first.
    pub room_events: Vec<RoomEvent>,
    /// Number of those that the test has read.
    pub room_events_read: usize,
    /// Number of protoo clients that got a peer id of their own.
    pub protoo_clients: u64,
    next_session: u64,
    next_id: u64,
}

impl TestConference {
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
            shards: vec![FakeShard::default(); usize::from(shards)],
            commands: VecDeque::new(),
            executes_immediately: true,
            frames: BTreeMap::new(),
            texts: BTreeMap::new(),
            droppable: BTreeSet::new(),
            closed: BTreeMap::new(),
            room_events: Vec::new(),
            room_events_read: 0,
            protoo_clients: 0,
            next_session: 0,
            next_id: 0,
        }
    }

    /// Opens a native connection and reads `connected`. Returns its peer id too.
    pub fn open(&mut self) -> (SessionId, String) {
        let session = self.open_native();
        let connected = self.next_frame(session);
        assert_eq!(connected["type"], "connected");
        (
            session,
            connected["payload"]["peerId"].as_str().unwrap().to_owned(),
        )
    }

    pub fn open_native(&mut self) -> SessionId {
        self.open_with(ConnectRequest::new(DialectKind::Native))
    }

    /// Opens a connection; its first frames stay unread.
    pub fn open_with(&mut self, request: ConnectRequest) -> SessionId {
        let session = SessionId(self.next_session);
        self.next_session += 1;
        self.conference.handle_open(self.now, session, request);
        self.drain();
        session
    }

    /// Opens a Socket.IO connection to a namespace and reads its first packets. Returns its id too.
    pub fn open_socket(&mut self, namespace: Namespace) -> (SessionId, String) {
        let session = self.open_with(ConnectRequest::new(DialectKind::SocketIo(namespace)));
        let sid = self.next_frame(session)["connect"]["sid"]
            .as_str()
            .unwrap()
            .to_owned();
        if namespace != Namespace::Main {
            assert_eq!(self.next_frame(session)["event"], "connection-success");
        }
        (session, sid)
    }

    /// Sends an event without acknowledgement.
    pub fn emit(&mut self, session: SessionId, namespace: Namespace, name: &str, payload: Value) {
        let text = socketio::write_event(namespace.name(), name, &[payload]);
        self.send_text(session, &text);
    }

    /// Sends an event and returns the payload of its acknowledgement, if that has arrived.
    pub fn emit_with_ack(
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

    /// Closes a connection.
    pub fn close(&mut self, session: SessionId) {
        self.conference.handle_close(self.now, session);
        self.drain();
    }

    /// Loses a connection.
    pub fn lose(&mut self, session: SessionId) {
        self.conference.handle_lost(self.now, session);
        self.drain();
    }

    pub fn send_text(&mut self, session: SessionId, text: &str) {
        self.conference.handle_frame(self.now, session, text);
        self.drain();
    }

    /// Sends a native frame without an id.
    pub fn send_without_id(&mut self, session: SessionId, kind: &str, payload: Value) {
        self.send_text(
            session,
            &json!({"type": kind, "payload": payload}).to_string(),
        );
    }

    /// Sends a native request and returns its id.
    pub fn send_request(&mut self, session: SessionId, kind: &str, payload: Value) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        self.send_text(
            session,
            &json!({"type": kind, "payload": payload, "id": id}).to_string(),
        );
        id
    }

    /// Sends a native request and returns its reply, which must arrive at once.
    pub fn request(&mut self, session: SessionId, kind: &str, payload: Value) -> Value {
        let id = self.send_request(session, kind, payload);
        self.take_reply(session, id)
            .unwrap_or_else(|| panic!("{kind} was not answered"))
    }

    /// Removes and returns the reply to a request, if it has arrived.
    pub fn take_reply(&mut self, session: SessionId, id: u64) -> Option<Value> {
        let frames = self.frames.entry(session).or_default();
        let index = frames.iter().position(|it| it["id"] == id)?;
        frames.remove(index)
    }

    /// Removes the reply to a request, which must have arrived, and returns its error code.
    pub fn take_error_code(&mut self, session: SessionId, id: u64) -> Value {
        self.take_reply(session, id).unwrap()["payload"]["code"].take()
    }

    /// Sends a native request and returns the payload of its reply, which must be of this type.
    pub fn expect_reply(
        &mut self,
        session: SessionId,
        kind: &str,
        payload: Value,
        answer: &str,
    ) -> Value {
        let mut frame = self.request(session, kind, payload);
        assert_eq!(frame["type"], answer, "{frame}");
        frame["payload"].take()
    }

    /// Sends a native request that must be refused, and returns the code of the error.
    pub fn expect_refusal(&mut self, session: SessionId, kind: &str, payload: Value) -> String {
        let payload = self.expect_reply(session, kind, payload, "error");
        payload["code"].as_str().unwrap().to_owned()
    }

    /// Sends a moderation request of a native host, which must succeed.
    pub fn moderate(&mut self, host: SessionId, decision: Value) {
        self.expect_reply(host, "moderate", decision, "done");
    }

    /// Sets the policy of a native host's room to approval.
    pub fn require_approval(&mut self, host: SessionId) {
        let policy = json!({"action": "setPolicy", "policy": "approval"});
        self.moderate(host, policy);
    }

    /// Reads the next frame of a client.
    pub fn next_frame(&mut self, session: SessionId) -> Value {
        self.frames
            .get_mut(&session)
            .and_then(VecDeque::pop_front)
            .expect("a frame")
    }

    /// Reads all frames of a client.
    pub fn take_frames(&mut self, session: SessionId) -> Vec<Value> {
        std::mem::take(self.frames.entry(session).or_default()).into()
    }

    /// Reads all frames of a native client and returns their types.
    pub fn take_types(&mut self, session: SessionId) -> Vec<String> {
        let frames = self.take_frames(session);
        frames
            .iter()
            .map(|it| it["type"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Handles all outputs of the conference, and executes commands if shards do so at once.
    pub fn drain(&mut self) {
        loop {
            while let Some(output) = self.conference.poll_output() {
                self.handle_output(output);
            }
            if !(self.executes_immediately && self.execute_command()) {
                return;
            }
        }
    }

    fn handle_output(&mut self, output: Output) {
        match output {
            Output::Frame {
                session,
                text,
                droppable,
            } => {
                if droppable {
                    self.droppable.insert(text.clone());
                }
                assert!(
                    !self.closed.contains_key(&session),
                    "a frame after the close: {text}"
                );
                let frame = parse_frame(&text);
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
            Output::RoomEvent(event) => self.room_events.push(*event),
        }
    }

    /// Executes the oldest command and delivers its reply. Returns false if there is none.
    pub fn execute_command(&mut self) -> bool {
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
            self.handle_output(output);
        }
        true
    }

    /// Executes all commands.
    pub fn execute_all_commands(&mut self) {
        while self.execute_command() {}
    }

    pub fn report_event(&mut self, shard: ShardId, event: Event) {
        self.conference.handle_event(self.now, shard, event);
        self.drain();
    }

    /// Closes a transport in the engine, as after a lost ICE consent.
    pub fn close_transport_in_engine(&mut self, transport: &str) {
        let transport = TransportId::parse(transport).unwrap();
        let of = |it: &FakeShard| it.transports.contains_key(&transport);
        let index = self.shards.iter().position(of).unwrap();
        let mut events = Vec::new();
        self.shards[index].close_transport(transport, &mut events);
        let reason = CloseReason::ConsentLost;
        events.push(Event::TransportClosed { transport, reason });
        let shard = ShardId(u8::try_from(index).unwrap());
        for event in events {
            self.report_event(shard, event);
        }
    }

    /// Replaces a worker by an empty one, as after a panic.
    pub fn lose_shard(&mut self, shard: ShardId) {
        self.shards[usize::from(shard.0)] = FakeShard::default();
        self.conference.handle_shard_lost(self.now, shard);
        self.drain();
    }

    /// Replaces the first worker that has transports by an empty one.
    pub fn lose_shard_with_transports(&mut self) {
        let mut shards = self.shards.iter();
        let shard = shards.position(|it| !it.transports.is_empty());
        self.lose_shard(ShardId(u8::try_from(shard.unwrap()).unwrap()));
    }

    /// Advances the time, and handles every timer on the way.
    pub fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let due = self.conference.poll_timeout();
            self.now = due.clamp(self.now, end);
            self.conference.handle_timeout(self.now);
            self.drain();
            if due > end {
                return;
            }
        }
    }

    /// Checks that the conference counts no transports and that no shard has any.
    pub fn assert_no_transports(&self) {
        assert_eq!(self.conference.gauges().transports, 0);
        assert!(self.shards.iter().all(|it| it.transports.is_empty()));
    }

    /// Checks that no session and no object is left in the conference or on a shard.
    pub fn assert_empty(&self) {
        // The totals are kept.
        let mut gauges = self.conference.gauges();
        gauges.totals = Default::default();
        let empty = Conference::new(config(), Rng::seed_from_u64(0)).gauges();
        assert_eq!(gauges, empty);
        assert_eq!(self.conference.poll_timeout(), Time::FAR_FUTURE);
        for shard in &self.shards {
            assert!(shard.is_empty(), "left over: {shard:?}");
        }
        self.assert_events_balanced();
    }

    /// Joins a room with a native client. Returns the payload of `roomJoined`.
    pub fn join_room(&mut self, session: SessionId, room: &str) -> Value {
        let payload = json!({"roomId": room});
        self.expect_reply(session, "joinRoom", payload, "roomJoined")
    }

    /// Opens a native connection and joins a room. Returns its peer id too.
    pub fn join(&mut self, room: &str) -> (SessionId, String) {
        let (session, peer) = self.open();
        self.join_room(session, room);
        (session, peer)
    }

    pub fn create_transport(&mut self, session: SessionId, direction: &str) -> String {
        let payload = json!({"direction": direction});
        let created = self.expect_reply(session, "createTransport", payload, "transportCreated");
        created["transportId"].as_str().unwrap().to_owned()
    }

    pub fn produce(&mut self, session: SessionId, transport: &str, kind: &str) -> String {
        let produced = self.expect_reply(session, "produce", produce(transport, kind), "produced");
        produced["producerId"].as_str().unwrap().to_owned()
    }

    pub fn consume(&mut self, session: SessionId, producer: &str) -> String {
        let consumed = self.expect_reply(session, "consume", consume(producer), "consumed");
        consumed["consumerId"].as_str().unwrap().to_owned()
    }
}

/// Returns the payload of `produce`.
pub fn produce(transport: &str, kind: &str) -> Value {
    json!({"transportId": transport, "kind": kind, "rtpParameters": rtp_parameters()})
}

/// Returns the payload of `consume`.
pub fn consume(producer: &str) -> Value {
    json!({"producerId": producer, "rtpCapabilities": capabilities()})
}

/// An id that no object has.
pub const UNKNOWN_ID: &str = "00000000-0000-4000-8000-000000000000";

/// Returns the keys of all tokens in these tests.
pub fn token_keys() -> TokenKeys {
    TokenKeys::new(SECRET, None).unwrap()
}

/// Returns a JSON text as a string.
pub fn text(value: &Value) -> String {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

/// Returns a Socket.IO event as a client reads it.
pub fn event(name: &str, payload: Value) -> Value {
    json!({"event": name, "payload": payload})
}

/// Returns the acknowledgement of a refused event that is answered with `params`.
pub fn params_error(error: &str) -> Value {
    json!({"params": {"error": error}})
}
