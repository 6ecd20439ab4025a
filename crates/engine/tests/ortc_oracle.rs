//! Compares capability negotiation with its reference, the `ortc.js` of mediasoup 3.27.1, which
//! Node runs on the same generated inputs: capabilities of Chrome, Firefox and Safari, and changes
//! to them that real and hostile clients could make. Every step must have the same JSON as a
//! result, and must fail exactly when the reference throws.
//!
//! `ortc/oracle.js` avoids the intended differences: the engine refuses numbers that do not fit
//! their field in a packet, and drops unknown fields.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail by panicking"
)]

use std::path::Path;
use std::process::Command;

use rand_chacha::rand_core::SeedableRng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use watersmeet_engine::ortc;
use watersmeet_wire::params::{RtpCapabilities, RtpCodecCapability, RtpParameters};
use watersmeet_wire::rtp::extension::ExtensionKind;
use watersmeet_wire::units::{Rng, Ssrc};

/// Generated cases per run. About half of them reach the last step.
const CASES: usize = 1_000;

/// Lower bound of cases in which the last step succeeds, so that not only refusals are compared.
const CONSUMED_MIN: usize = 300;

/// Results that are compared, in the order in which they are derived.
const STEPS: [&str; 8] = [
    "router",
    "parameters",
    "capabilities",
    "mapping",
    "settled",
    "consumable",
    "canConsume",
    "consumer",
];

#[test]
fn negotiation_equals_the_reference_on_a_thousand_generated_cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ortc");
    install(&folder);
    let seed = std::env::var("ORTC_SEED").unwrap_or_else(|_| "1".to_owned());
    let node = Command::new("node")
        .args(["oracle.js", &seed, &CASES.to_string()])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(
        node.status.success(),
        "{}",
        String::from_utf8_lossy(&node.stderr)
    );
    let lines = String::from_utf8(node.stdout).unwrap();
    let mut compared = 0;
    let mut consumed = 0;
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let actual = comparable(negotiate(&case["given"]));
        let expected = comparable(case["expected"].clone());
        for step in STEPS {
            let (ours, theirs) = (actual.get(step), expected.get(step));
            assert_eq!(
                ours, theirs,
                "{step} of {} with seed {seed}",
                case["given"]["name"]
            );
        }
        compared += 1;
        consumed += usize::from(expected["consumer"].is_object());
    }
    assert_eq!(compared, CASES);
    assert!(
        consumed >= CONSUMED_MIN,
        "only {consumed} cases reach a consumer"
    );
}

/// Installs the reference from its lock file, unless it is installed.
fn install(folder: &Path) {
    if folder.join("node_modules/mediasoup/package.json").exists() {
        return;
    }
    let npm = Command::new("npm")
        .args(["ci", "--ignore-scripts"])
        .current_dir(folder)
        .output();
    let npm = npm.unwrap_or_else(|error| panic!("npm is needed to install the reference: {error}"));
    assert!(
        npm.status.success(),
        "npm ci: {}",
        String::from_utf8_lossy(&npm.stderr)
    );
}

/// Negotiates a case step by step. The result of a refused step is null and ends the case where the
/// reference ends it.
fn negotiate(given: &Value) -> Value {
    let mut rng = Rng::seed_from_u64(1);
    let codecs = from_json::<Vec<RtpCodecCapability>>(&given["mediaCodecs"]);
    let router = codecs.and_then(|codecs| ortc::router_capabilities(&codecs).ok());
    let parameters = from_json::<RtpParameters>(&given["rtpParameters"]);
    let capabilities = from_json::<RtpCapabilities>(&given["rtpCapabilities"]);
    let mut results = json!({
        "router": to_json(router.as_ref()),
        "parameters": to_json(parameters.as_ref()),
        "capabilities": to_json(capabilities.as_ref()),
    });
    let (Some(router), Some(mut parameters)) = (router, parameters) else {
        return results;
    };

    let mapping = ortc::producer_mapping(&mut parameters, &router, &mut rng).ok();
    results["mapping"] = mapping.as_ref().map_or(Value::Null, mapping_to_json);
    let Some(mapping) = mapping else {
        return results;
    };
    results["settled"] = to_json(Some(&parameters));

    let kind = serde_json::from_value(given["kind"].clone()).unwrap();
    let consumable = ortc::consumable_parameters(kind, &parameters, &router, &mapping).ok();
    results["consumable"] = to_json(consumable.as_ref());
    let (Some(consumable), Some(capabilities)) = (consumable, capabilities) else {
        return results;
    };

    results["canConsume"] = ortc::can_consume(&consumable, &capabilities).into();
    let enable_rtx = given["enableRtx"].as_bool().unwrap();
    let consumer = ortc::consumer_parameters(&consumable, &capabilities, enable_rtx, Ssrc(7)).ok();
    results["consumer"] = to_json(consumer.as_ref());
    results
}

