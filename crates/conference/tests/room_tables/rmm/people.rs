//! Who comes in, who lets in whom, and how everybody goes.

use serde_json::{Value, json};
use watersmeet_conference::Namespace;
use watersmeet_conference::access::TokenKeys;

use super::*;

#[test]
fn a_host_lets_in_promotes_and_demotes() {
    let mut world = World::new();
    let (ana, answer) = world.rmm_user("Ana");
    assert_eq!(answer["yourRole"], "host");
    assert_eq!(answer["yourSocketId"], json!(ana.sid));
    let video = world.rmm_produce(&ana, "video");

    let (ben, answer) = world.rmm_user("Ben");
    let expected = json!({
        "rtpCapabilitiesRouter": capabilities(), "existingProducers": [], "participants": [],
        "yourRole": "waiting", "yourSocketId": ben.sid,
    });
    assert_eq!(answer, expected);
    let request = json!({
        "peerId": ben.sid, "userId": "user-Ben", "displayName": "Ben",
        "message": "Somebody wants to join",
    });
    assert_eq!(world.all(ana.session), [event("joinRequest", request)]);
    for (name, payload) in [
        ("createTransport", json!({"kind": "send"})),
        ("consume", consume(&video)),
        ("requestSpeakingPermission", json!({})),
        ("approveJoin", json!({"peerId": ben.sid})),
    ] {
        assert_eq!(
            world.rmm_error(&ben, name, payload),
            "Not in a room",
            "{name}"
        );
    }

    let approved = world.rmm_ask(&ana, "approveJoin", json!({"peerId": ben.sid}));
    assert_eq!(approved, json!({"approved": true, "promoted": false}));
    let named = json!({"peerId": ben.sid, "displayName": "Ben"});
    let watcher = json!({"peerId": ben.sid, "displayName": "Ben", "role": "consumer"});
    let speaker = json!({"peerId": ben.sid, "displayName": "Ben", "role": "producer"});
    let expected = [
        event("peerJoined", named),
        event("peerApproved", watcher.clone()),
    ];
    assert_eq!(world.all(ana.session), expected);
    let expected = json!({
        "message": "You were let in", "promote": false,
        "rtpCapabilitiesRouter": capabilities(),
        "existingProducers": [{
            "peerId": ana.sid, "producerId": video, "kind": "video", "producerDisplayName": "Ana",
        }],
        "participants": [
            {"id": ana.sid, "displayName": "Ana"}, {"id": ben.sid, "displayName": "Ben"},
        ],
    });
    assert_eq!(world.all(ben.session), [event("joinApproved", expected)]);

    // Who watches sends nothing and decides nothing.
    let send = world.rmm_ask(&ben, "createTransport", json!({"kind": "send"}));
    let audio = produce(text(&send["id"]), "audio");
    assert_eq!(
        world.rmm_error(&ben, "produce", audio.clone()),
        "Not allowed"
    );
    let myself = json!({"peerId": ben.sid});
    for name in ["approveJoin", "promoteToProducer", "demoteToConsumer"] {
        assert_eq!(
            world.rmm_error(&ben, name, myself.clone()),
            "Not allowed",
            "{name}"
        );
    }
    let asked = world.rmm_ask(&ben, "requestSpeakingPermission", json!({}));
    assert_eq!(asked, json!({"requested": true}));
    let request = json!({"peerId": ben.sid, "userId": "user-Ben", "displayName": "Ben"});
    assert_eq!(
        world.all(ana.session),
        [event("speakingPermissionRequest", request)]
    );

    let promoted = world.rmm_ask(&ana, "promoteToProducer", myself.clone());
    assert_eq!(promoted, json!({"promoted": true}));
    let message = json!({"message": "You may speak now"});
    assert_eq!(
        world.all(ben.session),
        [event("promotedToProducer", message)]
    );
    assert_eq!(world.all(ana.session), [event("peerPromoted", speaker)]);
    let produced = world.rmm_ask(&ben, "produce", audio);
    // Who speaks still decides nothing.
    assert_eq!(
        world.rmm_error(&ben, "demoteToConsumer", myself.clone()),
        "Not allowed"
    );
    assert_eq!(world.all(ana.session).len(), 1);

    let demoted = world.rmm_ask(&ana, "demoteToConsumer", myself);
    assert_eq!(demoted, json!({"demoted": true}));
    let ended = json!({"producerId": produced["id"], "producerSocketId": ben.sid});
    let expected = [
        event("producerClosed", ended.clone()),
        event("peerDemoted", watcher),
    ];
    assert_eq!(world.all(ana.session), expected);
    let message = json!({"message": "You may only watch now"});
    let expected = [
        event("producerClosed", ended),
        event("demotedToConsumer", message),
    ];
    assert_eq!(world.all(ben.session), expected);
}

