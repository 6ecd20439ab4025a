//! The meetlite dialect.

use super::shapes::{self, Event};
use super::{Effect, Opened, Tag};
use crate::message::{Notice, Refusal, Reply};
use crate::opening::Namespace;

/// What is remembered of a connection.
#[derive(Debug)]
pub(crate) struct State {
    /// What is known since the opening.
    opened: Opened,
    /// Where it lives.
    namespace: Namespace,
}

impl State {
    /// A fresh connection's.
    pub(super) fn new(opened: Opened) -> Self {
        Self {
            opened,
            namespace: Namespace::Main,
        }
    }

    /// Reads an event.
    pub(super) fn decode(&mut self, event: Event) -> Result<Vec<Effect>, Refusal> {
        let _ = event;
        Err(Refusal::UnknownType)
    }

    /// Writes the answer to a request.
    pub(super) fn reply(&mut self, tag: &Tag, reply: &Reply) -> Vec<Effect> {
        let _ = (tag, reply);
        Vec::new()
    }

    /// Writes the refusal of a request.
    pub(super) fn refusal(&mut self, tag: &Tag, refusal: &Refusal) -> Vec<Effect> {
        shapes::refused(self.namespace, tag, refusal)
    }

    /// Writes a notice.
    pub(super) fn notice(&mut self, notice: &Notice) -> Vec<Effect> {
        let _ = notice;
        Vec::new()
    }
}
