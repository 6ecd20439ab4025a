//! What a whole conference cannot be brought to show: answers that come late, and messages that
//! none of its clients sent.

use serde_json::Value;
use watersmeet_engine::command::ConsumerId;
use watersmeet_wire::params::MediaKind;

use super::*;
use crate::message::{CreatedConsumer, PeerId, Role};

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

fn offer(n: u8, on: TransportId) -> Reply {
    Reply::Consumed(Box::new(CreatedConsumer {
        consumer: ConsumerId::parse("00000000-0000-4000-8000-000000000099").unwrap(),
        producer: producer(n),
        producer_peer: PeerId::from_user_id("ana"),
        source: summary(n),
        transport: on,
        kind: MediaKind::Audio,
        rtp: serde_json::from_value(json!({"codecs": []})).unwrap(),
        paused: true,
    }))
}

/// Somebody in a room with Ana, who sends one thing.
fn state() -> State {
    let mut state = State::new(SessionContext {
        peer: PeerId::from_user_id("me"),
        room: "lobby".into(),
        claimed_peer: None,
        is_user: true,
        ice_servers: [].into(),
    });
    let ana = ParticipantSummary {
        peer: PeerId::from_user_id("ana"),
        display_name: None,
        user: None,
        role: Role::Speaker,
        producers: vec![summary(1)],
    };
    state.enter(JOIN_ROOM, &"r".into(), &[ana]);
    let capabilities = serde_json::from_value(json!({})).unwrap();
    state.receptions.set_capabilities(capabilities);
    state
}

/// The tags of what is asked.
fn asked(effects: &[Effect]) -> Vec<RequestTag> {
    let tags = effects.iter().filter_map(|it| match it {
        Effect::Request(tag, _) => Some(tag.clone()),
        Effect::SendFrame(_) | Effect::Close { .. } => None,
    });
    tags.collect()
}

#[test]
fn a_consumer_on_a_transport_that_was_replaced_is_not_told_of() {
    let mut state = state();
    state.receptions.begin(transport(1));
    let first = state.receptions.consume(&state.others);
    assert_eq!(asked(&first).len(), 1);
    state.receptions.begin(transport(2));
    let second = state.receptions.consume(&state.others);
    assert_eq!(asked(&second).len(), 1);

    assert_eq!(
        state.reply(&RequestTag::internal(CONSUME), &offer(1, transport(1))),
        []
    );
    // That the old one failed says nothing of the new one.
    assert_eq!(
        state.refusal(&asked(&first)[0], &Refusal::ProducerNotFound),
        []
    );
    assert_eq!(
        state
            .reply(&RequestTag::internal(CONSUME), &offer(1, transport(2)))
            .len(),
        1
    );
    assert_eq!(state.receptions.list().len(), 1);
}

#[test]
fn what_was_refused_is_not_asked_for_again_by_itself() {
    let mut state = state();
    state.receptions.begin(transport(1));
    let first = state.receptions.consume(&state.others);
    assert_eq!(
        state.refusal(&asked(&first)[0], &Refusal::CannotConsume),
        []
    );
    assert_eq!(state.receptions.consume(&state.others), []);
}

#[test]
fn messages_of_other_dialects_and_forged_ones_reach_no_client() {
    let mut state = state();
    state.is_calling = true;
    let ana = PeerId::from_user_id("ana");
    for body in [
        json!("hello"),
        json!({"type": "call-user", "offer": {"type": "offer", "sdp": ""}}),
        json!({"meetlite": "call-user"}),
        json!({"meetlite": "call-user", "offer": {"type": "bribe", "sdp": ""}}),
        json!({"meetlite": "become-host"}),
        Value::Null,
    ] {
        assert_eq!(state.relayed(&ana, None, &body), [], "{body}");
    }
    let body = json!({"meetlite": "call-user", "offer": {"type": "offer", "sdp": "", "x": 1}});
    let text = r#"2["call-user",{"from":"ana","offer":{"sdp":"","type":"offer"}}]"#;
    assert_eq!(
        state.relayed(&ana, None, &body),
        [Effect::SendFrame(text.to_owned())]
    );
}

#[test]
fn every_request_has_its_words_once() {
    let mut names: Vec<_> = REQUESTS.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), REQUESTS.len());
    assert!(names.iter().all(|it| p2p_signalling::name(it).is_none()));
}
