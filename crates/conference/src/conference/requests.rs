//! What becomes of each request: answered at once, refused, or sent on to a shard as a command.
//! Whoever asks is known by its session alone; nothing in a request says who it is from.

use std::sync::Arc;

use watersmeet_engine::command::{Command, ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::{DtlsParameters, RtpCapabilities, RtpParameters};
use watersmeet_wire::units::Time;

use super::joining::Entry;
use super::{Conference, Timer, Work};
use crate::dialect::RequestTag;
use crate::limits::CONSUME_TIMEOUT;
use crate::message::{
    Direction, ProducerSummary, Refusal, Reply, Request, Role, SessionId, ShardId, StatsSubject,
    TransportKey,
};
use crate::session::{Consumer, Held, Transport};

/// A request that is being carried out.
pub(super) struct Asked {
    /// When.
    pub now: Time,
    /// By whom.
    pub session: SessionId,
    /// Which.
    pub tag: RequestTag,
}

/// What is known at once: the reply, or that a shard (or a transport) will bring it.
pub(super) type Outcome = Result<Option<Reply>, Refusal>;

impl Conference {
    /// Carries a request out, as far as that is possible without a shard.
    pub(super) fn perform(
        &mut self,
        now: Time,
        session: SessionId,
        tag: RequestTag,
        request: Request,
    ) {
        let asked = Asked {
            now,
            session,
            tag: tag.clone(),
        };
        match self.outcome(asked, request) {
            Ok(None) => {}
            Ok(Some(reply)) => self.answer(session, &tag, Ok(reply)),
            Err(refusal) => self.answer(session, &tag, Err(refusal)),
        }
    }

    /// What a request leads to.
    fn outcome(&mut self, asked: Asked, request: Request) -> Outcome {
        match request {
            Request::RouterCapabilities => Ok(Some(Reply::RouterCapabilities(Arc::clone(
                &self.capabilities,
            )))),
            Request::Join {
                room,
                display_name,
                token,
                user,
                policy,
            } => {
                let entry = Entry {
                    room,
                    display_name,
                    token,
                    user,
                    policy,
                };
                let is_new = !self.rooms.contains_key(&*entry.room);
                let outcome = self.join(&asked, entry);
                self.note_entry(asked.session, is_new, &outcome);
                outcome
            }
            Request::PrepareJoin { room } => {
                let is_new = !self.rooms.contains_key(&*room);
                let outcome = self.prepare(&asked, room);
                self.note_entry(asked.session, is_new, &outcome);
                outcome
            }
            Request::ChangeDisplayName { display_name } => self.rename(&asked, display_name),
            Request::Leave => {
                let room = self.whereabouts(asked.session)?;
                self.leave(asked.session, Some(Refusal::NotInRoom));
                Ok(Some(Reply::Left { room }))
            }
            Request::ListParticipants => {
                let place = self.place(asked.session)?;
                let room = self.rooms.get(&place.room).ok_or(Refusal::Internal)?;
                Ok(Some(Reply::Participants(room.everybody())))
            }
            Request::CreateTransport { direction, key } => {
                self.create_transport(asked, direction, key)
            }
            Request::CloseTransport { transport } => self.end_own_transport(&asked, transport),
            Request::ConnectTransport { transport, dtls } => {
                self.connect_transport(asked, transport, dtls)
            }
            Request::RestartIce { transport } => self.restart_ice(asked, transport),
            Request::Produce {
                transport,
                kind,
                rtp,
                source,
                paused,
                app_data,
            } => {
                let producer = ProducerId::generate(&mut self.rng);
                let summary = ProducerSummary {
                    producer,
                    kind,
                    source,
                    paused,
                    app_data: app_data.map(Arc::new),
                };
                self.produce(asked, transport, rtp, summary)
            }
            Request::PauseProducer { producer, paused } => {
                self.pause_producer(asked, producer, paused)
            }
            Request::CloseProducer { producer } => self.end_own_producer(&asked, producer),
            Request::Consume {
                producer,
                transport,
                capabilities,
                start_paused,
            } => {
                let wish = Wish {
                    producer,
                    capabilities,
                    start_paused,
                };
                self.consume_or_hold(asked, transport, wish)
            }
            Request::PauseConsumer { consumer, paused } => {
                self.pause_consumer(asked, consumer, paused)
            }
            Request::SetPreferredLayers { consumer, layers } => {
                let shard = self.own_consumer(asked.session, consumer)?;
                let command = Command::SetPreferredLayers { consumer, layers };
                self.forward(asked, shard, command, Work::SetPreferredLayers { consumer })
            }
            Request::RequestKeyframe { consumer } => {
                let shard = self.own_consumer(asked.session, consumer)?;
                let command = Command::RequestKeyframe { consumer };
                self.forward(asked, shard, command, Work::RequestKeyframe { consumer })
            }
            Request::Stats { subject } => self.stats(asked, subject),
            Request::CloseConsumer { consumer } => self.end_own_consumer(&asked, consumer),
            Request::Chat { text } => self.chat(&asked, &text),
            Request::MediaState { audio, video } => self.media_state(&asked, audio, video),
            Request::Relay { to, body } => self.relay(&asked, to.as_deref(), body),
            Request::RequestToSpeak => self.request_to_speak(&asked),
            Request::Moderate(moderation) => self.moderate(&asked, moderation),
        }
    }

    /// Makes a transport, and the room's router on its shard before it if there is none.
    fn create_transport(
        &mut self,
        asked: Asked,
        direction: Direction,
        key: Option<TransportKey>,
    ) -> Outcome {
        let place = self.place(asked.session)?;
        let limits = &self.config.limits;
        let session = self
            .sessions
            .get_mut(&asked.session)
            .ok_or(Refusal::Internal)?;
        if let Some(made) = key.and_then(|key| session.transport_of_key(key)) {
            return match &made.offer {
                Some(offer) => Ok(Some(Reply::TransportCreated(offer.clone()))),
                None if made.also_asked.len() < limits.pending_requests_max => {
                    made.also_asked.push(asked.tag);
                    Ok(None)
                }
                None => Err(Refusal::LimitReached("requests")),
            };
        }
        let transports_max = match session.dialect.has_transport_per_producer() {
            // One for each consumer; the others serve those who receive all on one.
            true => limits.transports_max + limits.consumers_max,
            false => limits.transports_max,
        };
        if session.transports.len() >= transports_max {
            return Err(Refusal::LimitReached("transports"));
        }
        let shard = self.place_for(asked.session, &place.room)?;
        let router = self.router(asked.now, &place.room, shard)?;
        let transport = TransportId::generate(&mut self.rng);
        let session = self
            .sessions
            .get_mut(&asked.session)
            .ok_or(Refusal::Internal)?;
        session.transports.insert(
            transport,
            Transport {
                direction,
                shard,
                key,
                offer: None,
                also_asked: Vec::new(),
            },
        );
        self.transports.insert(transport, asked.session);
        if let Some(load) = self.loads.get_mut(usize::from(shard.0)) {
            load.transports += 1;
        }
        let options = self.config.transport_options.clone();
        let command = Command::CreateTransport {
            router,
            transport,
            options,
        };
        self.forward(
            asked,
            shard,
            command,
            Work::CreateTransport {
                transport,
                direction,
            },
        )
    }

    /// Ends one's own transport. That cannot fail, so nobody waits for the shard.
    fn end_own_transport(&mut self, asked: &Asked, transport: TransportId) -> Outcome {
        let shard = self.own_transport(asked.session, transport)?;
        let place = self.place(asked.session)?;
        self.command(shard, Command::CloseTransport { transport });
        for notice in &self.forget_transport(asked.session, transport) {
            self.tell_others(&place.room, asked.session, notice);
        }
        Ok(Some(Reply::TransportClosed { transport }))
    }

    /// Ends one's own consumer. That cannot fail either.
    fn end_own_consumer(&mut self, asked: &Asked, consumer: ConsumerId) -> Outcome {
        let shard = self.own_consumer(asked.session, consumer)?;
        self.command(shard, Command::CloseConsumer { consumer });
        self.forget_consumer(consumer);
        Ok(Some(Reply::ConsumerClosed { consumer }))
    }

    /// Tells a transport its peer.
    fn connect_transport(
        &mut self,
        asked: Asked,
        transport: TransportId,
        dtls: DtlsParameters,
    ) -> Outcome {
        let shard = self.own_transport(asked.session, transport)?;
        let command = Command::ConnectTransport { transport, dtls };
        self.forward(asked, shard, command, Work::ConnectTransport { transport })
    }

    /// Draws new ICE credentials.
    fn restart_ice(&mut self, asked: Asked, transport: TransportId) -> Outcome {
        let shard = self.own_transport(asked.session, transport)?;
        let command = Command::RestartIce { transport };
        self.forward(asked, shard, command, Work::RestartIce { transport })
    }

    /// Announces media. Others hear of it when its shard has made it, and whoever enters until then
    /// does not find it in the room: everybody learns of it exactly once.
    fn produce(
        &mut self,
        asked: Asked,
        transport: TransportId,
        rtp: RtpParameters,
        producer: ProducerSummary,
    ) -> Outcome {
        if self.myself(asked.session)?.role == Role::Viewer {
            return Err(Refusal::Forbidden);
        }
        let producers_max = self.config.limits.producers_max;
        let session = self
            .sessions
            .get_mut(&asked.session)
            .ok_or(Refusal::Internal)?;
        let pipe = session.transport_for(transport, Direction::Send);
        let shard = pipe.ok_or(Refusal::TransportNotFound)?.shard;
        if session.producers.len() >= producers_max {
            return Err(Refusal::LimitReached("producers"));
        }
        session.producers.insert(producer.producer, transport);
        let (id, kind, paused) = (producer.producer, producer.kind, producer.paused);
        let command = Command::Produce {
            transport,
            producer: id,
            kind,
            rtp,
            paused,
        };
        self.forward(asked, shard, command, Work::Produce { producer })
    }

    /// Pauses one's own producer or lets it go on.
    fn pause_producer(&mut self, asked: Asked, producer: ProducerId, paused: bool) -> Outcome {
        let shard = self.own_producer(asked.session, producer)?;
        let command = match paused {
            true => Command::PauseProducer { producer },
            false => Command::ResumeProducer { producer },
        };
        self.forward(
            asked,
            shard,
            command,
            Work::PauseProducer { producer, paused },
        )
    }

    /// Ends one's own producer. That cannot fail, so nobody waits for the shard.
    fn end_own_producer(&mut self, asked: &Asked, producer: ProducerId) -> Outcome {
        let shard = self.own_producer(asked.session, producer)?;
        self.command(shard, Command::CloseProducer { producer });
        self.end_producer(asked.session, producer);
        Ok(Some(Reply::ProducerClosed { producer }))
    }

    /// Consumes, or holds the wish until there is a receive transport.
    fn consume_or_hold(
        &mut self,
        asked: Asked,
        transport: Option<TransportId>,
        wish: Wish,
    ) -> Outcome {
        let place = self.place(asked.session)?;
        self.producer_in(&place, wish.producer)?;
        if !self.myself(asked.session)?.can_subscribe {
            return Err(Refusal::Forbidden);
        }
        let limits = &self.config.limits;
        let session = self
            .sessions
            .get_mut(&asked.session)
            .ok_or(Refusal::Internal)?;
        if session.consumers.len() + session.held.len() >= limits.consumers_max {
            return Err(Refusal::LimitReached("consumers"));
        }
        if let Some(transport) = transport.or(session.receive_transport) {
            return self.consume(asked, transport, wish);
        }
        let deadline = asked.now + CONSUME_TIMEOUT;
        let Wish {
            producer,
            capabilities,
            start_paused,
        } = wish;
        let held = Held {
            deadline,
            tag: asked.tag,
            producer,
            capabilities,
            start_paused,
        };
        session.held.push_back(held);
        if session.held.len() == 1 {
            self.timers.insert((deadline, Timer::Held(asked.session)));
        }
        Ok(None)
    }

    /// Consumes on a transport.
    fn consume(&mut self, asked: Asked, transport: TransportId, wish: Wish) -> Outcome {
        let Wish {
            producer,
            capabilities,
            start_paused,
        } = wish;
        let session = self.sessions.get(&asked.session);
        let session = session.ok_or(Refusal::Internal)?;
        let pipe = session.transport_for(transport, Direction::Recv);
        let shard = pipe.ok_or(Refusal::TransportNotFound)?.shard;
        let owner = self
            .producers
            .get(&producer)
            .cloned()
            .ok_or(Refusal::ProducerNotFound)?;
        self.reach(asked.now, &owner, producer, shard)?;
        let session = self
            .sessions
            .get_mut(&asked.session)
            .ok_or(Refusal::Internal)?;
        let consumer = ConsumerId::generate(&mut self.rng);
        session.consumers.insert(
            consumer,
            Consumer {
                transport,
                producer,
            },
        );
        self.consumers.insert(consumer, asked.session);
        if let Some(source) = self
            .rooms
            .get_mut(&owner.room)
            .and_then(|room| room.producer_mut(owner.order, producer))
        {
            source.consumers.insert(consumer, asked.session);
        }
        let command = Command::Consume {
            transport,
            consumer,
            producer,
            capabilities,
            paused: start_paused,
            preferred_layers: None,
        };
        let work = Work::Consume {
            consumer,
            producer,
            transport,
            paused: start_paused,
        };
        self.forward(asked, shard, command, work)
    }

    /// Consumes everything that waited for a receive transport.
    pub(super) fn release_held(&mut self, now: Time, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let Some(transport) = session.receive_transport else {
            return;
        };
        let held = std::mem::take(&mut session.held);
        if let Some(first) = held.front() {
            self.timers.remove(&(first.deadline, Timer::Held(id)));
        }
        for Held {
            tag,
            producer,
            capabilities,
            start_paused,
            ..
        } in held
        {
            let wish = Wish {
                producer,
                capabilities,
                start_paused,
            };
            let asked = Asked {
                now,
                session: id,
                tag: tag.clone(),
            };
            if let Err(refusal) = self.consume(asked, transport, wish) {
                self.answer(id, &tag, Err(refusal));
            }
        }
    }

    /// Stops sending one's own consumer or goes on.
    fn pause_consumer(&mut self, asked: Asked, consumer: ConsumerId, paused: bool) -> Outcome {
        let shard = self.own_consumer(asked.session, consumer)?;
        let command = match paused {
            true => Command::PauseConsumer { consumer },
            false => Command::ResumeConsumer { consumer },
        };
        self.forward(
            asked,
            shard,
            command,
            Work::PauseConsumer { consumer, paused },
        )
    }

    /// Reads statistics of one's own object.
    fn stats(&mut self, asked: Asked, subject: StatsSubject) -> Outcome {
        let (shard, command) = match subject {
            StatsSubject::Transport(transport) => {
                let shard = self.own_transport(asked.session, transport)?;
                (shard, Command::TransportStats { transport })
            }
            StatsSubject::Producer(producer) => {
                let shard = self.own_producer(asked.session, producer)?;
                (shard, Command::ProducerStats { producer })
            }
            StatsSubject::Consumer(consumer) => {
                let shard = self.own_consumer(asked.session, consumer)?;
                (shard, Command::ConsumerStats { consumer })
            }
        };
        self.forward(asked, shard, command, Work::Stats { subject })
    }

    /// Sends a command for a request; the shard's answer will be its outcome.
    fn forward(&mut self, asked: Asked, shard: ShardId, command: Command, work: Work) -> Outcome {
        let asker = Some((asked.session, asked.tag));
        self.ask(asked.now, asker, (shard, command), work);
        Ok(None)
    }
}

/// What somebody wants to receive.
struct Wish {
    /// Which producer.
    producer: ProducerId,
    /// What it can receive.
    capabilities: RtpCapabilities,
    /// Whether the consumer begins paused.
    start_paused: bool,
}
