//! Placement of rooms and participants on shards. A room starts on the least loaded shard. When
//! that is full, new participants are placed on another one. All transports of a participant are on
//! one shard, and stay there during a call.
//!
//! The caller measures the load of each shard. Between two measurements, the load is estimated from
//! the number of transports.

use std::sync::Arc;

use watersmeet_engine::command::RouterId;
use watersmeet_wire::units::Map;

use crate::message::ShardId;

/// Load estimated for a transport before the next measurement of its shard, in thousandths of a
/// core. A transport that receives half a dozen cameras causes this much.
const TRANSPORT_PERMILLE: usize = 2;

/// Router of a room on one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RoomRouter {
    /// Id of the router.
    pub id: RouterId,
    /// Shard that it is on.
    pub shard: ShardId,
}

/// Placement of rooms and participants on shards.
#[derive(Debug)]
pub(super) struct Placement {
    /// Load of each shard, by its number.
    loads: Vec<ShardLoad>,
    /// Load from which on new participants are placed on another shard, in thousandths of a core.
    spread_above_permille: usize,
    /// Routers of each room that has media, one for each of its shards, oldest first.
    routers: Map<Arc<str>, Vec<RoomRouter>>,
    /// Room of each router.
    rooms: Map<RouterId, Arc<str>>,
}

/// Measured load and number of transports of a shard.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct ShardLoad {
    /// Transports on it.
    transports: usize,
    /// Measured load, in thousandths of a core.
    busy_permille: usize,
    /// Transports on it when it was measured.
    measured_transports: usize,
}

impl ShardLoad {
    /// Returns the load estimated for now, in thousandths of a core.
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

impl Placement {
    /// Returns the placement over `shards` idle shards, at least one.
    pub(super) fn new(shards: u8, spread_above_permille: u16) -> Self {
        Self {
            loads: vec![ShardLoad::default(); usize::from(shards.max(1))],
            spread_above_permille: spread_above_permille.into(),
            routers: Map::new(),
            rooms: Map::new(),
        }
    }

    /// Records the measured load of a shard, in thousandths of a core.
    pub(super) fn record_load(&mut self, shard: ShardId, busy_permille: u16) {
        if let Some(load) = self.load_mut(shard) {
            load.busy_permille = busy_permille.into();
            load.measured_transports = load.transports;
        }
    }

    /// Returns the measured load of a shard, in percent of a core.
    pub(super) fn busy_percent(&self, shard: ShardId) -> u8 {
        let load = self.loads.get(usize::from(shard.0));
        let percent = load.map_or(0, |it| it.busy_permille / 10);
        u8::try_from(percent).unwrap_or(u8::MAX)
    }

    /// Counts a new transport.
    pub(super) fn add_transport(&mut self, shard: ShardId) {
        if let Some(load) = self.load_mut(shard) {
            load.transports += 1;
        }
    }

    /// Counts a closed transport.
    pub(super) fn remove_transport(&mut self, shard: ShardId) {
        if let Some(load) = self.load_mut(shard) {
            load.transports = load.transports.saturating_sub(1);
        }
    }

    /// Chooses the shard of a participant that has no transports yet: the first of the room's
    /// shards that is not full, or else the least loaded.
    pub(super) fn choose_shard(&self, room: &str) -> Option<ShardId> {
        let is_free = |shard: ShardId| {
            let load = self.loads.get(usize::from(shard.0));
            load.is_some_and(|load| load.expected_permille() < self.spread_above_permille)
        };
        let mut shards = self.routers_of(room).iter().map(|router| router.shard);
        if let Some(shard) = shards.find(|shard| is_free(*shard)) {
            return Some(shard);
        }
        let loads = (0..=u8::MAX).zip(&self.loads);
        let least = loads.min_by_key(|(_, load)| (load.expected_permille(), load.transports));
        least.map(|(shard, _)| ShardId(shard))
    }

    /// Returns the routers of a room.
    pub(super) fn routers_of(&self, room: &str) -> &[RoomRouter] {
        self.routers.get(room).map_or(&[], Vec::as_slice)
    }

    /// Returns the router of a room on a shard.
    pub(super) fn router_on(&self, room: &str, shard: ShardId) -> Option<RouterId> {
        let mut routers = self.routers_of(room).iter();
        routers.find(|it| it.shard == shard).map(|it| it.id)
    }

    /// Returns the shard of a room's router.
    pub(super) fn shard_of_router(&self, room: &str, router: RouterId) -> Option<ShardId> {
        let mut routers = self.routers_of(room).iter();
        routers.find(|it| it.id == router).map(|it| it.shard)
    }

    /// Returns the room of a router.
    pub(super) fn room_of(&self, router: RouterId) -> Option<&Arc<str>> {
        self.rooms.get(&router)
    }

    /// Adds a router of a room.
    pub(super) fn add_router(&mut self, room: &Arc<str>, router: RoomRouter) {
        self.rooms.insert(router.id, Arc::clone(room));
        let routers = self.routers.entry(Arc::clone(room)).or_default();
        routers.push(router);
    }

    /// Removes a router of a room, so that the room can get a new one on that shard.
    pub(super) fn remove_router(&mut self, room: &str, router: RouterId) {
        self.rooms.remove(&router);
        if let Some(routers) = self.routers.get_mut(room) {
            routers.retain(|it| it.id != router);
            if routers.is_empty() {
                self.routers.remove(room);
            }
        }
    }

    /// Removes and returns all routers of a room.
    pub(super) fn take_routers(&mut self, room: &str) -> Vec<RoomRouter> {
        let routers = self.routers.remove(room).unwrap_or_default();
        for router in &routers {
            self.rooms.remove(&router.id);
        }
        routers
    }

    /// Returns the rooms that have a router on a shard, sorted by name.
    pub(super) fn rooms_on(&self, shard: ShardId) -> Vec<Arc<str>> {
        let rooms = self.routers.iter();
        let rooms = rooms.filter(|(_, routers)| routers.iter().any(|it| it.shard == shard));
        rooms.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// Returns the rooms that have routers.
    pub(super) fn rooms(&self) -> impl Iterator<Item = &Arc<str>> {
        self.routers.keys()
    }

    fn load_mut(&mut self, shard: ShardId) -> Option<&mut ShardLoad> {
        self.loads.get_mut(usize::from(shard.0))
    }
}
