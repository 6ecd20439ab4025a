//! What becomes of each request: answered at once, refused, or sent on to a shard as a command.
//! Whoever asks is known by its session alone; nothing in a request says who it is from.

use std::sync::Arc;

use watersmeet_engine::command::{Command, ConsumerId, ProducerId, RouterId, TransportId};
use watersmeet_wire::params::{DtlsParameters, RtpCapabilities, RtpParameters};
use watersmeet_wire::units::Time;

use super::{Conference, MESSAGES_PER_PRODUCER, Timer, Work};
use crate::dialect::RequestId;
use crate::message::{
    Direction, Notice, ProducerSummary, Refusal, Reply, Request, SessionId, ShardId, Subject,
};
use crate::room::{Participant, Router};
use crate::session::{Consumer, Held, Place, Transport};

/// A request that is being carried out.
struct Asked {
    /// When.
    now: Time,
    /// By whom.
    session: SessionId,
    /// Which.
    id: RequestId,
}

/// What is known at once: the reply, or that a shard (or a transport) will bring it.
type Outcome = Result<Option<Reply>, Refusal>;

impl Conference {
    /// Carries a request out, as far as that is possible without a shard.
    pub(super) fn perform(
        &mut self,
        now: Time,
        session: SessionId,
        id: RequestId,
        request: Request,
    ) {
        let asked = Asked {
            now,
            session,
            id: id.clone(),
        };
        match self.outcome(asked, request) {
            Ok(None) => {}
            Ok(Some(reply)) => self.answer(session, &id, Ok(reply)),
            Err(refusal) => self.answer(session, &id, Err(refusal)),
        }
    }

