//! The engine's capability negotiation against its reference, the `ortc.js` of mediasoup 3.27.1,
//! run by Node on the same generated inputs: real shapes of Chrome, Firefox and Safari, and
//! changes to them that real and hostile clients could make. Every step must give the same JSON,
//! and must refuse exactly when the reference throws.
//!
//! Where both differ on purpose, `ortc/oracle.js` does not go: numbers that do not fit their place
//! in a packet are refused here, and fields that nobody reads are dropped here.
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
use watersmeet_wire::units::Rng;

/// Cases per run. About half of them reach the last step.
const CASES: usize = 1_000;

/// Fewest cases that must reach the last step and succeed there, so that the comparison is not of
/// refusals alone.
const CONSUMED_MIN: usize = 300;

/// What is compared, in the order in which it is derived.
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
        let judged = without_random_numbers(judge(&case["given"]));
        let expected = without_random_numbers(case["expected"].clone());
        for step in STEPS {
            let (ours, theirs) = (judged.get(step), expected.get(step));
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

/// Installs the reference from its lock file, unless it is there.
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

/// What this engine makes of a case, step by step; a refused step is null and ends the case where
/// the reference ends it.
fn judge(given: &Value) -> Value {
    let mut rng = Rng::seed_from_u64(1);
    let codecs = read::<Vec<RtpCodecCapability>>(&given["mediaCodecs"]);
    let router = codecs.and_then(|codecs| ortc::router_capabilities(&codecs).ok());
    let parameters = read::<RtpParameters>(&given["rtpParameters"]);
    let capabilities = read::<RtpCapabilities>(&given["rtpCapabilities"]);
    let mut judged = json!({
        "router": written(router.as_ref()),
        "parameters": written(parameters.as_ref()),
        "capabilities": written(capabilities.as_ref()),
    });
    let (Some(router), Some(mut parameters)) = (router, parameters) else {
        return judged;
    };

    let mapping = ortc::producer_mapping(&mut parameters, &router, &mut rng).ok();
    judged["mapping"] = mapping.as_ref().map_or(Value::Null, written_mapping);
    let Some(mapping) = mapping else {
        return judged;
    };
    judged["settled"] = written(Some(&parameters));

    let kind = serde_json::from_value(given["kind"].clone()).unwrap();
    let consumable = ortc::consumable_parameters(kind, &parameters, &router, &mapping).ok();
    judged["consumable"] = written(consumable.as_ref());
    let (Some(consumable), Some(capabilities)) = (consumable, capabilities) else {
        return judged;
    };

    judged["canConsume"] = ortc::can_consume(&consumable, &capabilities).into();
    let enable_rtx = given["enableRtx"].as_bool().unwrap();
    let consumer = ortc::consumer_parameters(&consumable, &capabilities, enable_rtx, &mut rng).ok();
    judged["consumer"] = written(consumer.as_ref());
    judged
}

/// Reads a value as a client's text would be read.
fn read<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_str(&value.to_string()).ok()
}

/// The JSON that a client would get; null for what was refused.
fn written<T: Serialize>(value: Option<&T>) -> Value {
    serde_json::to_value(value).unwrap()
}

/// A mapping in the reference's shape.
fn written_mapping(mapping: &ortc::RtpMapping) -> Value {
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

/// The same steps with each drawn SSRC as its distance from the first of its group, and without
/// the fields of a mapping that say "not set".
fn without_random_numbers(mut judged: Value) -> Value {
    let number = |judged: &Value, at| judged.pointer(at).and_then(Value::as_u64);
    let first = number(&judged, "/mapping/encodings/0/mappedSsrc");
    for encoding in list(&mut judged, "/mapping/encodings") {
        count_from(&mut encoding["mappedSsrc"], first);
        let fields = encoding.as_object_mut().unwrap();
        fields.retain(|name, value| match name.as_str() {
            "rid" => value.as_str().is_some_and(|rid| !rid.is_empty()),
            _ => value.is_number(),
        });
    }
    for encoding in list(&mut judged, "/consumable/encodings") {
        count_from(&mut encoding["ssrc"], first);
    }
    let first = number(&judged, "/consumer/encodings/0/ssrc");
    for encoding in list(&mut judged, "/consumer/encodings") {
        count_from(&mut encoding["ssrc"], first);
        if let Some(rtx) = encoding.get_mut("rtx") {
            count_from(&mut rtx["ssrc"], first);
        }
    }
    judged
}

/// The elements of the array at `pointer`; none when there is no array.
fn list<'a>(value: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> {
    value
        .pointer_mut(pointer)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
}

/// Replaces a number by its distance from `first`.
fn count_from(number: &mut Value, first: Option<u64>) {
    *number = json!(number.as_u64().unwrap() - first.unwrap());
}
