//! Text table for a terminal: left-aligned labels and right-aligned cells.

use std::fmt;

/// Spaces between two columns.
const GAP: usize = 2;

/// A table whose rows have a label and cells.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct TextTable {
    /// The rows, each with its label first.
    rows: Vec<Vec<String>>,
}

impl TextTable {
    /// Creates an empty table.
    pub const fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// Adds a row, which may be shorter than others.
    pub fn row(&mut self, label: &str, cells: impl IntoIterator<Item = String>) {
        let label = [label.to_owned()];
        self.rows.push(label.into_iter().chain(cells).collect());
    }

    /// Returns the width of each column in characters.
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

impl fmt::Display for TextTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if column == 0 {
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
