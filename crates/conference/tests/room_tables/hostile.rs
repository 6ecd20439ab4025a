//! What an attacker may write: every frame here is answered with a typed error in no time, and the
//! connection goes on.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::world::*;

/// An object of `keys` keys.
fn wide(keys: usize) -> String {
    let mut text = String::from("{");
    for key in 0..keys {
        let comma = if key == 0 { "" } else { "," };
        write!(text, "{comma}\"k{key}\":1").unwrap();
    }
    text + "}"
}

/// `produce` with this application data, as text.
fn with_app_data(app_data: &str) -> String {
    let rtp = rtp_parameters();
    let id = "00000000-0000-4000-8000-000000000000";
    format!(
        r#"{{"type":"produce","payload":{{"transportId":"{id}","kind":"video","rtpParameters":{rtp},"appData":{app_data}}}}}"#
    )
}

/// A request whose payload is this text.
fn with_payload(kind: &str, payload: &str) -> String {
    format!(r#"{{"type":"{kind}","payload":{payload}}}"#)
}

fn vectors() -> Vec<String> {
    let mut vectors: Vec<String> = [
        "",
        " ",
        "{",
        "}",
        "null",
        "true",
        "1",
        "\"joinRoom\"",
        "[]",
        "{}",
        "{\"type\":null}",
        "{\"type\":1}",
        "{\"type\":[\"joinRoom\"]}",
        "{\"type\":\"joinRoom\"} x",
        "{\"type\":\"joinRoom\"}{\"type\":\"joinRoom\"}",
        "{'type':'joinRoom'}",
        "{\"type\":\"joinRoom\",}",
        "{\"type\":\"leaveRoom\",\"type\":\"joinRoom\"}",
        "{\"type\":\"leaveRoom\",\"\\u0074ype\":\"joinRoom\"}",
        "{\"type\":\"joinRoom\",\"payload\":[]}",
        "{\"type\":\"joinRoom\",\"payload\":\"room\"}",
        "{\"type\":\"joinRoom\",\"payload\":1}",
        "{\"type\":\"joinRoom\",\"payload\":{},\"id\":{}}",
        "{\"type\":\"joinRoom\",\"payload\":{},\"id\":true}",
        "{\"type\":\"joinRoom\",\"payload\":{\"roomId\":NaN}}",
        "{\"type\":\"joinRoom\",\"payload\":{\"roomId\":Infinity}}",
        "{\"type\":\"leaveRoom\",\"payload\":{\"x\":1e999}}",
        "{\"type\":\"leaveRoom\",\"payload\":{\"x\":-1e999}}",
        "{\"type\":\"leaveRoom\",\"payload\":{\"x\":01}}",
        "{\"type\":\"joinRoom\",\"payload\":{\"roomId\":\"\\ud800\"}}",
        "{\"type\":\"joinRoom\",\"payload\":{\"roomId\":\"\\udfff\\ud800\"}}",
        "{\"type\":\"joinRoom\",\"payload\":{\"roomId\":\"a\nb\"}}",
        "{\"type\":\"joinRoom\",\"payload\":{\"roomId\":1}}",
        "{\"type\":\"joinRoom\",\"payload\":{\"roomId\":null}}",
        "{\"type\":\"joinRoom\",\"payload\":{\"roomId\":\"a\",\"roomId\":\"b\"}}",
        "{\"type\":\"joinRoom\",\"payload\":{\"roomId\":{\"__proto__\":1}}}",
        "{\"type\":\"constructor\",\"payload\":{}}",
        "{\"type\":\"__proto__\",\"payload\":{}}",
        "\u{feff}{\"type\":\"leaveRoom\"}",
        "{\"type\":\"joinRoom\",\"payload\":{\"roomId\":\"\\x41\"}}",
        "/* */{\"type\":\"leaveRoom\"}",
    ]
    .map(str::to_owned)
    .to_vec();
    vectors.push("[".repeat(60_000));
    vectors.push("{\"a\":".repeat(12_000));
    vectors.push("[".repeat(30_000) + &"]".repeat(30_000));
    vectors.push(with_payload(
        "leaveRoom",
        &format!("{{\"a\":{}1{}}}", "[".repeat(15), "]".repeat(15)),
    ));
    vectors.push(with_payload("leaveRoom", &wide(2_000)));
    vectors.push(format!(
        "{{\"type\":\"joinRoom\",\"id\":\"{}\"}}",
        "x".repeat(257)
    ));
    vectors.push(format!("{{\"type\":\"{}\"}}", "x".repeat(60_000)));
    vectors.push(with_payload(
        "createTransport",
        &format!("{{\"direction\":\"{}\"}}", "x".repeat(60_000)),
    ));
    vectors.push(with_payload(
        "setPreferredLayers",
        "{\"consumerId\":\"x\",\"spatialLayer\":-1}",
    ));
    vectors.push(with_payload(
        "setPreferredLayers",
        "{\"consumerId\":\"x\",\"spatialLayer\":256}",
    ));
    vectors.push(with_payload(
        "consume",
        "{\"producerId\":\"x\",\"rtpCapabilities\":1}",
    ));
    vectors.push(with_payload(
        "connectTransport",
        "{\"transportId\":\"x\",\"dtlsParameters\":{}}",
    ));
    for app_data in [
        "{\"__proto__\":{\"x\":1}}",
        "{\"a\":{\"constructor\":{\"prototype\":{\"x\":1}}}}",
        "{\"a\":[[{\"prototype\":null}]]}",
        "{\"\\u005f_proto__\":1}",
        "{\"a\":1,\"a\":2}",
        "[]",
        "\"text\"",
        "1",
    ] {
        vectors.push(with_app_data(app_data));
    }
    vectors
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how long an answer takes is what is tested"
)]
fn hostile_frames_are_answered_with_a_typed_error_and_nothing_else() {
    let vectors = vectors();
    assert!(vectors.len() >= 60, "{}", vectors.len());
    for vector in vectors {
        let mut world = World::new();
        let (ana, _) = world.open();
        let begun = std::time::Instant::now();
        world.send_text(ana, &vector);
        let shown: String = vector.chars().take(80).collect();
        // The bar is 5 ms; a debug build on a busy machine is given more.
        assert!(begun.elapsed().as_millis() < 100, "slow: {shown}");
        let frames = world.all(ana);
        assert_eq!(frames.len(), 1, "{shown}");
        assert_eq!(frames[0]["type"], "error", "{shown}");
        let code = frames[0]["payload"]["code"].as_str().unwrap();
        assert!(
            ["bad-request", "unknown-type"].contains(&code),
            "{code}: {shown}"
        );
        let message = frames[0]["payload"]["message"].as_str().unwrap();
        assert!(message.chars().count() <= 200, "{shown}");
        world.joined("room");
        world.get(ana, "joinRoom", json!({"roomId": "room"}), "roomJoined");
    }
}

