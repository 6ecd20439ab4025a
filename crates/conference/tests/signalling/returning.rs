//! Participants that come back: seats kept over a lost connection, bans, expired tokens, and rooms
//! that nobody has entered.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::conference::{AdminRequest, RoomCreator};
use watersmeet_conference::message::{Moderation, Policy, Refusal};
use watersmeet_conference::{
    ClientKey, ConferenceConfig, ConferenceLimits, ConnectRequest, DialectKind, SessionId,
};

use super::harness::*;

/// Secret of a client, as long as that of the page.
const ANA: &str = "ana-0123456789abcdef";
const BEN: &str = "ben-0123456789abcdef";

fn resume(secret: &str) -> Value {
    json!({"roomId": "room", "resume": secret})
}

impl TestConference {
    /// Joins the room with the secret of a client. Returns the reply and the peer id too.
    fn join_resuming(&mut self, secret: &str) -> (SessionId, String, Value) {
        let (session, peer) = self.open();
        let joined = self.request(session, "joinRoom", resume(secret));
        (session, peer, joined)
    }

    /// Opens a connection from this network address.
    fn open_from(&mut self, client: u128, token: Option<String>) -> SessionId {
        let session = self.open_with(ConnectRequest {
            client: Some(ClientKey(client)),
            token,
            ..ConnectRequest::new(DialectKind::Native)
        });
        self.take_frames(session);
        session
    }

    /// Returns the outcome of joining the room: the type of the reply, or the code of the error.
    fn join_outcome(&mut self, session: SessionId, payload: Value) -> String {
        let reply = self.request(session, "joinRoom", payload);
        text(match reply["type"] == "error" {
            true => &reply["payload"]["code"],
            false => &reply["type"],
        })
    }
}

#[test]
fn a_host_keeps_its_seat_over_a_lost_connection() {
    // A reload, and an outage of two minutes.
    for outage in [1, 120] {
        let mut test = TestConference::new();
        let (host, ..) = test.join_resuming(ANA);
        let (ben, _) = test.join("room");
        test.moderate(host, json!({"action": "setPolicy", "policy": "locked"}));
        test.take_frames(ben);
        test.close(host);
        assert_eq!(test.take_types(ben), ["peerLeft"]);
        test.advance(Duration::from_secs(outage));
        assert_eq!(test.take_types(ben), [""; 0], "nobody else became the host");
        let (_, _, joined) = test.join_resuming(ANA);
        assert_eq!(joined["payload"]["role"], "host", "{joined}");
        assert_eq!(test.take_types(ben), ["newPeer"]);
    }
}

#[test]
fn a_host_alone_keeps_its_room_and_its_policy() {
    let mut test = TestConference::new();
    let (host, ..) = test.join_resuming(ANA);
    test.require_approval(host);
    test.close(host);
    let (guest, _) = test.open();
    test.expect_reply(guest, "joinRoom", json!({"roomId": "room"}), "waiting");
    let (host, _, joined) = test.join_resuming(ANA);
    assert_eq!(joined["payload"]["role"], "host");
    assert_eq!(test.take_types(host), ["policyChanged", "joinRequested"]);
    test.expect_reply(host, "leaveRoom", json!({}), "roomLeft");
    test.close(host);
    test.close(guest);
    test.assert_empty();
}

#[test]
fn somebody_else_becomes_host_when_the_host_leaves_or_stays_away() {
    for leaves in [true, false] {
        let mut test = TestConference::new();
        let (host, ..) = test.join_resuming(ANA);
        let (ben, _) = test.join("room");
        if leaves {
            test.expect_reply(host, "leaveRoom", json!({}), "roomLeft");
        }
        test.close(host);
        test.advance(Duration::from_secs(if leaves { 0 } else { 200 }));
        assert_eq!(test.take_types(ben), ["peerLeft", "roleChanged"]);
        let (_, _, joined) = test.join_resuming(ANA);
        assert_eq!(joined["payload"]["role"], "speaker");
    }
}

#[test]
fn a_room_ends_when_its_absent_host_stays_away() {
    let mut test = TestConference::new();
    let (host, ..) = test.join_resuming(ANA);
    test.close(host);
    assert_eq!(test.conference.gauges().rooms, 1);
    test.advance(Duration::from_secs(200));
    test.assert_empty();
}

#[test]
fn a_seat_is_not_given_to_another_secret() {
    let mut test = TestConference::new();
    let (host, ..) = test.join_resuming(ANA);
    let (_ben, _) = test.join("room");
    test.close(host);
    for wrong in [BEN, "ana-0123456789abcdeg"] {
        let (_, _, joined) = test.join_resuming(wrong);
        assert_eq!(joined["payload"]["role"], "speaker", "{wrong}");
    }
    for invalid in ["short", "123456789012345", &"x".repeat(300)] {
        let (session, _) = test.open();
        let refused = test.expect_refusal(session, "joinRoom", resume(invalid));
        assert_eq!(refused, "bad-request", "{invalid}");
    }
}

