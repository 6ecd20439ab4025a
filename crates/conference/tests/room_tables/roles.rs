//! Who may come in, and who decides about others: tokens, policies, roles.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::access::TokenKeys;
use watersmeet_conference::conference::{AdminRequest, AdminResponse};
use watersmeet_conference::message::{Moderation, Policy, Refusal};
use watersmeet_conference::{ConferenceConfig, ConnectRequest, DialectKind, SessionId};

use super::outcomes::{equipped, outcome};
use super::world::*;

fn keys() -> TokenKeys {
    TokenKeys::new(SECRET, None).unwrap()
}

fn world_of(policy: Policy) -> World {
    World::with(ConferenceConfig { policy, ..config() })
}

/// A room grant, signed by hand: the claims differ from test to test.
fn grant(claims: &Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET);
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).unwrap()
}

fn join(room: &str, token: Option<&str>) -> Value {
    json!({"roomId": room, "displayName": "Somebody", "token": token})
}

#[test]
fn an_invite_only_room_lets_in_its_own_tokens_and_no_others() {
    let invite = keys().issue_invite("room", UNIX_S);
    let elsewhere = keys().issue_invite("elsewhere", UNIX_S);
    let expired = keys().issue_invite("room", UNIX_S - 25 * 3_600);
    let user = keys().issue_user_token("u1", "u1@example.org", UNIX_S);
    let host = keys().issue_host_token("room", UNIX_S);
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
        // A room that is there refuses in the same words as one that is not.
        for is_there in [false, true] {
            let mut world = world_of(Policy::InviteOnly);
            if is_there {
                let (first, _) = world.open();
                world.get(first, "joinRoom", join("room", Some(&invite)), "roomJoined");
            }
            let (session, _) = world.open();
            let got = outcome(&mut world, session, "joinRoom", join("room", token));
            assert_eq!(got, expected, "{token:?}, there: {is_there}");
        }
    }
}

#[test]
fn where_rooms_need_a_token_only_its_bearers_make_one_and_others_come_after_them() {
    let mut world = World::with(ConferenceConfig {
        rooms_need_token: true,
        ..config()
    });
    let (stranger, _) = world.open();
    let payload = join("room", None);
    assert_eq!(
        world.refused(stranger, "joinRoom", payload),
        "invalid-token"
    );
    assert_eq!(world.conference.gauges().rooms, 0);
    for token in [
        keys().issue_invite("room", UNIX_S),
        keys().issue_user_token("u1", "u1@example.org", UNIX_S),
    ] {
        let (maker, _) = world.open();
        world.get(maker, "joinRoom", join("room", Some(&token)), "roomJoined");
        world.get(stranger, "joinRoom", join("room", None), "roomJoined");
        world.get(stranger, "leaveRoom", json!({}), "roomLeft");
        world.close(maker);
    }
}

#[test]
fn a_bad_token_is_refused_even_where_none_is_needed() {
    let mut world = World::new();
    let (session, _) = world.open();
    let payload = join("room", Some("nonsense"));
    assert_eq!(world.refused(session, "joinRoom", payload), "invalid-token");
    assert_eq!(world.conference.gauges().rooms, 0);
}

#[test]
fn a_strict_connection_enters_nothing_without_a_token() {
    let mut world = World::new();
    let strict = ConnectRequest {
        token_required: true,
        ..ConnectRequest::new(DialectKind::Native)
    };
    let session = world.open_as(strict.clone());
    world.all(session);
    let payload = join("room", None);
    assert_eq!(world.refused(session, "joinRoom", payload), "invalid-token");

    let token = Some(keys().issue_user_token("u1", "u1@example.org", UNIX_S));
    let session = world.open_as(ConnectRequest { token, ..strict });
    world.all(session);
    world.get(session, "joinRoom", join("room", None), "roomJoined");
}

#[test]
fn a_connection_that_opens_with_a_bad_token_is_turned_away() {
    let mut world = World::new();
    let token = Some("nonsense".to_owned());
    let session = world.open_as(ConnectRequest {
        token,
        ..ConnectRequest::new(DialectKind::Native)
    });
    assert_eq!(world.closed.get(&session), Some(&1008));
    assert_eq!(world.conference.gauges().sessions, 0);
}

