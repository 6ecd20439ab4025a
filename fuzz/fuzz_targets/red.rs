//! Arbitrary bytes as redundant audio, which is then written again.
#![no_main]

#[path = "../../crates/wire/tests/suite/parser_checks.rs"]
#[expect(dead_code, reason = "each target uses one of the checks")]
mod parser_checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| parser_checks::red(bytes));
