//! Joining, leaving and joining again, and objects that close without a request.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::{ConferenceConfig, ConnectRequest, DialectKind, ShardId};
use watersmeet_engine::command::{
    CloseReason, ConsumerId, Event, Layers, LayersReason, TransportId,
};

use super::harness::*;
use super::request_outcomes::{CONSUMER, PRODUCER, TRANSPORT, join_with_media};

#[test]
fn joining_another_room_leaves_the_first() {
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "one");
    let ben = join_with_media(&mut test, "one");
    test.take_frames(ana.session);
    test.join_room(ben.session, "two");
    let left = json!({"type": "peerLeft", "payload": {"peerId": ben.peer}});
    assert_eq!(test.take_frames(ana.session), [left]);
    let listed = test.expect_reply(ana.session, "getParticipants", json!({}), "participants");
    assert_eq!(listed["participants"].as_array().unwrap().len(), 1);
    let counts = test.conference.gauges();
    assert_eq!(
        (counts.rooms, counts.participants, counts.transports),
        (2, 2, 2)
    );
}

#[test]
fn joining_the_same_room_again_starts_afresh_for_everybody() {
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "room");
    let ben = join_with_media(&mut test, "room");
    test.take_frames(ana.session);
    let joined = test.join_room(ben.session, "room");
    assert_eq!(joined["peers"], json!([ana.peer]));
    assert_eq!(
        joined["existingProducers"][0]["producers"][0]["producerId"],
        ana.producer
    );
    // Others forget everything of the participant, as if it had left and come back.
    let expected = ["peerLeft", "newPeer"];
    let expected = expected.map(|kind| json!({"type": kind, "payload": {"peerId": ben.peer}}));
    assert_eq!(test.take_frames(ana.session), expected);
    assert_eq!(test.conference.gauges().transports, 2);
    assert_eq!(test.conference.gauges().participants, 2);
    let named = json!({"roomId": "room", "displayName": "Benny"});
    test.expect_reply(ben.session, "joinRoom", named, "roomJoined");
    let joined = test.take_frames(ana.session).pop().unwrap();
    assert_eq!(joined["payload"]["displayName"], "Benny");
    test.create_transport(ben.session, "send");
}

#[test]
fn a_pending_producer_is_announced_to_everybody_exactly_once() {
    let mut test = TestConference::new();
    let (ana, _) = test.join("room");
    let (ben, _) = test.join("room");
    let send = test.create_transport(ana, "send");
    test.executes_immediately = false;
    let id = test.send_request(ana, "produce", produce(&send, "video"));
    let (cara, _) = test.open();
    let joined = test.join_room(cara, "room");
    assert_eq!(joined["existingProducers"], json!([]));
    test.take_frames(ben);
    test.execute_all_commands();
    assert_eq!(test.take_reply(ana, id).unwrap()["type"], "produced");
    assert_eq!(test.take_types(ben), ["newProducer"]);
    assert_eq!(test.take_types(cara), ["newProducer"]);
    let (dora, _) = test.open();
    let joined = test.join_room(dora, "room");
    assert_eq!(joined["existingProducers"].as_array().unwrap().len(), 1);
    assert_eq!(test.take_types(dora), [""; 0]);
}

#[test]
fn a_pending_producer_is_closed_when_its_owner_leaves() {
    let mut test = TestConference::new();
    let (ana, _) = test.join("room");
    let (ben, _) = test.join("room");
    let send = test.create_transport(ana, "send");
    test.executes_immediately = false;
    let id = test.send_request(ana, "produce", produce(&send, "video"));
    test.expect_reply(ana, "leaveRoom", json!({}), "roomLeft");
    assert_eq!(test.take_error_code(ana, id), "not-in-room");
    test.execute_all_commands();
    assert_eq!(test.take_types(ben), ["peerLeft", "roleChanged"]);
    test.close(ana);
    test.close(ben);
    test.execute_all_commands();
    test.assert_empty();
}

#[test]
fn consume_waits_for_the_receive_transport_until_the_timeout() {
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "room");
    let (ben, _) = test.join("room");
    let first = test.send_request(ben, "consume", consume(&ana.producer));
    test.advance(Duration::from_millis(4_999));
    assert_eq!(test.take_frames(ben), Vec::<Value>::new());
    let second = test.send_request(ben, "consume", consume(&ana.producer));
    test.advance(Duration::from_millis(1));
    let error = test.take_reply(ben, first).unwrap();
    assert_eq!(error["payload"]["message"], "Transport not found");
    assert_eq!(test.take_reply(ben, second), None);
    test.create_transport(ben, "recv");
    assert_eq!(test.take_reply(ben, second).unwrap()["type"], "consumed");
    let error = test.expect_reply(ben, "getStats", json!({"transportId": ana.recv}), "error");
    assert_eq!(error["message"], "Transport not found");
}

