//! Rooms on several shards: placement of participants, producers piped between shards, and cleanup
//! when any part is closed.

use std::time::Duration;

use serde_json::json;
use watersmeet_conference::{ConferenceConfig, SessionId, ShardId};
use watersmeet_engine::command::{Command, Event, ProducerId};

use super::harness::*;
use super::request_outcomes::{Member, join_with_media};

/// Returns a conference in which new participants are placed on the least loaded shard.
fn spread_conference(shards: u8) -> TestConference {
    TestConference::with(ConferenceConfig {
        shards,
        spread_above_permille: 0,
        ..config()
    })
}

/// Returns the shards of a member's transports.
fn shards_of(test: &TestConference, belongings: &Member) -> [usize; 2] {
    [&belongings.send, &belongings.recv].map(|transport| {
        let has = |it: &FakeShard| it.transports.keys().any(|it| it.to_string() == *transport);
        test.shards.iter().position(has).unwrap()
    })
}

/// Joins three members on three shards.
fn join_three(test: &mut TestConference) -> [Member; 3] {
    let members = std::array::from_fn(|_| join_with_media(test, "room"));
    for (shard, member) in members.iter().enumerate() {
        assert_eq!(shards_of(test, member), [shard, shard]);
        test.take_frames(member.session);
    }
    members
}

/// Returns the number of piped producers of each shard.
fn piped_producers(test: &TestConference) -> Vec<usize> {
    test.shards.iter().map(|it| it.pipes.len()).collect()
}

/// Closes the sessions and checks that nothing is left over.
fn close_all(mut test: TestConference, sessions: impl IntoIterator<Item = SessionId>) {
    for session in sessions {
        test.close(session);
    }
    test.assert_empty();
}

#[test]
fn a_room_stays_on_one_shard_while_it_fits() {
    let mut test = TestConference::new();
    let members: Vec<_> = (0..10)
        .map(|_| join_with_media(&mut test, "room"))
        .collect();
    for member in &members {
        assert_eq!(shards_of(&test, member), [0, 0]);
    }
    assert_eq!(piped_producers(&test), [0, 0]);
    close_all(test, members.into_iter().map(|it| it.session));
}

#[test]
fn new_participants_of_a_busy_shard_are_placed_on_another_and_nobody_moves() {
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "room");
    test.conference.handle_shard_load(ShardId(0), 650);
    let ben = join_with_media(&mut test, "room");
    assert_eq!(shards_of(&test, &ben), [1, 1]);
    // Ana's new transport is created on the shard of her other one.
    test.send_without_id(
        ana.session,
        "closeTransport",
        json!({"transportId": ana.recv}),
    );
    let recv = test.create_transport(ana.session, "recv");
    let ana = Member { recv, ..ana };
    assert_eq!(shards_of(&test, &ana), [0, 0]);
    // The home shard has capacity again.
    test.conference.handle_shard_load(ShardId(0), 100);
    let cleo = join_with_media(&mut test, "room");
    assert_eq!(shards_of(&test, &cleo), [0, 0]);
    close_all(test, [ana, ben, cleo].map(|it| it.session));
}

#[test]
fn transports_created_since_the_last_load_report_count_too() {
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "room");
    // Two transports took 400 of 600, so two more are expected to take as much.
    test.conference.handle_shard_load(ShardId(0), 400);
    let ben = join_with_media(&mut test, "room");
    assert_eq!(shards_of(&test, &ben), [0, 0]);
    let cleo = join_with_media(&mut test, "room");
    assert_eq!(shards_of(&test, &cleo), [1, 1]);
    // Half of the reported load has left.
    test.close(ben.session);
    test.conference.handle_shard_load(ShardId(0), 800);
    let dan = join_with_media(&mut test, "room");
    assert_eq!(shards_of(&test, &dan), [1, 1]);
    close_all(test, [ana, cleo, dan].map(|it| it.session));
}

