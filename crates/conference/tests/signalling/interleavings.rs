//! Any order of requests, closes and late replies: every client knows exactly the producers that
//! exist, and nothing is left over after everybody has left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use watersmeet_conference::{ConferenceConfig, ConferenceLimits, SessionId, ShardId};

use super::harness::*;

const ROOMS: [&str; 2] = ["one", "two"];

/// One step. Numbers choose among the existing clients and objects.
#[derive(Debug, Clone)]
enum Step {
    Open,
    Close(usize),
    Join(usize, usize),
    Leave(usize),
    CreateTransport(usize, bool),
    Produce(usize, usize),
    PauseProducer(usize, usize, bool),
    CloseProducer(usize, usize),
    Consume(usize, usize),
    ExecuteCommands(usize),
    Wait(u64),
    CloseTransportInEngine(usize),
    LoseShard(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let index = 0..6_usize;
    let which = 0..8_usize;
    prop_oneof![
        2 => Just(Step::Open),
        1 => index.clone().prop_map(Step::Close),
        4 => (index.clone(), 0..ROOMS.len()).prop_map(|(index, room)| Step::Join(index, room)),
        1 => index.clone().prop_map(Step::Leave),
        6 => (index.clone(), any::<bool>()).prop_map(|(index, send)| Step::CreateTransport(index, send)),
        6 => (index.clone(), which.clone()).prop_map(|(index, it)| Step::Produce(index, it)),
        2 => (index.clone(), which.clone(), any::<bool>())
            .prop_map(|(index, it, paused)| Step::PauseProducer(index, it, paused)),
        2 => (index.clone(), which.clone()).prop_map(|(index, it)| Step::CloseProducer(index, it)),
        6 => (index, which.clone()).prop_map(|(index, it)| Step::Consume(index, it)),
        10 => (1..6_usize).prop_map(Step::ExecuteCommands),
        1 => (0..6_000_u64).prop_map(Step::Wait),
        1 => which.prop_map(Step::CloseTransportInEngine),
        1 => (0..2_u8).prop_map(Step::LoseShard),
    ]
}

/// A client's view of the room, learned from frames alone.
#[derive(Debug, Default)]
struct ClientView {
    peer: String,
    /// Room that the client is in.
    room: Option<String>,
    /// Producers of others: owner, and whether it is paused.
    remote_producers: BTreeMap<String, (String, bool)>,
    /// Ids of the others.
    peers: BTreeSet<String>,
    /// Own producers, and whether they are paused.
    producers: BTreeMap<String, bool>,
    /// Own send transports.
    send_transports: Vec<String>,
    /// Own consumers, each with its producer.
    consumers: BTreeMap<String, String>,
    /// Requests without a reply.
    pending: BTreeSet<u64>,
}

impl ClientView {
    /// Forgets all own media.
    fn clear_media(&mut self) {
        self.producers.clear();
        self.send_transports.clear();
        self.consumers.clear();
    }

    fn remove_remote_producer(&mut self, producer: &str) {
        assert!(
            self.remote_producers.remove(producer).is_some(),
            "an unknown producer was closed"
        );
        self.consumers.retain(|_, it| it != producer);
    }

    fn add_remote_producer(&mut self, peer: &str, producer: &Value) {
        let id = producer["producerId"].as_str().unwrap().to_owned();
        let paused = producer["paused"] == json!(true);
        let existing = self.remote_producers.insert(id, (peer.to_owned(), paused));
        assert_eq!(existing, None, "a producer was announced twice");
        assert!(
            self.peers.contains(peer),
            "the owner of a producer is unknown"
        );
    }

