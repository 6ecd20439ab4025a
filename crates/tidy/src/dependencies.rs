//! Third-party crates: licences, origins, banned crates and published advisories.
//!
//! Reads `deny.toml`, the configuration of `cargo deny`, which gives the same verdicts and takes
//! minutes to build; `make nightly` runs it. Advisories are checked where a copy of the RustSec
//! database is at hand: in `.tools/advisory-db`, or where `ADVISORY_DB` says.

use std::path::{Path, PathBuf};

use cargo_metadata::{CargoOpt, DependencyKind, MetadataCommand, Package};
use rustsec::{Database, Lockfile, report::Report, report::Settings};
use serde::Deserialize;
use spdx::{Expression, ParseMode};

use crate::source::Violation;

/// File with the rules.
const RULES_FILE: &str = "deny.toml";

/// Where `scripts/setup` puts the advisory database.
const ADVISORY_FOLDER: &str = ".tools/advisory-db";

/// The part of `deny.toml` that is checked here.
#[derive(Default, Deserialize)]
pub struct Rules {
    /// Accepted licences.
    #[serde(default)]
    pub licenses: Licenses,
    /// Crates that may not be used.
    #[serde(default)]
    pub bans: Bans,
    /// Known advisories that do not affect this program.
    #[serde(default)]
    pub advisories: Advisories,
}

/// Accepted licences.
#[derive(Default, Deserialize)]
pub struct Licenses {
    /// SPDX identifiers.
    #[serde(default)]
    pub allow: Vec<String>,
}

/// Crates that may not be used.
#[derive(Default, Deserialize)]
pub struct Bans {
    /// The banned crates.
    #[serde(default)]
    pub deny: Vec<Banned>,
}

/// A crate that may not be used.
#[derive(Deserialize)]
pub struct Banned {
    /// Its name.
    #[serde(rename = "crate")]
    pub name: String,
}

/// Advisories that are known and accepted for now.
#[derive(Default, Deserialize)]
pub struct Advisories {
    /// Accepted advisories; each reason ends with the date of its next review.
    #[serde(default)]
    pub ignore: Vec<Ignored>,
}

/// An advisory that is accepted for now.
#[derive(Deserialize)]
pub struct Ignored {
    /// RustSec identifier.
    pub id: String,
    /// Why it does not matter here, and until when that was judged: `…; review by 2027-01-31`.
    pub reason: String,
}

/// Checks the dependencies of the workspace at `root`. Says on standard output whether advisories
/// were checked.
pub fn check(root: &Path) -> Vec<Violation> {
    let rules = std::fs::read_to_string(root.join(RULES_FILE)).unwrap_or_default();
    let rules: Rules = match toml::from_str(&rules) {
        Ok(rules) => rules,
        Err(error) => return vec![violation(RULES_FILE, &error.to_string())],
    };
    let mut violations = check_reviews(&rules);
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .other_options(["--locked".to_owned()])
        .exec();
    match metadata {
        Ok(metadata) => violations.extend(check_packages(&metadata.packages, &rules)),
        Err(error) => violations.push(violation("Cargo.toml", &error.to_string())),
    }
    match advisory_folder(root) {
        Some(folder) => {
            let lockfile = root.join("Cargo.lock");
            violations.extend(check_advisories(&lockfile, &folder, &rules));
        }
        None => println!("tidy: no advisory database at {ADVISORY_FOLDER}: advisories not checked"),
    }
    violations
}

/// Every accepted advisory gives the date of its next review.
pub fn check_reviews(rules: &Rules) -> Vec<Violation> {
    let is_dated = |ignored: &&Ignored| {
        let date = ignored
            .reason
            .rsplit_once("review by ")
            .map(|(_, date)| date);
        date.is_some_and(|date| date.len() == 10 && date.split('-').count() == 3)
    };
    let undated = rules.advisories.ignore.iter().filter(|it| !is_dated(it));
    let rule = |it: &Ignored| format!("`{}`: the reason ends with `review by YYYY-MM-DD`", it.id);
    undated.map(|it| violation(RULES_FILE, &rule(it))).collect()
}

