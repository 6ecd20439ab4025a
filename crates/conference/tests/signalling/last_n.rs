//! Rooms that send only some of their cameras and voices: which consumers are held back, when that changes,
//! and where it is set.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::conference::{AdminRequest, RoomCreator};
use watersmeet_conference::{ConferenceConfig, ForwardingLimits, SessionId};
use watersmeet_engine::command::ConsumerId;

use super::harness::*;

/// A participant with a microphone and a camera.
struct Person {
    session: SessionId,
    send: String,
    voice: String,
    camera: String,
    /// Consumers of the cameras of the others, in the order of these.
    consumers: Vec<String>,
}

/// Returns a conference whose rooms send so many cameras.
fn limited(last_n_video: u16) -> TestConference {
    TestConference::with(ConferenceConfig {
        shards: 1,
        forwarding: ForwardingLimits {
            last_n_video,
            top_n_audio: 0,
        },
        ..config()
    })
}

fn join_person(test: &mut TestConference) -> Person {
    let (session, _) = test.join("room");
    let send = test.create_transport(session, "send");
    test.create_transport(session, "recv");
    let camera = test.produce(session, &send, "video");
    let voice = test.produce(session, &send, "audio");
    Person {
        session,
        send,
        voice,
        camera,
        consumers: Vec::new(),
    }
}

/// Joins people, each of whom receives the cameras of all others.
fn join_people<const COUNT: usize>(test: &mut TestConference) -> [Person; COUNT] {
    let mut people: [Person; COUNT] = std::array::from_fn(|_| join_person(test));
    for receiver in 0..COUNT {
        for sender in (0..COUNT).filter(|it| *it != receiver) {
            let camera = people[sender].camera.clone();
            let consumer = test.consume(people[receiver].session, &camera);
            people[receiver].consumers.push(consumer);
        }
    }
    people
}

impl TestConference {
    /// Returns which of a person's consumers are sent.
    fn shown(&self, person: &Person) -> Vec<usize> {
        let is_held = |consumer: &String| {
            let consumer = ConsumerId::parse(consumer).unwrap();
            self.shards.iter().any(|it| it.held.contains(&consumer))
        };
        let consumers = person.consumers.iter().enumerate();
        consumers
            .filter(|(_, it)| !is_held(it))
            .map(|(index, _)| index)
            .collect()
    }

    fn set_paused(&mut self, person: &Person, paused: bool) {
        let kind = if paused {
            "pauseProducer"
        } else {
            "resumeProducer"
        };
        let answer = if paused {
            "producerPaused"
        } else {
            "producerResumed"
        };
        let payload = json!({"producerId": person.camera});
        self.expect_reply(person.session, kind, payload, answer);
    }
}

#[test]
fn everything_is_sent_where_nothing_is_set() {
    let mut test = TestConference::new();
    let people = join_people::<4>(&mut test);
    test.report_speaker(0, Some(&people[3].voice));
    assert!(people.iter().all(|it| test.shown(it) == [0, 1, 2]));
    assert!(test.shards.iter().all(|it| it.voices.is_empty()));
}

#[test]
fn cameras_of_those_who_came_first_are_sent_until_somebody_speaks() {
    let mut test = limited(2);
    let people = join_people::<5>(&mut test);
    assert!(people.iter().all(|it| test.shown(it) == [0, 1]));
    test.report_speaker(0, Some(&people[3].voice));
    // The speaker itself sees those who came first; for all others it takes the place of the second.
    assert_eq!(test.shown(&people[0]), [0, 2]);
    assert_eq!(test.shown(&people[1]), [0, 2]);
    assert_eq!(test.shown(&people[2]), [0, 2]);
    assert_eq!(test.shown(&people[3]), [0, 1]);
    assert_eq!(test.shown(&people[4]), [0, 3]);
    test.advance(Duration::from_secs(2));
    test.report_speaker(0, Some(&people[4].voice));
    assert_eq!(test.shown(&people[0]), [2, 3], "the last two speakers");
    // Silence changes nothing.
    test.advance(Duration::from_secs(2));
    test.report_speaker(0, None);
    test.advance(Duration::from_secs(5));
    assert_eq!(test.shown(&people[0]), [2, 3]);
}

#[test]
fn cameras_change_once_a_second_at_most() {
    let mut test = limited(1);
    let people = join_people::<4>(&mut test);
    test.report_speaker(0, Some(&people[2].voice));
    assert_eq!(test.shown(&people[0]), [1]);
    test.report_speaker(0, Some(&people[3].voice));
    for person in [&people[1], &people[2]] {
        test.set_paused(person, true);
        test.set_paused(person, false);
    }
    test.advance(Duration::from_millis(999));
    assert_eq!(test.shown(&people[0]), [1]);
    test.advance(Duration::from_millis(1));
    assert_eq!(test.shown(&people[0]), [2]);
}

#[test]
fn new_consumer_is_held_back_before_its_first_picture() {
    let mut test = limited(1);
    let people = join_people::<3>(&mut test);
    test.report_speaker(0, Some(&people[2].voice));
    let mut late = join_person(&mut test);
    let cameras = people.iter().map(|it| it.camera.clone());
    for (index, camera) in cameras.enumerate() {
        test.executes_immediately = false;
        let id = test.send_request(late.session, "consume", consume(&camera));
        test.execute_all_commands();
        test.executes_immediately = true;
        let consumed = test.take_reply(late.session, id).unwrap();
        late.consumers
            .push(text(&consumed["payload"]["consumerId"]));
        // The last speaker is sent as soon as it is consumed.
        assert_eq!(test.shown(&late), [if index == 2 { 2 } else { 0 }]);
    }
}

