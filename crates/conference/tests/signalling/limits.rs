//! Limits: each is reached once, and one more is refused or closed without harm to others.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::close_codes::{CLOSE_POLICY, CLOSE_TOO_LONG, CLOSE_TRY_LATER};
use watersmeet_conference::{ConferenceLimits, SessionId};

use super::harness::*;

/// Returns limits without a rate limit on messages.
fn without_rate_limit() -> ConferenceLimits {
    ConferenceLimits {
        messages_burst: 1_000_000,
        ..ConferenceLimits::default()
    }
}

#[test]
fn a_connection_over_the_limit_is_refused_until_another_is_closed() {
    let mut test = TestConference::with_limits(ConferenceLimits {
        sessions_max: 3,
        ..ConferenceLimits::default()
    });
    let (first, _) = test.open();
    test.open();
    test.open();
    let refused = test.open_native();
    assert_eq!(test.closed.get(&refused), Some(&CLOSE_TRY_LATER));
    assert_eq!(test.take_frames(refused), Vec::<Value>::new());
    test.close(first);
    test.open();
    assert_eq!(test.closed.len(), 1);
}

#[test]
fn a_join_is_refused_when_the_room_is_full() {
    let limits = ConferenceLimits::default();
    let mut test = TestConference::new();
    for _ in 0..limits.participants_max {
        test.join("room");
    }
    let (session, _) = test.open();
    assert_eq!(
        test.expect_refusal(session, "joinRoom", json!({"roomId": "room"})),
        "limit-reached"
    );
    test.join_room(session, "other");
    // A refused join does not leave the current room.
    assert_eq!(
        test.expect_refusal(session, "joinRoom", json!({"roomId": "room"})),
        "limit-reached"
    );
    test.expect_reply(session, "getParticipants", json!({}), "participants");
}

#[test]
fn a_join_is_refused_when_there_are_too_many_rooms() {
    let mut test = TestConference::with_limits(ConferenceLimits {
        rooms_max: 5,
        ..ConferenceLimits::default()
    });
    let (first, _) = test.join("room 0");
    for room in 1..5 {
        test.join(&format!("room {room}"));
    }
    let (session, _) = test.open();
    assert_eq!(
        test.expect_refusal(session, "joinRoom", json!({"roomId": "new"})),
        "limit-reached"
    );
    test.join_room(session, "room 1");
    test.close(first);
    test.join_room(session, "new");
}

#[test]
fn transports_producers_and_consumers_are_refused_above_their_limits() {
    let limits = ConferenceLimits::default();
    let mut test = TestConference::with_limits(without_rate_limit());
    let (ana, _) = test.join("room");
    let send = test.create_transport(ana, "send");
    test.create_transport(ana, "recv");
    for _ in 2..limits.transports_max {
        test.create_transport(ana, "send");
    }
    let refused = test.expect_refusal(ana, "createTransport", json!({"direction": "send"}));
    assert_eq!(refused, "limit-reached");

    let mut producer = String::new();
    for _ in 0..limits.producers_max {
        producer = test.produce(ana, &send, "video");
    }
    assert_eq!(
        test.expect_refusal(ana, "produce", produce(&send, "video")),
        "limit-reached"
    );

    for _ in 0..limits.consumers_max {
        test.consume(ana, &producer);
    }
    assert_eq!(
        test.expect_refusal(ana, "consume", consume(&producer)),
        "limit-reached"
    );
    test.expect_reply(
        ana,
        "closeProducer",
        json!({"producerId": producer}),
        "closedProducer",
    );
    let producer = test.produce(ana, &send, "video");
    test.consume(ana, &producer);
    test.close(ana);
    test.assert_empty();
}

