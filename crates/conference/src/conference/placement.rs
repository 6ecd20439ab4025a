//! Where media lives. A room begins on the shard with the least to do and stays there as long as
//! that shard has room; who comes later is served by another, and the producers of one shard are
//! made known on the others where somebody consumes them. All transports of a participant are on one
//! shard, and nobody moves during a call.
//!
//! What shards have to do is measured outside and told here; between two measurements, transports
//! are counted.

use std::sync::Arc;

use watersmeet_engine::command::{self, Command, ProducerId, RouterId};
use watersmeet_wire::units::Time;

use super::{Conference, Work};
use crate::message::{Refusal, SessionId, ShardId};
use crate::room::Router;
use crate::session::Place;

/// What a transport is thought to cost before its shard was measured with it, in thousandths of a
/// core: what one that receives half a dozen cameras takes.
const TRANSPORT_PERMILLE: usize = 2;

/// What a shard has to do.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    /// Transports on it.
    pub transports: usize,
    /// How busy it was when it was measured, in thousandths of a core.
    busy_permille: usize,
    /// Transports on it at that time.
    measured_transports: usize,
}

impl Load {
    /// How busy it is thought to be now, in thousandths of a core.
    fn expected_permille(self) -> usize {
        let measured = self.measured_transports.max(1);
        match self.transports.checked_sub(self.measured_transports) {
            Some(more) => {
                let each = (self.busy_permille / measured).max(TRANSPORT_PERMILLE);
                self.busy_permille + more * each
            }
            None => self.busy_permille * self.transports / measured,
        }
    }
}

impl Conference {
    /// A shard was measured: how busy it is, in thousandths of a core.
    pub fn handle_shard_load(&mut self, shard: ShardId, busy_permille: u16) {
        if let Some(load) = self.loads.get_mut(usize::from(shard.0)) {
            load.busy_permille = usize::from(busy_permille);
            load.measured_transports = load.transports;
        }
    }

    /// The shard for the next transport of a participant: where its others are, or else the first
    /// of the room's shards that has room, or else the one with the least to do.
    pub(super) fn place_for(&self, session: SessionId, room: &str) -> Result<ShardId, Refusal> {
        let session = self.sessions.get(&session).ok_or(Refusal::Internal)?;
        if let Some(shard) = session.shard() {
            return Ok(shard);
        }
        let room = self.rooms.get(room).ok_or(Refusal::Internal)?;
        let spread_above = usize::from(self.config.spread_above_permille);
        let has_room = |shard: ShardId| {
            let load = self.loads.get(usize::from(shard.0));
            load.is_some_and(|load| load.expected_permille() < spread_above)
        };
        let mut shards = room.routers.iter().map(|router| router.shard);
        if let Some(shard) = shards.find(|shard| has_room(*shard)) {
            return Ok(shard);
        }
        let loads = (0..=u8::MAX).zip(&self.loads);
        let least = loads.min_by_key(|(_, load)| (load.expected_permille(), load.transports));
        least
            .map(|(shard, _)| ShardId(shard))
            .ok_or(Refusal::Internal)
    }

    /// The router of a room on a shard, which is made when there is none.
    pub(super) fn router(
        &mut self,
        now: Time,
        name: &Arc<str>,
        shard: ShardId,
    ) -> Result<RouterId, Refusal> {
        let room = self.rooms.get_mut(name).ok_or(Refusal::Internal)?;
        if let Some(router) = room.router_on(shard) {
            return Ok(router);
        }
        let id = RouterId::generate(&mut self.rng);
        room.routers.push(Router { id, shard });
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
        Ok(id)
    }

    /// Makes a producer known on a shard where it is to be consumed, unless it is known there.
    /// Commands to a shard are carried out in order, so whoever consumes it there need not wait.
    pub(super) fn reach(
        &mut self,
        now: Time,
        owner: &Place,
        producer: ProducerId,
        shard: ShardId,
    ) -> Result<(), Refusal> {
        let room = self.rooms.get_mut(&owner.room).ok_or(Refusal::Internal)?;
        let router = room.router_on(shard).ok_or(Refusal::TransportNotFound)?;
        let source = room.producer_mut(owner.order, producer);
        let source = source.ok_or(Refusal::ProducerNotFound)?;
        if source.shard == shard || !source.pipes.insert(shard) {
            return Ok(());
        }
        let command = Command::CreatePipedProducer {
            router,
            producer,
            kind: source.summary.kind,
            consumable: source.consumable.clone(),
            paused: source.summary.paused,
            origin: source.shard.0,
        };
        let router = Router { id: router, shard };
        let work = Work::Pipe { producer, router };
        self.ask(now, None, (shard, command), work);
        Ok(())
    }

    /// Notes that a producer is no longer known on a shard that is not its own. Says whether it was.
    pub(super) fn forget_pipe(&mut self, producer: ProducerId, shard: ShardId) -> bool {
        let Some(owner) = self.producers.get(&producer) else {
            return false;
        };
        let room = self.rooms.get_mut(&owner.room);
        let source = room.and_then(|it| it.producer_mut(owner.order, producer));
        source.is_some_and(|source| source.pipes.remove(&shard))
    }

    /// The same of one router: once its shard was lost, it says nothing of the room's next there.
    fn forget_pipe_to(&mut self, producer: ProducerId, router: Router) -> bool {
        let owner = self.producers.get(&producer);
        let room = owner.and_then(|it| self.rooms.get(&it.room));
        let is_present = room.is_some_and(|it| it.router_on(router.shard) == Some(router.id));
        is_present && self.forget_pipe(producer, router.shard)
    }

    /// What the answer for something means that nobody asked for: without a router, the next
    /// transport tries again; without a pipe, the next consumer.
    pub(super) fn conclude_unasked(
        &mut self,
        work: Work,
        result: Result<command::Reply, command::Refusal>,
    ) {
        let Err(refusal) = result else {
            return;
        };
        match work {
            Work::Router { room, router } => {
                tracing::error!(%refusal, "a router could not be made");
                self.forget_router(&room, router);
            }
            Work::Pipe { producer, router } if refusal != command::Refusal::IdInUse => {
                tracing::warn!(%refusal, "a producer cannot cross to another shard");
                self.forget_pipe_to(producer, router);
            }
            _ => {}
        }
    }

    /// A shard did not answer in time for something that nobody asked for. What it may yet do is
    /// reversed.
    pub(super) fn give_up_unasked(&mut self, work: Work) {
        match work {
            Work::Router { room, router } => {
                tracing::error!("a router was not made in time");
                let routers = self.rooms.get(&room).map(|it| it.routers.iter());
                let made = routers.and_then(|mut it| it.find(|it| it.id == router));
                if let Some(&Router { shard, .. }) = made {
                    self.command(shard, Command::CloseRouter { router });
                }
                self.forget_router(&room, router);
            }
            Work::Pipe { producer, router } => {
                tracing::warn!("a producer did not cross in time");
                if self.forget_pipe_to(producer, router) {
                    self.command(router.shard, Command::CloseProducer { producer });
                }
            }
            _ => {}
        }
    }

    /// Lets a room have another router.
    fn forget_router(&mut self, name: &str, router: RouterId) {
        if let Some(room) = self.rooms.get_mut(name) {
            room.routers.retain(|it| it.id != router);
        }
    }
}
