//! Admission, roles and leaving.

use serde_json::{Value, json};
use watersmeet_conference::Namespace;

use super::*;

#[test]
fn a_host_admits_promotes_and_demotes() {
    let mut test = TestConference::new();
    let (ana, answer) = test.rmm_join_with_roles("Ana");
    assert_eq!(answer["yourRole"], "host");
    assert_eq!(answer["yourSocketId"], json!(ana.sid));
    let video = test.rmm_produce(&ana, "video");

    let (ben, answer) = test.rmm_join_with_roles("Ben");
    let expected = json!({
        "rtpCapabilitiesRouter": capabilities(), "existingProducers": [], "participants": [],
        "yourRole": "waiting", "yourSocketId": ben.sid,
    });
    assert_eq!(answer, expected);
    let request = json!({
        "peerId": ben.sid, "userId": "user-Ben", "displayName": "Ben",
        "message": "Ben requests to join",
    });
    assert_eq!(
        test.take_frames(ana.session),
        [event("joinRequest", request)]
    );
    for (name, payload) in [
        ("createTransport", json!({"kind": "send"})),
        ("consume", consume(&video)),
        ("requestSpeakingPermission", json!({})),
        ("approveJoin", json!({"peerId": ben.sid})),
    ] {
        assert_eq!(
            test.rmm_error(&ben, name, payload),
            "Not in a room",
            "{name}"
        );
    }

    let approved = test.rmm_request(&ana, "approveJoin", json!({"peerId": ben.sid}));
    assert_eq!(approved, json!({"approved": true, "promoted": false}));
    let named = json!({"peerId": ben.sid, "displayName": "Ben"});
    let viewer = json!({"peerId": ben.sid, "displayName": "Ben", "role": "consumer"});
    let speaker = json!({"peerId": ben.sid, "displayName": "Ben", "role": "producer"});
    let expected = [
        event("peerJoined", named),
        event("peerApproved", viewer.clone()),
    ];
    assert_eq!(test.take_frames(ana.session), expected);
    let expected = json!({
        "message": "You were let in", "promote": false,
        "rtpCapabilitiesRouter": capabilities(),
        "existingProducers": [{
            "peerId": ana.sid, "producerId": video, "kind": "video", "producerDisplayName": "Ana",
        }],
        "participants": [
            {"id": ana.sid, "displayName": "Ana", "role": "host", "userId": "user-Ana"},
            {"id": ben.sid, "displayName": "Ben", "role": "consumer", "userId": "user-Ben"},
        ],
    });
    assert_eq!(
        test.take_frames(ben.session),
        [event("joinApproved", expected)]
    );

    // A viewer can neither produce nor moderate.
    let send = test.rmm_request(&ben, "createTransport", json!({"kind": "send"}));
    let audio = produce(text(&send["id"]), "audio");
    assert_eq!(
        test.rmm_error(&ben, "produce", audio.clone()),
        "Not allowed"
    );
    let myself = json!({"peerId": ben.sid});
    for name in ["approveJoin", "promoteToProducer", "demoteToConsumer"] {
        assert_eq!(
            test.rmm_error(&ben, name, myself.clone()),
            "Not allowed",
            "{name}"
        );
    }
    let requested = test.rmm_request(&ben, "requestSpeakingPermission", json!({}));
    assert_eq!(requested, json!({"requested": true}));
    let request = json!({"peerId": ben.sid, "userId": "user-Ben", "displayName": "Ben"});
    assert_eq!(
        test.take_frames(ana.session),
        [event("speakingPermissionRequest", request)]
    );

    let promoted = test.rmm_request(&ana, "promoteToProducer", myself.clone());
    assert_eq!(promoted, json!({"promoted": true}));
    let message = json!({"message": "You may speak now"});
    assert_eq!(
        test.take_frames(ben.session),
        [event("promotedToProducer", message)]
    );
    assert_eq!(
        test.take_frames(ana.session),
        [event("peerPromoted", speaker)]
    );
    let produced = test.rmm_request(&ben, "produce", audio);
    // A speaker cannot moderate.
    assert_eq!(
        test.rmm_error(&ben, "demoteToConsumer", myself.clone()),
        "Not allowed"
    );
    assert_eq!(test.take_frames(ana.session).len(), 1);

    let demoted = test.rmm_request(&ana, "demoteToConsumer", myself);
    assert_eq!(demoted, json!({"demoted": true}));
    let closed = json!({"producerId": produced["id"], "producerSocketId": ben.sid});
    let expected = [
        event("producerClosed", closed.clone()),
        event("peerDemoted", viewer),
    ];
    assert_eq!(test.take_frames(ana.session), expected);
    let message = json!({"message": "You may only watch now"});
    let expected = [
        event("producerClosed", closed),
        event("demotedToConsumer", message),
    ];
    assert_eq!(test.take_frames(ben.session), expected);
}

