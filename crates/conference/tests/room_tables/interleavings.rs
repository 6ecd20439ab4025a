//! Any order of joins, productions, departures and late answers: everybody knows of exactly the
//! producers that are there, and when all have gone, nothing is left anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use watersmeet_conference::{ConferenceConfig, ConferenceLimits, SessionId, ShardId};

use super::world::*;

const ROOMS: [&str; 2] = ["one", "two"];

/// Something that happens. Numbers choose among what is there.
#[derive(Debug, Clone)]
enum Step {
    Open,
    Close(usize),
    Join(usize, usize),
    Leave(usize),
    Transport(usize, bool),
    Produce(usize, usize),
    PauseProducer(usize, usize, bool),
    CloseProducer(usize, usize),
    Consume(usize, usize),
    Answer(usize),
    Wait(u64),
    EngineCloses(usize),
    Lose(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..6_usize;
    let which = 0..8_usize;
    prop_oneof![
        2 => Just(Step::Open),
        1 => who.clone().prop_map(Step::Close),
        4 => (who.clone(), 0..ROOMS.len()).prop_map(|(who, room)| Step::Join(who, room)),
        1 => who.clone().prop_map(Step::Leave),
        6 => (who.clone(), any::<bool>()).prop_map(|(who, send)| Step::Transport(who, send)),
        6 => (who.clone(), which.clone()).prop_map(|(who, it)| Step::Produce(who, it)),
        2 => (who.clone(), which.clone(), any::<bool>())
            .prop_map(|(who, it, paused)| Step::PauseProducer(who, it, paused)),
        2 => (who.clone(), which.clone()).prop_map(|(who, it)| Step::CloseProducer(who, it)),
        6 => (who, which.clone()).prop_map(|(who, it)| Step::Consume(who, it)),
        10 => (1..6_usize).prop_map(Step::Answer),
        1 => (0..6_000_u64).prop_map(Step::Wait),
        1 => which.prop_map(Step::EngineCloses),
        1 => (0..2_u8).prop_map(Step::Lose),
    ]
}

/// What one person knows from frames alone.
#[derive(Debug, Default)]
struct Person {
    peer: String,
    /// The room, once it was told that it is in it.
    room: Option<String>,
    /// The producers of the others, and whether they are paused.
    heard: BTreeMap<String, (String, bool)>,
    /// The others.
    peers: BTreeSet<String>,
    /// Its own producers and transports, as it was answered.
    producers: BTreeMap<String, bool>,
    send: Vec<String>,
    /// Its consumers and what they receive.
    consumers: BTreeMap<String, String>,
    /// Requests without an answer.
    asked: BTreeSet<u64>,
}

impl Person {
    /// Forgets what ends with one's own media.
    fn drop_media(&mut self) {
        self.producers.clear();
        self.send.clear();
        self.consumers.clear();
    }

    fn drop_producer(&mut self, producer: &str) {
        assert!(
            self.heard.remove(producer).is_some(),
            "an end that nobody began"
        );
        self.consumers.retain(|_, it| it != producer);
    }

    fn hear_of(&mut self, peer: &str, producer: &Value) {
        let id = producer["producerId"].as_str().unwrap().to_owned();
        let paused = producer["paused"] == json!(true);
        let known = self.heard.insert(id, (peer.to_owned(), paused));
        assert_eq!(known, None, "told twice of one producer");
        assert!(self.peers.contains(peer), "a producer of nobody");
    }