#[test]
fn a_locked_room_lets_in_hosts_alone() {
    let mut world = World::new();
    let (host, _) = world.joined("room");
    let lock = json!({"action": "setPolicy", "policy": "locked"});
    world.get(host, "moderate", lock, "done");
    let (late, _) = world.open();
    assert_eq!(
        world.refused(late, "joinRoom", join("room", None)),
        "room-locked"
    );
    let token = keys().issue_host_token("room", UNIX_S);
    let joined = world.get(late, "joinRoom", join("room", Some(&token)), "roomJoined");
    assert_eq!(joined["role"], "host");
}

#[test]
fn a_grant_says_what_its_bearer_may_do() {
    let claims = |video: Value| {
        let mut video = video;
        video["room"] = json!("room");
        video["roomJoin"] = json!(true);
        json!({"sub": "u1", "name": "Una", "exp": UNIX_S + 60, "video": video})
    };
    let mut world = World::new();
    let ana = equipped(&mut world, "room");

    let viewer = grant(&claims(json!({"canPublish": false})));
    let (session, _) = world.open();
    let joined = world.get(
        session,
        "joinRoom",
        json!({"roomId": "room", "token": viewer}),
        "roomJoined",
    );
    assert_eq!(joined["role"], "viewer");
    let send = world.transport(session, "send");
    let refused = world.refused(session, "produce", produce(&send, "audio"));
    assert_eq!(refused, "forbidden");
    world.transport(session, "recv");
    world.consume(session, &ana.producer);
    let told = world.all(ana.session);
    assert_eq!(told[0]["payload"]["displayName"], "Una");

    let deaf = grant(&claims(json!({"canSubscribe": false})));
    let (session, _) = world.open();
    world.get(
        session,
        "joinRoom",
        json!({"roomId": "room", "token": deaf}),
        "roomJoined",
    );
    world.transport(session, "recv");
    let refused = world.refused(session, "consume", consume(&ana.producer));
    assert_eq!(refused, "forbidden");
    let send = world.transport(session, "send");
    world.produce(session, &send, "audio");
}

/// A room with a host, and somebody who waits for it.
fn waiting() -> (World, SessionId, SessionId, String) {
    let mut world = world_of(Policy::Approval);
    let (host, _) = world.joined("room");
    let told = world.all(host);
    assert_eq!(told[0]["payload"], json!({"policy": "approval"}));
    let (guest, peer) = world.open();
    world.get(guest, "joinRoom", join("room", None), "waiting");
    let told = world.all(host);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["type"], "joinRequested");
    assert_eq!(
        told[0]["payload"],
        json!({"peerId": peer, "displayName": "Somebody"})
    );
    (world, host, guest, peer)
}

#[test]
fn somebody_who_waits_learns_nothing_and_can_do_nothing() {
    let (mut world, host, guest, _) = waiting();
    let send = world.transport(host, "send");
    world.produce(host, &send, "audio");
    world.get(host, "chat", json!({"text": "only for us"}), "done");
    assert_eq!(world.all(guest), Vec::<Value>::new());
    for (kind, payload) in [
        ("createTransport", json!({"direction": "send"})),
        ("getParticipants", json!({})),
        ("chat", json!({"text": "hello"})),
        ("requestToSpeak", json!({})),
        ("moderate", json!({"action": "setPolicy", "policy": "open"})),
    ] {
        assert_eq!(world.refused(guest, kind, payload), "not-in-room", "{kind}");
    }
    world.get(guest, "leaveRoom", json!({}), "roomLeft");
    assert_eq!(world.types(host), ["joinSettled"]);
}

#[test]
fn whoever_is_let_in_finds_what_is_there_and_is_announced() {
    let (mut world, host, guest, peer) = waiting();
    let send = world.transport(host, "send");
    let producer = world.produce(host, &send, "audio");
    let admit = json!({"action": "admit", "peerId": peer, "promote": false});
    world.get(host, "moderate", admit.clone(), "done");
    assert_eq!(world.types(host), ["newPeer", "joinSettled"]);
    let admitted = world.next(guest);
    assert_eq!(admitted["type"], "admitted");
    assert_eq!(admitted["payload"]["role"], "viewer");
    assert_eq!(
        admitted["payload"]["existingProducers"][0]["producers"][0]["producerId"],
        producer
    );
    world.transport(guest, "recv");
    world.consume(guest, &producer);
    let send = world.transport(guest, "send");
    let refused = world.refused(guest, "produce", produce(&send, "audio"));
    assert_eq!(refused, "forbidden");

    world.get(guest, "requestToSpeak", json!({}), "done");
    assert_eq!(world.types(host), ["speakRequested"]);
    let promote = json!({"action": "promote", "peerId": peer});
    world.get(host, "moderate", promote, "done");
    assert_eq!(world.types(guest), ["roleChanged"]);
    let own = world.produce(guest, &send, "audio");

    let demote = json!({"action": "demote", "peerId": peer});
    world.get(host, "moderate", demote, "done");
    let told = world.all(guest);
    assert_eq!(told[0]["payload"]["producerId"], own);
    assert_eq!(told[1]["payload"]["role"], "viewer");
    assert_eq!(
        world.refused(host, "moderate", admit),
        "participant-not-found"
    );
}

