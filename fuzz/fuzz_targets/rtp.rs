//! Any bytes as an RTP packet, whose extensions are then edited.
#![no_main]

#[path = "../../crates/wire/tests/shared/exercise.rs"]
#[expect(dead_code, reason = "every target asks its own question")]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::rtp(bytes));
