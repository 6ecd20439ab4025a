//! House rules that a compiler cannot see.
fn main() {}
