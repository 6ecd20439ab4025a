//! Containment of panics: each input is handled so that a panic costs the session or the room it
//! is about, and nothing else. `recovery` removes what the panic left behind.

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
    /// Handles an input and everything that dialects want done because of it. Returns `None` when
    /// the input led to a panic.
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

    /// Handles a part of an input. Returns `None` after a panic, when everything is consistent
    /// again.
    pub(super) fn catch<T>(
        &mut self,
        scope: &PanicScope,
        handle: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        // What a panic leaves half done is what `recover` looks for.
        let handled = catch_unwind(AssertUnwindSafe(|| handle(self)));
        if handled.is_err() {
            self.recover(scope);
        }
        handled.ok()
    }

    /// Returns what the reply to a command is about.
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
            _ => PanicScope::Unknown,
        }
    }

    /// Returns what an event is about.
    pub(super) fn scope_of_event(&self, event: &Event) -> PanicScope {
        let session = match event {
            Event::TransportClosed { transport, .. }
            | Event::IceStateChanged { transport, .. }
            | Event::DtlsStateChanged { transport, .. } => self.media.transport_owner(*transport),
            Event::ProducerClosed { producer }
            | Event::PipedProducerClosed { producer }
            | Event::ProducerScore { producer, .. } => self.media.producer_owner(*producer),
            Event::ConsumerClosed { consumer }
            | Event::ConsumerProducerPaused { consumer, .. }
            | Event::ConsumerLayersChanged { consumer, .. } => self.media.consumer_owner(*consumer),
        };
        session.map_or(PanicScope::Unknown, PanicScope::Session)
    }

    /// Returns what a deadline is about.
    pub(super) fn scope_of_timer(&self, timer: &Timer) -> PanicScope {
        match timer {
            Timer::Command(token) => self.scope_of_command(*token),
            Timer::HeldConsume(session) => PanicScope::Session(*session),
            Timer::Reservation(room) => PanicScope::Room(Arc::clone(room)),
        }
    }
}
