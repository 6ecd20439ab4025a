//! Deadlines of commands, held requests and reservations, ordered by time and then by kind.

use std::collections::BTreeSet;
use std::sync::Arc;

use watersmeet_engine::command::ProducerId;
use watersmeet_wire::units::Time;

use crate::message::{CommandToken, SessionId};

/// Event at a deadline. The order of the variants decides among equal times.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A shard has not replied to a command.
    Command(CommandToken),
    /// The oldest held request of a session to consume has got no receive transport.
    HeldConsume(SessionId),
    /// No participant has joined a room that was created in advance.
    Reservation(Arc<str>),
    /// Seats of a room may have waited for too long.
    Seats(Arc<str>),
    /// The connection test in a room ends.
    ConnectionTest(Arc<str>),
    /// The breakout rooms of a main room close.
    Breakouts(Arc<str>),
    /// The tokens with which a session joined have expired.
    TokenExpiry(SessionId),
    /// The client of a session without a connection has not come back.
    SessionEnd(SessionId),
    /// Nothing may have arrived from a participant for too long.
    Silence(SessionId),
    /// Collected changes of presence in a room, its number of participants, its active speaker or votes are
    /// to be told, or the cameras that it sends are to be chosen.
    Presence(Arc<str>),
    /// The reception scores of a producer have changed since they were told.
    ProducerScore(ProducerId),
}

/// Queue of deadlines. Each belongs to an object whose number is bounded.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Deadlines and their events, earliest first.
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

    /// Returns the earliest deadline.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Removes and returns the earliest deadline that has passed.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<Timer> {
        if self.next_due()? > now {
            return None;
        }
        self.due.pop_first().map(|(_, timer)| timer)
    }
}
