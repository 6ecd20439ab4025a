//! Tokens, room policies and roles: who may join and who may moderate.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::conference::{AdminRequest, AdminResponse, RoomCreator};
use watersmeet_conference::message::{Moderation, Policy, Refusal};
use watersmeet_conference::{ConferenceConfig, ConnectRequest, DialectKind, SessionId};

use super::harness::*;
use super::request_outcomes::{join_with_media, outcome};

fn conference_with_policy(policy: Policy) -> TestConference {
    TestConference::with(ConferenceConfig { policy, ..config() })
}

/// Signs a room grant with these claims.
fn sign_grant(claims: &Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET);
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).unwrap()
}

fn join_payload(room: &str, token: Option<&str>) -> Value {
    json!({"roomId": room, "displayName": "Somebody", "token": token})
}

#[test]
fn an_invite_only_room_only_admits_clients_with_its_own_tokens() {
    let invite = token_keys().issue_invite("room", UNIX_S);
    let elsewhere = token_keys().issue_invite("elsewhere", UNIX_S);
    let expired = token_keys().issue_invite("room", UNIX_S - 25 * 3_600);
    let user = token_keys().issue_user_token("u1", "u1@example.org", UNIX_S);
    let host = token_keys().issue_host_token("room", UNIX_S);
    let table = [
        (None, "invalid-token"),
        (Some("nonsense"), "invalid-token"),
        (Some(&*elsewhere), "invalid-token"),
        (Some(&*expired), "invalid-token"),
        (Some(&*user), "invalid-token"),
        (Some(&*invite), "roomJoined"),
        (Some(&*host), "roomJoined"),
    ];
    for (token, expected) in table {
        // The refusal does not reveal whether the room exists.
        for exists in [false, true] {
            let mut test = conference_with_policy(Policy::InviteOnly);
            if exists {
                let (first, _) = test.open();
                test.expect_reply(
                    first,
                    "joinRoom",
                    join_payload("room", Some(&invite)),
                    "roomJoined",
                );
            }
            let (session, _) = test.open();
            let got = outcome(&mut test, session, "joinRoom", join_payload("room", token));
            assert_eq!(got, expected, "{token:?}, exists: {exists}");
        }
    }
}

#[test]
fn only_clients_with_a_token_create_rooms_when_rooms_need_one() {
    let mut test = TestConference::with(ConferenceConfig {
        rooms_need_token: true,
        ..config()
    });
    let (outsider, _) = test.open();
    let payload = join_payload("room", None);
    assert_eq!(
        test.expect_refusal(outsider, "joinRoom", payload),
        "invalid-token"
    );
    assert_eq!(test.conference.gauges().rooms, 0);
    for token in [
        token_keys().issue_invite("room", UNIX_S),
        token_keys().issue_user_token("u1", "u1@example.org", UNIX_S),
    ] {
        let (maker, _) = test.open();
        test.expect_reply(
            maker,
            "joinRoom",
            join_payload("room", Some(&token)),
            "roomJoined",
        );
        test.expect_reply(
            outsider,
            "joinRoom",
            join_payload("room", None),
            "roomJoined",
        );
        test.expect_reply(outsider, "leaveRoom", json!({}), "roomLeft");
        test.close(maker);
    }
}

#[test]
fn a_bad_token_is_refused_even_when_none_is_needed() {
    let mut test = TestConference::new();
    let (session, _) = test.open();
    let payload = join_payload("room", Some("nonsense"));
    assert_eq!(
        test.expect_refusal(session, "joinRoom", payload),
        "invalid-token"
    );
    assert_eq!(test.conference.gauges().rooms, 0);
}

#[test]
fn a_connection_that_requires_a_token_cannot_join_without_one() {
    let mut test = TestConference::new();
    let strict = ConnectRequest {
        token_required: true,
        ..ConnectRequest::new(DialectKind::Native)
    };
    let session = test.open_with(strict.clone());
    test.take_frames(session);
    let payload = join_payload("room", None);
    assert_eq!(
        test.expect_refusal(session, "joinRoom", payload),
        "invalid-token"
    );

    let token = Some(token_keys().issue_user_token("u1", "u1@example.org", UNIX_S));
    let session = test.open_with(ConnectRequest { token, ..strict });
    test.take_frames(session);
    test.expect_reply(
        session,
        "joinRoom",
        join_payload("room", None),
        "roomJoined",
    );
}

