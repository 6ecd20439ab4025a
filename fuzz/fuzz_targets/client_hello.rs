//! Arbitrary bytes as a ClientHello of DTLS, complete and in fragments.
#![no_main]

#[path = "../../crates/wire/tests/suite/parser_checks.rs"]
#[expect(dead_code, reason = "each target uses one of the checks")]
mod parser_checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| parser_checks::client_hello(bytes));
