//! What else happens to people in rooms: coming, going, coming back, and everything that ends by
//! itself.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::{ConferenceConfig, ConnectRequest, DialectKind, ShardId};
use watersmeet_engine::command::{CloseReason, ConsumerId, Event, Layers, TransportId};

use super::outcomes::{CONSUMER, PRODUCER, TRANSPORT, equipped};
use super::world::*;

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
    let counts = world.conference.gauges();
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
    assert_eq!(world.conference.gauges().transports, 2);
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
    assert_eq!(world.types(ben), ["peerLeft", "roleChanged"]);
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
    assert_eq!(world.types(ben), ["peerLeft", "roleChanged"]);
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
    assert_eq!(world.conference.gauges().producers, 0);
    world.close(ana.session);
    world.close(ben);
    world.assert_empty();
}

#[test]
fn an_answer_overtaken_by_the_end_of_its_transport_announces_nothing() {
    let mut world = World::new();
    let ana = equipped(&mut world, "room");
    let (ben, _) = world.joined("room");
    world.prompt = false;
    let made = world.request(ana.session, "produce", produce(&ana.send, "audio"));
    let consumed = world.request(ana.session, "consume", consume(&ana.producer));
    for transport in [&ana.send, &ana.recv] {
        let transport = TransportId::parse(transport).unwrap();
        let reason = CloseReason::DtlsClosed;
        world.event(ShardId(0), Event::TransportClosed { transport, reason });
    }
    world.answer_all();
    assert_eq!(
        world.answer(ana.session, made).unwrap()["payload"]["code"],
        TRANSPORT
    );
    assert_eq!(
        world.answer(ana.session, consumed).unwrap()["payload"]["code"],
        PRODUCER
    );
    assert_eq!(world.types(ben), ["producerClosed"]);
    let counts = world.conference.gauges();
    assert_eq!(
        (counts.transports, counts.producers, counts.consumers),
        (0, 0, 0)
    );
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
    let counts = world.conference.gauges();
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
    let mut world = World::with_limits(Default::default());
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
    let mut world = World::with(ConferenceConfig {
        shards: 3,
        ..config()
    });
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

#[test]
fn a_connection_opened_under_a_known_name_ends_the_one_before() {
    let mut world = World::new();
    let ana = equipped(&mut world, "room");
    let (ben, _) = world.joined("room");
    world.conference.handle_open(
        world.now,
        ana.session,
        ConnectRequest::new(DialectKind::Native),
    );
    world.settle();
    assert_eq!(world.types(ben), ["peerLeft", "roleChanged"]);
    assert_eq!(
        world.refused(ana.session, "getParticipants", json!({})),
        "not-in-room"
    );
    assert_eq!(world.conference.gauges().transports, 0);
}

#[test]
fn a_plain_client_hears_of_a_lost_worker_as_an_error() {
    let mut world = World::new();
    let (ana, _) = world.open();
    world.send(ana, "joinRoom", json!({"roomId": "room"}));
    world.send(ana, "createTransport", json!({"direction": "send"}));
    world.all(ana);
    world.lose(ShardId(0));
    let error = world.next(ana);
    assert_eq!(error["type"], "error");
    assert_eq!(error["payload"]["message"], "Worker lost");
}

#[test]
fn a_conference_can_live_on_any_thread() {
    const fn is_send<T: Send>() {}
    is_send::<watersmeet_conference::Conference>();
}