#[test]
fn a_connection_with_a_bad_token_is_refused() {
    let mut test = TestConference::new();
    let token = Some("nonsense".to_owned());
    let session = test.open_with(ConnectRequest {
        token,
        ..ConnectRequest::new(DialectKind::Native)
    });
    assert_eq!(test.closed.get(&session), Some(&1008));
    assert_eq!(test.conference.gauges().sessions, 0);
}

#[test]
fn a_locked_room_only_admits_hosts() {
    let mut test = TestConference::new();
    let (host, _) = test.join("room");
    let lock = json!({"action": "setPolicy", "policy": "locked"});
    test.moderate(host, lock);
    let (late, _) = test.open();
    assert_eq!(
        test.expect_refusal(late, "joinRoom", join_payload("room", None)),
        "room-locked"
    );
    let token = token_keys().issue_host_token("room", UNIX_S);
    let joined = test.expect_reply(
        late,
        "joinRoom",
        join_payload("room", Some(&token)),
        "roomJoined",
    );
    assert_eq!(joined["role"], "host");
}

#[test]
fn a_grant_limits_what_its_bearer_may_do() {
    let claims = |video: Value| {
        let mut video = video;
        video["room"] = json!("room");
        video["roomJoin"] = json!(true);
        json!({"sub": "u1", "name": "Una", "exp": UNIX_S + 60, "video": video})
    };
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "room");

    let viewer = sign_grant(&claims(json!({"canPublish": false})));
    let (session, _) = test.open();
    let joined = test.expect_reply(
        session,
        "joinRoom",
        json!({"roomId": "room", "token": viewer}),
        "roomJoined",
    );
    assert_eq!(joined["role"], "viewer");
    let send = test.create_transport(session, "send");
    let refused = test.expect_refusal(session, "produce", produce(&send, "audio"));
    assert_eq!(refused, "forbidden");
    test.create_transport(session, "recv");
    test.consume(session, &ana.producer);
    let received = test.take_frames(ana.session);
    assert_eq!(received[0]["payload"]["displayName"], "Una");

    let without_subscribe = sign_grant(&claims(json!({"canSubscribe": false})));
    let (session, _) = test.open();
    test.expect_reply(
        session,
        "joinRoom",
        json!({"roomId": "room", "token": without_subscribe}),
        "roomJoined",
    );
    test.create_transport(session, "recv");
    let refused = test.expect_refusal(session, "consume", consume(&ana.producer));
    assert_eq!(refused, "forbidden");
    let send = test.create_transport(session, "send");
    test.produce(session, &send, "audio");
}

/// Returns a room with a host and a guest who waits for approval, and the guest's id.
fn room_with_waiting_guest() -> (TestConference, SessionId, SessionId, String) {
    let mut test = conference_with_policy(Policy::Approval);
    let (host, _) = test.join("room");
    let received = test.take_frames(host);
    assert_eq!(received[0]["payload"], json!({"policy": "approval"}));
    let (guest, peer) = test.open();
    test.expect_reply(guest, "joinRoom", join_payload("room", None), "waiting");
    let received = test.take_frames(host);
    assert_eq!(received.len(), 1);
    assert_eq!(received[0]["type"], "joinRequested");
    assert_eq!(
        received[0]["payload"],
        json!({"peerId": peer, "displayName": "Somebody"})
    );
    (test, host, guest, peer)
}

#[test]
fn a_waiting_guest_receives_nothing_and_can_do_nothing() {
    let (mut test, host, guest, _) = room_with_waiting_guest();
    let send = test.create_transport(host, "send");
    test.produce(host, &send, "audio");
    test.expect_reply(host, "chat", json!({"text": "only for us"}), "done");
    assert_eq!(test.take_frames(guest), Vec::<Value>::new());
    for (kind, payload) in [
        ("createTransport", json!({"direction": "send"})),
        ("getParticipants", json!({})),
        ("chat", json!({"text": "hello"})),
        ("requestToSpeak", json!({})),
        ("moderate", json!({"action": "setPolicy", "policy": "open"})),
    ] {
        assert_eq!(
            test.expect_refusal(guest, kind, payload),
            "not-in-room",
            "{kind}"
        );
    }
    test.expect_reply(guest, "leaveRoom", json!({}), "roomLeft");
    assert_eq!(test.take_types(host), ["joinSettled"]);
}

