//! Clients of all six dialects in one room, with any order of joins, producers, closes, leaves and
//! late replies: each is told of exactly the producers that exist, and of each once.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};
use watersmeet_conference::{ConferenceConfig, ConnectRequest, DialectKind, Namespace, SessionId};

use super::harness::*;

/// Room of all clients: some dialects can only use the default room.
const ROOM: &str = "lobby";

/// Dialect of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TestDialect {
    Native,
    Sfu,
    Rmm,
    Meetlite,
    Call,
    Protoo,
}

const DIALECTS: [TestDialect; 6] = [
    TestDialect::Native,
    TestDialect::Sfu,
    TestDialect::Rmm,
    TestDialect::Meetlite,
    TestDialect::Call,
    TestDialect::Protoo,
];

/// One step. Numbers choose the client.
#[derive(Debug, Clone)]
enum Step {
    Join(usize),
    Produce(usize),
    CloseProducer(usize),
    Leave(usize),
    ExecuteCommands(usize),
    Read(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let index = || 0..DIALECTS.len();
    prop_oneof![
        6 => index().prop_map(Step::Join),
        8 => index().prop_map(Step::Produce),
        3 => index().prop_map(Step::CloseProducer),
        2 => index().prop_map(Step::Leave),
        12 => (1..6_usize).prop_map(Step::ExecuteCommands),
        6 => index().prop_map(Step::Read),
    ]
}

/// A client and its view of the room, learned from frames alone.
#[derive(Debug)]
struct Client {
    dialect: TestDialect,
    session: SessionId,
    /// Send transport, once it was created.
    send_transport: Option<String>,
    has_requested_transport: bool,
    /// Kinds of requested producers.
    requested: BTreeSet<&'static str>,
    /// Own producers by kind.
    own: BTreeMap<&'static str, String>,
    /// Producers of others, each with its owner.
    remote_producers: BTreeMap<String, String>,
    /// Producers of consumers, in dialects whose server consumes.
    consumers: BTreeMap<String, String>,
    next_ack: u64,
    /// Names of requests, by the number of their acknowledgement.
    acks: BTreeMap<u64, &'static str>,
}

impl Client {
    fn namespace(&self) -> Namespace {
        match self.dialect {
            TestDialect::Call => Namespace::Call,
            _ => Namespace::Main,
        }
    }

    /// Opens a connection and joins, as clients of this dialect do.
    fn open(test: &mut TestConference, dialect: TestDialect, number: usize) -> Self {
        let kind = match dialect {
            TestDialect::Native => DialectKind::Native,
            TestDialect::Protoo => DialectKind::Protoo,
            TestDialect::Call => DialectKind::SocketIo(Namespace::Call),
            _ => DialectKind::SocketIo(Namespace::Main),
        };
        let user =
            || token_keys().issue_user_token(&format!("user-{number}"), "user@example.org", UNIX_S);
        let session = test.open_with(ConnectRequest {
            room: Some(ROOM.to_owned()),
            peer: Some(format!("peer-{number}")),
            token: (dialect == TestDialect::Meetlite).then(user),
            ..ConnectRequest::new(kind)
        });
        let mut client = Self {
            dialect,
            session,
            send_transport: None,
            has_requested_transport: false,
            requested: BTreeSet::new(),
            own: BTreeMap::new(),
            remote_producers: BTreeMap::new(),
            consumers: BTreeMap::new(),
            next_ack: 0,
            acks: BTreeMap::new(),
        };
        client.enter(test);
        client
    }

    fn enter(&mut self, test: &mut TestConference) {
        let capabilities = json!({"rtpCapabilities": capabilities()});
        match self.dialect {
            TestDialect::Native => self.send(test, "joinRoom", json!({"roomId": ROOM})),
            TestDialect::Sfu => self.send(test, "getRtpCapabilities", Value::Null),
            TestDialect::Rmm => {
                let join = json!({"roomId": ROOM, "displayName": "R", "rtpCapabilities": {}});
                self.send(test, "join", join);
            }
            TestDialect::Meetlite => {
                self.send(test, "join-room", json!({"roomId": ROOM}));
                let receive = json!({"roomId": ROOM, "direction": "recv"});
                self.send(test, "create-webrtc-transport", receive);
                self.send(test, "set-rtp-capabilities", capabilities);
            }
            TestDialect::Call => {
                self.send(test, "joinRoom", json!({"roomName": ROOM}));
                self.send(test, "getProducers", Value::Null);
            }
            TestDialect::Protoo => {
                let receive = json!({"producing": false, "consuming": true});
                self.send(test, "createWebRtcTransport", receive);
                self.acks.remove(&self.next_ack);
                let mut join = capabilities;
                join["displayName"] = json!("P");
                self.send(test, "join", join);
            }
        }
    }

