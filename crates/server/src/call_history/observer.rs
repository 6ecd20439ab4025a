//! Collects the samples of all shards for one observation of the conference. Observations are made one after the other:
//! a shard that has not responded before the next is due is left out of this one.

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
    /// History that gets the observations.
    pub history: CallHistory,
    /// Interval between observations.
    pub interval: Duration,
    /// Addresses from which the embedded TURN server relays.
    relayed: Arc<RelayedAddresses>,
    /// Samples for the observation in progress.
    round: SampleRound,
}

/// Samples for one observation.
#[derive(Debug, Default)]
struct SampleRound {
    /// Number of the observation, which requests and responses carry.
    number: u64,
    /// Samples of the shards that have responded.
    samples: Vec<TransportSample>,
    /// Number of shards that have not.
    awaited: usize,
}

impl Observer {
    /// Creates an observer that has asked no shard.
    pub fn new(history: CallHistory, interval: Duration, relayed: Arc<RelayedAddresses>) -> Self {
        Self {
            history,
            interval,
            relayed,
            round: SampleRound::default(),
        }
    }

    /// Begins an observation. The one before ends with the samples that it has. `request` asks the shards for samples
    /// of the number that it is passed, and returns how many were asked.
    pub fn start(
        &mut self,
        now: Time,
        conference: &mut Conference,
        request: impl FnOnce(u64) -> usize,
    ) {
        if let Some(samples) = self.round.start(request) {
            self.observe(now, conference, &samples);
        }
    }

    /// Records the samples of a shard for the observation of this number, and observes when they are the last.
    pub fn record_samples(
        &mut self,
        now: Time,
        conference: &mut Conference,
        round: u64,
        samples: Vec<TransportSample>,
    ) {
        if let Some(samples) = self.round.record(round, samples) {
            self.observe(now, conference, &samples);
        }
    }

    fn observe(&self, now: Time, conference: &mut Conference, samples: &[TransportSample]) {
        let is_relay = |address| self.relayed.contains(address);
        let rooms = conference.observe_rooms(now, samples, &is_relay);
        self.history.record_observations(now, rooms);
    }
}

impl SampleRound {
    /// Begins the next round. Returns the samples of the one before, if it is not complete.
    fn start(&mut self, request: impl FnOnce(u64) -> usize) -> Option<Vec<TransportSample>> {
        let samples = std::mem::take(&mut self.samples);
        let is_incomplete = self.awaited > 0;
        self.number += 1;
        self.awaited = request(self.number);
        is_incomplete.then_some(samples)
    }

    /// Adds the samples of a shard, unless they are of an earlier round. Returns all when they are the last.
    fn record(
        &mut self,
        round: u64,
        samples: Vec<TransportSample>,
    ) -> Option<Vec<TransportSample>> {
        if round != self.number || self.awaited == 0 {
            return None;
        }
        self.samples.extend(samples);
        self.awaited -= 1;
        (self.awaited == 0).then(|| std::mem::take(&mut self.samples))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_to_an_earlier_round_does_not_stand_for_one_that_is_missing() {
        let mut round = SampleRound::default();
        assert!(round.start(|_| 2).is_none());
        assert!(round.record(1, Vec::new()).is_none());
        // The second shard responds late.
        assert!(round.start(|_| 2).is_some());
        assert!(round.record(1, Vec::new()).is_none());
        assert!(round.record(2, Vec::new()).is_none());
        assert!(round.record(2, Vec::new()).is_some());
        assert!(round.start(|_| 0).is_none());
    }
}
