//! Every cap is filled once, and the next one more is refused, or sent away, and harms nobody.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::close_codes::{CLOSE_POLICY, CLOSE_TOO_LONG, CLOSE_TRY_LATER};
use watersmeet_conference::{ConferenceLimits, SessionId};

use super::world::*;

/// ConferenceLimits that let a test ask as fast as it likes.
fn unhurried() -> ConferenceLimits {
    ConferenceLimits {
        messages_burst: 1_000_000,
        ..ConferenceLimits::default()
    }
}

#[test]
fn connections_are_capped_and_a_closed_one_makes_room() {
    let mut world = World::with_limits(ConferenceLimits {
        sessions_max: 3,
        ..ConferenceLimits::default()
    });
    let (first, _) = world.open();
    world.open();
    world.open();
    let refused = world.open_silently();
    assert_eq!(world.closed.get(&refused), Some(&CLOSE_TRY_LATER));
    assert_eq!(world.all(refused), Vec::<Value>::new());
    world.close(first);
    world.open();
    assert_eq!(world.closed.len(), 1);
}

#[test]
fn participants_of_a_room_are_capped() {
    let limits = ConferenceLimits::default();
    let mut world = World::new();
    for _ in 0..limits.participants_max {
        world.joined("room");
    }
    let (session, _) = world.open();
    assert_eq!(
        world.refused(session, "joinRoom", json!({"roomId": "room"})),
        "limit-reached"
    );
    world.get(
        session,
        "joinRoom",
        json!({"roomId": "other"}),
        "roomJoined",
    );
    // Being refused elsewhere does not cost one's place.
    assert_eq!(
        world.refused(session, "joinRoom", json!({"roomId": "room"})),
        "limit-reached"
    );
    world.get(session, "getParticipants", json!({}), "participants");
}

#[test]
fn rooms_are_capped() {
    let mut world = World::with_limits(ConferenceLimits {
        rooms_max: 5,
        ..ConferenceLimits::default()
    });
    let (first, _) = world.joined("room 0");
    for room in 1..5 {
        world.joined(&format!("room {room}"));
    }
    let (session, _) = world.open();
    assert_eq!(
        world.refused(session, "joinRoom", json!({"roomId": "new"})),
        "limit-reached"
    );
    world.get(
        session,
        "joinRoom",
        json!({"roomId": "room 1"}),
        "roomJoined",
    );
    world.close(first);
    world.get(session, "joinRoom", json!({"roomId": "new"}), "roomJoined");
}

#[test]
fn transports_producers_and_consumers_are_capped() {
    let limits = ConferenceLimits::default();
    let mut world = World::with_limits(unhurried());
    let (ana, _) = world.joined("room");
    let send = world.transport(ana, "send");
    world.transport(ana, "recv");
    for _ in 2..limits.transports_max {
        world.transport(ana, "send");
    }
    let refused = world.refused(ana, "createTransport", json!({"direction": "send"}));
    assert_eq!(refused, "limit-reached");

    let mut producer = String::new();
    for _ in 0..limits.producers_max {
        producer = world.produce(ana, &send, "video");
    }
    assert_eq!(
        world.refused(ana, "produce", produce(&send, "video")),
        "limit-reached"
    );

    for _ in 0..limits.consumers_max {
        world.consume(ana, &producer);
    }
    assert_eq!(
        world.refused(ana, "consume", consume(&producer)),
        "limit-reached"
    );
    world.get(
        ana,
        "closeProducer",
        json!({"producerId": producer}),
        "closedProducer",
    );
    let producer = world.produce(ana, &send, "video");
    world.consume(ana, &producer);
    world.close(ana);
    world.assert_empty();
}

#[test]
fn wishes_that_are_held_count_as_consumers() {
    let mut world = World::with_limits(ConferenceLimits {
        consumers_max: 3,
        ..ConferenceLimits::default()
    });
    let (ana, _) = world.joined("room");
    let send = world.transport(ana, "send");
    let producer = world.produce(ana, &send, "video");
    for _ in 0..3 {
        world.request(ana, "consume", consume(&producer));
    }
    assert_eq!(
        world.refused(ana, "consume", consume(&producer)),
        "limit-reached"
    );
    world.transport(ana, "recv");
    assert_eq!(world.conference.gauges().consumers, 3);
}

#[test]
fn objects_in_the_making_count_too() {
    let mut world = World::new();
    let (ana, _) = world.joined("room");
    world.prompt = false;
    let asked: Vec<_> = (0..5)
        .map(|_| world.request(ana, "createTransport", json!({"direction": "send"})))
        .collect();
    assert_eq!(
        world.answer(ana, asked[4]).unwrap()["payload"]["code"],
        "limit-reached"
    );
    assert_eq!(world.conference.gauges().transports, 4);
}

#[test]
fn requests_over_the_pending_cap_wait_their_turn_and_then_are_refused() {
    let limits = ConferenceLimits {
        pending_requests_max: 4,
        waiting_requests_max: 3,
        ..unhurried()
    };
    let mut world = World::with_limits(limits);
    let (ana, _) = world.joined("room");
    let transport = world.transport(ana, "send");
    world.prompt = false;
    let restart = json!({"transportId": transport});
    let asked: Vec<_> = (0..8)
        .map(|_| world.request(ana, "restartIce", restart.clone()))
        .collect();
    assert_eq!(world.commands.len(), 4);
    assert_eq!(
        world.answer(ana, asked[7]).unwrap()["payload"]["code"],
        "limit-reached"
    );
    assert_eq!(world.all(ana), Vec::<Value>::new());
    world.answer_command();
    assert_eq!(world.commands.len(), 4);
    world.answer_all();
    let order: Vec<_> = world
        .all(ana)
        .iter()
        .map(|it| it["id"].as_u64().unwrap())
        .collect();
    assert_eq!(order, asked[..7]);
}

