//! One room: who is in it, in the order they came, and what they send. A room knows no frames and
//! sends nothing; it answers who is there and who must hear of what.

use std::collections::BTreeSet;
use std::sync::Arc;

use watersmeet_engine::command::{ConsumerId, ProducerId, RouterId};
use watersmeet_wire::params::RtpParameters;
use watersmeet_wire::units::{Map, Time};

use crate::message::{
    ParticipantSummary, PeerId, Policy, ProducerSummary, Role, SessionId, ShardId, User,
};

/// One room.
#[derive(Debug)]
pub(crate) struct Room {
    /// Where its media is, once somebody has made a transport: one router for each shard, its home
    /// first.
    pub routers: Vec<Router>,
    /// Who is in it, by the order of entering.
    pub participants: Map<u64, Participant>,
    /// Who has a seat but has not entered yet: nobody knows of them.
    pub unseen: Map<u64, SessionId>,
    /// Who waits to be let in, by the order of coming.
    pub waiting: Map<u64, Participant>,
    /// Who may enter.
    pub policy: Policy,
    /// Whether somebody has decided that; otherwise the first who enters may.
    pub is_decided: bool,
    /// Since when it is there.
    pub created_at: Time,
    /// Who made it, as that one wants to be called.
    pub host_name: Option<Arc<str>>,
    /// Whether hosts are known by their tokens. Otherwise the first who enters is the host.
    pub has_host_token: bool,
    /// Until when it stays though nobody has come yet.
    pub reserved_until: Option<Time>,
    /// The number of the next who enters.
    next_order: u64,
}

/// A room's share of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Router {
    /// Its id.
    pub id: RouterId,
    /// Where it is.
    pub shard: ShardId,
}

/// Somebody in a room.
#[derive(Debug)]
pub(crate) struct Participant {
    /// The connection.
    pub session: SessionId,
    /// The public name.
    pub peer: PeerId,
    /// How it wants to be seen.
    pub display_name: Option<Arc<str>>,
    /// Whom its token names.
    pub user: Option<User>,
    /// Who it says it is, if no token says so.
    pub claimed_user: Option<Arc<str>>,
    /// What it may do.
    pub role: Role,
    /// Whether it may receive.
    pub can_subscribe: bool,
    /// What it sends, oldest first. A producer is here from the moment that others are told of it
    /// until the moment that they are told of its end.
    pub producers: Vec<Producer>,
}

/// Something that a participant sends.
#[derive(Debug)]
pub(crate) struct Producer {
    /// What others are told of it.
    pub summary: ProducerSummary,
    /// Where it is sent to.
    pub shard: ShardId,
    /// What can be consumed of it, as its shard said.
    pub consumable: Box<RtpParameters>,
    /// The other shards where it is known.
    pub pipes: BTreeSet<ShardId>,
    /// Who receives it, those that are being made included.
    pub consumers: Map<ConsumerId, SessionId>,
}

impl Room {
    /// A room without anybody in it.
    pub(crate) fn new(now: Time, policy: Policy) -> Self {
        Self {
            routers: Vec::new(),
            participants: Map::new(),
            unseen: Map::new(),
            waiting: Map::new(),
            policy,
            is_decided: false,
            created_at: now,
            host_name: None,
            has_host_token: false,
            reserved_until: None,
            next_order: 0,
        }
    }

    /// Lets somebody in and tells the number it has here.
    pub(crate) fn enter(&mut self, participant: Participant) -> u64 {
        let order = self.draw_order();
        self.participants.insert(order, participant);
        self.reserved_until = None;
        order
    }

    /// Gives somebody a seat and tells the number it has here.
    pub(crate) fn seat(&mut self, session: SessionId) -> u64 {
        let order = self.draw_order();
        self.unseen.insert(order, session);
        order
    }

    /// Lets somebody wait and tells the number it has here.
    pub(crate) fn wait(&mut self, participant: Participant) -> u64 {
        let order = self.draw_order();
        self.waiting.insert(order, participant);
        order
    }

    /// The next number.
    fn draw_order(&mut self) -> u64 {
        let order = self.next_order;
        self.next_order += 1;
        order
    }

    /// Whether nobody is in it, seen or unseen.
    pub(crate) fn is_empty(&self) -> bool {
        self.participants.is_empty() && self.unseen.is_empty()
    }

    /// Whether nobody is in it, waits for it, or is expected.
    pub(crate) fn is_unused(&self) -> bool {
        self.is_empty() && self.waiting.is_empty() && self.reserved_until.is_none()
    }

    /// Its router on a shard.
    pub(crate) fn router_on(&self, shard: ShardId) -> Option<RouterId> {
        let router = self.routers.iter().find(|it| it.shard == shard);
        router.map(|it| it.id)
    }

    /// Notes that none of its producers is known on a shard any more but those sent there.
    pub(crate) fn forget_pipes_to(&mut self, shard: ShardId) {
        let participants = self.participants.values_mut();
        for producer in participants.flat_map(|it| &mut it.producers) {
            producer.pipes.remove(&shard);
        }
    }

    /// Everybody who may have media here.
    pub(crate) fn sessions(&self) -> Vec<SessionId> {
        let seen = self.participants.values().map(|it| it.session);
        seen.chain(self.unseen.values().copied()).collect()
    }

    /// The participant of this name, with its number.
    pub(crate) fn participant(&self, peer: &str) -> Option<(u64, &Participant)> {
        let mut participants = self.participants.iter();
        let found = participants.find(|(_, it)| it.peer.as_str() == peer);
        found.map(|(order, it)| (*order, it))
    }

    /// The sessions of its hosts.
    pub(crate) fn hosts(&self) -> Vec<SessionId> {
        let hosts = self
            .participants
            .values()
            .filter(|it| it.role == Role::Host);
        hosts.map(|it| it.session).collect()
    }

    /// Everybody but the participant of this number, and what they send.
    pub(crate) fn others(&self, order: u64) -> Vec<ParticipantSummary> {
        self.participants
            .iter()
            .filter(|(it, _)| **it != order)
            .map(|(_, participant)| participant.summary())
            .collect()
    }

    /// Everybody and what they send.
    pub(crate) fn everybody(&self) -> Vec<ParticipantSummary> {
        self.participants
            .values()
            .map(Participant::summary)
            .collect()
    }

    /// A producer of the participant of this number.
    pub(crate) fn producer_mut(&mut self, order: u64, id: ProducerId) -> Option<&mut Producer> {
        let participant = self.participants.get_mut(&order)?;
        participant
            .producers
            .iter_mut()
            .find(|it| it.summary.producer == id)
    }
}

impl Participant {
    /// Who it is, or says it is.
    pub(crate) fn known_as(&self) -> Option<Arc<str>> {
        let user = self.user.as_ref().map(|it| Arc::clone(&it.id));
        user.or_else(|| self.claimed_user.clone())
    }

    /// What others are told of it.
    pub(crate) fn summary(&self) -> ParticipantSummary {
        ParticipantSummary {
            peer: self.peer.clone(),
            display_name: self.display_name.clone(),
            user: self.user.clone(),
            role: self.role,
            producers: self.producers.iter().map(|it| it.summary.clone()).collect(),
        }
    }

    /// Takes a producer away.
    pub(crate) fn remove_producer(&mut self, id: ProducerId) -> Option<Producer> {
        let index = self
            .producers
            .iter()
            .position(|it| it.summary.producer == id)?;
        Some(self.producers.remove(index))
    }
}
