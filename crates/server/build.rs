//! Lists the modules of the program, for the log filter, and rebuilds the program when the web client
//! changes, since its files are embedded. Passes the commit to `--version`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// Crates that log, as target of their lines and folder.
const CRATES: [(&str, &str); 4] = [
    ("watersmeet", "src"),
    ("watersmeet_conference", "../conference/src"),
    ("watersmeet_engine", "../engine/src"),
    ("watersmeet_net", "../net/src"),
];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=../../web/dist");
    println!("cargo::rustc-env=WATERSMEET_COMMIT={}", commit());
    let mut modules = Vec::new();
    for (name, folder) in CRATES {
        println!("cargo::rerun-if-changed={folder}");
        modules.push(name.to_owned());
        add_modules(&mut modules, name, Path::new(folder))?;
    }
    modules.sort();
    modules.dedup();
    let out = env::var_os("OUT_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    fs::write(out.join("modules.rs"), format!("&{modules:?}"))
}

/// Returns the commit that is built: `WATERSMEET_COMMIT` if it is set, in release builds that of the
/// repository, else `unknown`. Other builds do not ask, or every commit would compile the program again.
fn commit() -> String {
    println!("cargo::rerun-if-env-changed=WATERSMEET_COMMIT");
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let found = env::var("WATERSMEET_COMMIT").ok().or_else(|| {
        // An unpacked source archive may lie in a repository of something else.
        let is_ours = is_release && git(&["rev-parse", "--show-prefix"])? == "crates/server/";
        let log = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|_| is_ours)?;
        println!("cargo::rerun-if-changed={log}");
        git(&["rev-parse", "--short=12", "HEAD"])
    });
    found.unwrap_or_else(|| "unknown".to_owned())
}

/// Returns the output of a git command; `None` where it fails.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Adds the modules in a folder of a crate or module.
fn add_modules(modules: &mut Vec<String>, parent: &str, folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else {
            continue;
        };
        let module = format!("{parent}::{name}");
        if path.is_dir() {
            add_modules(modules, &module, &path)?;
        } else if !["lib", "main", "tests"].contains(&name) {
            modules.push(module);
        }
    }
    Ok(())
}
