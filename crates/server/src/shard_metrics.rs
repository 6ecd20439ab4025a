//! What a shard shows of itself. Once a second it lays its figures down here, outside the path of
//! packets; whoever wants to know reads the last ones and never keeps the shard waiting.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use watersmeet_engine::worker::WorkerMetrics;
use watersmeet_wire::units::{Histogram, Time};

use crate::media_sockets::SocketCounters;

/// How often figures are laid down.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long it may take from the arrival of a batch until what it caused has left, in microseconds.
const FORWARDING_BOUNDS: [u64; 12] = [
    25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000,
];

/// How long batches took from their arrival until what they caused had left.
pub type ForwardingTimes = Histogram<12>;

/// The figures of a shard at one moment.
#[derive(Debug, Clone, Copy)]
pub struct ShardMetrics {
    /// The thread, as the operating system calls it; none before the first reading.
    pub thread: Option<i32>,
    /// What its worker has done. It begins anew when the worker is made anew.
    pub figures: WorkerMetrics,
    /// What went through its sockets.
    pub traffic: SocketCounters,
    /// How long forwarding took.
    pub forwarding: ForwardingTimes,
    /// Workers that failed and were replaced.
    pub failures: u64,
    /// Values for other shards that found no room there.
    pub crossings_dropped: u64,
    /// How much of the time before this reading it did not wait, in thousandths.
    pub busy_permille: u16,
}

impl Default for ShardMetrics {
    fn default() -> Self {
        Self {
            thread: None,
            figures: WorkerMetrics::default(),
            traffic: SocketCounters::default(),
            forwarding: Histogram::new(FORWARDING_BOUNDS),
            failures: 0,
            crossings_dropped: 0,
            busy_permille: 0,
        }
    }
}

/// Where a shard lays down its figures.
#[derive(Debug, Clone)]
pub struct SharedMetrics {
    /// Whose.
    shard: u8,
    /// The last ones.
    last: Arc<Mutex<ShardMetrics>>,
}

/// The shard's side of its meter: what it counts between two readings.
#[derive(Debug)]
pub struct MetricsRecorder {
    /// Where it lays them down.
    meter: SharedMetrics,
    /// The figures in the making.
    reading: ShardMetrics,
    /// When the next ones are due.
    due: Time,
    /// How long the shard did not wait since the last ones.
    busy: Duration,
    /// When the last ones were laid down.
    laid: Time,
}

impl SharedMetrics {
    /// A meter that shows nothing yet.
    pub fn new(shard: u8) -> Self {
        Self {
            shard,
            last: Arc::default(),
        }
    }

    /// Whose it is.
    pub const fn shard(&self) -> u8 {
        self.shard
    }

    /// The last figures.
    pub fn read(&self) -> ShardMetrics {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MetricsRecorder {
    /// A gauge of the thread that makes it.
    pub fn new(meter: SharedMetrics) -> Self {
        let thread = rustix::thread::gettid();
        let reading = ShardMetrics {
            thread: Some(thread.as_raw_nonzero().get()),
            ..ShardMetrics::default()
        };
        Self {
            meter,
            reading,
            due: Time::ZERO,
            busy: Duration::ZERO,
            laid: Time::ZERO,
        }
    }

    /// Counts the time that one turn took, without its wait.
    pub fn turned(&mut self, took: Duration) {
        self.busy += took;
    }

    /// Notes how many values other shards had no room for so far.
    pub fn dropped(&mut self, crossings: u64) {
        self.reading.crossings_dropped = crossings;
    }

    /// Counts the time that one batch took.
    pub fn forwarded(&mut self, took: Duration) {
        self.reading.forwarding.observe(took);
    }

    /// Counts a worker that failed.
    pub fn failed(&mut self) {
        self.reading.failures += 1;
    }

    /// Whether figures are to be laid down again.
    pub fn is_due(&self, now: Time) -> bool {
        now >= self.due
    }

    /// Lays down the figures, unless somebody reads them at this very moment: then in the next
    /// turn.
    pub fn publish(&mut self, now: Time, figures: WorkerMetrics, traffic: SocketCounters) {
        self.reading.figures = figures;
        self.reading.traffic = traffic;
        let span = now.since(self.laid).as_micros().max(1);
        let permille = self.busy.as_micros() * 1_000 / span;
        self.reading.busy_permille = u16::try_from(permille.min(1_000)).unwrap_or(1_000);
        if let Ok(mut last) = self.meter.last.try_lock() {
            *last = self.reading;
            self.due = now + INTERVAL;
            self.laid = now;
            self.busy = Duration::ZERO;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_laid_down_once_a_second() {
        let meter = SharedMetrics::new(3);
        let mut gauge = MetricsRecorder::new(meter.clone());
        assert_eq!((meter.shard(), meter.read().thread), (3, None));
        let now = Time::from_millis(1);
        assert!(gauge.is_due(now));
        gauge.turned(Duration::from_micros(250));
        gauge.dropped(7);
        gauge.forwarded(Duration::from_micros(30));
        gauge.failed();
        gauge.publish(now, WorkerMetrics::default(), SocketCounters::default());
        assert!(!gauge.is_due(now + Duration::from_millis(999)));
        assert!(gauge.is_due(now + INTERVAL));
        let reading = meter.read();
        assert_eq!((reading.forwarding.count(), reading.failures), (1, 1));
        assert!(reading.thread.is_some());
        assert_eq!((reading.busy_permille, reading.crossings_dropped), (250, 7));
    }
}
