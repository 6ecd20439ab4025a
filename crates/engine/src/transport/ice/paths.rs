//! Authenticated paths of a transport, and the selected one. A path is selected in place of a proven
//! one only when it is proven itself, and switches are limited.

use std::time::Duration;

use arrayvec::ArrayVec;
use watersmeet_wire::stun::TransactionId;
use watersmeet_wire::units::Time;

use super::path_proof::{PathProof, TransactionIds};
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
    /// Present until it is proven that the peer receives there.
    proof: Option<PathProof>,
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
    /// Path to switch to as soon as it is proven and the limit allows; always one of `known`.
    postponed: Option<Path>,
    /// Last selected path that was removed although it was proven. It is not proven again when the
    /// peer returns to it.
    former: Option<Path>,
    /// Number of paths that are not proven.
    unproven: usize,
    /// Whether the selected path is to be proven: something waits for that.
    requires_proof: bool,
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

    /// Records an authenticated check of `len` bytes. When the table is full, the unselected path
    /// with the oldest check is removed.
    pub(super) fn record_check(
        &mut self,
        now: Time,
        path: Path,
        len: u64,
        ids: &mut TransactionIds,
    ) -> CheckedPath {
        if let Some(known) = self.known.iter_mut().find(|known| known.path == path) {
            known.last_check_at = now;
            if let Some(proof) = &mut known.proof {
                proof.record_check(now);
            }
            return CheckedPath::Known;
        }
        let evicted = if self.known.is_full() {
            self.evict()
        } else {
            None
        };
        // The peer completed a TCP handshake at its address.
        let is_proven = path.protocol == Protocol::Tcp || self.former == Some(path);
        let mut proof = (!is_proven).then(|| PathProof::new(now, ids.generate()));
        if let Some(proof) = &mut proof {
            proof.record_received(len);
        }
        self.unproven += usize::from(proof.is_some());
        // Eight paths cannot all be the selected one, so that one was removed.
        let _ = self.known.try_push(AuthenticatedPath {
            path,
            last_check_at: now,
            proof,
        });
        CheckedPath::Added { evicted }
    }

    /// Counts bytes received from `path`.
    #[inline]
    pub(super) fn record_received(&mut self, path: Path, len: u64) {
        if self.unproven > 0
            && let Some(proof) = self.proof_mut(path)
        {
            proof.record_received(len);
        }
    }

    /// Counts bytes sent to `path`.
    pub(super) fn record_sent(&mut self, path: Path, len: u64) {
        if let Some(proof) = self.proof_mut(path) {
            proof.record_sent(len);
        }
    }

    /// Returns whether it is proven that the peer receives at `path`.
    #[inline]
    pub(super) fn is_proven(&self, path: Path) -> bool {
        self.unproven == 0 || self.proof(path).is_none()
    }

    /// Returns whether this many more bytes may be sent to `path`.
    pub(super) fn allows(&self, path: Path, len: usize) -> bool {
        self.proof(path)
            .is_none_or(|proof| proof.allows(len as u64))
    }

    /// Records the proof for `path`, and selects it if it waits for that.
    pub(super) fn prove(&mut self, now: Time, path: Path) {
        let mut known = self.known.iter_mut();
        let Some(known) = known.find(|it| it.path == path && it.proof.is_some()) else {
            return;
        };
        known.proof = None;
        self.unproven -= 1;
        self.handle_timeout(now);
    }

    /// Returns the unproven path whose check of ours has this transaction id.
    pub(super) fn find_check(&self, path: Path, transaction_id: &TransactionId) -> Option<Path> {
        let proof = self.proof(path)?;
        (proof.transaction_id() == transaction_id).then_some(path)
    }

    /// Returns when a check of ours is due.
    pub(super) fn poll_check(&self) -> Time {
        self.target()
            .and_then(|path| self.proof(path))
            .map_or(Time::FAR_FUTURE, PathProof::check_at)
    }

    /// Returns the path on which a check of ours is due, and its transaction id.
    pub(super) fn take_due_check(&mut self, now: Time) -> Option<(Path, TransactionId)> {
        let path = self.target()?;
        let proof = self.proof_mut(path)?;
        if now < proof.check_at() {
            return None;
        }
        proof.record_own_check(now);
        Some((path, *proof.transaction_id()))
    }

    /// Requires that the selected path is proven.
    pub(super) const fn require_proof(&mut self) {
        self.requires_proof = true;
    }

    /// Returns the path that has to be proven, if it is not.
    fn target(&self) -> Option<Path> {
        let selected = self.selected.filter(|_| self.requires_proof);
        self.postponed.or(selected)
    }

    fn proof(&self, path: Path) -> Option<&PathProof> {
        let known = self.known.iter().find(|known| known.path == path)?;
        known.proof.as_ref()
    }

    fn proof_mut(&mut self, path: Path) -> Option<&mut PathProof> {
        let known = self.known.iter_mut().find(|known| known.path == path)?;
        known.proof.as_mut()
    }

    /// Removes `path`. Returns whether it was known. If it was selected, no path is selected.
    pub(super) fn remove(&mut self, path: Path) -> bool {
        let Some(index) = self.known.iter().position(|known| known.path == path) else {
            return false;
        };
        let removed = self.known.remove(index);
        if removed.proof.is_some() {
            self.unproven -= 1;
        } else if self.selected == Some(path) {
            self.former = Some(path);
        }
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

    /// Selects `path` now, or as soon as it is proven and the limit allows. The first selection is not
    /// limited.
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
        let Some(postponed) = self.postponed else {
            return Time::FAR_FUTURE;
        };
        let loses_proof = self.selected.is_some_and(|it| self.is_proven(it));
        if loses_proof && !self.is_proven(postponed) {
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
