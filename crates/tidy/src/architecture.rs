//! ARCHITECTURE.md keeps its word: the functions and files it names exist.

use std::fs;
use std::path::Path;

use crate::source::{Breach, Source};

/// The map.
const MAP: &str = "ARCHITECTURE.md";

/// The most lines of the map; a longer one is not read.
const LINES_MAX: usize = 300;

/// Checks the map.
pub fn check(root: &Path, sources: &[Source]) -> Vec<Breach> {
    let Ok(map) = fs::read_to_string(root.join(MAP)) else {
        return vec![Breach {
            path: MAP.to_owned(),
            line: 1,
            rule: "the map is missing".to_owned(),
        }];
    };
    let mut breaches = Vec::new();
    if map.lines().count() > LINES_MAX {
        let rule = format!("more than {LINES_MAX} lines");
        breaches.push(Breach {
            path: MAP.to_owned(),
            line: 1,
            rule,
        });
    }
    for (line, at) in map.lines().zip(1..) {
        for name in quoted(line).filter(|name| !exists(root, sources, name)) {
            let rule = format!("`{name}` does not exist");
            breaches.push(Breach {
                path: MAP.to_owned(),
                line: at,
                rule,
            });
        }
    }
    breaches
}

/// What stands between back quotes.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether a quoted name is a file or function that exists. Anything else that is quoted is not
/// this rule's business.
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
        .all(|letter| letter.is_alphanumeric() || letter == '_')
    {
        return true;
    }
    defines(sources, function, owner)
}

/// Whether a file that knows `owner` defines this function or item.
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
    let knows = |source: &&Source| {
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
        .filter(knows)
        .any(|source| is_defined(&source.text))
}
