//! Lengths of the server's GSO runs: how many datagrams passed the kernel's network stack together.
//! Read from the server's `/metrics`. The metrics of other servers read as zero.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use prometheus_parse::{Scrape, Value};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Metric: datagrams, by direction.
const DATAGRAMS: &str = "watersmeet_datagrams_total";

/// Metric: passes through the kernel's network stack, by direction.
const RUNS: &str = "watersmeet_datagram_runs_total";

/// Metric: histogram of the datagrams per pass.
const SEGMENTS: &str = "watersmeet_media_run_segments";

/// Datagrams in the longest run.
pub const RUN_LEN_MAX: u32 = 64;

/// Timeout of the request in seconds.
const TIMEOUT_S: u64 = 5;

/// Reason why the metrics cannot be read.
#[derive(Debug, Error)]
pub enum MetricsError {
    /// The request failed.
    #[error("{url}: {error}")]
    Fetch {
        /// Requested URL.
        url: String,
        /// Error of the request.
        error: minreq::Error,
    },
    /// The response has another status than 200.
    #[error("{url}: status {status}")]
    Status {
        /// Requested URL.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// The response is not in Prometheus format.
    #[error("{url}: {error}")]
    Parse {
        /// Requested URL.
        url: String,
        /// Error of the parser.
        error: std::io::Error,
    },
}

/// The server's counters at one point in time.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RunCounters {
    /// Datagrams sent.
    datagrams: u64,
    /// Runs that contained them.
    runs: u64,
    /// Number of runs by their greatest length, cumulative.
    cumulative: BTreeMap<u32, u64>,
}

/// Number of runs of one length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLengthCount {
    /// Datagrams per run.
    pub segments: u32,
    /// Number of runs.
    pub runs: u64,
}

/// Runs sent between two points in time.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLengths {
    /// Datagrams sent.
    pub datagrams: u64,
    /// Runs that contained them.
    pub runs: u64,
    /// Runs by length, the shortest first. For a range of lengths, its middle.
    pub lengths: Vec<RunLengthCount>,
}

/// Fetches the counters from `url`, with the API key `key` if there is one.
///
/// # Errors
/// Fails when the request fails or the response is not understood.
pub fn fetch(url: &str, key: Option<&str>) -> Result<RunCounters, MetricsError> {
    let mut request = minreq::get(url).with_timeout(TIMEOUT_S);
    if let Some(key) = key {
        request = request.with_header("Authorization", format!("Bearer {key}"));
    }
    let fault = |error| MetricsError::Fetch {
        url: url.to_owned(),
        error,
    };
    let response = request.send().map_err(fault)?;
    if response.status_code != 200 {
        return Err(MetricsError::Status {
            url: url.to_owned(),
            status: response.status_code,
        });
    }
    RunCounters::parse(response.as_str().map_err(fault)?).map_err(|error| MetricsError::Parse {
        url: url.to_owned(),
        error,
    })
}

impl RunCounters {
    fn parse(text: &str) -> std::io::Result<Self> {
        let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned())))?;
        let mut counters = Self::default();
        for sample in &scrape.samples {
            let is_outgoing = sample.labels.get("direction") == Some("out");
            match (&*sample.metric, &sample.value) {
                (DATAGRAMS, value) if is_outgoing => counters.datagrams += count(value),
                (RUNS, value) if is_outgoing => counters.runs += count(value),
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

/// Converts the bound of a bucket. The last bucket has none.
fn bound(value: f64) -> u32 {
    u32::try_from(whole(value)).unwrap_or(u32::MAX)
}

impl RunLengths {
    /// Returns the runs between two readings.
    pub fn between(before: &RunCounters, after: &RunCounters) -> Self {
        let datagrams = after.datagrams.saturating_sub(before.datagrams);
        let runs = after.runs.saturating_sub(before.runs);
        let mut lengths = from_histogram(before, after);
        if lengths.is_empty() {
            lengths = around_mean(datagrams, runs);
        }
        Self {
            datagrams,
            runs,
            lengths,
        }
    }

    /// Returns the mean number of datagrams in a run; `None` if there were none.
    pub fn mean(&self) -> Option<f64> {
        (self.runs > 0).then(|| self.datagrams as f64 / self.runs as f64)
    }
}

/// Returns the runs by length from the histogram.
fn from_histogram(before: &RunCounters, after: &RunCounters) -> Vec<RunLengthCount> {
    let mut lengths = Vec::new();
    let (mut below, mut shorter) = (0, 0);
    for (&bound, &count) in &after.cumulative {
        let up_to = count.saturating_sub(before.cumulative.get(&bound).copied().unwrap_or(0));
        let last = bound.min(RUN_LEN_MAX);
        let runs = up_to.saturating_sub(shorter);
        if runs > 0 {
            let segments = (below + 1 + last.max(below + 1)).div_ceil(2);
            lengths.push(RunLengthCount { segments, runs });
        }
        (below, shorter) = (last, up_to);
    }
    lengths
}

/// Estimates the runs by length from the totals: the two lengths next to the mean, in numbers that
/// preserve both totals.
fn around_mean(datagrams: u64, runs: u64) -> Vec<RunLengthCount> {
    let Some(shorter) = datagrams.checked_div(runs).filter(|it| *it > 0) else {
        return Vec::new();
    };
    let longer_runs = datagrams % runs;
    let length = |segments: u64, runs| RunLengthCount {
        segments: u32::try_from(segments).map_or(RUN_LEN_MAX, |it| it.min(RUN_LEN_MAX)),
        runs,
    };
    let both = [
        length(shorter, runs - longer_runs),
        length(shorter + 1, longer_runs),
    ];
    both.into_iter().filter(|it| it.runs > 0).collect()
}
