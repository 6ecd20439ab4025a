//! Participants from whom nothing arrives any more, and the others who are told of it.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::SessionId;

use super::harness::*;

/// Time within which the others are told.
const TOLD_WITHIN: Duration = Duration::from_millis(2_900);

impl TestConference {
    fn ping(&mut self, session: SessionId) {
        self.expect_reply(session, "ping", json!({}), "done");
    }

    /// Returns the interruptions of which a client was told, and drops all its other frames.
    fn take_interruptions(&mut self, session: SessionId) -> Vec<(String, bool)> {
        let frames = self.take_frames(session).into_iter();
        let frames = frames.filter(|it| it["type"] == "interruptionChanged");
        let told = frames.map(|it| {
            let payload = &it["payload"];
            let interrupted = payload["interrupted"].as_bool().unwrap();
            (text(&payload["peerId"]), interrupted)
        });
        told.collect()
    }

    fn set_media_arrives(&mut self, arrives: bool) {
        for shard in &mut self.shards {
            shard.hears_media = arrives;
        }
    }
}

#[test]
fn others_are_told_of_a_silent_participant_and_of_its_return() {
    let mut test = TestConference::new();
    let (ana, ana_peer) = test.join("room");
    let (ben, _) = test.join("room");
    test.create_transport(ana, "send");
    test.take_frames(ana);
    for _ in 0..5 {
        test.ping(ana);
        test.ping(ben);
        test.advance(Duration::from_secs(1));
    }
    assert_eq!(test.take_interruptions(ben), []);
    test.ping(ana);
    for _ in 0..29 {
        test.ping(ben);
        test.advance(TOLD_WITHIN / 29);
    }
    assert_eq!(test.take_interruptions(ben), [(ana_peer.clone(), true)]);
    assert_eq!(test.take_interruptions(ana), [], "only the others are told");
    let (carla, _) = test.open();
    let joined = test.join_room(carla, "room");
    assert_eq!(joined["participants"][0]["interrupted"], true, "{joined}");
    test.ping(ana);
    assert_eq!(test.take_interruptions(ben), [(ana_peer.clone(), false)]);
    assert_eq!(test.take_interruptions(carla), [(ana_peer.clone(), false)]);
    let listed = test.expect_reply(carla, "getParticipants", json!({}), "participants");
    assert_eq!(listed["participants"][0]["interrupted"], Value::Null);
    // A second interruption is told too.
    for _ in 0..29 {
        test.ping(ben);
        test.advance(TOLD_WITHIN / 29);
    }
    assert_eq!(test.take_interruptions(ben), [(ana_peer, true)]);
}

#[test]
fn a_participant_is_not_interrupted_while_its_media_arrives() {
    let mut test = TestConference::new();
    let (ana, ana_peer) = test.join("room");
    let (ben, _) = test.join("room");
    test.create_transport(ana, "send");
    test.create_transport(ana, "recv");
    test.set_media_arrives(true);
    test.ping(ana);
    test.advance(Duration::from_secs(10));
    assert_eq!(test.take_interruptions(ben), []);
    test.set_media_arrives(false);
    test.advance(Duration::from_millis(600));
    assert_eq!(test.take_interruptions(ben), [(ana_peer, true)]);
}

#[test]
fn a_participant_whose_shard_does_not_reply_is_interrupted_only_while_it_is_silent() {
    let mut test = TestConference::new();
    let (ana, ana_peer) = test.join("room");
    let (ben, _) = test.join("room");
    test.create_transport(ana, "send");
    test.executes_immediately = false;
    test.ping(ana);
    test.advance(TOLD_WITHIN);
    test.ping(ana);
    test.execute_all_commands();
    assert_eq!(test.take_interruptions(ben), [], "it has spoken meanwhile");
    test.advance(Duration::from_secs(30));
    let told = test.take_interruptions(ben);
    assert_eq!(told, [(ana_peer, true)], "the shard never replied");
}

#[test]
fn clients_that_send_no_pings_are_not_watched() {
    let mut test = TestConference::new();
    let (ana, _) = test.join("room");
    let (ben, _) = test.join("room");
    test.advance(Duration::from_secs(60));
    assert_eq!(test.take_interruptions(ana), []);
    assert_eq!(test.take_interruptions(ben), []);
}

#[test]
fn a_client_outside_of_rooms_may_ping_and_leaves_no_timer() {
    let mut test = TestConference::new();
    let (ana, _) = test.open();
    test.ping(ana);
    test.advance(Duration::from_secs(10));
    test.join_room(ana, "room");
    test.ping(ana);
    test.expect_reply(ana, "leaveRoom", json!({}), "roomLeft");
    test.close(ana);
    test.assert_empty();
}

#[test]
fn nobody_is_interrupted_because_the_server_stood_still() {
    let mut test = TestConference::new();
    let (ana, _) = test.join("room");
    let (ben, _) = test.join("room");
    test.ping(ana);
    // The check is handled late, before the frames that have waited meanwhile.
    test.now = test.now + Duration::from_secs(20);
    test.conference.handle_timeout(test.now);
    test.drain();
    assert_eq!(test.take_interruptions(ben), []);
    test.ping(ana);
    test.advance(Duration::from_secs(2));
    assert_eq!(test.take_interruptions(ben), []);
}

#[test]
fn an_interrupted_participant_that_leaves_is_forgotten() {
    let mut test = TestConference::new();
    let (ana, _) = test.join("room");
    let (ben, _) = test.join("room");
    test.ping(ana);
    test.advance(TOLD_WITHIN);
    test.close(ana);
    test.take_frames(ben);
    test.close(ben);
    test.assert_empty();
}
