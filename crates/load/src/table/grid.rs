//! Words and numbers in columns, for a terminal: labels to the left, everything else to the right.

use std::fmt;

/// Blanks between two columns.
const GAP: usize = 2;

/// Rows of a label and cells.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Grid {
    /// The rows, each with its label first.
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// No rows yet.
    pub const fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// Adds a row; it may be shorter than others.
    pub fn row(&mut self, label: &str, cells: impl IntoIterator<Item = String>) {
        let label = [label.to_owned()];
        self.rows.push(label.into_iter().chain(cells).collect());
    }

    /// Characters that each column needs.
    fn widths(&self) -> Vec<usize> {
        let mut widths = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        widths
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for row in &self.rows {
            let mut line = String::new();
            for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if at == 0 {
                    line += &format!("{cell:<width$}");
                } else {
                    line += &format!("{:GAP$}{cell:>width$}", "");
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
