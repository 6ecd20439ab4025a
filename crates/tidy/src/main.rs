//! House rules that a compiler cannot see, checked over the sources: who imports whom, how long
//! files and functions are, how files begin, and that ARCHITECTURE.md names what exists.
//!
//! `cargo run -p watersmeet-tidy` prints each breach as `file:line: rule` and fails if there is
//! one. What may be longer stands in `tidy.allow`, one `path reason…` a line.

mod architecture;
mod cycles;
mod dependencies;
mod imports;
mod length;
mod opening;
mod source;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use source::Breach;

fn main() -> ExitCode {
    let root = root();
    let breaches = check(&root);
    for breach in &breaches {
        println!("{breach}");
    }
    println!("tidy: {} breaches", breaches.len());
    if breaches.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The workspace this program was built in.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Every breach of every rule.
fn check(root: &Path) -> Vec<Breach> {
    let sources = source::all(root);
    let allowed = length::Allowed::read(root);
    let mut breaches = Vec::new();
    for source in &sources {
        breaches.extend(opening::check(source));
        breaches.extend(length::check(source, &allowed));
        breaches.extend(imports::check_rooms(source));
    }
    breaches.extend(cycles::check(&sources));
    breaches.extend(allowed.unused(&sources));
    breaches.extend(dependencies::check(root));
    breaches.extend(imports::check_crates(root));
    breaches.extend(architecture::check(root, &sources));
    breaches
}

#[cfg(test)]
mod tests;