#[test]
fn whoever_is_not_let_in_is_told_and_forgotten() {
    let (mut world, host, guest, peer) = waiting();
    let deny = json!({"action": "deny", "peerId": peer});
    world.get(host, "moderate", deny, "done");
    assert_eq!(world.types(host), ["joinSettled"]);
    let told = world.all(guest);
    assert_eq!(told[0]["payload"]["reason"], "denied");
    world.close(guest);
    world.close(host);
    world.assert_empty();
}

#[test]
fn the_longest_speaker_takes_over_and_hears_of_those_who_wait() {
    let (mut world, host, guest, peer) = waiting();
    let admit = json!({"action": "admit", "peerId": peer});
    world.get(host, "moderate", admit, "done");
    let (late, late_peer) = world.open();
    world.get(late, "joinRoom", join("room", None), "waiting");
    world.all(guest);
    world.close(host);
    let told = world.types(guest);
    assert_eq!(
        told,
        ["peerLeft", "roleChanged", "policyChanged", "joinRequested"]
    );
    let admit = json!({"action": "admit", "peerId": late_peer});
    world.get(guest, "moderate", admit, "done");
    assert_eq!(world.types(late), ["admitted"]);
}

#[test]
fn a_room_with_nobody_but_somebody_who_waits_takes_the_next_as_its_host() {
    let (mut world, host, guest, peer) = waiting();
    world.close(host);
    let (next, _) = world.open();
    let joined = world.get(next, "joinRoom", join("room", None), "roomJoined");
    assert_eq!(joined["role"], "host");
    let told = world.all(next);
    assert_eq!(told[0]["payload"]["policy"], "approval");
    assert_eq!(told[1]["payload"]["peerId"], peer);
    world.close(next);
    world.close(guest);
    world.assert_empty();
}

#[test]
fn every_decision_is_a_host_s_and_reaches_only_its_own_room() {
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
            for whose in ["own", "neighbours", "strangers", "nobodys"] {
                let mut world = World::new();
                let host = equipped(&mut world, "room");
                let other = equipped(&mut world, "room");
                let stranger = equipped(&mut world, "elsewhere");
                let (asker, neighbour) = match role {
                    "host" => (&host, &other),
                    _ => (&other, &host),
                };
                if role == "viewer" {
                    let demote = json!({"action": "demote", "peerId": other.peer});
                    world.get(host.session, "moderate", demote, "done");
                }
                if role == "outside" {
                    world.get(other.session, "leaveRoom", json!({}), "roomLeft");
                }
                let mut payload = decision.clone();
                payload["peerId"] = match whose {
                    "own" => json!(asker.peer),
                    "neighbours" => json!(neighbour.peer),
                    "strangers" => json!(stranger.peer),
                    _ => json!("nobody"),
                };
                let before = world.shards.clone();
                let got = outcome(&mut world, asker.session, "moderate", payload);
                // Nobody waits here, so nobody can be let in or sent away.
                let waits = action == "admit" || action == "deny";
                let expected = match (role, whose) {
                    ("outside", _) => "not-in-room",
                    ("speaker" | "viewer", _) => "forbidden",
                    (_, "strangers" | "nobodys") => "participant-not-found",
                    _ if waits => "participant-not-found",
                    _ => "done",
                };
                assert_eq!(got, expected, "{action} by {role} on {whose}");
                if expected != "done" {
                    assert_eq!(world.shards, before, "{action} by {role} on {whose}");
                }
            }
        }
    }
}

#[test]
fn a_muted_producer_is_paused_for_all_and_its_owner_may_go_on() {
    let mut world = World::new();
    let (host, _) = world.joined("room");
    let guest = equipped(&mut world, "room");
    world.all(host);
    let mute = json!({"action": "mute", "peerId": guest.peer, "kind": "video"});
    world.get(host, "moderate", mute.clone(), "done");
    assert_eq!(world.types(host), ["producerPaused"]);
    let told = world.types(guest.session);
    assert!(told.contains(&"muted".to_owned()), "{told:?}");
    // What is muted already is not muted again.
    world.get(host, "moderate", mute, "done");
    assert_eq!(world.types(guest.session), Vec::<String>::new());
    let resume = json!({"producerId": guest.producer});
    world.get(guest.session, "resumeProducer", resume, "producerResumed");
    assert_eq!(world.types(host), ["producerResumed"]);
}

