//! Flow control for one direction of an Engine.IO session: bounds the bytes in flight. Senders wait
//! until there is room, so that a slow side slows the other down and nothing accumulates.

use tokio::sync::watch;

/// Bound of bytes in flight.
#[derive(Debug)]
pub struct ByteWindow {
    /// Bytes in flight.
    in_flight: watch::Sender<usize>,
    /// Upper bound of bytes in flight. A single larger piece is allowed alone.
    len_max: usize,
}

impl ByteWindow {
    /// Creates a window without bytes in flight.
    pub fn new(len_max: usize) -> Self {
        let in_flight = watch::Sender::new(0);
        Self { in_flight, len_max }
    }

    /// Adds `len` bytes as soon as there is room.
    pub async fn reserve(&self, len: usize) {
        // Subscribed before the first attempt, so that no release is missed.
        let mut changes = self.in_flight.subscribe();
        while !self.try_reserve(len) {
            // The sender is ours, so it is never dropped before we are.
            let _ = changes.changed().await;
        }
    }

    fn try_reserve(&self, len: usize) -> bool {
        self.in_flight.send_if_modified(|in_flight| {
            let fits = *in_flight == 0 || in_flight.saturating_add(len) <= self.len_max;
            if fits {
                *in_flight = in_flight.saturating_add(len);
            }
            fits
        })
    }

    /// Adds `len` bytes that were received already, even when there is no room.
    pub fn add(&self, len: usize) {
        self.in_flight
            .send_modify(|in_flight| *in_flight = in_flight.saturating_add(len));
    }

    /// Removes bytes that were delivered. They may exceed the bytes added by a few, since framing
    /// is not counted.
    pub fn release(&self, len: usize) {
        self.in_flight
            .send_modify(|in_flight| *in_flight = in_flight.saturating_sub(len));
    }

    /// Returns whether there is room.
    pub fn has_room(&self) -> bool {
        *self.in_flight.borrow() < self.len_max
    }

    /// Waits until there is room.
    pub async fn wait_for_room(&self) {
        let mut changes = self.in_flight.subscribe();
        let _ = changes
            .wait_for(|&in_flight| in_flight < self.len_max)
            .await;
    }

    /// Waits until no bytes are in flight.
    pub async fn wait_until_empty(&self) {
        let mut changes = self.in_flight.subscribe();
        let _ = changes.wait_for(|&in_flight| in_flight == 0).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_millis(10);

    #[tokio::test(start_paused = true)]
    async fn reservation_waits_until_enough_is_released() {
        let window = Arc::new(ByteWindow::new(10));
        window.reserve(6).await;
        assert!(window.has_room());
        assert!(timeout(SOON, window.reserve(5)).await.is_err());
        let waiting = tokio::spawn({
            let window = Arc::clone(&window);
            async move { window.reserve(5).await }
        });
        tokio::time::sleep(SOON).await;
        window.release(1);
        timeout(SOON, waiting).await.unwrap().unwrap();
        assert!(!window.has_room());
        assert!(timeout(SOON, window.wait_for_room()).await.is_err());
        window.release(100);
        timeout(SOON, window.wait_for_room()).await.unwrap();
        timeout(SOON, window.wait_until_empty()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn piece_larger_than_the_window_is_allowed_alone() {
        let window = ByteWindow::new(10);
        timeout(SOON, window.reserve(1_000)).await.unwrap();
        assert!(timeout(SOON, window.reserve(1)).await.is_err());
        window.release(1_000);
        timeout(SOON, window.reserve(1)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn received_bytes_can_exceed_the_window() {
        let window = ByteWindow::new(10);
        window.add(30);
        assert!(!window.has_room());
        window.release(25);
        assert!(window.has_room());
    }
}
