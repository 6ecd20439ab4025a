//! The rule for sharing screens in a room, and stopping shared screens.

use super::Conference;
use crate::message::{MediaSource, Notice, ProducerSummary, Refusal, Role, Sharing};
use crate::session::Membership;

impl Conference {
    /// Checks that a participant may send a new producer, if that is a shared screen.
    ///
    /// # Errors
    /// Only hosts may share screens in this room.
    pub(super) fn check_sharing(
        &self,
        membership: &Membership,
        producer: &ProducerSummary,
    ) -> Result<(), Refusal> {
        let room = self.rooms.get(&membership.room).ok_or(Refusal::Internal)?;
        let is_host = self.rooms.participant(membership)?.role == Role::Host;
        let is_allowed = is_host || room.hosting.sharing == Sharing::Everybody;
        match is_allowed || !is_shared(producer) {
            true => Ok(()),
            false => Err(Refusal::Forbidden),
        }
    }

    /// Sets who may share screens, and notifies everybody.
    pub(super) fn set_sharing(&mut self, name: &str, sharing: Sharing) -> Result<(), Refusal> {
        let room = self.rooms.get_mut(name).ok_or(Refusal::RoomNotFound)?;
        if std::mem::replace(&mut room.hosting.sharing, sharing) != sharing {
            self.notify_everybody(name, &Notice::SharingChanged { sharing });
        }
        Ok(())
    }

    /// Closes the producers of a participant's shared screens, and notifies it and the others.
    pub(super) fn stop_sharing(&mut self, name: &str, peer: &str) -> Result<(), Refusal> {
        let id = self.rooms.participant_named(name, peer)?.session;
        let summaries = self.media.summaries_of(id).into_iter();
        let shared: Vec<_> = summaries.filter(is_shared).map(|it| it.producer).collect();
        if shared.is_empty() {
            return Ok(());
        }
        self.close_producers(id, &shared);
        self.notify(id, &Notice::SharingStopped);
        Ok(())
    }
}

/// Returns whether a producer is the picture or the sound of a shared screen.
fn is_shared(producer: &ProducerSummary) -> bool {
    matches!(
        producer.source,
        Some(MediaSource::Screen | MediaSource::ScreenAudio)
    )
}
