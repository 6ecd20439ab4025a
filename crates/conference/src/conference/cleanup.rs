//! Closes sessions, rooms and media: by request, after a closed connection or an event of the
//! engine, or because a shard was lost. An object and its dependants are removed in one step, so
//! later events of the engine about them are ignored.

use std::collections::BTreeSet;
use std::sync::Arc;

use watersmeet_engine::command::{CloseReason, Command, DtlsState, Event, ProducerId, TransportId};

use super::Conference;
use super::media::RemovedProducer;
use super::outputs::Output;
use super::room_events::TrackChange;
use super::timers::Timer;
use crate::message::{Notice, Refusal, SessionId, ShardId};
use crate::room_event::DepartureReason;

/// Sessions and rooms.
impl Conference {
    /// Removes a session whose connection was closed or lost.
    pub(super) fn remove_session(&mut self, id: SessionId, reason: DepartureReason) {
        self.keep_seat(id);
        self.leave(id, None, reason);
        self.forget_session(id);
    }

    /// Closes a connection and removes it.
    pub(super) fn close_session(&mut self, id: SessionId, code: u16, reason: &'static str) {
        tracing::info!(session = id.0, code, reason, "connection closed");
        self.leave(id, None, DepartureReason::Disconnected);
        self.close_connection_of(id, code, reason);
    }

    /// Removes a session, which is in no room any more, and closes its connection.
    pub(super) fn close_connection_of(&mut self, id: SessionId, code: u16, reason: &'static str) {
        if let Some(session) = self.forget_session(id) {
            self.outputs.push(Output::Close {
                session,
                code,
                reason,
            });
        }
    }

    /// Removes a session from its room and lobby. Its unanswered requests are refused with
    /// `refusal`, or dropped when the connection is closed. `reason` is what room events say.
    pub(super) fn leave(
        &mut self,
        id: SessionId,
        refusal: Option<Refusal>,
        reason: DepartureReason,
    ) {
        self.leave_lobby(id);
        let Some(membership) = self.sessions.membership(id) else {
            return;
        };
        self.stop_watching_silence(id);
        let transports = self.media.transports_of(id);
        let closed = self.remove_media(id, refusal);
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        session.leave();
        let has_connected = session.has_connected();
        self.media.forget_closed(id);
        let (peer, name) = (session.peer().clone(), &membership.room);
        tracing::info!(session = id.0, "participant left");
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        let left = room.leave(membership.number);
        let is_empty = room.is_empty();
        if let Some(left) = &left {
            self.report_departure(name, left, reason, has_connected);
        }
        if is_empty {
            // Closing a router closes its transports too.
            for router in self.placement.take_routers(name) {
                let command = Command::CloseRouter { router: router.id };
                self.send_command(router.shard, command);
            }
            if let Some(left) = &left {
                self.withdraw_hand(name, left);
            }
            self.notify_lobby(name);
            self.record_breakout_departure(name, id);
            return self.remove_room_if_unused(name);
        }
        self.close_transports(transports);
        let Some(left) = left else {
            return;
        };
        let notice = Notice::ParticipantLeft {
            peer,
            display_name: left.display_name.clone(),
            producers: closed_producers(&closed),
        };
        self.tell_departure(name, membership.number, &left, notice);
        self.withdraw_hand(name, &left);
        self.end_spotlight_of(name, &left.peer);
        self.record_breakout_departure(name, id);
        self.appoint_host(name);
    }

    /// Removes a room without participants, lobby and reservation.
    pub(super) fn remove_room_if_unused(&mut self, name: &str) {
        let is_unused = self.rooms.get(name).is_some_and(|it| it.is_unused());
        if is_unused {
            self.cancel_seat_timer(name);
            self.cancel_presence_timer(name);
            self.cancel_test_timer(name);
            self.remove_room(name);
            tracing::debug!(rooms = self.rooms.len(), "room closed");
        }
    }

    /// Cancels the timer of what is to be told next in a room.
    pub(super) fn cancel_presence_timer(&mut self, name: &str) {
        let timer = self.rooms.get(name).and_then(|it| it.presence_timer());
        if let Some(at) = timer {
            self.timers.cancel(at, Timer::Presence(name.into()));
        }
    }
}

/// Media.
impl Conference {
    /// Closes all media of a session that stays in its room. Returns the closed producers that the
    /// others know of.
    pub(super) fn close_media(
        &mut self,
        id: SessionId,
        refusal: Option<Refusal>,
    ) -> Vec<ProducerId> {
        let transports = self.media.transports_of(id);
        let closed = self.remove_media(id, refusal);
        self.close_transports(transports);
        closed_producers(&closed)
    }

