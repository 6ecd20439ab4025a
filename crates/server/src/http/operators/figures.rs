//! Reads the figures of a participant's media from its shards. What one request reads is bounded, so that a page
//! that is open costs media threads little.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use watersmeet_conference::ShardId;
use watersmeet_conference::conference::ParticipantObjects;
use watersmeet_conference::message::Route;
use watersmeet_engine::command::{ConsumerStats, DtlsState, ProducerStats, Reply, TransportStats};

use super::line_quality::{LineFigures, judge};
use super::schemas::{OperatorParticipant, SentTrack};
use crate::hub::HubHandle;
use crate::shard::{STATS_PER_REQUEST_MAX, StatsObject};
use crate::turn_server::RelayedAddresses;

/// Participants of a room of which figures are read. Others are listed without.
const PARTICIPANTS_MAX: usize = 50;

/// Objects of each kind that are read of a participant.
const OBJECTS_MAX: usize = 16;

/// Denominator of the share of lost packets in reports (RFC 3550 §6.4.1).
const FRACTION: f64 = 256.0;

/// Statistics of a participant's media objects.
#[derive(Debug, Default)]
struct MediaStats {
    /// Its transports.
    transports: Vec<TransportStats>,
    /// Streams of its producers.
    streams: Vec<ProducerStats>,
    /// Its consumers.
    consumers: Vec<ConsumerStats>,
}

/// Reads the figures of the participants of a room, for one request.
#[derive(Debug)]
pub struct FiguresReader<'a> {
    /// Hub, which passes requests on to shards.
    hub: &'a HubHandle,
    /// Addresses from which the embedded TURN server relays.
    relayed: &'a RelayedAddresses,
    /// Shards that did not respond in time, and are asked no more.
    unresponsive: BTreeSet<ShardId>,
}

impl<'a> FiguresReader<'a> {
    /// Creates a reader that has asked no shard.
    pub const fn new(hub: &'a HubHandle, relayed: &'a RelayedAddresses) -> Self {
        Self {
            hub,
            relayed,
            unresponsive: BTreeSet::new(),
        }
    }

    /// Returns the participants, the first [`PARTICIPANTS_MAX`] with the figures of their media; without them where
    /// their shard does not respond.
    pub async fn read_all(&mut self, people: &[ParticipantObjects]) -> Vec<OperatorParticipant> {
        let mut described = Vec::with_capacity(people.len());
        for (index, person) in people.iter().enumerate() {
            described.push(match index < PARTICIPANTS_MAX {
                true => self.read(person).await,
                false => describe_without_figures(person),
            });
        }
        described
    }

    async fn read(&mut self, of: &ParticipantObjects) -> OperatorParticipant {
        let transports = of.transports.iter().take(OBJECTS_MAX);
        let transports = transports.map(|(shard, id)| (*shard, StatsObject::Transport(*id)));
        let producers = of.producers.iter().take(OBJECTS_MAX);
        let producers = producers.map(|(shard, id)| (*shard, StatsObject::Producer(*id)));
        let consumers = of.consumers.iter().take(OBJECTS_MAX);
        let consumers = consumers.map(|(shard, id)| (*shard, StatsObject::Consumer(*id)));
        let mut objects: Vec<_> = transports.chain(producers).chain(consumers).collect();
        objects.sort_by_key(|(shard, _)| *shard);
        let mut stats = MediaStats::default();
        for of_shard in objects.chunk_by(|one, other| one.0 == other.0) {
            for chunk in of_shard.chunks(STATS_PER_REQUEST_MAX) {
                stats.add(self.read_chunk(chunk).await);
            }
        }
        stats.describe(self.relayed, of)
    }

    /// Reads objects of one shard.
    async fn read_chunk(&mut self, objects: &[(ShardId, StatsObject)]) -> Vec<Option<Reply>> {
        let Some((shard, _)) = objects.first() else {
            return Vec::new();
        };
        if self.unresponsive.contains(shard) {
            return Vec::new();
        }
        let objects = objects.iter().map(|(_, object)| *object).collect();
        let read = self.hub.stats(*shard, objects).await;
        if read.is_none() {
            self.unresponsive.insert(*shard);
        }
        read.unwrap_or_default()
    }
}

impl MediaStats {
    fn add(&mut self, replies: Vec<Option<Reply>>) {
        for reply in replies.into_iter().flatten() {
            match reply {
                Reply::TransportStats(stats) => self.transports.push(*stats),
                Reply::ProducerStats(streams) => self.streams.extend(streams),
                Reply::ConsumerStats(stats) => self.consumers.push(*stats),
                _ => {}
            }
        }
    }