#[test]
fn an_admitted_guest_is_told_of_the_room_and_announced() {
    let (mut test, host, guest, peer) = room_with_waiting_guest();
    let send = test.create_transport(host, "send");
    let producer = test.produce(host, &send, "audio");
    let admit = json!({"action": "admit", "peerId": peer, "promote": false});
    test.moderate(host, admit.clone());
    assert_eq!(test.take_types(host), ["newPeer", "joinSettled"]);
    let admitted = test.next_frame(guest);
    assert_eq!(admitted["type"], "admitted");
    assert_eq!(admitted["payload"]["role"], "viewer");
    assert_eq!(
        admitted["payload"]["existingProducers"][0]["producers"][0]["producerId"],
        producer
    );
    test.create_transport(guest, "recv");
    test.consume(guest, &producer);
    let send = test.create_transport(guest, "send");
    let refused = test.expect_refusal(guest, "produce", produce(&send, "audio"));
    assert_eq!(refused, "forbidden");

    test.expect_reply(guest, "requestToSpeak", json!({}), "done");
    assert_eq!(test.take_types(host), ["speakRequested"]);
    let promote = json!({"action": "promote", "peerId": peer});
    test.moderate(host, promote);
    assert_eq!(test.take_types(guest), ["roleChanged"]);
    let own = test.produce(guest, &send, "audio");

    let demote = json!({"action": "demote", "peerId": peer});
    test.moderate(host, demote);
    let received = test.take_frames(guest);
    assert_eq!(received[0]["payload"]["producerId"], own);
    assert_eq!(received[1]["payload"]["role"], "viewer");
    assert_eq!(
        test.expect_refusal(host, "moderate", admit),
        "participant-not-found"
    );
}

#[test]
fn a_denied_guest_is_told_and_removed() {
    let (mut test, host, guest, peer) = room_with_waiting_guest();
    let deny = json!({"action": "deny", "peerId": peer});
    test.moderate(host, deny);
    assert_eq!(test.take_types(host), ["joinSettled"]);
    let received = test.take_frames(guest);
    assert_eq!(received[0]["payload"]["reason"], "denied");
    test.close(guest);
    test.close(host);
    test.assert_empty();
}

#[test]
fn the_longest_present_speaker_becomes_host_and_is_told_of_waiting_guests() {
    let (mut test, host, guest, peer) = room_with_waiting_guest();
    let admit = json!({"action": "admit", "peerId": peer});
    test.moderate(host, admit);
    let (late, late_peer) = test.open();
    test.expect_reply(late, "joinRoom", join_payload("room", None), "waiting");
    test.take_frames(guest);
    test.close(host);
    let received = test.take_types(guest);
    assert_eq!(
        received,
        ["peerLeft", "roleChanged", "policyChanged", "joinRequested"]
    );
    let admit = json!({"action": "admit", "peerId": late_peer});
    test.moderate(guest, admit);
    assert_eq!(test.take_types(late), ["admitted"]);
}

#[test]
fn the_next_to_join_becomes_host_when_only_a_waiting_guest_is_left() {
    let (mut test, host, guest, peer) = room_with_waiting_guest();
    test.close(host);
    let (next, _) = test.open();
    let joined = test.expect_reply(next, "joinRoom", join_payload("room", None), "roomJoined");
    assert_eq!(joined["role"], "host");
    let received = test.take_frames(next);
    assert_eq!(received[0]["payload"]["policy"], "approval");
    assert_eq!(received[1]["payload"]["peerId"], peer);
    test.close(next);
    test.close(guest);
    test.assert_empty();
}

