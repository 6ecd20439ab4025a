//! Calls without the media server, and what is said in the room.

use serde_json::{Value, json};
use watersmeet_conference::SessionId;

use super::*;

/// A user who can be called.
fn ready(world: &mut World, id: &str) -> SessionId {
    let session = world.user(id);
    let state = json!({"audioEnabled": true, "videoEnabled": false});
    let heard = world.hear(
        session,
        "ready",
        json!({"roomId": "r", "mediaState": state}),
    );
    assert_eq!(heard[0]["event"], "room-data", "{heard:?}");
    session
}

#[test]
fn clients_call_one_another_without_the_media_server() {
    let mut world = World::new();
    let ben = ready(&mut world, "ben");
    let native = world.joined("r").0;
    let watcher = world.settled("carl");
    world.all(ben);
    let ana = world.user("ana");
    let state = json!({"audio": false, "video": true});
    let heard = world.hear(ana, "ready", json!({"roomId": "r", "mediaState": state}));
    assert_eq!(
        names(&heard),
        ["room-data", "media-state-update", "initiate-connection"]
    );
    assert_eq!(
        heard[0]["payload"]["participants"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(heard[0]["payload"]["participantInfo"]["ben"], info("ben"));
    let on = json!({"audioEnabled": true, "videoEnabled": true});
    assert_eq!(heard[0]["payload"]["mediaState"]["ben"], on);
    let state = json!({"userId": "ben", "audioEnabled": true, "videoEnabled": false});
    assert_eq!(heard[1]["payload"], state);
    let initiate = |id: &str, first: bool| {
        event(
            "initiate-connection",
            json!({"targetUserId": id, "isInitiator": first}),
        )
    };
    assert_eq!(heard[2], initiate("ben", true));
    let joined = json!({"userId": "ana", "userEmail": "ana@example.org"});
    let state = json!({"userId": "ana", "audioEnabled": false, "videoEnabled": true});
    let expected = [
        event("user-joined", joined),
        event("media-state-update", state),
        initiate("ana", false),
    ];
    assert_eq!(world.all(ben), expected);
    assert_eq!(names(&world.all(watcher)), ["participant-joined"]);
    assert_eq!(world.types(native).len(), 2);

    let offer = json!({"type": "offer", "sdp": "v=0"});
    let answer = json!({"type": "answer", "sdp": "v=0"});
    let candidate =
        json!({"candidate": "c", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "u"});
    for (said, heard, field, value) in [
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
        assert_eq!(world.hear(ana, said, payload), NOTHING, "{said}");
        assert_eq!(
            world.all(ben),
            [event(heard, json!({"from": "ana", field: value}))]
        );
    }
    for name in [
        "screen-share-started",
        "screen-share-ready",
        "screen-share-stopped",
    ] {
        assert_eq!(
            world.hear(ana, name, json!({"roomId": "r", "evil": 1})),
            NOTHING
        );
        let by = json!({"from": "ana", "userId": "ana", "userEmail": "ana@example.org"});
        assert_eq!(world.all(ben), [event(name, by)], "{name}");
    }
    assert_eq!(world.all(watcher), NOTHING);
    for name in ["chat:typing-start", "chat:typing-stop"] {
        world.say(ana, name, json!({"userId": "carl"}));
        let by = json!({"userId": "ana", "userEmail": "ana@example.org"});
        assert_eq!(world.all(ben), [event(name, by.clone())]);
        assert_eq!(world.all(watcher), [event(name, by)]);
    }
    world.say(
        ana,
        "chat:message",
        json!({"message": "hello", "userId": "carl"}),
    );
    let said = json!({"userId": "ana", "userEmail": "ana@example.org", "message": "hello"});
    assert_eq!(world.all(ben), [event("chat:message", said)]);

    // Whoever has left is nobody's error.
    let late = json!({"to": "dora", "candidate": candidate});
    assert_eq!(world.hear(ana, "ice-candidate", late), NOTHING);
    let long = json!({"to": "ben", "offer": {"type": "offer", "sdp": "x".repeat(50_000)}});
    assert_eq!(world.fails(ana, "call-user", long), "Failed to send signal");
    let long = json!({"to": "ben", "candidate": {"candidate": "x".repeat(2_000)}});
    assert_eq!(
        world.fails(ana, "ice-candidate", long),
        "Failed to send signal"
    );
    assert_eq!(world.all(ben), NOTHING);

    // Getting ready again makes both begin again, once.
    let heard = world.hear(ana, "ready", json!({"roomId": "r"}));
    assert_eq!(
        names(&heard),
        ["room-data", "media-state-update", "initiate-connection"]
    );
    assert_eq!(world.all(ben).len(), 3);
    world.say(ana, "user-left", json!({}));
    let left = json!({"participantId": "ana"});
    assert_eq!(
        world.all(watcher).last(),
        Some(&event("participant-left", left))
    );
    assert_eq!(
        world.all(ben),
        [event("user-left", json!({"userId": "ana"}))]
    );
}

#[test]
fn signals_reach_nobody_in_another_room() {
    let mut world = World::new();
    let ben = ready(&mut world, "ben");
    let eve = world.user("eve");
    world.say(eve, "ready", json!({"roomId": "other"}));
    let offer = json!({"to": "ben", "offer": {"type": "offer", "sdp": ""}});
    assert_eq!(world.hear(eve, "call-user", offer), NOTHING);
    world.say(eve, "screen-share-started", json!({"roomId": "r"}));
    world.say(eve, "chat:message", json!({"roomId": "r", "message": "hi"}));
    assert_eq!(world.all(ben), NOTHING);
}
