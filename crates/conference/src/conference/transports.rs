//! Requests about transports and producers. A session can only use its own.

use watersmeet_engine::command::{Command, ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::{DtlsParameters, RtpParameters};

use super::Conference;
use super::media::{ClosedObject, KeyedTransport};
use super::pending_commands::CommandPurpose;
use super::request_context::{Outcome, RequestContext};
use crate::message::{
    Direction, ProducerSummary, Refusal, Reply, Role, SessionId, ShardId, TransportKey,
};

impl Conference {
    /// Creates a transport. Creates the room's router on its shard first, if there is none.
    pub(super) fn create_transport(
        &mut self,
        context: RequestContext,
        direction: Direction,
        key: Option<TransportKey>,
    ) -> Outcome {
        let id = context.session;
        let room = self.sessions.member(id)?.room;
        if let Some(key) = key {
            let tags_max = self.config.limits.pending_requests_max;
            let of_key = self.media.transport_of_key(id, key, &context.tag, tags_max);
            match of_key {
                Some(KeyedTransport::Created(created)) => {
                    return Ok(Some(Reply::TransportCreated(created)));
                }
                Some(KeyedTransport::Awaited) => return Ok(None),
                Some(KeyedTransport::TooManyRequests) => {
                    return Err(Refusal::LimitReached("requests"));
                }
                None => {}
            }
        }
        if self.media.transports_len_of(id) >= self.transports_max(id)? {
            return Err(Refusal::LimitReached("transports"));
        }
        self.count_test_transport(&room)?;
        let own = self.media.shard_of(id);
        let shard = own.or_else(|| self.placement.choose_shard(&room));
        let shard = shard.ok_or(Refusal::Internal)?;
        let router = self.router_for(&room, shard)?;
        let transport = TransportId::generate(&mut self.rng);
        self.media
            .add_transport(id, transport, direction, shard, key);
        self.placement.add_transport(shard);
        let command = Command::CreateTransport {
            router,
            transport,
            options: self.transport_options(&room),
        };
        let purpose = CommandPurpose::CreateTransport {
            transport,
            direction,
        };
        self.forward(context, shard, command, purpose)
    }

    /// Returns the maximum number of transports of a session.
    fn transports_max(&self, id: SessionId) -> Result<usize, Refusal> {
        let limits = &self.config.limits;
        let session = self.sessions.get(id).ok_or(Refusal::Internal)?;
        Ok(match session.has_transport_per_producer() {
            // One for each consumer, besides the ordinary ones.
            true => limits.transports_max + limits.consumers_max,
            false => limits.transports_max,
        })
    }

    /// Closes a transport of the session. That cannot fail, so the reply does not wait for the
    /// shard. A transport that is closed already, for example by the client's DTLS, is no error.
    pub(super) fn close_own_transport(&mut self, id: SessionId, transport: TransportId) -> Outcome {
        let room = self.sessions.member(id)?.room;
        let reply = Reply::TransportClosed { transport };
        if self
            .media
            .was_closed(id, ClosedObject::Transport(transport))
        {
            return Ok(Some(reply));
        }
        let shard = self.own_transport(id, transport)?;
        self.send_command(shard, Command::CloseTransport { transport });
        for notice in &self.remove_transport(id, transport) {
            self.notify_others(&room, id, notice);
        }
        self.apply_last_n_to(id);
        Ok(Some(reply))
    }

    /// Sets the DTLS parameters of a transport's peer.
    pub(super) fn connect_transport(
        &mut self,
        context: RequestContext,
        transport: TransportId,
        dtls: DtlsParameters,
    ) -> Outcome {
        let shard = self.own_transport(context.session, transport)?;
        let command = Command::ConnectTransport { transport, dtls };
        let purpose = CommandPurpose::ConnectTransport { transport };
        self.forward(context, shard, command, purpose)
    }

    /// Generates new ICE credentials for a transport.
    pub(super) fn restart_ice(
        &mut self,
        context: RequestContext,
        transport: TransportId,
    ) -> Outcome {
        let shard = self.own_transport(context.session, transport)?;
        let command = Command::RestartIce { transport };
        let purpose = CommandPurpose::RestartIce { transport };
        self.forward(context, shard, command, purpose)
    }

    /// Creates a producer. It is announced when its shard has created it, and only then included in
    /// snapshots for joining participants. So every participant is notified of it exactly once.
    pub(super) fn produce(
        &mut self,
        context: RequestContext,
        transport: TransportId,
        rtp: RtpParameters,
        producer: ProducerSummary,
    ) -> Outcome {
        let id = context.session;
        let membership = self.sessions.member(id)?;
        if self.rooms.participant(&membership)?.role == Role::Viewer {
            return Err(Refusal::Forbidden);
        }
        self.check_sharing(&membership, &producer)?;
        self.check_test_producer(id, producer.kind)?;
        let shard = self
            .media
            .own_transport_for(id, transport, Direction::Send)?;
        if self.media.producers_len_of(id) >= self.config.limits.producers_max {
            return Err(Refusal::LimitReached("producers"));
        }
        self.media.add_producer(id, producer.producer, transport);
        let command = Command::Produce {
            transport,
            producer: producer.producer,
            kind: producer.kind,
            rtp,
            paused: producer.paused,
            is_screen: producer.is_screen(),
        };
        self.forward(
            context,
            shard,
            command,
            CommandPurpose::Produce { producer },
        )
    }

    /// Pauses or resumes a producer of the session.
    pub(super) fn pause_producer(
        &mut self,
        context: RequestContext,
        producer: ProducerId,
        paused: bool,
    ) -> Outcome {
        let shard = self.own_producer(context.session, producer)?;
        let command = match paused {
            true => Command::PauseProducer { producer },
            false => Command::ResumeProducer { producer },
        };
        let purpose = CommandPurpose::PauseProducer { producer, paused };
        self.forward(context, shard, command, purpose)
    }

    /// Closes a producer of the session. That cannot fail, so the reply does not wait for the
    /// shard. A producer that is closed already, for example with its transport, is no error.
    pub(super) fn close_own_producer(&mut self, id: SessionId, producer: ProducerId) -> Outcome {
        self.sessions.member(id)?;
        let reply = Reply::ProducerClosed { producer };
        if self.media.was_closed(id, ClosedObject::Producer(producer)) {
            return Ok(Some(reply));
        }
        let shard = self.own_producer(id, producer)?;
        self.send_command(shard, Command::CloseProducer { producer });
        self.close_producer(id, producer);
        Ok(Some(reply))
    }

    /// Returns the shard of a transport of a session that is in a room.
    pub(super) fn own_transport(
        &self,
        id: SessionId,
        transport: TransportId,
    ) -> Result<ShardId, Refusal> {
        self.sessions.member(id)?;
        self.media.own_transport(id, transport)
    }

    /// Returns the shard of a producer of a session that is in a room.
    pub(super) fn own_producer(
        &self,
        id: SessionId,
        producer: ProducerId,
    ) -> Result<ShardId, Refusal> {
        self.sessions.member(id)?;
        self.media.own_producer(id, producer)
    }

    /// Returns the shard of a consumer of a session that is in a room.
    pub(super) fn own_consumer(
        &self,
        id: SessionId,
        consumer: ConsumerId,
    ) -> Result<ShardId, Refusal> {
        self.sessions.member(id)?;
        self.media.own_consumer(id, consumer)
    }
}
