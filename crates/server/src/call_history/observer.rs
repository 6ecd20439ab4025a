//! Collects the samples of all shards for one observation of the conference. One observation is made at a time: a
//! shard that has not answered before the next is due is left out.

use std::sync::Arc;
use std::time::Duration;

use watersmeet_conference::Conference;
use watersmeet_engine::command::TransportSample;
use watersmeet_wire::units::Time;

use super::handle::CallHistory;
use crate::turn_server::RelayedAddresses;

/// Collects samples, and passes observations to the history.
#[derive(Debug)]
pub struct Observer {
    /// Where observations go.
    pub history: CallHistory,
    /// Interval between observations.
    pub interval: Duration,
    /// Addresses from which the embedded TURN server relays.
    relayed: Arc<RelayedAddresses>,
    /// Samples of the shards that have answered.
    samples: Vec<TransportSample>,
    /// Shards that have not.
    awaited: usize,
}

impl Observer {
    /// Creates an observer that has asked nobody.
    pub const fn new(
        history: CallHistory,
        interval: Duration,
        relayed: Arc<RelayedAddresses>,
    ) -> Self {
        Self {
            history,
            interval,
            relayed,
            samples: Vec::new(),
            awaited: 0,
        }
    }

    /// Records that this number of shards was asked for samples. Observes with those of the last time if some are
    /// still missing.
    pub fn start(&mut self, now: Time, conference: &mut Conference, shards: usize) {
        if self.awaited > 0 {
            self.observe(now, conference);
        }
        self.awaited = shards;
    }

    /// Records the samples of a shard, and observes when they were the last.
    pub fn record_samples(
        &mut self,
        now: Time,
        conference: &mut Conference,
        samples: Vec<TransportSample>,
    ) {
        self.samples.extend(samples);
        if self.awaited > 0 {
            self.awaited -= 1;
            if self.awaited == 0 {
                self.observe(now, conference);
            }
        }
    }

    fn observe(&mut self, now: Time, conference: &mut Conference) {
        let samples = std::mem::take(&mut self.samples);
        let is_relay = |address| self.relayed.contains(address);
        let rooms = conference.observe_rooms(now, &samples, &is_relay);
        self.history.record_observations(now, rooms);
    }
}
