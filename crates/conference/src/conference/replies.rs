//! What a shard's answer leads to: the reply to whoever asked, the notices to everybody else, and
//! the undoing of what was begun when the answer is no or never comes.

use watersmeet_engine::command::{self, Command, ConsumerId, ProducerId, TransportId};
use watersmeet_wire::params::{MediaKind, RtpParameters};
use watersmeet_wire::units::Time;

use super::{Conference, Pending, Timer, Work};
use crate::dialect::RequestTag;
use crate::message::{
    CommandToken, CreatedConsumer, CreatedTransport, Direction, Notice, PeerId, ProducerSummary,
    Refusal, Reply, SessionId,
};
use crate::room::Producer;

impl Conference {
    /// What the answer for somebody's request means.
    pub(super) fn conclude(
        &mut self,
        session: SessionId,
        work: Work,
        result: Result<command::Reply, command::Refusal>,
    ) -> Result<Reply, Refusal> {
        match result {
            Ok(reply) => self.conclude_done(session, work, reply),
            Err(refusal) => {
                self.undo(session, &work);
                Err(refusal.into())
            }
        }
    }

    /// What it means that something was done.
    fn conclude_done(
        &mut self,
        session: SessionId,
        work: Work,
        reply: command::Reply,
    ) -> Result<Reply, Refusal> {
        Ok(match (work, reply) {
            (
                Work::CreateTransport {
                    transport,
                    direction,
                },
                command::Reply::Transport {
                    ice,
                    candidates,
                    dtls,
                },
            ) => self.finish_transport(
                session,
                CreatedTransport {
                    transport,
                    direction,
                    key: None,
                    ice,
                    candidates,
                    dtls,
                    ice_servers: self.ice_servers_for(session),
                },
            )?,
            (Work::ConnectTransport { transport }, command::Reply::Done) => {
                Reply::TransportConnected { transport }
            }
            (Work::RestartIce { transport }, command::Reply::IceRestarted { ice }) => {
                Reply::IceRestarted { transport, ice }
            }
            (Work::Produce { producer }, command::Reply::Producer { consumable }) => {
                self.announce(session, producer, consumable)?
            }
            (Work::PauseProducer { producer, paused }, command::Reply::Done) => {
                self.announce_pause(session, producer, paused)?
            }
            (work @ Work::Consume { .. }, command::Reply::Consumer { kind, rtp, .. }) => {
                self.finish_consumer(session, &work, kind, rtp)?
            }
            (Work::PauseConsumer { consumer, paused }, command::Reply::Done) => {
                Reply::ConsumerPaused { consumer, paused }
            }
            (Work::SetPreferredLayers { consumer }, command::Reply::Done) => {
                Reply::PreferredLayersSet { consumer }
            }
            (Work::RequestKeyframe { consumer }, command::Reply::Done) => {
                Reply::KeyframeRequested { consumer }
            }
            (Work::Stats { subject }, reply) => Reply::Stats {
                subject,
                reports: reports(&reply)?,
            },
            (work, _) => {
                debug_assert!(false, "an answer to another question: {work:?}");
                self.undo(session, &work);
                return Err(Refusal::Internal);
            }
        })
    }

    /// Notes that a transport can be used, if it is still wanted, and tells those who asked for the
    /// same one meanwhile.
    fn finish_transport(
        &mut self,
        id: SessionId,
        mut offer: CreatedTransport,
    ) -> Result<Reply, Refusal> {
        let (transport, direction) = (offer.transport, offer.direction);
        let session = self.sessions.get_mut(&id).ok_or(Refusal::Internal)?;
        let made = session.transports.get_mut(&transport);
        let made = made.ok_or(Refusal::TransportNotFound)?;
        offer.key = made.key;
        let offer = Box::new(offer);
        // Only clients that ask by key ever ask again.
        made.offer = Some(offer.clone());
        let also_asked = std::mem::take(&mut made.also_asked);
        if direction == Direction::Recv {
            session.receive_transport = Some(transport);
        }
        for tag in also_asked {
            self.answer(id, &tag, Ok(Reply::TransportCreated(offer.clone())));
        }
        Ok(Reply::TransportCreated(offer))
    }

