//! Metrics of a worker: totals since its creation and current states. Nothing is counted here per
//! packet: every object counts for itself, closed objects are added to `Worker::closed_totals`, and
//! the sum is made on request, which is once a second.

use std::ops::AddAssign;
use std::time::Duration;

use watersmeet_wire::params::MediaKind;

use super::transport_entry::TransportEntry;
use crate::consumer::Consumer;
use crate::egress::RunLengths;
use crate::producer::Producer;
use crate::producer::stream::Stream;
use crate::transport::Transport;
use crate::transport::discard::DiscardReason;
use crate::transport_state::{DtlsState, IceState};

/// Number of reasons to discard a packet before its stream is known.
const REASONS: usize = DiscardReason::ALL.len();

/// Totals and current state of a worker.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerMetrics {
    /// Counters that only grow.
    pub totals: WorkerTotals,
    /// Transports, by state.
    pub transports: TransportStateCounts,
    /// Routers.
    pub routers: u64,
    /// Audio producers and consumers.
    pub audio: MediaKindMetrics,
    /// Video producers and consumers.
    pub video: MediaKindMetrics,
    /// Sum of the round-trip times that peers reported, in microseconds, one per consumer.
    pub round_trips_micros: u64,
    /// Number of consumers in that sum.
    pub round_trips: u64,
    /// Metrics of the egress window.
    pub egress: EgressMetrics,
}

/// Metrics of the egress window.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct EgressMetrics {
    /// Current time for which the loop waits before it reads its sockets again.
    pub window: Duration,
    /// Lengths of the runs given to the kernel.
    pub runs: RunLengths,
}

/// Counters of a worker since its creation.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerTotals {
    /// Bytes received on transports, discarded packets included.
    pub bytes_received: u64,
    /// Bytes sent on transports.
    pub bytes_sent: u64,
    /// Received audio.
    pub audio_in: TrafficCounters,
    /// Received video.
    pub video_in: TrafficCounters,
    /// Sent audio.
    pub audio_out: TrafficCounters,
    /// Sent video.
    pub video_out: TrafficCounters,
    /// Lost packets that a retransmission repaired.
    pub repaired: u64,
    /// Bytes of retransmissions sent.
    pub rtx_bytes_sent: u64,
    /// Retransmissions that peers requested beyond the budget of their transport.
    pub retransmissions_refused: u64,
    /// Bytes of padding sent, added so that packets have equal lengths.
    pub padding_bytes_sent: u64,
    /// Packets discarded before their stream was known, and packets too long to be forwarded, in the
    /// order of [`DiscardReason::ALL`].
    pub discards: [u64; REASONS],
    /// Packets of unknown streams.
    pub unrouted: u64,
    /// Packets that were not forwarded because the peer does not receive their codec, counted once per
    /// consumer.
    pub unsupported_codec: u64,
    /// Packets of audio that were not forwarded because others are louder.
    pub voices_omitted: u64,
    /// Audio packets sent with redundancy.
    pub redundant_packets_sent: u64,
    /// Packets received from other shards.
    pub shard_packets_received: u64,
    /// Packets sent to other shards, counted once per shard.
    pub shard_packets_sent: u64,
    /// Packets received from other shards that have no consumer here.
    pub shard_packets_unwanted: u64,
    /// Messages to other shards that were dropped because the queue was full.
    pub shard_messages_dropped: u64,
}

/// Media of one kind in one direction, with its feedback: sent by us for received media, by peers
/// for sent media.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct TrafficCounters {
    /// Packets, retransmissions excluded.
    pub packets: u64,
    /// Bytes of those packets.
    pub bytes: u64,
    /// Retransmissions.
    pub retransmitted: u64,
    /// Packets that were missing at the end of a reporting interval.
    pub lost: u64,
    /// NACK messages.
    pub nacks: u64,
    /// Packets requested in them.
    pub nacked_packets: u64,
    /// Picture loss indications.
    pub plis: u64,
    /// Full intra requests.
    pub firs: u64,
}

