//! Authenticated paths of a transport, and the selected one. Path switches are limited, so that a
//! peer cannot flood a third party by switching to its address repeatedly.

use std::time::Duration;

use arrayvec::ArrayVec;
use watersmeet_wire::units::Time;

use crate::command::{Path, Protocol};

/// Upper bound of paths per transport, as in mediasoup.
pub const PATHS_MAX: usize = 8;

/// Upper bound of path switches within [`PATH_SWITCH_WINDOW`].
pub const PATH_SWITCHES_MAX: usize = 2;

/// Time over which path switches are limited to [`PATH_SWITCHES_MAX`].
pub const PATH_SWITCH_WINDOW: Duration = Duration::from_secs(1);

/// A path with authenticated checks.
#[derive(Debug, Clone, Copy)]
struct AuthenticatedPath {
    path: Path,
    /// Time of the last authenticated check on it.
    last_check_at: Time,
}

/// Result of recording a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckedPath {
    /// The path was known.
    Known,
    /// The path was added, and `evicted` was removed to make room.
    Added { evicted: Option<Path> },
}

/// Paths of one transport.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// In the order of their first check.
    known: ArrayVec<AuthenticatedPath, PATHS_MAX>,
    /// Selected path; always one of `known`.
    selected: Option<Path>,
    /// Path to switch to as soon as the limit allows; always one of `known`.
    postponed: Option<Path>,
    /// Times of the last switches, latest first.
    switched_at: [Option<Time>; PATH_SWITCHES_MAX],
}

impl Paths {
    /// Returns whether an authenticated check arrived on `path`.
    pub(super) fn contains(&self, path: Path) -> bool {
        self.known.iter().any(|known| known.path == path)
    }

    /// Returns all paths in the order of their first check.
    pub(super) fn iter(&self) -> impl Iterator<Item = Path> + '_ {
        self.known.iter().map(|known| known.path)
    }

    /// Returns the selected path.
    pub(super) const fn selected(&self) -> Option<Path> {
        self.selected
    }

    /// Records an authenticated check. When the table is full, the unselected path with the oldest
    /// check is removed.
    pub(super) fn record_check(&mut self, now: Time, path: Path) -> CheckedPath {
        if let Some(known) = self.known.iter_mut().find(|known| known.path == path) {
            known.last_check_at = now;
            return CheckedPath::Known;
        }
        let evicted = if self.known.is_full() {
            self.evict()
        } else {
            None
        };
        // Eight paths cannot all be the selected one, so that one was removed.
        let _ = self.known.try_push(AuthenticatedPath {
            path,
            last_check_at: now,
        });
        CheckedPath::Added { evicted }
    }

    /// Removes `path`. Returns whether it was known. If it was selected, no path is selected.
    pub(super) fn remove(&mut self, path: Path) -> bool {
        let Some(index) = self.known.iter().position(|known| known.path == path) else {
            return false;
        };
        self.known.remove(index);
        self.selected = self.selected.filter(|selected| *selected != path);
        self.postponed = self.postponed.filter(|postponed| *postponed != path);
        true
    }

    /// Removes and returns the first path, for emptying the table.
    pub(super) fn remove_first(&mut self) -> Option<Path> {
        let path = self.known.first()?.path;
        self.remove(path);
        Some(path)
    }

    /// Returns the path with the latest check.
    pub(super) fn most_recent(&self) -> Option<Path> {
        self.known
            .iter()
            .max_by_key(|known| known.last_check_at)
            .map(|known| known.path)
    }

    /// Returns the time since the last check on the selected path.
    pub(super) fn selected_silence(&self, now: Time) -> Duration {
        let selected = self.selected;
        self.known
            .iter()
            .find(|known| Some(known.path) == selected)
            .map_or(Duration::MAX, |known| now.since(known.last_check_at))
    }

    /// Returns whether `path` is preferred to the selected one when neither was nominated.
    pub(super) fn prefers(&self, path: Path) -> bool {
        path.protocol == Protocol::Udp
            && self
                .selected
                .is_none_or(|selected| selected.protocol == Protocol::Tcp)
    }

    /// Selects `path` now, or as soon as the limit allows. The first selection is not limited.
    pub(super) fn switch_to(&mut self, now: Time, path: Path) {
        if self.selected.is_none() {
            self.selected = Some(path);
            self.postponed = None;
            return;
        }
        self.postponed = self.selected.ne(&Some(path)).then_some(path);
        self.handle_timeout(now);
    }

    /// Makes a postponed switch that is due.
    pub(super) fn handle_timeout(&mut self, now: Time) {
        if now < self.poll_timeout() {
            return;
        }
        let [latest, _] = self.switched_at;
        self.switched_at = [Some(now), latest];
        self.selected = self.postponed.take();
    }

    /// Returns when a postponed switch is due.
    pub(super) fn poll_timeout(&self) -> Time {
        if self.postponed.is_none() {
            return Time::FAR_FUTURE;
        }
        let [_, before_last] = self.switched_at;
        before_last.map_or(Time::ZERO, |at| at + PATH_SWITCH_WINDOW)
    }

    fn evict(&mut self) -> Option<Path> {
        let oldest = self
            .known
            .iter()
            .filter(|known| Some(known.path) != self.selected)
            .min_by_key(|known| known.last_check_at)?
            .path;
        self.remove(oldest);
        Some(oldest)
    }
}
