//! Requests of one connection that are handled, so that at shutdown those that were not sent completely
//! do not delay the end of the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the requests of a connection whose handlers run.
#[derive(Debug, Default, Clone)]
pub struct RequestsInProgress(Arc<AtomicUsize>);

/// A request in progress, until it is dropped.
#[derive(Debug)]
pub struct RequestInProgress(RequestsInProgress);

impl RequestsInProgress {
    /// Counts a request.
    pub fn start(&self) -> RequestInProgress {
        self.0.fetch_add(1, Ordering::Relaxed);
        RequestInProgress(self.clone())
    }

    /// Returns whether no handler runs.
    pub fn is_idle(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

impl Drop for RequestInProgress {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