    /// Puts a new producer into its room and tells the others.
    fn announce(
        &mut self,
        id: SessionId,
        producer: ProducerSummary,
        consumable: Box<RtpParameters>,
    ) -> Result<Reply, Refusal> {
        let producer_id = producer.producer;
        let session = self.sessions.get(&id).ok_or(Refusal::Internal)?;
        let shard = session.producer_shard(producer_id);
        let shard = shard.ok_or(Refusal::TransportNotFound)?;
        let place = session.place.clone().ok_or(Refusal::NotInRoom)?;
        let room = self.rooms.get_mut(&place.room).ok_or(Refusal::Internal)?;
        let owner = room
            .participants
            .get_mut(&place.order)
            .ok_or(Refusal::Internal)?;
        owner.producers.push(Producer {
            summary: producer.clone(),
            shard,
            consumable,
            pipes: Default::default(),
            consumers: Default::default(),
        });
        let notice = Notice::ProducerAdded {
            peer: owner.peer.clone(),
            display_name: owner.display_name.clone(),
            producer: producer.clone(),
        };
        let others = room.participants.iter();
        let others = others.filter(|(order, _)| **order != place.order);
        let others = others.map(|(_, it)| it.producers.len()).sum();
        self.producers.insert(producer_id, place.clone());
        self.tell_others(&place.room, id, &notice);
        Ok(Reply::Produced { producer, others })
    }

    /// Notes that a producer was paused or resumed and tells the others, if it is news.
    fn announce_pause(
        &mut self,
        id: SessionId,
        producer: ProducerId,
        paused: bool,
    ) -> Result<Reply, Refusal> {
        let place = self
            .producers
            .get(&producer)
            .cloned()
            .ok_or(Refusal::ProducerNotFound)?;
        let room = self.rooms.get_mut(&place.room).ok_or(Refusal::Internal)?;
        let summary = room
            .producer_mut(place.order, producer)
            .map(|it| &mut it.summary);
        let summary = summary.ok_or(Refusal::ProducerNotFound)?;
        let is_news = summary.paused != paused;
        summary.paused = paused;
        if is_news {
            let peer = self
                .sessions
                .get(&id)
                .ok_or(Refusal::Internal)?
                .peer
                .clone();
            let notice = Notice::ProducerPaused {
                peer,
                producer,
                paused,
            };
            self.tell_others(&place.room, id, &notice);
        }
        Ok(Reply::ProducerPaused { producer, paused })
    }