#[test]
fn what_is_odd_but_harmless_is_served() {
    let harmless = [
        "{\"type\":\"getRouterRtpCapabilities\"}",
        "{\"type\":\"getRouterRtpCapabilities\",\"payload\":null,\"id\":null}",
        " \r\n{ \"payload\" : { } , \"type\" : \"getRouterRtpCapabilities\" }\t",
        "{\"type\":\"getRouterRtpCapabilities\",\"payload\":{\"constructor\":1},\"extra\":[1,2]}",
        "{\"type\":\"getRouterRtp\\u0043apabilities\",\"payload\":{\"\\ud83d\\ude00\":1e300}}",
    ];
    for text in harmless {
        let mut world = World::new();
        let (ana, _) = world.open();
        world.send_text(ana, text);
        assert_eq!(world.types(ana), ["routerRtpCapabilities"], "{text}");
    }
}

#[test]
fn the_id_of_a_frame_that_makes_no_sense_otherwise_is_echoed() {
    let mut world = World::new();
    let (ana, _) = world.open();
    for text in [
        "{\"id\":5}",
        "{\"id\":5,\"type\":7}",
        "{\"id\":5,\"type\":\"joinRoom\",\"payload\":7}",
        "{\"id\":5,\"type\":\"joinRoom\",\"payload\":{\"roomId\":7}}",
        "{\"id\":5,\"type\":\"whatever\"}",
        "{\"id\":5,\"type\":\"restartIce\",\"payload\":{\"transportId\":\"x\"}}",
    ] {
        world.send_text(ana, text);
        let error = world.next(ana);
        assert_eq!(
            (&error["type"], &error["id"]),
            (&json!("error"), &json!(5)),
            "{text}"
        );
    }
}

#[test]
fn nobody_can_speak_for_somebody_else() {
    let mut world = World::new();
    let (ana, ana_id) = world.joined("room");
    let (ben, ben_id) = world.joined("room");
    world.all(ana);
    let forged = json!({"roomId": "other", "peerId": ana_id, "session": 0, "displayName": "Ana"});
    world.get(ben, "joinRoom", forged, "roomJoined");
    assert_eq!(
        world.all(ana),
        [json!({"type": "peerLeft", "payload": {"peerId": ben_id}})]
    );
}

const TYPES: [&str; 18] = [
    "getRouterRtpCapabilities",
    "joinRoom",
    "leaveRoom",
    "getParticipants",
    "createTransport",
    "connectTransport",
    "restartIce",
    "produce",
    "pauseProducer",
    "resumeProducer",
    "closeProducer",
    "consume",
    "pauseConsumer",
    "resumeConsumer",
    "setPreferredLayers",
    "requestKeyframe",
    "getStats",
    "roomJoined",
];

const FIELDS: [&str; 14] = [
    "roomId",
    "displayName",
    "resume",
    "direction",
    "transportId",
    "dtlsParameters",
    "kind",
    "rtpParameters",
    "source",
    "paused",
    "appData",
    "producerId",
    "consumerId",
    "spatialLayer",
];

/// Values that a field may have by right, and others.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(&["send", "recv", "video", "audio", "mic"][..]).prop_map(Value::from),
        Just(json!("00000000-0000-4000-8000-000000000000")),
        Just(rtp_parameters()),
        Just(dtls_parameters("client")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{0,10}", inner, 0..4)
                .prop_map(|it| it.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_answered_once(text in ".{0,200}") {
        let mut world = World::new();
        let (ana, _) = world.joined("room");
        world.send_text(ana, &text);
        prop_assert_eq!(world.all(ana).len(), 1);
    }

    #[test]
    fn any_payload_is_answered_once(
        kind in prop::sample::select(&TYPES[..]),
        fields in prop::collection::btree_map(prop::sample::select(&FIELDS[..]), value(), 0..6),
        extra in value(),
    ) {
        let mut world = World::new();
        let (ana, _) = world.joined("room");
        let mut payload: Value = fields.into_iter().collect();
        payload["extra"] = extra;
        world.ask(ana, kind, payload);
        prop_assert_eq!(world.all(ana).len(), 0);
        world.close(ana);
        world.assert_empty();
    }
}
