//! The checked source files, and violations in them.

use std::fmt;
use std::fs;
use std::path::Path;

/// Folders below a crate that hold Rust code.
const FOLDERS: [&str; 3] = ["src", "tests", "benches"];

/// One Rust file.
pub struct Source {
    /// Path relative to the workspace, with slashes.
    pub path: String,
    /// Full text of the file.
    pub text: String,
}

impl Source {
    /// Returns the folder name of the crate: `engine` for `crates/engine/src/worker.rs`.
    pub fn crate_name(&self) -> &str {
        self.path.split('/').nth(1).unwrap_or_default()
    }

    /// Whether it is test or benchmark code.
    pub fn is_test(&self) -> bool {
        let parts: Vec<_> = self.path.split('/').collect();
        parts.contains(&"tests") || parts.contains(&"benches") || self.path.ends_with("/tests.rs")
    }
}

/// A broken rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the file, relative to the workspace.
    pub path: String,
    /// Line number, from 1.
    pub line: usize,
    /// The rule and what breaks it.
    pub rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.rule)
    }
}

/// Returns the Rust files of all crates, ordered by path.
pub fn all(root: &Path) -> Vec<Source> {
    let mut sources = Vec::new();
    for member in sorted_entries(&root.join("crates")) {
        for folder in FOLDERS {
            collect(root, &member.join(folder), &mut sources);
        }
    }
    sources
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for path in sorted_entries(folder) {
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "node_modules") {
                collect(root, &path, sources);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && let Ok(text) = fs::read_to_string(&path)
            && let Ok(below) = path.strip_prefix(root)
        {
            sources.push(Source {
                path: below.to_string_lossy().replace('\\', "/"),
                text,
            });
        }
    }
}

fn sorted_entries(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