#[test]
fn whoever_is_removed_is_out_with_everything_it_had() {
    let mut world = World::new();
    let (host, _) = world.joined("room");
    let guest = equipped(&mut world, "room");
    world.all(guest.session);
    let remove = json!({"action": "remove", "peerId": guest.peer});
    world.get(host, "moderate", remove, "done");
    let told = world.all(guest.session);
    assert_eq!(told.last().unwrap()["payload"]["reason"], "removed");
    assert_eq!(
        world.refused(guest.session, "getParticipants", json!({})),
        "not-in-room"
    );
    world.close(host);
    world.close(guest.session);
    world.assert_empty();
}

fn create(room: &str, policy: Option<Policy>, has_host_token: bool) -> AdminRequest {
    AdminRequest::CreateRoom {
        room: room.to_owned(),
        host_name: Some("Hanna".to_owned()),
        policy,
        has_host_token,
    }
}

impl World {
    fn inquire(&mut self, inquiry: AdminRequest) -> Result<AdminResponse, Refusal> {
        let answer = self.conference.handle_admin_request(self.now, inquiry);
        self.settle();
        answer
    }
}

#[test]
fn a_room_made_in_advance_waits_a_day_and_is_forgotten() {
    let mut world = World::new();
    world.inquire(create("room", None, false)).unwrap();
    assert_eq!(
        world.inquire(create("room", None, false)),
        Err(Refusal::RoomExists)
    );
    world.pass(Duration::from_hours(23));
    assert_eq!(world.conference.gauges().rooms, 1);
    world.pass(Duration::from_hours(2));
    assert_eq!(world.conference.gauges().rooms, 0);
    world.assert_empty();
}

#[test]
fn the_first_who_enters_a_room_made_in_advance_is_its_host_unless_tokens_say_who() {
    for (has_host_token, role) in [(false, "host"), (true, "speaker")] {
        let mut world = World::new();
        world.inquire(create("room", None, has_host_token)).unwrap();
        let (first, _) = world.open();
        let joined = world.get(first, "joinRoom", join("room", None), "roomJoined");
        assert_eq!(joined["role"], role);
        world.close(first);
        world.assert_empty();
    }
}

#[test]
fn with_host_tokens_everybody_waits_until_a_host_comes() {
    let mut world = World::new();
    let approval = Some(Policy::Approval);
    world.inquire(create("room", approval, true)).unwrap();
    let (guest, peer) = world.open();
    world.get(guest, "joinRoom", join("room", None), "waiting");
    let (host, _) = world.open();
    let token = keys().issue_host_token("room", UNIX_S);
    world.get(host, "joinRoom", join("room", Some(&token)), "roomJoined");
    let told = world.all(host);
    assert_eq!(told[0]["payload"]["policy"], "approval");
    assert_eq!(told[1]["payload"]["peerId"], peer);
}

#[test]
fn outsiders_see_rooms_and_close_them() {
    let mut world = World::new();
    let ana = equipped(&mut world, "b");
    world.joined("b");
    world.joined("a");
    let Ok(AdminResponse::Room(room)) = world.inquire(AdminRequest::Room { room: "b".into() })
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
        let Ok(AdminResponse::Rooms(rooms)) = world.inquire(listed(after, limit)) else {
            panic!("rooms");
        };
        let listed: Vec<_> = rooms.iter().map(|it| &*it.room).collect();
        assert_eq!(listed, names);
    }
    world.all(ana.session);
    let delete = AdminRequest::DeleteRoom { room: "b".into() };
    assert_eq!(world.inquire(delete.clone()), Ok(AdminResponse::Done));
    let told = world.all(ana.session);
    assert_eq!(told.last().unwrap()["payload"]["reason"], "room-closed");
    assert_eq!(world.inquire(delete), Err(Refusal::RoomNotFound));
    let mute = AdminRequest::Moderate {
        room: "a".into(),
        moderation: Moderation::Remove {
            peer: ana.peer.clone(),
        },
    };
    assert_eq!(world.inquire(mute), Err(Refusal::ParticipantNotFound));
}
