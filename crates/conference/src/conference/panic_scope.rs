//! Scope of a panic: the sessions that it closes.

use std::sync::Arc;

use crate::message::SessionId;

/// Session or room of an input, which is closed when handling the input panics.
#[derive(Debug, Clone)]
pub(super) enum PanicScope {
    /// One session.
    Session(SessionId),
    /// All sessions of a room.
    Room(Arc<str>),
    /// No session or room in particular: only inconsistent records are dropped.
    Unknown,
}
