//! How the server's datagrams left: how many went through the kernel's network stack together.
//! The server counts it, and its `/metrics` says so. What another server says is not understood
//! and reads as nothing.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use prometheus_parse::{Scrape, Value};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Datagrams, by direction.
const DATAGRAMS: &str = "watersmeet_datagrams_total";

/// Trips through the kernel's stack, by direction.
const RUNS: &str = "watersmeet_datagram_runs_total";

/// How many datagrams each trip took.
const SEGMENTS: &str = "watersmeet_media_run_segments";

/// The longest run that the kernel takes.
pub const RUN_LEN_MAX: u32 = 64;

/// The longest wait for the counters, in seconds.
const TIMEOUT_S: u64 = 5;

/// Why the counters are not known.
#[derive(Debug, Error)]
pub enum RunsError {
    /// They cannot be had.
    #[error("{url}: {error}")]
    Fetch {
        /// From where.
        url: String,
        /// Why not.
        error: minreq::Error,
    },
    /// They are refused.
    #[error("{url}: status {status}")]
    Status {
        /// From where.
        url: String,
        /// What was answered.
        status: u16,
    },
    /// They are no counters.
    #[error("{url}: {error}")]
    Parse {
        /// From where.
        url: String,
        /// What is wrong.
        error: std::io::Error,
    },
}

/// The server's counters at one moment.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams sent.
    datagrams: u64,
    /// Trips that took them.
    runs: u64,
    /// How many trips took at most so many datagrams each, one upon the other.
    cumulative: BTreeMap<u32, u64>,
}

/// Trips of one length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Length {
    /// Datagrams in each.
    pub segments: u32,
    /// How many such trips.
    pub runs: u64,
}

/// How datagrams left between two moments.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// Datagrams sent.
    pub datagrams: u64,
    /// Trips through the kernel's stack that took them.
    pub runs: u64,
    /// The trips by length, the shortest first. Where the server tells ranges apart, their middle.
    pub lengths: Vec<Length>,
}

/// The counters that the server shows at `url` now, to everybody or to who has its `key`.
pub fn fetch(url: &str, key: Option<&str>) -> Result<Counters, RunsError> {
    let mut request = minreq::get(url).with_timeout(TIMEOUT_S);
    if let Some(key) = key {
        request = request.with_header("Authorization", format!("Bearer {key}"));
    }
    let fault = |error| RunsError::Fetch {
        url: url.to_owned(),
        error,
    };
    let response = request.send().map_err(fault)?;
    if response.status_code != 200 {
        return Err(RunsError::Status {
            url: url.to_owned(),
            status: response.status_code,
        });
    }
    Counters::parse(response.as_str().map_err(fault)?).map_err(|error| RunsError::Parse {
        url: url.to_owned(),
        error,
    })
}

impl Counters {
    fn parse(text: &str) -> std::io::Result<Self> {
        let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned())))?;
        let mut counters = Self::default();
        for sample in &scrape.samples {
            let goes_out = sample.labels.get("direction") == Some("out");
            match (&*sample.metric, &sample.value) {
                (DATAGRAMS, value) if goes_out => counters.datagrams += count(value),
                (RUNS, value) if goes_out => counters.runs += count(value),
                (SEGMENTS, Value::Histogram(buckets)) => {
                    for bucket in buckets {
                        let bound = bound(bucket.less_than);
                        *counters.cumulative.entry(bound).or_default() += whole(bucket.count);
                    }
                }
                _ => {}
            }
        }
        Ok(counters)
    }
}

fn count(value: &Value) -> u64 {
    match value {
        Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => whole(*value),
        Value::Histogram(_) | Value::Summary(_) => 0,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "counters are whole numbers, and the cast saturates"
)]
const fn whole(value: f64) -> u64 {
    value as u64
}

/// The bound of a bucket; the last has none.
fn bound(value: f64) -> u32 {
    u32::try_from(whole(value)).unwrap_or(u32::MAX)
}

impl Runs {
    /// What left between two moments.
    pub fn between(before: &Counters, after: &Counters) -> Self {
        let datagrams = after.datagrams.saturating_sub(before.datagrams);
        let runs = after.runs.saturating_sub(before.runs);
        let mut lengths = spread(before, after);
        if lengths.is_empty() {
            lengths = around_mean(datagrams, runs);
        }
        Self {
            datagrams,
            runs,
            lengths,
        }
    }

    /// Datagrams in a trip, on average; nothing when there was none.
    pub fn mean(&self) -> Option<f64> {
        (self.runs > 0).then(|| self.datagrams as f64 / self.runs as f64)
    }
}

/// Trips by length, as the server tells them apart.
fn spread(before: &Counters, after: &Counters) -> Vec<Length> {
    let mut lengths = Vec::new();
    let (mut below, mut shorter) = (0, 0);
    for (&bound, &count) in &after.cumulative {
        let up_to = count.saturating_sub(before.cumulative.get(&bound).copied().unwrap_or(0));
        let last = bound.min(RUN_LEN_MAX);
        let runs = up_to.saturating_sub(shorter);
        if runs > 0 {
            let segments = (below + 1 + last.max(below + 1)).div_ceil(2);
            lengths.push(Length { segments, runs });
        }
        (below, shorter) = (last, up_to);
    }
    lengths
}

/// Where only sums are known: the two lengths next to the mean, mixed so that both sums hold.
fn around_mean(datagrams: u64, runs: u64) -> Vec<Length> {
    let Some(shorter) = datagrams.checked_div(runs).filter(|it| *it > 0) else {
        return Vec::new();
    };
    let longer_runs = datagrams % runs;
    let length = |segments: u64, runs| Length {
        segments: u32::try_from(segments).map_or(RUN_LEN_MAX, |it| it.min(RUN_LEN_MAX)),
        runs,
    };
    let both = [
        length(shorter, runs - longer_runs),
        length(shorter + 1, longer_runs),
    ];
    both.into_iter().filter(|it| it.runs > 0).collect()
}
