//! Six clients of six dialects in one room, in any order of comings, productions, endings and
//! goings, with answers as late as they like: each knows of exactly the producers that are there,
//! and was told of each once.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};
use watersmeet_conference::access::TokenKeys;
use watersmeet_conference::{ConferenceConfig, ConnectRequest, DialectKind, Namespace, SessionId};

use super::world::*;

/// The one room: some of these dialects can name no other.
const ROOM: &str = "lobby";

/// How somebody speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tongue {
    Native,
    Sfu,
    Rmm,
    Meetlite,
    Call,
    Protoo,
}

const TONGUES: [Tongue; 6] = [
    Tongue::Native,
    Tongue::Sfu,
    Tongue::Rmm,
    Tongue::Meetlite,
    Tongue::Call,
    Tongue::Protoo,
];

/// Something that happens. Numbers choose among the six.
#[derive(Debug, Clone)]
enum Step {
    Come(usize),
    Produce(usize),
    End(usize),
    Go(usize),
    Answer(usize),
    Read(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..TONGUES.len();
    prop_oneof![
        6 => who().prop_map(Step::Come),
        8 => who().prop_map(Step::Produce),
        3 => who().prop_map(Step::End),
        2 => who().prop_map(Step::Go),
        12 => (1..6_usize).prop_map(Step::Answer),
        6 => who().prop_map(Step::Read),
    ]
}

/// What one client knows from frames alone.
#[derive(Debug)]
struct Client {
    tongue: Tongue,
    session: SessionId,
    /// Its transports, once it was told of them.
    send: Option<String>,
    has_asked_to_send: bool,
    /// What it sends, by kind: asked for, and answered.
    asked: BTreeSet<&'static str>,
    own: BTreeMap<&'static str, String>,
    /// The producers of others, with whom they came.
    heard: BTreeMap<String, String>,
    /// What its consumers receive, where the server makes those.
    consumers: BTreeMap<String, String>,
    next_ack: u64,
    /// What its events asked, by their acknowledgement.
    acks: BTreeMap<u64, &'static str>,
}

impl Client {
    fn namespace(&self) -> Namespace {
        match self.tongue {
            Tongue::Call => Namespace::Call,
            _ => Namespace::Main,
        }
    }

    /// Comes in, as its kind of client does.
    fn come(world: &mut World, tongue: Tongue, number: usize) -> Self {
        let dialect = match tongue {
            Tongue::Native => DialectKind::Native,
            Tongue::Protoo => DialectKind::Protoo,
            Tongue::Call => DialectKind::SocketIo(Namespace::Call),
            _ => DialectKind::SocketIo(Namespace::Main),
        };
        let user = || {
            let keys = TokenKeys::new(SECRET, None).unwrap();
            keys.issue_user_token(&format!("user-{number}"), "user@example.org", UNIX_S)
        };
        let session = world.open_as(ConnectRequest {
            room: Some(ROOM.to_owned()),
            peer: Some(format!("peer-{number}")),
            token: (tongue == Tongue::Meetlite).then(user),
            ..ConnectRequest::new(dialect)
        });
        let mut client = Self {
            tongue,
            session,
            send: None,
            has_asked_to_send: false,
            asked: BTreeSet::new(),
            own: BTreeMap::new(),
            heard: BTreeMap::new(),
            consumers: BTreeMap::new(),
            next_ack: 0,
            acks: BTreeMap::new(),
        };
        client.enter(world);
        client
    }

    fn enter(&mut self, world: &mut World) {
        let capabilities = json!({"rtpCapabilities": capabilities()});
        match self.tongue {
            Tongue::Native => self.say(world, "joinRoom", json!({"roomId": ROOM})),
            Tongue::Sfu => self.say(world, "getRtpCapabilities", Value::Null),
            Tongue::Rmm => {
                let join = json!({"roomId": ROOM, "displayName": "R", "rtpCapabilities": {}});
                self.say(world, "join", join);
            }
            Tongue::Meetlite => {
                self.say(world, "join-room", json!({"roomId": ROOM}));
                let receive = json!({"roomId": ROOM, "direction": "recv"});
                self.say(world, "create-webrtc-transport", receive);
                self.say(world, "set-rtp-capabilities", capabilities);
            }
            Tongue::Call => {
                self.say(world, "joinRoom", json!({"roomName": ROOM}));
                self.say(world, "getProducers", Value::Null);
            }
            Tongue::Protoo => {
                let receive = json!({"producing": false, "consuming": true});
                self.say(world, "createWebRtcTransport", receive);
                self.acks.remove(&self.next_ack);
                let mut join = capabilities;
                join["displayName"] = json!("P");
                self.say(world, "join", join);
            }
        }
    }

