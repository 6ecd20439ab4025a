//! Powers of hosts over everybody: muting all, asking to unmute, stopping shared screens, the spotlight, who
//! may share, and ending the meeting. What a host may do, nobody else may.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::SessionId;

use super::harness::*;
use super::request_outcomes::join_with_media;

/// Secrets of clients, as long as those of the page.
const HOST: &str = "host-0123456789abcdef";
const BEN: &str = "ben-0123456789abcdef";

/// Returns the payload of `produce` for a video of this source.
fn produce_from(transport: &str, source: &str) -> Value {
    let mut payload = produce(transport, "video");
    payload["source"] = json!(source);
    payload
}

impl TestConference {
    /// Shares a screen, and returns its producer.
    fn share_screen(&mut self, session: SessionId) -> String {
        let transport = self.create_transport(session, "send");
        let payload = produce_from(&transport, "screen");
        let produced = self.expect_reply(session, "produce", payload, "produced");
        text(&produced["producerId"])
    }

    /// Joins the room with the secret of a client. Returns its peer id and the payload of the reply too.
    fn join_with_secret(&mut self, secret: &str) -> (SessionId, String, Value) {
        let (session, peer) = self.open();
        let payload = json!({"roomId": "room", "resume": secret});
        let joined = self.expect_reply(session, "joinRoom", payload, "roomJoined");
        (session, peer, joined)
    }

    fn spotlight(&mut self, host: SessionId, peer: Option<&str>) {
        self.moderate(host, json!({"action": "spotlight", "peerId": peer}));
    }
}

#[test]
fn nobody_but_a_host_has_the_powers_of_a_host() {
    let powers = [
        json!({"action": "muteAll"}),
        json!({"action": "askToUnmute"}),
        json!({"action": "stopSharing"}),
        json!({"action": "appointHost"}),
        json!({"action": "spotlight"}),
        json!({"action": "setSharing", "sharing": "hosts"}),
        json!({"action": "end"}),
    ];
    for power in powers {
        for role in ["speaker", "viewer", "outside"] {
            let mut test = TestConference::new();
            let host = join_with_media(&mut test, "room");
            let guest = join_with_media(&mut test, "room");
            test.share_screen(host.session);
            let expected = match role {
                "outside" => "not-in-room",
                _ => "forbidden",
            };
            if role == "viewer" {
                let demote = json!({"action": "demote", "peerId": guest.peer});
                test.moderate(host.session, demote);
            }
            if role == "outside" {
                test.expect_reply(guest.session, "leaveRoom", json!({}), "roomLeft");
            }
            let mut request = power.clone();
            let is_about_one =
                !["muteAll", "setSharing", "end"].contains(&text(&power["action"]).as_str());
            if is_about_one {
                request["peerId"] = json!(host.peer);
            }
            test.take_frames(host.session);
            let before = test.shards.clone();
            let got = test.expect_refusal(guest.session, "moderate", request);
            assert_eq!(got, expected, "{power} by {role}");
            assert_eq!(test.shards, before, "{power} by {role}");
            assert_eq!(test.take_types(host.session), [""; 0], "{power} by {role}");
        }
    }
}

#[test]
fn powers_over_one_participant_are_refused_for_strangers() {
    let mut test = TestConference::new();
    let (host, _) = test.join("room");
    let (_, stranger) = test.join("elsewhere");
    for action in ["askToUnmute", "stopSharing", "appointHost", "spotlight"] {
        for peer in [stranger.as_str(), "nobody"] {
            let request = json!({"action": action, "peerId": peer});
            let got = test.expect_refusal(host, "moderate", request);
            assert_eq!(got, "participant-not-found", "{action}");
        }
    }
    let request = json!({"action": "setSharing", "sharing": "nobody"});
    assert_eq!(
        test.expect_refusal(host, "moderate", request),
        "bad-request"
    );
}

#[test]
fn muting_all_pauses_everybody_but_the_host_that_requests_it() {
    let mut test = TestConference::new();
    let host = join_with_media(&mut test, "room");
    let guests = [(); 2].map(|()| join_with_media(&mut test, "room"));
    for session in [host.session, guests[0].session, guests[1].session] {
        test.take_frames(session);
    }
    // None of them sends audio.
    test.moderate(host.session, json!({"action": "muteAll", "kind": "audio"}));
    assert_eq!(test.take_types(host.session), [""; 0]);
    test.moderate(host.session, json!({"action": "muteAll"}));
    assert_eq!(test.take_types(host.session), ["producerPaused"; 2]);
    for guest in guests {
        let received = test.take_types(guest.session);
        let muted = received.iter().filter(|it| *it == "muted").count();
        assert_eq!(muted, 1, "{received:?}");
        let resume = json!({"producerId": guest.producer});
        test.expect_reply(guest.session, "resumeProducer", resume, "producerResumed");
    }
}

