//! Scripts of feedback about what arrives, true or not, against the bounds of the estimate.
#![no_main]

#[path = "../../crates/engine/tests/suite/scripts/feedback.rs"]
mod script;
#[path = "../support.rs"]
#[expect(dead_code, reason = "each target uses a part")]
mod support;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| script::feedback(bytes));
