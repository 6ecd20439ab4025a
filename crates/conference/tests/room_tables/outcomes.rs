//! Every request, on one's own objects, on a neighbour's and on a stranger's, inside a room and
//! outside.

use serde_json::{Value, json};
use watersmeet_conference::SessionId;
use watersmeet_conference::conference::{AdminRequest, AdminResponse};
use watersmeet_conference::message::Moderation;

use super::world::*;

/// Everything that one participant can have.
pub struct Belongings {
    pub session: SessionId,
    pub peer: String,
    pub send: String,
    pub recv: String,
    pub producer: String,
    pub consumer: String,
}

/// Somebody in a room who has one of everything; the consumer is of its own producer.
pub fn equipped(world: &mut World, room: &str) -> Belongings {
    let (session, peer) = world.joined(room);
    let send = world.transport(session, "send");
    let recv = world.transport(session, "recv");
    let producer = world.produce(session, &send, "video");
    let consumer = world.consume(session, &producer);
    Belongings {
        session,
        peer,
        send,
        recv,
        producer,
        consumer,
    }
}

/// A request on somebody's belongings, and how it is answered when they are one's own, those of
/// a neighbour in the room, and those of a stranger in another room.
struct Row {
    kind: &'static str,
    payload: fn(&Belongings) -> Value,
    own: &'static str,
    neighbours: &'static str,
    strangers: &'static str,
}

impl Row {
    /// Whether it asks for a producer alone.
    fn names_producer(&self) -> bool {
        let nobody = Belongings {
            session: SessionId(0),
            peer: String::new(),
            send: String::new(),
            recv: String::new(),
            producer: String::new(),
            consumer: String::new(),
        };
        let payload = (self.payload)(&nobody);
        payload.get("producerId").is_some() && payload.get("consumerId").is_none()
    }
}

