//! What a worker has done since it was made, in sums. Nothing is counted here per packet: every
//! object counts for itself, whoever closes leaves its sums behind, and a sum over all is made when
//! somebody asks, which is once a second.

use std::ops::AddAssign;
use std::time::Duration;

use watersmeet_wire::params::MediaKind;

use super::Worker;
use super::transport_entry::TransportEntry;
use crate::consumer::Consumer;
use crate::egress::RunLengths;
use crate::producer::Producer;
use crate::producer::stream::Stream;
use crate::transport::Transport;
use crate::transport::discard::DiscardReason;
use crate::transport_state::{DtlsState, IceState};

/// How many reasons there are to throw a packet away before its stream is known.
const REASONS: usize = DiscardReason::ALL.len();

/// What a worker has done, and how it stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct WorkerMetrics {
    /// What only grows.
    pub totals: WorkerTotals,
    /// Transports, by what they can do now.
    pub transports: TransportStateCounts,
    /// Rooms' shares of it.
    pub routers: u64,
    /// Sources of sound.
    pub audio: MediaKindMetrics,
    /// Sources of pictures.
    pub video: MediaKindMetrics,
    /// The round trips to all peers that have told theirs, in microseconds, one for each consumer.
    pub round_trips_micros: u64,
    /// How many those are.
    pub round_trips: u64,
    /// How media was gathered before it left.
    pub egress: EgressMetrics,
}

/// How media was gathered before it left.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct EgressMetrics {
    /// How far apart the loop looks at its sockets now.
    pub window: Duration,
    /// How many datagrams went through the kernel at once.
    pub runs: RunLengths,
}

/// What only grows while a worker lives.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct WorkerTotals {
    /// Bytes that arrived on transports, whatever became of them.
    pub bytes_received: u64,
    /// Bytes that left on transports.
    pub bytes_sent: u64,
    /// Media of sound that came in.
    pub audio_in: TrafficCounters,
    /// Media of pictures that came in.
    pub video_in: TrafficCounters,
    /// Media of sound that went out.
    pub audio_out: TrafficCounters,
    /// Media of pictures that went out.
    pub video_out: TrafficCounters,
    /// Packets that a retransmission brought back.
    pub repaired: u64,
    /// Bytes of retransmissions sent.
    pub rtx_bytes_sent: u64,
    /// Bytes of padding sent, to make packets equally long.
    pub padding_bytes_sent: u64,
    /// Packets thrown away before their stream was known, in the order of [`DiscardReason::ALL`].
    pub discards: [u64; REASONS],
    /// Packets of no known stream, and packets that could not be sent.
    pub unrouted: u64,
    /// Packets that other shards handed over.
    pub shard_packets_received: u64,
    /// Packets handed to other shards, once for each.
    pub shard_packets_sent: u64,
    /// Packets that another shard handed over though nobody here wanted them any more.
    pub shard_packets_unwanted: u64,
    /// Values for other shards for which there was no room.
    pub shard_messages_dropped: u64,
}

/// Media of one kind in one direction, and what was said of it. What comes in is asked for by us,
/// what goes out is asked for by peers.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct TrafficCounters {
    /// Packets, without retransmissions.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Retransmissions.
    pub retransmitted: u64,
    /// Packets that were missing at the end of a reporting interval.
    pub lost: u64,
    /// Messages that asked for packets again.
    pub nacks: u64,
    /// Packets asked for in them.
    pub nacked_packets: u64,
    /// Picture loss indications.
    pub plis: u64,
    /// Full intra requests.
    pub firs: u64,
}

/// Transports, by what they can do now.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct TransportStateCounts {
    /// Nothing has come from the peer.
    pub new: u64,
    /// There is a path, and keys are being agreed on.
    pub connecting: u64,
    /// Media can go both ways.
    pub connected: u64,
    /// The peer has not renewed its consent.
    pub disconnected: u64,
    /// No keys could be agreed on, or the peer has closed.
    pub failed: u64,
}

/// What there is of one kind of media.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct MediaKindMetrics {
    /// Producers.
    pub producers: u64,
    /// Consumers.
    pub consumers: u64,
    /// The jitter of all streams that come in, in microseconds.
    pub jitter_micros: u64,
    /// How many those are.
    pub streams: u64,
}

