//! Peer ids in the addresses of protoo clients, their devices, and requests of the demo's page.

use serde_json::{Value, json};
use watersmeet_conference::{ConnectRequest, DialectKind, Namespace, SessionId};

use super::super::harness::*;
use super::join;

impl TestConference {
    /// Opens a connection with this peer id and joins room `r`.
    fn protoo_join_as(&mut self, peer: &str, name: &str) -> SessionId {
        let session = self.protoo_open_as("r", peer);
        self.protoo_transport(session, true);
        self.protoo_request(session, "join", join(name));
        session
    }

    /// Opens a connection with this peer id and a user's token.
    fn protoo_open_with_token(&mut self, peer: &str, user: &str) -> SessionId {
        let email = format!("{user}@example.org");
        self.open_with(ConnectRequest {
            room: Some("r".to_owned()),
            peer: Some(peer.to_owned()),
            token: Some(token_keys().issue_user_token(user, &email, UNIX_S)),
            ..ConnectRequest::new(DialectKind::Protoo)
        })
    }
}

#[test]
fn the_peer_id_in_the_address_is_the_id_that_others_see() {
    let mut test = TestConference::new();
    let (native, _) = test.join("r");
    let ana = test.protoo_join_as("abcd1234", "Ana");
    let joined = test.take_frames(native).pop().unwrap();
    assert_eq!(joined["payload"]["peerId"], "abcd1234");
    let ben = test.protoo_join_as("efgh5678", "Ben");
    let expected = json!({
        "id": "efgh5678", "displayName": "Ben",
        "device": {"flag": "chrome", "name": "Chrome", "version": "130"},
    });
    let new_peer = test.take_frames(ana).pop().unwrap();
    assert_eq!(new_peer["data"], expected);
    test.close(ben);
    let closed = test.take_frames(ana).pop().unwrap();
    assert_eq!(closed["data"], json!({"peerId": "efgh5678"}));
}

#[test]
fn a_second_connection_of_a_peer_id_replaces_the_first() {
    let mut test = TestConference::new();
    let (native, _) = test.join("r");
    let first = test.protoo_join_as("abcd", "Ana");
    test.take_frames(native);
    let second = test.protoo_open_as("r", "abcd");
    test.protoo_transport(second, true);
    // The first one stays until the second has joined.
    assert_eq!(test.closed.get(&first), None);
    test.protoo_request(second, "join", join("Ana"));
    assert_eq!(test.closed.get(&first), Some(&4000));
    assert_eq!(test.take_types(native), ["peerLeft", "newPeer"]);
    let listed = test.expect_reply(native, "getParticipants", json!({}), "participants");
    assert_eq!(listed["participants"].as_array().unwrap().len(), 2);
    test.close(second);
    test.close(native);
    test.assert_empty();
}

#[test]
fn a_claimed_peer_id_does_not_replace_somebody_who_proves_another_identity() {
    let mut test = TestConference::new();
    let (native, native_id) = test.join("r");
    let user = token_keys().issue_user_token("ana", "ana@example.org", UNIX_S);
    let meetlite = test.open_with(ConnectRequest {
        token: Some(user),
        ..ConnectRequest::new(DialectKind::SocketIo(Namespace::Main))
    });
    test.emit(
        meetlite,
        Namespace::Main,
        "join-room",
        json!({"roomId": "r"}),
    );
    let proven = test.protoo_open_with_token("seat", "ben");
    test.protoo_transport(proven, true);
    test.protoo_request(proven, "join", join("Ben"));
    for taken in [native_id.as_str(), "ana", "seat"] {
        let intruder = test.protoo_open_as("r", taken);
        test.protoo_transport(intruder, true);
        test.protoo_request(intruder, "join", join("Mallory"));
        let peer = test.take_frames(native).pop().unwrap()["payload"]["peerId"].clone();
        assert_ne!(peer, taken, "{taken}");
        test.close(intruder);
    }
    assert_eq!(test.closed.len(), 0);
    // The same user may replace its own connection.
    let again = test.protoo_open_with_token("seat", "ben");
    test.protoo_transport(again, true);
    test.protoo_request(again, "join", join("Ben"));
    assert_eq!(test.closed.get(&proven), Some(&4000));
}

#[test]
fn a_claimed_peer_id_that_somebody_took_meanwhile_is_refused() {
    let mut test = TestConference::new();
    let mallory = test.protoo_open_as("r", "ana");
    test.protoo_transport(mallory, true);
    let user = token_keys().issue_user_token("ana", "ana@example.org", UNIX_S);
    let ana = test.open_with(ConnectRequest {
        token: Some(user),
        ..ConnectRequest::new(DialectKind::SocketIo(Namespace::Main))
    });
    test.emit(ana, Namespace::Main, "join-room", json!({"roomId": "r"}));
    let (code, _) = test.protoo_error(mallory, "join", join("Mallory"));
    assert_eq!(code, 403);
    assert_eq!(test.closed.get(&ana), None);
}