    /// Sends each shard the commands to close transports.
    fn close_transports(&mut self, transports: Vec<(ShardId, TransportId)>) {
        for (shard, transport) in transports {
            self.send_command(shard, Command::CloseTransport { transport });
        }
    }

    /// Removes all media of a session, including objects being created. Returns the notices for
    /// others. Sends no command to the shards of its transports.
    fn remove_media(&mut self, id: SessionId, refusal: Option<Refusal>) -> Vec<Notice> {
        if self.sessions.get(id).is_none() {
            return Vec::new();
        }
        let transports = self.media.transports_of(id);
        let held = self.media.take_held(id);
        if let Some(first) = held.front() {
            self.timers.cancel(first.deadline, Timer::HeldConsume(id));
        }
        let mut unanswered = Vec::new();
        for (token, command) in self.commands.take_all_of(id) {
            self.timers.cancel(command.deadline, Timer::Command(token));
            unanswered.extend(command.requester.map(|it| it.tag));
        }
        unanswered.extend(held.into_iter().map(|it| it.tag));
        for tag in unanswered {
            if let Some(refusal) = &refusal {
                self.respond(id, &tag, Err(refusal.clone()));
            }
        }
        let mut closed = Vec::new();
        for (_, transport) in transports {
            closed.extend(self.remove_transport(id, transport));
        }
        closed
    }

    /// Removes a transport with its producers and consumers. Returns the notices for others.
    pub(super) fn remove_transport(
        &mut self,
        id: SessionId,
        transport: TransportId,
    ) -> Vec<Notice> {
        let removed = self.media.remove_transport(id, transport);
        if let Some(shard) = removed.shard {
            self.placement.remove_transport(shard);
        }
        let mut notices = Vec::new();
        for removed in removed.producers {
            self.release_producer(&removed);
            notices.extend(self.producer_closed(id, removed.producer));
        }
        notices
    }

    /// Closes a producer and notifies the others. Returns their notice, or `None` when it was not
    /// announced.
    pub(super) fn close_producer(
        &mut self,
        owner: SessionId,
        producer: ProducerId,
    ) -> Option<Notice> {
        let removed = self.media.remove_producer(owner, producer)?;
        self.release_producer(&removed);
        let notice = self.producer_closed(owner, producer)?;
        self.notify_others(&removed.room, owner, &notice);
        Some(notice)
    }

    /// Ends what belongs to a removed producer: closes it on the other shards to which it was piped, cancels
    /// its timer, reports that it is unpublished, and gives its place among the cameras of the room to another one.
    pub(super) fn release_producer(&mut self, removed: &RemovedProducer) {
        let producer = removed.producer;
        if let Some(at) = removed.score_timer {
            self.timers.cancel(at, Timer::ProducerScore(producer));
        }
        for &shard in &removed.pipes {
            self.send_command(shard, Command::CloseProducer { producer });
        }
        self.report_track(&removed.track, TrackChange::Unpublished);
        self.schedule_last_n(&removed.room);
    }

    /// Returns the notice of a closed producer.
    fn producer_closed(&self, owner: SessionId, producer: ProducerId) -> Option<Notice> {
        let peer = self.sessions.peer(owner)?;
        Some(Notice::ProducerClosed { peer, producer })
    }
}

