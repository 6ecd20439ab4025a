//! Events of rooms: each happening is reported once, and what a client does to stay reports nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use watersmeet_conference::conference::{AdminRequest, RoomCreator};
use watersmeet_conference::message::MediaSource;
use watersmeet_conference::room_event::{DepartureReason, RoomEvent, RoomEventKind};
use watersmeet_conference::{ConnectRequest, DialectKind, ShardId};

use super::harness::*;

/// Secret of Ana's client.
const ANA: &str = "ana-0123456789abcdef";

impl TestConference {
    /// Takes the events since the last call and describes each: room, kind, participant and details.
    fn take_events(&mut self) -> Vec<String> {
        let events = self.room_events.split_off(self.room_events_read);
        let described = events.iter().map(describe).collect();
        self.room_events.extend(events);
        self.room_events_read = self.room_events.len();
        described
    }

    /// Checks that everything in the events that has begun has ended, in order and once. What a panic removed
    /// ends with its room.
    pub fn assert_events_balanced(&self) {
        let (mut rooms, mut people, mut tracks) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for event in &self.room_events {
            let room = event.room.session.to_string();
            let person = |it: &str| (room.clone(), it.to_owned());
            let is_expected = match &event.kind {
                RoomEventKind::RoomStarted => rooms.insert(room),
                RoomEventKind::RoomFinished => rooms.remove(&room),
                RoomEventKind::ParticipantJoined { participant, .. } => {
                    rooms.contains(&room) && people.insert(person(&participant.session))
                }
                RoomEventKind::ParticipantLeft { participant, .. } => {
                    people.remove(&person(&participant.session))
                }
                RoomEventKind::TrackPublished { participant, track } => {
                    people.contains(&person(&participant.session)) && tracks.insert(track.producer)
                }
                RoomEventKind::TrackUnpublished { track, .. } => tracks.remove(&track.producer),
                RoomEventKind::TrackMuteChanged { track, .. } => tracks.contains(&track.producer),
            };
            assert!(is_expected, "{event:?}");
        }
        assert_eq!(rooms.len(), 0);
        if self.conference.gauges().totals.panics == 0 {
            assert_eq!((people.len(), tracks.len()), (0, 0));
        }
    }
}

/// Describes an event in a line.
fn describe(event: &RoomEvent) -> String {
    let (what, who, detail) = match &event.kind {
        RoomEventKind::RoomStarted => ("started", None, String::new()),
        RoomEventKind::RoomFinished => ("finished", None, String::new()),
        RoomEventKind::ParticipantJoined {
            participant,
            is_moved,
        } => {
            let detail = if *is_moved { "moved" } else { "" };
            ("joined", Some(participant), detail.to_owned())
        }
        RoomEventKind::ParticipantLeft {
            participant,
            reason,
            ..
        } => ("left", Some(participant), reason.as_str().to_owned()),
        RoomEventKind::TrackPublished { participant, track } => {
            let detail = format!("{:?}", track.source);
            ("published", Some(participant), detail)
        }
        RoomEventKind::TrackUnpublished { participant, .. } => {
            ("unpublished", Some(participant), String::new())
        }
        RoomEventKind::TrackMuteChanged { participant, track } => {
            ("muted", Some(participant), track.is_muted.to_string())
        }
    };
    let who = who.map_or("", |it| it.display_name.as_deref().unwrap_or("?"));
    let words = [&*event.room.name, what, who, &detail];
    let words: Vec<_> = words.into_iter().filter(|it| !it.is_empty()).collect();
    words.join(" ")
}

/// Returns the payload of `joinRoom` for a page.
fn page(name: &str, secret: &str) -> serde_json::Value {
    json!({"roomId": "room", "displayName": name, "resume": secret, "resumable": true})
}

