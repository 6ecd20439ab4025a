//! Any text as the strict JSON of a frame or of a request's body: what is read keeps every bound,
//! is what any other reader reads, and is read again to the same.
#![no_main]

use serde_json::Value;
use watersmeet_conference::dialect::json::{DEPTH_MAX, KEYS_MAX, is_prototype_safe, parse};

/// How deep a value is nested, and how many keys it has.
fn measure(value: &Value) -> (usize, usize) {
    match value {
        Value::Array(values) => values
            .iter()
            .map(measure)
            .fold((1, 0), |(depth, keys), it| {
                (depth.max(it.0 + 1), keys + it.1)
            }),
        Value::Object(entries) => entries
            .values()
            .map(measure)
            .fold((1, entries.len()), |(depth, keys), it| {
                (depth.max(it.0 + 1), keys + it.1)
            }),
        _ => (0, 0),
    }
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(value) = parse(text) else { return };
    let (depth, keys) = measure(&value);
    assert!(depth <= DEPTH_MAX && keys <= KEYS_MAX);
    let other: Value = serde_json::from_str(text).expect("stricter than others, never laxer");
    assert_eq!(value, other);
    let again = parse(&value.to_string()).expect("what was read can be read again");
    assert_eq!(measure(&again), (depth, keys));
    assert_eq!(is_prototype_safe(&again), is_prototype_safe(&value));
});
