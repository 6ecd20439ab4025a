//! Samples of transports: counters over the time since the sample before, for the history of calls. Judges nothing.

use std::net::SocketAddr;
use std::time::Duration;

use watersmeet_wire::params::MediaKind;
use watersmeet_wire::units::Bitrate;

use crate::ids::{ProducerId, TransportId};
use crate::path::Protocol;
use crate::transport_state::{DtlsState, IceState};

/// Sample of one transport over an interval. Counts are of that interval.
#[derive(Debug, Clone)]
pub struct TransportSample {
    /// Id of the transport.
    pub transport: TransportId,
    /// ICE state.
    pub ice: IceState,
    /// DTLS state.
    pub dtls: DtlsState,
    /// Whether the peer was told to connect: its DTLS parameters are known.
    pub is_awaited: bool,
    /// Protocol and peer address of the selected path.
    pub path: Option<(Protocol, SocketAddr)>,
    /// Time for which nothing has arrived.
    pub silence: Duration,
    /// Bitrate that the path to the peer carries, where that is known.
    pub available: Option<Bitrate>,
    /// Bitrate sent over the last second.
    pub sent: Bitrate,
    /// Bitrate received over the last second.
    pub received: Bitrate,
    /// Largest of the latest round-trip times of its consumers.
    pub round_trip: Option<Duration>,
    /// Media sent to the peer.
    pub down: FlowSample,
    /// Pictures sent to the peer, by what is sent of them.
    pub pictures: PictureCounts,
    /// Media that the peer sends, one entry per producer.
    pub producers: Vec<ProducerSample>,
}

/// Media packets in one direction over an interval.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct FlowSample {
    /// Packets, retransmissions excluded.
    pub packets: u32,
    /// Packets lost before repair, as the receiving side counts them.
    pub lost: u32,
    /// Lost packets that were still missing when the receiving side reported on them.
    pub missing: u32,
    /// Packets that the receiving side requested again.
    pub requested: u32,
    /// Keyframes that the receiving side requested.
    pub keyframe_requests: u32,
    /// Interarrival jitter of the sound (RFC 3550 §6.4.1); that of pictures contains their pacing.
    pub jitter: Duration,
}

/// Pictures that a peer should be sent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct PictureCounts {
    /// All that its client has not paused and whose publisher sends.
    pub wanted: u16,
    /// Videos sent in a lower layer than wanted, because of the bitrate of the path.
    pub reduced: u16,
    /// Videos not sent at all, because of the bitrate of the path.
    pub withheld: u16,
    /// Videos held back because the room sends only some of its cameras.
    pub held_by_last_n: u16,
}

/// Media of one producer over an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerSample {
    /// Id of the producer.
    pub producer: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// Whether it is paused.
    pub is_paused: bool,
    /// Packets that arrived of it.
    pub flow: FlowSample,
    /// Encodings or spatial layers that it can have.
    pub layers: u8,
    /// Layers that arrive.
    pub active_layers: u8,
    /// Loudest sound, in −dBov: 127 is digital silence (RFC 6464). `None` where its packets carry no levels.
    pub loudest: Option<u8>,
}

/// Counters of a stream when it was sampled last, modulo 2^32.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SampledCounts {
    /// Packets.
    pub packets: u32,
    /// Packets lost.
    pub lost: u32,
    /// Packets still missing at a report.
    pub missing: u32,
    /// Packets requested again.
    pub requested: u32,
    /// Keyframes requested.
    pub keyframe_requests: u32,
}

impl SampledCounts {
    /// Returns the growth since the last sample, and replaces that.
    pub fn advance(&mut self, counts: Self) -> FlowSample {
        let before = std::mem::replace(self, counts);
        FlowSample {
            packets: counts.packets.wrapping_sub(before.packets),
            lost: counts.lost.wrapping_sub(before.lost),
            missing: counts.missing.wrapping_sub(before.missing),
            requested: counts.requested.wrapping_sub(before.requested),
            keyframe_requests: counts
                .keyframe_requests
                .wrapping_sub(before.keyframe_requests),
            jitter: Duration::ZERO,
        }
    }
}

impl FlowSample {
    /// Adds the media of another stream.
    pub fn add(&mut self, other: Self) {
        self.packets = self.packets.saturating_add(other.packets);
        self.lost = self.lost.saturating_add(other.lost);
        self.missing = self.missing.saturating_add(other.missing);
        self.requested = self.requested.saturating_add(other.requested);
        self.keyframe_requests = self
            .keyframe_requests
            .saturating_add(other.keyframe_requests);
        self.jitter = self.jitter.max(other.jitter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_counted_from_one_sample_to_the_next_also_over_a_wrap() {
        let mut sampled = SampledCounts {
            packets: u32::MAX - 1,
            ..SampledCounts::default()
        };
        let counts = SampledCounts {
            packets: 3,
            lost: 2,
            ..SampledCounts::default()
        };
        let flow = sampled.advance(counts);
        assert_eq!((flow.packets, flow.lost), (5, 2));
        assert_eq!(sampled.advance(counts), FlowSample::default());
    }
}
