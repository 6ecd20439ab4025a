//! Metrics of a shard. The shard publishes a copy once a second, outside the packet path; readers
//! take the latest copy and never make the shard wait.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use watersmeet_engine::worker::WorkerMetrics;
use watersmeet_wire::units::{Histogram, Time};

use crate::media_sockets::SocketCounters;

/// Interval at which metrics are published.
const INTERVAL: Duration = Duration::from_secs(1);

/// Bounds of the forwarding time histogram, in microseconds.
const FORWARDING_BOUNDS: [u64; 12] = [
    25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000,
];

/// Time from the arrival of a batch until the packets it caused were sent.
pub type ForwardingTimes = Histogram<12>;

/// Metrics of a shard at one moment.
#[derive(Debug, Clone, Copy)]
pub struct ShardMetrics {
    /// Thread id of the operating system; `None` before the first copy is published.
    pub thread: Option<i32>,
    /// Metrics of the worker. They restart at zero when the worker is replaced.
    pub worker: WorkerMetrics,
    /// Traffic of the media sockets since the start.
    pub traffic: SocketCounters,
    /// Time that forwarding took.
    pub forwarding: ForwardingTimes,
    /// Workers that panicked and were replaced.
    pub failures: u64,
    /// Messages for other shards dropped because their queue was full.
    pub messages_dropped: u64,
    /// Share of the last interval in which the shard did not wait, in thousandths.
    pub busy_permille: u16,
}

impl Default for ShardMetrics {
    fn default() -> Self {
        Self {
            thread: None,
            worker: WorkerMetrics::default(),
            traffic: SocketCounters::default(),
            forwarding: Histogram::new(FORWARDING_BOUNDS),
            failures: 0,
            messages_dropped: 0,
            busy_permille: 0,
        }
    }
}

/// The latest published metrics of a shard, shared between the shard and readers.
#[derive(Debug, Clone)]
pub struct SharedMetrics {
    /// Number of the shard.
    shard: u8,
    /// Latest published copy.
    latest: Arc<Mutex<ShardMetrics>>,
}

/// Collects metrics in the shard's thread and publishes them.
#[derive(Debug)]
pub struct MetricsRecorder {
    /// Handle that copies are published to.
    shared: SharedMetrics,
    /// Metrics that are being collected.
    metrics: ShardMetrics,
    /// Time at which the next copy is due.
    due_at: Time,
    /// Time not spent waiting since the last copy.
    busy: Duration,
    /// Time at which the last copy was published.
    published_at: Time,
}

impl SharedMetrics {
    /// Creates metrics of a shard that has not published any.
    pub fn new(shard: u8) -> Self {
        Self {
            shard,
            latest: Arc::default(),
        }
    }

    /// Returns the number of the shard.
    pub const fn shard(&self) -> u8 {
        self.shard
    }

    /// Returns the latest published metrics.
    pub fn read(&self) -> ShardMetrics {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MetricsRecorder {
    /// Creates a recorder for the calling thread.
    pub fn new(shared: SharedMetrics) -> Self {
        let thread = rustix::thread::gettid();
        let metrics = ShardMetrics {
            thread: Some(thread.as_raw_nonzero().get()),
            ..ShardMetrics::default()
        };
        Self {
            shared,
            metrics,
            due_at: Time::ZERO,
            busy: Duration::ZERO,
            published_at: Time::ZERO,
        }
    }

    /// Records the duration of one loop iteration, without its wait.
    pub fn record_iteration(&mut self, took: Duration) {
        self.busy += took;
    }

    /// Sets the number of messages dropped so far because the queue of another shard was full.
    pub fn set_messages_dropped(&mut self, messages: u64) {
        self.metrics.messages_dropped = messages;
    }

    /// Records the time from the arrival of a batch until its packets were sent.
    pub fn record_forwarding(&mut self, took: Duration) {
        self.metrics.forwarding.observe(took);
    }

    /// Records a worker that panicked.
    pub fn record_worker_failure(&mut self) {
        self.metrics.failures += 1;
    }

    /// Returns whether a copy is due.
    pub fn is_due(&self, now: Time) -> bool {
        now >= self.due_at
    }

    /// Publishes a copy. While a reader holds the lock, the copy stays due and the next loop
    /// iteration tries again.
    pub fn publish(&mut self, now: Time, worker: WorkerMetrics, traffic: SocketCounters) {
        self.metrics.worker = worker;
        self.metrics.traffic = traffic;
        let span = now.since(self.published_at).as_micros().max(1);
        let permille = self.busy.as_micros() * 1_000 / span;
        self.metrics.busy_permille = u16::try_from(permille.min(1_000)).unwrap_or(1_000);
        if let Ok(mut latest) = self.shared.latest.try_lock() {
            *latest = self.metrics;
            self.due_at = now + INTERVAL;
            self.published_at = now;
            self.busy = Duration::ZERO;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_published_once_a_second() {
        let shared = SharedMetrics::new(3);
        let mut recorder = MetricsRecorder::new(shared.clone());
        assert_eq!((shared.shard(), shared.read().thread), (3, None));
        let now = Time::from_millis(1);
        assert!(recorder.is_due(now));
        recorder.record_iteration(Duration::from_micros(250));
        recorder.set_messages_dropped(7);
        recorder.record_forwarding(Duration::from_micros(30));
        recorder.record_worker_failure();
        recorder.publish(now, WorkerMetrics::default(), SocketCounters::default());
        assert!(!recorder.is_due(now + Duration::from_millis(999)));
        assert!(recorder.is_due(now + INTERVAL));
        let metrics = shared.read();
        assert_eq!((metrics.forwarding.count(), metrics.failures), (1, 1));
        assert!(metrics.thread.is_some());
        assert_eq!((metrics.busy_permille, metrics.messages_dropped), (250, 7));
    }
}
