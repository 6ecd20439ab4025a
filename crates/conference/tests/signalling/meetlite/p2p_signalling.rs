//! Peer-to-peer calls and chat.

use serde_json::{Value, json};
use watersmeet_conference::SessionId;

use super::*;

/// Opens a connection of a user who accepts calls.
fn open_ready_user(test: &mut TestConference, id: &str) -> SessionId {
    let session = test.open_user(id);
    let state = json!({"audioEnabled": true, "videoEnabled": false});
    let received = test.emit_and_read(
        session,
        "ready",
        json!({"roomId": "r", "mediaState": state}),
    );
    assert_eq!(received[0]["event"], "room-data", "{received:?}");
    session
}

#[test]
fn clients_call_one_another_without_the_media_server() {
    let mut test = TestConference::new();
    let ben = open_ready_user(&mut test, "ben");
    let native = test.join("r").0;
    let sfu_user = test.join_user_with_media("carl");
    test.take_frames(ben);
    let ana = test.open_user("ana");
    let state = json!({"audio": false, "video": true});
    let received = test.emit_and_read(ana, "ready", json!({"roomId": "r", "mediaState": state}));
    assert_eq!(
        event_names(&received),
        ["room-data", "media-state-update", "initiate-connection"]
    );
    assert_eq!(
        received[0]["payload"]["participants"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(
        received[0]["payload"]["participantInfo"]["ben"],
        user_info("ben")
    );
    let on = json!({"audioEnabled": true, "videoEnabled": true});
    assert_eq!(received[0]["payload"]["mediaState"]["ben"], on);
    let state = json!({"userId": "ben", "audioEnabled": true, "videoEnabled": false});
    assert_eq!(received[1]["payload"], state);
    let initiate = |id: &str, first: bool| {
        event(
            "initiate-connection",
            json!({"targetUserId": id, "isInitiator": first}),
        )
    };
    assert_eq!(received[2], initiate("ben", true));
    let joined = json!({"userId": "ana", "userEmail": "ana@example.org"});
    let state = json!({"userId": "ana", "audioEnabled": false, "videoEnabled": true});
    let expected = [
        event("user-joined", joined),
        event("media-state-update", state),
        initiate("ana", false),
    ];
    assert_eq!(test.take_frames(ben), expected);
    assert_eq!(
        event_names(&test.take_frames(sfu_user)),
        ["participant-joined"]
    );
    assert_eq!(test.take_types(native).len(), 2);

    let offer = json!({"type": "offer", "sdp": "v=0"});
    let answer = json!({"type": "answer", "sdp": "v=0"});
    let candidate =
        json!({"candidate": "c", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "u"});
    for (sent, received, field, value) in [
        ("call-user", "call-user", "offer", &offer),
        ("make-answer", "answer-made", "answer", &answer),
        ("ice-candidate", "ice-candidate", "candidate", &candidate),
        ("ice-candidate", "ice-candidate", "candidate", &Value::Null),
        ("screen-share-call", "screen-share-call", "offer", &offer),
        (
            "screen-share-answer",
            "screen-share-answer",
            "answer",
            &answer,
        ),
        (
            "screen-share-candidate",
            "screen-share-candidate",
            "candidate",
            &candidate,
        ),
    ] {
        let mut value_said = value.clone();
        if let Some(fields) = value_said.as_object_mut() {
            fields.insert("__proto__".to_owned(), json!({"isAdmin": true}));
        }
        let payload = json!({"to": "ben", field: value_said, "from": "carl", "userId": "carl"});
        assert_eq!(test.emit_and_read(ana, sent, payload), NO_FRAMES, "{sent}");
        assert_eq!(
            test.take_frames(ben),
            [event(received, json!({"from": "ana", field: value}))]
        );
    }
    for name in [
        "screen-share-started",
        "screen-share-ready",
        "screen-share-stopped",
    ] {
        assert_eq!(
            test.emit_and_read(ana, name, json!({"roomId": "r", "evil": 1})),
            NO_FRAMES
        );
        let by = json!({"from": "ana", "userId": "ana", "userEmail": "ana@example.org"});
        assert_eq!(test.take_frames(ben), [event(name, by)], "{name}");
    }
    assert_eq!(test.take_frames(sfu_user), NO_FRAMES);
    for name in ["chat:typing-start", "chat:typing-stop"] {
        test.emit_main(ana, name, json!({"userId": "carl"}));
        let by = json!({"userId": "ana", "userEmail": "ana@example.org"});
        assert_eq!(test.take_frames(ben), [event(name, by.clone())]);
        assert_eq!(test.take_frames(sfu_user), [event(name, by)]);
    }
    test.emit_main(
        ana,
        "chat:message",
        json!({"message": "hello", "userId": "carl"}),
    );
    let sent = json!({"userId": "ana", "userEmail": "ana@example.org", "message": "hello"});
    assert_eq!(test.take_frames(ben), [event("chat:message", sent)]);

    // A message to a participant that has left is not an error.
    let late = json!({"to": "dora", "candidate": candidate});
    assert_eq!(test.emit_and_read(ana, "ice-candidate", late), NO_FRAMES);
    let long = json!({"to": "ben", "offer": {"type": "offer", "sdp": "x".repeat(50_000)}});
    assert_eq!(
        test.emit_error_message(ana, "call-user", long),
        "Failed to send signal"
    );
    let long = json!({"to": "ben", "candidate": {"candidate": "x".repeat(2_000)}});
    assert_eq!(
        test.emit_error_message(ana, "ice-candidate", long),
        "Failed to send signal"
    );
    assert_eq!(test.take_frames(ben), NO_FRAMES);

    // A second `ready` starts the call of both again, once.
    let received = test.emit_and_read(ana, "ready", json!({"roomId": "r"}));
    assert_eq!(
        event_names(&received),
        ["room-data", "media-state-update", "initiate-connection"]
    );
    assert_eq!(test.take_frames(ben).len(), 3);
    test.emit_main(ana, "user-left", json!({}));
    let left = json!({"participantId": "ana"});
    assert_eq!(
        test.take_frames(sfu_user).last(),
        Some(&event("participant-left", left))
    );
    assert_eq!(
        test.take_frames(ben),
        [event("user-left", json!({"userId": "ana"}))]
    );
}

#[test]
fn messages_are_not_delivered_to_another_room() {
    let mut test = TestConference::new();
    let ben = open_ready_user(&mut test, "ben");
    let eve = test.open_user("eve");
    test.emit_main(eve, "ready", json!({"roomId": "other"}));
    let offer = json!({"to": "ben", "offer": {"type": "offer", "sdp": ""}});
    assert_eq!(test.emit_and_read(eve, "call-user", offer), NO_FRAMES);
    test.emit_main(eve, "screen-share-started", json!({"roomId": "r"}));
    test.emit_main(eve, "chat:message", json!({"roomId": "r", "message": "hi"}));
    assert_eq!(test.take_frames(ben), NO_FRAMES);
}