    /// What a request leads to.
    fn outcome(&mut self, asked: Asked, request: Request) -> Outcome {
        match request {
            Request::RouterCapabilities => Ok(Some(Reply::RouterCapabilities(Arc::clone(
                &self.capabilities,
            )))),
            Request::Join { room, display_name } => self.join(&asked, &room, display_name),
            Request::Leave => {
                let place = self.place(asked.session)?;
                self.leave(asked.session, Some(Refusal::NotInRoom));
                Ok(Some(Reply::Left { room: place.room }))
            }
            Request::ListParticipants => {
                let place = self.place(asked.session)?;
                let room = self.rooms.get(&place.room).ok_or(Refusal::Internal)?;
                Ok(Some(Reply::Participants(room.everybody())))
            }
            Request::CreateTransport { direction } => self.create_transport(asked, direction),
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
            } => {
                let producer = ProducerId::draw(&mut self.rng);
                let summary = ProducerSummary {
                    producer,
                    kind,
                    source,
                    paused,
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
        }
    }

    /// Enters a room: the snapshot of it and the subscription to what changes are one step, since
    /// nothing else happens within this call.
    fn join(&mut self, asked: &Asked, room: &str, display_name: Option<String>) -> Outcome {
        let caps = &self.config.caps;
        let display_name = display_name.filter(|it| !it.is_empty());
        if room.is_empty() {
            return Err(Refusal::BadRequest("roomId is empty".to_owned()));
        }
        if room.len() > caps.name_len_max {
            return Err(Refusal::BadRequest("roomId is too long".to_owned()));
        }
        if display_name
            .as_ref()
            .is_some_and(|it| it.len() > caps.name_len_max)
        {
            return Err(Refusal::BadRequest("displayName is too long".to_owned()));
        }
        let display_name = display_name.map(Arc::from);
        let session = self.sessions.get(&asked.session).ok_or(Refusal::Internal)?;
        if session
            .place
            .as_ref()
            .is_some_and(|place| *place.room == *room)
        {
            return self.join_again(asked.session, display_name);
        }
        match self.rooms.get(room) {
            Some(it) if it.participants.len() >= caps.participants_max => {
                return Err(Refusal::LimitReached("participants"));
            }
            None if self.rooms.len() >= caps.rooms_max => {
                return Err(Refusal::LimitReached("rooms"));
            }
            Some(_) | None => {}
        }
        let peer = session.peer;
        self.leave(asked.session, Some(Refusal::NotInRoom));
        self.enter(
            asked.session,
            Arc::from(room),
            Participant {
                session: asked.session,
                peer,
                display_name,
                producers: Vec::new(),
            },
        )
    }

    /// Enters the room one is in: media starts afresh, and the others are not told of somebody new.
    fn join_again(&mut self, id: SessionId, display_name: Option<Arc<str>>) -> Outcome {
        let place = self.place(id)?;
        self.end_media(id, Some(Refusal::NotInRoom));
        let room = self.rooms.get_mut(&place.room).ok_or(Refusal::Internal)?;
        if let Some(participant) = room.participants.get_mut(&place.order) {
            participant.display_name = display_name;
        }
        self.joined(id, place)
    }

    /// Enters a room that one is not in.
    fn enter(&mut self, id: SessionId, name: Arc<str>, participant: Participant) -> Outcome {
        let notice = Notice::ParticipantJoined {
            peer: participant.peer,
            display_name: participant.display_name.clone(),
        };
        tracing::info!(session = id.0, peer = %participant.peer, "a participant joined");
        let room = self.rooms.entry(Arc::clone(&name)).or_default();
        let order = room.enter(participant);
        let place = Place { room: name, order };
        if let Some(session) = self.sessions.get_mut(&id) {
            session.place = Some(place.clone());
        }
        self.tell_others(&place.room, id, &notice);
        self.joined(id, place)
    }

    /// The answer to somebody who entered.
    fn joined(&mut self, id: SessionId, place: Place) -> Outcome {
        let room = self.rooms.get(&place.room).ok_or(Refusal::Internal)?;
        let others = room.others(place.order);
        let producers: usize = others.iter().map(|it| it.producers.len()).sum();
        if let Some(session) = self.sessions.get_mut(&id) {
            session.rate.credit(producers * MESSAGES_PER_PRODUCER);
        }
        Ok(Some(Reply::Joined {
            room: place.room,
            others,
        }))
    }

    /// Makes a transport, and the room's router before it if there is none.
    fn create_transport(&mut self, asked: Asked, direction: Direction) -> Outcome {
        let place = self.place(asked.session)?;
        let held = self
            .sessions
            .get(&asked.session)
            .map_or(0, |it| it.transports.len());
        if held >= self.config.caps.transports_max {
            return Err(Refusal::LimitReached("transports"));
        }
        let Router { id: router, shard } = self.router(asked.now, &place.room)?;
        let transport = TransportId::draw(&mut self.rng);
        let session = self
            .sessions
            .get_mut(&asked.session)
            .ok_or(Refusal::Internal)?;
        session.transports.insert(
            transport,
            Transport {
                direction,
                shard,
                is_made: false,
            },
        );
        self.transports.insert(transport, asked.session);
        if let Some(load) = self.loads.get_mut(usize::from(shard.0)) {
            *load += 1;
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

    /// The router of a room. One is made on the shard with the fewest transports when there is none.
    fn router(&mut self, now: Time, name: &Arc<str>) -> Result<Router, Refusal> {
        let room = self.rooms.get_mut(name).ok_or(Refusal::Internal)?;
        if let Some(router) = room.router {
            return Ok(router);
        }
        let shards = (0..=u8::MAX).zip(&self.loads);
        let (shard, _) = shards
            .min_by_key(|(_, load)| **load)
            .ok_or(Refusal::Internal)?;
        let shard = ShardId(shard);
        let id = RouterId::draw(&mut self.rng);
        room.router = Some(Router { id, shard });
        let media_codecs = self.config.media_codecs.clone();
        let command = Command::CreateRouter {
            router: id,
            media_codecs,
        };
        let work = Work::Router {
            room: Arc::clone(name),
            router: id,
        };
        self.ask(now, None, (shard, command), work);
        Ok(Router { id, shard })
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
        self.place(asked.session)?;
        let producers_max = self.config.caps.producers_max;
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
        let ProducerSummary {
            producer: id,
            kind,
            paused,
            ..
        } = producer;
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
        let caps = &self.config.caps;
        let session = self
            .sessions
            .get_mut(&asked.session)
            .ok_or(Refusal::Internal)?;
        if session.consumers.len() + session.held.len() >= caps.consumers_max {
            return Err(Refusal::LimitReached("consumers"));
        }
        if let Some(transport) = transport.or(session.receive_transport) {
            return self.consume(asked, transport, wish);
        }
        let deadline = asked.now + caps.consume_patience;
        let Wish {
            producer,
            capabilities,
            start_paused,
        } = wish;
        let held = Held {
            deadline,
            id: asked.id,
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
        let session = self
            .sessions
            .get_mut(&asked.session)
            .ok_or(Refusal::Internal)?;
        let pipe = session.transport_for(transport, Direction::Recv);
        let shard = pipe.ok_or(Refusal::TransportNotFound)?.shard;
        let owner = self
            .producers
            .get(&producer)
            .ok_or(Refusal::ProducerNotFound)?;
        let consumer = ConsumerId::draw(&mut self.rng);
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
        self.forward(asked, shard, command, Work::Consume { consumer, producer })
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
            id: request,
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
                id: request.clone(),
            };
            if let Err(refusal) = self.consume(asked, transport, wish) {
                self.answer(id, &request, Err(refusal));
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
    fn stats(&mut self, asked: Asked, subject: Subject) -> Outcome {
        let (shard, command) = match subject {
            Subject::Transport(transport) => {
                let shard = self.own_transport(asked.session, transport)?;
                (shard, Command::TransportStats { transport })
            }
            Subject::Producer(producer) => {
                let shard = self.own_producer(asked.session, producer)?;
                (shard, Command::ProducerStats { producer })
            }
            Subject::Consumer(consumer) => {
                let shard = self.own_consumer(asked.session, consumer)?;
                (shard, Command::ConsumerStats { consumer })
            }
        };
        self.forward(asked, shard, command, Work::Stats { subject })
    }

    /// Sends a command for a request; the shard's answer will be its outcome.
    fn forward(&mut self, asked: Asked, shard: ShardId, command: Command, work: Work) -> Outcome {
        let asker = Some((asked.session, asked.id));
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