#[test]
fn a_participant_is_never_there_twice() {
    let mut test = TestConference::new();
    let (ben, _) = test.join("room");
    let (first, first_peer, _) = test.join_resuming(ANA);
    test.take_frames(ben);
    // The first connection is not yet known to be lost.
    let (second, second_peer, joined) = test.join_resuming(ANA);
    assert_eq!(joined["payload"]["peers"].as_array().unwrap().len(), 1);
    let frames = test.take_frames(ben);
    let expected = [
        json!({"type": "peerLeft", "payload": {"peerId": first_peer}}),
        json!({"type": "newPeer", "payload": {"peerId": second_peer}}),
    ];
    assert_eq!(frames, expected);
    let removed = test.take_frames(first).pop().unwrap();
    assert_eq!(removed["payload"]["reason"], "replaced");
    assert_eq!(test.conference.gauges().participants, 2);
    test.close(first);
    let (_third, ..) = test.join_resuming(ANA);
    assert_eq!(
        test.take_frames(second).pop().unwrap()["payload"]["reason"],
        "replaced"
    );
}

#[test]
fn whoever_was_inside_comes_back_with_its_role_and_whoever_waited_waits() {
    let mut test = TestConference::new();
    let (host, _) = test.join("room");
    let (ben, ben_peer, _) = test.join_resuming(BEN);
    test.moderate(host, json!({"action": "demote", "peerId": ben_peer}));
    test.require_approval(host);
    test.close(ben);
    let (_, _, joined) = test.join_resuming(BEN);
    assert_eq!(joined["payload"]["role"], "viewer");
    for _ in 0..2 {
        let (_, _, waiting) = test.join_resuming(ANA);
        assert_eq!(waiting["type"], "waiting");
        assert_eq!(test.conference.gauges().waiting, 1);
    }
}

#[test]
fn a_removed_participant_has_no_seat() {
    let mut test = TestConference::new();
    let (host, _) = test.join("room");
    let (ben, peer, _) = test.join_resuming(BEN);
    test.moderate(host, json!({"action": "remove", "peerId": peer}));
    test.require_approval(host);
    test.close(ben);
    let (_, _, joined) = test.join_resuming(BEN);
    assert_eq!(joined["type"], "waiting");
}

#[test]
fn a_banned_participant_cannot_come_back_while_the_room_lasts() {
    let user = |id: &str| Some(token_keys().issue_user_token(id, "x@example.org", UNIX_S));
    let mut test = TestConference::new();
    let host = test.open_from(1, None);
    test.request(host, "joinRoom", json!({"roomId": "room"}));
    let plain = json!({"roomId": "room"});

    // By the user in a token.
    let ben = test.open_from(2, user("ben"));
    test.request(ben, "joinRoom", plain.clone());
    let peer = test.take_frames(host).pop().unwrap()["payload"]["peerId"].clone();
    test.moderate(
        host,
        json!({"action": "remove", "peerId": peer, "ban": true}),
    );
    assert_eq!(
        test.take_frames(ben).pop().unwrap()["payload"]["reason"],
        "removed"
    );
    assert_eq!(test.join_outcome(ben, plain.clone()), "banned");
    for (client, token, expected) in [
        (3, user("ben"), "banned"),
        (2, user("ana"), "roomJoined"),
        (2, None, "roomJoined"),
    ] {
        let session = test.open_from(client, token);
        assert_eq!(test.join_outcome(session, plain.clone()), expected);
        test.close(session);
    }

    // By the secret of the client and, where nobody shares it, by the address.
    let eve = test.open_from(4, None);
    test.request(eve, "joinRoom", resume(BEN));
    let peer = test.take_frames(host).pop().unwrap()["payload"]["peerId"].clone();
    test.moderate(
        host,
        json!({"action": "remove", "peerId": peer, "ban": true}),
    );
    for (client, token, payload, expected) in [
        (5, None, resume(BEN), "banned"),
        (4, None, plain.clone(), "banned"),
        (4, None, resume(ANA), "banned"),
        (4, user("ana"), plain.clone(), "roomJoined"),
        (5, None, plain.clone(), "roomJoined"),
    ] {
        let session = test.open_from(client, token);
        assert_eq!(test.join_outcome(session, payload), expected);
        test.close(session);
    }

    // The ban ends with the room.
    test.close(host);
    let session = test.open_from(4, None);
    assert_eq!(test.join_outcome(session, plain), "roomJoined");
}

#[test]
fn an_address_that_others_share_is_not_banned() {
    let mut test = TestConference::new();
    let host = test.open_from(1, None);
    test.request(host, "joinRoom", json!({"roomId": "room"}));
    let ben = test.open_from(1, None);
    test.request(ben, "joinRoom", resume(BEN));
    let peer = test.take_frames(host).pop().unwrap()["payload"]["peerId"].clone();
    test.moderate(
        host,
        json!({"action": "remove", "peerId": peer, "ban": true}),
    );
    let cara = test.open_from(1, None);
    assert_eq!(
        test.join_outcome(cara, json!({"roomId": "room"})),
        "roomJoined"
    );
    let again = test.open_from(1, None);
    assert_eq!(test.join_outcome(again, resume(BEN)), "banned");
}

