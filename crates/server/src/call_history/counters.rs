//! Counters of the history, for metrics.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters of the history.
#[derive(Debug, Default)]
pub struct HistoryCounters {
    /// Events and observations that found the queue full.
    dropped: AtomicU64,
    /// Failures to open or write the file.
    failures: AtomicU64,
    /// Whether the file can be used.
    is_open: AtomicBool,
    /// Bytes of the file that are in use.
    bytes: AtomicU64,
}

impl HistoryCounters {
    /// Counts an input that found the queue full.
    pub fn record_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a failure to open or write the file, which counts as unusable until a success.
    pub fn record_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.is_open.store(false, Ordering::Relaxed);
    }

    /// Records a success, with the bytes of the file that are in use.
    pub fn record_success(&self, bytes: u64) {
        self.is_open.store(true, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Returns the number of events and observations that found the queue full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Returns the number of failures to open or write the file.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Returns whether the file can be used.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Returns the bytes of the file that are in use.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}
