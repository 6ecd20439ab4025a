//! Fuzzes the strict JSON parser: its values keep all limits, equal those of serde_json, and are
//! parsed again to the same value.
#![no_main]

use serde_json::Value;
use watersmeet_conference::dialect::json::{DEPTH_MAX, KEYS_MAX, is_prototype_safe, parse};

/// Returns the nesting depth and the number of keys of a value.
fn depth_and_keys(value: &Value) -> (usize, usize) {
    match value {
        Value::Array(values) => values
            .iter()
            .map(depth_and_keys)
            .fold((1, 0), |(depth, keys), it| {
                (depth.max(it.0 + 1), keys + it.1)
            }),
        Value::Object(entries) => entries
            .values()
            .map(depth_and_keys)
            .fold((1, entries.len()), |(depth, keys), it| {
                (depth.max(it.0 + 1), keys + it.1)
            }),
        _ => (0, 0),
    }
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(value) = parse(text) else { return };
    let (depth, keys) = depth_and_keys(&value);
    assert!(depth <= DEPTH_MAX && keys <= KEYS_MAX);
    let other: Value =
        serde_json::from_str(text).expect("serde_json accepts what the strict parser accepts");
    assert_eq!(value, other);
    let again = parse(&value.to_string()).expect("a written value can be parsed");
    assert_eq!(depth_and_keys(&again), (depth, keys));
    assert_eq!(is_prototype_safe(&again), is_prototype_safe(&value));
});
