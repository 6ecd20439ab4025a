//! Containment of panics: a panic while an input is handled closes only the session or room of that
//! input. `recovery` removes the inconsistent records that the panic left.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use watersmeet_engine::command::Event;
use watersmeet_wire::units::Time;

use super::Conference;
use super::panic_scope::PanicScope;
use super::pending_commands::{CommandPurpose, PendingCommand};
use super::timers::Timer;
use crate::message::CommandToken;

impl Conference {
    /// Handles an input and the requests and closes that dialects queue for it. Returns `None`
    /// after a panic.
    pub(super) fn contain<T>(
        &mut self,
        now: Time,
        scope: PanicScope,
        handle: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        self.now = now;
        let handled = self.catch(&scope, handle);
        self.settle();
        handled
    }

    /// Handles a part of an input. After a panic, recovers consistent records and returns `None`.
    pub(super) fn catch<T>(
        &mut self,
        scope: &PanicScope,
        handle: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        // A panic may leave inconsistent records, which `recover` finds and removes.
        let handled = catch_unwind(AssertUnwindSafe(|| handle(self)));
        if handled.is_err() {
            self.recover(scope);
        }
        handled.ok()
    }

    /// Returns what a panic closes while the reply to this command is handled.
    pub(super) fn scope_of_command(&self, token: CommandToken) -> PanicScope {
        match self.commands.get(token) {
            Some(PendingCommand {
                requester: Some(requester),
                ..
            }) => PanicScope::Session(requester.session),
            Some(PendingCommand {
                purpose: CommandPurpose::CreateRouter { room, .. },
                ..
            }) => PanicScope::Room(Arc::clone(room)),
            Some(PendingCommand {
                purpose: CommandPurpose::PipeProducer { producer, .. },
                ..
            }) => {
                let room = self.media.producer_room(*producer);
                room.map_or(PanicScope::Unknown, PanicScope::Room)
            }
            Some(PendingCommand {
                purpose: CommandPurpose::ReadSilence { session },
                ..
            }) => PanicScope::Session(*session),
            _ => PanicScope::Unknown,
        }
    }

    /// Returns what a panic closes while this event is handled.
    pub(super) fn scope_of_event(&self, event: &Event) -> PanicScope {
        let session = match event {
            Event::TransportClosed { transport, .. }
            | Event::IceStateChanged { transport, .. }
            | Event::DtlsStateChanged { transport, .. } => self.media.transport_owner(*transport),
            Event::ProducerClosed { producer }
            | Event::PipedProducerClosed { producer }
            | Event::ProducerDemandChanged { producer, .. }
            | Event::ProducerScore { producer, .. } => self.media.producer_owner(*producer),
            Event::ConsumerClosed { consumer }
            | Event::ConsumerProducerPaused { consumer, .. }
            | Event::ConsumerScore { consumer, .. }
            | Event::ConsumerLayersChanged { consumer, .. } => self.media.consumer_owner(*consumer),
            Event::ActiveSpeakerChanged { router, .. } => {
                let room = self.placement.room_of(*router).cloned();
                return room.map_or(PanicScope::Unknown, PanicScope::Room);
            }
        };
        session.map_or(PanicScope::Unknown, PanicScope::Session)
    }

    /// Returns what a panic closes while this deadline is handled.
    pub(super) fn scope_of_timer(&self, timer: &Timer) -> PanicScope {
        match timer {
            Timer::Command(token) => self.scope_of_command(*token),
            Timer::HeldConsume(session)
            | Timer::TokenExpiry(session)
            | Timer::SessionEnd(session)
            | Timer::Silence(session) => PanicScope::Session(*session),
            Timer::Reservation(room)
            | Timer::Seats(room)
            | Timer::ConnectionTest(room)
            | Timer::Breakouts(room)
            | Timer::Presence(room) => PanicScope::Room(Arc::clone(room)),
            Timer::ProducerScore(producer) => {
                let owner = self.media.producer_owner(*producer);
                owner.map_or(PanicScope::Unknown, PanicScope::Session)
            }
        }
    }
}
