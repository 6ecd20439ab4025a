//! The paths on which a peer has proven itself, and which of them is used. Moving from one to
//! another is rationed, so that nobody can spray a stranger by moving to his address and back.

use std::time::Duration;

use arrayvec::ArrayVec;
use watersmeet_wire::units::Time;

use crate::command::{Path, Protocol};

/// Most paths of one transport, as mediasoup allows.
pub const PATHS_MAX: usize = 8;

/// Moves from one path to another that may happen within [`PATH_SWITCH_WINDOW`].
pub const PATH_SWITCHES_MAX: usize = 2;

/// See [`PATH_SWITCHES_MAX`].
pub const PATH_SWITCH_WINDOW: Duration = Duration::from_secs(1);

/// One path.
#[derive(Debug, Clone, Copy)]
struct Known {
    path: Path,
    /// When the last authentic check came on it.
    heard_at: Time,
}

/// What hearing from a path changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// It was known.
    Again,
    /// It is new, and another one had to go for it.
    New { evicted: Option<Path> },
}

/// All paths of one transport.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// In the order in which they were first heard from.
    known: ArrayVec<Known, PATHS_MAX>,
    /// The one in use; always known.
    selected: Option<Path>,
    /// The one to be used as soon as another move is allowed; always known.
    wished: Option<Path>,
    /// When the last moves happened, latest first.
    moved_at: [Option<Time>; PATH_SWITCHES_MAX],
}

impl Paths {
    /// Whether an authentic check came on `path`.
    pub(super) fn contains(&self, path: Path) -> bool {
        self.known.iter().any(|known| known.path == path)
    }

    /// All of them, in the order in which they were first heard from.
    pub(super) fn iter(&self) -> impl Iterator<Item = Path> + '_ {
        self.known.iter().map(|known| known.path)
    }

    /// The path in use.
    pub(super) const fn selected(&self) -> Option<Path> {
        self.selected
    }

    /// Notes an authentic check. The unselected path that was silent longest makes room.
    pub(super) fn hear(&mut self, now: Time, path: Path) -> Heard {
        if let Some(known) = self.known.iter_mut().find(|known| known.path == path) {
            known.heard_at = now;
            return Heard::Again;
        }
        let evicted = if self.known.is_full() {
            self.evict()
        } else {
            None
        };
        // There is room: eight paths cannot all be the selected one.
        let _ = self.known.try_push(Known {
            path,
            heard_at: now,
        });
        Heard::New { evicted }
    }

    /// Forgets `path`; whether it was known. When it was in use, none is.
    pub(super) fn remove(&mut self, path: Path) -> bool {
        let Some(index) = self.known.iter().position(|known| known.path == path) else {
            return false;
        };
        self.known.remove(index);
        self.selected = self.selected.filter(|selected| *selected != path);
        self.wished = self.wished.filter(|wished| *wished != path);
        true
    }

    /// Forgets the path known longest, for emptying the table.
    pub(super) fn pop(&mut self) -> Option<Path> {
        let path = self.known.first()?.path;
        self.remove(path);
        Some(path)
    }

    /// The path that was heard from last.
    pub(super) fn latest(&self) -> Option<Path> {
        self.known
            .iter()
            .max_by_key(|known| known.heard_at)
            .map(|known| known.path)
    }

    /// How long the path in use has been silent.
    pub(super) fn silence(&self, now: Time) -> Duration {
        let selected = self.selected;
        self.known
            .iter()
            .find(|known| Some(known.path) == selected)
            .map_or(Duration::MAX, |known| now.since(known.heard_at))
    }

    /// Whether `path` is better than the one in use when neither was nominated.
    pub(super) fn prefers(&self, path: Path) -> bool {
        path.protocol == Protocol::Udp
            && self
                .selected
                .is_none_or(|selected| selected.protocol == Protocol::Tcp)
    }

    /// Uses `path`, now if a move is allowed, else as soon as it is. The first choice is no move.
    pub(super) fn choose(&mut self, now: Time, path: Path) {
        if self.selected.is_none() {
            self.selected = Some(path);
            self.wished = None;
            return;
        }
        self.wished = self.selected.ne(&Some(path)).then_some(path);
        self.handle_timeout(now);
    }

    /// Makes the move that was put off, if its time has come.
    pub(super) fn handle_timeout(&mut self, now: Time) {
        if now < self.poll_timeout() {
            return;
        }
        let [latest, _] = self.moved_at;
        self.moved_at = [Some(now), latest];
        self.selected = self.wished.take();
    }

    /// When the move that was put off may happen.
    pub(super) fn poll_timeout(&self) -> Time {
        if self.wished.is_none() {
            return Time::FAR_FUTURE;
        }
        let [_, before_last] = self.moved_at;
        before_last.map_or(Time::ZERO, |at| at + PATH_SWITCH_WINDOW)
    }

    fn evict(&mut self) -> Option<Path> {
        let oldest = self
            .known
            .iter()
            .filter(|known| Some(known.path) != self.selected)
            .min_by_key(|known| known.heard_at)?
            .path;
        self.remove(oldest);
        Some(oldest)
    }
}
