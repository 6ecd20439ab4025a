//! `watersmeet doctor`: looks at the configuration and at this machine as an operator would who
//! has an hour, and says for each thing that is wrong how to mend it. It opens sockets and closes
//! them again; it changes nothing, and it sends packets to nobody but this machine and the STUN
//! and TURN servers of the configuration.

use std::io::{self, Write as _};
use std::process::ExitCode;

use serde::Serialize;

use crate::config::{Config, ConfigError, Flags, Loaded};

mod media_addresses;
mod open_files;
mod packet_egress;
mod ports;
mod settings;
mod turn;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Fine,
    /// It works, though perhaps not as was meant.
    Doubtful,
    /// It does not work.
    Wrong,
}

impl Outcome {
    const fn mark(self) -> char {
        match self {
            Self::Fine => '✓',
            Self::Doubtful => '!',
            Self::Wrong => '✗',
        }
    }
}

/// What one check found.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What was looked at, in a word.
    pub about: &'static str,
    /// How it is.
    pub outcome: Outcome,
    /// What was found.
    pub text: String,
    /// What to do about it, unless it is fine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    /// Nothing to do.
    pub fn fine(about: &'static str, text: impl Into<String>) -> Self {
        Self {
            about,
            outcome: Outcome::Fine,
            text: text.into(),
            fix: None,
        }
    }

    /// It works, though perhaps not as was meant.
    pub fn doubtful(about: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Doubtful,
            fix: Some(fix.into()),
            ..Self::fine(about, text)
        }
    }

    /// It does not work.
    pub fn wrong(about: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Wrong,
            fix: Some(fix.into()),
            ..Self::fine(about, text)
        }
    }

    /// Whether there is nothing to do.
    pub fn is_fine(&self) -> bool {
        self.outcome == Outcome::Fine
    }
}

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether nothing is wrong.
    healthy: bool,
    /// Check by check.
    findings: Vec<Finding>,
}

/// Checks everything and prints what was found: status 0 when nothing is wrong, 1 otherwise.
pub fn run(flags: &Flags, json: bool) -> ExitCode {
    let (config, loaded) = Loaded::examine(flags);
    let findings = findings(config.as_ref(), loaded.as_ref());
    let healthy = findings.iter().all(|it| it.outcome != Outcome::Wrong);
    let report = Report { healthy, findings };
    let text = match json {
        true => serde_json::to_string(&report).unwrap_or_default() + "\n",
        false => text(&report),
    };
    // Who closes the pipe has seen enough.
    let _ = io::stdout().write_all(text.as_bytes());
    match healthy {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// All checks. What could be read is looked at even where it may not be used as it is.
fn findings(config: Option<&Config>, loaded: Result<&Loaded, &ConfigError>) -> Vec<Finding> {
    let mut findings = settings::check(config, loaded);
    if let Some(config) = config {
        findings.extend(ports::check(config));
        findings.extend(media_addresses::check(config));
        findings.extend(turn::check(config));
        findings.extend(open_files::check(config));
        findings.extend(packet_egress::check(config));
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
        let of_it = report.findings.iter().filter(|it| it.outcome == outcome);
        of_it.count()
    };
    lines.push(match (count(Outcome::Wrong), count(Outcome::Doubtful)) {
        (0, 0) => "\n  All is well.\n".to_owned(),
        (0, doubts) => format!("\n  Nothing is wrong; look at {doubts} marked with !.\n"),
        (wrongs, _) => format!("\n  {wrongs} to mend, marked with ✗.\n"),
    });
    lines.join("\n") + "\n"
}