#[test]
fn a_waiting_consume_is_refused_when_its_producer_is_closed() {
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "room");
    let (ben, _) = test.join("room");
    let id = test.send_request(ben, "consume", consume(&ana.producer));
    test.expect_reply(
        ana.session,
        "closeProducer",
        json!({"producerId": ana.producer}),
        "closedProducer",
    );
    test.create_transport(ben, "recv");
    assert_eq!(test.take_error_code(ben, id), PRODUCER);
}

#[test]
fn a_pending_consumer_is_refused_when_its_producer_is_closed() {
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "room");
    let (ben, _) = test.join("room");
    test.create_transport(ben, "recv");
    test.executes_immediately = false;
    let id = test.send_request(ben, "consume", consume(&ana.producer));
    test.close(ana.session);
    test.execute_all_commands();
    assert_eq!(test.take_error_code(ben, id), PRODUCER);
    assert_eq!(test.take_types(ben), ["peerLeft", "roleChanged"]);
    test.close(ben);
    test.execute_all_commands();
    test.assert_empty();
}

#[test]
fn consumers_are_created_on_the_newest_receive_transport() {
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "room");
    let newest = test.create_transport(ana.session, "recv");
    test.consume(ana.session, &ana.producer);
    let on = |test: &TestConference, transport: &str| {
        let shards = test.shards.iter().flat_map(|it| it.consumers.values());
        shards.filter(|(it, _)| it.to_string() == transport).count()
    };
    assert_eq!((on(&test, &ana.recv), on(&test, &newest)), (1, 1));
}

#[test]
fn pausing_twice_is_announced_once() {
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "room");
    let (ben, _) = test.join("room");
    for _ in 0..2 {
        let payload = json!({"producerId": ana.producer});
        test.expect_reply(ana.session, "pauseProducer", payload, "producerPaused");
    }
    assert_eq!(test.take_types(ben), ["producerPaused"]);
}

#[test]
fn producers_and_consumers_are_closed_with_a_transport_that_the_engine_closes() {
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "room");
    let (ben, _) = test.join("room");
    test.create_transport(ben, "recv");
    let consumer = test.consume(ben, &ana.producer);
    test.take_frames(ana.session);
    test.close_transport_in_engine(&ana.send);
    let received = test.take_types(ana.session);
    assert!(
        received.contains(&"transportClosed".to_owned()),
        "{received:?}"
    );
    let received = test.take_frames(ben);
    assert_eq!(
        received
            .iter()
            .filter(|it| it["type"] == "producerClosed")
            .count(),
        1
    );
    assert_eq!(
        test.expect_refusal(ben, "resumeConsumer", json!({"consumerId": consumer})),
        CONSUMER
    );
    let payload = produce(&ana.send, "audio");
    assert_eq!(
        test.expect_refusal(ana.session, "produce", payload),
        TRANSPORT
    );
    assert_eq!(test.conference.gauges().producers, 0);
    test.close(ana.session);
    test.close(ben);
    test.assert_empty();
}

#[test]
fn a_reply_after_the_close_of_its_transport_announces_nothing() {
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "room");
    let (ben, _) = test.join("room");
    test.executes_immediately = false;
    let created = test.send_request(ana.session, "produce", produce(&ana.send, "audio"));
    let consumed = test.send_request(ana.session, "consume", consume(&ana.producer));
    for transport in [&ana.send, &ana.recv] {
        let transport = TransportId::parse(transport).unwrap();
        let reason = CloseReason::DtlsClosed;
        test.report_event(ShardId(0), Event::TransportClosed { transport, reason });
    }
    test.execute_all_commands();
    assert_eq!(test.take_error_code(ana.session, created), TRANSPORT);
    assert_eq!(test.take_error_code(ana.session, consumed), PRODUCER);
    assert_eq!(test.take_types(ben), ["producerClosed"]);
    let counts = test.conference.gauges();
    assert_eq!(
        (counts.transports, counts.producers, counts.consumers),
        (0, 0, 0)
    );
}

