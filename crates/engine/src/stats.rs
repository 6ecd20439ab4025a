//! Statistics of transports, producers and consumers as mediasoup's `getStats` returns them, with its
//! field names.

use serde::Serialize;
use watersmeet_wire::params::MediaKind;

use crate::layers::Layers;
use crate::path::Protocol;
use crate::transport_state::{DtlsState, IceState};

/// Statistics of a WebRTC transport.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TransportStats {
    /// Always `webrtc-transport`.
    #[serde(rename = "type")]
    pub stats_type: &'static str,
    /// Id of the transport.
    pub transport_id: String,
    /// Milliseconds since the worker's `Time::ZERO`.
    pub timestamp: u64,
    /// ICE state.
    pub ice_state: IceState,
    /// DTLS state.
    pub dtls_state: DtlsState,
    /// Selected path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ice_selected_tuple: Option<TupleStats>,
    /// Negotiated SRTP profile, by its IANA name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub srtp_profile: Option<&'static str>,
    /// Bytes of all kinds received.
    pub bytes_received: u64,
    /// Bytes of all kinds sent.
    pub bytes_sent: u64,
    /// Bits per second received over the last second.
    pub recv_bitrate: u64,
    /// Bits per second sent over the last second.
    pub send_bitrate: u64,
    /// RTP bytes received, decrypted.
    pub rtp_bytes_received: u64,
    /// RTP bytes sent, before encryption.
    pub rtp_bytes_sent: u64,
    /// RTX bytes sent.
    pub rtx_bytes_sent: u64,
    /// Packets discarded for any reason.
    pub packets_discarded: u64,
    /// Packets that failed SRTP or SRTCP authentication.
    pub srtp_auth_failures: u64,
    /// Estimated bitrate of the outgoing path, bits per second.
    pub available_outgoing_bitrate: u64,
}

/// Selected path of a transport.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TupleStats {
    /// IP address of the peer.
    pub remote_ip: String,
    /// Port of the peer.
    pub remote_port: u16,
    /// UDP or TCP.
    pub protocol: Protocol,
}

/// Statistics of one received RTP stream of a producer.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ProducerStats {
    /// Always `inbound-rtp`.
    #[serde(rename = "type")]
    pub stats_type: &'static str,
    /// Milliseconds since the worker's `Time::ZERO`.
    pub timestamp: u64,
    /// SSRC of the stream.
    pub ssrc: u32,
    /// SSRC of its retransmissions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtx_ssrc: Option<u32>,
    /// RID of the encoding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// Audio or video.
    pub kind: MediaKind,
    /// MIME type of the codec, such as `video/VP8`.
    pub mime_type: String,
    /// Packets received, retransmissions excluded.
    pub packet_count: u64,
    /// Bytes of those packets.
    pub byte_count: u64,
    /// Bits per second over the last second.
    pub bitrate: u64,
    /// Packets lost.
    pub packets_lost: u64,
    /// Fraction of packets lost in the last reporting interval, in 256ths.
    pub fraction_lost: u8,
    /// Interarrival jitter in RTP timestamp units (RFC 3550 §6.4.1).
    pub jitter: u32,
    /// Lost packets that a retransmission repaired.
    pub packets_repaired: u64,
    /// Lost packets that the redundancy of later ones repeated (RFC 2198). Not in mediasoup.
    pub packets_recovered: u64,
    /// Retransmissions received.
    pub packets_retransmitted: u64,
    /// Negative acknowledgements sent.
    pub nack_count: u64,
    /// Packets requested by them.
    pub nack_packet_count: u64,
    /// Picture loss indications sent.
    pub pli_count: u64,
    /// Full intra requests sent.
    pub fir_count: u64,
    /// Reception score, 0 to 10.
    pub score: u8,
}

/// Statistics of the RTP stream that a consumer sends.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ConsumerStats {
    /// Always `outbound-rtp`.
    #[serde(rename = "type")]
    pub stats_type: &'static str,
    /// Milliseconds since the worker's `Time::ZERO`.
    pub timestamp: u64,
    /// SSRC of the stream.
    pub ssrc: u32,
    /// SSRC of its retransmissions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtx_ssrc: Option<u32>,
    /// Audio or video.
    pub kind: MediaKind,
    /// MIME type of the codec, such as `video/VP8`.
    pub mime_type: String,
    /// Packets sent, retransmissions excluded.
    pub packet_count: u64,
    /// Bytes of those packets.
    pub byte_count: u64,
    /// Bits per second over the last second.
    pub bitrate: u64,
    /// Packets that the peer reports lost.
    pub packets_lost: u64,
    /// Fraction that the peer last reported lost, in 256ths.
    pub fraction_lost: u8,
    /// Round-trip time measured by the peer's reports, in milliseconds.
    pub round_trip_time: f64,
    /// Retransmissions sent.
    pub packets_retransmitted: u64,
    /// Packets sent with redundancy (RFC 2198). Not in mediasoup.
    pub packets_with_redundancy: u64,
    /// Negative acknowledgements received.
    pub nack_count: u64,
    /// Packets requested by them.
    pub nack_packet_count: u64,
    /// Picture loss indications received.
    pub pli_count: u64,
    /// Full intra requests received.
    pub fir_count: u64,
    /// Layers being sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_layers: Option<Layers>,
}
