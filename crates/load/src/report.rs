//! Prints the results of a run: one table of metrics beside their thresholds, and a verdict.

mod text_table;

#[cfg(test)]
mod tests;

use thiserror::Error;

use crate::metric::Metric;
use crate::options::ReportArgs;
use crate::outcome::{Outcome, OutcomeError};
use crate::thresholds::{self, Threshold};

pub use text_table::TextTable;

/// Reason why an outcome cannot be reported.
#[derive(Debug, Error)]
pub enum ReportError {
    /// There is no set of thresholds with this name.
    #[error("there are no thresholds `{0}`: use one of {names}", names = thresholds::NAMES.join(", "))]
    UnknownThresholds(String),
    /// The outcome file cannot be written.
    #[error(transparent)]
    Outcome(#[from] OutcomeError),
}

/// Prints `outcome`, and writes it to a file if `args` name one.
///
/// # Errors
/// Fails when the thresholds are unknown or the file cannot be written.
pub fn print(outcome: &Outcome, args: &ReportArgs) -> Result<(), ReportError> {
    let thresholds = args.bar.as_deref().map(thresholds_named).transpose()?;
    print!("{}", format_report(outcome, thresholds.unwrap_or_default()));
    if let Some(path) = &args.json {
        outcome.write(path)?;
    }
    Ok(())
}

/// Returns heading, metrics beside their thresholds, and verdict.
fn format_report(outcome: &Outcome, thresholds: &[Threshold]) -> String {
    let mut table = TextTable::new();
    if !thresholds.is_empty() {
        table.row("", ["measured", "bar", ""].map(str::to_owned));
    }
    for metric in Metric::ALL {
        let Some(value) = metric.of(outcome) else {
            continue;
        };
        let mut cells = vec![metric.format(value)];
        if let Some(threshold) = thresholds.iter().find(|it| it.metric == metric) {
            cells.extend([threshold.to_string(), threshold.judge(value).to_owned()]);
        }
        table.row(metric.label(), cells);
    }
    let unknown = thresholds
        .iter()
        .filter(|threshold| threshold.metric.of(outcome).is_none());
    for threshold in unknown {
        let cells = ["–".to_owned(), threshold.to_string(), "unknown".to_owned()];
        table.row(threshold.metric.label(), cells);
    }
    let heading = outcome.setup.heading();
    format!("\n{heading}\n\n{table}\n{}\n", outcome.verdict())
}

/// Returns the set of thresholds called `name`.
fn thresholds_named(name: &str) -> Result<&'static [Threshold], ReportError> {
    thresholds::named(name).ok_or_else(|| ReportError::UnknownThresholds(name.to_owned()))
}