    /// Describes the participant with its figures.
    fn describe(&self, relayed: &RelayedAddresses, of: &ParticipantObjects) -> OperatorParticipant {
        let mut described = describe_without_figures(of);
        let mut connected = self.transports.iter();
        let is_connected = |it: &TransportStats| it.dtls_state == DtlsState::Connected;
        let line = LineFigures {
            is_interrupted: of.participant.is_interrupted,
            is_unconnected: !self.transports.is_empty() && !connected.any(is_connected),
            route: self.route(relayed),
            loss_in: share(self.streams.iter().map(|it| it.fraction_lost)),
            loss_out: share(self.consumers.iter().map(|it| it.fraction_lost)),
            round_trip_ms: self.round_trip_ms(),
        };
        let (quality, problems) = judge(&line);
        described.quality = quality;
        described.problems = problems;
        described.route = line.route.map(Into::into);
        described.loss_in = line.loss_in;
        described.loss_out = line.loss_out;
        described.round_trip_ms = line.round_trip_ms;
        let sum = |of: fn(&TransportStats) -> u64| self.transports.iter().map(of).sum();
        described.bitrate_in = sum(|it| it.recv_bitrate);
        described.bitrate_out = sum(|it| it.send_bitrate);
        let estimates = self.transports.iter();
        described.estimate = estimates.map(|it| it.available_outgoing_bitrate).max();
        described
    }

    /// Returns the worst route of its transports.
    fn route(&self, relayed: &RelayedAddresses) -> Option<Route> {
        let tuples = self.transports.iter();
        let tuples = tuples.filter_map(|it| it.ice_selected_tuple.as_ref());
        let routes = tuples.map(|tuple| {
            let ip: Option<IpAddr> = tuple.remote_ip.parse().ok();
            let address = ip.map(|ip| SocketAddr::new(ip, tuple.remote_port));
            Route::of_path(
                tuple.protocol,
                address.is_some_and(|it| relayed.contains(it)),
            )
        });
        routes.max()
    }

    /// Returns the longest round trip that is known.
    fn round_trip_ms(&self) -> Option<f64> {
        let known = self.consumers.iter().map(|it| it.round_trip_time);
        known.filter(|it| *it > 0.0).reduce(f64::max)
    }
}

/// Describes a participant of whose media nothing is read.
fn describe_without_figures(of: &ParticipantObjects) -> OperatorParticipant {
    let sends = of.participant.producers.iter().map(SentTrack::from);
    OperatorParticipant {
        sends: sends.collect(),
        receives: of.consumers.len(),
        ..OperatorParticipant::new(&of.participant, of.dialect)
    }
}

/// Returns the largest of several shares of lost packets, from 0 to 1.
fn share(fractions: impl Iterator<Item = u8>) -> Option<f64> {
    fractions.max().map(|worst| f64::from(worst) / FRACTION)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand_chacha::rand_core::SeedableRng;
    use tokio::time::Instant;
    use watersmeet_conference::message::{ParticipantSummary, PeerId, Role};
    use watersmeet_engine::command::TransportId;
    use watersmeet_wire::units::Rng;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn shard_that_does_not_respond_is_awaited_once() {
        let (hub, _unread) = HubHandle::of_unresponsive_hub();
        let relayed = RelayedAddresses::default();
        let person = ParticipantObjects {
            participant: ParticipantSummary {
                peer: PeerId::from_user_id("ana"),
                display_name: None,
                user: None,
                claimed_user: None,
                device: None,
                role: Role::Host,
                is_interrupted: false,
                producers: Vec::new(),
            },
            dialect: "native",
            transports: vec![(
                ShardId(0),
                TransportId::generate(&mut Rng::seed_from_u64(1)),
            )],
            producers: Vec::new(),
            consumers: Vec::new(),
        };
        let people = vec![person; PARTICIPANTS_MAX];
        let start = Instant::now();
        let described = FiguresReader::new(&hub, &relayed).read_all(&people).await;
        assert_eq!(described.len(), PARTICIPANTS_MAX);
        assert!(start.elapsed() < Duration::from_secs(3));
    }

    #[test]
    fn share_of_lost_packets_is_that_of_the_worst_stream() {
        assert_eq!(share([0, 64, 3].into_iter()), Some(0.25));
        assert_eq!(share(std::iter::empty()), None);
    }
}
