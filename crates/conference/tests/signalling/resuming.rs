//! Sessions that go on over another connection: what is kept, what is sent again, and when they end.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::limits::DETACHED_SESSIONS_MAX;
use watersmeet_conference::{ConferenceLimits, SessionId};

use super::harness::*;

/// Secret of Ana's client.
const ANA: &str = "ana-0123456789abcdef";

/// Time for which a session waits for its client.
const KEPT: Duration = Duration::from_secs(30);

impl TestConference {
    /// Joins the room `room` as a client that can resume. Returns its connection and its peer id.
    fn join_resumable(&mut self, secret: &str) -> (SessionId, String) {
        let (session, peer) = self.open();
        let payload = json!({"roomId": "room", "resume": secret, "resumable": true});
        let joined = self.request(session, "joinRoom", payload);
        assert_eq!(
            [&joined["type"], &joined["seq"]],
            [&json!("roomJoined"), &json!(1)]
        );
        (session, peer)
    }

    /// Opens a connection and resumes a session there. Returns the connection and the reply.
    fn resume(&mut self, peer: &str, secret: &str, seq: u64) -> (SessionId, Value) {
        let (connection, _) = self.open();
        let payload = json!({"peerId": peer, "resume": secret, "seq": seq});
        let reply = self.request(connection, "resumeSession", payload);
        (connection, reply)
    }

    /// Resumes a session, which must be refused.
    fn expect_no_session(&mut self, peer: &str, secret: &str, seq: u64) {
        let (connection, reply) = self.resume(peer, secret, seq);
        assert_eq!(reply["payload"]["code"], "session-not-found", "{reply}");
        self.close(connection);
    }
}

/// Returns the types of frames with their numbers.
fn numbered(frames: &[Value]) -> Vec<(String, u64)> {
    let numbered = frames.iter();
    numbered
        .map(|it| (text(&it["type"]), it["seq"].as_u64().unwrap()))
        .collect()
}

#[test]
fn a_resumed_session_keeps_its_media_and_gets_what_it_missed() {
    let mut test = TestConference::new();
    let (ana, peer) = test.join_resumable(ANA);
    let (ben, _) = test.join("room");
    let send = test.create_transport(ana, "send");
    let camera = test.produce(ana, &send, "video");
    test.create_transport(ben, "recv");
    test.consume(ben, &camera);
    test.take_frames(ben);
    // `roomJoined`, `transportCreated` and `produced` were replies, `newPeer` a notice.
    let seen = 4;

    test.lose(ana);
    test.advance(Duration::from_secs(5));
    test.expect_reply(ben, "chat", json!({"text": "hello"}), "done");
    let (eve, _) = test.join("room");
    let (again, reply) = test.resume(&peer, ANA, seen);
    assert_eq!(reply["type"], "resumed");
    assert_eq!(reply.get("seq"), None);
    let missed = numbered(&test.take_frames(again));
    let expected = [
        ("chat".to_owned(), seen + 1),
        ("newPeer".to_owned(), seen + 2),
    ];
    assert_eq!(missed, expected);
    assert_eq!(test.take_types(ben), ["newPeer"], "only Eve has come");
    assert_eq!(test.take_types(eve), [""; 0]);

    // The producer still belongs to the session, which is used over the new connection.
    let producer = json!({"producerId": camera});
    test.expect_reply(again, "pauseProducer", producer, "producerPaused");
    assert_eq!(test.take_types(ben), ["producerPaused", "consumerPaused"]);
    test.expect_reply(again, "leaveRoom", json!({}), "roomLeft");
    for session in [again, ben, eve] {
        test.close(session);
    }
    test.assert_empty();
}

#[test]
fn requests_are_answered_once_and_the_client_is_told_which_arrived() {
    let mut test = TestConference::new();
    let (ana, peer) = test.join_resumable(ANA);
    test.executes_immediately = false;
    let pending = test.send_request(ana, "createTransport", json!({"direction": "send"}));
    test.lose(ana);
    test.executes_immediately = true;
    test.drain();
    let (again, reply) = test.resume(&peer, ANA, 1);
    assert_eq!(reply["payload"], json!({"lastRequest": pending}));
    let reply = test.take_reply(again, pending).unwrap();
    assert_eq!(reply["type"], "transportCreated", "{reply}");
    assert_eq!(test.take_frames(again), [json!(null); 0]);
    // A request that was refused has arrived too.
    let refused = test.send_request(again, "nonsense", json!({}));
    test.lose(again);
    let (_, reply) = test.resume(&peer, ANA, 2);
    assert_eq!(reply["payload"], json!({"lastRequest": refused}));
}