    /// Updates the view with one frame.
    fn read(&mut self, frame: &Value) {
        let payload = &frame["payload"];
        let text = |field: &str| payload[field].as_str().unwrap_or_default().to_owned();
        if let Some(id) = frame["id"].as_u64() {
            assert!(
                self.pending.remove(&id),
                "two replies to one request: {frame}"
            );
        }
        match (frame["type"].as_str().unwrap(), frame["id"].is_null()) {
            ("connected", _) => self.peer = text("peerId"),
            ("roomJoined", _) => {
                self.clear_media();
                self.remote_producers.clear();
                self.room = Some(text("roomId"));
                let peers = payload["peers"].as_array().unwrap();
                self.peers = peers
                    .iter()
                    .map(|it| it.as_str().unwrap().to_owned())
                    .collect();
                for of_peer in payload["existingProducers"].as_array().unwrap() {
                    for producer in of_peer["producers"].as_array().unwrap() {
                        self.add_remote_producer(of_peer["peerId"].as_str().unwrap(), producer);
                    }
                }
            }
            ("roomLeft", _) => {
                *self = Self {
                    peer: std::mem::take(&mut self.peer),
                    pending: std::mem::take(&mut self.pending),
                    ..Self::default()
                }
            }
            ("newPeer", _) => assert!(
                self.peers.insert(text("peerId")),
                "a participant was announced twice"
            ),
            ("peerLeft", _) => {
                let peer = text("peerId");
                assert!(self.peers.remove(&peer), "an unknown participant left");
                let closed = self
                    .remote_producers
                    .iter()
                    .filter(|(_, (it, _))| *it == peer);
                let closed: Vec<_> = closed.map(|(id, _)| id.clone()).collect();
                closed.iter().for_each(|it| self.remove_remote_producer(it));
            }
            ("newProducer", _) => self.add_remote_producer(&text("peerId"), payload),
            ("producerClosed", _) if text("peerId") == self.peer => {
                self.producers.remove(&text("producerId"));
            }
            ("producerClosed", _) => self.remove_remote_producer(&text("producerId")),
            (kind @ ("producerPaused" | "producerResumed"), true) => {
                let remote_producers = self.remote_producers.get_mut(&text("producerId")).unwrap();
                remote_producers.1 = kind == "producerPaused";
            }
            (kind @ ("producerPaused" | "producerResumed"), false) => {
                let own = self.producers.get_mut(&text("producerId")).unwrap();
                *own = kind == "producerPaused";
            }
            ("transportCreated", _) if payload["direction"] == "send" => {
                self.send_transports.push(text("transportId"));
            }
            ("transportClosed", _) => self.send_transports.retain(|it| *it != text("transportId")),
            ("produced", _) => {
                assert_eq!(self.producers.insert(text("producerId"), false), None);
            }
            ("closedProducer", _) => {
                assert!(self.producers.remove(&text("producerId")).is_some());
            }
            ("consumed", _) => {
                let existing = self.remote_producers.get(&text("producerId"));
                assert_eq!(existing.unwrap().0, text("producerPeerId"));
                self.consumers
                    .insert(text("consumerId"), text("producerId"));
            }
            ("consumerClosed", _) => {
                self.consumers.remove(&text("consumerId"));
            }
            ("workerLost", _) => self.clear_media(),
            _ => {}
        }
    }
}

/// A conference and the view of each client.
struct Scenario {
    test: TestConference,
    clients: Vec<(SessionId, ClientView)>,
}

impl Scenario {
    fn new(spread_above_permille: u16) -> Self {
        let limits = ConferenceLimits {
            messages_burst: 100_000,
            ..ConferenceLimits::default()
        };
        let mut test = TestConference::with(ConferenceConfig {
            limits,
            spread_above_permille,
            ..config()
        });
        test.executes_immediately = false;
        Self {
            test,
            clients: Vec::new(),
        }
    }

    fn act(&mut self, step: &Step) {
        match *step {
            Step::Open if self.clients.len() < 6 => {
                let session = self.test.open_native();
                self.clients.push((session, ClientView::default()));
            }
            Step::Open => {}
            Step::Close(index) if index < self.clients.len() => {
                let (session, _) = self.clients.remove(index);
                self.test.close(session);
            }
            Step::ExecuteCommands(count) => (0..count).for_each(|_| {
                self.test.execute_command();
            }),
            Step::Wait(millis) => self.test.advance(Duration::from_millis(millis)),
            Step::CloseTransportInEngine(which) => {
                let transports = self.test.shards.iter().flat_map(|it| it.transports.keys());
                let transport = transports.map(ToString::to_string).nth(which);
                if let Some(transport) = transport {
                    self.test.close_transport_in_engine(&transport);
                }
            }
            Step::LoseShard(shard) => self.test.lose_shard(ShardId(shard)),
            Step::Join(index, room) => {
                self.request(index, "joinRoom", |_| Some(json!({"roomId": ROOMS[room]})));
            }
            Step::Leave(index) => self.request(index, "leaveRoom", |_| Some(json!({}))),
            Step::CreateTransport(index, send) => {
                let direction = if send { "send" } else { "recv" };
                let payload = json!({"direction": direction});
                self.request(index, "createTransport", |_| Some(payload));
            }
            Step::Produce(index, which) => self.request(index, "produce", |view| {
                Some(produce(pick(view.send_transports.iter(), which)?, "video"))
            }),
            Step::PauseProducer(index, which, paused) => {
                let kind = if paused {
                    "pauseProducer"
                } else {
                    "resumeProducer"
                };
                self.request(index, kind, |view| {
                    Some(json!({"producerId": pick(view.producers.keys(), which)?}))
                });
            }
            Step::CloseProducer(index, which) => self.request(index, "closeProducer", |view| {
                Some(json!({"producerId": pick(view.producers.keys(), which)?}))
            }),
            Step::Consume(index, which) => self.request(index, "consume", |view| {
                Some(consume(pick(view.remote_producers.keys(), which)?))
            }),
            Step::Close(_) => {}
        }
        self.read();
    }

