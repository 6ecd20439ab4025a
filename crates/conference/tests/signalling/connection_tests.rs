//! Connection tests: what a session may do in one, who else can, and when it ends.

use std::time::Duration;

use serde_json::json;
use watersmeet_conference::conference::LimitedAction;
use watersmeet_conference::limits::{
    CONNECTION_TEST_BYTES_MAX, CONNECTION_TEST_TIMEOUT, CONNECTION_TESTS_MAX,
};
use watersmeet_conference::{ConferenceConfig, SessionId};
use watersmeet_engine::command::Command;

use super::harness::*;

impl TestConference {
    /// Opens a connection and starts a connection test on it.
    fn start_test(&mut self) -> SessionId {
        let (session, _) = self.open();
        self.expect_reply(session, "testConnection", json!({}), "done");
        session
    }
}

#[test]
fn a_test_sends_a_voice_and_receives_it_also_where_rooms_need_tokens() {
    let mut test = TestConference::with(ConferenceConfig {
        rooms_need_token: true,
        ..config()
    });
    let session = test.start_test();
    let send = test.create_transport(session, "send");
    test.create_transport(session, "recv");
    let producer = test.produce(session, &send, "audio");
    test.consume(session, &producer);
    // The client ends it by leaving, and may join then.
    test.expect_reply(session, "leaveRoom", json!({}), "roomLeft");
    test.assert_no_transports();
    assert_eq!(test.conference.gauges().rooms, 0);
    assert_eq!(
        test.expect_refusal(session, "joinRoom", json!({"roomId": "room"})),
        "invalid-token"
    );
}

#[test]
fn a_test_accepts_few_bytes_and_one_transport_for_each_direction() {
    let mut test = TestConference::new();
    test.executes_immediately = false;
    let (session, _) = test.open();
    test.expect_reply(session, "testConnection", json!({}), "done");
    test.send_request(session, "createTransport", json!({"direction": "send"}));
    let options = test
        .commands
        .iter()
        .find_map(|(_, _, command)| match command {
            Command::CreateTransport { options, .. } => Some(options.clone()),
            _ => None,
        });
    assert_eq!(
        options.unwrap().incoming_bytes_max,
        Some(CONNECTION_TEST_BYTES_MAX)
    );
    test.executes_immediately = true;
    test.execute_all_commands();
    let recv = test.create_transport(session, "recv");
    let more = json!({"direction": "send"});
    assert_eq!(
        test.expect_refusal(session, "createTransport", more.clone()),
        "limit-reached"
    );
    // A closed one makes no room: another would accept as many bytes again.
    test.expect_reply(
        session,
        "closeTransport",
        json!({"transportId": recv}),
        "closedTransport",
    );
    assert_eq!(
        test.expect_refusal(session, "createTransport", more),
        "limit-reached"
    );
}

#[test]
fn a_test_has_one_producer_of_audio_and_one_consumer() {
    let mut test = TestConference::new();
    let session = test.start_test();
    let send = test.create_transport(session, "send");
    test.create_transport(session, "recv");
    assert_eq!(
        test.expect_refusal(session, "produce", produce(&send, "video")),
        "forbidden"
    );
    let producer = test.produce(session, &send, "audio");
    assert_eq!(
        test.expect_refusal(session, "produce", produce(&send, "audio")),
        "limit-reached"
    );
    test.consume(session, &producer);
    assert_eq!(
        test.expect_refusal(session, "consume", consume(&producer)),
        "limit-reached"
    );
}

#[test]
fn a_test_ends_when_its_time_is_over() {
    let mut test = TestConference::new();
    let session = test.start_test();
    test.create_transport(session, "send");
    test.advance(CONNECTION_TEST_TIMEOUT - Duration::from_millis(1));
    assert_eq!(test.take_types(session), [""; 0]);
    test.advance(Duration::from_millis(1));
    assert_eq!(test.take_types(session), ["removed"]);
    test.assert_no_transports();
    assert_eq!(test.conference.gauges().rooms, 0);
    test.join_room(session, "room");
}

#[test]
fn a_test_that_ended_early_leaves_no_timer() {
    let mut test = TestConference::new();
    let session = test.start_test();
    test.expect_reply(session, "leaveRoom", json!({}), "roomLeft");
    test.join_room(session, "room");
    test.advance(CONNECTION_TEST_TIMEOUT);
    assert_eq!(test.take_types(session), [""; 0]);
    test.expect_reply(session, "getParticipants", json!({}), "participants");
}

#[test]
fn tests_are_refused_beyond_their_number_and_inside_of_rooms() {
    let mut test = TestConference::new();
    let first = test.start_test();
    for _ in 1..CONNECTION_TESTS_MAX {
        test.start_test();
    }
    let (session, _) = test.open();
    assert_eq!(
        test.expect_refusal(session, "testConnection", json!({})),
        "limit-reached"
    );
    test.close(first);
    test.expect_reply(session, "testConnection", json!({}), "done");
    assert_eq!(
        test.expect_refusal(session, "testConnection", json!({})),
        "bad-request"
    );
    let (inside, _) = test.join("room");
    assert_eq!(
        test.expect_refusal(inside, "testConnection", json!({})),
        "bad-request"
    );
}

#[test]
fn nobody_can_join_the_room_of_a_test() {
    // The same events in another conference tell the name, which no client learns in time.
    let mut twin = TestConference::new();
    let session = twin.start_test();
    let left = twin.expect_reply(session, "leaveRoom", json!({}), "roomLeft");
    let mut test = TestConference::new();
    test.start_test();
    let (other, _) = test.open();
    let join = json!({"roomId": left["roomId"]});
    assert_eq!(
        test.expect_refusal(other, "joinRoom", join.clone()),
        "room-not-found"
    );
    // In the other conference the test is over, and the name is like any other.
    twin.expect_reply(session, "joinRoom", join, "roomJoined");
}

#[test]
fn a_test_counts_like_a_created_room() {
    let mut test = TestConference::new();
    let session = test.start_test();
    assert_eq!(
        test.conference.poll_limited_action(),
        Some((session, LimitedAction::RoomCreated))
    );
}
