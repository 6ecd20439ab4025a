//! Joining and removal of protoo clients.

use serde_json::{Value, json};
use watersmeet_conference::ConferenceLimits;
use watersmeet_conference::conference::{AdminRequest, AdminResponse};

use super::super::harness::*;
use super::{join, transport_payload};

#[test]
fn others_are_not_told_of_a_client_until_it_joins() {
    let mut test = TestConference::new();
    let (native, _) = test.join("r");
    let ana = test.protoo_open("r");
    let send = test.protoo_transport(ana, true);
    let (code, reason) = test.protoo_error(ana, "produce", produce(&send, "video"));
    assert_eq!((code, reason.as_str()), (403, "Not in a room"));
    assert_eq!(test.take_frames(native), Vec::<Value>::new());
    let listed = test.expect_reply(native, "getParticipants", json!({}), "participants");
    assert_eq!(listed["participants"].as_array().unwrap().len(), 1);
    test.close(ana);
    assert_eq!(test.take_frames(native), Vec::<Value>::new());
    assert!(test.shards.iter().all(|it| it.transports.is_empty()));

    // Transports that were created before the join stay usable.
    let (ben, send) = test.protoo_join("r", "Ben");
    assert_eq!(test.take_types(native), ["newPeer"]);
    test.protoo_produce(ben, &send, "video");
    assert_eq!(test.take_types(native), ["newProducer"]);
    let count = test.expect_reply(native, "getParticipants", json!({}), "participants");
    assert_eq!(count["participants"].as_array().unwrap().len(), 2);
    test.close(native);
    test.close(ben);
    test.assert_empty();
}

#[test]
fn a_client_that_has_not_joined_keeps_the_room_open_and_loses_media_like_others() {
    let mut test = TestConference::new();
    let ana = test.protoo_open("r");
    let transport = test.protoo_transport(ana, true);
    let (native, _) = test.join("r");
    test.close(native);
    let connect = json!({"transportId": transport, "dtlsParameters": dtls_parameters("client")});
    test.protoo_request(ana, "connectWebRtcTransport", connect);
    test.lose_shard_with_transports();
    assert_eq!(test.closed.get(&ana), Some(&1012));
    test.assert_empty();
}

#[test]
fn a_reserved_place_counts_once_towards_the_participant_limit() {
    let mut test = TestConference::with_limits(ConferenceLimits {
        participants_max: 2,
        ..ConferenceLimits::default()
    });
    let (ana, _) = test.protoo_join("r", "Ana");
    let ben = test.protoo_open("r");
    test.protoo_transport(ben, true);
    let cara = test.protoo_open("r");
    for _ in 0..2 {
        let (code, reason) =
            test.protoo_error(cara, "createWebRtcTransport", transport_payload(true));
        assert_eq!((code, reason.as_str()), (429, "Too many participants"));
    }
    test.protoo_request(ben, "join", join("Ben"));
    test.close(ana);
    test.protoo_join("r", "Dan");
}

#[test]
fn a_waiting_client_is_answered_when_it_is_admitted() {
    let mut test = TestConference::new();
    let (host, _) = test.join("r");
    test.require_approval(host);
    let send = test.create_transport(host, "send");
    let camera = test.produce(host, &send, "video");
    test.take_frames(host);
    for (action, is_in) in [("admit", true), ("deny", false)] {
        let ana = test.protoo_open("r");
        test.protoo_transport(ana, false);
        let request = json!({"request": true, "id": 9, "method": "join", "data": join("Ana")});
        test.protoo_send(ana, &request);
        assert_eq!(test.take_frames(ana), Vec::<Value>::new());
        let (code, _) = test.protoo_error(ana, "join", join("Ana"));
        assert_eq!(code, 400);
        let requested = test.take_frames(host).pop().unwrap();
        assert_eq!(requested["type"], "joinRequested");
        assert_eq!(requested["payload"]["displayName"], "Ana");
        let decided = json!({"action": action, "peerId": requested["payload"]["peerId"]});
        test.moderate(host, decided);
        if is_in {
            let joined = test.next_frame(ana);
            assert_eq!(joined["id"], 9);
            assert_eq!(joined["data"]["peers"].as_array().unwrap().len(), 1);
            assert_eq!(
                test.protoo_answer_consumer(ana, true)["producerId"],
                json!(camera)
            );
            test.close(ana);
        } else {
            assert_eq!(test.closed.get(&ana), Some(&4000));
        }
        test.take_frames(host);
    }
    test.close(host);
    test.assert_empty();
}

#[test]
fn a_removed_client_is_closed_with_a_code_that_forbids_reconnecting() {
    let mut test = TestConference::new();
    let (host, _) = test.join("r");
    let (ana, _) = test.protoo_join("r", "Ana");
    let peer = test.take_frames(host).pop().unwrap()["payload"]["peerId"].clone();
    let remove = json!({"action": "remove", "peerId": peer});
    test.moderate(host, remove);
    assert_eq!(test.closed.get(&ana), Some(&4000));
}

#[test]
fn clients_that_have_not_joined_are_closed_with_a_deleted_room() {
    let mut test = TestConference::new();
    let ana = test.protoo_open("r");
    test.protoo_transport(ana, true);
    let delete = AdminRequest::DeleteRoom {
        room: "r".to_owned(),
    };
    let answer = test.conference.handle_admin_request(test.now, delete);
    assert_eq!(answer, Ok(AdminResponse::Done));
    test.drain();
    assert_eq!(test.closed.get(&ana), Some(&4000));
    test.assert_empty();
}
