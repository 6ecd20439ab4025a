//! Arguments of the program.

use std::error::Error;

use watersmeet_sim::seeds::COMMITTED;

/// How the program is called.
const USAGE: &str = "usage: watersmeet-score [--case TEXT] [--seed N] [--seeds N] [--out FILE] \
                     [--series] [--sweep N]";

/// First seed of a sweep, as in the test suite.
const SWEEP_START: u64 = 1_000;

/// What to run.
#[derive(Debug)]
pub struct Options {
    /// Text in the names of the cases.
    pub case: String,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// File of the table; none when empty.
    pub out: String,
    /// Whether to print samples instead of the table.
    pub series: bool,
    /// Whether to compare new seeds with the table.
    pub is_sweep: bool,
}

impl Options {
    /// Reads the arguments.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            case: String::new(),
            seeds: COMMITTED.to_vec(),
            out: String::new(),
            series: false,
            is_sweep: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(USAGE);
            match argument.as_str() {
                "--case" => options.case = value()?,
                "--out" => options.out = value()?,
                "--seed" => options.seeds = vec![value()?.parse()?],
                "--seeds" => options.seeds.truncate(value()?.parse()?),
                "--series" => options.series = true,
                "--sweep" => {
                    let count: u64 = value()?.parse()?;
                    options.seeds = (SWEEP_START..SWEEP_START + count).collect();
                    options.is_sweep = true;
                }
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }
}
