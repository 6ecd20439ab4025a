//! Checks that the files and functions that ARCHITECTURE.md names exist.

use std::fs;
use std::path::Path;

use crate::source::{Source, Violation};

/// The checked document.
const DOCUMENT: &str = "ARCHITECTURE.md";

/// Maximum number of lines of the document; people do not read a longer one.
const LINES_MAX: usize = 300;

/// Returns the violations in the document.
pub fn check(root: &Path, sources: &[Source]) -> Vec<Violation> {
    let Ok(document) = fs::read_to_string(root.join(DOCUMENT)) else {
        return vec![Violation {
            path: DOCUMENT.to_owned(),
            line: 1,
            rule: "the document is missing".to_owned(),
        }];
    };
    let mut violations = Vec::new();
    if document.lines().count() > LINES_MAX {
        let rule = format!("more than {LINES_MAX} lines");
        violations.push(Violation {
            path: DOCUMENT.to_owned(),
            line: 1,
            rule,
        });
    }
    for (line, at) in document.lines().zip(1..) {
        for name in quoted(line).filter(|name| !exists(root, sources, name)) {
            let rule = format!("`{name}` does not exist");
            violations.push(Violation {
                path: DOCUMENT.to_owned(),
                line: at,
                rule,
            });
        }
    }
    violations
}

/// Returns the texts between back quotes.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether a quoted name is a file or function that exists. True for quotes of any other form.
fn exists(root: &Path, sources: &[Source], name: &str) -> bool {
    let is_path = name.contains('/') && !name.contains([' ', '{', '*', ':', '→']);
    if is_path && (name.ends_with(".rs") || name.ends_with('/') || name.ends_with(".md")) {
        return root.join(name).exists() || root.join("crates").join(name).exists();
    }
    let Some((owner, function)) = name.strip_suffix("()").unwrap_or(name).split_once("::") else {
        return !name.ends_with("()") || defines(sources, name.trim_end_matches("()"), "");
    };
    if !owner
        .chars()
        .chain(function.chars())
        .all(|character| character.is_alphanumeric() || character == '_')
    {
        return true;
    }
    defines(sources, function, owner)
}

/// Whether the module `owner`, or a file with an `impl` of it, defines this item.
fn defines(sources: &[Source], item: &str, owner: &str) -> bool {
    let is_defined = |text: &str| {
        ["fn ", "struct ", "enum ", "type ", "const "]
            .iter()
            .any(|keyword| {
                text.match_indices(&format!("{keyword}{item}"))
                    .any(|(at, found)| {
                        let next = text[at + found.len()..].chars().next();
                        next.is_none_or(|next| !next.is_alphanumeric() && next != '_')
                    })
            })
    };
    let belongs_to_owner = |source: &&Source| {
        let stem = source
            .path
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches(".rs");
        owner.is_empty()
            || stem == owner
            || source.text.contains(&format!("impl {owner} "))
            || source.text.contains(&format!("impl {owner}<"))
    };
    sources
        .iter()
        .filter(belongs_to_owner)
        .any(|source| is_defined(&source.text))
}