#[test]
fn a_client_without_roles_waits_for_its_answer() {
    let mut world = World::new();
    let (ana, _) = world.rmm_user("Ana");
    let join = json!({"roomId": "r", "displayName": "Ben"});
    let ben = world.rmm();
    let answer = world.call(ben.session, Namespace::Main, "join", join.clone());
    assert_eq!(answer, None);
    world.rmm_ask(
        &ana,
        "approveJoin",
        json!({"peerId": ben.sid, "promote": true}),
    );
    let frames = world.all(ben.session);
    assert_eq!(frames.len(), 1);
    assert_eq!(
        frames[0]["payload"]["participants"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(frames[0]["payload"]["yourRole"], Value::Null);
    assert!(!world.rmm_produce(&ben, "audio").is_empty());

    // One that asks twice is answered twice; one that is sent away is told so.
    let eve = world.rmm();
    assert_eq!(
        world.call(eve.session, Namespace::Main, "join", join.clone()),
        None
    );
    assert_eq!(world.call(eve.session, Namespace::Main, "join", join), None);
    let frames = world.all(eve.session);
    assert_eq!(frames.len(), 1);
    assert_eq!(
        frames[0]["payload"],
        json!({"error": "Failed to join room"})
    );
    // Its host speaks of denying in no word of this dialect; one with a token does.
    let nora = world.open_host("r");
    let deny = json!({"action": "deny", "peerId": eve.sid});
    world.get(nora, "moderate", deny, "done");
    let frames = world.all(eve.session);
    assert_eq!(
        frames[0]["payload"],
        json!({"error": "Failed to join room"})
    );
    assert_eq!(world.closed.get(&eve.session), Some(&1000));
}

#[test]
fn an_invitation_opens_the_room_it_is_for() {
    let keys = TokenKeys::new(SECRET, None).unwrap();
    let mut world = World::new();
    let ana = world.rmm();
    let invite = keys.issue_invite("r", UNIX_S);
    let answer = world.rmm_ask(&ana, "join", json!({"inviteToken": invite}));
    assert_eq!(answer["participants"].as_array().unwrap().len(), 1);
    let elsewhere = json!({"roomId": "other", "inviteToken": invite});
    assert_eq!(
        world.rmm_error(&ana, "join", elsewhere),
        "Invalid invite token"
    );
    // What failed has not taken it out of the room it was in.
    let transport = world.rmm_ask(&ana, "createTransport", json!({}));
    assert!(transport["id"].is_string());
}

#[test]
fn everybody_comes_and_goes_on_one_connection() {
    let mut world = World::new();
    let ana = world.rmm_joined("Ana");
    let video = world.rmm_produce(&ana, "video");
    let ben = world.rmm_joined("Ben");
    world.rmm_ask(&ben, "consume", consume(&video));
    world.all(ana.session);

    world.rmm_ask(
        &ben,
        "join",
        json!({"roomId": "other", "displayName": "Ben"}),
    );
    let left = json!({"peerId": ben.sid, "displayName": "Ben"});
    assert_eq!(world.all(ana.session), [event("peerLeft", left.clone())]);
    let answer = world.rmm_ask(&ben, "join", json!({"displayName": "Ben"}));
    assert_eq!(answer["existingProducers"][0]["producerId"], json!(video));
    assert_eq!(answer["existingProducers"].as_array().unwrap().len(), 1);
    assert_eq!(world.all(ana.session), [event("peerJoined", left)]);
    let consumed = world.rmm_ask(&ben, "consume", consume(&video));
    assert!(consumed["iceParameters"].is_object(), "{consumed}");

    // Joining the room again starts media afresh and tells nobody of a new participant.
    world.rmm_ask(&ben, "join", json!({"displayName": "Ben"}));
    assert_eq!(world.all(ana.session), [] as [Value; 0]);
    let again = world.rmm_ask(&ben, "consume", consume(&video));
    assert_ne!(again["transportId"], consumed["transportId"]);
    world.close(ana.session);
    world.close(ben.session);
    world.assert_empty();
}

#[test]
fn native_clients_and_rmm_clients_are_in_one_room() {
    let mut world = World::new();
    let ana = world.rmm_joined("Ana");
    let (nora, nora_peer) = world.joined("r");
    let joined = json!({"peerId": nora_peer, "displayName": ""});
    assert_eq!(world.all(ana.session), [event("peerJoined", joined)]);
    let send = world.transport(nora, "send");
    let audio = world.produce(nora, &send, "audio");
    let expected = json!({
        "producerId": audio, "producerSocketId": nora_peer, "kind": "audio",
        "producerDisplayName": "",
    });
    assert_eq!(world.all(ana.session), [event("newProducer", expected)]);
    world.get(
        nora,
        "closeProducer",
        json!({"producerId": audio}),
        "closedProducer",
    );
    let closed = json!({"producerId": audio, "producerSocketId": nora_peer});
    assert_eq!(world.all(ana.session), [event("producerClosed", closed)]);

    // A host with another client asks in its own words.
    let moderate = json!({"action": "remove", "peerId": ana.sid});
    assert_eq!(world.refused(nora, "moderate", moderate), "forbidden");
    let muted = json!({"action": "mute", "peerId": ana.sid});
    assert_eq!(world.refused(nora, "moderate", muted), "forbidden");
    assert_eq!(world.all(ana.session), [] as [Value; 0]);
}

#[test]
fn whoever_is_sent_away_is_disconnected_for_good() {
    let mut world = World::new();
    let (nora, _) = world.joined("r");
    let ana = world.rmm_joined("Ana");
    let moderate = json!({"action": "remove", "peerId": ana.sid});
    world.get(nora, "moderate", moderate, "done");
    assert_eq!(world.closed.get(&ana.session), Some(&1000));
    assert_eq!(world.all(ana.session), [] as [Value; 0]);
}