    /// Sends a request and records its name for the reply.
    fn send(&mut self, test: &mut TestConference, name: &'static str, payload: Value) {
        self.next_ack += 1;
        let ack = self.next_ack;
        self.acks.insert(ack, name);
        let text = match self.dialect {
            TestDialect::Native => json!({"type": name, "payload": payload, "id": ack}).to_string(),
            TestDialect::Protoo => {
                json!({"request": true, "id": ack, "method": name, "data": payload}).to_string()
            }
            _ => {
                let body = json!([name, payload]);
                match self.namespace() {
                    Namespace::Main => format!("2{ack}{body}"),
                    other => format!("2{},{ack}{body}", other.name()),
                }
            }
        };
        test.send_text(self.session, &text);
    }

    /// Makes the next request towards one more producer.
    fn produce(&mut self, test: &mut TestConference) {
        let Some(send) = self.send_transport.clone() else {
            if !std::mem::replace(&mut self.has_requested_transport, true) {
                self.create_send_transport(test);
            }
            return;
        };
        let mut kinds = ["video", "audio"].into_iter();
        let Some(kind) = kinds.find(|kind| !self.requested.contains(kind)) else {
            return;
        };
        self.requested.insert(kind);
        let mut payload = produce(&send, kind);
        payload["roomId"] = json!(ROOM);
        payload["appData"] = json!({});
        let name = match self.dialect {
            TestDialect::Sfu | TestDialect::Call => "transport-produce",
            TestDialect::Meetlite => "create-producer",
            _ => "produce",
        };
        self.send(test, name, payload);
    }

    fn create_send_transport(&mut self, test: &mut TestConference) {
        let (name, payload) = match self.dialect {
            TestDialect::Native => ("createTransport", json!({"direction": "send"})),
            TestDialect::Sfu => ("createWebRtcTransport", json!({"sender": true})),
            TestDialect::Rmm => ("createTransport", json!({"roomId": ROOM, "kind": "send"})),
            TestDialect::Meetlite => {
                let payload = json!({"roomId": ROOM, "direction": "send"});
                ("create-webrtc-transport", payload)
            }
            TestDialect::Call => {
                let payload = json!({"consumer": false, "roomName": ROOM});
                ("createWebRtcTransport", payload)
            }
            TestDialect::Protoo => {
                let payload = json!({"producing": true, "consuming": false});
                ("createWebRtcTransport", payload)
            }
        };
        self.send(test, name, payload);
    }

    /// Closes one of its producers, if its dialect can.
    fn close_producer(&mut self, test: &mut TestConference) {
        let Some((kind, producer)) = self.own.pop_first() else {
            return;
        };
        match self.dialect {
            TestDialect::Native | TestDialect::Protoo => {
                self.send(test, "closeProducer", json!({"producerId": producer}));
            }
            TestDialect::Meetlite => self.send(test, "close-producer", json!({"kind": kind})),
            _ => {
                self.own.insert(kind, producer);
                return;
            }
        }
        self.requested.remove(kind);
    }

    /// Reads all frames. Returns whether there were any.
    fn read(&mut self, test: &mut TestConference) -> bool {
        let frames = test.take_frames(self.session);
        for frame in &frames {
            self.read_frame(test, frame);
        }
        !frames.is_empty()
    }

