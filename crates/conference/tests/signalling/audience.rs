//! Large rooms: who is told of whom, counts in place of names, and collected changes.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::conference::{AdminRequest, AdminResponse};
use watersmeet_conference::{ConferenceLimits, Namespace, SessionId};

use super::harness::*;

/// Returns a conference that lists the first four participants of a room.
fn conference() -> TestConference {
    with_presence_max(4)
}

fn with_presence_max(presence_max: usize) -> TestConference {
    TestConference::with_limits(ConferenceLimits {
        presence_max,
        participants_max: 5_000,
        messages_burst: 1_000_000,
        ..ConferenceLimits::default()
    })
}

/// Reads all frames of a native client and returns type and peer of those that name a peer.
fn named(test: &mut TestConference, session: SessionId) -> Vec<(String, String)> {
    let frames = test.take_frames(session);
    let frames = frames.iter().filter_map(|it| {
        let peer = it["payload"]["peerId"].as_str()?;
        Some((it["type"].as_str()?.to_owned(), peer.to_owned()))
    });
    frames.collect()
}

fn notice(kind: &str, peer: &str) -> (String, String) {
    (kind.to_owned(), peer.to_owned())
}

fn publish(test: &mut TestConference, session: SessionId) {
    let transport = test.create_transport(session, "send");
    test.produce(session, &transport, "video");
}

#[test]
fn participants_beyond_the_size_are_counted_and_not_told() {
    let mut test = conference();
    let listed: Vec<_> = (0..4).map(|_| test.join("room")).collect();
    let (counted, _) = test.open();
    let joined = test.join_room(counted, "room");
    // It is told of the host, whom everybody sees.
    assert_eq!(joined["peers"], json!([listed[0].1]));
    assert_eq!(joined["participantCount"], 5);
    test.advance(Duration::from_secs(2));
    for (session, _) in &listed {
        let frames = test.take_frames(*session);
        let count = frames.iter().find(|it| it["type"] == "participantCount");
        assert_eq!(count.unwrap()["payload"], json!({"count": 5}));
        assert_eq!(
            frames.iter().filter(|it| it["type"] == "newPeer").count(),
            3 - listed.iter().position(|it| it.0 == *session).unwrap()
        );
    }
    test.close(counted);
    for (session, _) in &listed {
        assert_eq!(named(&mut test, *session), []);
    }
}

#[test]
fn audience_is_not_told_of_listed_participants_that_publish_nothing() {
    let mut test = conference();
    let listed: Vec<_> = (0..4).map(|_| test.join("room")).collect();
    let (counted, _) = test.join("room");
    test.take_frames(counted);
    test.close(listed[2].0);
    let (_, late) = test.join("room");
    assert_eq!(named(&mut test, counted), []);
    // The place that became free is listed again.
    assert_eq!(
        named(&mut test, listed[3].0).last(),
        Some(&notice("newPeer", &late))
    );
}

#[test]
fn participant_is_told_to_everybody_before_its_first_producer() {
    let mut test = conference();
    let listed: Vec<_> = (0..4).map(|_| test.join("room")).collect();
    let (first, first_peer) = test.join("room");
    let (second, _) = test.join("room");
    for session in [listed[1].0, first, second] {
        test.take_frames(session);
    }
    publish(&mut test, first);
    let expected = [
        notice("newPeer", &first_peer),
        notice("newProducer", &first_peer),
    ];
    assert_eq!(named(&mut test, listed[1].0), expected);
    assert_eq!(named(&mut test, second), expected);
    // A listed participant is known to the list, and now to the audience too.
    publish(&mut test, listed[1].0);
    let peer = &listed[1].1;
    assert_eq!(
        named(&mut test, listed[2].0).last(),
        Some(&notice("newProducer", peer))
    );
    assert_eq!(
        named(&mut test, second),
        [notice("newPeer", peer), notice("newProducer", peer)]
    );
    // It stays known when it leaves.
    test.close(first);
    assert_eq!(named(&mut test, second), [notice("peerLeft", &first_peer)]);
    let (late, _) = test.open();
    let joined = test.join_room(late, "room");
    assert_eq!(joined["peers"], json!([listed[0].1, peer]));
}

