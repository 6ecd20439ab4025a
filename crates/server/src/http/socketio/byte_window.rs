//! How much is under way in one direction: what was taken and not yet given back, in bytes. Whoever
//! has something to add waits until there is room, so that one side that is slow slows the other
//! down and nothing piles up in between.

use tokio::sync::watch;

/// A bound on what is under way.
#[derive(Debug)]
pub struct ByteWindow {
    /// Bytes under way.
    under_way: watch::Sender<usize>,
    /// The most of them, but for one piece that is larger by itself.
    len_max: usize,
}

impl ByteWindow {
    /// Nothing is under way yet.
    pub fn new(len_max: usize) -> Self {
        let under_way = watch::Sender::new(0);
        Self { under_way, len_max }
    }

    /// Adds `len` bytes as soon as there is room for them.
    pub async fn take(&self, len: usize) {
        // Subscribed before the first look: what is given back after it is not missed.
        let mut changes = self.under_way.subscribe();
        while !self.try_take(len) {
            // The sender is ours, so it is never dropped before we are.
            let _ = changes.changed().await;
        }
    }

    fn try_take(&self, len: usize) -> bool {
        self.under_way.send_if_modified(|under_way| {
            let fits = *under_way == 0 || under_way.saturating_add(len) <= self.len_max;
            if fits {
                *under_way = under_way.saturating_add(len);
            }
            fits
        })
    }

    /// Adds `len` bytes whether there is room or not: they are here already.
    pub fn force(&self, len: usize) {
        self.under_way
            .send_modify(|under_way| *under_way = under_way.saturating_add(len));
    }

    /// Takes away what has arrived. It may be a few bytes more than were added: what wraps them
    /// up is not counted.
    pub fn give_back(&self, len: usize) {
        self.under_way
            .send_modify(|under_way| *under_way = under_way.saturating_sub(len));
    }

    /// Whether anything more may be added.
    pub fn has_room(&self) -> bool {
        *self.under_way.borrow() < self.len_max
    }

    /// Waits until something more may be added.
    pub async fn room(&self) {
        let mut changes = self.under_way.subscribe();
        let _ = changes
            .wait_for(|&under_way| under_way < self.len_max)
            .await;
    }

    /// Waits until nothing is under way.
    pub async fn emptied(&self) {
        let mut changes = self.under_way.subscribe();
        let _ = changes.wait_for(|&under_way| under_way == 0).await;
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
    async fn what_does_not_fit_waits_until_enough_has_arrived() {
        let window = Arc::new(ByteWindow::new(10));
        window.take(6).await;
        assert!(window.has_room());
        assert!(timeout(SOON, window.take(5)).await.is_err());
        let waiting = tokio::spawn({
            let window = Arc::clone(&window);
            async move { window.take(5).await }
        });
        tokio::time::sleep(SOON).await;
        window.give_back(1);
        timeout(SOON, waiting).await.unwrap().unwrap();
        assert!(!window.has_room());
        assert!(timeout(SOON, window.room()).await.is_err());
        window.give_back(100);
        timeout(SOON, window.room()).await.unwrap();
        timeout(SOON, window.emptied()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_piece_larger_than_the_window_passes_alone() {
        let window = ByteWindow::new(10);
        timeout(SOON, window.take(1_000)).await.unwrap();
        assert!(timeout(SOON, window.take(1)).await.is_err());
        window.give_back(1_000);
        timeout(SOON, window.take(1)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_forced_closes_the_window() {
        let window = ByteWindow::new(10);
        window.force(30);
        assert!(!window.has_room());
        window.give_back(25);
        assert!(window.has_room());
    }
}