    fn read_frame(&mut self, test: &mut TestConference, frame: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if let Some(method) = frame["method"].as_str() {
            return self.read_protoo_frame(test, frame, method);
        }
        let ack = frame["ack"].as_u64().or(frame["id"].as_u64());
        let payload = match frame["response"].is_null() {
            true => &frame["payload"],
            false => &frame["data"],
        };
        if let Some(request) = ack.and_then(|ack| self.acks.remove(&ack)) {
            return self.read_reply(request, payload);
        }
        let name = frame["event"].as_str().or(frame["type"].as_str());
        let producer = text(&payload["producerId"]);
        match name.unwrap_or_default() {
            "newProducer" => {
                let peer = match self.dialect {
                    TestDialect::Rmm => &payload["producerSocketId"],
                    _ => &payload["peerId"],
                };
                self.add_remote_producer(producer, text(peer));
            }
            "new-producer" => self.add_remote_producer(producer, String::new()),
            "new-consumer" => self.add_remote_producer(producer, text(&payload["participantId"])),
            "producerClosed" | "producer-closed" | "delete-producer" => {
                let remote = text(&payload["remoteProducerId"]);
                self.remove_remote_producer(if remote.is_empty() {
                    &producer
                } else {
                    &remote
                });
            }
            "peerLeft" => {
                let peer = text(&payload["peerId"]);
                self.remote_producers.retain(|_, it| *it != peer);
            }
            "participant-left" => {
                let peer = text(&payload["participantId"]);
                self.remote_producers.retain(|_, it| *it != peer);
            }
            "webrtc-transport-created" if payload["direction"] == "send" => {
                self.send_transport = Some(text(&payload["id"]));
            }
            "producer-created" => self.add_own_producer(payload, &producer),
            _ => {}
        }
    }

    fn read_protoo_frame(&mut self, test: &mut TestConference, frame: &Value, method: &str) {
        let data = &frame["data"];
        let text = |field: &str| data[field].as_str().unwrap_or_default().to_owned();
        match method {
            "newConsumer" => {
                let consumer = data["consumerId"].as_str().or(data["id"].as_str());
                let consumer = consumer.unwrap().to_owned();
                self.consumers.insert(consumer, text("producerId"));
                self.add_remote_producer(text("producerId"), text("peerId"));
                let id = &frame["id"];
                let yes = json!({"response": true, "id": id, "ok": true, "data": {}});
                test.send_text(self.session, &yes.to_string());
            }
            "consumerClosed" => {
                if let Some(producer) = self.consumers.remove(&text("consumerId")) {
                    self.remove_remote_producer(&producer);
                }
            }
            "peerClosed" => {
                let peer = text("peerId");
                self.remote_producers.retain(|_, it| *it != peer);
            }
            _ => {}
        }
    }

    fn read_reply(&mut self, request: &str, payload: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match request {
            "joinRoom" if self.dialect == TestDialect::Native => {
                for of_peer in payload["existingProducers"].as_array().unwrap() {
                    for producer in of_peer["producers"].as_array().unwrap() {
                        self.add_remote_producer(
                            text(&producer["producerId"]),
                            text(&of_peer["peerId"]),
                        );
                    }
                }
            }
            "join" if self.dialect == TestDialect::Rmm => {
                for it in payload["existingProducers"].as_array().unwrap() {
                    self.add_remote_producer(text(&it["producerId"]), text(&it["peerId"]));
                }
            }
            "getProducers" => {
                for it in payload.as_array().unwrap() {
                    self.add_remote_producer(text(it), String::new());
                }
            }
            "createTransport" | "createWebRtcTransport" => {
                let id = [
                    &payload["transportId"],
                    &payload["params"]["id"],
                    &payload["id"],
                ];
                self.send_transport = id.into_iter().find_map(Value::as_str).map(str::to_owned);
            }
            "produce" | "transport-produce" => {
                let id = payload["producerId"].as_str().or(payload["id"].as_str());
                self.add_own_producer(payload, id.unwrap_or_default());
            }
            _ => {}
        }
    }

    /// Records an own producer. Clients match replies by kind, or by their order.
    fn add_own_producer(&mut self, payload: &Value, producer: &str) {
        let mut open = self
            .requested
            .iter()
            .filter(|kind| !self.own.contains_key(*kind));
        let kind = match payload["kind"].as_str() {
            Some("audio") => Some("audio"),
            Some("video") => Some("video"),
            // Video is requested first.
            _ => open.clone().max().copied(),
        };
        assert!(
            open.next().is_some(),
            "{:?} has more producers than it requested",
            self.dialect
        );
        self.own.insert(kind.unwrap(), producer.to_owned());
    }

    fn add_remote_producer(&mut self, producer: String, peer: String) {
        let dialect = self.dialect;
        let known = self.remote_producers.insert(producer, peer);
        assert_eq!(known, None, "{dialect:?} was told twice of one producer");
    }