    /// Learns from one frame.
    fn read(&mut self, frame: &Value) {
        let payload = &frame["payload"];
        let text = |field: &str| payload[field].as_str().unwrap_or_default().to_owned();
        if let Some(id) = frame["id"].as_u64() {
            assert!(self.asked.remove(&id), "answered twice: {frame}");
        }
        match (frame["type"].as_str().unwrap(), frame["id"].is_null()) {
            ("connected", _) => self.peer = text("peerId"),
            ("roomJoined", _) => {
                self.drop_media();
                self.heard.clear();
                self.room = Some(text("roomId"));
                let peers = payload["peers"].as_array().unwrap();
                self.peers = peers
                    .iter()
                    .map(|it| it.as_str().unwrap().to_owned())
                    .collect();
                for of_peer in payload["existingProducers"].as_array().unwrap() {
                    for producer in of_peer["producers"].as_array().unwrap() {
                        self.hear_of(of_peer["peerId"].as_str().unwrap(), producer);
                    }
                }
            }
            ("roomLeft", _) => {
                *self = Self {
                    peer: std::mem::take(&mut self.peer),
                    asked: std::mem::take(&mut self.asked),
                    ..Self::default()
                }
            }
            ("newPeer", _) => assert!(self.peers.insert(text("peerId")), "the same peer twice"),
            ("peerLeft", _) => {
                let peer = text("peerId");
                assert!(self.peers.remove(&peer), "nobody left");
                let ended = self.heard.iter().filter(|(_, (it, _))| *it == peer);
                let ended: Vec<_> = ended.map(|(id, _)| id.clone()).collect();
                ended.iter().for_each(|it| self.drop_producer(it));
            }
            ("newProducer", _) => self.hear_of(&text("peerId"), payload),
            ("producerClosed", _) if text("peerId") == self.peer => {
                self.producers.remove(&text("producerId"));
            }
            ("producerClosed", _) => self.drop_producer(&text("producerId")),
            (word @ ("producerPaused" | "producerResumed"), true) => {
                let heard = self.heard.get_mut(&text("producerId")).unwrap();
                heard.1 = word == "producerPaused";
            }
            (word @ ("producerPaused" | "producerResumed"), false) => {
                let own = self.producers.get_mut(&text("producerId")).unwrap();
                *own = word == "producerPaused";
            }
            ("transportCreated", _) if payload["direction"] == "send" => {
                self.send.push(text("transportId"));
            }
            ("transportClosed", _) => self.send.retain(|it| *it != text("transportId")),
            ("produced", _) => {
                assert_eq!(self.producers.insert(text("producerId"), false), None);
            }
            ("closedProducer", _) => {
                assert!(self.producers.remove(&text("producerId")).is_some());
            }
            ("consumed", _) => {
                let known = self.heard.get(&text("producerId"));
                assert_eq!(known.unwrap().0, text("producerPeerId"));
                self.consumers
                    .insert(text("consumerId"), text("producerId"));
            }
            ("consumerClosed", _) => {
                self.consumers.remove(&text("consumerId"));
            }
            ("workerLost", _) => self.drop_media(),
            _ => {}
        }
    }
}

/// The world and what each person in it knows.
struct Play {
    world: World,
    people: Vec<(SessionId, Person)>,
}

impl Play {
    fn new(spread_above_permille: u16) -> Self {
        let limits = ConferenceLimits {
            messages_burst: 100_000,
            ..ConferenceLimits::default()
        };
        let mut world = World::with(ConferenceConfig {
            limits,
            spread_above_permille,
            ..config()
        });
        world.prompt = false;
        Self {
            world,
            people: Vec::new(),
        }
    }

    fn act(&mut self, step: &Step) {
        match *step {
            Step::Open if self.people.len() < 6 => {
                let session = self.world.open_silently();
                self.people.push((session, Person::default()));
            }
            Step::Open => {}
            Step::Close(who) if who < self.people.len() => {
                let (session, _) = self.people.remove(who);
                self.world.close(session);
            }
            Step::Answer(count) => (0..count).for_each(|_| {
                self.world.answer_command();
            }),
            Step::Wait(millis) => self.world.pass(Duration::from_millis(millis)),
            Step::EngineCloses(which) => {
                let transports = self.world.shards.iter().flat_map(|it| it.transports.keys());
                let transport = transports.map(ToString::to_string).nth(which);
                if let Some(transport) = transport {
                    self.world.engine_closes(&transport);
                }
            }
            Step::Lose(shard) => self.world.lose(ShardId(shard)),
            Step::Join(who, room) => {
                self.request(who, "joinRoom", |_| Some(json!({"roomId": ROOMS[room]})));
            }
            Step::Leave(who) => self.request(who, "leaveRoom", |_| Some(json!({}))),
            Step::Transport(who, send) => {
                let direction = if send { "send" } else { "recv" };
                let payload = json!({"direction": direction});
                self.request(who, "createTransport", |_| Some(payload));
            }
            Step::Produce(who, which) => self.request(who, "produce", |person| {
                Some(produce(pick(person.send.iter(), which)?, "video"))
            }),
            Step::PauseProducer(who, which, paused) => {
                let kind = if paused {
                    "pauseProducer"
                } else {
                    "resumeProducer"
                };
                self.request(who, kind, |person| {
                    Some(json!({"producerId": pick(person.producers.keys(), which)?}))
                });
            }
            Step::CloseProducer(who, which) => self.request(who, "closeProducer", |person| {
                Some(json!({"producerId": pick(person.producers.keys(), which)?}))
            }),
            Step::Consume(who, which) => self.request(who, "consume", |person| {
                Some(consume(pick(person.heard.keys(), which)?))
            }),
            Step::Close(_) => {}
        }
        self.read();
    }