#[test]
fn a_room_prefers_its_own_shards_to_a_new_one() {
    let mut test = TestConference::with(ConferenceConfig {
        shards: 3,
        ..config()
    });
    let ana = join_with_media(&mut test, "room");
    test.conference.handle_shard_load(ShardId(0), 900);
    test.conference.handle_shard_load(ShardId(2), 10);
    let ben = join_with_media(&mut test, "room");
    assert_eq!(shards_of(&test, &ben), [1, 1]);
    test.conference.handle_shard_load(ShardId(1), 500);
    let cleo = join_with_media(&mut test, "room");
    assert_eq!(shards_of(&test, &cleo), [1, 1]);
    test.conference.handle_shard_load(ShardId(1), 900);
    let dan = join_with_media(&mut test, "room");
    assert_eq!(shards_of(&test, &dan), [2, 2]);
    close_all(test, [ana, ben, cleo, dan].map(|it| it.session));
}

#[test]
fn a_producer_is_piped_once_before_it_is_consumed() {
    let mut test = spread_conference(3);
    let [ana, ben, cleo] = join_three(&mut test);
    test.executes_immediately = false;
    test.send_request(ben.session, "consume", consume(&ana.producer));
    test.send_request(ben.session, "consume", consume(&ana.producer));
    let commands: Vec<_> = test
        .commands
        .iter()
        .map(|(shard, _, command)| match command {
            Command::CreatePipedProducer { producer, .. } => {
                (shard.0, "pipe", producer.to_string())
            }
            Command::Consume { producer, .. } => (shard.0, "consume", producer.to_string()),
            other => panic!("{other:?}"),
        })
        .collect();
    let producer = &ana.producer;
    assert_eq!(
        commands,
        [
            (1, "pipe", producer.clone()),
            (1, "consume", producer.clone()),
            (1, "consume", producer.clone()),
        ]
    );
    test.executes_immediately = true;
    test.drain();
    test.consume(cleo.session, producer);
    test.consume(ana.session, &cleo.producer);
    assert_eq!(piped_producers(&test), [1, 1, 1]);
    let (_, _, origin) = test.shards[0].pipes.values().next().unwrap();
    assert_eq!(*origin, 2);
    close_all(test, [ana, ben, cleo].map(|it| it.session));
}

#[test]
fn a_closed_producer_is_closed_on_all_shards() {
    let closers: [fn(&mut TestConference, &Member); 5] = [
        |test, ana| {
            let payload = json!({"producerId": ana.producer});
            test.expect_reply(ana.session, "closeProducer", payload, "closedProducer");
        },
        |test, ana| {
            let payload = json!({"transportId": ana.send});
            test.expect_reply(ana.session, "closeTransport", payload, "closedTransport");
        },
        |test, ana| test.close_transport_in_engine(&ana.send),
        |test, ana| {
            test.expect_reply(ana.session, "leaveRoom", json!({}), "roomLeft");
        },
        |test, ana| test.close(ana.session),
    ];
    for (number, close) in closers.into_iter().enumerate() {
        let mut test = spread_conference(3);
        let [ana, ben, cleo] = join_three(&mut test);
        for session in [ben.session, cleo.session] {
            test.consume(session, &ana.producer);
        }
        let own = test.consume(ben.session, &cleo.producer);
        test.take_frames(ben.session);
        close(&mut test, &ana);
        assert_eq!(piped_producers(&test), [0, 1, 0], "case {number}");
        let received = test.take_types(ben.session);
        let is_end = |it: &String| it == "producerClosed" || it == "peerLeft";
        assert_eq!(
            received.iter().filter(|it| is_end(it)).count(),
            1,
            "{received:?}"
        );
        // Other consumers are not affected.
        test.expect_reply(
            ben.session,
            "pauseConsumer",
            json!({"consumerId": own}),
            "consumerPaused",
        );
        close_all(test, [ana, ben, cleo].map(|it| it.session));
    }
}

#[test]
fn a_piped_producer_stays_when_its_consumer_is_closed() {
    let mut test = spread_conference(2);
    let ana = join_with_media(&mut test, "room");
    let ben = join_with_media(&mut test, "room");
    let consumer = test.consume(ben.session, &ana.producer);
    let payload = json!({"consumerId": consumer});
    test.expect_reply(ben.session, "closeConsumer", payload, "closedConsumer");
    assert_eq!(piped_producers(&test), [0, 1]);
    test.consume(ben.session, &ana.producer);
    close_all(test, [ana, ben].map(|it| it.session));
}

