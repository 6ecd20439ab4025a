//! Dispatches requests. Each is replied to at once, refused, or sent to a shard as a command.

use std::sync::Arc;

use watersmeet_engine::command::{Command, PRIORITY_DEFAULT, ProducerId};

use super::Conference;
use super::consuming::ConsumeRequest;
use super::pending_commands::CommandPurpose;
use super::request_context::{Outcome, RequestContext};
use crate::dialect::RequestTag;
use crate::message::{ProducerSummary, Refusal, Reply, Request, SessionId, ShardId, StatsSubject};
use crate::room_event::DepartureReason;

impl Conference {
    /// Carries out a request, and responds unless the outcome waits for a shard or a transport.
    pub(super) fn perform(&mut self, session: SessionId, tag: RequestTag, request: Request) {
        #[cfg(feature = "faults")]
        self.panic_if_ordered(session);
        let context = RequestContext {
            session,
            tag: tag.clone(),
        };
        match self.outcome(context, request) {
            Ok(None) => {}
            Ok(Some(reply)) => self.respond(session, &tag, Ok(reply)),
            Err(refusal) => self.respond(session, &tag, Err(refusal)),
        }
    }

    /// Returns the outcome of a request.
    fn outcome(&mut self, context: RequestContext, request: Request) -> Outcome {
        let id = context.session;
        match request {
            Request::RouterCapabilities => Ok(Some(Reply::RouterCapabilities(Arc::clone(
                &self.capabilities,
            )))),
            Request::Join(request) => {
                let is_new = self.rooms.get(&request.room).is_none();
                let secret = request.resume.clone().filter(|_| request.is_resumable);
                let outcome = self.join(id, *request);
                self.limited_actions.record_join(id, is_new, &outcome);
                if let (Ok(_), Some(secret)) = (&outcome, secret) {
                    self.start_resumption(id, &secret);
                }
                outcome
            }
            Request::PrepareJoin { room } => {
                let is_new = self.rooms.get(&room).is_none();
                let outcome = self.prepare_join(id, room);
                self.limited_actions.record_join(id, is_new, &outcome);
                outcome
            }
            Request::TestConnection => self.start_connection_test(id),
            Request::ChangeDisplayName { display_name } => {
                self.change_display_name(id, display_name)
            }
            Request::Leave => {
                let room = self.sessions.room_or_lobby(id)?;
                self.leave(id, Some(Refusal::NotInRoom), DepartureReason::Left);
                Ok(Some(Reply::Left { room }))
            }
            Request::ListParticipants => Ok(Some(Reply::Participants(self.list_participants(id)?))),
            Request::CreateTransport { direction, key } => {
                self.create_transport(context, direction, key)
            }
            Request::CloseTransport { transport } => self.close_own_transport(id, transport),
            Request::ConnectTransport { transport, dtls } => {
                self.connect_transport(context, transport, dtls)
            }
            Request::RestartIce { transport } => self.restart_ice(context, transport),
            Request::Produce {
                transport,
                kind,
                rtp,
                source,
                paused,
                app_data,
            } => {
                if let Some(app_data) = &app_data {
                    let membership = self.sessions.member(id)?;
                    self.charge_for_all(id, &membership, app_data)?;
                }
                let summary = ProducerSummary {
                    producer: ProducerId::generate(&mut self.rng),
                    kind,
                    source,
                    paused,
                    app_data: app_data.map(Arc::new),
                };
                self.produce(context, transport, rtp, summary)
            }
            Request::PauseProducer { producer, paused } => {
                self.pause_producer(context, producer, paused)
            }
            Request::CloseProducer { producer } => self.close_own_producer(id, producer),
            Request::Consume {
                producer,
                transport,
                capabilities,
                start_paused,
            } => {
                let request = ConsumeRequest {
                    producer,
                    capabilities,
                    start_paused,
                };
                self.consume_or_hold(context, transport, request)
            }
            Request::PauseConsumer { consumer, paused } => {
                self.pause_consumer(context, consumer, paused)
            }
            Request::SetPreferredLayers { consumer, layers } => {
                let shard = self.own_consumer(id, consumer)?;
                let command = Command::SetPreferredLayers { consumer, layers };
                let purpose = CommandPurpose::SetPreferredLayers { consumer };
                self.forward(context, shard, command, purpose)
            }
            Request::SetPriority { consumer, priority } => {
                let shard = self.own_consumer(id, consumer)?;
                let command = Command::SetPriority { consumer, priority };
                let is_pinned = priority > PRIORITY_DEFAULT;
                self.media.set_pinned(id, consumer, is_pinned);
                self.apply_last_n_to(id);
                self.forward(context, shard, command, CommandPurpose::SetPriority)
            }
            Request::RequestKeyframe { consumer } => {
                let shard = self.own_consumer(id, consumer)?;
                let command = Command::RequestKeyframe { consumer };
                let purpose = CommandPurpose::RequestKeyframe { consumer };
                self.forward(context, shard, command, purpose)
            }
            Request::Stats { subject } => self.read_stats(context, subject),
            Request::CloseConsumer { consumer } => self.close_own_consumer(id, consumer),
            Request::Chat(request) => self.chat(id, request),
            Request::ReadConversation { after } => self.read_conversation(id, after),
            Request::RaiseHand { raised, peer } => self.raise_hand(id, raised, peer.as_deref()),
            Request::React { reaction } => self.react(id, &reaction),
            Request::Caption(request) => self.caption(id, request),
            Request::Poll(request) => self.handle_poll(id, request),
            Request::MediaState { audio, video } => self.share_media_state(id, audio, video),
            Request::Relay { to, body } => self.relay(id, to.as_deref(), body),
            Request::Ping { seq } => self.ping(id, seq),
            Request::ReportQuality(report) => self.record_page_report(id, report),
            Request::Resume(request) => self.resume(id, &context.tag, &request),
            Request::EnterBreakout { room } => self.enter_breakout(id, room.as_deref()),
            Request::RequestToSpeak => self.request_to_speak(id),
            Request::Moderate(moderation) => self.moderate(id, moderation),
        }
    }

    /// Reads statistics of an object that the session owns.
    fn read_stats(&mut self, context: RequestContext, subject: StatsSubject) -> Outcome {
        let id = context.session;
        let (shard, command) = match subject {
            StatsSubject::Transport(transport) => {
                let shard = self.own_transport(id, transport)?;
                (shard, Command::TransportStats { transport })
            }
            StatsSubject::Producer(producer) => {
                let shard = self.own_producer(id, producer)?;
                (shard, Command::ProducerStats { producer })
            }
            StatsSubject::Consumer(consumer) => {
                let shard = self.own_consumer(id, consumer)?;
                (shard, Command::ConsumerStats { consumer })
            }
        };
        self.forward(context, shard, command, CommandPurpose::Stats { subject })
    }

    /// Sends a command for a request. The shard's reply decides the outcome.
    pub(super) fn forward(
        &mut self,
        context: RequestContext,
        shard: ShardId,
        command: Command,
        purpose: CommandPurpose,
    ) -> Outcome {
        self.request_command(Some(context), shard, command, purpose);
        Ok(None)
    }
}
