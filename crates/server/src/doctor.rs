//! `watersmeet doctor`: checks the configuration and this machine and prints how to fix each
//! problem. Opens sockets and closes them again; changes nothing. Sends packets only to this machine
//! and to the configured STUN and TURN servers.

use std::io::{self, Write as _};
use std::process::ExitCode;

use serde::Serialize;

use crate::config::{Config, Flags, Loaded, Sources};
use finding::{Finding, Outcome};

mod acme;
mod finding;
mod media_addresses;
mod open_files;
mod packet_egress;
mod ports;
mod settings;
mod turn;

/// All findings.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether no finding is `Wrong`.
    healthy: bool,
    /// Finding of each check.
    findings: Vec<Finding>,
}

/// Runs all checks and prints the report. Exits with status 0 when nothing is wrong, else 1.
pub fn run(flags: &Flags, json: bool) -> ExitCode {
    let (parsed, loaded) = Loaded::parse_and_load(flags);
    let mut findings = settings::check(loaded.as_ref());
    if let Some((config, sources)) = &parsed {
        findings.extend(findings_of(config, sources));
    }
    let healthy = findings.iter().all(|it| it.outcome != Outcome::Wrong);
    let report = Report { healthy, findings };
    let text = match json {
        true => serde_json::to_string(&report).unwrap_or_default() + "\n",
        false => text(&report),
    };
    // The reader of a pipe may have closed it.
    let _ = io::stdout().write_all(text.as_bytes());
    match healthy {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Runs the checks of a configuration, which may be one that cannot be used.
fn findings_of(config: &Config, sources: &Sources) -> Vec<Finding> {
    let mut findings = settings::check_values(config);
    findings.extend(ports::check(config, sources));
    findings.extend(media_addresses::check(config));
    findings.extend(turn::check(config));
    findings.extend(open_files::check(config));
    findings.extend(packet_egress::check(config));
    for finding in &mut findings {
        finding.text = sources.annotate(std::mem::take(&mut finding.text));
    }
    findings
}

fn text(report: &Report) -> String {
    let mut lines = vec![format!("\n  Watersmeet {}\n", env!("CARGO_PKG_VERSION"))];
    for finding in &report.findings {
        let (mark, about) = (finding.outcome.mark(), finding.about);
        lines.push(format!("  {mark} {about:<14}{}", finding.text));
        let fix = finding.fix.iter().flat_map(|fix| fix.lines()).enumerate();
        lines.extend(fix.map(|(number, fix)| {
            let arrow = if number == 0 { '→' } else { ' ' };
            format!("    {:<14}{arrow} {fix}", "")
        }));
    }
    let count = |outcome| {
        let matching = report.findings.iter().filter(|it| it.outcome == outcome);
        matching.count()
    };
    lines.push(match (count(Outcome::Wrong), count(Outcome::Doubtful)) {
        (0, 0) => "\n  No problems found.\n".to_owned(),
        (0, doubts) => format!("\n  Nothing is wrong; check the {doubts} marked with !.\n"),
        (wrongs, _) => format!("\n  {wrongs} to fix, marked with ✗.\n"),
    });
    lines.join("\n") + "\n"
}
