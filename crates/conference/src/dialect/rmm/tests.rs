//! What a whole conference cannot be brought to show: answers that come late.

use serde_json::{Value, json};

use super::*;
use crate::message::{Reply, Role};

fn state() -> State {
    State::new(SessionContext {
        peer: PeerId::from_user_id("me"),
        room: "lobby".into(),
        claimed_peer: None,
        is_user: false,
        ice_servers: [].into(),
    })
}

fn event(name: &str, argument: Value, ack: u64) -> Event {
    Event {
        name: name.to_owned(),
        argument,
        ack: Some(ack),
    }
}

fn capabilities() -> Reply {
    Reply::RouterCapabilities(Arc::new(serde_json::from_value(json!({})).unwrap()))
}

fn joined() -> Reply {
    Reply::Joined {
        room: "r".into(),
        role: Role::Speaker,
        others: Vec::new(),
    }
}

/// The tag of the only thing that was asked, and that.
fn asked(effects: Vec<Effect>) -> (RequestTag, Request) {
    let [Effect::Request(tag, request)] = <[Effect; 1]>::try_from(effects).unwrap() else {
        panic!("nothing was asked");
    };
    (tag, request)
}

#[test]
fn the_first_join_waits_for_capabilities_and_a_second_one_meanwhile_is_refused() {
    let mut state = state();
    let join = || json!({"roomId": "r", "displayName": "Ana"});
    let (tag, request) = asked(state.decode(event("join", join(), 1)).unwrap());
    assert_eq!(request, Request::RouterCapabilities);
    assert!(state.decode(event("join", join(), 2)).is_err());

    let (tag, request) = asked(state.reply(&tag, &capabilities()));
    assert!(matches!(&request, Request::Join { room, .. } if room == "r"));
    let frames = state.reply(&tag, &joined());
    let [Effect::SendFrame(text)] = frames.as_slice() else {
        panic!("{frames:?}");
    };
    assert!(text.starts_with("31[{"), "{text}");

    // Capabilities are asked for once.
    let (_, request) = asked(state.decode(event("join", join(), 3)).unwrap());
    assert!(matches!(request, Request::Join { .. }));
}

#[test]
fn a_join_whose_capabilities_are_refused_can_be_tried_again() {
    let mut state = state();
    let join = || json!({"roomId": "r"});
    let (tag, _) = asked(state.decode(event("join", join(), 1)).unwrap());
    let refused = state.refusal(&tag, &Refusal::LimitReached("requests"));
    let text = r#"31[{"error":"Failed to join room"}]"#.to_owned();
    assert_eq!(refused, [Effect::SendFrame(text)]);
    // An answer that comes after all leads nowhere.
    assert_eq!(state.reply(&tag, &capabilities()), []);
    asked(state.decode(event("join", join(), 2)).unwrap());
}

#[test]
fn who_wants_no_acknowledgement_gets_none() {
    let mut state = state();
    let mut join = event("join", json!({"roomId": "r"}), 1);
    join.ack = None;
    let (tag, _) = asked(state.decode(join).unwrap());
    let (tag, _) = asked(state.reply(&tag, &capabilities()));
    assert_eq!(state.reply(&tag, &joined()), []);
    assert_eq!(state.refusal(&tag, &Refusal::Internal), []);
}