    /// Tells a consumer to the one it is for.
    fn finish_consumer(
        &self,
        session: SessionId,
        work: &Work,
        kind: MediaKind,
        rtp: RtpParameters,
    ) -> Result<Reply, Refusal> {
        let &Work::Consume {
            consumer,
            producer,
            transport,
            paused,
        } = work
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

    /// Which producer of whom a new consumer receives, if both are still there.
    fn consumed(
        &self,
        id: SessionId,
        consumer: ConsumerId,
        producer: ProducerId,
    ) -> Result<(PeerId, ProducerSummary), Refusal> {
        let session = self.sessions.get(&id).ok_or(Refusal::Internal)?;
        if !session.consumers.contains_key(&consumer) {
            return Err(Refusal::ProducerNotFound);
        }
        let place = self
            .producers
            .get(&producer)
            .ok_or(Refusal::ProducerNotFound)?;
        let room = self.rooms.get(&place.room).ok_or(Refusal::Internal)?;
        let owner = room.participants.get(&place.order);
        let owner = owner.ok_or(Refusal::Internal)?;
        let mut summaries = owner.producers.iter().map(|it| &it.summary);
        let source = summaries.find(|it| it.producer == producer);
        let source = source.ok_or(Refusal::ProducerNotFound)?;
        Ok((owner.peer.clone(), source.clone()))
    }

    /// Takes back what was noted when a command was sent that failed.
    fn undo(&mut self, session: SessionId, work: &Work) {
        match work {
            Work::CreateTransport { transport, .. } => {
                let also_asked = self.also_asked(session, *transport);
                self.forget_transport(session, *transport);
                for tag in also_asked {
                    self.answer(session, &tag, Err(Refusal::TransportNotFound));
                }
            }
            Work::Produce { producer } => {
                if let Some(session) = self.sessions.get_mut(&session) {
                    session.producers.remove(&producer.producer);
                }
            }
            Work::Consume { consumer, .. } => {
                self.forget_consumer(*consumer);
            }
            Work::Router { .. }
            | Work::Pipe { .. }
            | Work::ConnectTransport { .. }
            | Work::RestartIce { .. }
            | Work::PauseProducer { .. }
            | Work::PauseConsumer { .. }
            | Work::SetPreferredLayers { .. }
            | Work::RequestKeyframe { .. }
            | Work::Stats { .. } => {}
        }
    }

    /// Takes the further requests for a transport that is not made yet.
    fn also_asked(&mut self, id: SessionId, transport: TransportId) -> Vec<RequestTag> {
        let session = self.sessions.get_mut(&id);
        let transport = session.and_then(|it| it.transports.get_mut(&transport));
        transport.map_or_else(Vec::new, |it| std::mem::take(&mut it.also_asked))
    }

    /// A shard did not answer in time. What it may yet do is reversed.
    pub(super) fn give_up_answer(&mut self, now: Time, token: CommandToken) {
        let Some(Pending { asker, work, .. }) = self.take_pending(token) else {
            return;
        };
        let Some((session, tag)) = asker else {
            self.give_up_unasked(work);
            return;
        };
        self.reverse(session, &work);
        self.undo(session, &work);
        self.answer(session, &tag, Err(Refusal::TimedOut));
        self.admit_waiting(now, session);
    }

    /// Reverses what a command that was not answered may yet do.
    fn reverse(&mut self, id: SessionId, work: &Work) {
        let Some(session) = self.sessions.get(&id) else {
            return;
        };
        let reversal = match *work {
            Work::CreateTransport { transport, .. } => session
                .transports
                .get(&transport)
                .map(|it| (it.shard, Command::CloseTransport { transport })),
            Work::Produce { ref producer } => {
                let producer = producer.producer;
                let shard = session.producer_shard(producer);
                shard.map(|it| (it, Command::CloseProducer { producer }))
            }
            // The room goes by what it last knew, so the shard must too.
            Work::PauseProducer { producer, paused } => {
                let command = match paused {
                    true => Command::ResumeProducer { producer },
                    false => Command::PauseProducer { producer },
                };
                let shard = session.producer_shard(producer);
                let is_news = self.is_paused(producer).is_some_and(|it| it != paused);
                shard.filter(|_| is_news).map(|it| (it, command))
            }
            Work::Consume { consumer, .. } => {
                let shard = session.consumer_shard(consumer);
                shard.map(|it| (it, Command::CloseConsumer { consumer }))
            }
            _ => None,
        };
        if let Some((shard, command)) = reversal {
            self.command(shard, command);
        }
    }

    /// Whether an announced producer is paused, as its room knows it.
    fn is_paused(&self, producer: ProducerId) -> Option<bool> {
        let place = self.producers.get(&producer)?;
        let owner = self
            .rooms
            .get(&place.room)?
            .participants
            .get(&place.order)?;
        let summaries = owner.producers.iter().map(|it| &it.summary);
        summaries
            .filter(|it| it.producer == producer)
            .map(|it| it.paused)
            .next()
    }

    /// Somebody's receive transport did not come in time for its oldest wish.
    pub(super) fn give_up_held(&mut self, now: Time, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let mut late = Vec::new();
        while let Some(held) = session.held.pop_front_if(|it| it.deadline <= now) {
            late.push(held);
        }
        if let Some(next) = session.held.front() {
            self.timers.insert((next.deadline, Timer::Held(id)));
        }
        for held in late {
            self.answer(id, &held.tag, Err(Refusal::TransportNotFound));
        }
    }
}

/// The statistics in an answer, as the list of reports that clients get.
fn reports(reply: &command::Reply) -> Result<Vec<serde_json::Value>, Refusal> {
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
