//! Panics while an input is handled: they cost a session or its room, and nobody else anything.

use serde_json::json;
use watersmeet_conference::close_codes::{CLOSE_INTERNAL, CLOSE_RESTART};
use watersmeet_conference::faults::PanicStage;

use super::harness::*;
use super::request_outcomes::{Member, join_with_media};

/// Two participants with media in each of two rooms. The first room's next request panics.
fn two_rooms(test: &mut TestConference, stage: PanicStage) -> [Member; 4] {
    let people = ["hit", "hit", "spared", "spared"].map(|room| join_with_media(test, room));
    for [sender, receiver] in [[0, 1], [1, 0], [2, 3], [3, 2]] {
        let producer = people[sender].producer.clone();
        test.consume(people[receiver].session, &producer);
    }
    for person in &people {
        test.take_frames(person.session);
    }
    test.conference.inject_panic("hit", stage);
    people
}

fn chat(test: &mut TestConference, person: &Member) {
    test.send_without_id(person.session, "chat", json!({"text": "hello"}));
}

/// Checks that the participants of the other room were told nothing and can do everything.
fn assert_spared(test: &mut TestConference, [ana, ben]: [&Member; 2]) {
    for person in [ana, ben] {
        assert_eq!(
            test.take_frames(person.session),
            [] as [serde_json::Value; 0]
        );
        assert!(!test.closed.contains_key(&person.session));
    }
    chat(test, ana);
    assert_eq!(test.take_types(ben.session), ["chat"]);
    let audio = test.produce(ana.session, &ana.send, "audio");
    test.consume(ben.session, &audio);
}

/// Checks that one panic was counted and that nothing is left once everybody has gone.
fn assert_recovered(mut test: TestConference, people: &[Member; 4]) {
    assert_eq!(test.conference.gauges().totals.panics, 1);
    for person in people {
        if !test.closed.contains_key(&person.session) {
            test.close(person.session);
        }
    }
    test.assert_empty();
}

#[test]
fn panic_in_a_dialect_or_a_request_closes_only_its_session() {
    for stage in [PanicStage::Dialect, PanicStage::Request] {
        let mut test = TestConference::new();
        let people = two_rooms(&mut test, stage);
        let [hit, other, ana, ben] = &people;
        chat(&mut test, hit);
        assert_eq!(test.closed.get(&hit.session), Some(&CLOSE_INTERNAL));
        assert_eq!(test.closed.len(), 1);
        let told = test.take_types(other.session);
        let left = told.iter().filter(|it| *it == "peerLeft");
        assert_eq!(left.count(), 1, "{told:?}");
        let left = test.expect_reply(other.session, "getParticipants", json!({}), "participants");
        assert_eq!(
            left["participants"].as_array().map(Vec::len),
            Some(1),
            "{left}"
        );
        assert_spared(&mut test, [ana, ben]);
        assert_recovered(test, &people);
    }
}

#[test]
fn panic_that_leaves_a_room_inconsistent_or_recurs_drops_that_room() {
    for stage in [PanicStage::Halfway, PanicStage::Cleanup] {
        let mut test = TestConference::new();
        let people = two_rooms(&mut test, stage);
        let [hit, other, ana, ben] = &people;
        chat(&mut test, hit);
        assert!(test.closed.contains_key(&hit.session));
        assert_eq!(test.closed.get(&other.session), Some(&CLOSE_RESTART));
        assert_eq!(test.conference.gauges().rooms, 1);
        assert_spared(&mut test, [ana, ben]);
        let again = join_with_media(&mut test, "hit");
        test.close(again.session);
        assert_recovered(test, &people);
    }
}

#[test]
fn panic_is_ordered_only_once() {
    let mut test = TestConference::new();
    let people = two_rooms(&mut test, PanicStage::Request);
    let [hit, other, ..] = &people;
    chat(&mut test, hit);
    chat(&mut test, other);
    assert!(!test.closed.contains_key(&other.session));
    assert_recovered(test, &people);
}
