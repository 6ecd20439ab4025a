//! Every request, on one's own objects, on a neighbour's and on a stranger's, inside a room and
//! outside; and what else happens to people in rooms.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::{SessionId, ShardId};
use watersmeet_engine::command::{ConsumerId, Event, Layers};

use super::world::*;

/// Everything that one participant can have.
struct Belongings {
    session: SessionId,
    peer: String,
    send: String,
    recv: String,
    producer: String,
    consumer: String,
}

/// Somebody in a room who has one of everything; the consumer is of its own producer.
fn equipped(world: &mut World, room: &str) -> Belongings {
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

const TRANSPORT: &str = "transport-not-found";
const PRODUCER: &str = "producer-not-found";
const CONSUMER: &str = "consumer-not-found";

const ROWS: [Row; 20] = [
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
fn outcome(world: &mut World, session: SessionId, kind: &str, payload: Value) -> String {
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

#[test]
fn joining_another_room_leaves_the_first() {
    let mut world = World::new();
    let ana = equipped(&mut world, "one");
    let ben = equipped(&mut world, "one");
    world.all(ana.session);
    world.get(
        ben.session,
        "joinRoom",
        json!({"roomId": "two"}),
        "roomJoined",
    );
    let left = json!({"type": "peerLeft", "payload": {"peerId": ben.peer}});
    assert_eq!(world.all(ana.session), [left]);
    let listed = world.get(ana.session, "getParticipants", json!({}), "participants");
    assert_eq!(listed["participants"].as_array().unwrap().len(), 1);
    let counts = world.conference.counts();
    assert_eq!(
        (counts.rooms, counts.participants, counts.transports),
        (2, 2, 2)
    );
}

#[test]
fn joining_the_same_room_again_starts_afresh_without_a_new_peer() {
    let mut world = World::new();
    let ana = equipped(&mut world, "room");
    let ben = equipped(&mut world, "room");
    world.all(ana.session);
    let joined = world.get(
        ben.session,
        "joinRoom",
        json!({"roomId": "room"}),
        "roomJoined",
    );
    assert_eq!(joined["peers"], json!([ana.peer]));
    assert_eq!(
        joined["existingProducers"][0]["producers"][0]["producerId"],
        ana.producer
    );
    let closed = json!({"peerId": ben.peer, "producerId": ben.producer});
    assert_eq!(
        world.all(ana.session),
        [json!({"type": "producerClosed", "payload": closed})]
    );
    assert_eq!(world.conference.counts().transports, 2);
    world.transport(ben.session, "send");
}

#[test]
fn a_producer_in_the_making_is_told_to_everybody_exactly_once() {
    let mut world = World::new();
    let (ana, _) = world.joined("room");
    let (ben, _) = world.joined("room");
    let send = world.transport(ana, "send");
    world.prompt = false;
    let id = world.request(ana, "produce", produce(&send, "video"));
    let (cara, _) = world.open();
    let joined = world.get(cara, "joinRoom", json!({"roomId": "room"}), "roomJoined");
    assert_eq!(joined["existingProducers"], json!([]));
    world.all(ben);
    world.answer_all();
    assert_eq!(world.answer(ana, id).unwrap()["type"], "produced");
    assert_eq!(world.types(ben), ["newProducer"]);
    assert_eq!(world.types(cara), ["newProducer"]);
    let (dora, _) = world.open();
    let joined = world.get(dora, "joinRoom", json!({"roomId": "room"}), "roomJoined");
    assert_eq!(joined["existingProducers"].as_array().unwrap().len(), 1);
    assert_eq!(world.types(dora), [""; 0]);
}

#[test]
fn whoever_leaves_while_a_producer_is_made_leaves_nothing_behind() {
    let mut world = World::new();
    let (ana, _) = world.joined("room");
    let (ben, _) = world.joined("room");
    let send = world.transport(ana, "send");
    world.prompt = false;
    let id = world.request(ana, "produce", produce(&send, "video"));
    world.get(ana, "leaveRoom", json!({}), "roomLeft");
    assert_eq!(
        world.answer(ana, id).unwrap()["payload"]["code"],
        "not-in-room"
    );
    world.answer_all();
    assert_eq!(world.types(ben), ["peerLeft"]);
    world.close(ana);
    world.close(ben);
    world.answer_all();
    world.assert_empty();
}

#[test]
fn consuming_waits_for_the_receive_transport_and_no_longer_than_its_patience() {
    let mut world = World::new();
    let ana = equipped(&mut world, "room");
    let (ben, _) = world.joined("room");
    let first = world.request(ben, "consume", consume(&ana.producer));
    world.pass(Duration::from_millis(4_999));
    assert_eq!(world.all(ben), Vec::<Value>::new());
    let second = world.request(ben, "consume", consume(&ana.producer));
    world.pass(Duration::from_millis(1));
    let error = world.answer(ben, first).unwrap();
    assert_eq!(error["payload"]["message"], "Transport not found");
    assert_eq!(world.answer(ben, second), None);
    world.transport(ben, "recv");
    assert_eq!(world.answer(ben, second).unwrap()["type"], "consumed");
    let error = world.get(ben, "getStats", json!({"transportId": ana.recv}), "error");
    assert_eq!(error["message"], "Transport not found");
}

#[test]
fn a_held_wish_for_a_producer_that_ended_is_refused() {
    let mut world = World::new();
    let ana = equipped(&mut world, "room");
    let (ben, _) = world.joined("room");
    let id = world.request(ben, "consume", consume(&ana.producer));
    world.get(
        ana.session,
        "closeProducer",
        json!({"producerId": ana.producer}),
        "closedProducer",
    );
    world.transport(ben, "recv");
    assert_eq!(world.answer(ben, id).unwrap()["payload"]["code"], PRODUCER);
}

#[test]
fn a_consumer_in_the_making_ends_with_its_producer() {
    let mut world = World::new();
    let ana = equipped(&mut world, "room");
    let (ben, _) = world.joined("room");
    world.transport(ben, "recv");
    world.prompt = false;
    let id = world.request(ben, "consume", consume(&ana.producer));
    world.close(ana.session);
    world.answer_all();
    assert_eq!(world.answer(ben, id).unwrap()["payload"]["code"], PRODUCER);
    assert_eq!(world.types(ben), ["peerLeft"]);
    world.close(ben);
    world.answer_all();
    world.assert_empty();
}

#[test]
fn the_newest_receive_transport_is_consumed_on() {
    let mut world = World::new();
    let ana = equipped(&mut world, "room");
    let newest = world.transport(ana.session, "recv");
    world.consume(ana.session, &ana.producer);
    let on = |world: &World, transport: &str| {
        let shards = world.shards.iter().flat_map(|it| it.consumers.values());
        shards.filter(|(it, _)| it.to_string() == transport).count()
    };
    assert_eq!((on(&world, &ana.recv), on(&world, &newest)), (1, 1));
}

#[test]
fn pausing_twice_is_news_once() {
    let mut world = World::new();
    let ana = equipped(&mut world, "room");
    let (ben, _) = world.joined("room");
    for _ in 0..2 {
        let payload = json!({"producerId": ana.producer});
        world.get(ana.session, "pauseProducer", payload, "producerPaused");
    }
    assert_eq!(world.types(ben), ["producerPaused"]);
}

#[test]
fn a_transport_that_the_engine_closes_takes_its_producers_and_consumers_along() {
    let mut world = World::new();
    let ana = equipped(&mut world, "room");
    let (ben, _) = world.joined("room");
    world.transport(ben, "recv");
    let consumer = world.consume(ben, &ana.producer);
    world.all(ana.session);
    world.engine_closes(&ana.send);
    let told = world.types(ana.session);
    assert!(told.contains(&"transportClosed".to_owned()), "{told:?}");
    let told = world.all(ben);
    assert_eq!(
        told.iter()
            .filter(|it| it["type"] == "producerClosed")
            .count(),
        1
    );
    assert_eq!(
        world.refused(ben, "resumeConsumer", json!({"consumerId": consumer})),
        CONSUMER
    );
    let payload = produce(&ana.send, "audio");
    assert_eq!(world.refused(ana.session, "produce", payload), TRANSPORT);
    assert_eq!(world.conference.counts().producers, 0);
    world.close(ana.session);
    world.close(ben);
    world.assert_empty();
}

#[test]
fn the_engine_s_word_on_a_consumer_reaches_its_owner_alone() {
    let mut world = World::new();
    let ana = equipped(&mut world, "room");
    let ben = equipped(&mut world, "room");
    world.all(ana.session);
    let consumer = ConsumerId::parse(&ben.consumer).unwrap();
    let layers = Some(Layers {
        spatial_layer: 2,
        temporal_layer: Some(1),
    });
    for layers in [layers, None] {
        world.event(
            ShardId(0),
            Event::ConsumerLayersChanged { consumer, layers },
        );
    }
    for paused in [true, false] {
        world.event(
            ShardId(0),
            Event::ConsumerProducerPaused { consumer, paused },
        );
    }
    for _ in 0..2 {
        world.event(ShardId(0), Event::ConsumerClosed { consumer });
    }
    let id = &ben.consumer;
    let frame = |kind: &str, payload: Value| json!({"type": kind, "payload": payload});
    let expected = [
        frame(
            "consumerLayersChanged",
            json!({"consumerId": id, "spatialLayer": 2, "temporalLayer": 1}),
        ),
        frame("consumerLayersChanged", json!({"consumerId": id})),
        frame(
            "consumerPaused",
            json!({"consumerId": id, "byProducer": true}),
        ),
        frame(
            "consumerResumed",
            json!({"consumerId": id, "byProducer": true}),
        ),
        frame(
            "consumerClosed",
            json!({"consumerId": id, "producerId": ben.producer}),
        ),
    ];
    assert_eq!(world.all(ben.session), expected);
    assert_eq!(world.all(ana.session), Vec::<Value>::new());
}

#[test]
fn a_shard_that_does_not_answer_is_given_up_after_the_timeout() {
    let mut world = World::new();
    let ana = equipped(&mut world, "room");
    world.prompt = false;
    let requests = [
        ("createTransport", json!({"direction": "send"})),
        ("produce", produce(&ana.send, "audio")),
        ("consume", consume(&ana.producer)),
        ("pauseProducer", json!({"producerId": ana.producer})),
    ];
    let ids = requests.map(|(kind, payload)| world.request(ana.session, kind, payload));
    world.pass(Duration::from_millis(9_999));
    assert_eq!(world.all(ana.session), Vec::<Value>::new());
    world.pass(Duration::from_millis(1));
    for id in ids {
        assert_eq!(
            world.answer(ana.session, id).unwrap()["payload"]["code"],
            "timed-out"
        );
    }
    // The shard wakes up, makes everything, and is told to close it again.
    world.answer_all();
    let made = |world: &World| {
        let shards = || world.shards.iter();
        let transports: usize = shards().map(|it| it.transports.len()).sum();
        let producers: usize = shards().map(|it| it.producers.len()).sum();
        let consumers: usize = shards().map(|it| it.consumers.len()).sum();
        (transports, producers, consumers)
    };
    assert_eq!(made(&world), (2, 1, 1));
    assert_eq!(
        world.types(ana.session),
        ["consumerPaused", "consumerResumed"]
    );
    let counts = world.conference.counts();
    assert_eq!(
        (counts.transports, counts.producers, counts.consumers),
        made(&world)
    );
}

#[test]
fn a_room_whose_router_was_not_made_in_time_gets_another() {
    let mut world = World::new();
    let (ana, _) = world.joined("room");
    world.prompt = false;
    let id = world.request(ana, "createTransport", json!({"direction": "send"}));
    world.pass(Duration::from_secs(10));
    assert_eq!(
        world.answer(ana, id).unwrap()["payload"]["code"],
        "timed-out"
    );
    world.prompt = true;
    world.settle();
    world.transport(ana, "send");
    world.close(ana);
    world.assert_empty();
}

#[test]
fn a_lost_shard_is_told_to_those_it_served_and_they_come_back_on_the_same_socket() {
    let mut world = World::new();
    let ana = equipped(&mut world, "room");
    let (ben, _) = world.joined("room");
    let far = equipped(&mut world, "elsewhere");
    world.all(far.session);
    let of_room = |it: &Shard| it.producers.keys().any(|it| it.to_string() == ana.producer);
    let index = world.shards.iter().position(of_room).unwrap();
    world.lose(ShardId(u8::try_from(index).unwrap()));

    assert_eq!(world.types(ana.session).last().unwrap(), "workerLost");
    let closed = json!({"peerId": ana.peer, "producerId": ana.producer});
    assert_eq!(
        world.all(ben),
        [json!({"type": "producerClosed", "payload": closed})]
    );
    assert_eq!(world.all(far.session), Vec::<Value>::new());
    world.get(
        far.session,
        "pauseProducer",
        json!({"producerId": far.producer}),
        "producerPaused",
    );

    let joined = world.get(
        ana.session,
        "joinRoom",
        json!({"roomId": "room"}),
        "roomJoined",
    );
    assert_eq!(joined["peers"].as_array().unwrap().len(), 1);
    let send = world.transport(ana.session, "send");
    world.produce(ana.session, &send, "video");
    assert_eq!(world.types(ben), ["newProducer"]);
    for session in [ana.session, ben, far.session] {
        world.close(session);
    }
    world.assert_empty();
}

#[test]
fn a_command_that_reaches_a_rebuilt_worker_leaves_nothing_there() {
    let mut world = World::with_caps(Default::default());
    let (ana, _) = world.joined("room");
    world.prompt = false;
    let id = world.request(ana, "createTransport", json!({"direction": "send"}));
    let (shard, ..) = world.commands[0];
    world.lose(shard);
    assert_eq!(
        world.answer(ana, id).unwrap()["payload"]["code"],
        "worker-lost"
    );
    assert_eq!(world.types(ana), ["workerLost"]);
    world.answer_all();
    world.close(ana);
    world.answer_all();
    world.assert_empty();
}

#[test]
fn rooms_go_to_the_shard_with_the_fewest_transports() {
    let mut world = World::with(Default::default(), 3, Default::default());
    for room in 0..9 {
        let (session, _) = world.joined(&format!("room {room}"));
        world.transport(session, "send");
        world.transport(session, "recv");
    }
    let loads: Vec<_> = world.shards.iter().map(|it| it.transports.len()).collect();
    assert_eq!(loads, [6, 6, 6]);
}

#[test]
fn a_room_that_only_talks_costs_no_router() {
    let mut world = World::new();
    let (ana, _) = world.joined("room");
    assert!(world.shards.iter().all(Shard::is_empty));
    world.close(ana);
    world.assert_empty();
}
