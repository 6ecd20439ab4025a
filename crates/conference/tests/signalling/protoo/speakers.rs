//! Notifications of the active speaker for protoo clients.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::harness::*;
use super::{join, notification};

#[test]
fn active_speaker_and_silence_are_notified() {
    let mut test = TestConference::new();
    let (ana, send) = test.protoo_join("r", "Ana");
    let (ben, _) = test.protoo_join("r", "Ben");
    let outside = test.protoo_open("r");
    let voice = test.protoo_produce(ana, &send, "audio");
    test.protoo_answer_consumer(ben, true);
    for client in [ana, ben] {
        test.take_frames(client);
    }
    test.report_speaker(0, Some(&voice));
    let speaks = notification("activeSpeaker", json!({"peerId": "peer1"}));
    for client in [ana, ben] {
        assert_eq!(test.take_frames(client), std::slice::from_ref(&speaks));
    }
    // A client that has not joined is told when it does, after the response.
    assert_eq!(test.take_frames(outside), Vec::<Value>::new());
    test.protoo_request(outside, "join", join("Cleo"));
    assert_eq!(test.take_frames(outside)[0], speaks);
    test.take_frames(ben);
    test.advance(Duration::from_secs(1));
    test.report_speaker(0, None);
    let silence = notification("activeSpeaker", json!({ "peerId": null }));
    assert_eq!(test.take_frames(ben), [silence]);
}