/// Parses a value as the text of a client would be parsed.
fn from_json<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_str(&value.to_string()).ok()
}

/// Returns the JSON that a client would receive, or null for `None`.
fn to_json<T: Serialize>(value: Option<&T>) -> Value {
    serde_json::to_value(value).unwrap()
}

/// Returns a mapping in the reference's format.
fn mapping_to_json(mapping: &ortc::RtpMapping) -> Value {
    let codecs = mapping.codecs.iter().map(|it| {
        json!({
            "payloadType": it.payload_type,
            "mappedPayloadType": it.mapped_payload_type,
        })
    });
    let encodings = mapping
        .encodings
        .iter()
        .map(|it| json!({ "ssrc": it.ssrc, "rid": it.rid, "mappedSsrc": it.mapped_ssrc }));
    let encodings = encodings.collect::<Vec<_>>();
    json!({ "codecs": codecs.collect::<Vec<_>>(), "encodings": encodings })
}

/// Replaces each random SSRC by its distance from the first of its group, and removes unset fields
/// of a mapping.
fn with_relative_ssrcs(mut results: Value) -> Value {
    let number = |results: &Value, at| results.pointer(at).and_then(Value::as_u64);
    let first = number(&results, "/mapping/encodings/0/mappedSsrc");
    for encoding in array_at(&mut results, "/mapping/encodings") {
        subtract(&mut encoding["mappedSsrc"], first);
        let fields = encoding.as_object_mut().unwrap();
        fields.retain(|name, value| match name.as_str() {
            "rid" => value.as_str().is_some_and(|rid| !rid.is_empty()),
            _ => value.is_number(),
        });
    }
    for encoding in array_at(&mut results, "/consumable/encodings") {
        subtract(&mut encoding["ssrc"], first);
    }
    let first = number(&results, "/consumer/encodings/0/ssrc");
    for encoding in array_at(&mut results, "/consumer/encodings") {
        subtract(&mut encoding["ssrc"], first);
        if let Some(rtx) = encoding.get_mut("rtx") {
            subtract(&mut rtx["ssrc"], first);
        }
    }
    results
}

/// Returns results as far as they must equal: SSRCs relative to the first, and without the dependency
/// descriptor, which consumers receive in routers with AV1 and the reference does not send.
fn comparable(results: Value) -> Value {
    let mut results = with_relative_ssrcs(results);
    let uri = ExtensionKind::DependencyDescriptor.uri();
    for step in ["router", "consumable", "consumer"] {
        let extensions = format!("/{step}/headerExtensions");
        let extensions = results.pointer_mut(&extensions);
        if let Some(extensions) = extensions.and_then(Value::as_array_mut) {
            extensions.retain(|it| it["uri"] != uri);
        }
    }
    results
}

/// Returns the elements of the array at `pointer`, or none when there is no array.
fn array_at<'a>(value: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> {
    value
        .pointer_mut(pointer)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
}

/// Replaces a number by its distance from `first`.
fn subtract(number: &mut Value, first: Option<u64>) {
    *number = json!(number.as_u64().unwrap() - first.unwrap());
}
