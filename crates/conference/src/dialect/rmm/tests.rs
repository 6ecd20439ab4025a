//! Late replies, which a whole conference cannot be made to produce.

use serde_json::{Value, json};

use super::*;
use crate::dialect::effect::Effect;
use crate::dialect::socketio_event::SocketIoEvent;
use crate::message::{Refusal, Reply, Role, RoomSnapshot, Sharing};

fn state() -> State {
    State::new(SessionContext {
        somebody_sends: false,
        peer: PeerId::from_user_id("me"),
        room: "lobby".into(),
        claimed_peer: None,
        is_user: false,
        ice_servers: [].into(),
    })
}

fn event(name: &str, argument: Value, ack: u64) -> SocketIoEvent {
    SocketIoEvent {
        name: name.to_owned(),
        argument,
        ack: Some(ack),
    }
}

fn capabilities() -> Reply {
    Reply::RouterCapabilities(Arc::new(serde_json::from_value(json!({})).unwrap()))
}

fn joined() -> Reply {
    Reply::Joined(RoomSnapshot {
        title: None,
        room: "r".into(),
        role: Role::Speaker,
        others: Vec::new(),
        count: None,
        active_speaker: None,
        spotlight: None,
        sharing: Sharing::Everybody,
    })
}

/// Returns the only effect, which must be a request, and its tag.
fn only_request(effects: Vec<Effect>) -> (RequestTag, Request) {
    let [Effect::Request(tag, request)] = <[Effect; 1]>::try_from(effects).unwrap() else {
        panic!("the effect is not a request");
    };
    (tag, request)
}

#[test]
fn a_second_join_is_refused_while_the_first_waits_for_capabilities() {
    let mut state = state();
    let join = || json!({"roomId": "r", "displayName": "Ana"});
    let (tag, request) = only_request(state.decode(event("join", join(), 1)).unwrap());
    assert_eq!(request, Request::RouterCapabilities);
    assert!(state.decode(event("join", join(), 2)).is_err());

    let (tag, request) = only_request(state.encode_reply(&tag, &capabilities()));
    assert!(matches!(&request, Request::Join(join) if join.room == "r"));
    let frames = state.encode_reply(&tag, &joined());
    let [Effect::SendFrame(text)] = frames.as_slice() else {
        panic!("{frames:?}");
    };
    assert!(text.starts_with("31[{"), "{text}");

    // Capabilities are only requested once.
    let (_, request) = only_request(state.decode(event("join", join(), 3)).unwrap());
    assert!(matches!(request, Request::Join { .. }));
}

#[test]
fn a_join_can_be_repeated_when_the_capabilities_were_refused() {
    let mut state = state();
    let join = || json!({"roomId": "r"});
    let (tag, _) = only_request(state.decode(event("join", join(), 1)).unwrap());
    let refused = state.encode_refusal(&tag, &Refusal::LimitReached("requests"));
    let text = r#"31[{"error":"Failed to join room"}]"#.to_owned();
    assert_eq!(refused, [Effect::SendFrame(text)]);
    // A reply that comes after the refusal is ignored.
    assert_eq!(state.encode_reply(&tag, &capabilities()), []);
    only_request(state.decode(event("join", join(), 2)).unwrap());
}

#[test]
fn a_request_without_acknowledgement_number_gets_no_acknowledgement() {
    let mut state = state();
    let mut join = event("join", json!({"roomId": "r"}), 1);
    join.ack = None;
    let (tag, _) = only_request(state.decode(join).unwrap());
    let (tag, _) = only_request(state.encode_reply(&tag, &capabilities()));
    assert_eq!(state.encode_reply(&tag, &joined()), []);
    assert_eq!(state.encode_refusal(&tag, &Refusal::Internal), []);
}