const fn row(
    kind: &'static str,
    payload: fn(&Belongings) -> Value,
    [own, neighbours, strangers]: [&'static str; 3],
) -> Row {
    Row {
        kind,
        payload,
        own,
        neighbours,
        strangers,
    }
}

pub const TRANSPORT: &str = "transport-not-found";
pub const PRODUCER: &str = "producer-not-found";
pub const CONSUMER: &str = "consumer-not-found";

const ROWS: [Row; 22] = [
    row(
        "connectTransport",
        |it| json!({"transportId": it.send, "dtlsParameters": dtls_parameters("client")}),
        ["transportConnected", TRANSPORT, TRANSPORT],
    ),
    row(
        "restartIce",
        |it| json!({"transportId": it.recv}),
        ["iceRestarted", TRANSPORT, TRANSPORT],
    ),
    row(
        "produce",
        |it| produce(&it.send, "audio"),
        ["produced", TRANSPORT, TRANSPORT],
    ),
    row("produce", |it| produce(&it.recv, "audio"), [TRANSPORT; 3]),
    row(
        "pauseProducer",
        |it| json!({"producerId": it.producer}),
        ["producerPaused", PRODUCER, PRODUCER],
    ),
    row(
        "resumeProducer",
        |it| json!({"producerId": it.producer}),
        ["producerResumed", PRODUCER, PRODUCER],
    ),
    row(
        "closeProducer",
        |it| json!({"producerId": it.producer}),
        ["closedProducer", PRODUCER, PRODUCER],
    ),
    row(
        "consume",
        |it| consume(&it.producer),
        ["consumed", "consumed", PRODUCER],
    ),
    row(
        "consume",
        |it| {
            let mut payload = consume(&it.producer);
            payload["transportId"] = json!(it.recv);
            payload
        },
        ["consumed", TRANSPORT, PRODUCER],
    ),
    row(
        "consume",
        |it| {
            let mut payload = consume(&it.producer);
            payload["transportId"] = json!(it.send);
            payload
        },
        [TRANSPORT, TRANSPORT, PRODUCER],
    ),
    row(
        "consume",
        |it| json!({"producerId": it.producer, "rtpCapabilities": {}}),
        ["cannot-consume", "cannot-consume", PRODUCER],
    ),
    row(
        "closeTransport",
        |it| json!({"transportId": it.recv}),
        ["closedTransport", TRANSPORT, TRANSPORT],
    ),
    row(
        "closeConsumer",
        |it| json!({"consumerId": it.consumer}),
        ["closedConsumer", CONSUMER, CONSUMER],
    ),
    row(
        "pauseConsumer",
        |it| json!({"consumerId": it.consumer}),
        ["consumerPaused", CONSUMER, CONSUMER],
    ),
    row(
        "resumeConsumer",
        |it| json!({"consumerId": it.consumer}),
        ["consumerResumed", CONSUMER, CONSUMER],
    ),
    row(
        "setPreferredLayers",
        |it| json!({"consumerId": it.consumer, "spatialLayer": 1}),
        ["preferredLayersSet", CONSUMER, CONSUMER],
    ),
    row(
        "setPreferredLayers",
        |it| json!({"consumerId": it.consumer, "spatialLayer": 1, "temporalLayer": 2}),
        ["preferredLayersSet", CONSUMER, CONSUMER],
    ),
    row(
        "requestKeyframe",
        |it| json!({"consumerId": it.consumer}),
        ["keyframeRequested", CONSUMER, CONSUMER],
    ),
    row(
        "getStats",
        |it| json!({"transportId": it.recv}),
        ["stats", TRANSPORT, TRANSPORT],
    ),
    row(
        "getStats",
        |it| json!({"producerId": it.producer}),
        ["stats", PRODUCER, PRODUCER],
    ),
    row(
        "getStats",
        |it| json!({"consumerId": it.consumer}),
        ["stats", CONSUMER, CONSUMER],
    ),
    row(
        "getStats",
        |it| json!({"consumerId": it.consumer, "producerId": it.producer}),
        ["bad-request"; 3],
    ),
];

/// How a request was answered: the type of the reply or the code of the error.
pub fn outcome(world: &mut World, session: SessionId, kind: &str, payload: Value) -> String {
    let frame = world.ask(session, kind, payload);
    let is_error = frame["type"] == "error";
    let word = if is_error {
        &frame["payload"]["code"]
    } else {
        &frame["type"]
    };
    word.as_str().unwrap().to_owned()
}

#[test]
fn every_request_works_on_what_one_may_touch_and_on_nothing_else() {
    for row in &ROWS {
        for (whose, expected) in [(0, row.own), (1, row.neighbours), (2, row.strangers)] {
            let mut world = World::new();
            let people = ["room", "room", "elsewhere"].map(|it| equipped(&mut world, it));
            let before = world.shards.clone();
            let payload = (row.payload)(&people[whose]);
            let got = outcome(&mut world, people[0].session, row.kind, payload);
            assert_eq!(got, expected, "{} of person {whose}", row.kind);
            if whose == 2 {
                assert_eq!(world.shards, before, "{} reached a stranger", row.kind);
            }
            for person in people {
                world.close(person.session);
            }
            world.assert_empty();
        }
    }
}

/// Somebody in a room who may only receive, and has all that such a one can have.
fn watcher(world: &mut World, room: &str, producer: &str) -> Belongings {
    let (session, peer) = world.joined(room);
    let host = world.conference.handle_admin_request(
        world.now,
        AdminRequest::Moderate {
            room: room.to_owned(),
            moderation: Moderation::Demote { peer: peer.clone() },
        },
    );
    assert_eq!(host, Ok(AdminResponse::Done));
    world.settle();
    let send = world.transport(session, "send");
    let recv = world.transport(session, "recv");
    let consumer = world.consume(session, producer);
    Belongings {
        session,
        peer,
        send,
        recv,
        producer: producer.to_owned(),
        consumer,
    }
}

#[test]
fn every_request_has_its_outcome_in_every_role() {
    for row in &ROWS {
        for (role, whose, expected) in [
            ("host", 0, row.own),
            ("speaker", 0, row.own),
            ("speaker", 1, row.neighbours),
            ("speaker", 2, row.strangers),
            ("viewer", 0, row.own),
            ("viewer", 1, row.neighbours),
            ("viewer", 2, row.strangers),
        ] {
            let mut world = World::new();
            let first = equipped(&mut world, "room");
            let asker = match role {
                "host" => equipped(&mut world, "own"),
                "speaker" => equipped(&mut world, "room"),
                _ => watcher(&mut world, "room", &first.producer),
            };
            let stranger = equipped(&mut world, "elsewhere");
            let target = [&asker, &first, &stranger][whose];
            // What a viewer sends is nobody's business yet; the producer it receives is another's.
            let expected = match (role, row.kind, whose, expected) {
                ("viewer", "produce", _, _) => "forbidden",
                ("viewer", "pauseProducer" | "resumeProducer" | "closeProducer", ..) => PRODUCER,
                ("viewer", "getStats", 0, "stats") if row.names_producer() => PRODUCER,
                _ => expected,
            };
            let got = outcome(&mut world, asker.session, row.kind, (row.payload)(target));
            assert_eq!(got, expected, "{} by {role} on {whose}", row.kind);
        }
    }
}

#[test]
fn outside_a_room_nothing_is_done_to_anything() {
    for row in &ROWS {
        let mut world = World::new();
        let person = equipped(&mut world, "room");
        let before = world.shards.clone();
        let (newcomer, _) = world.open();
        let got = outcome(&mut world, newcomer, row.kind, (row.payload)(&person));
        let expected = if row.own == "bad-request" {
            row.own
        } else {
            "not-in-room"
        };
        assert_eq!(got, expected, "{} before joining", row.kind);
        assert_eq!(world.shards, before);

        world.get(person.session, "leaveRoom", json!({}), "roomLeft");
        let got = outcome(&mut world, person.session, row.kind, (row.payload)(&person));
        assert_eq!(got, expected, "{} after leaving", row.kind);
    }
}

#[test]
fn what_was_left_in_one_room_is_not_found_in_the_next() {
    for row in &ROWS {
        let mut world = World::new();
        let person = equipped(&mut world, "room");
        world.get(
            person.session,
            "joinRoom",
            json!({"roomId": "next"}),
            "roomJoined",
        );
        let got = outcome(&mut world, person.session, row.kind, (row.payload)(&person));
        assert_eq!(got, row.strangers, "{}", row.kind);
    }
}

#[test]
fn requests_about_rooms_have_their_outcomes_inside_and_outside() {
    let table = [
        (
            "getRouterRtpCapabilities",
            json!({}),
            "routerRtpCapabilities",
            "routerRtpCapabilities",
        ),
        (
            "joinRoom",
            json!({"roomId": "room"}),
            "roomJoined",
            "roomJoined",
        ),
        (
            "joinRoom",
            json!({"roomId": "other"}),
            "roomJoined",
            "roomJoined",
        ),
        (
            "joinRoom",
            json!({"roomId": ""}),
            "bad-request",
            "bad-request",
        ),
        ("joinRoom", json!({}), "bad-request", "bad-request"),
        ("leaveRoom", json!({}), "not-in-room", "roomLeft"),
        ("getParticipants", json!({}), "not-in-room", "participants"),
        (
            "createTransport",
            json!({"direction": "send"}),
            "not-in-room",
            "transportCreated",
        ),
        (
            "createTransport",
            json!({"direction": "up"}),
            "bad-request",
            "bad-request",
        ),
        ("somethingElse", json!({}), "unknown-type", "unknown-type"),
        ("roomJoined", json!({}), "unknown-type", "unknown-type"),
    ];
    for (kind, payload, outside, inside) in table {
        let mut world = World::new();
        let (session, _) = world.open();
        assert_eq!(
            outcome(&mut world, session, kind, payload.clone()),
            outside,
            "{kind}"
        );
        let mut world = World::new();
        let (session, _) = world.joined("room");
        assert_eq!(
            outcome(&mut world, session, kind, payload),
            inside,
            "{kind}"
        );
    }
}
