//! Panics that a test orders, to check how the session and its room recover.

use std::sync::Arc;

use watersmeet_wire::units::Map;

use crate::message::SessionId;

/// Maximum number of rooms for which a panic is ordered at a time.
const ORDERS_MAX: usize = 16;

/// Stage at which the next request of a room's participants panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanicStage {
    /// Panics in the dialect that decodes the request.
    Dialect,
    /// Panics before the request has changed any record.
    Request,
    /// Panics after the records of the room have become inconsistent.
    Halfway,
    /// Panics as in `Request`, and again while the session is closed.
    Cleanup,
}

/// Panics that a test has ordered.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Stages of the next panics, by room.
    ordered: Map<Arc<str>, PanicStage>,
    /// Session whose close panics.
    in_cleanup: Option<SessionId>,
}

impl Faults {
    /// Orders a panic for the next request of a room's participants.
    pub(crate) fn order(&mut self, room: &str, stage: PanicStage) {
        if self.ordered.len() < ORDERS_MAX {
            self.ordered.insert(room.into(), stage);
        }
    }

    /// Takes the panic of a room, if it is ordered for this stage: in the dialect, or later.
    pub(crate) fn take(&mut self, room: &str, in_dialect: bool) -> Option<PanicStage> {
        let stage = *self.ordered.get(room)?;
        let is_now = (stage == PanicStage::Dialect) == in_dialect;
        is_now.then(|| self.ordered.remove(room)).flatten()
    }

    /// Orders a panic for the close of a session.
    pub(crate) const fn order_in_cleanup(&mut self, session: SessionId) {
        self.in_cleanup = Some(session);
    }

    /// Panics if that is ordered for the close of this session.
    pub(crate) fn panic_in_cleanup(&mut self, session: SessionId) {
        panic_if(self.in_cleanup.take_if(|it| *it == session).is_some());
    }
}

/// Panics if that is ordered.
#[expect(clippy::panic, reason = "a test has ordered it")]
pub(crate) fn panic_if(is_ordered: bool) {
    if is_ordered {
        panic!("ordered by a test");
    }
}