    fn request(&mut self, who: usize, kind: &str, payload: impl FnOnce(&Person) -> Option<Value>) {
        let Some((session, person)) = self.people.get_mut(who) else {
            return;
        };
        if let Some(payload) = payload(person) {
            person
                .asked
                .insert(self.world.request(*session, kind, payload));
        }
    }

    /// Lets everybody read what has arrived.
    fn read(&mut self) {
        for (session, person) in &mut self.people {
            for frame in self.world.all(*session) {
                person.read(&frame);
            }
        }
    }

    /// With nothing on its way any more, what everybody knows must be what there is.
    fn check(&self) {
        let mut producers = 0;
        let mut consumers = 0;
        for (_, person) in &self.people {
            assert_eq!(person.asked, BTreeSet::new(), "never answered");
            let Some(room) = &person.room else { continue };
            let others = self
                .people
                .iter()
                .map(|(_, it)| it)
                .filter(|it| it.room.as_ref() == Some(room) && it.peer != person.peer);
            let others: Vec<_> = others.collect();
            let peers: BTreeSet<_> = others.iter().map(|it| it.peer.clone()).collect();
            assert_eq!(person.peers, peers);
            let mut expected = BTreeMap::new();
            for other in others {
                for (producer, paused) in &other.producers {
                    expected.insert(producer.clone(), (other.peer.clone(), *paused));
                }
            }
            assert_eq!(person.heard, expected, "what {} heard", person.peer);
            producers += person.producers.len();
            consumers += person.consumers.len();
        }
        let counts = self.world.conference.gauges();
        assert_eq!(counts.producers, producers);
        assert!(
            counts.consumers <= consumers,
            "{} of {consumers}",
            counts.consumers
        );
        let shards = || self.world.shards.iter();
        let on_shards = |count: fn(&Shard) -> usize| shards().map(count).sum::<usize>();
        assert_eq!(counts.transports, on_shards(|it| it.transports.len()));
        assert_eq!(counts.producers, on_shards(|it| it.producers.len()));
        assert_eq!(counts.consumers, on_shards(|it| it.consumers.len()));
    }

    /// Lets everything that is on its way arrive.
    fn settle(&mut self) {
        self.world.answer_all();
        self.read();
        self.world.pass(Duration::from_secs(30));
        self.world.answer_all();
        self.read();
    }
}

/// One of what there is.
fn pick<'a>(mut from: impl Iterator<Item = &'a String>, which: usize) -> Option<&'a str> {
    let all: Vec<_> = from.by_ref().collect();
    let index = which.checked_rem(all.len())?;
    all.get(index).map(|it| it.as_str())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_producer_is_lost_or_told_twice_and_nothing_stays(
        steps in prop::collection::vec(step(), 1..120),
        is_spread: bool,
    ) {
        let mut play = Play::new(if is_spread { 0 } else { 600 });
        for step in &steps {
            play.act(step);
        }
        play.settle();
        play.check();
        for (session, _) in std::mem::take(&mut play.people) {
            play.world.close(session);
        }
        play.settle();
        play.world.assert_empty();
    }
}