#[test]
fn audience_is_listed_when_the_room_becomes_small() {
    let mut test = conference();
    let listed: Vec<_> = (0..4).map(|_| test.join("room")).collect();
    let (first, first_peer) = test.join("room");
    let (second, second_peer) = test.join("room");
    test.take_frames(first);
    for (session, _) in listed.iter().take(3) {
        test.close(*session);
    }
    test.take_frames(first);
    // One of the listed four and two of the audience are left: more than half of four. Each of the
    // listed became host in turn, whom everybody sees.
    let kinds = test.take_types(second);
    assert_eq!(
        kinds.iter().filter(|it| *it == "newPeer").count(),
        3,
        "{kinds:?}"
    );
    test.close(listed[3].0);
    assert!(named(&mut test, first).contains(&notice("newPeer", &second_peer)));
    assert!(named(&mut test, second).contains(&notice("newPeer", &first_peer)));
    let (third, third_peer) = test.join("room");
    assert_eq!(
        named(&mut test, first).last(),
        Some(&notice("newPeer", &third_peer))
    );
    test.close(third);
    assert_eq!(
        named(&mut test, first).last(),
        Some(&notice("peerLeft", &third_peer))
    );
}

#[test]
fn promoted_participant_is_told_to_everybody() {
    let mut test = conference();
    let listed: Vec<_> = (0..4).map(|_| test.join("room")).collect();
    let (_, peer) = test.join("room");
    let (other, _) = test.join("room");
    test.take_frames(other);
    test.moderate(listed[0].0, json!({"action": "demote", "peerId": peer}));
    assert_eq!(named(&mut test, other), []);
    test.moderate(listed[0].0, json!({"action": "promote", "peerId": peer}));
    let expected = [notice("newPeer", &peer), notice("roleChanged", &peer)];
    assert_eq!(named(&mut test, other), expected);
}

#[test]
fn hosts_can_list_the_audience_and_others_cannot() {
    let mut test = conference();
    let listed: Vec<_> = (0..4).map(|_| test.join("room")).collect();
    let (counted, _) = test.join("room");
    let mut count = |session| {
        let reply = test.expect_reply(session, "getParticipants", json!({}), "participants");
        reply["participants"].as_array().unwrap().len()
    };
    assert_eq!(count(listed[0].0), 5);
    assert_eq!(count(listed[1].0), 4);
    // Itself and the host.
    assert_eq!(count(counted), 2);
}

#[test]
fn clients_of_other_dialects_are_not_told_of_the_audience() {
    let mut test = conference();
    let (rmm, _) = test.open_socket(Namespace::Main);
    let join = json!({"roomId": "room", "displayName": "Ana", "rtpCapabilities": {}});
    test.emit_with_ack(rmm, Namespace::Main, "join", join.clone());
    for _ in 0..3 {
        test.join("room");
    }
    test.take_frames(rmm);
    let (second, second_id) = test.open_socket(Namespace::Main);
    let joined = test
        .emit_with_ack(second, Namespace::Main, "join", join)
        .unwrap();
    let ids = joined["participants"].as_array().unwrap();
    assert_eq!(ids.len(), 2, "{joined}");
    assert_eq!(ids[1]["id"], json!(second_id));
    test.close(second);
    test.advance(Duration::from_secs(10));
    assert_eq!(test.take_frames(rmm), Vec::<Value>::new());
}

