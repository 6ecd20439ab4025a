//! Arbitrary arrivals, written as transport-wide feedback and read back.
#![no_main]

#[path = "../../crates/wire/tests/suite/parser_checks.rs"]
#[expect(dead_code, reason = "each target uses one of the checks")]
mod parser_checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| parser_checks::twcc(bytes));
