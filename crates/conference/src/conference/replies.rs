//! Handles shards' replies: replies to the requester, notifies the other participants, and rolls
//! back a command that failed or got no reply in time.

use watersmeet_engine::command::{self, Command, ConsumerId, ProducerId};
use watersmeet_wire::params::{MediaKind, RtpParameters};

use super::Conference;
use super::pending_commands::{CommandPurpose, PendingCommand};
use super::request_context::RequestContext;
use crate::message::{
    CommandToken, CreatedConsumer, CreatedTransport, Notice, PeerId, ProducerSummary, Refusal,
    Reply, SessionId,
};

impl Conference {
    /// Applies a shard's reply and returns the outcome of the session's request.
    pub(super) fn complete(
        &mut self,
        session: SessionId,
        purpose: CommandPurpose,
        result: Result<command::Reply, command::Refusal>,
    ) -> Result<Reply, Refusal> {
        match result {
            Ok(reply) => self.complete_success(session, purpose, reply),
            Err(refusal) => {
                self.roll_back(session, &purpose);
                Err(refusal.into())
            }
        }
    }

    /// Applies a successful reply and returns the outcome of the session's request.
    fn complete_success(
        &mut self,
        session: SessionId,
        purpose: CommandPurpose,
        reply: command::Reply,
    ) -> Result<Reply, Refusal> {
        Ok(match (purpose, reply) {
            (
                CommandPurpose::CreateTransport {
                    transport,
                    direction,
                },
                command::Reply::Transport {
                    ice,
                    candidates,
                    dtls,
                },
            ) => {
                let created = CreatedTransport {
                    transport,
                    direction,
                    key: None,
                    ice,
                    candidates,
                    dtls,
                    ice_servers: self.ice_servers_for(session),
                };
                self.confirm_transport(session, created)?
            }
            (CommandPurpose::ConnectTransport { transport }, command::Reply::Done) => {
                Reply::TransportConnected { transport }
            }
            (CommandPurpose::RestartIce { transport }, command::Reply::IceRestarted { ice }) => {
                Reply::IceRestarted { transport, ice }
            }
            (CommandPurpose::Produce { producer }, command::Reply::Producer { consumable }) => {
                self.announce_producer(session, producer, consumable)?
            }
            (CommandPurpose::PauseProducer { producer, paused }, command::Reply::Done) => {
                self.announce_pause(session, producer, paused)?
            }
            (
                purpose @ CommandPurpose::Consume { .. },
                command::Reply::Consumer { kind, rtp, .. },
            ) => self.confirm_consumer(session, &purpose, kind, rtp)?,
            (CommandPurpose::PauseConsumer { consumer, paused }, command::Reply::Done) => {
                Reply::ConsumerPaused { consumer, paused }
            }
            (CommandPurpose::SetPreferredLayers { consumer }, command::Reply::Done) => {
                Reply::PreferredLayersSet { consumer }
            }
            (CommandPurpose::SetPriority, command::Reply::Done) => Reply::Done,
            (CommandPurpose::RequestKeyframe { consumer }, command::Reply::Done) => {
                Reply::KeyframeRequested { consumer }
            }
            (CommandPurpose::Stats { subject }, reply) => Reply::Stats {
                subject,
                reports: stats_reports(&reply)?,
            },
            (purpose, _) => {
                debug_assert!(false, "reply does not fit its command: {purpose:?}");
                self.roll_back(session, &purpose);
                return Err(Refusal::Internal);
            }
        })
    }

    /// Records that a transport was created, and replies to the further requests for it.
    fn confirm_transport(
        &mut self,
        session: SessionId,
        created: CreatedTransport,
    ) -> Result<Reply, Refusal> {
        let finished = self.media.confirm_transport(session, created);
        let (created, tags) = finished.ok_or(Refusal::TransportNotFound)?;
        for tag in tags {
            let reply = Reply::TransportCreated(created.clone());
            self.respond(session, &tag, Ok(reply));
        }
        Ok(Reply::TransportCreated(created))
    }

    /// Announces a new producer in its room.
    fn announce_producer(
        &mut self,
        id: SessionId,
        producer: ProducerSummary,
        consumable: Box<RtpParameters>,
    ) -> Result<Reply, Refusal> {
        let membership = self.sessions.member(id)?;
        let room = self.rooms.get(&membership.room).ok_or(Refusal::Internal)?;
        let owner = room.participant(membership.number);
        let owner = owner.ok_or(Refusal::Internal)?;
        let notice = Notice::ProducerAdded {
            peer: owner.peer.clone(),
            display_name: owner.display_name.clone(),
            producer: producer.clone(),
        };
        let role = owner.role;
        let summary = producer.clone();
        let room = &membership.room;
        if !self.media.announce_producer(id, room, summary, consumable) {
            return Err(Refusal::TransportNotFound);
        }
        self.report_published(producer.producer);
        let sessions = self.rooms.get(room).map(|it| it.sessions());
        let others = sessions.into_iter().flatten().filter(|it| *it != id);
        let others = others.map(|it| self.media.announced_len_of(it)).sum();
        self.show_to_everybody(room, membership.number, role);
        self.notify_others(room, id, &notice);
        Ok(Reply::Produced { producer, others })
    }

    /// Records that a producer was paused or resumed, and notifies the others of a change.
    fn announce_pause(
        &mut self,
        id: SessionId,
        producer: ProducerId,
        paused: bool,
    ) -> Result<Reply, Refusal> {
        let room = self.media.producer_room(producer);
        let is_new = self.set_producer_paused(producer, paused);
        let (Some(room), Some(is_new)) = (room, is_new) else {
            return Err(Refusal::ProducerNotFound);
        };
        if is_new {
            let notice = Notice::ProducerPaused {
                peer: self.sessions.peer(id).ok_or(Refusal::Internal)?,
                producer,
                paused,
            };
            self.notify_others(&room, id, &notice);
            self.schedule_last_n(&room);
        }
        Ok(Reply::ProducerPaused { producer, paused })
    }

