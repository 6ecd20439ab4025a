//! Scripts of a publisher and a viewer, whose stream is rewritten: sequence numbers, timestamps and picture numbers.
#![no_main]

#[path = "../../crates/engine/tests/suite/scripts/rewriting.rs"]
mod script;
#[path = "../support.rs"]
#[expect(dead_code, reason = "each target uses a part")]
mod support;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| script::rewriting(bytes));
