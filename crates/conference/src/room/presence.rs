//! Visibility of a room's participants to one another. In a small room, everybody is told of
//! everybody. Beyond a size, participants that publish nothing are only counted, so that the work of
//! joining does not grow with the square of the room. Changes that follow one another quickly are
//! collected.

use std::ops::Range;

use watersmeet_wire::units::Time;

use crate::message::{Notice, SessionId};

/// Set of participants that are told of a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    /// Everybody: it has published, or has been a host.
    Everybody,
    /// Participants that see the list: it joined while the room was small.
    Listed,
    /// No participant: it is only counted.
    Counted,
}

/// Visibility of a participant to others, and of others to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Presence {
    /// Set of participants that are told of it.
    pub visibility: Visibility,
    /// Whether it is told of listed participants. It is always told of those whom everybody sees.
    pub sees_list: bool,
}

/// A participant that joined, became visible or left.
#[derive(Debug, Clone)]
pub(crate) struct PresenceChange {
    /// Session of the participant, which is not told of itself.
    pub subject: SessionId,
    /// Number of the participant.
    pub number: u64,
    /// Numbers of the participants that do not know it from their snapshot of the room.
    pub receivers: Range<u64>,
    /// Which of these are told.
    pub scope: Scope,
    /// The notice for each of them.
    pub notice: Notice,
}

/// Participants that are told of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All of them.
    All,
    /// Participants that see the list.
    SeesList,
    /// Participants that do not see the list.
    SeesNoList,
}

/// Changes of presence that were not told yet, and what was told of the number of participants.
#[derive(Debug, Default)]
pub(crate) struct PresenceLog {
    /// Changes, oldest first.
    pub changes: Vec<PresenceChange>,
    /// Earliest time at which the next change is told.
    pub batch_due: Time,
    /// Number of participants that was told last.
    pub count_told: usize,
    /// Earliest time at which the number is told again.
    pub count_due: Time,
    /// Participants that are only counted.
    pub counted_len: usize,
    /// Time for which the timer of the room is set.
    pub timer: Option<Time>,
}

impl Presence {
    /// Presence of a participant of a small room.
    pub(crate) const LISTED: Self = Self {
        visibility: Visibility::Listed,
        sees_list: true,
    };

    /// Presence of a host.
    pub(super) const HOST: Self = Self {
        visibility: Visibility::Everybody,
        sees_list: true,
    };

    /// Presence of a participant that joins a large room.
    pub(super) const COUNTED: Self = Self {
        visibility: Visibility::Counted,
        sees_list: false,
    };

    /// Returns whether a participant with this presence is told of one with `other`.
    pub(crate) fn sees(self, other: Self) -> bool {
        match other.visibility {
            Visibility::Everybody => true,
            Visibility::Listed => self.sees_list,
            Visibility::Counted => false,
        }
    }
}

impl Scope {
    /// Returns the participants that see one with this visibility.
    pub(crate) const fn of(visibility: Visibility) -> Option<Self> {
        match visibility {
            Visibility::Everybody => Some(Self::All),
            Visibility::Listed => Some(Self::SeesList),
            Visibility::Counted => None,
        }
    }

    /// Returns whether a participant with this presence is among them.
    const fn includes(self, presence: Presence) -> bool {
        match self {
            Self::All => true,
            Self::SeesList => presence.sees_list,
            Self::SeesNoList => !presence.sees_list,
        }
    }
}

impl PresenceChange {
    /// Returns whether the participant with this number, session and presence is told of it.
    pub(crate) fn concerns(&self, number: u64, session: SessionId, presence: Presence) -> bool {
        self.receivers.contains(&number) && session != self.subject && self.scope.includes(presence)
    }

    /// Returns whether this says that a participant joined.
    pub(super) const fn is_arrival(&self) -> bool {
        matches!(self.notice, Notice::ParticipantJoined(_))
    }
}