#[test]
fn events_of_a_consumer_are_only_sent_to_its_owner() {
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "room");
    let ben = join_with_media(&mut test, "room");
    test.take_frames(ana.session);
    let consumer = ConsumerId::parse(&ben.consumer).unwrap();
    let layers = Some(Layers {
        spatial_layer: 2,
        temporal_layer: Some(1),
    });
    for (layers, reason) in [(layers, None), (None, Some(LayersReason::Bandwidth))] {
        test.report_event(
            ShardId(0),
            Event::ConsumerLayersChanged {
                consumer,
                layers,
                reason,
            },
        );
    }
    for paused in [true, false] {
        test.report_event(
            ShardId(0),
            Event::ConsumerProducerPaused { consumer, paused },
        );
    }
    for _ in 0..2 {
        test.report_event(ShardId(0), Event::ConsumerClosed { consumer });
    }
    let id = &ben.consumer;
    let frame = |kind: &str, payload: Value| json!({"type": kind, "payload": payload});
    let expected = [
        frame(
            "consumerLayersChanged",
            json!({"consumerId": id, "spatialLayer": 2, "temporalLayer": 1}),
        ),
        frame(
            "consumerLayersChanged",
            json!({"consumerId": id, "reason": "bandwidth"}),
        ),
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
    assert_eq!(test.take_frames(ben.session), expected);
    assert_eq!(test.take_frames(ana.session), Vec::<Value>::new());
}

#[test]
fn requests_are_refused_when_their_shard_does_not_reply_in_time() {
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "room");
    test.executes_immediately = false;
    let requests = [
        ("createTransport", json!({"direction": "send"})),
        ("produce", produce(&ana.send, "audio")),
        ("consume", consume(&ana.producer)),
        ("pauseProducer", json!({"producerId": ana.producer})),
    ];
    let ids = requests.map(|(kind, payload)| test.send_request(ana.session, kind, payload));
    test.advance(Duration::from_millis(9_999));
    assert_eq!(test.take_frames(ana.session), Vec::<Value>::new());
    test.advance(Duration::from_millis(1));
    for id in ids {
        assert_eq!(test.take_error_code(ana.session, id), "timed-out");
    }
    // The shard creates everything later, and is told to close it again.
    test.execute_all_commands();
    let created = |test: &TestConference| {
        let shards = || test.shards.iter();
        let transports: usize = shards().map(|it| it.transports.len()).sum();
        let producers: usize = shards().map(|it| it.producers.len()).sum();
        let consumers: usize = shards().map(|it| it.consumers.len()).sum();
        (transports, producers, consumers)
    };
    assert_eq!(created(&test), (2, 1, 1));
    assert_eq!(
        test.take_types(ana.session),
        ["consumerPaused", "consumerResumed"]
    );
    let counts = test.conference.gauges();
    assert_eq!(
        (counts.transports, counts.producers, counts.consumers),
        created(&test)
    );
}

#[test]
fn a_room_gets_another_router_when_the_first_was_not_created_in_time() {
    let mut test = TestConference::new();
    let (ana, _) = test.join("room");
    test.executes_immediately = false;
    let id = test.send_request(ana, "createTransport", json!({"direction": "send"}));
    test.advance(Duration::from_secs(10));
    assert_eq!(test.take_error_code(ana, id), "timed-out");
    test.executes_immediately = true;
    test.drain();
    test.create_transport(ana, "send");
    test.close(ana);
    test.assert_empty();
}

#[test]
fn clients_of_a_lost_shard_are_told_and_can_join_again_on_the_same_connection() {
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "room");
    let (ben, _) = test.join("room");
    let elsewhere = join_with_media(&mut test, "elsewhere");
    test.take_frames(elsewhere.session);
    let of_room = |it: &FakeShard| it.producers.keys().any(|it| it.to_string() == ana.producer);
    let index = test.shards.iter().position(of_room).unwrap();
    test.lose_shard(ShardId(u8::try_from(index).unwrap()));

    assert_eq!(test.take_types(ana.session).last().unwrap(), "workerLost");
    let closed = json!({"peerId": ana.peer, "producerId": ana.producer});
    assert_eq!(
        test.take_frames(ben),
        [json!({"type": "producerClosed", "payload": closed})]
    );
    assert_eq!(test.take_frames(elsewhere.session), Vec::<Value>::new());
    test.expect_reply(
        elsewhere.session,
        "pauseProducer",
        json!({"producerId": elsewhere.producer}),
        "producerPaused",
    );

    let joined = test.join_room(ana.session, "room");
    assert_eq!(joined["peers"].as_array().unwrap().len(), 1);
    let send = test.create_transport(ana.session, "send");
    test.produce(ana.session, &send, "video");
    assert_eq!(test.take_types(ben), ["peerLeft", "newPeer", "newProducer"]);
    for session in [ana.session, ben, elsewhere.session] {
        test.close(session);
    }
    test.assert_empty();
}