#[test]
fn a_banned_applicant_cannot_ask_again_and_programs_can_ban_too() {
    let mut test = TestConference::new();
    let (host, _) = test.join("room");
    test.require_approval(host);
    let (_, peer, _) = test.join_resuming(BEN);
    test.moderate(host, json!({"action": "deny", "peerId": peer, "ban": true}));
    let (again, _) = test.open();
    assert_eq!(
        test.expect_refusal(again, "joinRoom", resume(BEN)),
        "banned"
    );

    test.moderate(host, json!({"action": "setPolicy", "policy": "open"}));
    let (_, peer, _) = test.join_resuming(ANA);
    let ban = AdminRequest::Moderate {
        room: "room".to_owned(),
        moderation: Moderation::Remove { peer, ban: true },
    };
    test.conference.handle_admin_request(test.now, ban).unwrap();
    test.drain();
    let (again, _) = test.open();
    assert_eq!(
        test.expect_refusal(again, "joinRoom", resume(ANA)),
        "banned"
    );
}

#[test]
fn a_connection_is_closed_when_its_token_expires_if_the_policy_says_so() {
    for disconnect in [true, false] {
        let mut test = TestConference::with(ConferenceConfig {
            expired_tokens_disconnect: disconnect,
            ..config()
        });
        // The first brings its token when it connects, the second when it joins.
        let token = token_keys().issue_invite("room", UNIX_S - 24 * 3_600 + 60);
        let first = test.open_with(ConnectRequest {
            token: Some(token.clone()),
            ..ConnectRequest::new(DialectKind::Native)
        });
        test.take_frames(first);
        test.join_room(first, "room");
        let (second, _) = test.open();
        let join = json!({"roomId": "room", "token": token});
        test.expect_reply(second, "joinRoom", join, "roomJoined");
        let (without, _) = test.join("room");
        test.advance(Duration::from_secs(55));
        assert_eq!(test.closed.len(), 0);
        test.advance(Duration::from_secs(9));
        let expected = disconnect.then_some(&1008);
        assert_eq!(test.closed.get(&first), expected);
        assert_eq!(test.closed.get(&second), expected);
        assert_eq!(test.closed.get(&without), None);
        for session in [first, second, without] {
            test.close(session);
        }
        test.assert_empty();
    }
}

fn reserve(room: &str, client: Option<u128>) -> AdminRequest {
    AdminRequest::CreateRoom {
        room: room.to_owned(),
        host_name: None,
        title: None,
        policy: Some(Policy::Open),
        has_host_token: false,
        last_n_video: None,
        top_n_audio: None,
        creator: RoomCreator::Client(client.map(ClientKey)),
    }
}

#[test]
fn a_room_that_nobody_enters_ends_after_minutes() {
    let mut test = TestConference::new();
    let request = reserve("room", Some(1));
    test.conference
        .handle_admin_request(test.now, request)
        .unwrap();
    test.advance(Duration::from_secs(890));
    assert_eq!(test.conference.gauges().rooms, 1);
    test.advance(Duration::from_secs(20));
    test.assert_empty();
}

#[test]
fn a_client_has_a_share_of_the_rooms_that_nobody_has_entered() {
    let mut test = TestConference::with_limits(ConferenceLimits {
        unentered_rooms_per_client_max: 3,
        ..ConferenceLimits::default()
    });
    let create = |test: &mut TestConference, room: &str, client| {
        let request = reserve(room, client);
        let created = test.conference.handle_admin_request(test.now, request);
        created.map(|_| ())
    };
    let full = Err(Refusal::LimitReached("rooms that nobody has entered"));
    for room in ["a", "b", "c"] {
        assert_eq!(create(&mut test, room, Some(1)), Ok(()));
    }
    assert_eq!(create(&mut test, "d", Some(1)), full);
    assert_eq!(create(&mut test, "e", Some(2)), Ok(()));
    for n in 0..5 {
        assert_eq!(create(&mut test, &format!("nobody's {n}"), None), Ok(()));
    }
    // A room that somebody enters, that is closed or that ends makes place.
    let (ana, _) = test.join("a");
    assert_eq!(create(&mut test, "d", Some(1)), Ok(()));
    let delete = AdminRequest::DeleteRoom {
        room: "b".to_owned(),
    };
    test.conference
        .handle_admin_request(test.now, delete)
        .unwrap();
    assert_eq!(create(&mut test, "f", Some(1)), Ok(()));
    assert_eq!(create(&mut test, "g", Some(1)), full);
    test.advance(Duration::from_secs(1_000));
    assert_eq!(create(&mut test, "g", Some(1)), Ok(()));
    test.advance(Duration::from_secs(1_000));
    test.close(ana);
    test.assert_empty();
}
