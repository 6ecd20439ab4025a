//! What `getStats` of mediasoup tells of transports, producers and consumers, with its field
//! names. These are answers only: the figures are counted where they arise.

use serde::Serialize;
use watersmeet_wire::params::MediaKind;

use crate::layers::Layers;
use crate::path::Protocol;
use crate::transport_state::{DtlsState, IceState};

/// Statistics of a WebRTC transport.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TransportStats {
    /// Always `webrtc-transport`.
    #[serde(rename = "type")]
    pub stats_type: &'static str,
    /// The transport's id.
    pub transport_id: String,
    /// Milliseconds since the worker's origin.
    pub timestamp: u64,
    /// State of ICE.
    pub ice_state: IceState,
    /// State of DTLS.
    pub dtls_state: DtlsState,
    /// The path in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ice_selected_tuple: Option<TupleStats>,
    /// The SRTP profile agreed upon, by its IANA name.
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
    /// Packets thrown away, whatever the reason.
    pub packets_discarded: u64,
    /// Packets whose SRTP or SRTCP tag was wrong.
    pub srtp_auth_failures: u64,
    /// What the outgoing path is believed to carry, bits per second.
    pub available_outgoing_bitrate: u64,
}

/// The path a transport uses.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TupleStats {
    /// The peer's address.
    pub remote_ip: String,
    /// The peer's port.
    pub remote_port: u16,
    /// UDP or TCP.
    pub protocol: Protocol,
}

/// Statistics of one received RTP stream of a producer.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProducerStats {
    /// Always `inbound-rtp`.
    #[serde(rename = "type")]
    pub stats_type: &'static str,
    /// Milliseconds since the worker's origin.
    pub timestamp: u64,
    /// The stream's SSRC.
    pub ssrc: u32,
    /// The SSRC of its retransmissions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtx_ssrc: Option<u32>,
    /// The encoding's RID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// Audio or video.
    pub kind: MediaKind,
    /// The codec, as `video/VP8`.
    pub mime_type: String,
    /// Packets received, without retransmissions.
    pub packet_count: u64,
    /// Bytes of those packets.
    pub byte_count: u64,
    /// Bits per second over the last second.
    pub bitrate: u64,
    /// Packets that never arrived.
    pub packets_lost: u64,
    /// Share of packets lost lately, in 256ths.
    pub fraction_lost: u8,
    /// Interarrival jitter in RTP timestamp units (RFC 3550 §6.4.1).
    pub jitter: u32,
    /// Packets that a retransmission brought back.
    pub packets_repaired: u64,
    /// Retransmissions received.
    pub packets_retransmitted: u64,
    /// Negative acknowledgements sent.
    pub nack_count: u64,
    /// Packets asked for again.
    pub nack_packet_count: u64,
    /// Picture loss indications sent.
    pub pli_count: u64,
    /// Full intra requests sent.
    pub fir_count: u64,
    /// How well it arrives, 0 to 10.
    pub score: u8,
}

/// Statistics of the RTP stream that a consumer sends.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerStats {
    /// Always `outbound-rtp`.
    #[serde(rename = "type")]
    pub stats_type: &'static str,
    /// Milliseconds since the worker's origin.
    pub timestamp: u64,
    /// The stream's SSRC.
    pub ssrc: u32,
    /// The SSRC of its retransmissions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtx_ssrc: Option<u32>,
    /// Audio or video.
    pub kind: MediaKind,
    /// The codec, as `video/VP8`.
    pub mime_type: String,
    /// Packets sent, without retransmissions.
    pub packet_count: u64,
    /// Bytes of those packets.
    pub byte_count: u64,
    /// Bits per second over the last second.
    pub bitrate: u64,
    /// Packets that the peer reports lost.
    pub packets_lost: u64,
    /// Share the peer reports lost lately, in 256ths.
    pub fraction_lost: u8,
    /// Round-trip time that the peer's reports show, milliseconds.
    pub round_trip_time: f64,
    /// Retransmissions sent.
    pub packets_retransmitted: u64,
    /// Negative acknowledgements received.
    pub nack_count: u64,
    /// Packets asked for again.
    pub nack_packet_count: u64,
    /// Picture loss indications received.
    pub pli_count: u64,
    /// Full intra requests received.
    pub fir_count: u64,
    /// The layer that goes out now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_layers: Option<Layers>,
}
