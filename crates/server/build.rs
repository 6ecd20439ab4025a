//! Lists the modules of the program, for the log filter, and rebuilds the program when the web client
//! changes, since its files are embedded.

use std::path::{Path, PathBuf};
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
