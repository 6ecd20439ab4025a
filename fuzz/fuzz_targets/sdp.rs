//! Arbitrary text as the offer of a WHIP client and as an ICE fragment.
#![no_main]

#[path = "../../crates/wire/tests/suite/sdp_checks.rs"]
mod sdp_checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sdp_checks::sdp(bytes));