#[test]
fn a_session_that_nobody_resumes_ends_half_a_minute_after_its_last_frame() {
    let mut test = TestConference::new();
    let (ana, peer) = test.join_resumable(ANA);
    let (ben, _) = test.join("room");
    test.advance(Duration::from_secs(16));
    test.lose(ana);
    test.advance(Duration::from_secs(13));
    assert_eq!(test.take_types(ben), [""; 0]);
    test.advance(Duration::from_secs(2));
    assert_eq!(test.take_types(ben), ["peerLeft"]);
    test.expect_no_session(&peer, ANA, 1);
    // The seat is still kept.
    let (_, _) = test.join_resumable(ANA);
    assert_eq!(test.take_types(ben), ["newPeer"]);
}

#[test]
fn only_the_secret_resumes_a_session() {
    let mut test = TestConference::new();
    let (ana, peer) = test.join_resumable(ANA);
    let (_, other) = test.join("room");
    test.lose(ana);
    test.expect_no_session(&peer, "ben-0123456789abcdef", 1);
    test.expect_no_session(&other, ANA, 1);
    test.expect_no_session("peer_0", ANA, 1);
    test.expect_no_session(&peer, ANA, 99);
    let (again, reply) = test.resume(&peer, ANA, 1);
    assert_eq!(reply["type"], "resumed");
    let payload = json!({"peerId": peer, "resume": ANA, "seq": 1});
    assert_eq!(
        test.expect_refusal(again, "resumeSession", payload),
        "bad-request"
    );
}

#[test]
fn sessions_end_with_connections_that_are_closed_or_whose_clients_cannot_resume() {
    let mut test = TestConference::new();
    let (ben, _) = test.join("room");
    let (ana, _) = test.join_resumable(ANA);
    test.take_frames(ben);
    test.close(ana);
    assert_eq!(test.take_types(ben), ["peerLeft"]);
    let (carl, _) = test.open();
    let payload = json!({"roomId": "room", "resume": ANA});
    let joined = test.request(carl, "joinRoom", payload);
    assert_eq!(joined.get("seq"), None, "frames have no numbers");
    test.lose(carl);
    assert_eq!(test.take_types(ben), ["newPeer", "peerLeft"]);
    test.close(ben);
    test.advance(Duration::from_secs(200));
    test.assert_empty();
}

#[test]
fn a_session_is_taken_from_a_connection_that_is_not_yet_known_to_be_lost() {
    let mut test = TestConference::new();
    let (ben, _) = test.join("room");
    let (ana, peer) = test.join_resumable(ANA);
    test.take_frames(ben);
    let (again, reply) = test.resume(&peer, ANA, 1);
    assert_eq!(reply["type"], "resumed");
    assert_eq!(test.closed.get(&ana), Some(&1000));
    // Frames and the end of the earlier connection concern the session no more.
    test.send_request(ana, "leaveRoom", json!({}));
    test.lose(ana);
    test.close(ana);
    assert_eq!(test.take_types(ben), [""; 0]);
    test.expect_reply(again, "chat", json!({"text": "here"}), "done");
    assert_eq!(test.take_types(ben), ["chat"]);
    assert_eq!(test.conference.gauges().participants, 2);
}

