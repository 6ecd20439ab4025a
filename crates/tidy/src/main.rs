//! Checks repository rules that the compiler does not know: dependencies between crates and
//! modules, length of files and functions, file headers, and names in ARCHITECTURE.md.
//!
//! `cargo run -p watersmeet-tidy` prints each violation as `file:line: rule` and fails if there is
//! any. `tidy.allow` lists exceptions to the length rules, one `path reason…` per line.

mod architecture;
mod cycles;
mod dependencies;
mod file_header;
mod imports;
mod length;
mod source;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use source::Violation;

fn main() -> ExitCode {
    let root = root();
    let violations = check(&root);
    for violation in &violations {
        println!("{violation}");
    }
    println!("tidy: {} violations", violations.len());
    if violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Returns the workspace in which this program was built.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Returns the violations of all rules.
fn check(root: &Path) -> Vec<Violation> {
    let sources = source::all(root);
    let allowed = length::Allowed::read(root);
    let mut violations = Vec::new();
    for source in &sources {
        violations.extend(file_header::check(source));
        violations.extend(length::check(source, &allowed));
        violations.extend(imports::check_imports(source));
    }
    violations.extend(cycles::check(&sources));
    violations.extend(allowed.unused(&sources));
    violations.extend(dependencies::check(root));
    violations.extend(imports::check_manifests(root));
    violations.extend(architecture::check(root, &sources));
    violations
}

#[cfg(test)]
mod tests;
