//! Scripts of losses, requests and retransmissions, against what was sent.
#![no_main]

#[path = "../../crates/engine/tests/suite/scripts/retransmissions.rs"]
mod script;
#[path = "../support.rs"]
#[expect(dead_code, reason = "each target uses a part")]
mod support;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| script::retransmissions(bytes));
