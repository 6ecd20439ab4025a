//! Result of one check.

use serde::Serialize;

/// Outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// No problem was found.
    Fine,
    /// It works, but perhaps not as intended.
    Doubtful,
    /// It does not work.
    Wrong,
}

impl Outcome {
    /// Returns the mark in the text output.
    pub const fn mark(self) -> char {
        match self {
            Self::Fine => '✓',
            Self::Doubtful => '!',
            Self::Wrong => '✗',
        }
    }
}

/// Result of one check.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// Subject of the check, in a word.
    pub about: &'static str,
    /// Outcome of the check.
    pub outcome: Outcome,
    /// Description of the result.
    pub text: String,
    /// Fix for the problem; `None` when the outcome is `Fine`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    /// Creates a finding without a problem.
    pub fn fine(about: &'static str, text: impl Into<String>) -> Self {
        Self {
            about,
            outcome: Outcome::Fine,
            text: text.into(),
            fix: None,
        }
    }

    /// Creates a finding of something that works, but perhaps not as intended.
    pub fn doubtful(about: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Doubtful,
            fix: Some(fix.into()),
            ..Self::fine(about, text)
        }
    }

    /// Creates a finding of something that does not work.
    pub fn wrong(about: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Wrong,
            fix: Some(fix.into()),
            ..Self::fine(about, text)
        }
    }

    /// Returns whether no problem was found.
    pub fn is_fine(&self) -> bool {
        self.outcome == Outcome::Fine
    }
}
