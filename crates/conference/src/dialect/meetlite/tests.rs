//! Late replies and forged messages, which a whole conference cannot be made to produce.

use serde_json::{Value, json};
use watersmeet_engine::command::{ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::MediaKind;

use super::p2p_signalling;
use super::request_names::{CONSUME, JOIN_ROOM, REQUESTS};
use super::state::State;
use crate::dialect::effect::{Effect, RequestTag};
use crate::dialect::session_context::SessionContext;
use crate::message::{
    CreatedConsumer, ParticipantSummary, PeerId, ProducerSummary, Refusal, Reply, Role,
};

fn transport(n: u8) -> TransportId {
    TransportId::parse(&format!("00000000-0000-4000-8000-0000000000{n:02}")).unwrap()
}

fn producer(n: u8) -> ProducerId {
    ProducerId::parse(&format!("00000000-0000-4000-8000-0000000000{n:02}")).unwrap()
}

fn summary(n: u8) -> ProducerSummary {
    ProducerSummary {
        producer: producer(n),
        kind: MediaKind::Audio,
        source: None,
        paused: false,
        app_data: None,
    }
}

fn consumed(n: u8, transport: TransportId) -> Reply {
    Reply::Consumed(Box::new(CreatedConsumer {
        consumer: ConsumerId::parse("00000000-0000-4000-8000-000000000099").unwrap(),
        producer: producer(n),
        producer_peer: PeerId::from_user_id("ana"),
        producer_summary: summary(n),
        transport,
        kind: MediaKind::Audio,
        rtp: serde_json::from_value(json!({"codecs": []})).unwrap(),
        paused: true,
    }))
}

/// Returns the state of a client in a room with Ana, who has one producer.
fn state() -> State {
    let mut state = State::new(SessionContext {
        peer: PeerId::from_user_id("me"),
        room: "lobby".into(),
        claimed_peer: None,
        is_user: true,
        somebody_sends: false,
        ice_servers: [].into(),
    });
    let ana = ParticipantSummary {
        peer: PeerId::from_user_id("ana"),
        display_name: None,
        user: None,
        claimed_user: None,
        device: None,
        role: Role::Speaker,
        is_interrupted: false,
        producers: vec![summary(1)],
    };
    state.enter(JOIN_ROOM, &"r".into(), &[ana]);
    let capabilities = serde_json::from_value(json!({})).unwrap();
    state.consumers.set_capabilities(capabilities);
    state
}

/// Returns the tags of all requests.
fn request_tags(effects: &[Effect]) -> Vec<RequestTag> {
    let tags = effects.iter().filter_map(|it| match it {
        Effect::Request(tag, _) => Some(tag.clone()),
        Effect::SendFrame(_) | Effect::Close { .. } => None,
    });
    tags.collect()
}

#[test]
fn a_consumer_on_a_replaced_transport_is_not_announced() {
    let mut state = state();
    state.consumers.replace_transport(transport(1));
    let first = state.consumers.consume_all(&state.others);
    assert_eq!(request_tags(&first).len(), 1);
    state.consumers.replace_transport(transport(2));
    let second = state.consumers.consume_all(&state.others);
    assert_eq!(request_tags(&second).len(), 1);

    assert_eq!(
        state.encode_reply(&RequestTag::internal(CONSUME), &consumed(1, transport(1))),
        []
    );
    // The refusal of the old consumer does not affect the new one.
    assert_eq!(
        state.encode_refusal(&request_tags(&first)[0], &Refusal::ProducerNotFound),
        []
    );
    assert_eq!(
        state
            .encode_reply(&RequestTag::internal(CONSUME), &consumed(1, transport(2)))
            .len(),
        1
    );
    assert_eq!(state.consumers.list().len(), 1);
}

#[test]
fn a_refused_consumer_is_not_requested_again() {
    let mut state = state();
    state.consumers.replace_transport(transport(1));
    let first = state.consumers.consume_all(&state.others);
    assert_eq!(
        state.encode_refusal(&request_tags(&first)[0], &Refusal::CannotConsume),
        []
    );
    assert_eq!(state.consumers.consume_all(&state.others), []);
}

#[test]
fn messages_that_are_forged_or_of_other_dialects_are_not_delivered() {
    let mut state = state();
    state.is_p2p = true;
    let ana = PeerId::from_user_id("ana");
    for body in [
        json!("hello"),
        json!({"type": "call-user", "offer": {"type": "offer", "sdp": ""}}),
        json!({"meetlite": "call-user"}),
        json!({"meetlite": "call-user", "offer": {"type": "bribe", "sdp": ""}}),
        json!({"meetlite": "become-host"}),
        Value::Null,
    ] {
        assert_eq!(state.encode_signal(&ana, None, &body), [], "{body}");
    }
    let body = json!({"meetlite": "call-user", "offer": {"type": "offer", "sdp": "", "x": 1}});
    let text = r#"2["call-user",{"from":"ana","offer":{"sdp":"","type":"offer"}}]"#;
    assert_eq!(
        state.encode_signal(&ana, None, &body),
        [Effect::SendFrame(text.to_owned())]
    );
}

#[test]
fn every_request_has_exactly_one_error_message() {
    let mut names: Vec<_> = REQUESTS.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), REQUESTS.len());
    assert!(
        names
            .iter()
            .all(|it| p2p_signalling::find_name(it).is_none())
    );
}
