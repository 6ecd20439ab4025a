//! Breakout rooms: who opens and enters them, what people keep on the way, and when they end.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::limits::{BREAKOUT_ROOMS_MAX, BREAKOUT_ROOMS_MIN};
use watersmeet_conference::{ConferenceLimits, Namespace, SessionId};

use super::harness::*;

impl TestConference {
    /// Joins the main room as a page does. Returns the peer id too.
    fn join_meeting(&mut self, name: &str) -> (SessionId, String) {
        let (session, peer) = self.open();
        self.rejoin_meeting(session, name);
        (session, peer)
    }

    /// Joins the main room on this connection, as the person of this name.
    fn rejoin_meeting(&mut self, session: SessionId, name: &str) -> Value {
        let resume = format!("{name}-0123456789abcdef");
        let payload =
            json!({"roomId": "room", "displayName": name, "resume": resume, "resumable": true});
        self.expect_reply(session, "joinRoom", payload, "roomJoined")
    }

    /// Opens two breakout rooms to which these are assigned. Returns their names.
    fn open_breakouts(&mut self, host: SessionId, first: &[&str], second: &[&str]) -> [String; 2] {
        let rooms = json!([{"name": "Red", "peerIds": first}, {"name": "Blue", "peerIds": second}]);
        self.moderate(host, json!({"action": "openBreakouts", "rooms": rooms}));
        let told = self.take_frames(host);
        let state = told.iter().rfind(|it| it["type"] == "breakouts").unwrap();
        let room = |n: usize| text(&state["payload"]["rooms"][n]["roomId"]);
        [room(0), room(1)]
    }

    /// Moves to a room, or back to the main room. Returns the snapshot.
    fn enter(&mut self, session: SessionId, room: Option<&str>) -> Value {
        let payload = room.map_or(json!({}), |it| json!({"roomId": it}));
        self.expect_reply(session, "enterBreakout", payload, "roomJoined")
    }
}

/// Returns the payload of the last frame of this type.
fn last(frames: &[Value], kind: &str) -> Value {
    let frame = frames.iter().rfind(|it| it["type"] == kind);
    frame.unwrap_or_else(|| panic!("no {kind} in {frames:?}"))["payload"].clone()
}

#[test]
fn people_move_to_their_breakout_room_and_back() {
    let mut test = TestConference::new();
    let (host, _) = test.join_meeting("Ana");
    let (ben, ben_peer) = test.join_meeting("Ben");
    let (eve, eve_peer) = test.join_meeting("Eve");
    let (carl, carl_peer) = test.join_meeting("Carl");
    let send = test.create_transport(ben, "send");
    test.produce(ben, &send, "audio");
    for session in [ben, eve, carl] {
        test.take_frames(session);
    }
    let [red, blue] = test.open_breakouts(host, &[&ben_peer, &eve_peer], &[&carl_peer]);
    let invited = last(&test.take_frames(ben), "breakouts");
    assert_eq!(invited["assigned"], json!(red));
    assert_eq!(
        [invited.get("current"), invited.get("people")],
        [None, None]
    );
    let joined = test.enter(ben, Some(&red));
    assert_eq!(
        [&joined["roomId"], &joined["title"], &joined["role"]],
        [&json!(red), &json!("Red"), &json!("speaker")]
    );
    test.assert_no_transports();
    test.enter(carl, Some(&blue));
    let joined = test.enter(eve, Some(&red));
    assert_eq!(joined["peers"], json!([ben_peer]));
    let told = test.take_frames(host);
    assert_eq!(
        last(&told, "breakoutMoved"),
        json!({"peerId": eve_peer, "displayName": "Eve", "roomId": red})
    );

    // Chat messages and notices of one room are not sent to another.
    test.take_frames(carl);
    test.take_frames(eve);
    test.expect_reply(ben, "chat", json!({"text": "red only"}), "done");
    assert_eq!(last(&test.take_frames(eve), "chat")["text"], "red only");
    for other in [host, carl] {
        assert_eq!(test.take_types(other), [""; 0]);
    }
    // A message of the host is for all.
    test.moderate(
        host,
        json!({"action": "tellBreakouts", "text": "five minutes"}),
    );
    for receiver in [ben, eve, carl] {
        assert_eq!(
            last(&test.take_frames(receiver), "chat")["text"],
            "five minutes"
        );
    }
    // The host visits with its role, and everybody may return.
    let visited = test.enter(host, Some(&blue));
    assert_eq!(
        [&visited["role"], &visited["peers"]],
        [&json!("host"), &json!([carl_peer])]
    );
    assert_eq!(test.take_types(carl), ["newPeer"]);
    let back = test.enter(ben, None);
    assert_eq!(
        [&back["roomId"], &back["role"], &back["peers"]],
        [&json!("room"), &json!("speaker"), &json!([])]
    );

    // Closing moves everybody to the main room after the countdown.
    test.moderate(host, json!({"action": "closeBreakouts", "seconds": 10}));
    assert_eq!(last(&test.take_frames(eve), "breakouts")["closesInS"], 10);
    test.advance(Duration::from_secs(10));
    for (session, role) in [(host, "host"), (eve, "speaker"), (carl, "speaker")] {
        let frames = test.take_frames(session);
        let moved = last(&frames, "moved");
        assert_eq!(
            [&moved["roomId"], &moved["role"]],
            [&json!("room"), &json!(role)]
        );
        assert_eq!(frames.last().unwrap()["type"], "breakoutsClosed");
    }
    assert_eq!(test.conference.gauges().rooms, 1);
    for session in [host, ben, eve, carl] {
        test.expect_reply(session, "leaveRoom", json!({}), "roomLeft");
        test.close(session);
    }
    test.assert_empty();
}

