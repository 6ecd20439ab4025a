//! Small files, small functions. Tests may be long; a table of cases is read from top to bottom.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::source::{Breach, Source};

/// The most lines of a file.
const FILE_LINES_MAX: usize = 600;

/// The most lines of a function, from its name to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// The file that says what may be longer.
const ALLOW_FILE: &str = "tidy.allow";

/// What may be longer, with the reason.
#[derive(Default)]
pub struct Allowed(BTreeMap<String, String>);

impl Allowed {
    /// Reads `tidy.allow`: `path` or `path:function`, a blank, a reason.
    pub fn read(root: &Path) -> Self {
        Self::parse(&fs::read_to_string(root.join(ALLOW_FILE)).unwrap_or_default())
    }

    /// Reads the text of such a file.
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

    /// Entries that allow nothing any more, or give no reason.
    pub fn unused(&self, sources: &[Source]) -> Vec<Breach> {
        let is_needed = |what: &str| {
            sources
                .iter()
                .any(|source| too_long(source).iter().any(|(name, _, _)| name == what))
        };
        let idle = self
            .0
            .iter()
            .filter(|(what, reason)| reason.is_empty() || !is_needed(what));
        idle.map(|(what, _)| Breach {
            path: ALLOW_FILE.to_owned(),
            line: 1,
            rule: format!("`{what}` needs no allowance, or gives no reason"),
        })
        .collect()
    }
}

/// Checks one file.
pub fn check(source: &Source, allowed: &Allowed) -> Vec<Breach> {
    let over = too_long(source)
        .into_iter()
        .filter(|(name, _, _)| !allowed.contains(name));
    over.map(|(_, line, rule)| Breach {
        path: source.path.clone(),
        line,
        rule,
    })
    .collect()
}

/// What is too long: its name in `tidy.allow`, its line, the rule.
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
        let rule = format!("{lines} lines; a file has {FILE_LINES_MAX} at most");
        found.push((source.path.clone(), 1, rule));
    }
    for (name, start, length) in functions(code) {
        if length > FUNCTION_LINES_MAX {
            let rule = format!("`{name}` has {length} lines; {FUNCTION_LINES_MAX} at most");
            found.push((format!("{}:{name}", source.path), start, rule));
        }
    }
    found
}

/// Name, first line and length of each function. Formatted code closes a function with a brace in
/// the column where it began.
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
