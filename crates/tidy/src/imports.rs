//! Checks dependencies: of crates in their manifests, of engine modules in their `use` lines.

use std::fs;
use std::path::Path;

use crate::source::{Source, Violation};

/// Crates of the workspace, each with those it may depend on. `conference` may use only the
/// commands of `engine`, which is checked in its sources.
const ALLOWED_DEPENDENCIES: [(&str, &[&str]); 9] = [
    ("wire", &[]),
    ("engine", &["wire"]),
    ("conference", &["wire", "engine"]),
    ("peer", &["wire"]),
    ("net", &[]),
    ("server", &["wire", "engine", "conference", "net"]),
    ("sim", &["wire", "engine", "conference", "peer"]),
    ("load", &["wire", "engine", "net", "peer"]),
    ("tidy", &[]),
];

/// Modules of the engine that must not import one another.
const INDEPENDENT_MODULES: [&str; 4] = ["producer", "consumer", "transport", "router"];

/// The module of the engine that `conference` may use.
const CONFERENCE_INTERFACE: &str = "watersmeet_engine::command";

/// Returns the forbidden dependencies in the manifests.
pub fn check_manifests(root: &Path) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (name, allowed) in ALLOWED_DEPENDENCIES {
        let path = format!("crates/{name}/Cargo.toml");
        let manifest = fs::read_to_string(root.join(&path)).unwrap_or_default();
        for (at, dependency) in dependencies(&manifest) {
            if !allowed.contains(&dependency.as_str()) {
                let rule = format!("`{name}` may not depend on `{dependency}`");
                violations.push(Violation {
                    path: path.clone(),
                    line: at,
                    rule,
                });
            }
        }
    }
    violations
}

/// Returns the line and name of each dependency on a workspace crate, without dev-dependencies.
fn dependencies(manifest: &str) -> Vec<(usize, String)> {
    let mut section = "";
    let mut found = Vec::new();
    for (line, at) in manifest.lines().zip(1..) {
        if line.starts_with('[') {
            section = line;
        }
        if section == "[dependencies]"
            && let Some(rest) = line.strip_prefix("watersmeet-")
        {
            let name: String = rest
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            found.push((at, name));
        }
    }
    found
}

/// Returns the forbidden imports of one file.
pub fn check_imports(source: &Source) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (line, at) in source.text.lines().zip(1..) {
        if let Some(rule) = broken_rule(source, line) {
            violations.push(Violation {
                path: source.path.clone(),
                line: at,
                rule,
            });
        }
    }
    violations
}

/// Returns the rule that this line breaks.
fn broken_rule(source: &Source, line: &str) -> Option<String> {
    let trimmed = line.trim_start();
    if trimmed.starts_with("//") {
        return None;
    }
    if source.crate_name() == "conference"
        && trimmed.contains("watersmeet_engine::")
        && !trimmed.contains(CONFERENCE_INTERFACE)
        && !source.is_test()
    {
        return Some(format!(
            "`conference` may import only `{CONFERENCE_INTERFACE}` of the engine"
        ));
    }
    let engine_path = source.path.strip_prefix("crates/engine/src/")?;
    let module = engine_path.split(['/', '.']).next()?;
    if module != "worker" && trimmed.contains("crate::worker") {
        return Some("engine modules may not import `worker`".to_owned());
    }
    if !INDEPENDENT_MODULES.contains(&module) {
        return None;
    }
    let other = INDEPENDENT_MODULES
        .iter()
        .find(|other| **other != module && trimmed.contains(&format!("crate::{other}")))?;
    Some(format!("`{module}` may not import `{other}`"))
}