#[test]
fn waiting_consume_requests_count_as_consumers() {
    let mut test = TestConference::with_limits(ConferenceLimits {
        consumers_max: 3,
        ..ConferenceLimits::default()
    });
    let (ana, _) = test.join("room");
    let send = test.create_transport(ana, "send");
    let producer = test.produce(ana, &send, "video");
    for _ in 0..3 {
        test.send_request(ana, "consume", consume(&producer));
    }
    assert_eq!(
        test.expect_refusal(ana, "consume", consume(&producer)),
        "limit-reached"
    );
    test.create_transport(ana, "recv");
    assert_eq!(test.conference.gauges().consumers, 3);
}

#[test]
fn pending_objects_count_towards_the_limits() {
    let mut test = TestConference::new();
    let (ana, _) = test.join("room");
    test.executes_immediately = false;
    let requests: Vec<_> = (0..5)
        .map(|_| test.send_request(ana, "createTransport", json!({"direction": "send"})))
        .collect();
    assert_eq!(test.take_error_code(ana, requests[4]), "limit-reached");
    assert_eq!(test.conference.gauges().transports, 4);
}

#[test]
fn requests_are_queued_above_the_pending_limit_and_then_refused() {
    let limits = ConferenceLimits {
        pending_requests_max: 4,
        waiting_requests_max: 3,
        ..without_rate_limit()
    };
    let mut test = TestConference::with_limits(limits);
    let (ana, _) = test.join("room");
    let transport = test.create_transport(ana, "send");
    test.executes_immediately = false;
    let restart = json!({"transportId": transport});
    let requests: Vec<_> = (0..8)
        .map(|_| test.send_request(ana, "restartIce", restart.clone()))
        .collect();
    assert_eq!(test.commands.len(), 4);
    assert_eq!(test.take_error_code(ana, requests[7]), "limit-reached");
    assert_eq!(test.take_frames(ana), Vec::<Value>::new());
    test.execute_command();
    assert_eq!(test.commands.len(), 4);
    test.execute_all_commands();
    let order: Vec<_> = test
        .take_frames(ana)
        .iter()
        .map(|it| it["id"].as_u64().unwrap())
        .collect();
    assert_eq!(order, requests[..7]);
}

#[test]
fn queued_requests_are_refused_after_the_timeout() {
    let mut test = TestConference::with_limits(ConferenceLimits {
        pending_requests_max: 1,
        ..without_rate_limit()
    });
    let (ana, _) = test.join("room");
    let transport = test.create_transport(ana, "send");
    test.executes_immediately = false;
    let restart = json!({"transportId": transport});
    let requests: Vec<_> = (0..3)
        .map(|_| test.send_request(ana, "restartIce", restart.clone()))
        .collect();
    test.advance(Duration::from_secs(30));
    for id in requests {
        assert_eq!(test.take_error_code(ana, id), "timed-out");
    }
    test.close(ana);
    test.execute_all_commands();
    test.assert_empty();
}

#[test]
fn names_are_limited_in_bytes() {
    let mut test = TestConference::new();
    let (ana, _) = test.open();
    let fits = "é".repeat(128);
    let longer = "é".repeat(128) + "x";
    let join = |room: &str, name: &str| json!({"roomId": room, "displayName": name});
    test.expect_reply(ana, "joinRoom", join(&fits, &fits), "roomJoined");
    assert_eq!(
        test.expect_refusal(ana, "joinRoom", join(&longer, "Ana")),
        "bad-request"
    );
    assert_eq!(
        test.expect_refusal(ana, "joinRoom", join("room", &longer)),
        "bad-request"
    );
}

