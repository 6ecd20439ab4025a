//! How clients of the demonstration come in, and how they are sent away.

use serde_json::{Value, json};
use watersmeet_conference::conference::{AdminRequest, AdminResponse};
use watersmeet_conference::{ConferenceLimits, ShardId};

use super::super::world::*;
use super::{join, wish};

#[test]
fn nobody_knows_of_a_client_until_it_joins() {
    let mut world = World::new();
    let (native, _) = world.joined("r");
    let ana = world.protoo("r");
    let send = world.protoo_transport(ana, true);
    let (code, reason) = world.protoo_error(ana, "produce", produce(&send, "video"));
    assert_eq!((code, reason.as_str()), (403, "Not in a room"));
    assert_eq!(world.all(native), Vec::<Value>::new());
    let listed = world.get(native, "getParticipants", json!({}), "participants");
    assert_eq!(listed["participants"].as_array().unwrap().len(), 1);
    world.close(ana);
    assert_eq!(world.all(native), Vec::<Value>::new());
    assert!(world.shards.iter().all(|it| it.transports.is_empty()));

    // The transports that were made before are those that it uses then.
    let (ben, send) = world.protoo_joined("r", "Ben");
    assert_eq!(world.types(native), ["newPeer"]);
    world.protoo_produce(ben, &send, "video");
    assert_eq!(world.types(native), ["newProducer"]);
    let count = world.get(native, "getParticipants", json!({}), "participants");
    assert_eq!(count["participants"].as_array().unwrap().len(), 2);
    world.close(native);
    world.close(ben);
    world.assert_empty();
}

#[test]
fn an_unseen_client_keeps_the_room_and_loses_media_like_everybody() {
    let mut world = World::new();
    let ana = world.protoo("r");
    let transport = world.protoo_transport(ana, true);
    let (native, _) = world.joined("r");
    world.close(native);
    let connect = json!({"transportId": transport, "dtlsParameters": dtls_parameters("client")});
    world.protoo_ask(ana, "connectWebRtcTransport", connect);
    let shard = world.shards.iter().position(|it| !it.transports.is_empty());
    world.lose(ShardId(u8::try_from(shard.unwrap()).unwrap()));
    assert_eq!(world.closed.get(&ana), Some(&1012));
    world.assert_empty();
}

#[test]
fn a_seat_counts_against_the_cap_of_its_room_once() {
    let mut world = World::with_limits(ConferenceLimits {
        participants_max: 2,
        ..ConferenceLimits::default()
    });
    let (ana, _) = world.protoo_joined("r", "Ana");
    let ben = world.protoo("r");
    world.protoo_transport(ben, true);
    let cara = world.protoo("r");
    for _ in 0..2 {
        let (code, reason) = world.protoo_error(cara, "createWebRtcTransport", wish(true));
        assert_eq!((code, reason.as_str()), (429, "Too many participants"));
    }
    world.protoo_ask(ben, "join", join("Ben"));
    world.close(ana);
    world.protoo_joined("r", "Dan");
}

#[test]
fn whoever_has_to_wait_is_answered_when_it_is_let_in() {
    let mut world = World::new();
    let (host, _) = world.joined("r");
    let policy = json!({"action": "setPolicy", "policy": "approval"});
    world.get(host, "moderate", policy, "done");
    let send = world.transport(host, "send");
    let camera = world.produce(host, &send, "video");
    world.all(host);
    for (action, is_in) in [("admit", true), ("deny", false)] {
        let ana = world.protoo("r");
        world.protoo_transport(ana, false);
        let request = json!({"request": true, "id": 9, "method": "join", "data": join("Ana")});
        world.protoo_send(ana, &request);
        assert_eq!(world.all(ana), Vec::<Value>::new());
        let (code, _) = world.protoo_error(ana, "join", join("Ana"));
        assert_eq!(code, 400);
        let asked = world.all(host).pop().unwrap();
        assert_eq!(asked["type"], "joinRequested");
        assert_eq!(asked["payload"]["displayName"], "Ana");
        let decided = json!({"action": action, "peerId": asked["payload"]["peerId"]});
        world.get(host, "moderate", decided, "done");
        if is_in {
            let joined = world.next(ana);
            assert_eq!(joined["id"], 9);
            assert_eq!(joined["data"]["peers"].as_array().unwrap().len(), 1);
            assert_eq!(world.protoo_take(ana, true)["producerId"], json!(camera));
            world.close(ana);
        } else {
            assert_eq!(world.closed.get(&ana), Some(&4000));
        }
        world.all(host);
    }
    world.close(host);
    world.assert_empty();
}

#[test]
fn whoever_is_sent_away_is_told_not_to_come_back() {
    let mut world = World::new();
    let (host, _) = world.joined("r");
    let (ana, _) = world.protoo_joined("r", "Ana");
    let peer = world.all(host).pop().unwrap()["payload"]["peerId"].clone();
    let remove = json!({"action": "remove", "peerId": peer});
    world.get(host, "moderate", remove, "done");
    assert_eq!(world.closed.get(&ana), Some(&4000));
}

#[test]
fn nobody_stays_unseen_in_a_room_that_is_deleted() {
    let mut world = World::new();
    let ana = world.protoo("r");
    world.protoo_transport(ana, true);
    let delete = AdminRequest::DeleteRoom {
        room: "r".to_owned(),
    };
    let answer = world.conference.handle_admin_request(world.now, delete);
    assert_eq!(answer, Ok(AdminResponse::Done));
    world.settle();
    assert_eq!(world.closed.get(&ana), Some(&4000));
    world.assert_empty();
}