#[test]
fn only_hosts_can_moderate_and_only_their_own_room() {
    let decisions: [(&str, Value); 7] = [
        ("promote", json!({"action": "promote"})),
        ("demote", json!({"action": "demote"})),
        ("mute", json!({"action": "mute"})),
        ("mute", json!({"action": "mute", "kind": "video"})),
        ("remove", json!({"action": "remove"})),
        ("admit", json!({"action": "admit"})),
        ("deny", json!({"action": "deny"})),
    ];
    for (action, decision) in decisions {
        for role in ["host", "speaker", "viewer", "outside"] {
            for whose in ["own", "neighbours", "outsiders", "unknown"] {
                let mut test = TestConference::new();
                let host = join_with_media(&mut test, "room");
                let other = join_with_media(&mut test, "room");
                let outsider = join_with_media(&mut test, "elsewhere");
                let (requester, neighbour) = match role {
                    "host" => (&host, &other),
                    _ => (&other, &host),
                };
                if role == "viewer" {
                    let demote = json!({"action": "demote", "peerId": other.peer});
                    test.moderate(host.session, demote);
                }
                if role == "outside" {
                    test.expect_reply(other.session, "leaveRoom", json!({}), "roomLeft");
                }
                let mut payload = decision.clone();
                payload["peerId"] = match whose {
                    "own" => json!(requester.peer),
                    "neighbours" => json!(neighbour.peer),
                    "outsiders" => json!(outsider.peer),
                    _ => json!("nobody"),
                };
                let before = test.shards.clone();
                let got = outcome(&mut test, requester.session, "moderate", payload);
                // Nobody waits here, so nobody can be admitted or denied.
                let waits = action == "admit" || action == "deny";
                let expected = match (role, whose) {
                    ("outside", _) => "not-in-room",
                    ("speaker" | "viewer", _) => "forbidden",
                    (_, "outsiders" | "unknown") => "participant-not-found",
                    _ if waits => "participant-not-found",
                    _ => "done",
                };
                assert_eq!(got, expected, "{action} by {role} on {whose}");
                if expected != "done" {
                    assert_eq!(test.shards, before, "{action} by {role} on {whose}");
                }
            }
        }
    }
}

#[test]
fn a_muted_producer_is_paused_for_all_and_its_owner_can_resume_it() {
    let mut test = TestConference::new();
    let (host, _) = test.join("room");
    let guest = join_with_media(&mut test, "room");
    test.take_frames(host);
    let mute = json!({"action": "mute", "peerId": guest.peer, "kind": "video"});
    test.moderate(host, mute.clone());
    assert_eq!(test.take_types(host), ["producerPaused"]);
    let received = test.take_types(guest.session);
    assert!(received.contains(&"muted".to_owned()), "{received:?}");
    // A muted producer is not muted again.
    test.moderate(host, mute);
    assert_eq!(test.take_types(guest.session), Vec::<String>::new());
    let resume = json!({"producerId": guest.producer});
    test.expect_reply(guest.session, "resumeProducer", resume, "producerResumed");
    assert_eq!(test.take_types(host), ["producerResumed"]);
}

#[test]
fn a_removed_participant_leaves_with_all_its_objects() {
    let mut test = TestConference::new();
    let (host, _) = test.join("room");
    let guest = join_with_media(&mut test, "room");
    test.take_frames(guest.session);
    let remove = json!({"action": "remove", "peerId": guest.peer});
    test.moderate(host, remove);
    let received = test.take_frames(guest.session);
    assert_eq!(received.last().unwrap()["payload"]["reason"], "removed");
    assert_eq!(
        test.expect_refusal(guest.session, "getParticipants", json!({})),
        "not-in-room"
    );
    test.close(host);
    test.close(guest.session);
    test.assert_empty();
}

#[test]
fn joining_again_without_the_token_does_not_change_a_signed_name() {
    let mut test = TestConference::new();
    let (ana, _) = test.join("room");
    let claims = json!({
        "sub": "u1", "name": "Una", "exp": UNIX_S + 60,
        "video": {"room": "room", "roomJoin": true},
    });
    let (una, peer) = test.open();
    let join = json!({"roomId": "room", "token": sign_grant(&claims)});
    test.expect_reply(una, "joinRoom", join, "roomJoined");
    let again = json!({"roomId": "room", "displayName": "Boss"});
    test.expect_reply(una, "joinRoom", again, "roomJoined");
    let expected = json!({"peerId": peer, "displayName": "Una"});
    assert_eq!(test.take_frames(ana).pop().unwrap()["payload"], expected);
}