impl Worker {
    /// What it has done since it was made, and how it stands. Costs a look at every object.
    pub fn metrics(&self) -> WorkerMetrics {
        let mut metrics = WorkerMetrics {
            totals: self.retired,
            routers: self.routers.len() as u64,
            egress: EgressMetrics {
                window: self.schedule.window(),
                runs: self.egress.run_lengths(),
            },
            ..WorkerMetrics::default()
        };
        for entry in self.transports.values() {
            metrics.totals.add_transport(entry);
            *metrics.transports.state_of(&entry.transport) += 1;
        }
        for producer in self.producers.values() {
            if !producer.is_own() {
                continue;
            }
            metrics.totals.add_producer(producer);
            let counts = metrics.kind(producer.kind);
            counts.producers += 1;
            for stream in producer.streams.iter().filter(|it| it.ssrc.is_some()) {
                counts.streams += 1;
                counts.jitter_micros += stream.jitter_micros();
            }
        }
        for consumer in self.consumers.values() {
            metrics.totals.add_consumer(consumer);
            metrics.kind(consumer.kind).consumers += 1;
            if let Some(rtt) = consumer.measured_rtt() {
                metrics.round_trips += 1;
                metrics.round_trips_micros += u64::try_from(rtt.as_micros()).unwrap_or(0);
            }
        }
        metrics
    }
}

impl WorkerMetrics {
    fn kind(&mut self, kind: MediaKind) -> &mut MediaKindMetrics {
        match kind {
            MediaKind::Audio => &mut self.audio,
            MediaKind::Video => &mut self.video,
        }
    }
}

impl WorkerTotals {
    /// Adds what a transport has counted.
    pub(super) fn add_transport(&mut self, entry: &TransportEntry) {
        self.bytes_received += entry.transport.bytes_received();
        self.bytes_sent += entry.traffic.bytes_sent;
        self.rtx_bytes_sent += entry.traffic.rtx_bytes_sent;
        self.padding_bytes_sent += entry.traffic.padding_bytes_sent;
        self.unrouted += entry.traffic.packets_discarded;
        let discards = entry.transport.discards();
        for (sum, reason) in self.discards.iter_mut().zip(DiscardReason::ALL) {
            *sum += discards.get(reason);
        }
    }

    /// Adds what a producer has counted.
    pub(super) fn add_producer(&mut self, producer: &Producer) {
        let flow = match producer.kind {
            MediaKind::Audio => &mut self.audio_in,
            MediaKind::Video => &mut self.video_in,
        };
        for stream in &producer.streams {
            *flow += TrafficCounters::of_stream(stream);
            self.repaired += stream.counters.repaired;
        }
    }

    /// Adds what a consumer has counted.
    pub(super) fn add_consumer(&mut self, consumer: &Consumer) {
        let flow = match consumer.kind {
            MediaKind::Audio => &mut self.audio_out,
            MediaKind::Video => &mut self.video_out,
        };
        let counters = &consumer.counters;
        *flow += TrafficCounters {
            packets: counters.packets,
            bytes: counters.bytes,
            retransmitted: counters.retransmitted,
            lost: counters.lost,
            nacks: counters.nacks,
            nacked_packets: counters.nacked_packets,
            plis: counters.plis,
            firs: counters.firs,
        };
    }
}

impl TrafficCounters {
    fn of_stream(stream: &Stream) -> Self {
        let counters = &stream.counters;
        Self {
            packets: counters.packets,
            bytes: counters.bytes,
            retransmitted: counters.retransmitted,
            lost: counters.lost,
            nacks: counters.nacks,
            nacked_packets: counters.nacked_packets,
            plis: counters.plis,
            firs: counters.firs,
        }
    }
}

impl AddAssign for TrafficCounters {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.retransmitted += other.retransmitted;
        self.lost += other.lost;
        self.nacks += other.nacks;
        self.nacked_packets += other.nacked_packets;
        self.plis += other.plis;
        self.firs += other.firs;
    }
}

impl TransportStateCounts {
    /// Where a transport is counted.
    fn state_of(&mut self, transport: &Transport) -> &mut u64 {
        match (transport.ice_state(), transport.dtls_state()) {
            (_, DtlsState::Failed | DtlsState::Closed) | (IceState::Closed, _) => &mut self.failed,
            (IceState::Disconnected, _) => &mut self.disconnected,
            (IceState::New, _) => &mut self.new,
            (_, DtlsState::Connected) => &mut self.connected,
            (_, DtlsState::New | DtlsState::Connecting) => &mut self.connecting,
        }
    }
}
