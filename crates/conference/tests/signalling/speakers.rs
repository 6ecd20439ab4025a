//! Notices of the active speaker: who is told, how often, and which speaker a room on several shards has.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::{ConferenceConfig, ConferenceLimits, SessionId, ShardId};
use watersmeet_engine::command::{Event, ProducerId};

use super::harness::*;
use super::request_outcomes::{Member, join_with_media};

impl TestConference {
    /// Reports who is speaking in the only router of a shard.
    pub fn report_speaker(&mut self, shard: u8, producer: Option<&str>) {
        let routers = &self.shards[usize::from(shard)].routers;
        assert_eq!(routers.len(), 1, "one room");
        let event = Event::ActiveSpeakerChanged {
            router: *routers.first().unwrap(),
            producer: producer.map(|it| ProducerId::parse(it).unwrap()),
        };
        self.report_event(ShardId(shard), event);
    }

    /// Reads all frames of a native client, which must be notices of the active speaker.
    fn take_speakers(&mut self, session: SessionId) -> Vec<Value> {
        let frames = self.take_frames(session);
        let speakers = frames.into_iter().map(|it| {
            assert_eq!(it["type"], "activeSpeaker", "{it}");
            it["payload"].clone()
        });
        speakers.collect()
    }
}

fn speaker(peer: &str) -> Value {
    json!({"peerId": peer})
}

fn nobody() -> Value {
    json!({})
}

/// Joins members to the same room, and reads their frames.
fn join_members<const COUNT: usize>(test: &mut TestConference) -> [Member; COUNT] {
    let members = std::array::from_fn(|_| join_with_media(test, "room"));
    for member in &members {
        test.take_frames(member.session);
    }
    members
}

/// Returns a conference in which each member is placed on another shard.
fn spread_conference() -> TestConference {
    TestConference::with(ConferenceConfig {
        shards: 3,
        spread_above_permille: 0,
        ..config()
    })
}

#[test]
fn everybody_is_told_of_a_change_once() {
    let mut test = TestConference::new();
    let [ana, ben] = join_members(&mut test);
    let (stranger, _) = test.join("elsewhere");
    let routers = &test.shards[0].routers;
    assert_eq!(routers.len(), 1, "the stranger has no media");
    test.report_speaker(0, Some(&ana.producer));
    for member in [&ana, &ben] {
        assert_eq!(test.take_speakers(member.session), [speaker(&ana.peer)]);
    }
    test.advance(Duration::from_secs(5));
    // Another producer of the same participant.
    let screen_audio = test.produce(ana.session, &ana.send, "audio");
    test.take_frames(ben.session);
    test.report_speaker(0, Some(&screen_audio));
    test.advance(Duration::from_secs(5));
    for member in [&ana, &ben] {
        assert_eq!(test.take_speakers(member.session), [] as [Value; 0]);
    }
    test.report_speaker(0, None);
    for member in [&ana, &ben] {
        assert_eq!(test.take_speakers(member.session), [nobody()]);
    }
    assert_eq!(test.take_frames(stranger), Vec::<Value>::new());
}

#[test]
fn client_without_ids_is_not_told() {
    let mut test = TestConference::new();
    let [ana] = join_members(&mut test);
    let (first_version, _) = test.open();
    test.send_without_id(first_version, "joinRoom", json!({"roomId": "room"}));
    test.take_frames(first_version);
    test.report_speaker(0, Some(&ana.producer));
    assert_eq!(test.take_frames(first_version), Vec::<Value>::new());
    let (late, _) = test.open();
    test.send_without_id(late, "joinRoom", json!({"roomId": "room"}));
    let joined = test.next_frame(late);
    assert_eq!(joined["type"], "roomJoined");
    assert_eq!(joined["payload"].get("activeSpeaker"), None, "{joined}");
}

#[test]
fn participant_who_joins_learns_who_is_speaking() {
    let mut test = TestConference::new();
    let [ana] = join_members(&mut test);
    let (early, _) = test.open();
    let joined = test.join_room(early, "room");
    assert_eq!(joined.get("activeSpeaker"), None, "{joined}");
    test.report_speaker(0, Some(&ana.producer));
    let (late, _) = test.open();
    assert_eq!(test.join_room(late, "room")["activeSpeaker"], ana.peer);
    test.require_approval(ana.session);
    let (guest, guest_peer) = test.open();
    test.expect_reply(guest, "joinRoom", json!({"roomId": "room"}), "waiting");
    test.moderate(
        ana.session,
        json!({"action": "admit", "peerId": guest_peer}),
    );
    let admitted = test.next_frame(guest);
    assert_eq!(admitted["type"], "admitted");
    assert_eq!(admitted["payload"]["activeSpeaker"], ana.peer);
}

