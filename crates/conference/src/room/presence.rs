//! Who in a room is told of whom. In a small room, everybody is told of everybody. Beyond a size,
//! participants that publish nothing are only counted, so that the work of joining does not grow
//! with the square of the room. Changes that follow one another quickly are collected.

use std::ops::Range;
use std::time::Duration;

use watersmeet_wire::units::Time;

use super::{Participant, Room};
use crate::message::{Notice, Role, SessionId};

/// Participants up to which every change is told at once.
const UNBATCHED_MAX: usize = 20;

/// Shortest time between two rounds of telling a larger room. Shorter than anybody notices.
const BATCH_INTERVAL: Duration = Duration::from_millis(100);

/// Upper bound of collected changes. At the bound they are told at once.
const CHANGES_MAX: usize = 256;

/// Shortest time between two notices of the number of participants.
const COUNT_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Time that is added to this interval for each participant, so that a room of any size causes at
/// most 200 such notices per second.
const COUNT_INTERVAL_EACH: Duration = Duration::from_millis(5);

/// Who is told that a participant is in its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    /// Everybody: it has published, or has been a host.
    Everybody,
    /// Participants that see the list: it joined while the room was small.
    Listed,
    /// Nobody: it is counted.
    Counted,
}

/// Who is told of a participant, and of whom it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Presence {
    /// Who is told that it is in the room.
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
    /// Those that see the list.
    SeesList,
    /// Those that do not see the list.
    SeesNoList,
}

/// Changes of presence that were not told yet, and what was told of the number of participants.
#[derive(Debug, Default)]
pub(crate) struct PresenceLog {
    /// Changes, oldest first.
    changes: Vec<PresenceChange>,
    /// Earliest time at which the next change is told.
    batch_due: Time,
    /// Number of participants that was told last.
    count_told: usize,
    /// Earliest time at which the number is told again.
    count_due: Time,
    /// Participants that are only counted.
    counted_len: usize,
    /// Time for which the timer of the room is set.
    timer: Option<Time>,
}

impl Presence {
    /// Presence of a participant of a small room.
    pub(crate) const LISTED: Self = Self {
        visibility: Visibility::Listed,
        sees_list: true,
    };

    /// Presence of a host.
    const HOST: Self = Self {
        visibility: Visibility::Everybody,
        sees_list: true,
    };

    /// Presence of a participant that joins a large room.
    const COUNTED: Self = Self {
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
    /// Returns whether a participant of the room is told of this change.
    pub(crate) fn concerns(&self, number: u64, receiver: &Participant) -> bool {
        self.receivers.contains(&number)
            && receiver.session != self.subject
            && self.scope.includes(receiver.presence)
    }

    /// Returns whether this says that a participant joined.
    const fn is_arrival(&self) -> bool {
        matches!(self.notice, Notice::ParticipantJoined(_))
    }
}

/// Presence.
impl Room {
    /// Returns the presence of a participant that joins now.
    pub(super) fn presence_on_join(&self, role: Role, presence_max: usize) -> Presence {
        let named = self.participants.len() - self.presence_log.counted_len;
        if role == Role::Host {
            Presence::HOST
        } else if named < presence_max {
            Presence::LISTED
        } else {
            Presence::COUNTED
        }
    }

    /// Counts a participant that entered.
    pub(super) const fn count_entry(&mut self, presence: Presence) {
        if matches!(presence.visibility, Visibility::Counted) {
            self.presence_log.counted_len += 1;
        }
    }

    /// Counts a participant that left.
    pub(super) const fn count_exit(&mut self, presence: Presence) {
        if matches!(presence.visibility, Visibility::Counted) {
            self.presence_log.counted_len -= 1;
        }
    }

    /// Changes the presence of a participant and returns the previous one.
    pub(crate) fn set_presence(&mut self, number: u64, presence: Presence) -> Option<Presence> {
        let participant = self.participants.get_mut(&number)?;
        let before = std::mem::replace(&mut participant.presence, presence);
        self.count_exit(before);
        self.count_entry(presence);
        Some(before)
    }

    /// Returns whether some participants are only counted.
    pub(crate) const fn has_audience(&self) -> bool {
        self.presence_log.counted_len > 0
    }

    /// Returns whether the room has become so small that its audience can be listed. The bound is
    /// half of that at which counting starts, so that this does not happen again and again.
    pub(crate) fn can_list_audience(&self, presence_max: usize) -> bool {
        self.has_audience() && self.participants.len() <= presence_max / 2
    }

    /// Returns the number of the next session that enters: all present ones have smaller numbers.
    pub(crate) const fn numbers_end(&self) -> u64 {
        self.next_number
    }

    /// Collects a change. A participant that leaves before its arrival was told is told only to
    /// those that know it from their snapshot.
    pub(crate) fn log_presence(&mut self, mut change: PresenceChange) {
        let changes = &mut self.presence_log.changes;
        if !change.is_arrival() {
            let is_pending = |it: &PresenceChange| it.is_arrival() && it.number == change.number;
            if let Some(index) = changes.iter().position(is_pending) {
                let arrival = changes.remove(index);
                // It may have become visible to more participants than its arrival was for.
                if arrival.scope == change.scope {
                    change.receivers.start = arrival.receivers.end;
                } else {
                    changes.insert(index, arrival);
                }
            }
        }
        changes.push(change);
    }

    /// Returns when the collected changes are to be told, or `None` when there are none.
    pub(crate) fn presence_due(&self, now: Time) -> Option<Time> {
        let log = &self.presence_log;
        if log.changes.is_empty() {
            return None;
        }
        let waits = self.participants.len() > UNBATCHED_MAX && log.changes.len() < CHANGES_MAX;
        Some(if waits { log.batch_due.max(now) } else { now })
    }

    /// Takes the collected changes, oldest first.
    pub(crate) fn take_presence(&mut self, now: Time) -> Vec<PresenceChange> {
        if !self.presence_log.changes.is_empty() {
            self.presence_log.batch_due = now + BATCH_INTERVAL;
        }
        std::mem::take(&mut self.presence_log.changes)
    }

    /// Returns for which time the timer of the room is set.
    pub(crate) const fn presence_timer(&self) -> Option<Time> {
        self.presence_log.timer
    }

    /// Records for which time the timer of the room is set. Returns the previous and the new time.
    pub(crate) const fn set_presence_timer(
        &mut self,
        at: Option<Time>,
    ) -> (Option<Time>, Option<Time>) {
        (std::mem::replace(&mut self.presence_log.timer, at), at)
    }

    /// Returns when the number of participants is to be told, or `None` when all know it.
    pub(crate) fn count_due(&self, now: Time) -> Option<Time> {
        let log = &self.presence_log;
        let is_told = log.count_told == self.participants.len();
        let is_counted = self.has_audience() || log.count_told > 0;
        (is_counted && !is_told).then(|| log.count_due.max(now))
    }

    /// Records that the number of participants is told now, and returns it.
    pub(crate) fn record_count_told(&mut self, now: Time) -> usize {
        let count = self.participants.len();
        let each = u32::try_from(count).unwrap_or(u32::MAX);
        let interval = COUNT_INTERVAL_MIN.max(COUNT_INTERVAL_EACH.saturating_mul(each));
        self.presence_log.count_due = now + interval;
        self.presence_log.count_told = if self.has_audience() { count } else { 0 };
        count
    }
}
