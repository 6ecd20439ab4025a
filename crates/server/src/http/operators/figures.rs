//! Reads the figures of a participant's media from its shards. What one request reads is bounded, so that a page
//! that is open costs media threads little.

use std::net::{IpAddr, SocketAddr};

use watersmeet_conference::ShardId;
use watersmeet_conference::conference::ParticipantObjects;
use watersmeet_engine::command::{
    ConsumerStats, DtlsState, ProducerStats, Protocol, Reply, TransportStats,
};

use super::super::site::SiteContext;
use super::line_quality::{LineFigures, judge};
use super::schemas::{OperatorParticipant, Route, SentTrack};
use crate::shard::{STATS_PER_REQUEST_MAX, StatsObject};

/// Participants of a room of which figures are read. Others are listed without.
pub const PARTICIPANTS_MAX: usize = 50;

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

/// Returns a participant with the figures of its media; without them where its shard does not respond.
pub async fn read(site: &SiteContext, of: &ParticipantObjects) -> OperatorParticipant {
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
            stats.add(read_chunk(site, chunk).await);
        }
    }
    stats.describe(site, of)
}

async fn read_chunk(
    site: &SiteContext,
    objects: &[(ShardId, StatsObject)],
) -> impl Iterator<Item = Reply> {
    let read = match objects.first() {
        Some((shard, _)) => {
            let objects = objects.iter().map(|(_, object)| *object).collect();
            site.hub.stats(*shard, objects).await
        }
        None => None,
    };
    read.unwrap_or_default().into_iter().flatten()
}

impl MediaStats {
    fn add(&mut self, replies: impl Iterator<Item = Reply>) {
        for reply in replies {
            match reply {
                Reply::TransportStats(stats) => self.transports.push(*stats),
                Reply::ProducerStats(streams) => self.streams.extend(streams),
                Reply::ConsumerStats(stats) => self.consumers.push(*stats),
                _ => {}
            }
        }
    }

    /// Describes the participant with its figures.
    fn describe(&self, site: &SiteContext, of: &ParticipantObjects) -> OperatorParticipant {
        let mut described = describe_without_figures(of);
        let mut connected = self.transports.iter();
        let is_connected = |it: &TransportStats| it.dtls_state == DtlsState::Connected;
        let line = LineFigures {
            is_interrupted: of.participant.is_interrupted,
            is_unconnected: !self.transports.is_empty() && !connected.any(is_connected),
            route: self.route(site),
            loss_in: share(self.streams.iter().map(|it| it.fraction_lost)),
            loss_out: share(self.consumers.iter().map(|it| it.fraction_lost)),
            round_trip_ms: self.round_trip_ms(),
        };
        let (quality, problems) = judge(&line);
        described.quality = quality;
        described.problems = problems;
        described.route = line.route;
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

    /// Returns the route of the media: that of the worst transport.
    fn route(&self, site: &SiteContext) -> Option<Route> {
        let tuples = self.transports.iter();
        let tuples = tuples.filter_map(|it| it.ice_selected_tuple.as_ref());
        let routes = tuples.map(|tuple| {
            let ip: Option<IpAddr> = tuple.remote_ip.parse().ok();
            let is_relay = ip.is_some_and(|ip| {
                site.relayed
                    .contains(SocketAddr::new(ip, tuple.remote_port))
            });
            match (is_relay, tuple.protocol) {
                (true, _) => Route::Relay,
                (false, Protocol::Tcp) => Route::Tcp,
                (false, Protocol::Udp) => Route::Udp,
            }
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
pub fn describe_without_figures(of: &ParticipantObjects) -> OperatorParticipant {
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
    use super::*;

    #[test]
    fn share_of_lost_packets_is_that_of_the_worst_stream() {
        assert_eq!(share([0, 64, 3].into_iter()), Some(0.25));
        assert_eq!(share(std::iter::empty()), None);
    }
}