#[test]
fn what_waits_longer_than_the_timeout_is_refused() {
    let mut world = World::with_limits(ConferenceLimits {
        pending_requests_max: 1,
        ..unhurried()
    });
    let (ana, _) = world.joined("room");
    let transport = world.transport(ana, "send");
    world.prompt = false;
    let restart = json!({"transportId": transport});
    let asked: Vec<_> = (0..3)
        .map(|_| world.request(ana, "restartIce", restart.clone()))
        .collect();
    world.pass(Duration::from_secs(30));
    for id in asked {
        assert_eq!(
            world.answer(ana, id).unwrap()["payload"]["code"],
            "timed-out"
        );
    }
    world.close(ana);
    world.answer_all();
    world.assert_empty();
}

#[test]
fn names_are_capped_in_bytes() {
    let mut world = World::new();
    let (ana, _) = world.open();
    let fits = "é".repeat(128);
    let longer = "é".repeat(128) + "x";
    let join = |room: &str, name: &str| json!({"roomId": room, "displayName": name});
    world.get(ana, "joinRoom", join(&fits, &fits), "roomJoined");
    assert_eq!(
        world.refused(ana, "joinRoom", join(&longer, "Ana")),
        "bad-request"
    );
    assert_eq!(
        world.refused(ana, "joinRoom", join("room", &longer)),
        "bad-request"
    );
}

#[test]
fn a_frame_over_the_cap_closes_its_connection() {
    let mut world = World::new();
    let (ana, ana_id) = world.joined("room");
    let (ben, _) = world.joined("room");
    let padded = |len: usize| {
        let frame = r#"{"type":"getRouterRtpCapabilities","payload":{"p":""}}"#;
        frame.replace("\"\"", &format!("\"{}\"", "x".repeat(len - frame.len())))
    };
    world.send_text(ana, &padded(64 * 1024));
    assert_eq!(world.types(ana).last().unwrap(), "routerRtpCapabilities");
    world.send_text(ana, &padded(64 * 1024 + 1));
    assert_eq!(world.closed.get(&ana), Some(&CLOSE_TOO_LONG));
    let told = world.all(ben);
    assert_eq!(
        told[..1],
        [json!({"type": "peerLeft", "payload": {"peerId": ana_id}})]
    );
    // The connection is forgotten: what still comes from it is noise.
    world.send_text(ana, r#"{"type":"joinRoom","payload":{"roomId":"room"}}"#);
    world.close(ana);
    assert_eq!(world.all(ben), Vec::<Value>::new());
}

/// Sends one cheap request and tells how it was answered.
fn knock(world: &mut World, session: SessionId) -> String {
    outcome(&world.ask(session, "getRouterRtpCapabilities", json!({})))
}

fn outcome(frame: &Value) -> String {
    let code = frame["payload"]["code"].as_str();
    code.or(frame["type"].as_str()).unwrap().to_owned()
}

#[test]
fn a_flood_gets_three_errors_and_then_the_door() {
    let mut world = World::new();
    let (ana, _) = world.open();
    for _ in 0..200 {
        assert_eq!(knock(&mut world, ana), "routerRtpCapabilities");
    }
    for _ in 0..3 {
        assert_eq!(knock(&mut world, ana), "rate-limited");
    }
    assert_eq!(world.closed.get(&ana), Some(&CLOSE_POLICY));
    for _ in 0..10_000 {
        world.send(ana, "getRouterRtpCapabilities", json!({}));
    }
    assert_eq!(world.all(ana), Vec::<Value>::new());
    world.assert_empty();
}

#[test]
fn fifty_messages_a_second_are_fine_for_ever() {
    let mut world = World::new();
    let (ana, _) = world.open();
    for _ in 0..2_000 {
        assert_eq!(knock(&mut world, ana), "routerRtpCapabilities");
        world.pass(Duration::from_millis(20));
    }
}

#[test]
fn garbage_counts_as_messages() {
    let mut world = World::new();
    let (ana, _) = world.open();
    for _ in 0..300 {
        world.send_text(ana, "{");
    }
    assert_eq!(world.closed.get(&ana), Some(&CLOSE_POLICY));
}

#[test]
fn whoever_enters_a_full_room_may_ask_for_all_of_it_at_once() {
    let mut world = World::new();
    let mut producers = Vec::new();
    for _ in 0..100 {
        let (session, _) = world.joined("room");
        let send = world.transport(session, "send");
        producers.push(world.produce(session, &send, "video"));
        producers.push(world.produce(session, &send, "audio"));
    }
    let (late, _) = world.joined("room");
    world.transport(late, "recv");
    world.prompt = false;
    let asked: Vec<_> = producers
        .iter()
        .map(|it| world.request(late, "consume", consume(it)))
        .collect();
    world.prompt = true;
    world.settle();
    for id in asked {
        let consumed = world.answer(late, id).unwrap();
        assert_eq!(outcome(&consumed), "consumed");
        let consumer = json!({"consumerId": consumed["payload"]["consumerId"]});
        world.get(late, "resumeConsumer", consumer, "consumerResumed");
    }
}

#[test]
fn a_leaving_participant_of_a_full_room_is_told_to_each_other_once() {
    let mut world = World::new();
    let (ana, _) = world.joined("room");
    let send = world.transport(ana, "send");
    for _ in 0..16 {
        world.produce(ana, &send, "video");
    }
    let others: Vec<_> = (1..200).map(|_| world.joined("room").0).collect();
    for session in &others {
        world.all(*session);
    }
    world.close(ana);
    for session in others {
        assert_eq!(world.types(session), ["peerLeft", "roleChanged"]);
    }
}