    /// Returns the reply about a new consumer, if it and its producer still exist.
    fn confirm_consumer(
        &self,
        session: SessionId,
        purpose: &CommandPurpose,
        kind: MediaKind,
        rtp: RtpParameters,
    ) -> Result<Reply, Refusal> {
        let &CommandPurpose::Consume {
            consumer,
            producer,
            transport,
            paused,
        } = purpose
        else {
            return Err(Refusal::Internal);
        };
        let (producer_peer, source) = self.consumed(session, consumer, producer)?;
        Ok(Reply::Consumed(Box::new(CreatedConsumer {
            consumer,
            producer,
            producer_peer,
            producer_summary: source,
            transport,
            kind,
            rtp,
            paused,
        })))
    }

    /// Returns the owner and the summary of the producer that a new consumer receives.
    fn consumed(
        &self,
        session: SessionId,
        consumer: ConsumerId,
        producer: ProducerId,
    ) -> Result<(PeerId, ProducerSummary), Refusal> {
        if !self.media.has_consumer(session, consumer) {
            return Err(Refusal::ProducerNotFound);
        }
        let owner = self.media.producer_owner(producer);
        let summary = self.media.producer_summary(producer);
        let (Some(owner), Some(summary)) = (owner, summary) else {
            return Err(Refusal::ProducerNotFound);
        };
        let peer = self.sessions.peer(owner).ok_or(Refusal::Internal)?;
        Ok((peer, summary.clone()))
    }

    /// Removes the records that were made when a failed command was sent.
    fn roll_back(&mut self, session: SessionId, purpose: &CommandPurpose) {
        match purpose {
            CommandPurpose::CreateTransport { transport, .. } => {
                let tags = self.media.take_waiting_tags(session, *transport);
                self.remove_transport(session, *transport);
                for tag in tags {
                    self.respond(session, &tag, Err(Refusal::TransportNotFound));
                }
            }
            CommandPurpose::Produce { producer } => {
                self.media.remove_producer(session, producer.producer);
            }
            CommandPurpose::Consume { consumer, .. } => {
                self.media.remove_consumer(*consumer);
                self.apply_last_n_to(session);
            }
            CommandPurpose::CreateRouter { .. }
            | CommandPurpose::PipeProducer { .. }
            | CommandPurpose::ReadSilence { .. }
            | CommandPurpose::ConnectTransport { .. }
            | CommandPurpose::RestartIce { .. }
            | CommandPurpose::PauseProducer { .. }
            | CommandPurpose::PauseConsumer { .. }
            | CommandPurpose::SetPreferredLayers { .. }
            | CommandPurpose::SetPriority
            | CommandPurpose::RequestKeyframe { .. }
            | CommandPurpose::Stats { .. } => {}
        }
    }

    /// Rolls back a command that a shard has not replied to in time, and reverts it on the shard.
    pub(super) fn expire_command(&mut self, token: CommandToken) {
        let Some(PendingCommand {
            requester, purpose, ..
        }) = self.take_command(token)
        else {
            return;
        };
        let Some(RequestContext { session, tag }) = requester else {
            return self.expire_unrequested(purpose);
        };
        self.revert_on_shard(session, &purpose);
        self.roll_back(session, &purpose);
        self.respond(session, &tag, Err(Refusal::TimedOut));
        self.admit_waiting(session);
    }

    /// Sends the command that reverts one without a reply, which the shard may still carry out.
    fn revert_on_shard(&mut self, id: SessionId, purpose: &CommandPurpose) {
        let media = &self.media;
        let reversal = match *purpose {
            CommandPurpose::CreateTransport { transport, .. } => {
                let shard = media.shard_of_transport(id, transport);
                shard.map(|it| (it, Command::CloseTransport { transport }))
            }
            CommandPurpose::Produce { ref producer } => {
                let producer = producer.producer;
                let shard = media.own_producer(id, producer).ok();
                shard.map(|it| (it, Command::CloseProducer { producer }))
            }
            // The shard is set to the state that the room last recorded.
            CommandPurpose::PauseProducer { producer, paused } => {
                let command = match paused {
                    true => Command::ResumeProducer { producer },
                    false => Command::PauseProducer { producer },
                };
                let shard = media.own_producer(id, producer).ok();
                let summary = media.producer_summary(producer);
                let is_new = summary.is_some_and(|it| it.paused != paused);
                shard.filter(|_| is_new).map(|it| (it, command))
            }
            CommandPurpose::Consume { consumer, .. } => {
                let shard = media.own_consumer(id, consumer).ok();
                shard.map(|it| (it, Command::CloseConsumer { consumer }))
            }
            _ => None,
        };
        if let Some((shard, command)) = reversal {
            self.send_command(shard, command);
        }
    }
}

/// Returns the statistics in a reply, as the list of reports that clients receive.
fn stats_reports(reply: &command::Reply) -> Result<Vec<serde_json::Value>, Refusal> {
    let reports = match reply {
        command::Reply::TransportStats(stats) => serde_json::to_value(stats).map(|it| vec![it]),
        command::Reply::ConsumerStats(stats) => serde_json::to_value(stats).map(|it| vec![it]),
        command::Reply::ProducerStats(streams) => {
            streams.iter().map(serde_json::to_value).collect()
        }
        _ => return Err(Refusal::Internal),
    };
    reports.map_err(|_| Refusal::Internal)
}
