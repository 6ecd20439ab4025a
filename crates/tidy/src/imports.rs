//! Who may import whom: crates by their manifests, rooms of the engine by their `use` lines.

use std::fs;
use std::path::Path;

use crate::source::{Breach, Source};

/// Which crates of ours a crate may depend on. `conference` may use `engine`'s commands only,
/// which is checked in its sources.
const CRATES: [(&str, &[&str]); 9] = [
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

/// Rooms of the engine that never import one another.
const ROOMS: [&str; 4] = ["producer", "consumer", "transport", "router"];

/// Modules of the engine that `conference` may name.
const OPEN_TO_CONFERENCE: &str = "watersmeet_engine::command";

/// Checks the manifests.
pub fn check_crates(root: &Path) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (name, allowed) in CRATES {
        let path = format!("crates/{name}/Cargo.toml");
        let manifest = fs::read_to_string(root.join(&path)).unwrap_or_default();
        for (at, dependency) in dependencies(&manifest) {
            if !allowed.contains(&dependency.as_str()) {
                let rule = format!("`{name}` may not depend on `{dependency}`");
                breaches.push(Breach {
                    path: path.clone(),
                    line: at,
                    rule,
                });
            }
        }
    }
    breaches
}

/// Our crates that a manifest needs to build, without those of its tests.
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

/// Checks what one file imports.
pub fn check_rooms(source: &Source) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (line, at) in source.text.lines().zip(1..) {
        if let Some(rule) = breach(source, line) {
            breaches.push(Breach {
                path: source.path.clone(),
                line: at,
                rule,
            });
        }
    }
    breaches
}

fn breach(source: &Source, line: &str) -> Option<String> {
    let trimmed = line.trim_start();
    if trimmed.starts_with("//") {
        return None;
    }
    if source.crate_name() == "conference"
        && trimmed.contains("watersmeet_engine::")
        && !trimmed.contains(OPEN_TO_CONFERENCE)
        && !source.is_test()
    {
        return Some(format!(
            "`conference` knows of the engine only `{OPEN_TO_CONFERENCE}`"
        ));
    }
    let inside = source.path.strip_prefix("crates/engine/src/")?;
    let room = inside.split(['/', '.']).next()?;
    if room != "worker" && trimmed.contains("crate::worker") {
        return Some("no room imports `worker`".to_owned());
    }
    if !ROOMS.contains(&room) {
        return None;
    }
    let other = ROOMS
        .iter()
        .find(|other| **other != room && trimmed.contains(&format!("crate::{other}")))?;
    Some(format!("`{room}` may not import `{other}`"))
}