#[test]
fn a_lost_shard_only_closes_the_objects_on_it() {
    let mut test = spread_conference(3);
    let [ana, ben, cleo] = join_three(&mut test);
    for (viewer, publisher) in [(&ana, &ben), (&ana, &cleo), (&ben, &ana), (&cleo, &ana)] {
        test.consume(viewer.session, &publisher.producer);
    }
    for member in [&ana, &ben, &cleo] {
        test.take_frames(member.session);
    }
    test.lose_shard(ShardId(1));
    assert_eq!(test.take_types(ben.session).last().unwrap(), "workerLost");
    let closed = json!({"peerId": ben.peer, "producerId": ben.producer});
    let notice = json!({"type": "producerClosed", "payload": closed});
    assert_eq!(test.take_frames(ana.session), std::slice::from_ref(&notice));
    assert_eq!(test.take_frames(cleo.session), [notice]);
    // Ben's producer is not piped anywhere any more, and the new worker has no piped producers.
    assert_eq!(piped_producers(&test), [1, 0, 1]);
    let send = test.create_transport(ben.session, "send");
    let recv = test.create_transport(ben.session, "recv");
    let producer = test.produce(ben.session, &send, "video");
    let ben = Member {
        send,
        recv,
        producer,
        ..ben
    };
    assert_eq!(shards_of(&test, &ben), [1, 1]);
    test.consume(ben.session, &ana.producer);
    test.consume(ana.session, &ben.producer);
    assert_eq!(piped_producers(&test), [2, 1, 1]);
    close_all(test, [ana, ben, cleo].map(|it| it.session));
}

#[test]
fn a_refused_pipe_refuses_the_consumer_and_is_retried() {
    let mut test = spread_conference(2);
    let ana = join_with_media(&mut test, "room");
    let ben = join_with_media(&mut test, "room");
    let routers = std::mem::take(&mut test.shards[1].routers);
    let code = test.expect_refusal(ben.session, "consume", consume(&ana.producer));
    assert_eq!(code, "producer-not-found");
    test.shards[1].routers = routers;
    test.consume(ben.session, &ana.producer);
    close_all(test, [ana, ben].map(|it| it.session));
}

#[test]
fn a_piped_producer_that_a_worker_closed_is_piped_again() {
    let mut test = spread_conference(2);
    let ana = join_with_media(&mut test, "room");
    let ben = join_with_media(&mut test, "room");
    test.consume(ben.session, &ana.producer);
    let producer = ProducerId::parse(&ana.producer).unwrap();
    let mut events = Vec::new();
    let close = Command::CloseProducer { producer };
    test.shards[1].execute(close, &mut events).unwrap();
    events.push(Event::PipedProducerClosed { producer });
    test.take_frames(ben.session);
    for event in events {
        test.report_event(ShardId(1), event);
    }
    assert_eq!(test.take_types(ben.session), ["consumerClosed"]);
    test.consume(ben.session, &ana.producer);
    assert_eq!(piped_producers(&test), [0, 1]);
    close_all(test, [ana, ben].map(|it| it.session));
}

#[test]
fn no_piped_producer_is_left_over_when_a_shard_does_not_reply() {
    let mut test = spread_conference(2);
    let ana = join_with_media(&mut test, "room");
    let ben = join_with_media(&mut test, "room");
    test.executes_immediately = false;
    let id = test.send_request(ben.session, "consume", consume(&ana.producer));
    test.advance(Duration::from_secs(10));
    let answer = test.take_reply(ben.session, id).unwrap();
    assert_eq!(answer["payload"]["code"], "timed-out");
    test.executes_immediately = true;
    test.drain();
    assert_eq!(piped_producers(&test), [0, 0]);
    test.consume(ben.session, &ana.producer);
    close_all(test, [ana, ben].map(|it| it.session));
}

#[test]
fn a_large_room_uses_all_shards_equally() {
    let mut test = spread_conference(4);
    let members: Vec<_> = (0..12)
        .map(|_| join_with_media(&mut test, "room"))
        .collect();
    let transports: Vec<_> = test.shards.iter().map(|it| it.transports.len()).collect();
    assert_eq!(transports, [6; 4]);
    for viewer in &members {
        for publisher in members.iter().filter(|it| it.peer != viewer.peer) {
            test.consume(viewer.session, &publisher.producer);
        }
    }
    // Every producer is piped once to each of the three other shards.
    assert_eq!(piped_producers(&test), [9; 4]);
    close_all(test, members.into_iter().map(|it| it.session));
}