#[test]
fn a_waiting_client_takes_the_place_of_its_peer_id_when_it_is_admitted() {
    let mut test = TestConference::new();
    let (host, _) = test.join("r");
    let first = test.protoo_join_as("abcd", "Ana");
    test.require_approval(host);
    let second = test.protoo_open_as("r", "abcd");
    test.protoo_transport(second, true);
    let request = json!({"request": true, "id": 9, "method": "join", "data": join("Ana")});
    test.protoo_send(second, &request);
    assert_eq!(test.closed.get(&first), None);
    test.moderate(host, json!({"action": "admit", "peerId": "abcd"}));
    assert_eq!(test.closed.get(&first), Some(&4000));
    let listed = test.expect_reply(host, "getParticipants", json!({}), "participants");
    assert_eq!(listed["participants"].as_array().unwrap().len(), 2);
}

#[test]
fn a_peer_id_that_is_no_name_is_replaced_by_a_generated_one() {
    let mut test = TestConference::new();
    let (native, _) = test.join("r");
    for peer in ["", " ", "a\nb"] {
        let client = test.protoo_join_as(peer, "Ana");
        let joined = test.take_frames(native).pop().unwrap();
        let got = text(&joined["payload"]["peerId"]);
        assert!(got.starts_with("peer_"), "{got}");
        test.close(client);
        test.take_frames(native);
    }
}

#[test]
fn a_device_is_kept_as_far_as_it_is_text() {
    for (device, expected) in [
        (
            json!({"flag": "safari", "name": "Safari", "version": "18"}),
            json!({"flag": "safari", "name": "Safari", "version": "18"}),
        ),
        (
            json!({"flag": "broadcaster", "name": "FFmpeg"}),
            json!({"flag": "broadcaster", "name": "FFmpeg"}),
        ),
        (
            json!({"name": "x", "version": 3, "__proto__": 1}),
            json!({"name": "x"}),
        ),
        (
            json!("none"),
            json!({"flag": "unknown", "name": "unknown", "version": ""}),
        ),
    ] {
        let mut test = TestConference::new();
        let ana = test.protoo_join_as("a", "Ana");
        let ben = test.protoo_open_as("r", "b");
        let mut payload = join("Ben");
        payload["device"] = device;
        test.protoo_request(ben, "join", payload);
        let new_peer = test.take_frames(ana).pop().unwrap();
        assert_eq!(new_peer["data"]["device"], expected);
        let cara = test.protoo_open_as("r", "c");
        let joined = test.protoo_request(cara, "join", join("Cara"));
        assert_eq!(joined["peers"][1]["device"], expected);
    }
    let mut test = TestConference::new();
    let ana = test.protoo_open_as("r", "a");
    let mut payload = join("Ana");
    payload["device"] = json!({"name": "x".repeat(300)});
    assert_eq!(test.protoo_error(ana, "join", payload).0, 400);
}

#[test]
fn the_priority_of_an_own_consumer_can_be_set() {
    let mut test = TestConference::new();
    let (ana, send) = test.protoo_join("r", "Ana");
    test.protoo_produce(ana, &send, "video");
    let (ben, _) = test.protoo_join("r", "Ben");
    let consumer = test.protoo_answer_consumer(ben, true)["id"].clone();
    let set =
        |consumer: &Value, priority: i64| json!({"consumerId": consumer, "priority": priority});
    let done = test.protoo_request(ben, "setConsumerPriority", set(&consumer, 10));
    assert_eq!(done, json!({}));
    let (code, _) = test.protoo_error(ben, "setConsumerPriority", set(&consumer, -1));
    assert_eq!(code, 400);
    // Another participant's consumer is not found.
    let (code, _) = test.protoo_error(ana, "setConsumerPriority", set(&consumer, 1));
    assert_eq!(code, 404);
}

#[test]
fn statistics_of_data_channels_name_the_object_that_does_not_exist() {
    let mut test = TestConference::new();
    let (ana, _) = test.protoo_join("r", "Ana");
    for (method, field, kind) in [
        ("getDataProducerStats", "dataProducerId", "dataProducer"),
        ("getDataConsumerStats", "dataConsumerId", "dataConsumer"),
    ] {
        let (_, reason) = test.protoo_error(ana, method, json!({field: "abc"}));
        assert_eq!(reason, format!("{kind} with id \"abc\" not found"));
    }
    let (code, _) = test.protoo_error(ana, "applyNetworkThrottle", json!({"secret": "x"}));
    assert_eq!(code, 403);
}

#[test]
fn a_name_in_a_token_cannot_be_changed() {
    let mut test = TestConference::new();
    let (native, _) = test.join("r");
    let claims = json!({
        "sub": "u1", "name": "Una", "exp": UNIX_S + 60,
        "video": {"room": "r", "roomJoin": true},
    });
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET);
    let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
    let una = test.open_with(ConnectRequest {
        room: Some("r".to_owned()),
        peer: Some("una".to_owned()),
        token: Some(token),
        ..ConnectRequest::new(DialectKind::Protoo)
    });
    test.protoo_request(una, "join", join("Boss"));
    let joined = test.take_frames(native).pop().unwrap();
    assert_eq!(joined["payload"]["displayName"], "Una");
    let rename = json!({"displayName": "Boss"});
    assert_eq!(test.protoo_error(una, "changeDisplayName", rename).0, 403);
    let listed = test.expect_reply(native, "getParticipants", json!({}), "participants");
    assert_eq!(listed["participants"][1]["displayName"], "Una");
}