#[test]
fn a_call_is_reported_from_the_first_participant_to_the_last() {
    let mut test = TestConference::new();
    let (ana, ana_peer) = test.open();
    test.request(ana, "joinRoom", page("Ana", ANA));
    let send = test.create_transport(ana, "send");
    let mut request = produce(&send, "video");
    request["source"] = json!("camera");
    let camera = text(&test.expect_reply(ana, "produce", request, "produced")["producerId"]);
    let pause = json!({"producerId": camera});
    test.expect_reply(ana, "pauseProducer", pause.clone(), "producerPaused");
    test.expect_reply(ana, "pauseProducer", pause.clone(), "producerPaused");
    test.expect_reply(ana, "resumeProducer", pause, "producerResumed");
    let mute = json!({"action": "mute", "peerId": ana_peer});
    test.moderate(ana, mute);
    test.expect_reply(ana, "leaveRoom", json!({}), "roomLeft");
    let records = test.room_events.clone();
    assert_eq!(
        test.take_events(),
        [
            "room started",
            "room joined Ana",
            "room published Ana Some(Camera)",
            "room muted Ana true",
            "room muted Ana false",
            "room muted Ana true",
            "room unpublished Ana",
            "room left Ana left",
            "room finished",
        ]
    );
    let RoomEventKind::TrackPublished { participant, track } = &records[2].kind else {
        panic!("{records:?}");
    };
    assert_eq!(participant.peer.as_str(), ana_peer);
    assert_eq!(participant.dialect, "native");
    assert_eq!(track.producer.to_string(), camera);
    assert_eq!(track.source, Some(MediaSource::Camera));
    assert_eq!(&*track.mime_type, "video/VP8");
    let counts: Vec<_> = records.iter().map(|it| it.room.participants).collect();
    assert_eq!(counts, [0, 1, 1, 1, 1, 1, 1, 0, 0]);
    let first = &records[0].room.session;
    assert!(records.iter().all(|it| it.room.session == *first));
    // The room of the same name has another life.
    test.request(ana, "joinRoom", page("Ana", ANA));
    assert_ne!(test.room_events.last().unwrap().room.session, *first);
    test.close(ana);
    test.advance(Duration::from_secs(200));
    test.assert_empty();
}

#[test]
fn resuming_and_joining_again_report_nothing_and_a_lost_client_leaves_once() {
    let mut test = TestConference::new();
    let (ana, peer) = test.open();
    test.request(ana, "joinRoom", page("Ana", ANA));
    let (ben, _) = test.join("room");
    test.take_events();
    test.lose(ana);
    test.advance(Duration::from_secs(5));
    let (again, _) = test.open();
    let resume = json!({"peerId": peer, "resume": ANA, "seq": 1});
    assert_eq!(
        test.request(again, "resumeSession", resume)["type"],
        "resumed"
    );
    test.request(again, "joinRoom", page("Ana", ANA));
    test.lose_shard(ShardId(0));
    assert_eq!(test.take_events(), [""; 0]);
    test.lose(again);
    test.advance(Duration::from_secs(40));
    assert_eq!(test.take_events(), ["room left Ana connection-lost"]);
    test.close(ben);
    test.advance(Duration::from_secs(200));
    assert_eq!(test.take_events(), ["room left ? left", "room finished"]);
    test.assert_empty();
}

#[test]
fn rooms_created_in_advance_start_with_their_first_participant() {
    let mut test = TestConference::new();
    for room in ["used", "unused"] {
        let request = AdminRequest::CreateRoom {
            room: room.to_owned(),
            host_name: None,
            title: Some("Weekly".to_owned()),
            policy: None,
            has_host_token: false,
            last_n_video: None,
            top_n_audio: None,
            creator: RoomCreator::Operator,
        };
        test.conference
            .handle_admin_request(test.now, request)
            .unwrap();
    }
    test.drain();
    assert_eq!(test.take_events(), [""; 0]);
    let (ana, _) = test.join("used");
    assert_eq!(test.take_events(), ["used started", "used joined ?"]);
    let title = test.room_events[0].room.title.as_deref();
    assert_eq!(title, Some("Weekly"));
    let room = "used".to_owned();
    let closed = AdminRequest::DeleteRoom { room };
    test.conference
        .handle_admin_request(test.now, closed)
        .unwrap();
    test.drain();
    assert_eq!(
        test.take_events(),
        ["used left ? room-closed", "used finished"]
    );
    test.close(ana);
    test.advance(Duration::from_secs(100_000));
    assert_eq!(test.take_events(), [""; 0]);
    test.assert_empty();
}

