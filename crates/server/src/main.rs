//! The Watersmeet program.
fn main() {}
