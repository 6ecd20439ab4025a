//! Any bytes as a STUN message, as they are and with a right header.
#![no_main]

#[path = "../../crates/wire/tests/suite/parser_checks.rs"]
#[expect(dead_code, reason = "every target asks its own question")]
mod parser_checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| parser_checks::stun(bytes));
