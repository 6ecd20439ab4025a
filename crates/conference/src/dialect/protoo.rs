//! The protoo dialect.

use super::{Effect, Opened, Reject, Tag};
use crate::message::{Notice, Refusal, Reply};

/// What is remembered of a connection.
#[derive(Debug)]
pub(crate) struct State {
    /// What is known since the opening.
    opened: Opened,
}

impl State {
    /// A fresh connection's.
    pub(super) fn new(opened: Opened) -> Self {
        Self { opened }
    }

    /// Reads an event.
    pub(super) fn decode(&mut self, frame: &str) -> Result<Vec<Effect>, Reject> {
        let _ = frame;
        Err(Reject {
            tag: Tag::default(),
            refusal: Refusal::UnknownType,
        })
    }

    /// Writes the answer to a request.
    pub(super) fn reply(&mut self, tag: &Tag, reply: &Reply) -> Vec<Effect> {
        let _ = (tag, reply);
        Vec::new()
    }

    /// Writes the refusal of a request.
    pub(super) fn refusal(&mut self, tag: &Tag, refusal: &Refusal) -> Vec<Effect> {
        let _ = (tag, refusal);
        Vec::new()
    }

    /// Writes a notice.
    pub(super) fn notice(&mut self, notice: &Notice) -> Vec<Effect> {
        let _ = notice;
        Vec::new()
    }
}
