//! Heartbeat of a shard: a counter that the shard increments and the watchdog reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Heartbeat of one shard, shared between its thread, the watchdog and health checks.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// Number of the shard.
    shard: u8,
    /// Loop iterations since the start.
    beats: Arc<AtomicU64>,
    /// Whether the watchdog considers the shard hung.
    hung: Arc<AtomicBool>,
}

impl Heartbeat {
    /// Creates a heartbeat that has not beaten.
    pub fn new(shard: u8) -> Self {
        Self {
            shard,
            beats: Arc::default(),
            hung: Arc::default(),
        }
    }

    /// Returns the number of the shard.
    pub const fn shard(&self) -> u8 {
        self.shard
    }

    /// Records one loop iteration of the shard.
    pub fn record_beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of loop iterations since the start.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Sets whether the shard counts as hung.
    pub fn set_hung(&self, hung: bool) {
        self.hung.store(hung, Ordering::Relaxed);
    }

    /// Returns whether the shard counts as hung.
    pub fn is_hung(&self) -> bool {
        self.hung.load(Ordering::Relaxed)
    }
}
