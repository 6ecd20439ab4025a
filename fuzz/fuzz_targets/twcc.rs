//! Arrivals of any kind, told in transport-wide feedback and read back.
#![no_main]

#[path = "../../crates/wire/tests/shared/exercise.rs"]
#[expect(dead_code, reason = "every target asks its own question")]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::twcc(bytes));