#[test]
fn a_request_to_unmute_reaches_only_its_receiver_and_changes_nothing() {
    let mut test = TestConference::new();
    let (host, host_peer) = test.join("room");
    let (ben, ben_peer) = test.join("room");
    let (carla, _) = test.join("room");
    for session in [host, ben, carla] {
        test.take_frames(session);
    }
    test.moderate(host, json!({"action": "askToUnmute", "peerId": ben_peer}));
    let asked = test.next_frame(ben);
    let expected = json!({"type": "unmuteRequested", "payload": {"peerId": host_peer}});
    assert_eq!(asked, expected);
    for session in [host, ben, carla] {
        assert_eq!(test.take_types(session), [""; 0]);
    }
}

#[test]
fn stopping_a_share_closes_screens_and_leaves_the_camera() {
    let mut test = TestConference::new();
    let (host, _) = test.join("room");
    let guest = join_with_media(&mut test, "room");
    let stop = json!({"action": "stopSharing", "peerId": guest.peer});
    test.take_frames(guest.session);
    test.moderate(host, stop.clone());
    assert_eq!(test.take_types(guest.session), [""; 0], "nothing is shared");
    let screens = [(); 2].map(|()| test.share_screen(guest.session));
    test.take_frames(host);
    test.moderate(host, stop);
    let closed = test.take_frames(host);
    let closed: Vec<_> = closed
        .iter()
        .map(|it| text(&it["payload"]["producerId"]))
        .collect();
    assert_eq!(closed, screens);
    let told = test.take_types(guest.session);
    assert_eq!(told, ["producerClosed", "producerClosed", "sharingStopped"]);
    assert_eq!(test.conference.gauges().producers, 1, "the camera goes on");
}

#[test]
fn only_hosts_share_screens_where_a_host_says_so() {
    let mut test = TestConference::new();
    let (host, _) = test.join("room");
    let (ben, ben_peer) = test.join("room");
    let shared = test.share_screen(ben);
    test.take_frames(ben);
    let only_hosts = json!({"action": "setSharing", "sharing": "hosts"});
    test.moderate(host, only_hosts.clone());
    assert_eq!(test.next_frame(ben)["payload"], json!({"sharing": "hosts"}));
    test.moderate(host, only_hosts);
    assert_eq!(test.take_types(ben), [""; 0], "nothing has changed");
    let transport = test.create_transport(ben, "send");
    let before = test.shards.clone();
    for source in ["screen", "screen-audio"] {
        let request = produce_from(&transport, source);
        assert_eq!(test.expect_refusal(ben, "produce", request), "forbidden");
    }
    assert_eq!(test.shards, before);
    let camera = produce_from(&transport, "camera");
    test.expect_reply(ben, "produce", camera, "produced");
    test.share_screen(host);
    let pause = json!({"producerId": shared});
    test.expect_reply(ben, "pauseProducer", pause, "producerPaused");
    let (carla, _) = test.open();
    let joined = test.join_room(carla, "room");
    assert_eq!(joined["sharing"], "hosts");
    test.moderate(host, json!({"action": "appointHost", "peerId": ben_peer}));
    test.share_screen(ben);
    test.moderate(
        host,
        json!({"action": "setSharing", "sharing": "everybody"}),
    );
    test.share_screen(carla);
}

#[test]
fn a_spotlight_is_told_to_everybody_and_to_who_joins_later() {
    let mut test = TestConference::new();
    let (host, _) = test.join("room");
    let (ben, ben_peer) = test.join("room");
    let (carla, _) = test.join("room");
    for session in [host, ben, carla] {
        test.take_frames(session);
    }
    test.spotlight(host, Some(&ben_peer));
    test.spotlight(host, Some(&ben_peer));
    for session in [host, ben, carla] {
        let frames = test.take_frames(session);
        let told: Vec<_> = frames.iter().map(|it| &it["payload"]["peerId"]).collect();
        assert_eq!(told, [&json!(ben_peer)]);
    }
    let (dora, _) = test.open();
    let joined = test.join_room(dora, "room");
    assert_eq!(joined["spotlight"], json!(ben_peer));
    test.take_frames(carla);
    test.spotlight(host, None);
    assert_eq!(
        test.next_frame(carla),
        json!({"type": "spotlightChanged", "payload": {}})
    );
}