/// Checks licence, origin and name of each package, and our own version requirements.
pub fn check_packages(packages: &[Package], rules: &Rules) -> Vec<Violation> {
    let banned = |name: &str| rules.bans.deny.iter().any(|it| it.name == name);
    let mut violations = Vec::new();
    for package in packages {
        let name = package.name.as_str();
        let mut report = |rule: &str| {
            let rule = format!("`{name} {}`: {rule}", package.version);
            violations.push(violation("Cargo.lock", &rule));
        };
        let Some(source) = &package.source else {
            let wildcards = package.dependencies.iter().filter(|it| {
                it.path.is_none()
                    && it.kind != DependencyKind::Unknown
                    && it.req.comparators.is_empty()
            });
            for dependency in wildcards {
                report(&format!("any version of `{}` would do", dependency.name));
            }
            continue;
        };
        if !source.is_crates_io() {
            report("comes from another place than crates.io");
        }
        if banned(name) {
            report("is banned");
        }
        if !is_licensed(package.license.as_deref(), rules) {
            let license = package.license.as_deref().unwrap_or("none given");
            report(&format!("the licence is not in {RULES_FILE}: {license}"));
        }
    }
    violations
}

/// Returns whether the licence expression can be met with accepted licences alone.
pub fn is_licensed(license: Option<&str>, rules: &Rules) -> bool {
    let Some(expression) = license.and_then(|it| Expression::parse_mode(it, ParseMode::LAX).ok())
    else {
        return false;
    };
    expression.evaluate(|requirement| {
        let name = requirement.to_string();
        rules.licenses.allow.contains(&name)
    })
}

/// Returns where the advisory database is, if it is there.
fn advisory_folder(root: &Path) -> Option<PathBuf> {
    let named = std::env::var_os("ADVISORY_DB").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| root.join(ADVISORY_FOLDER));
    folder.join("crates").is_dir().then_some(folder)
}

/// Checks the lock file against the database: vulnerabilities, and crates that are unmaintained,
/// unsound or yanked.
pub fn check_advisories(lockfile: &Path, folder: &Path, rules: &Rules) -> Vec<Violation> {
    let loaded =
        Database::open(folder).and_then(|database| Ok((database, Lockfile::load(lockfile)?)));
    let (database, lockfile) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return vec![violation("Cargo.lock", &error.to_string())],
    };
    let report = Report::generate(&database, &lockfile, &Settings::default());
    let mut found = Vec::new();
    for vulnerability in &report.vulnerabilities.list {
        found.push((&vulnerability.package, &vulnerability.advisory));
    }
    for warning in report.warnings.values().flatten() {
        found.extend(warning.advisory.as_ref().map(|it| (&warning.package, it)));
    }
    println!(
        "tidy: {} advisories, {} apply",
        database.iter().count(),
        found.len()
    );
    let is_ignored = |id: &str| rules.advisories.ignore.iter().any(|it| it.id == id);
    let mut violations: Vec<_> = found
        .iter()
        .filter(|(_, advisory)| !is_ignored(advisory.id.as_str()))
        .map(|(package, advisory)| {
            let rule = format!(
                "`{} {}`: {} {}",
                package.name, package.version, advisory.id, advisory.title
            );
            violation("Cargo.lock", &rule)
        })
        .collect();
    let is_found = |it: &&Ignored| {
        found
            .iter()
            .any(|(_, advisory)| advisory.id.as_str() == it.id)
    };
    let stale = rules.advisories.ignore.iter().filter(|it| !is_found(it));
    violations
        .extend(stale.map(|it| violation(RULES_FILE, &format!("`{}` no longer applies", it.id))));
    violations
}

fn violation(path: &str, rule: &str) -> Violation {
    Violation {
        path: path.to_owned(),
        line: 1,
        rule: rule.to_owned(),
    }
}
