//! Rows and bars: what is measured, how the figures of all runs become one, and between which values
//! it must be.

use std::fmt;

use super::measure::Measure;
use super::series::percentile;

/// Factor beyond a bar at which a single run fails by a wide margin.
pub const WIDE_MARGIN: f64 = 2.0;

/// How the figures of all runs become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    /// Their mean.
    Mean,
    /// The 95th percentile, by nearest rank.
    P95,
    /// The one that is worst for the bar.
    Worst,
}

/// Unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Share from 0 to 1, written as a percentage.
    Share,
    /// Thousand bits per second.
    Kbps,
    /// Frames per second.
    Fps,
    /// Number of events.
    Count,
    /// Events per minute.
    PerMinute,
    /// Ratio of two quantities.
    Ratio,
}

/// Values that a figure may have, both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// Lowest value.
    pub at_least: f64,
    /// Highest value.
    pub at_most: f64,
}

/// Row of the scoreboard.
#[derive(Debug, Clone)]
pub struct Row {
    /// Name of the figure, as in the table.
    pub label: &'static str,
    /// What is measured.
    pub measure: Measure,
    /// How the figures of all runs become one.
    pub aggregate: Aggregate,
    /// Unit of the figure.
    pub unit: Unit,
    /// Values that it may have.
    pub bar: Bar,
}

impl Bar {
    /// Returns a bar without a lower end.
    pub const fn at_most(at_most: f64) -> Self {
        Self {
            at_least: f64::NEG_INFINITY,
            at_most,
        }
    }

    /// Returns a bar without an upper end.
    pub const fn at_least(at_least: f64) -> Self {
        Self {
            at_least,
            at_most: f64::INFINITY,
        }
    }

    /// Returns a bar with two ends.
    pub const fn between(at_least: f64, at_most: f64) -> Self {
        Self { at_least, at_most }
    }

    /// Returns whether a figure meets the bar. A time that never comes meets none.
    pub fn is_met(&self, figure: f64) -> bool {
        figure.is_finite() && figure >= self.at_least && figure <= self.at_most
    }

    /// Returns whether a figure misses the bar by more than [`WIDE_MARGIN`].
    pub fn is_missed_widely(&self, figure: f64) -> bool {
        !figure.is_finite()
            || figure < self.at_least / WIDE_MARGIN
            || figure > self.at_most * WIDE_MARGIN
    }

    /// Returns how far a figure is from the bar; negative inside.
    fn distance(&self, figure: f64) -> f64 {
        (self.at_least - figure).max(figure - self.at_most)
    }
}

impl Aggregate {
    /// Returns one figure for those of all runs, with the seed of the run that is worst for the bar;
    /// `None` when there are none.
    pub fn apply(self, figures: &[(u64, f64)], bar: Bar) -> Option<(f64, u64)> {
        let by_distance =
            |a: &&(u64, f64), b: &&(u64, f64)| bar.distance(a.1).total_cmp(&bar.distance(b.1));
        let (seed, worst) = *figures.iter().max_by(by_distance)?;
        let figure = match self {
            Self::Worst => worst,
            Self::Mean => {
                let sum: f64 = figures.iter().map(|(_, figure)| figure).sum();
                sum / figures.len() as f64
            }
            Self::P95 => percentile(figures.iter().map(|(_, figure)| *figure).collect(), 95)?,
        };
        Some((figure, seed))
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mean => "mean",
            Self::P95 => "p95",
            Self::Worst => "worst",
        })
    }
}

impl Unit {
    /// Returns a figure with its unit.
    pub fn write(self, figure: f64) -> String {
        if figure.is_infinite() {
            return "never".to_owned();
        }
        match self {
            Self::Seconds => format!("{figure:.2} s"),
            Self::Share => format!("{:.2} %", figure * 100.0),
            Self::Kbps => format!("{figure:.0} kbit/s"),
            Self::Fps => format!("{figure:.1} fps"),
            Self::Count => format!("{figure:.0}"),
            Self::PerMinute => format!("{figure:.2} /min"),
            Self::Ratio => format!("{figure:.2}"),
        }
    }

    /// Returns a bar in this unit.
    pub fn write_bar(self, bar: Bar) -> String {
        match (bar.at_least.is_finite(), bar.at_most.is_finite()) {
            (true, true) if bar.at_least < bar.at_most => format!(
                "{} to {}",
                self.write(bar.at_least),
                self.write(bar.at_most)
            ),
            (true, true) => self.write(bar.at_least),
            (true, false) => format!("≥ {}", self.write(bar.at_least)),
            _ => format!("≤ {}", self.write(bar.at_most)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bar_with_two_ends_is_missed_on_both_sides() {
        let bar = Bar::between(29.0, 31.0);
        assert!(bar.is_met(29.0) && bar.is_met(31.0));
        assert!(!bar.is_met(28.9) && !bar.is_met(31.1) && !bar.is_met(f64::INFINITY));
        assert!(bar.is_missed_widely(14.4) && !bar.is_missed_widely(15.0));
        assert!(bar.is_missed_widely(62.1) && bar.is_missed_widely(f64::INFINITY));
    }

    #[test]
    fn worst_figure_is_the_one_farthest_outside_the_bar() {
        let figures = [(1, 30.0), (2, 20.0), (3, 33.0)];
        let bar = Bar::between(29.0, 31.0);
        assert_eq!(Aggregate::Worst.apply(&figures, bar), Some((20.0, 2)));
        let above = Bar::at_most(31.0);
        assert_eq!(Aggregate::Worst.apply(&figures, above), Some((33.0, 3)));
        assert_eq!(Aggregate::Mean.apply(&[], bar), None);
    }
}
