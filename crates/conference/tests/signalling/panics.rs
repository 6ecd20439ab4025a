//! Panics while an input is handled: they close a session or its room, and affect nobody else.

use serde_json::json;
use watersmeet_conference::close_codes::{CLOSE_INTERNAL, CLOSE_RESTART};
use watersmeet_conference::faults::PanicStage;

use super::harness::*;
use super::request_outcomes::{Member, join_with_media};

/// Two participants with media in each of two rooms. The first room's next request panics.
fn two_rooms(test: &mut TestConference, stage: PanicStage) -> [Member; 4] {
    let members = ["hit", "hit", "spared", "spared"].map(|room| join_with_media(test, room));
    for [sender, receiver] in [[0, 1], [1, 0], [2, 3], [3, 2]] {
        let producer = members[sender].producer.clone();
        test.consume(members[receiver].session, &producer);
    }
    for member in &members {
        test.take_frames(member.session);
    }
    test.conference.inject_panic("hit", stage);
    members
}

fn chat(test: &mut TestConference, member: &Member) {
    test.send_without_id(member.session, "chat", json!({"text": "hello"}));
}

/// Checks that the participants of the other room were told nothing and can do everything.
fn assert_other_room_works(test: &mut TestConference, [ana, ben]: [&Member; 2]) {
    for member in [ana, ben] {
        assert_eq!(
            test.take_frames(member.session),
            [] as [serde_json::Value; 0]
        );
        assert!(!test.closed.contains_key(&member.session));
    }
    chat(test, ana);
    assert_eq!(test.take_types(ben.session), ["chat"]);
    let audio = test.produce(ana.session, &ana.send, "audio");
    test.consume(ben.session, &audio);
}

/// Checks that one panic was counted and that nothing is left over after everybody has left.
fn assert_recovered(mut test: TestConference, members: &[Member; 4]) {
    assert_eq!(test.conference.gauges().totals.panics, 1);
    for member in members {
        if !test.closed.contains_key(&member.session) {
            test.close(member.session);
        }
    }
    test.assert_empty();
}

#[test]
fn a_panic_in_a_dialect_or_a_request_closes_only_its_session() {
    for stage in [PanicStage::Dialect, PanicStage::Request] {
        let mut test = TestConference::new();
        let members = two_rooms(&mut test, stage);
        let [hit, other, ana, ben] = &members;
        chat(&mut test, hit);
        assert_eq!(test.closed.get(&hit.session), Some(&CLOSE_INTERNAL));
        assert_eq!(test.closed.len(), 1);
        let received = test.take_types(other.session);
        let left = received.iter().filter(|it| *it == "peerLeft");
        assert_eq!(left.count(), 1, "{received:?}");
        let left = test.expect_reply(other.session, "getParticipants", json!({}), "participants");
        assert_eq!(
            left["participants"].as_array().map(Vec::len),
            Some(1),
            "{left}"
        );
        assert_other_room_works(&mut test, [ana, ben]);
        assert_recovered(test, &members);
    }
}

#[test]
fn a_panic_that_leaves_a_room_inconsistent_or_recurs_closes_that_room() {
    for stage in [PanicStage::Halfway, PanicStage::Cleanup] {
        let mut test = TestConference::new();
        let members = two_rooms(&mut test, stage);
        let [hit, other, ana, ben] = &members;
        chat(&mut test, hit);
        assert!(test.closed.contains_key(&hit.session));
        assert_eq!(test.closed.get(&other.session), Some(&CLOSE_RESTART));
        assert_eq!(test.conference.gauges().rooms, 1);
        assert_other_room_works(&mut test, [ana, ben]);
        let again = join_with_media(&mut test, "hit");
        test.close(again.session);
        assert_recovered(test, &members);
    }
}

#[test]
fn an_injected_panic_happens_only_once() {
    let mut test = TestConference::new();
    let members = two_rooms(&mut test, PanicStage::Request);
    let [hit, other, ..] = &members;
    chat(&mut test, hit);
    chat(&mut test, other);
    assert!(!test.closed.contains_key(&other.session));
    assert_recovered(test, &members);
}
