//! Order in which the cameras of a room are sent where its participants get only some of them: those of the
//! latest speakers first, then those of who came first. Decides when the choice is made anew; the caller
//! makes it.

use std::time::Duration;

use watersmeet_wire::units::Time;

use crate::message::PeerId;

/// Shortest time between two changes of the cameras that are sent.
const CHANGE_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Time that this interval has at least for each participant, so that a room of any size causes at most
/// 1,000 changes of the cameras of a participant per second.
const CHANGE_INTERVAL_EACH: Duration = Duration::from_millis(1);

/// Latest speakers of a room, as far as they decide which cameras are sent.
#[derive(Debug)]
pub(crate) struct LastN {
    /// Cameras that each participant is sent; `None` where all are.
    places: Option<usize>,
    /// Participants that have spoken, the latest first. Bounded by the participants of the room.
    speakers: Vec<PeerId>,
    /// Whether the choice is to be made anew.
    is_pending: bool,
    /// Earliest time of the next change.
    due: Time,
}

impl LastN {
    /// Creates the order of a room without speakers. Zero `places` mean that all cameras are sent.
    pub(super) fn new(places: u16) -> Self {
        Self {
            places: Some(places.into()).filter(|it| *it > 0),
            speakers: Vec::new(),
            is_pending: false,
            due: Time::ZERO,
        }
    }

    /// Returns how many cameras each participant is sent; `None` where all are.
    pub(crate) const fn places(&self) -> Option<usize> {
        self.places
    }

    /// Records that a participant is speaking.
    pub(crate) fn record_speaker(&mut self, peer: &PeerId) {
        self.speakers.retain(|it| it != peer);
        if self.places.is_some() {
            self.speakers.insert(0, peer.clone());
            self.is_pending = true;
        }
    }

    /// Removes a participant that leaves.
    pub(super) fn remove(&mut self, peer: &PeerId) {
        self.speakers.retain(|it| it != peer);
    }

    /// Returns how many others have spoken later than a participant.
    pub(crate) fn rank(&self, peer: &PeerId) -> usize {
        let mut speakers = self.speakers.iter();
        let position = speakers.position(|it| it == peer);
        position.unwrap_or(self.speakers.len())
    }

    /// Records that the choice is to be made anew, because cameras were switched on or off. Returns whether
    /// cameras are chosen at all.
    pub(crate) const fn record_change(&mut self) -> bool {
        self.is_pending = self.places.is_some();
        self.is_pending
    }

    /// Returns when the choice is to be made anew, or `None` when it holds.
    pub(crate) fn due(&self, now: Time) -> Option<Time> {
        self.is_pending.then(|| self.due.max(now))
    }

    /// Records that the choice is made now, for so many participants, and whether it differs.
    pub(crate) fn record_choice(&mut self, now: Time, participants: usize, is_changed: bool) {
        self.is_pending = false;
        if is_changed {
            let participants = u32::try_from(participants).unwrap_or(u32::MAX);
            let each = CHANGE_INTERVAL_EACH.saturating_mul(participants);
            self.due = now + CHANGE_INTERVAL_MIN.max(each);
        }
    }
}