/// Events of shards.
impl Conference {
    /// Handles an event that a worker reports.
    pub(super) fn receive_event(&mut self, shard: ShardId, event: Event) {
        match event {
            Event::TransportClosed { transport, reason } => {
                self.transport_closed(transport, reason);
            }
            Event::ProducerClosed { producer } => {
                let Some(owner) = self.media.producer_owner(producer) else {
                    return;
                };
                if let Some(notice) = self.close_producer(owner, producer) {
                    self.notify(owner, &notice);
                }
            }
            Event::ConsumerClosed { consumer } => {
                if let Some((session, removed)) = self.media.remove_consumer(consumer) {
                    let producer = removed.producer;
                    self.notify(session, &Notice::ConsumerClosed { consumer, producer });
                }
            }
            Event::ConsumerProducerPaused { consumer, paused } => {
                if let Some(session) = self.media.consumer_owner(consumer) {
                    self.notify(session, &Notice::ConsumerPaused { consumer, paused });
                }
            }
            Event::ProducerDemandChanged { producer, demand } => {
                tracing::debug!(%producer, ?demand, "producer demand changed");
                if let Some(owner) = self.media.producer_owner(producer) {
                    self.notify(owner, &Notice::ProducerDemandChanged { producer, demand });
                }
            }
            Event::ConsumerLayersChanged {
                consumer,
                layers,
                reason,
            } => {
                if let Some(session) = self.media.consumer_owner(consumer) {
                    let notice = Notice::ConsumerLayersChanged {
                        consumer,
                        layers,
                        reason,
                    };
                    self.notify(session, &notice);
                }
            }
            Event::IceStateChanged { transport, state } => {
                tracing::debug!(shard = shard.0, %transport, ?state, "ICE state changed");
            }
            Event::DtlsStateChanged { transport, state } => {
                tracing::debug!(shard = shard.0, %transport, ?state, "DTLS state changed");
                if state == DtlsState::Connected {
                    self.transport_connected(transport);
                }
            }
            Event::PipedProducerClosed { producer } => {
                self.media.remove_pipe(producer, shard);
            }
            Event::ActiveSpeakerChanged { router, producer } => {
                self.speaker_changed(shard, router, producer);
            }
            Event::ProducerScore { producer, scores } => {
                self.producer_score_changed(producer, scores);
            }
            Event::ConsumerScore { consumer, score } => {
                self.consumer_score_changed(consumer, score);
            }
        }
    }

    /// Records how long a participant took from joining to its first connected transport.
    fn transport_connected(&mut self, transport: TransportId) {
        let owner = self.media.transport_owner(transport);
        let owner = owner.and_then(|it| self.sessions.get_mut(it));
        if let Some(joined_at) = owner.and_then(|it| it.take_joined_at()) {
            self.metrics.record_join_duration(self.now.since(joined_at));
        }
    }

    /// Removes a transport that the engine has closed. Notifies its owner, and the others of its
    /// closed producers.
    fn transport_closed(&mut self, transport: TransportId, reason: CloseReason) {
        let Some(owner) = self.media.transport_owner(transport) else {
            return;
        };
        tracing::info!(session = owner.0, %transport, ?reason, "transport closed");
        let closed = self.remove_transport(owner, transport);
        self.notify(owner, &Notice::TransportClosed { transport, reason });
        let Some(membership) = self.sessions.membership(owner) else {
            return;
        };
        for notice in &closed {
            self.notify_others(&membership.room, owner, notice);
        }
    }

    /// Removes the media of a room on a shard whose worker is lost. Participants on other shards
    /// keep their transports and are notified of the closed producers.
    pub(super) fn drop_shard_media(&mut self, name: &Arc<str>, shard: ShardId) {
        let Some(room) = self.rooms.get(name) else {
            return;
        };
        let occupants = room.occupants();
        let router = self.placement.router_on(name, shard);
        self.media.remove_pipes_to(&occupants, shard);
        if let Some(router) = router {
            self.placement.remove_router(name, router);
            // A command may still be on its way to the new worker: this closes the router it
            // creates.
            self.send_command(shard, Command::CloseRouter { router });
        }
        let mut closed: Vec<(SessionId, Notice)> = Vec::new();
        let mut affected = BTreeSet::new();
        for &session in &occupants {
            if self.depends_on(session, shard) {
                affected.insert(session);
                let notices = self.remove_media(session, Some(Refusal::WorkerLost));
                closed.extend(notices.into_iter().map(|notice| (session, notice)));
            }
        }
        for session in occupants {
            let of_others = closed.iter().filter(|(owner, _)| *owner != session);
            for (_, notice) in of_others {
                self.notify(session, notice);
            }
            if affected.contains(&session) {
                self.notify(session, &Notice::WorkerLost);
            }
        }
        if let Some(room) = self.rooms.get_mut(name) {
            room.speaker.record(shard, None);
        }
        self.tell_presence(name);
    }

    /// Returns whether the loss of a shard affects a session: its media is there, or it has none
    /// yet and waits for a command or a receive transport.
    fn depends_on(&self, session: SessionId, shard: ShardId) -> bool {
        match self.media.shard_of(session) {
            Some(own) => own == shard,
            None => self.commands.len_of(session) > 0 || self.media.held_len_of(session) > 0,
        }
    }
}

/// Returns the producers that these notices name.
fn closed_producers(notices: &[Notice]) -> Vec<ProducerId> {
    let producers = notices.iter().filter_map(|notice| match notice {
        Notice::ProducerClosed { producer, .. } => Some(*producer),
        _ => None,
    });
    producers.collect()
}