/// Number of transports in each state.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct TransportStateCounts {
    /// No authentic packet has arrived from the peer.
    pub new: u64,
    /// ICE has a path; DTLS is in progress.
    pub connecting: u64,
    /// Media can flow in both directions.
    pub connected: u64,
    /// Consent has expired.
    pub disconnected: u64,
    /// The handshake failed, or the peer has closed.
    pub failed: u64,
}

/// Objects of one kind of media.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct MediaKindMetrics {
    /// Producers; piped ones count on their own shard only.
    pub producers: u64,
    /// Consumers.
    pub consumers: u64,
    /// Sum of the jitter of all received streams, in microseconds.
    pub jitter_micros: u64,
    /// Number of streams in that sum.
    pub streams: u64,
}

impl WorkerMetrics {
    /// Returns the metrics of one kind of media.
    pub(super) fn kind(&mut self, kind: MediaKind) -> &mut MediaKindMetrics {
        match kind {
            MediaKind::Audio => &mut self.audio,
            MediaKind::Video => &mut self.video,
        }
    }
}

impl WorkerTotals {
    /// Adds the counters of a transport.
    pub(super) fn add_transport(&mut self, entry: &TransportEntry) {
        self.bytes_received += entry.transport.bytes_received();
        self.bytes_sent += entry.outbound.traffic.bytes;
        self.rtx_bytes_sent += entry.outbound.traffic.rtx_bytes;
        self.retransmissions_refused += entry.outbound.traffic.retransmissions_refused;
        self.padding_bytes_sent += entry.outbound.traffic.padding_bytes;
        self.unrouted += entry.inbound.packets_unrouted;
        let discards = entry.transport.discards();
        for (sum, reason) in self.discards.iter_mut().zip(DiscardReason::ALL) {
            *sum += discards.get(reason);
        }
        let (inbound, traffic) = (&entry.inbound, &entry.outbound.traffic);
        for (reason, count) in [
            (DiscardReason::TooLong, traffic.packets_too_long),
            (DiscardReason::NotSent, traffic.packets_discarded),
            (
                DiscardReason::UnknownPayloadType,
                inbound.packets_of_unknown_type,
            ),
            (DiscardReason::Overloaded, inbound.packets_over_limit),
        ] {
            self.record_discards(reason, count);
        }
    }

    /// Adds packets that were discarded outside of a transport's receiving half.
    pub(super) fn record_discards(&mut self, reason: DiscardReason, count: u64) {
        if let Some(sum) = self.discards.get_mut(reason as usize) {
            *sum += count;
        }
    }

    /// Adds the counters of a producer.
    pub(super) fn add_producer(&mut self, producer: &Producer) {
        for stream in &producer.streams {
            let counters = match producer.kind {
                MediaKind::Audio => &mut self.audio_in,
                MediaKind::Video => &mut self.video_in,
            };
            *counters += TrafficCounters::of_stream(stream);
            self.repaired += stream.counters.repaired;
            self.record_discards(DiscardReason::Malformed, stream.counters.malformed);
        }
    }

    /// Adds the counters of a consumer.
    pub(super) fn add_consumer(&mut self, consumer: &Consumer) {
        let counters = match consumer.kind {
            MediaKind::Audio => &mut self.audio_out,
            MediaKind::Video => &mut self.video_out,
        };
        let own = &consumer.counters;
        self.unsupported_codec += own.unsupported;
        self.redundant_packets_sent += own.redundant;
        *counters += TrafficCounters {
            packets: own.packets,
            bytes: own.bytes,
            retransmitted: own.retransmitted,
            lost: own.lost,
            nacks: own.nacks,
            nacked_packets: own.nacked_packets,
            plis: own.plis,
            firs: own.firs,
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
    /// Returns the counter of a transport's state.
    pub(super) fn state_of(&mut self, transport: &Transport) -> &mut u64 {
        match (transport.ice_state(), transport.dtls_state()) {
            (_, DtlsState::Failed | DtlsState::Closed) | (IceState::Closed, _) => &mut self.failed,
            (IceState::Disconnected, _) => &mut self.disconnected,
            (IceState::New, _) => &mut self.new,
            (_, DtlsState::Connected) => &mut self.connected,
            (_, DtlsState::New | DtlsState::Connecting) => &mut self.connecting,
        }
    }
}