#[test]
fn those_who_only_prepare_wait_or_test_their_connection_are_not_reported() {
    let mut test = TestConference::new();
    let protoo = ConnectRequest {
        room: Some("room".to_owned()),
        peer: Some("peer".to_owned()),
        ..ConnectRequest::new(DialectKind::Protoo)
    };
    let prepared = test.open_with(protoo);
    let (tester, _) = test.open();
    test.request(tester, "testConnection", json!({}));
    let send = test.create_transport(tester, "send");
    test.produce(tester, &send, "audio");
    test.close(tester);
    test.close(prepared);
    assert_eq!(test.take_events(), [""; 0]);

    let (host, _) = test.join("room");
    test.require_approval(host);
    let (guest, peer) = test.open();
    let join = json!({"roomId": "room", "displayName": "Guest"});
    test.expect_reply(guest, "joinRoom", join, "waiting");
    test.take_events();
    test.moderate(host, json!({"action": "admit", "peerId": peer}));
    assert_eq!(test.take_events(), ["room joined Guest"]);
    test.moderate(host, json!({"action": "remove", "peerId": peer}));
    assert_eq!(test.take_events(), ["room left Guest removed"]);
    test.moderate(host, json!({"action": "end"}));
    assert_eq!(test.take_events(), ["room left ? ended", "room finished"]);
    for session in [host, guest] {
        test.close(session);
    }
    test.assert_empty();
}

#[test]
fn people_keep_their_stay_in_breakout_rooms() {
    let mut test = TestConference::new();
    let (host, _) = test.open();
    test.request(host, "joinRoom", page("Ana", ANA));
    let (ben, ben_peer) = test.open();
    test.request(ben, "joinRoom", page("Ben", "ben-0123456789abcdef"));
    test.take_events();
    let rooms = json!([{"name": "Red", "peerIds": [ben_peer]}, {"name": "Blue", "peerIds": []}]);
    test.moderate(host, json!({"action": "openBreakouts", "rooms": rooms}));
    let frames = test.take_frames(host);
    let told = frames.iter().rfind(|it| it["type"] == "breakouts").unwrap();
    let red = text(&told["payload"]["rooms"][0]["roomId"]);
    assert_eq!(test.take_events(), [""; 0]);
    test.expect_reply(ben, "enterBreakout", json!({"roomId": red}), "roomJoined");
    let expected = [
        "room left Ben moved".to_owned(),
        format!("{red} started"),
        format!("{red} joined Ben moved"),
    ];
    assert_eq!(test.take_events(), expected);
    let started = &test.room_events[test.room_events.len() - 2];
    assert_eq!(started.room.main.as_deref(), Some("room"));
    test.moderate(host, json!({"action": "closeBreakouts", "seconds": 0}));
    test.advance(Duration::from_secs(1));
    let expected = [
        format!("{red} left Ben moved"),
        "room joined Ben moved".to_owned(),
        format!("{red} finished"),
    ];
    assert_eq!(test.take_events(), expected);
    let stays = test.room_events.iter().filter_map(|it| match &it.kind {
        RoomEventKind::ParticipantJoined { participant, .. }
        | RoomEventKind::ParticipantLeft { participant, .. } => Some(participant.session.clone()),
        _ => None,
    });
    assert_eq!(stays.collect::<BTreeSet<_>>().len(), 2);
    for session in [host, ben] {
        test.expect_reply(session, "leaveRoom", json!({}), "roomLeft");
        test.close(session);
    }
    test.assert_empty();
}

#[test]
fn everything_ends_when_the_program_stops() {
    let mut test = TestConference::new();
    let (ana, _) = test.open();
    test.request(ana, "joinRoom", page("Ana", ANA));
    test.take_events();
    test.conference.handle_stop(test.now);
    test.drain();
    assert_eq!(
        test.take_events(),
        ["room left Ana server-stopped", "room finished"]
    );
    test.close(ana);
    test.advance(Duration::from_secs(200));
    assert_eq!(test.take_events(), [""; 0]);
    assert_eq!(DepartureReason::ServerStopped.as_str(), "server-stopped");
}