    fn remove_remote_producer(&mut self, producer: &str) {
        let dialect = self.dialect;
        let known = self.remote_producers.remove(producer);
        // A meetlite client may not have been told of that producer yet.
        let is_known = known.is_some() || dialect == TestDialect::Meetlite;
        assert!(
            is_known,
            "{dialect:?} was told of the close of an unknown producer"
        );
    }
}

/// Plays the steps, executes and reads everything, and compares the view of every client.
fn play(steps: &[Step], spread_above_permille: u16) {
    let mut test = TestConference::with(ConferenceConfig {
        spread_above_permille,
        ..config()
    });
    test.executes_immediately = false;
    let mut clients: [Option<Client>; DIALECTS.len()] = Default::default();
    for step in steps {
        match *step {
            Step::Join(index) if clients[index].is_none() => {
                clients[index] = Some(Client::open(&mut test, DIALECTS[index], index));
            }
            Step::Leave(index) => {
                if let Some(client) = clients[index].take() {
                    test.close(client.session);
                }
            }
            Step::ExecuteCommands(count) => {
                for _ in 0..count {
                    test.execute_command();
                    test.drain();
                }
            }
            Step::Join(index)
            | Step::Produce(index)
            | Step::CloseProducer(index)
            | Step::Read(index) => {
                let Some(client) = &mut clients[index] else {
                    continue;
                };
                match step {
                    Step::Produce(_) => client.produce(&mut test),
                    Step::CloseProducer(_) => client.close_producer(&mut test),
                    _ => {
                        client.read(&mut test);
                    }
                }
            }
        }
    }
    test.executes_immediately = true;
    test.drain();
    while clients.iter_mut().flatten().any(|it| it.read(&mut test)) {}
    for client in clients.iter().flatten() {
        let others = clients
            .iter()
            .flatten()
            .filter(|it| it.session != client.session);
        let existing: BTreeSet<_> = others.flat_map(|it| it.own.values()).collect();
        let remote_producers: BTreeSet<_> = client.remote_producers.keys().collect();
        assert_eq!(
            remote_producers, existing,
            "the view of {:?}",
            client.dialect
        );
    }
    for client in clients.into_iter().flatten() {
        test.close(client.session);
    }
    test.drain();
    test.assert_empty();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_dialect_announces_every_producer_once(
        steps in prop::collection::vec(step(), 1..120),
        is_spread: bool,
    ) {
        play(&steps, if is_spread { 0 } else { 600 });
    }
}

#[test]
fn clients_of_six_dialects_know_all_producers_of_one_another() {
    let all = || 0..DIALECTS.len();
    let mut steps: Vec<_> = all().map(Step::Join).collect();
    for _ in 0..3 {
        steps.push(Step::ExecuteCommands(100));
        steps.extend(all().map(Step::Read));
        steps.extend(all().map(Step::Produce));
    }
    steps.push(Step::ExecuteCommands(100));
    play(&steps, 600);
    play(&steps, 0);
}

#[test]
fn only_clients_of_native_and_protoo_are_told_who_is_speaking() {
    let mut test = TestConference::new();
    let dialects = DIALECTS.into_iter().enumerate();
    let mut clients: Vec<_> = dialects
        .map(|(number, dialect)| Client::open(&mut test, dialect, number))
        .collect();
    for _ in 0..3 {
        while clients.iter_mut().any(|it| it.read(&mut test)) {}
        for client in &mut clients {
            client.produce(&mut test);
        }
    }
    while clients.iter_mut().any(|it| it.read(&mut test)) {}
    let speaker = &clients[4];
    assert_eq!(speaker.dialect, TestDialect::Call);
    test.report_speaker(0, Some(&speaker.own["audio"]));
    for client in &clients {
        let name = match client.dialect {
            TestDialect::Native => "type",
            TestDialect::Protoo => "method",
            _ => {
                assert_eq!(test.take_frames(client.session), [] as [Value; 0]);
                continue;
            }
        };
        let notices = test.take_frames(client.session);
        assert_eq!(notices.len(), 1, "{:?}: {notices:?}", client.dialect);
        assert_eq!(notices[0][name], "activeSpeaker");
    }
}
