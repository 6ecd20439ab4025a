//! Whom an input is about.

use std::sync::Arc;

use crate::message::SessionId;

/// Whom an input is about, and whom a panic while it is handled costs the connection.
#[derive(Debug, Clone)]
pub(super) enum Culprit {
    /// A session.
    Session(SessionId),
    /// All sessions of a room.
    Room(Arc<str>),
    /// Nobody: only what became inconsistent is removed.
    Nobody,
}
