//! Requests about consumers. A request to consume waits until the session has a receive transport.

use watersmeet_engine::command::{
    Command, ConsumerId, DegradationPreference, PRIORITY_DEFAULT, ProducerId, TransportId,
};
use watersmeet_wire::params::RtpCapabilities;

use super::Conference;
use super::media::{ClosedObject, Consumer, HeldConsume, SCORE_MAX};
use super::pending_commands::CommandPurpose;
use super::request_context::{Outcome, RequestContext};
use super::timers::Timer;
use crate::limits::CONSUME_TIMEOUT;
use crate::message::{Direction, MediaSource, Refusal, Reply, SessionId};

/// Priority of shared screens: what is being talked about goes before those who talk.
const SCREEN_PRIORITY: u8 = 128;

/// Request to receive a producer.
#[derive(Debug)]
pub(super) struct ConsumeRequest {
    /// Producer to receive.
    pub producer: ProducerId,
    /// RTP capabilities of the participant.
    pub capabilities: RtpCapabilities,
    /// Whether the consumer starts paused.
    pub start_paused: bool,
}

impl Conference {
    /// Consumes a producer, or holds the request until there is a receive transport.
    pub(super) fn consume_or_hold(
        &mut self,
        context: RequestContext,
        transport: Option<TransportId>,
        request: ConsumeRequest,
    ) -> Outcome {
        let id = context.session;
        let membership = self.sessions.member(id)?;
        // A producer of another room is refused like one that does not exist.
        if self.media.producer_room(request.producer).as_ref() != Some(&membership.room) {
            return Err(Refusal::ProducerNotFound);
        }
        if !self.rooms.participant(&membership)?.can_subscribe {
            return Err(Refusal::Forbidden);
        }
        let len = self.media.consumers_len_of(id) + self.media.held_len_of(id);
        if len > 0 && self.is_testing(Some(&membership)) {
            return Err(Refusal::LimitReached("consumers"));
        }
        if len >= self.config.limits.consumers_max {
            return Err(Refusal::LimitReached("consumers"));
        }
        if let Some(transport) = transport.or(self.media.receive_transport(id)) {
            return self.consume(context, transport, request);
        }
        let deadline = self.now + CONSUME_TIMEOUT;
        let ConsumeRequest {
            producer,
            capabilities,
            start_paused,
        } = request;
        let held = HeldConsume {
            deadline,
            tag: context.tag,
            producer,
            capabilities,
            start_paused,
        };
        if self.media.hold(id, held) {
            self.timers.schedule(deadline, Timer::HeldConsume(id));
        }
        Ok(None)
    }

    /// Consumes on a transport.
    fn consume(
        &mut self,
        context: RequestContext,
        transport: TransportId,
        request: ConsumeRequest,
    ) -> Outcome {
        let ConsumeRequest {
            producer,
            capabilities,
            start_paused: paused,
        } = request;
        let id = context.session;
        let shard = self
            .media
            .own_transport_for(id, transport, Direction::Recv)?;
        self.pipe_producer(producer, shard)?;
        let consumer = ConsumerId::generate(&mut self.rng);
        let added = Consumer {
            transport,
            producer,
            score: SCORE_MAX,
            is_held: false,
            is_pinned: false,
        };
        self.media.add_consumer(id, consumer, added);
        let source = self
            .media
            .producer_summary(producer)
            .and_then(|it| it.source);
        let (priority, degradation_preference) = match source {
            Some(MediaSource::Screen) => {
                (SCREEN_PRIORITY, DegradationPreference::MaintainResolution)
            }
            _ => (PRIORITY_DEFAULT, DegradationPreference::MaintainFramerate),
        };
        let command = Command::Consume {
            transport,
            consumer,
            producer,
            capabilities,
            paused,
            preferred_layers: None,
            priority,
            degradation_preference,
        };
        let purpose = CommandPurpose::Consume {
            consumer,
            producer,
            transport,
            paused,
        };
        self.request_command(Some(context), shard, command, purpose);
        self.apply_last_n_to(id);
        Ok(None)
    }

    /// Carries out the requests that waited for a receive transport.
    pub(super) fn release_held(&mut self, id: SessionId) {
        let Some(transport) = self.media.receive_transport(id) else {
            return;
        };
        let held = self.media.take_held(id);
        if let Some(first) = held.front() {
            self.timers.cancel(first.deadline, Timer::HeldConsume(id));
        }
        for held in held {
            let request = ConsumeRequest {
                producer: held.producer,
                capabilities: held.capabilities,
                start_paused: held.start_paused,
            };
            let context = RequestContext {
                session: id,
                tag: held.tag.clone(),
            };
            if let Err(refusal) = self.consume(context, transport, request) {
                self.respond(id, &held.tag, Err(refusal));
            }
        }
    }

    /// Refuses the requests that have waited too long for a receive transport.
    pub(super) fn expire_held(&mut self, id: SessionId) {
        let (expired, next) = self.media.take_expired_held(id, self.now);
        if let Some(deadline) = next {
            self.timers.schedule(deadline, Timer::HeldConsume(id));
        }
        for held in expired {
            self.respond(id, &held.tag, Err(Refusal::TransportNotFound));
        }
    }

    /// Pauses or resumes a consumer of the session.
    pub(super) fn pause_consumer(
        &mut self,
        context: RequestContext,
        consumer: ConsumerId,
        paused: bool,
    ) -> Outcome {
        let shard = self.own_consumer(context.session, consumer)?;
        let command = match paused {
            true => Command::PauseConsumer { consumer },
            false => Command::ResumeConsumer { consumer },
        };
        let purpose = CommandPurpose::PauseConsumer { consumer, paused };
        self.forward(context, shard, command, purpose)
    }

    /// Closes a consumer of the session. That cannot fail, so the reply does not wait for the
    /// shard. A consumer that is closed already, for example with its producer, is no error.
    pub(super) fn close_own_consumer(&mut self, id: SessionId, consumer: ConsumerId) -> Outcome {
        self.sessions.member(id)?;
        let reply = Reply::ConsumerClosed { consumer };
        if self.media.was_closed(id, ClosedObject::Consumer(consumer)) {
            return Ok(Some(reply));
        }
        let shard = self.own_consumer(id, consumer)?;
        self.send_command(shard, Command::CloseConsumer { consumer });
        self.media.remove_consumer(consumer);
        self.apply_last_n_to(id);
        Ok(Some(reply))
    }
}