    /// Says something and notes what its answer will be for.
    fn say(&mut self, world: &mut World, name: &'static str, payload: Value) {
        self.next_ack += 1;
        let ack = self.next_ack;
        self.acks.insert(ack, name);
        let text = match self.tongue {
            Tongue::Native => json!({"type": name, "payload": payload, "id": ack}).to_string(),
            Tongue::Protoo => {
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
        world.send_text(self.session, &text);
    }

    /// Goes one step towards sending something more.
    fn produce(&mut self, world: &mut World) {
        let Some(send) = self.send.clone() else {
            if !std::mem::replace(&mut self.has_asked_to_send, true) {
                self.ask_to_send(world);
            }
            return;
        };
        let mut kinds = ["video", "audio"].into_iter();
        let Some(kind) = kinds.find(|kind| !self.asked.contains(kind)) else {
            return;
        };
        self.asked.insert(kind);
        let mut payload = produce(&send, kind);
        payload["roomId"] = json!(ROOM);
        payload["appData"] = json!({});
        let name = match self.tongue {
            Tongue::Sfu | Tongue::Call => "transport-produce",
            Tongue::Meetlite => "create-producer",
            _ => "produce",
        };
        self.say(world, name, payload);
    }

    fn ask_to_send(&mut self, world: &mut World) {
        let (name, payload) = match self.tongue {
            Tongue::Native => ("createTransport", json!({"direction": "send"})),
            Tongue::Sfu => ("createWebRtcTransport", json!({"sender": true})),
            Tongue::Rmm => ("createTransport", json!({"roomId": ROOM, "kind": "send"})),
            Tongue::Meetlite => {
                let payload = json!({"roomId": ROOM, "direction": "send"});
                ("create-webrtc-transport", payload)
            }
            Tongue::Call => {
                let payload = json!({"consumer": false, "roomName": ROOM});
                ("createWebRtcTransport", payload)
            }
            Tongue::Protoo => {
                let payload = json!({"producing": true, "consuming": false});
                ("createWebRtcTransport", payload)
            }
        };
        self.say(world, name, payload);
    }

    /// Ends one of its producers, where its dialect can.
    fn end(&mut self, world: &mut World) {
        let Some((kind, producer)) = self.own.pop_first() else {
            return;
        };
        match self.tongue {
            Tongue::Native | Tongue::Protoo => {
                self.say(world, "closeProducer", json!({"producerId": producer}));
            }
            Tongue::Meetlite => self.say(world, "close-producer", json!({"kind": kind})),
            _ => {
                self.own.insert(kind, producer);
                return;
            }
        }
        self.asked.remove(kind);
    }

    /// Reads everything that arrived.
    fn read(&mut self, world: &mut World) -> bool {
        let frames = world.all(self.session);
        for frame in &frames {
            self.hear(world, frame);
        }
        !frames.is_empty()
    }

    fn hear(&mut self, world: &mut World, frame: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if let Some(method) = frame["method"].as_str() {
            return self.hear_protoo(world, frame, method);
        }
        let ack = frame["ack"].as_u64().or(frame["id"].as_u64());
        let payload = match frame["response"].is_null() {
            true => &frame["payload"],
            false => &frame["data"],
        };
        if let Some(asked) = ack.and_then(|ack| self.acks.remove(&ack)) {
            return self.answered(asked, payload);
        }
        let name = frame["event"].as_str().or(frame["type"].as_str());
        let producer = text(&payload["producerId"]);
        match name.unwrap_or_default() {
            "newProducer" => {
                let peer = match self.tongue {
                    Tongue::Rmm => &payload["producerSocketId"],
                    _ => &payload["peerId"],
                };
                self.hears_of(producer, text(peer));
            }
            "new-producer" => self.hears_of(producer, String::new()),
            "new-consumer" => self.hears_of(producer, text(&payload["participantId"])),
            "producerClosed" | "producer-closed" | "delete-producer" => {
                let remote = text(&payload["remoteProducerId"]);
                self.loses(if remote.is_empty() {
                    &producer
                } else {
                    &remote
                });
            }
            "peerLeft" => {
                let peer = text(&payload["peerId"]);
                self.heard.retain(|_, it| *it != peer);
            }
            "participant-left" => {
                let peer = text(&payload["participantId"]);
                self.heard.retain(|_, it| *it != peer);
            }
            "webrtc-transport-created" if payload["direction"] == "send" => {
                self.send = Some(text(&payload["id"]));
            }
            "producer-created" => self.owns(payload, &producer),
            _ => {}
        }
    }

    fn hear_protoo(&mut self, world: &mut World, frame: &Value, method: &str) {
        let data = &frame["data"];
        let text = |field: &str| data[field].as_str().unwrap_or_default().to_owned();
        match method {
            "newConsumer" => {
                let consumer = data["consumerId"].as_str().or(data["id"].as_str());
                let consumer = consumer.unwrap().to_owned();
                self.consumers.insert(consumer, text("producerId"));
                self.hears_of(text("producerId"), text("peerId"));
                let id = &frame["id"];
                let yes = json!({"response": true, "id": id, "ok": true, "data": {}});
                world.send_text(self.session, &yes.to_string());
            }
            "consumerClosed" => {
                if let Some(producer) = self.consumers.remove(&text("consumerId")) {
                    self.loses(&producer);
                }
            }
            "peerClosed" => {
                let peer = text("peerId");
                self.heard.retain(|_, it| *it != peer);
            }
            _ => {}
        }
    }

    fn answered(&mut self, asked: &str, payload: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match asked {
            "joinRoom" if self.tongue == Tongue::Native => {
                for of_peer in payload["existingProducers"].as_array().unwrap() {
                    for producer in of_peer["producers"].as_array().unwrap() {
                        self.hears_of(text(&producer["producerId"]), text(&of_peer["peerId"]));
                    }
                }
            }
            "join" if self.tongue == Tongue::Rmm => {
                for it in payload["existingProducers"].as_array().unwrap() {
                    self.hears_of(text(&it["producerId"]), text(&it["peerId"]));
                }
            }
            "getProducers" => {
                for it in payload.as_array().unwrap() {
                    self.hears_of(text(it), String::new());
                }
            }
            "createTransport" | "createWebRtcTransport" => {
                let id = [
                    &payload["transportId"],
                    &payload["params"]["id"],
                    &payload["id"],
                ];
                self.send = id.into_iter().find_map(Value::as_str).map(str::to_owned);
            }
            "produce" | "transport-produce" => {
                let id = payload["producerId"].as_str().or(payload["id"].as_str());
                self.owns(payload, id.unwrap_or_default());
            }
            _ => {}
        }
    }

    /// Notes a producer of its own. Clients match answers by kind, or by their order.
    fn owns(&mut self, payload: &Value, producer: &str) {
        let mut open = self
            .asked
            .iter()
            .filter(|kind| !self.own.contains_key(*kind));
        let kind = match payload["kind"].as_str() {
            Some("audio") => Some("audio"),
            Some("video") => Some("video"),
            // Video is asked for first.
            _ => open.clone().max().copied(),
        };
        assert!(
            open.next().is_some(),
            "{:?} owns more than it asked for",
            self.tongue
        );
        self.own.insert(kind.unwrap(), producer.to_owned());
    }

    fn hears_of(&mut self, producer: String, peer: String) {
        let tongue = self.tongue;
        let known = self.heard.insert(producer, peer);
        assert_eq!(known, None, "{tongue:?} was told twice of one producer");
    }

    fn loses(&mut self, producer: &str) {
        let tongue = self.tongue;
        let known = self.heard.remove(producer);
        // A meetlite client may not have been sent that producer yet.
        let is_known = known.is_some() || tongue == Tongue::Meetlite;
        assert!(is_known, "{tongue:?} was told of an end that nobody began");
    }
}

/// Plays the steps, lets everything be answered and read, and compares what each knows.
fn play(steps: &[Step], spread_above_permille: u16) {
    let mut world = World::with(ConferenceConfig {
        spread_above_permille,
        ..config()
    });
    world.prompt = false;
    let mut clients: [Option<Client>; TONGUES.len()] = Default::default();
    for step in steps {
        match *step {
            Step::Come(who) if clients[who].is_none() => {
                clients[who] = Some(Client::come(&mut world, TONGUES[who], who));
            }
            Step::Go(who) => {
                if let Some(client) = clients[who].take() {
                    world.close(client.session);
                }
            }
            Step::Answer(count) => {
                for _ in 0..count {
                    world.answer_command();
                    world.settle();
                }
            }
            Step::Come(who) | Step::Produce(who) | Step::End(who) | Step::Read(who) => {
                let Some(client) = &mut clients[who] else {
                    continue;
                };
                match step {
                    Step::Produce(_) => client.produce(&mut world),
                    Step::End(_) => client.end(&mut world),
                    _ => {
                        client.read(&mut world);
                    }
                }
            }
        }
    }
    world.prompt = true;
    world.settle();
    while clients.iter_mut().flatten().any(|it| it.read(&mut world)) {}
    for client in clients.iter().flatten() {
        let others = clients
            .iter()
            .flatten()
            .filter(|it| it.session != client.session);
        let there: BTreeSet<_> = others.flat_map(|it| it.own.values()).collect();
        let heard: BTreeSet<_> = client.heard.keys().collect();
        assert_eq!(heard, there, "what {:?} knows", client.tongue);
    }
    for client in clients.into_iter().flatten() {
        world.close(client.session);
    }
    world.settle();
    world.assert_empty();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_dialect_loses_or_doubles_a_producer(
        steps in prop::collection::vec(step(), 1..120),
        is_spread: bool,
    ) {
        play(&steps, if is_spread { 0 } else { 600 });
    }
}

#[test]
fn six_dialects_meet_and_each_knows_of_all_the_others_send() {
    let everybody = || 0..TONGUES.len();
    let mut steps: Vec<_> = everybody().map(Step::Come).collect();
    for _ in 0..3 {
        steps.push(Step::Answer(100));
        steps.extend(everybody().map(Step::Read));
        steps.extend(everybody().map(Step::Produce));
    }
    steps.push(Step::Answer(100));
    play(&steps, 600);
    play(&steps, 0);
}