#[test]
fn changes_are_told_once_a_second() {
    let mut test = TestConference::new();
    let [ana, ben, cleo] = join_members(&mut test);
    for member in [&ana, &ben, &ana, &cleo] {
        test.report_speaker(0, Some(&member.producer));
    }
    assert_eq!(test.take_speakers(ben.session), [speaker(&ana.peer)]);
    test.advance(Duration::from_millis(999));
    assert_eq!(test.take_speakers(ben.session), [] as [Value; 0]);
    test.advance(Duration::from_millis(1));
    assert_eq!(test.take_speakers(ben.session), [speaker(&cleo.peer)]);
    // A change that is over before it would be told is not told.
    test.report_speaker(0, Some(&ana.producer));
    test.report_speaker(0, Some(&cleo.producer));
    test.advance(Duration::from_secs(5));
    assert_eq!(test.take_speakers(ben.session), [] as [Value; 0]);
}

#[test]
fn room_of_any_size_is_sent_a_thousand_notices_a_second_at_most() {
    let mut test = TestConference::with_limits(ConferenceLimits {
        presence_max: 2,
        participants_max: 5_000,
        ..ConferenceLimits::default()
    });
    let [ana, ben] = join_members(&mut test);
    for _ in 0..1_998 {
        test.join("room");
    }
    test.advance(Duration::from_secs(60));
    test.frames.clear();
    for index in 0..98 {
        let speaker = if index % 2 == 0 { &ana } else { &ben };
        test.report_speaker(0, Some(&speaker.producer));
        test.advance(Duration::from_millis(100));
    }
    let frames = test.frames.values().flatten();
    let notices = frames.filter(|it| it["type"] == "activeSpeaker").count();
    assert_eq!(notices, 2_000 * 5, "each of them every two seconds of ten");
}

#[test]
fn room_on_several_shards_has_one_active_speaker() {
    let mut test = spread_conference();
    let [ana, ben, cleo] = join_members(&mut test);
    let mut report = |shard, member: Option<&Member>| {
        test.report_speaker(shard, member.map(|it| it.producer.as_str()));
        test.advance(Duration::from_secs(2));
        test.take_speakers(ana.session)
    };
    assert_eq!(report(1, Some(&ben)), [speaker(&ben.peer)]);
    // Others who speak at the same time do not replace the active speaker.
    assert_eq!(report(2, Some(&cleo)), [] as [Value; 0]);
    assert_eq!(report(0, Some(&ana)), [] as [Value; 0]);
    // The one who has been speaking for longest follows.
    assert_eq!(report(1, None), [speaker(&cleo.peer)]);
    assert_eq!(report(1, Some(&ben)), [] as [Value; 0]);
    assert_eq!(report(2, None), [speaker(&ana.peer)]);
    assert_eq!(report(0, None), [speaker(&ben.peer)]);
    assert_eq!(report(1, None), [nobody()]);
}

#[test]
fn speaker_who_leaves_is_followed_by_another_one_or_nobody() {
    let mut test = spread_conference();
    let [ana, ben, cleo] = join_members(&mut test);
    test.report_speaker(1, Some(&ben.producer));
    test.report_speaker(2, Some(&cleo.producer));
    test.advance(Duration::from_secs(2));
    test.take_frames(ana.session);
    test.close(ben.session);
    let left = json!({"type": "peerLeft", "payload": {"peerId": ben.peer}});
    let follows = json!({"type": "activeSpeaker", "payload": {"peerId": cleo.peer}});
    assert_eq!(test.take_frames(ana.session), [left, follows]);
    // The change is told later, and who joins until then is not told of one who left.
    test.close(cleo.session);
    assert_eq!(test.take_types(ana.session), ["peerLeft"]);
    let (late, _) = test.open();
    assert_eq!(test.join_room(late, "room").get("activeSpeaker"), None);
    test.take_frames(ana.session);
    test.advance(Duration::from_secs(1));
    assert_eq!(test.take_speakers(ana.session), [nobody()]);
    test.close(ana.session);
    test.close(late);
    test.assert_empty();
}

#[test]
fn speaker_on_a_lost_shard_is_followed_by_nobody() {
    let mut test = spread_conference();
    let [ana, ben, _cleo] = join_members(&mut test);
    test.report_speaker(1, Some(&ben.producer));
    test.advance(Duration::from_secs(2));
    let router = *test.shards[1].routers.first().unwrap();
    test.take_frames(ana.session);
    test.lose_shard(ShardId(1));
    let frames = test.take_frames(ana.session);
    assert_eq!(frames.last().unwrap()["type"], "activeSpeaker");
    assert_eq!(frames.last().unwrap()["payload"], nobody());
    // A report that was on its way is ignored.
    let producer = ProducerId::parse(&ana.producer);
    let late = Event::ActiveSpeakerChanged { router, producer };
    test.report_event(ShardId(1), late);
    test.advance(Duration::from_secs(2));
    assert_eq!(test.take_frames(ana.session), Vec::<Value>::new());
}

#[test]
fn nothing_is_left_of_a_room_with_a_speaker_that_was_not_told() {
    let mut test = TestConference::new();
    let [ana, ben] = join_members(&mut test);
    test.report_speaker(0, Some(&ana.producer));
    test.report_speaker(0, Some(&ben.producer));
    test.close(ben.session);
    test.close(ana.session);
    test.assert_empty();
}