fn create(room: &str, policy: Option<Policy>, has_host_token: bool) -> AdminRequest {
    AdminRequest::CreateRoom {
        room: room.to_owned(),
        host_name: Some("Hanna".to_owned()),
        title: None,
        policy,
        has_host_token,
        last_n_video: None,
        top_n_audio: None,
        creator: RoomCreator::Operator,
    }
}

impl TestConference {
    fn admin_request(&mut self, request: AdminRequest) -> Result<AdminResponse, Refusal> {
        let answer = self.conference.handle_admin_request(self.now, request);
        self.drain();
        answer
    }
}

#[test]
fn a_reserved_room_is_closed_after_a_day() {
    let mut test = TestConference::new();
    test.admin_request(create("room", None, false)).unwrap();
    assert_eq!(
        test.admin_request(create("room", None, false)),
        Err(Refusal::RoomExists)
    );
    test.advance(Duration::from_hours(23));
    assert_eq!(test.conference.gauges().rooms, 1);
    test.advance(Duration::from_hours(2));
    assert_eq!(test.conference.gauges().rooms, 0);
    test.assert_empty();
}

#[test]
fn the_first_to_join_a_reserved_room_is_host_unless_it_has_a_host_token() {
    for (has_host_token, role) in [(false, "host"), (true, "speaker")] {
        let mut test = TestConference::new();
        test.admin_request(create("room", None, has_host_token))
            .unwrap();
        let (first, _) = test.open();
        let joined = test.expect_reply(first, "joinRoom", join_payload("room", None), "roomJoined");
        assert_eq!(joined["role"], role);
        test.close(first);
        test.assert_empty();
    }
}

#[test]
fn everybody_waits_for_a_host_when_the_room_has_a_host_token() {
    let mut test = TestConference::new();
    let approval = Some(Policy::Approval);
    test.admin_request(create("room", approval, true)).unwrap();
    let (guest, peer) = test.open();
    test.expect_reply(guest, "joinRoom", join_payload("room", None), "waiting");
    let (host, _) = test.open();
    let token = token_keys().issue_host_token("room", UNIX_S);
    test.expect_reply(
        host,
        "joinRoom",
        join_payload("room", Some(&token)),
        "roomJoined",
    );
    let received = test.take_frames(host);
    assert_eq!(received[0]["payload"]["policy"], "approval");
    assert_eq!(received[1]["payload"]["peerId"], peer);
}

#[test]
fn administrators_can_list_and_close_rooms() {
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "b");
    test.join("b");
    test.join("a");
    let Ok(AdminResponse::Room(room)) = test.admin_request(AdminRequest::Room { room: "b".into() })
    else {
        panic!("a room");
    };
    assert_eq!(
        (room.participants, room.producers, room.consumers),
        (2, 1, 1)
    );
    assert_eq!(room.created_unix_ms, UNIX_S * 1_000 + 1_000);
    let listed = |after: Option<&str>, limit| AdminRequest::Rooms {
        after: after.map(str::to_owned),
        limit,
    };
    for (after, limit, names) in [
        (None, 10, vec!["a", "b"]),
        (None, 1, vec!["a"]),
        (Some("a"), 10, vec!["b"]),
        (Some("b"), 10, vec![]),
    ] {
        let Ok(AdminResponse::Rooms(rooms)) = test.admin_request(listed(after, limit)) else {
            panic!("rooms");
        };
        let listed: Vec<_> = rooms.iter().map(|it| &*it.room).collect();
        assert_eq!(listed, names);
    }
    test.take_frames(ana.session);
    let delete = AdminRequest::DeleteRoom { room: "b".into() };
    assert_eq!(test.admin_request(delete.clone()), Ok(AdminResponse::Done));
    let received = test.take_frames(ana.session);
    assert_eq!(received.last().unwrap()["payload"]["reason"], "room-closed");
    assert_eq!(test.admin_request(delete), Err(Refusal::RoomNotFound));
    let mute = AdminRequest::Moderate {
        room: "a".into(),
        moderation: Moderation::Remove {
            peer: ana.peer.clone(),
            ban: false,
        },
    };
    assert_eq!(test.admin_request(mute), Err(Refusal::ParticipantNotFound));
}
