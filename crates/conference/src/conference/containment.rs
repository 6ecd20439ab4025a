//! Containment of panics: each input is handled so that a panic costs the session or the room it
//! is about, and nothing else. `recovery` removes what the panic left behind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use watersmeet_engine::command::Event;
use watersmeet_wire::units::Time;

use super::Conference;
use super::culprit::Culprit;
use super::pending_commands::{CommandPurpose, PendingCommand};
use super::timers::Timer;
use crate::message::CommandToken;

impl Conference {
    /// Handles an input and everything that dialects want done because of it. Returns `None` when
    /// the input led to a panic.
    pub(super) fn contain<T>(
        &mut self,
        now: Time,
        culprit: Culprit,
        handle: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        self.now = now;
        let handled = self.catch(&culprit, handle);
        self.settle();
        handled
    }

    /// Handles a part of an input. Returns `None` after a panic, when everything is consistent
    /// again.
    pub(super) fn catch<T>(
        &mut self,
        culprit: &Culprit,
        handle: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        // What a panic leaves half done is what `recover` looks for.
        let handled = catch_unwind(AssertUnwindSafe(|| handle(self)));
        if handled.is_err() {
            self.recover(culprit);
        }
        handled.ok()
    }

    /// Returns whom the reply to a command is about.
    pub(super) fn culprit_of_command(&self, token: CommandToken) -> Culprit {
        match self.commands.get(token) {
            Some(PendingCommand {
                requester: Some(requester),
                ..
            }) => Culprit::Session(requester.session),
            Some(PendingCommand {
                purpose: CommandPurpose::CreateRouter { room, .. },
                ..
            }) => Culprit::Room(Arc::clone(room)),
            Some(PendingCommand {
                purpose: CommandPurpose::PipeProducer { producer, .. },
                ..
            }) => {
                let room = self.media.producer_room(*producer);
                room.map_or(Culprit::Nobody, Culprit::Room)
            }
            _ => Culprit::Nobody,
        }
    }

    /// Returns whom an event is about.
    pub(super) fn culprit_of_event(&self, event: &Event) -> Culprit {
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
        session.map_or(Culprit::Nobody, Culprit::Session)
    }

    /// Returns whom a deadline is about.
    pub(super) fn culprit_of_timer(&self, timer: &Timer) -> Culprit {
        match timer {
            Timer::Command(token) => self.culprit_of_command(*token),
            Timer::HeldConsume(session) => Culprit::Session(*session),
            Timer::Reservation(room) => Culprit::Room(Arc::clone(room)),
        }
    }
}