#[test]
fn a_frame_above_the_limit_closes_its_connection() {
    let mut test = TestConference::new();
    let (ana, ana_id) = test.join("room");
    let (ben, _) = test.join("room");
    let padded = |len: usize| {
        let frame = r#"{"type":"getRouterRtpCapabilities","payload":{"p":""}}"#;
        frame.replace("\"\"", &format!("\"{}\"", "x".repeat(len - frame.len())))
    };
    test.send_text(ana, &padded(64 * 1024));
    assert_eq!(
        test.take_types(ana).last().unwrap(),
        "routerRtpCapabilities"
    );
    test.send_text(ana, &padded(64 * 1024 + 1));
    assert_eq!(test.closed.get(&ana), Some(&CLOSE_TOO_LONG));
    let received = test.take_frames(ben);
    assert_eq!(
        received[..1],
        [json!({"type": "peerLeft", "payload": {"peerId": ana_id}})]
    );
    // The connection is closed: further frames are ignored.
    test.send_text(ana, r#"{"type":"joinRoom","payload":{"roomId":"room"}}"#);
    test.close(ana);
    assert_eq!(test.take_frames(ben), Vec::<Value>::new());
}

/// Sends one cheap request and returns its outcome.
fn request_outcome(test: &mut TestConference, session: SessionId) -> String {
    outcome(&test.request(session, "getRouterRtpCapabilities", json!({})))
}

fn outcome(frame: &Value) -> String {
    let code = frame["payload"]["code"].as_str();
    code.or(frame["type"].as_str()).unwrap().to_owned()
}

#[test]
fn a_flooding_connection_is_closed_after_three_errors() {
    let mut test = TestConference::new();
    let (ana, _) = test.open();
    for _ in 0..200 {
        assert_eq!(request_outcome(&mut test, ana), "routerRtpCapabilities");
    }
    for _ in 0..3 {
        assert_eq!(request_outcome(&mut test, ana), "rate-limited");
    }
    assert_eq!(test.closed.get(&ana), Some(&CLOSE_POLICY));
    for _ in 0..10_000 {
        test.send_without_id(ana, "getRouterRtpCapabilities", json!({}));
    }
    assert_eq!(test.take_frames(ana), Vec::<Value>::new());
    test.assert_empty();
}

#[test]
fn fifty_messages_per_second_are_never_refused() {
    let mut test = TestConference::new();
    let (ana, _) = test.open();
    for _ in 0..2_000 {
        assert_eq!(request_outcome(&mut test, ana), "routerRtpCapabilities");
        test.advance(Duration::from_millis(20));
    }
}

#[test]
fn invalid_frames_count_towards_the_rate_limit() {
    let mut test = TestConference::new();
    let (ana, _) = test.open();
    for _ in 0..300 {
        test.send_text(ana, "{");
    }
    assert_eq!(test.closed.get(&ana), Some(&CLOSE_POLICY));
}

#[test]
fn a_client_can_consume_everything_in_a_full_room_at_once() {
    let mut test = TestConference::new();
    let mut producers = Vec::new();
    for _ in 0..100 {
        let (session, _) = test.join("room");
        let send = test.create_transport(session, "send");
        producers.push(test.produce(session, &send, "video"));
        producers.push(test.produce(session, &send, "audio"));
    }
    let (late, _) = test.join("room");
    test.create_transport(late, "recv");
    test.executes_immediately = false;
    let requests: Vec<_> = producers
        .iter()
        .map(|it| test.send_request(late, "consume", consume(it)))
        .collect();
    test.executes_immediately = true;
    test.drain();
    for id in requests {
        let consumed = test.take_reply(late, id).unwrap();
        assert_eq!(outcome(&consumed), "consumed");
        let consumer = json!({"consumerId": consumed["payload"]["consumerId"]});
        test.expect_reply(late, "resumeConsumer", consumer, "consumerResumed");
    }
}

#[test]
fn everybody_in_a_full_room_is_told_once_when_a_participant_leaves() {
    let mut test = TestConference::with_limits(ConferenceLimits {
        presence_max: 200,
        ..ConferenceLimits::default()
    });
    let (ana, _) = test.join("room");
    let send = test.create_transport(ana, "send");
    for _ in 0..16 {
        test.produce(ana, &send, "video");
    }
    let others: Vec<_> = (1..200).map(|_| test.join("room").0).collect();
    // Arrivals in a large room are told together.
    test.advance(Duration::from_secs(1));
    for session in &others {
        test.take_frames(*session);
    }
    test.close(ana);
    for session in others {
        assert_eq!(test.take_types(session), ["peerLeft", "roleChanged"]);
    }
}