#[test]
fn a_command_to_a_restarted_worker_leaves_nothing_over() {
    let mut test = TestConference::with_limits(Default::default());
    let (ana, _) = test.join("room");
    test.executes_immediately = false;
    let id = test.send_request(ana, "createTransport", json!({"direction": "send"}));
    let (shard, ..) = test.commands[0];
    test.lose_shard(shard);
    assert_eq!(test.take_error_code(ana, id), "worker-lost");
    assert_eq!(test.take_types(ana), ["workerLost"]);
    test.execute_all_commands();
    test.close(ana);
    test.execute_all_commands();
    test.assert_empty();
}

#[test]
fn rooms_are_placed_on_the_shard_with_the_fewest_transports() {
    let mut test = TestConference::with(ConferenceConfig {
        shards: 3,
        ..config()
    });
    for room in 0..9 {
        let (session, _) = test.join(&format!("room {room}"));
        test.create_transport(session, "send");
        test.create_transport(session, "recv");
    }
    let loads: Vec<_> = test.shards.iter().map(|it| it.transports.len()).collect();
    assert_eq!(loads, [6, 6, 6]);
}

#[test]
fn a_room_without_transports_has_no_router() {
    let mut test = TestConference::new();
    let (ana, _) = test.join("room");
    assert!(test.shards.iter().all(FakeShard::is_empty));
    test.close(ana);
    test.assert_empty();
}

#[test]
fn closing_what_is_closed_already_is_no_error() {
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "room");
    let ben = join_with_media(&mut test, "room");
    let of_ana = test.consume(ben.session, &ana.producer);
    // Ana's browser closes its connections before her requests arrive.
    for transport in [&ana.send, &ana.recv] {
        test.close_transport_in_engine(transport);
    }
    test.take_frames(ana.session);
    let requests = [
        ("closeProducer", json!({"producerId": ana.producer})),
        ("closeConsumer", json!({"consumerId": ana.consumer})),
        ("closeTransport", json!({"transportId": ana.send})),
        ("closeTransport", json!({"transportId": ana.recv})),
    ];
    // Once after the other side, and once more after the own request.
    for (kind, payload) in requests.iter().chain(&requests) {
        let reply = kind.replace("close", "closed");
        let got = test.expect_reply(ana.session, kind, payload.clone(), &reply);
        assert_eq!(got, *payload);
    }
    // Ben's consumer was closed with its producer.
    let payload = json!({"consumerId": of_ana});
    test.expect_reply(ben.session, "closeConsumer", payload, "closedConsumer");
    test.take_frames(ben.session);
    test.expect_reply(ana.session, "leaveRoom", json!({}), "roomLeft");
    for member in [ana, ben] {
        test.close(member.session);
    }
    test.assert_empty();
}

#[test]
fn closing_what_others_closed_or_nobody_had_is_refused() {
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "room");
    let ben = join_with_media(&mut test, "room");
    test.close_transport_in_engine(&ana.send);
    let unknown = "00000000-0000-4000-8000-000000000000";
    for transport in [ana.send.as_str(), unknown] {
        let payload = json!({"transportId": transport});
        assert_eq!(
            test.expect_refusal(ben.session, "closeTransport", payload),
            TRANSPORT
        );
    }
    for (kind, payload, expected) in [
        ("closeProducer", json!({"producerId": unknown}), PRODUCER),
        ("closeConsumer", json!({"consumerId": unknown}), CONSUMER),
    ] {
        assert_eq!(test.expect_refusal(ben.session, kind, payload), expected);
    }
}

#[test]
fn opening_a_session_with_a_used_id_closes_the_previous_one() {
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "room");
    let (ben, _) = test.join("room");
    test.conference.handle_open(
        test.now,
        ana.session,
        ConnectRequest::new(DialectKind::Native),
    );
    test.drain();
    assert_eq!(test.take_types(ben), ["peerLeft", "roleChanged"]);
    assert_eq!(
        test.expect_refusal(ana.session, "getParticipants", json!({})),
        "not-in-room"
    );
    assert_eq!(test.conference.gauges().transports, 0);
}

#[test]
fn a_client_without_ids_is_told_of_a_lost_worker_with_an_error() {
    let mut test = TestConference::new();
    let (ana, _) = test.open();
    test.send_without_id(ana, "joinRoom", json!({"roomId": "room"}));
    test.send_without_id(ana, "createTransport", json!({"direction": "send"}));
    test.take_frames(ana);
    test.lose_shard(ShardId(0));
    let error = test.next_frame(ana);
    assert_eq!(error["type"], "error");
    assert_eq!(error["payload"]["message"], "Worker lost");
}

#[test]
fn a_conference_can_be_sent_to_another_thread() {
    const fn is_send<T: Send>() {}
    is_send::<watersmeet_conference::Conference>();
}