#[test]
fn only_people_of_the_meeting_get_in_and_only_hosts_choose() {
    let mut test = TestConference::new();
    let (host, _) = test.join_meeting("Ana");
    let (ben, ben_peer) = test.join_meeting("Ben");
    let plan = json!([{"name": "Red", "peerIds": []}, {"name": "Blue", "peerIds": []}]);
    let open = json!({"action": "openBreakouts", "rooms": plan});
    assert_eq!(
        test.expect_refusal(ben, "moderate", open.clone()),
        "forbidden"
    );
    let [red, blue] = test.open_breakouts(host, &[&ben_peer], &[]);
    assert_eq!(test.expect_refusal(host, "moderate", open), "bad-request");
    let (stranger, _) = test.open();
    for payload in [
        json!({"roomId": red}),
        json!({"roomId": red, "resume": "Ben-0123456789abcdef"}),
    ] {
        assert_eq!(
            test.expect_refusal(stranger, "joinRoom", payload),
            "room-not-found"
        );
    }
    let enter = |room: &str| json!({"roomId": room});
    assert_eq!(
        test.expect_refusal(stranger, "enterBreakout", enter(&red)),
        "not-in-room"
    );
    test.join_room(stranger, "other");
    assert_eq!(
        test.expect_refusal(stranger, "enterBreakout", enter(&red)),
        "room-not-found"
    );
    assert_eq!(
        test.expect_refusal(ben, "enterBreakout", enter(&blue)),
        "forbidden"
    );
    assert_eq!(
        test.expect_refusal(ben, "enterBreakout", json!({})),
        "bad-request"
    );
    // A host assigns people also later.
    test.moderate(
        host,
        json!({"action": "assignBreakout", "peerId": ben_peer, "roomId": blue}),
    );
    assert_eq!(
        last(&test.take_frames(ben), "breakouts")["assigned"],
        json!(blue)
    );
    test.enter(ben, Some(&blue));
    for action in ["tellBreakouts", "closeBreakouts", "assignBreakout"] {
        let payload =
            json!({"action": action, "text": "x", "seconds": 1, "peerId": ben_peer, "roomId": red});
        assert_eq!(
            test.expect_refusal(ben, "moderate", payload),
            "forbidden",
            "{action}"
        );
    }
}