#[test]
fn frames_that_were_confirmed_or_given_up_are_not_sent_again() {
    let mut test = TestConference::new();
    let (ben, _) = test.join("room");
    let (ana, peer) = test.join_resumable(ANA);
    for n in 0..3 {
        test.expect_reply(ben, "chat", json!({"text": n.to_string()}), "done");
    }
    test.expect_reply(ana, "ping", json!({"seq": 3}), "done");
    test.lose(ana);
    test.expect_no_session(&peer, ANA, 2);
    let (again, reply) = test.resume(&peer, ANA, 3);
    assert_eq!(reply["type"], "resumed");
    let types: Vec<_> = numbered(&test.take_frames(again))
        .into_iter()
        .map(|it| it.0)
        .collect();
    assert_eq!(types, ["chat", "done"]);
    // More than is kept: the page joins again, and takes its own place.
    test.lose(again);
    for _ in 0..300 {
        test.expect_reply(ben, "chat", json!({"text": "x".repeat(1_000)}), "done");
        test.advance(Duration::from_millis(50));
    }
    test.expect_no_session(&peer, ANA, 5);
    test.take_frames(ben);
    test.join_resumable(ANA);
    assert_eq!(test.take_types(ben), ["peerLeft", "newPeer"]);
}

#[test]
fn somebody_who_was_removed_meanwhile_is_told_so() {
    let mut test = TestConference::new();
    let (host, _) = test.join("room");
    let (ana, peer) = test.join_resumable(ANA);
    test.lose(ana);
    test.moderate(host, json!({"action": "remove", "peerId": peer}));
    let (again, _) = test.resume(&peer, ANA, 1);
    let frames = test.take_frames(again);
    assert_eq!(
        frames.last().unwrap()["payload"],
        json!({"reason": "removed"})
    );
}

#[test]
fn a_copy_of_the_tab_takes_the_place_and_the_first_one_is_told_so() {
    let mut test = TestConference::new();
    let (ana, peer) = test.join_resumable(ANA);
    test.lose(ana);
    test.join_resumable(ANA);
    assert_eq!(test.conference.gauges().participants, 1);
    let (again, _) = test.resume(&peer, ANA, 1);
    let frames = test.take_frames(again);
    assert_eq!(
        frames.last().unwrap()["payload"],
        json!({"reason": "replaced"})
    );
}

#[test]
fn somebody_in_the_lobby_keeps_the_place_there() {
    let mut test = TestConference::new();
    let (host, _) = test.join("room");
    test.require_approval(host);
    test.take_frames(host);
    let (ana, peer) = test.open();
    let payload = json!({"roomId": "room", "resume": ANA, "resumable": true});
    test.expect_reply(ana, "joinRoom", payload, "waiting");
    test.lose(ana);
    assert_eq!(test.take_types(host), ["joinRequested"]);
    test.moderate(host, json!({"action": "admit", "peerId": peer}));
    let (again, _) = test.resume(&peer, ANA, 1);
    assert_eq!(test.take_types(again), ["admitted"]);
}

#[test]
fn an_expired_token_ends_a_session_without_a_connection() {
    let mut test = TestConference::with(watersmeet_conference::ConferenceConfig {
        expired_tokens_disconnect: true,
        ..config()
    });
    let (ana, peer) = test.open();
    let token = token_keys().issue_invite("room", UNIX_S);
    let payload = json!({"roomId": "room", "token": token, "resume": ANA, "resumable": true});
    test.expect_reply(ana, "joinRoom", payload, "roomJoined");
    let expiry = test.conference.poll_timeout().since_origin();
    test.advance(expiry - test.now.since_origin() - Duration::from_secs(1));
    test.expect_reply(ana, "ping", json!({}), "done");
    test.lose(ana);
    test.advance(Duration::from_secs(5));
    test.expect_no_session(&peer, ANA, 2);
}

#[test]
fn sessions_without_connections_are_bounded() {
    let mut test = TestConference::with_limits(ConferenceLimits {
        participants_max: DETACHED_SESSIONS_MAX + 2,
        presence_max: 2,
        ..ConferenceLimits::default()
    });
    for n in 0..=DETACHED_SESSIONS_MAX {
        let (session, _) = test.open();
        let payload =
            json!({"roomId": "room", "resume": format!("secret-{n:016}"), "resumable": true});
        test.send_request(session, "joinRoom", payload);
        test.lose(session);
    }
    assert_eq!(test.conference.gauges().sessions, DETACHED_SESSIONS_MAX);
    test.advance(KEPT + Duration::from_secs(160));
    test.assert_empty();
}
