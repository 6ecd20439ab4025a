//! Scope of a panic: the sessions that it closes.

use std::fmt;
use std::sync::Arc;

use crate::message::SessionId;

/// Session or room of an input, which is closed when handling the input panics.
#[derive(Clone)]
pub(super) enum PanicScope {
    /// One session.
    Session(SessionId),
    /// All sessions of a room.
    Room(Arc<str>),
    /// No session or room in particular: only inconsistent records are dropped.
    Unknown,
}

/// Prints no name of a room.
impl fmt::Debug for PanicScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(session) => f.debug_tuple("Session").field(&session.0).finish(),
            Self::Room(_) => f.write_str("Room"),
            Self::Unknown => f.write_str("Unknown"),
        }
    }
}