#[test]
fn cameras_that_are_off_and_screens_take_no_place() {
    let mut test = limited(1);
    let mut people = join_people::<3>(&mut test);
    test.set_paused(&people[0], true);
    test.advance(Duration::from_secs(1));
    assert_eq!(test.shown(&people[1]), [1]);
    test.set_paused(&people[0], false);
    test.advance(Duration::from_secs(1));
    assert_eq!(test.shown(&people[1]), [0]);
    let mut screen = produce(&people[0].send, "video");
    screen["source"] = json!("screen");
    let screen = test.expect_reply(people[0].session, "produce", screen, "produced");
    let consumer = test.consume(people[1].session, screen["producerId"].as_str().unwrap());
    people[1].consumers.push(consumer);
    assert_eq!(test.shown(&people[1]), [0, 2]);
}

#[test]
fn pinned_camera_is_sent_besides_the_others() {
    let mut test = limited(1);
    let people = join_people::<4>(&mut test);
    let ana = &people[0];
    assert_eq!(test.shown(ana), [0]);
    let mut pin = |index: usize, priority: u8, expected: &[usize]| {
        let payload = json!({"consumerId": ana.consumers[index], "priority": priority});
        test.expect_reply(ana.session, "setPriority", payload, "done");
        assert_eq!(test.shown(ana), expected);
    };
    pin(2, 100, &[0, 2]);
    pin(0, 100, &[0, 1, 2]);
    pin(2, 1, &[0, 1]);
    let unknown = json!({"consumerId": UNKNOWN_ID, "priority": 9});
    let code = test.expect_refusal(ana.session, "setPriority", unknown);
    assert_eq!(code, "consumer-not-found");
}

#[test]
fn place_of_a_camera_that_is_gone_is_given_to_another_one() {
    let mut test = limited(1);
    let [ana, ben, cleo, mut dan] = join_people::<4>(&mut test);
    // Dan closes what he receives of Ana.
    let close = json!({"consumerId": dan.consumers.remove(0)});
    test.expect_reply(dan.session, "closeConsumer", close, "closedConsumer");
    assert_eq!(test.shown(&dan), [0]);
    let close = json!({"producerId": ben.camera});
    test.expect_reply(ben.session, "closeProducer", close, "closedProducer");
    dan.consumers.remove(0);
    test.advance(Duration::from_secs(1));
    assert_eq!(test.shown(&dan), [0]);
    test.report_speaker(0, Some(&cleo.voice));
    for person in [ana, ben, cleo, dan] {
        test.close(person.session);
    }
    test.assert_empty();
}

#[test]
fn other_dialects_hear_nothing_of_it_where_a_room_has_limits() {
    let mut test = limited(1);
    let people = join_people::<2>(&mut test);
    let (first_version, _) = test.open();
    for (kind, payload) in [
        ("joinRoom", json!({"roomId": "room"})),
        ("createTransport", json!({"direction": "recv"})),
        ("consume", consume(&people[0].camera)),
        ("consume", consume(&people[1].camera)),
    ] {
        test.send_without_id(first_version, kind, payload);
    }
    test.take_frames(first_version);
    test.report_speaker(0, Some(&people[1].voice));
    assert_eq!(test.take_frames(first_version), Vec::<Value>::new());
    // Each person sees the only other one; the third sees one of two.
    assert_eq!(test.shards[0].held.len(), 1);
}

fn create_room(last_n_video: Option<u16>, top_n_audio: Option<u8>) -> AdminRequest {
    AdminRequest::CreateRoom {
        room: "room".to_owned(),
        host_name: None,
        title: None,
        policy: None,
        has_host_token: false,
        last_n_video,
        top_n_audio,
        creator: RoomCreator::Operator,
    }
}

#[test]
fn limits_of_a_room_take_precedence_over_those_of_the_server() {
    for (cameras, voices, shown, routers) in [
        (None, None, vec![0, 1], vec![3]),
        (Some(1), Some(5), vec![0], vec![5]),
        (Some(0), Some(0), vec![0, 1, 2], vec![]),
    ] {
        let mut test = TestConference::with(ConferenceConfig {
            forwarding: ForwardingLimits {
                last_n_video: 2,
                top_n_audio: 3,
            },
            ..config()
        });
        let request = create_room(cameras, voices);
        let created = test.conference.handle_admin_request(test.now, request);
        created.unwrap();
        let people = join_people::<4>(&mut test);
        assert!(people.iter().all(|it| test.shown(it) == shown));
        let limits = test
            .shards
            .iter()
            .flat_map(|it| it.voices.values().copied());
        assert_eq!(limits.collect::<Vec<_>>(), routers);
    }
}

#[test]
fn voices_are_limited_on_each_shard_of_a_room() {
    let mut test = TestConference::with(ConferenceConfig {
        shards: 3,
        spread_above_permille: 0,
        forwarding: ForwardingLimits {
            last_n_video: 0,
            top_n_audio: 4,
        },
        ..config()
    });
    join_people::<3>(&mut test);
    let limits = test
        .shards
        .iter()
        .map(|it| it.voices.values().copied().collect());
    let limits: Vec<Vec<u8>> = limits.collect();
    assert_eq!(limits, [[4], [4], [4]]);
}
