//! Table of the scoreboard: one line a row, whose last word is `met` or `short`.

use std::collections::BTreeMap;

use super::bar::Row;
use super::case::Case;

/// Verdicts of a row.
const MET: &str = "met";
const SHORT: &str = "short";

/// Figures of a case: of each row, by seed. A run that failed has no figures.
#[derive(Debug, Default)]
pub struct CaseFigures {
    /// Seed and figure, for each row.
    pub rows: Vec<Vec<(u64, f64)>>,
    /// Seeds whose run failed.
    pub failed: Vec<u64>,
}

impl CaseFigures {
    /// Creates an empty collection for a case.
    pub fn new(case: &Case) -> Self {
        Self {
            rows: case.rows.iter().map(|_| Vec::new()).collect(),
            failed: Vec::new(),
        }
    }

    /// Adds the figures of a run.
    pub fn add(&mut self, seed: u64, figures: Vec<Vec<f64>>) {
        for (row, figures) in self.rows.iter_mut().zip(figures) {
            row.extend(figures.into_iter().map(|figure| (seed, figure)));
        }
    }
}

/// Returns the line of a row.
pub fn write_row(case: &Case, row: &Row, figures: &[(u64, f64)], has_failed: bool) -> String {
    let result = row.aggregate.apply(figures, row.bar);
    let is_met = !has_failed && result.is_some_and(|(figure, _)| row.bar.is_met(figure));
    let verdict = if is_met { MET } else { SHORT };
    let (figure, seed) = match result {
        Some((figure, seed)) => (row.unit.write(figure), seed.to_string()),
        None => ("not measured".to_owned(), "–".to_owned()),
    };
    let bar = row.unit.write_bar(row.bar);
    let (name, label, aggregate) = (case.name, row.label, row.aggregate);
    format!("{name} | {label} | {aggregate} | {figure} | {seed} | {bar} | {verdict}")
}

/// Returns the table of all cases.
pub fn write_table(cases: &[Case], figures: &[CaseFigures]) -> String {
    let mut text = String::from(
        "case | what is measured | of all runs | figure | worst seed | bar | verdict\n\
         ---|---|---|---|---|---|---\n",
    );
    for (case, figures) in cases.iter().zip(figures) {
        for (row, of_row) in case.rows.iter().zip(&figures.rows) {
            text.push_str(&write_row(case, row, of_row, !figures.failed.is_empty()));
            text.push('\n');
        }
    }
    text
}

/// Returns the number of rows in a table that are met, and of all.
pub fn count_met(table: &str) -> (usize, usize) {
    let ends = |verdict: &str| {
        let ending = format!(" | {verdict}");
        table.lines().filter(|line| line.ends_with(&ending)).count()
    };
    (ends(MET), ends(MET) + ends(SHORT))
}

/// Verdicts of a committed table: whether each row, by case and label, is met.
#[derive(Debug, Default)]
pub struct Committed(BTreeMap<(String, String), bool>);

impl Committed {
    /// Reads a table.
    pub fn parse(text: &str) -> Self {
        let row = |line: &str| {
            let mut cells = line.split(" | ");
            let (case, label) = (cells.next()?, cells.next()?);
            let verdict = cells.last()?;
            let is_row = verdict == MET || verdict == SHORT;
            is_row.then(|| ((case.to_owned(), label.to_owned()), verdict == MET))
        };
        Self(text.lines().filter_map(row).collect())
    }

    /// Returns whether a row is met on the committed seeds.
    pub fn is_met(&self, case: &Case, row: &Row) -> bool {
        let key = (case.name.to_owned(), row.label.to_owned());
        self.0.get(&key).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::cases;

    #[test]
    fn written_table_is_read_again() {
        let cases = cases::all();
        let mut figures: Vec<CaseFigures> = cases.iter().map(CaseFigures::new).collect();
        // The first row of P0 is met, the second is not.
        figures[0].add(3, vec![vec![0.1], vec![0.5]]);
        let table = write_table(&cases, &figures);
        let committed = Committed::parse(&table);
        assert!(committed.is_met(&cases[0], &cases[0].rows[0]));
        assert!(!committed.is_met(&cases[0], &cases[0].rows[1]));
        let rows = cases.iter().map(|case| case.rows.len()).sum();
        assert_eq!(count_met(&table), (1, rows));
        let first = table.lines().nth(2).unwrap();
        assert_eq!(
            first,
            "P0 cable | first frame | p95 | 0.10 s | 3 | ≤ 0.60 s | met"
        );
    }

    #[test]
    fn case_with_a_failed_run_meets_no_bar() {
        let case = cases::all().remove(0);
        let line = write_row(&case, &case.rows[0], &[(1, 0.1)], true);
        assert!(line.ends_with(" | short"), "{line}");
    }
}