#[test]
fn a_spotlight_ends_when_its_participant_leaves_and_comes_back_with_it() {
    // A reload that the server has noticed, one that it has not, and a participant that leaves.
    for how in ["lost", "reload", "leave"] {
        let mut test = TestConference::new();
        let (host, ..) = test.join_with_secret(HOST);
        let (ben, ben_peer, _) = test.join_with_secret(BEN);
        test.spotlight(host, Some(&ben_peer));
        test.take_frames(host);
        if how == "leave" {
            test.expect_reply(ben, "leaveRoom", json!({}), "roomLeft");
        }
        if how != "reload" {
            test.close(ben);
            assert_eq!(
                test.take_types(host),
                ["peerLeft", "spotlightChanged"],
                "{how}"
            );
        }
        test.advance(Duration::from_secs(60));
        let (_, again, joined) = test.join_with_secret(BEN);
        let told = test.take_frames(host);
        let last = told.last().unwrap();
        if how == "leave" {
            assert_eq!(joined["spotlight"], Value::Null);
            assert_eq!(last["type"], "newPeer");
        } else {
            assert_eq!(joined["spotlight"], json!(again), "{how}");
            let expected = json!({"type": "spotlightChanged", "payload": {"peerId": again}});
            assert_eq!(*last, expected, "{how}");
        }
    }
}

#[test]
fn a_spotlight_that_was_given_to_another_meanwhile_stays_there() {
    let mut test = TestConference::new();
    let (host, host_peer, _) = test.join_with_secret(HOST);
    let (ben, ben_peer, _) = test.join_with_secret(BEN);
    test.spotlight(host, Some(&ben_peer));
    test.close(ben);
    test.spotlight(host, Some(&host_peer));
    let (.., joined) = test.join_with_secret(BEN);
    assert_eq!(joined["spotlight"], json!(host_peer));
}

#[test]
fn an_appointed_host_moderates_and_is_told_who_waits() {
    let mut test = TestConference::new();
    let (host, _) = test.join("room");
    let (ben, ben_peer) = test.join("room");
    test.require_approval(host);
    let (guest, guest_peer) = test.open();
    test.expect_reply(guest, "joinRoom", json!({"roomId": "room"}), "waiting");
    test.take_frames(ben);
    test.moderate(host, json!({"action": "appointHost", "peerId": ben_peer}));
    let told = test.take_types(ben);
    assert_eq!(told, ["roleChanged", "policyChanged", "joinRequested"]);
    test.moderate(ben, json!({"action": "admit", "peerId": guest_peer}));
    // A host that is made a speaker again has no power any more.
    test.moderate(host, json!({"action": "promote", "peerId": ben_peer}));
    let refused = test.expect_refusal(ben, "moderate", json!({"action": "muteAll"}));
    assert_eq!(refused, "forbidden");
}

#[test]
fn ending_the_meeting_removes_everybody_and_the_room() {
    let mut test = TestConference::new();
    let (host, ..) = test.join_with_secret(HOST);
    let ben = join_with_media(&mut test, "room");
    test.require_approval(host);
    let (waiting, _) = test.open();
    test.expect_reply(waiting, "joinRoom", json!({"roomId": "room"}), "waiting");
    for session in [host, ben.session, waiting] {
        test.take_frames(session);
    }
    test.moderate(host, json!({"action": "end"}));
    for session in [host, ben.session, waiting] {
        let frames = test.take_frames(session);
        let is_appointed = frames.iter().any(|it| it["type"] == "roleChanged");
        assert!(!is_appointed, "nobody becomes the host of a room that ends");
        let last = frames.last().unwrap();
        assert_eq!(
            *last,
            json!({"type": "removed", "payload": {"reason": "ended"}})
        );
    }
    assert_eq!(test.conference.gauges().rooms, 0);
    test.assert_no_transports();
    // Nobody has a seat in the meeting that has ended: the next to come begins another one.
    let (.., joined) = test.join_with_secret(BEN);
    assert_eq!(joined["role"], "host");
}
