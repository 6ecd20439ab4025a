//! Any bytes as a STUN message, as they are and with a right header.
#![no_main]

#[path = "../../crates/wire/tests/shared/exercise.rs"]
#[expect(dead_code, reason = "every target asks its own question")]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::stun(bytes));
