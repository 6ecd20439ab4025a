//! Checks the length of files and functions. Tests are exempt: a table of cases may be long.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::source::{Source, Violation};

/// Maximum number of lines of a file.
const FILE_LINES_MAX: usize = 600;

/// Maximum number of lines of a function, from its signature to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// File that lists exceptions.
const ALLOW_FILE: &str = "tidy.allow";

/// Exceptions with their reasons, by `path` or `path:function`.
#[derive(Default)]
pub struct Allowed(BTreeMap<String, String>);

impl Allowed {
    /// Reads `tidy.allow`; without the file there are no exceptions.
    pub fn read(root: &Path) -> Self {
        Self::parse(&fs::read_to_string(root.join(ALLOW_FILE)).unwrap_or_default())
    }

    /// Parses lines of `path` or `path:function`, a blank and a reason.
    pub fn parse(text: &str) -> Self {
        let lines = text
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        let entry = |line: &str| {
            let (what, reason) = line.split_once(' ').unwrap_or((line, ""));
            (what.to_owned(), reason.trim().to_owned())
        };
        Self(lines.map(entry).collect())
    }

    fn contains(&self, what: &str) -> bool {
        self.0.get(what).is_some_and(|reason| !reason.is_empty())
    }

    /// Returns entries that are not needed any more or give no reason.
    pub fn unused(&self, sources: &[Source]) -> Vec<Violation> {
        let is_needed = |what: &str| {
            sources
                .iter()
                .any(|source| too_long(source).iter().any(|(name, _, _)| name == what))
        };
        let invalid = self
            .0
            .iter()
            .filter(|(what, reason)| reason.is_empty() || !is_needed(what));
        invalid
            .map(|(what, _)| Violation {
                path: ALLOW_FILE.to_owned(),
                line: 1,
                rule: format!("`{what}` is not needed or gives no reason"),
            })
            .collect()
    }
}

/// Returns what is too long in one file and is not allowed.
pub fn check(source: &Source, allowed: &Allowed) -> Vec<Violation> {
    let violations = too_long(source)
        .into_iter()
        .filter(|(name, _, _)| !allowed.contains(name));
    violations
        .map(|(_, line, rule)| Violation {
            path: source.path.clone(),
            line,
            rule,
        })
        .collect()
}

/// Returns what is too long: name as in `tidy.allow`, line and rule.
fn too_long(source: &Source) -> Vec<(String, usize, String)> {
    if source.is_test() {
        return Vec::new();
    }
    let code = source
        .text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let mut found = Vec::new();
    let lines = code.lines().count();
    if lines > FILE_LINES_MAX {
        let rule = format!("{lines} lines; the maximum is {FILE_LINES_MAX}");
        found.push((source.path.clone(), 1, rule));
    }
    for (name, start, length) in functions(code) {
        if length > FUNCTION_LINES_MAX {
            let rule = format!("`{name}` has {length} lines; the maximum is {FUNCTION_LINES_MAX}");
            found.push((format!("{}:{name}", source.path), start, rule));
        }
    }
    found
}

/// Returns name, first line and length of each function. In formatted code the closing brace is
/// in the column of the signature.
fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<_> = code.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let closing = format!("{}}}", " ".repeat(indent));
        let rest = lines.iter().skip(at);
        if let Some(length) = rest.clone().position(|line| *line == closing) {
            found.push((name, at + 1, length + 1));
        }
    }
    found
}

/// Returns the name when this line starts a function with a body.
fn function_name(line: &str) -> Option<String> {
    let words: Vec<_> = line.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "fn")?;
    let is_head = |word: &&str| {
        ["const", "async", "unsafe", "extern", "\"C\""].contains(word) || word.starts_with("pub")
    };
    if !words.iter().take(at).all(is_head) || line.trim_end().ends_with(';') {
        return None;
    }
    let name = words.get(at + 1)?.split(['(', '<']).next()?;
    Some(name.to_owned())
}
