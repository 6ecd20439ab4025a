//! Tests of each rule, and the check of this repository.

use super::*;
use crate::length::Allowed;
use crate::source::Source;

fn source(path: &str, text: &str) -> Source {
    Source {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

#[test]
fn repository_has_no_violations() {
    let violations: Vec<_> = check(&root()).iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn files_without_a_module_comment_are_reported() {
    assert_eq!(
        file_header::check(&source("crates/wire/src/a.rs", "use b;")).len(),
        1
    );
    assert_eq!(
        file_header::check(&source("crates/wire/src/a/mod.rs", "//! A.\n")).len(),
        1
    );
    assert!(file_header::check(&source("crates/wire/src/a.rs", "//! A.\n")).is_empty());
}

#[test]
fn long_functions_are_reported_unless_allowed() {
    let body = "    let a = 1;\n".repeat(70);
    let text = format!("//! A.\npub fn long() {{\n{body}}}\nfn short() {{\n}}\n");
    let long = source("crates/wire/src/a.rs", &text);
    let found = length::check(&long, &Allowed::default());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].line, 2);
    let allowed = Allowed::parse("crates/wire/src/a.rs:long a parser in one piece\n");
    assert!(length::check(&long, &allowed).is_empty());
    assert!(allowed.unused(&[long]).is_empty());
    assert_eq!(allowed.unused(&[]).len(), 1);
}

#[test]
fn long_files_are_reported() {
    let text = format!("//! A.\n{}", "const A: u8 = 1;\n".repeat(600));
    assert_eq!(
        length::check(&source("crates/wire/src/a.rs", &text), &Allowed::default()).len(),
        1
    );
    assert!(
        length::check(
            &source("crates/wire/tests/a.rs", &text),
            &Allowed::default()
        )
        .is_empty()
    );
}

#[test]
fn forbidden_imports_are_reported() {
    let found = |path: &str, line: &str| !imports::check_imports(&source(path, line)).is_empty();
    assert!(found(
        "crates/engine/src/producer.rs",
        "use crate::consumer::Consumer;"
    ));
    assert!(found(
        "crates/engine/src/transport/ice.rs",
        "use crate::router::Router;"
    ));
    assert!(found(
        "crates/engine/src/packet_cache.rs",
        "use crate::worker::Worker;"
    ));
    assert!(found(
        "crates/conference/src/room.rs",
        "use watersmeet_engine::worker::Worker;"
    ));
    assert!(!found(
        "crates/engine/src/worker/close.rs",
        "use crate::consumer::Consumer;"
    ));
    assert!(!found(
        "crates/engine/src/producer/stream.rs",
        "use crate::producer::nack::Gap;"
    ));
    assert!(!found(
        "crates/conference/src/room.rs",
        "use watersmeet_engine::command::Event;"
    ));
}

#[test]
fn modules_that_import_one_another_are_found() {
    let is_cycle = |a: &str, b: &str| {
        let files = [
            source("crates/wire/src/a.rs", a),
            source("crates/wire/src/a/b.rs", b),
            source("crates/wire/src/lib.rs", "mod a;\nmod c;\n"),
            source("crates/wire/src/c.rs", "use crate::a::A;\n"),
        ];
        !cycles::check(&files).is_empty()
    };
    assert!(is_cycle("mod b;\nuse self::b::B;\n", "use super::A;\n"));
    assert!(is_cycle("mod b;\nfn f(_: b::B) {}\n", "use crate::c::C;\n"));
    assert!(is_cycle(
        "mod b;\nuse crate::a::{b::{B}, d};\n",
        "mod inner {\n    use super::super::A;\n}\n"
    ));
    assert!(!is_cycle("mod b;\n", "use super::A;\n"));
    assert!(!is_cycle("mod b;\npub use b::B;\n", "use std::fmt;\n"));
    assert!(!is_cycle(
        "mod b;\nuse b::B;\n",
        "#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n"
    ));
}

/// Rules as `deny.toml` writes them.
fn rules(text: &str) -> dependencies::Rules {
    toml::from_str(text).unwrap()
}

#[test]
fn licence_expressions_are_met_by_accepted_licences_alone() {
    let rules = rules("[licenses]\nallow = [\"MIT\", \"ISC\"]\n");
    for accepted in ["MIT", "MIT OR Apache-2.0", "MIT/Apache-2.0", "ISC AND MIT"] {
        assert!(
            dependencies::is_licensed(Some(accepted), &rules),
            "{accepted}"
        );
    }
    for refused in ["Apache-2.0", "MIT AND Apache-2.0", "GPL-3.0", "nonsense"] {
        assert!(
            !dependencies::is_licensed(Some(refused), &rules),
            "{refused}"
        );
    }
    assert!(!dependencies::is_licensed(None, &rules));
}

#[test]
fn accepted_advisories_have_a_review_date() {
    let ignore = |reason: &str| {
        let text = format!(
            "advisories.ignore = [{{ id = \"RUSTSEC-2026-0001\", reason = \"{reason}\" }}]"
        );
        dependencies::check_reviews(&rules(&text)).len()
    };
    assert_eq!(ignore("not reachable; review by 2027-01-31"), 0);
    assert_eq!(ignore("not reachable"), 1);
    assert_eq!(ignore("not reachable; review by some day"), 1);
}

#[test]
fn advisories_are_found_unless_they_are_accepted() {
    let folder = std::env::temp_dir().join(format!("tidy-advisories-{}", std::process::id()));
    let advisories = folder.join("crates/fragile");
    std::fs::create_dir_all(&advisories).unwrap();
    let advisory = "```toml\n[advisory]\nid = \"RUSTSEC-2026-0001\"\npackage = \"fragile\"\n\
        date = \"2026-01-01\"\n[versions]\npatched = [\">= 1.1.0\"]\n```\n\n# Breaks\n\nIt breaks.\n";
    std::fs::write(advisories.join("RUSTSEC-2026-0001.md"), advisory).unwrap();
    let lockfile = folder.join("Cargo.lock");
    let found = |version: &str, text: &str| {
        let lock = format!(
            "version = 4\n[[package]]\nname = \"fragile\"\nversion = \"{version}\"\n\
            source = \"registry+https://github.com/rust-lang/crates.io-index\"\n"
        );
        std::fs::write(&lockfile, lock).unwrap();
        dependencies::check_advisories(&lockfile, &folder, &rules(text)).len()
    };
    let accepted = "advisories.ignore = [{ id = \"RUSTSEC-2026-0001\", reason = \"\" }]";
    let counts = [
        found("1.0.0", ""),
        found("1.1.0", ""),
        found("1.0.0", accepted),
        found("1.1.0", accepted),
    ];
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(counts, [1, 0, 0, 1]);
}