#[test]
fn breakout_rooms_are_bounded() {
    let mut test = TestConference::with_limits(ConferenceLimits {
        rooms_max: BREAKOUT_ROOMS_MAX,
        ..ConferenceLimits::default()
    });
    let (host, _) = test.join_meeting("Ana");
    let open = |count: usize, name: &str| {
        let rooms = vec![json!({"name": name, "peerIds": []}); count];
        json!({"action": "openBreakouts", "rooms": rooms})
    };
    for (count, name, refusal) in [
        (BREAKOUT_ROOMS_MIN - 1, "x", "bad-request"),
        (BREAKOUT_ROOMS_MAX + 1, "x", "bad-request"),
        (2, " ", "bad-request"),
        (2, &*"x".repeat(300), "bad-request"),
        (BREAKOUT_ROOMS_MAX, "x", "limit-reached"),
    ] {
        assert_eq!(
            test.expect_refusal(host, "moderate", open(count, name)),
            refusal
        );
    }
    assert_eq!(
        test.conference.gauges().rooms,
        1,
        "a refused request opens no room"
    );
    test.moderate(host, open(BREAKOUT_ROOMS_MAX - 1, "x"));
    let long = json!({"action": "closeBreakouts", "seconds": 301});
    assert_eq!(test.expect_refusal(host, "moderate", long), "bad-request");
}

#[test]
fn clients_of_other_dialects_stay_in_the_main_room() {
    let mut test = TestConference::new();
    let (host, _) = test.join_meeting("Ana");
    let (guest, _) = test.open_socket(Namespace::Main);
    let join = json!({"roomId": "room", "displayName": "Gus", "rtpCapabilities": {}});
    test.emit(guest, Namespace::Main, "join", join);
    test.take_frames(guest);
    assert_eq!(test.conference.gauges().participants, 2);
    let peers = test.expect_reply(host, "getParticipants", json!({}), "participants");
    let peer = text(&peers["participants"][1]["peerId"]);
    let plan = json!([{"name": "Red", "peerIds": [peer]}, {"name": "Blue", "peerIds": []}]);
    let open = json!({"action": "openBreakouts", "rooms": plan});
    assert_eq!(
        test.expect_refusal(host, "moderate", open),
        "no-breakout-rooms"
    );
    let [red, _] = test.open_breakouts(host, &[], &[]);
    let assign = json!({"action": "assignBreakout", "peerId": peer, "roomId": red});
    assert_eq!(
        test.expect_refusal(host, "moderate", assign),
        "no-breakout-rooms"
    );
    assert_eq!(test.take_frames(guest), [json!(null); 0]);
}

#[test]
fn a_host_who_is_lost_strands_nobody() {
    let mut test = TestConference::new();
    let (host, _) = test.join_meeting("Ana");
    test.require_approval(host);
    let (ben, ben_peer) = test.open();
    let payload = json!({"roomId": "room", "displayName": "Ben", "resume": "Ben-0123456789abcdef", "resumable": true});
    test.expect_reply(ben, "joinRoom", payload, "waiting");
    test.moderate(host, json!({"action": "admit", "peerId": ben_peer}));
    let [red, _] = test.open_breakouts(host, &[&ben_peer], &[]);
    test.enter(ben, Some(&red));
    test.close(host);
    test.advance(Duration::from_secs(200));
    assert_eq!(test.conference.gauges().rooms, 3, "the rooms go on");
    // The lobby is still asked, though nobody is in the main room.
    let (late, _) = test.open();
    test.expect_reply(late, "joinRoom", json!({"roomId": "room"}), "waiting");
    test.close(late);
    // After a reload, too, people land in the main room without the lobby, and know their room.
    test.close(ben);
    let (ben, _) = test.open();
    let joined = test.rejoin_meeting(ben, "Ben");
    assert_eq!(joined["peers"], json!([]));
}

#[test]
fn a_participant_of_a_breakout_room_comes_back_to_the_main_room() {
    let mut test = TestConference::new();
    let (host, host_peer) = test.join_meeting("Ana");
    let (ben, ben_peer) = test.join_meeting("Ben");
    test.moderate(host, json!({"action": "setPolicy", "policy": "locked"}));
    let [red, _] = test.open_breakouts(host, &[&ben_peer, &host_peer], &[]);
    test.enter(ben, Some(&red));
    test.enter(host, Some(&red));
    for connection in ["closed", "open"] {
        if connection == "closed" {
            test.close(host);
        }
        let (again, _) = test.open();
        let joined = test.rejoin_meeting(again, "Ana");
        assert_eq!(joined["role"], "host", "{connection}");
        let told = last(&test.take_frames(again), "breakouts");
        assert_eq!(
            told["people"],
            json!([{"peerId": ben_peer, "displayName": "Ben", "roomId": red}])
        );
        test.enter(again, Some(&red));
    }
    assert_eq!(test.conference.gauges().participants, 2);
}

