//! Notices to participants in a lobby, titles of rooms, and control characters in names.

use serde_json::json;
use watersmeet_conference::conference::{AdminRequest, RoomCreator};
use watersmeet_conference::message::Policy;

use super::harness::*;

/// Creates the room `room` with a title, in which only the bearer of a token is the host.
fn conference_with_titled_room() -> TestConference {
    let mut test = TestConference::new();
    let request = AdminRequest::CreateRoom {
        room: "room".to_owned(),
        host_name: None,
        title: Some("Weekly meeting".to_owned()),
        policy: Some(Policy::Approval),
        has_host_token: true,
        last_n_video: None,
        top_n_audio: None,
        creator: RoomCreator::Operator,
    };
    let created = test.conference.handle_admin_request(test.now, request);
    created.unwrap();
    test
}

#[test]
fn lobby_is_told_when_the_first_host_comes_and_the_last_one_leaves() {
    let mut test = conference_with_titled_room();
    let state = |present: bool| json!({"roomId": "room", "title": "Weekly meeting", "hostPresent": present});
    let (guest, _) = test.open();
    let waiting = test.expect_reply(guest, "joinRoom", join_request(), "waiting");
    assert_eq!(waiting, state(false));
    let token = token_keys().issue_host_token("room", UNIX_S);
    for _ in 0..2 {
        let (host, _) = test.open();
        let join = json!({"roomId": "room", "token": token});
        let joined = test.expect_reply(host, "joinRoom", join, "roomJoined");
        assert_eq!(joined["title"], "Weekly meeting");
        let received = test.take_frames(guest);
        assert_eq!(received.len(), 1, "{received:?}");
        assert_eq!(received[0]["type"], "waiting");
        assert_eq!(received[0]["payload"], state(true));
        let (late, _) = test.open();
        let waiting = test.expect_reply(late, "joinRoom", join_request(), "waiting");
        assert_eq!(waiting, state(true));
        test.close(late);
        test.close(host);
        assert_eq!(test.take_frames(guest)[0]["payload"], state(false));
    }
    test.close(guest);
}

fn join_request() -> serde_json::Value {
    json!({"roomId": "room"})
}

#[test]
fn display_name_loses_marks_that_turn_the_text_of_others() {
    let mut test = TestConference::new();
    let (ana, _) = test.join("room");
    let (ben, peer) = test.open();
    let join = json!({"roomId": "room", "displayName": "\u{202e}neB\u{0} "});
    test.expect_reply(ben, "joinRoom", join, "roomJoined");
    let expected = json!({"peerId": peer, "displayName": "neB"});
    assert_eq!(test.take_frames(ana)[0]["payload"], expected);
}