    fn request(
        &mut self,
        index: usize,
        kind: &str,
        payload: impl FnOnce(&ClientView) -> Option<Value>,
    ) {
        let Some((session, view)) = self.clients.get_mut(index) else {
            return;
        };
        if let Some(payload) = payload(view) {
            view.pending
                .insert(self.test.send_request(*session, kind, payload));
        }
    }

    /// Lets all clients read their frames.
    fn read(&mut self) {
        for (session, view) in &mut self.clients {
            for frame in self.test.take_frames(*session) {
                view.read(&frame);
            }
        }
    }

    /// Checks that all views agree with the conference, once no command or frame is pending.
    fn check(&self) {
        let mut producers = 0;
        let mut consumers = 0;
        for (_, view) in &self.clients {
            assert_eq!(view.pending, BTreeSet::new(), "a request without a reply");
            let Some(room) = &view.room else { continue };
            let others = self
                .clients
                .iter()
                .map(|(_, it)| it)
                .filter(|it| it.room.as_ref() == Some(room) && it.peer != view.peer);
            let others: Vec<_> = others.collect();
            let peers: BTreeSet<_> = others.iter().map(|it| it.peer.clone()).collect();
            assert_eq!(view.peers, peers);
            let mut expected = BTreeMap::new();
            for other in others {
                for (producer, paused) in &other.producers {
                    expected.insert(producer.clone(), (other.peer.clone(), *paused));
                }
            }
            assert_eq!(view.remote_producers, expected, "the view of {}", view.peer);
            producers += view.producers.len();
            consumers += view.consumers.len();
        }
        let counts = self.test.conference.gauges();
        assert_eq!(counts.producers, producers);
        assert!(
            counts.consumers <= consumers,
            "{} of {consumers}",
            counts.consumers
        );
        let shards = || self.test.shards.iter();
        let on_shards = |count: fn(&FakeShard) -> usize| shards().map(count).sum::<usize>();
        assert_eq!(counts.transports, on_shards(|it| it.transports.len()));
        assert_eq!(counts.producers, on_shards(|it| it.producers.len()));
        assert_eq!(counts.consumers, on_shards(|it| it.consumers.len()));
    }

    /// Executes all commands and timers, and lets all clients read.
    fn settle(&mut self) {
        self.test.execute_all_commands();
        self.read();
        self.test.advance(Duration::from_secs(30));
        self.test.execute_all_commands();
        self.read();
    }
}

/// Returns the element at `which`, modulo the number of elements.
fn pick<'a>(mut from: impl Iterator<Item = &'a String>, which: usize) -> Option<&'a str> {
    let all: Vec<_> = from.by_ref().collect();
    let index = which.checked_rem(all.len())?;
    all.get(index).map(|it| it.as_str())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_producer_is_announced_once_and_nothing_is_left_over(
        steps in prop::collection::vec(step(), 1..120),
        is_spread: bool,
    ) {
        let mut scenario = Scenario::new(if is_spread { 0 } else { 600 });
        for step in &steps {
            scenario.act(step);
        }
        scenario.settle();
        scenario.check();
        for (session, _) in std::mem::take(&mut scenario.clients) {
            scenario.test.close(session);
        }
        scenario.settle();
        scenario.test.assert_empty();
    }
}
