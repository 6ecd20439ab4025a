//! What a panic while an input is handled may close.

use std::sync::Arc;

use crate::message::SessionId;

/// What an input is about, and what a panic while it is handled closes.
#[derive(Debug, Clone)]
pub(super) enum PanicScope {
    /// One session.
    Session(SessionId),
    /// All sessions of a room.
    Room(Arc<str>),
    /// Nothing in particular: only what became inconsistent is dropped.
    Unknown,
}
