//! Frames of an attacker: each is answered quickly with a typed error, and the connection stays open.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::harness::*;

/// Returns an object with this number of keys.
fn wide_object(keys: usize) -> String {
    let mut text = String::from("{");
    for key in 0..keys {
        let comma = if key == 0 { "" } else { "," };
        write!(text, "{comma}\"k{key}\":1").unwrap();
    }
    text + "}"
}

/// Returns a `produce` frame with this `appData`.
fn produce_with_app_data(app_data: &str) -> String {
    let rtp = rtp_parameters();
    let id = "00000000-0000-4000-8000-000000000000";
    format!(
        r#"{{"type":"produce","payload":{{"transportId":"{id}","kind":"video","rtpParameters":{rtp},"appData":{app_data}}}}}"#
    )
}

/// Returns a request with this payload.
fn frame_with_payload(kind: &str, payload: &str) -> String {
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
    vectors.push(frame_with_payload(
        "leaveRoom",
        &format!("{{\"a\":{}1{}}}", "[".repeat(15), "]".repeat(15)),
    ));
    vectors.push(frame_with_payload("leaveRoom", &wide_object(2_000)));
    vectors.push(format!(
        "{{\"type\":\"joinRoom\",\"id\":\"{}\"}}",
        "x".repeat(257)
    ));
    vectors.push(format!("{{\"type\":\"{}\"}}", "x".repeat(60_000)));
    vectors.push(frame_with_payload(
        "createTransport",
        &format!("{{\"direction\":\"{}\"}}", "x".repeat(60_000)),
    ));
    vectors.push(frame_with_payload(
        "setPreferredLayers",
        "{\"consumerId\":\"x\",\"spatialLayer\":-1}",
    ));
    vectors.push(frame_with_payload(
        "setPreferredLayers",
        "{\"consumerId\":\"x\",\"spatialLayer\":256}",
    ));
    vectors.push(frame_with_payload(
        "consume",
        "{\"producerId\":\"x\",\"rtpCapabilities\":1}",
    ));
    vectors.push(frame_with_payload(
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
        vectors.push(produce_with_app_data(app_data));
    }
    vectors
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test measures how long a reply takes"
)]
fn hostile_frames_are_answered_with_one_typed_error() {
    let vectors = vectors();
    assert!(vectors.len() >= 60, "{}", vectors.len());
    for vector in vectors {
        let mut test = TestConference::new();
        let (ana, _) = test.open();
        let started = std::time::Instant::now();
        test.send_text(ana, &vector);
        let excerpt: String = vector.chars().take(80).collect();
        // The requirement is 5 ms; a debug build on a busy machine may take longer.
        assert!(started.elapsed().as_millis() < 100, "slow: {excerpt}");
        let frames = test.take_frames(ana);
        assert_eq!(frames.len(), 1, "{excerpt}");
        assert_eq!(frames[0]["type"], "error", "{excerpt}");
        let code = frames[0]["payload"]["code"].as_str().unwrap();
        assert!(
            ["bad-request", "unknown-type"].contains(&code),
            "{code}: {excerpt}"
        );
        let message = frames[0]["payload"]["message"].as_str().unwrap();
        assert!(message.chars().count() <= 200, "{excerpt}");
        test.join("room");
        test.join_room(ana, "room");
    }
}

#[test]
fn unusual_but_valid_frames_are_served() {
    let harmless = [
        "{\"type\":\"getRouterRtpCapabilities\"}",
        "{\"type\":\"getRouterRtpCapabilities\",\"payload\":null,\"id\":null}",
        " \r\n{ \"payload\" : { } , \"type\" : \"getRouterRtpCapabilities\" }\t",
        "{\"type\":\"getRouterRtpCapabilities\",\"payload\":{\"constructor\":1},\"extra\":[1,2]}",
        "{\"type\":\"getRouterRtp\\u0043apabilities\",\"payload\":{\"\\ud83d\\ude00\":1e300}}",
    ];
    for text in harmless {
        let mut test = TestConference::new();
        let (ana, _) = test.open();
        test.send_text(ana, text);
        assert_eq!(test.take_types(ana), ["routerRtpCapabilities"], "{text}");
    }
}

#[test]
fn the_id_of_an_invalid_frame_is_echoed() {
    let mut test = TestConference::new();
    let (ana, _) = test.open();
    for text in [
        "{\"id\":5}",
        "{\"id\":5,\"type\":7}",
        "{\"id\":5,\"type\":\"joinRoom\",\"payload\":7}",
        "{\"id\":5,\"type\":\"joinRoom\",\"payload\":{\"roomId\":7}}",
        "{\"id\":5,\"type\":\"whatever\"}",
        "{\"id\":5,\"type\":\"restartIce\",\"payload\":{\"transportId\":\"x\"}}",
    ] {
        test.send_text(ana, text);
        let error = test.next_frame(ana);
        assert_eq!(
            (&error["type"], &error["id"]),
            (&json!("error"), &json!(5)),
            "{text}"
        );
    }
}

#[test]
fn a_forged_sender_is_ignored() {
    let mut test = TestConference::new();
    let (ana, ana_id) = test.join("room");
    let (ben, ben_id) = test.join("room");
    test.take_frames(ana);
    let forged = json!({"roomId": "other", "peerId": ana_id, "session": 0, "displayName": "Ana"});
    test.expect_reply(ben, "joinRoom", forged, "roomJoined");
    assert_eq!(
        test.take_frames(ana),
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

/// Generates valid and other values of fields.
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
        let mut test = TestConference::new();
        let (ana, _) = test.join("room");
        test.send_text(ana, &text);
        prop_assert_eq!(test.take_frames(ana).len(), 1);
    }

    #[test]
    fn any_payload_is_answered_once(
        kind in prop::sample::select(&TYPES[..]),
        fields in prop::collection::btree_map(prop::sample::select(&FIELDS[..]), value(), 0..6),
        extra in value(),
    ) {
        let mut test = TestConference::new();
        let (ana, _) = test.join("room");
        let mut payload: Value = fields.into_iter().collect();
        payload["extra"] = extra;
        test.request(ana, kind, payload);
        prop_assert_eq!(test.take_frames(ana).len(), 0);
        test.close(ana);
        test.assert_empty();
    }
}
