//! How a file begins and what it is called: with a line on what the room is for; never `mod.rs`.

use crate::source::{Breach, Source};

/// Checks one file.
pub fn check(source: &Source) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mut breach = |rule: &str| {
        breaches.push(Breach {
            path: source.path.clone(),
            line: 1,
            rule: rule.to_owned(),
        });
    };
    if !source.text.starts_with("//! ") {
        breach("a file opens with `//!`: what this room is for");
    }
    if source.path.ends_with("/mod.rs") {
        breach("`foo.rs` beside `foo/`, never `mod.rs`");
    }
    breaches
}