#[test]
fn changes_in_a_room_of_thirty_are_told_together() {
    let mut test = TestConference::new();
    let (first, _) = test.join("room");
    for _ in 0..30 {
        test.join("room");
        test.advance(Duration::from_millis(200));
    }
    test.take_frames(first);
    let told: Vec<_> = (0..5).map(|_| test.join("room")).collect();
    // The first is told at once; one that leaves before it was told is never told.
    assert_eq!(named(&mut test, first), [notice("newPeer", &told[0].1)]);
    test.close(told[2].0);
    test.advance(Duration::from_millis(99));
    assert_eq!(named(&mut test, first), []);
    test.advance(Duration::from_millis(1));
    let expected: Vec<_> = [1, 3, 4]
        .map(|it: usize| notice("newPeer", &told[it].1))
        .into();
    assert_eq!(named(&mut test, first), expected);
    // Those that joined after it knew it from their snapshot.
    let (last, peers) = (told[4].0, [notice("peerLeft", &told[2].1)]);
    assert_eq!(named(&mut test, last), peers);
}

#[test]
fn collected_changes_are_told_before_any_other_notice() {
    let mut test = TestConference::new();
    let (first, _) = test.join("room");
    for _ in 0..30 {
        test.join("room");
        test.advance(Duration::from_millis(200));
    }
    test.join("room");
    test.take_frames(first);
    let (late, peer) = test.join("room");
    test.expect_reply(late, "chat", json!({"text": "hello"}), "done");
    let expected = [notice("newPeer", &peer), notice("chat", &peer)];
    assert_eq!(named(&mut test, first), expected);
}

#[test]
fn frames_of_a_webinar_do_not_grow_with_the_square_of_its_size() {
    let mut test = with_presence_max(100);
    let (publisher, _) = test.join("webinar");
    publish(&mut test, publisher);
    let mut frames_of = |joins: usize| {
        for _ in 0..joins {
            test.join("webinar");
            test.advance(Duration::from_millis(20));
        }
        let frames: usize = test
            .frames
            .values_mut()
            .map(|it| it.drain(..).count())
            .sum();
        frames / joins
    };
    frames_of(300);
    let (small, large) = (frames_of(300), frames_of(600));
    assert!(small < 20, "{small} frames for each join");
    assert!(large < 20, "{large} frames for each join");
}

#[test]
fn nothing_is_left_of_a_large_room() {
    let mut test = conference();
    let all: Vec<_> = (0..40).map(|_| test.join("room").0).collect();
    for session in all {
        test.close(session);
    }
    test.assert_empty();
}

#[test]
fn shutdown_is_told_and_refuses_new_rooms() {
    let mut test = TestConference::new();
    let (first, _) = test.join("room");
    test.expect_reply(first, "getParticipants", json!({}), "participants");
    test.conference
        .handle_shutdown(test.now, Duration::from_secs(7));
    test.drain();
    let told = test.next_frame(first);
    assert_eq!(told["type"], "serverClosing");
    assert_eq!(told["payload"], json!({"seconds": 7}));
    let (second, _) = test.open();
    let refusal = test.expect_refusal(second, "joinRoom", json!({"roomId": "other"}));
    assert_eq!(refusal, "shutting-down");
    // A meeting that runs can still be entered.
    test.join_room(second, "room");
}

#[test]
fn draining_refuses_new_rooms_until_it_is_undone() {
    let mut test = TestConference::new();
    let (first, _) = test.join("room");
    let drain = |test: &mut TestConference, is_draining| {
        let request = AdminRequest::SetDraining { is_draining };
        let response = test.conference.handle_admin_request(test.now, request);
        assert_eq!(response, Ok(AdminResponse::Done));
    };
    drain(&mut test, true);
    let (second, _) = test.open();
    let refusal = test.expect_refusal(second, "joinRoom", json!({"roomId": "other"}));
    assert_eq!(refusal, "shutting-down");
    test.join_room(second, "room");
    test.close(second);
    drain(&mut test, false);
    test.join("other");
    // The end of the program is not undone.
    test.conference
        .handle_shutdown(test.now, Duration::from_secs(7));
    test.drain();
    drain(&mut test, false);
    let (third, _) = test.open();
    let refusal = test.expect_refusal(third, "joinRoom", json!({"roomId": "third"}));
    assert_eq!(refusal, "shutting-down");
    test.close(first);
}