#[test]
fn a_client_without_roles_is_answered_when_it_is_admitted() {
    let mut test = TestConference::new();
    let (ana, _) = test.rmm_join_with_roles("Ana");
    let join = json!({"roomId": "r", "displayName": "Ben"});
    let ben = test.rmm_open();
    let answer = test.emit_with_ack(ben.session, Namespace::Main, "join", join.clone());
    assert_eq!(answer, None);
    test.rmm_request(
        &ana,
        "approveJoin",
        json!({"peerId": ben.sid, "promote": true}),
    );
    let frames = test.take_frames(ben.session);
    assert_eq!(frames.len(), 1);
    assert_eq!(
        frames[0]["payload"]["participants"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(frames[0]["payload"]["yourRole"], Value::Null);
    assert!(!test.rmm_produce(&ben, "audio").is_empty());

    // A repeated `join` refuses the first one; a denied client is told so.
    let eve = test.rmm_open();
    assert_eq!(
        test.emit_with_ack(eve.session, Namespace::Main, "join", join.clone()),
        None
    );
    assert_eq!(
        test.emit_with_ack(eve.session, Namespace::Main, "join", join),
        None
    );
    let frames = test.take_frames(eve.session);
    assert_eq!(frames.len(), 1);
    assert_eq!(
        frames[0]["payload"],
        json!({"error": "Failed to join room"})
    );
    // This dialect has no request to deny, so a native host with a token does.
    let nora = test.join_as_host("r");
    let deny = json!({"action": "deny", "peerId": eve.sid});
    test.moderate(nora, deny);
    let frames = test.take_frames(eve.session);
    assert_eq!(
        frames[0]["payload"],
        json!({"error": "Failed to join room"})
    );
    assert_eq!(test.closed.get(&eve.session), Some(&1000));
}

#[test]
fn an_invitation_admits_to_its_room_only() {
    let keys = token_keys();
    let mut test = TestConference::new();
    let ana = test.rmm_open();
    let invite = keys.issue_invite("r", UNIX_S);
    let answer = test.rmm_request(&ana, "join", json!({"inviteToken": invite}));
    assert_eq!(answer["participants"].as_array().unwrap().len(), 1);
    let elsewhere = json!({"roomId": "other", "inviteToken": invite});
    assert_eq!(
        test.rmm_error(&ana, "join", elsewhere),
        "Invalid invite token"
    );
    // The refused join has not left the current room.
    let transport = test.rmm_request(&ana, "createTransport", json!({}));
    assert!(transport["id"].is_string());
}

#[test]
fn a_client_can_change_rooms_and_come_back_on_one_connection() {
    let mut test = TestConference::new();
    let ana = test.rmm_join("Ana");
    let video = test.rmm_produce(&ana, "video");
    let ben = test.rmm_join("Ben");
    test.rmm_request(&ben, "consume", consume(&video));
    test.take_frames(ana.session);

    test.rmm_request(
        &ben,
        "join",
        json!({"roomId": "other", "displayName": "Ben"}),
    );
    let left = json!({"peerId": ben.sid, "displayName": "Ben"});
    assert_eq!(
        test.take_frames(ana.session),
        [event("peerLeft", left.clone())]
    );
    let answer = test.rmm_request(&ben, "join", json!({"displayName": "Ben"}));
    assert_eq!(answer["existingProducers"][0]["producerId"], json!(video));
    assert_eq!(answer["existingProducers"].as_array().unwrap().len(), 1);
    assert_eq!(test.take_frames(ana.session), [event("peerJoined", left)]);
    let consumed = test.rmm_request(&ben, "consume", consume(&video));
    assert!(consumed["iceParameters"].is_object(), "{consumed}");

    // Joining the room again restarts media without announcing a new participant.
    test.rmm_request(&ben, "join", json!({"displayName": "Ben"}));
    assert_eq!(test.take_frames(ana.session), [] as [Value; 0]);
    let again = test.rmm_request(&ben, "consume", consume(&video));
    assert_ne!(again["transportId"], consumed["transportId"]);
    test.close(ana.session);
    test.close(ben.session);
    test.assert_empty();
}

#[test]
fn native_and_rmm_clients_can_join_one_room() {
    let mut test = TestConference::new();
    let ana = test.rmm_join("Ana");
    let (nora, nora_peer) = test.join("r");
    let joined = json!({"peerId": nora_peer, "displayName": ""});
    assert_eq!(test.take_frames(ana.session), [event("peerJoined", joined)]);
    let send = test.create_transport(nora, "send");
    let audio = test.produce(nora, &send, "audio");
    let expected = json!({
        "producerId": audio, "producerSocketId": nora_peer, "kind": "audio",
        "producerDisplayName": "",
    });
    assert_eq!(
        test.take_frames(ana.session),
        [event("newProducer", expected)]
    );
    test.expect_reply(
        nora,
        "closeProducer",
        json!({"producerId": audio}),
        "closedProducer",
    );
    let closed = json!({"producerId": audio, "producerSocketId": nora_peer});
    assert_eq!(
        test.take_frames(ana.session),
        [event("producerClosed", closed)]
    );

    // A native participant that is no host cannot moderate.
    let moderate = json!({"action": "remove", "peerId": ana.sid});
    assert_eq!(test.expect_refusal(nora, "moderate", moderate), "forbidden");
    let muted = json!({"action": "mute", "peerId": ana.sid});
    assert_eq!(test.expect_refusal(nora, "moderate", muted), "forbidden");
    assert_eq!(test.take_frames(ana.session), [] as [Value; 0]);
}

#[test]
fn a_removed_client_is_disconnected_with_code_1000() {
    let mut test = TestConference::new();
    let (nora, _) = test.join("r");
    let ana = test.rmm_join("Ana");
    let moderate = json!({"action": "remove", "peerId": ana.sid});
    test.moderate(nora, moderate);
    assert_eq!(test.closed.get(&ana.session), Some(&1000));
    assert_eq!(test.take_frames(ana.session), [] as [Value; 0]);
}

#[test]
fn clients_with_roles_learn_the_roles_and_user_ids_of_all_and_others_learn_neither() {
    let mut test = TestConference::new();
    let (ana, answer) = test.rmm_join_with_roles("Ana");
    let host = json!({"id": ana.sid, "displayName": "Ana", "role": "host", "userId": "user-Ana"});
    assert_eq!(answer["participants"], json!([host]));
    let open = json!({"action": "setPolicy", "policy": "open"});
    let admin = test.join_as_host("r");
    test.moderate(admin, open);
    let native = json!({"displayName": "", "role": "host", "userId": null});
    let (ben, answer) = test.rmm_join_with_roles("Ben");
    let listed = answer["participants"].as_array().unwrap();
    assert_eq!(listed[0], host);
    for (field, value) in native.as_object().unwrap() {
        assert_eq!(listed[1][field], *value, "{field}");
    }
    let expected =
        json!({"id": ben.sid, "displayName": "Ben", "role": "producer", "userId": "user-Ben"});
    assert_eq!(listed[2], expected);

    let cara = test.rmm_open();
    let answer = test.rmm_request(&cara, "join", json!({"displayName": "Cara"}));
    let listed = answer["participants"].as_array().unwrap();
    assert_eq!(listed[0], json!({"id": ana.sid, "displayName": "Ana"}));
}

#[test]
fn a_host_is_asked_about_a_guest_by_name() {
    let mut test = TestConference::new();
    let (ana, _) = test.rmm_join_with_roles("Ana");
    for (name, message) in [
        (json!("Ben"), "Ben requests to join"),
        (json!(""), "Somebody requests to join"),
        (Value::Null, "Somebody requests to join"),
    ] {
        let guest = test.rmm_open();
        test.rmm_request(&guest, "join", json!({"displayName": name, "userId": "u"}));
        let asked = test.take_frames(ana.session).pop().unwrap();
        assert_eq!(asked["payload"]["message"], message);
    }
}
