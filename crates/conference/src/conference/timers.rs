//! Deadlines of everything that waits, in one order: by time, then by kind.

use std::collections::BTreeSet;
use std::sync::Arc;

use watersmeet_wire::units::Time;

use crate::message::{CommandToken, SessionId};

/// What happens at a deadline. The order of the variants decides among equal times.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A shard has not replied to a command.
    Command(CommandToken),
    /// The oldest request of a session to consume has found no receive transport.
    HeldConsume(SessionId),
    /// Nobody has joined a room that was created in advance.
    Reservation(Arc<str>),
}

/// Deadlines of everything that waits. Each belongs to an object whose number is bounded.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Earliest first.
    due: BTreeSet<(Time, Timer)>,
}

impl Timers {
    /// Adds a deadline.
    pub(super) fn schedule(&mut self, at: Time, timer: Timer) {
        self.due.insert((at, timer));
    }

    /// Removes a deadline.
    pub(super) fn cancel(&mut self, at: Time, timer: Timer) {
        self.due.remove(&(at, timer));
    }

    /// Removes the deadlines that `is_obsolete` accepts.
    pub(super) fn cancel_all(&mut self, is_obsolete: impl Fn(&Timer) -> bool) {
        self.due.retain(|(_, timer)| !is_obsolete(timer));
    }

    /// Earliest deadline.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes the earliest deadline that has passed.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<Timer> {
        if self.next_due()? > now {
            return None;
        }
        self.due.pop_first().map(|(_, timer)| timer)
    }
}
