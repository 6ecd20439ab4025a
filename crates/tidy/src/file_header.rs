//! Checks that files start with a module comment and that none is called `mod.rs`.

use crate::source::{Source, Violation};

/// Returns the violations in one file.
pub fn check(source: &Source) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut report = |rule: &str| {
        violations.push(Violation {
            path: source.path.clone(),
            line: 1,
            rule: rule.to_owned(),
        });
    };
    if !source.text.starts_with("//! ") {
        report("start the file with `//!` and the purpose of the module");
    }
    if source.path.ends_with("/mod.rs") {
        report("use `foo.rs` beside `foo/` instead of `mod.rs`");
    }
    violations
}