#[test]
fn all_rooms_end_with_the_meeting() {
    let mut test = TestConference::new();
    let (host, _) = test.join_meeting("Ana");
    let (ben, ben_peer) = test.join_meeting("Ben");
    let [red, _] = test.open_breakouts(host, &[&ben_peer], &[]);
    test.enter(ben, Some(&red));
    test.enter(host, Some(&red));
    test.moderate(host, json!({"action": "closeBreakouts", "seconds": 60}));
    test.moderate(host, json!({"action": "end"}));
    assert_eq!(
        last(&test.take_frames(ben), "removed"),
        json!({"reason": "ended"})
    );
    for session in [host, ben] {
        test.close(session);
    }
    test.assert_empty();
}

#[test]
fn somebody_banned_in_a_breakout_room_is_banned_from_the_meeting() {
    let mut test = TestConference::new();
    let (host, _) = test.join_meeting("Ana");
    let (ben, ben_peer) = test.join_meeting("Ben");
    let [red, _] = test.open_breakouts(host, &[&ben_peer], &[]);
    test.enter(ben, Some(&red));
    test.enter(host, Some(&red));
    test.moderate(
        host,
        json!({"action": "remove", "peerId": ben_peer, "ban": true}),
    );
    let (again, _) = test.open();
    let payload = json!({"roomId": "room", "resume": "Ben-0123456789abcdef"});
    assert_eq!(test.expect_refusal(again, "joinRoom", payload), "banned");
}

#[test]
fn a_deserted_meeting_ends_with_its_breakout_rooms() {
    let mut test = TestConference::new();
    let (host, _) = test.join_meeting("Ana");
    let (ben, ben_peer) = test.join_meeting("Ben");
    let [red, _] = test.open_breakouts(host, &[&ben_peer], &[]);
    test.enter(ben, Some(&red));
    for session in [host, ben] {
        test.expect_reply(session, "leaveRoom", json!({}), "roomLeft");
    }
    assert_eq!(test.conference.gauges().rooms, 0);
    for session in [host, ben] {
        test.close(session);
    }
    test.assert_empty();
}

#[test]
fn hosts_in_breakout_rooms_are_asked_to_admit_and_can() {
    let mut test = TestConference::new();
    let (host, _) = test.join_meeting("Ana");
    test.require_approval(host);
    let [red, _] = test.open_breakouts(host, &[], &[]);
    test.enter(host, Some(&red));
    test.take_frames(host);
    for action in ["admit", "deny"] {
        let (late, peer) = test.open();
        test.expect_reply(late, "joinRoom", json!({"roomId": "room"}), "waiting");
        let asked = last(&test.take_frames(host), "joinRequested");
        assert_eq!(asked["peerId"], json!(peer));
        test.moderate(host, json!({"action": action, "peerId": peer}));
        assert_eq!(
            last(&test.take_frames(host), "joinSettled")["peerId"],
            json!(peer)
        );
        let expected = if action == "admit" {
            "admitted"
        } else {
            "removed"
        };
        last(&test.take_frames(late), expected);
    }
    // A person who gives up is removed from that list too.
    let (late, peer) = test.open();
    test.expect_reply(late, "joinRoom", json!({"roomId": "room"}), "waiting");
    test.take_frames(host);
    test.close(late);
    assert_eq!(
        last(&test.take_frames(host), "joinSettled")["peerId"],
        json!(peer)
    );
}

#[test]
fn a_host_who_is_appointed_in_a_breakout_room_learns_who_waits() {
    let mut test = TestConference::new();
    let (host, _) = test.join_meeting("Ana");
    let (ben, ben_peer) = test.join_meeting("Ben");
    test.require_approval(host);
    let [red, _] = test.open_breakouts(host, &[&ben_peer], &[]);
    let (late, late_peer) = test.open();
    test.expect_reply(late, "joinRoom", json!({"roomId": "room"}), "waiting");
    test.enter(ben, Some(&red));
    test.enter(host, Some(&red));
    test.take_frames(ben);
    test.moderate(host, json!({"action": "appointHost", "peerId": ben_peer}));
    let told = test.take_frames(ben);
    assert_eq!(last(&told, "policyChanged")["policy"], "approval");
    assert_eq!(last(&told, "joinRequested")["peerId"], json!(late_peer));
}
