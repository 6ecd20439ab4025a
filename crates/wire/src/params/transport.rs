//! Parameters of a transport: ICE parameters and candidates that the server announces, and the DTLS
//! and SCTP parameters of both sides.

use serde::{Deserialize, Serialize};

use super::lenient;
use super::limits::FINGERPRINTS_MAX;

/// ICE credentials of the server (RFC 8445 §5.3; §2.5 for ICE-lite).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceParameters {
    /// User fragment; identifies the transport in connectivity checks.
    pub username_fragment: String,
    /// Password; keys the integrity of connectivity checks.
    pub password: String,
    /// Always true: the server answers checks and sends none.
    pub ice_lite: bool,
}

/// Address at which a transport can be reached (RFC 8445 §5.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceCandidate {
    /// Equal for candidates with one base address.
    pub foundation: String,
    /// Priority; higher is preferred (RFC 8445 §5.1.2).
    pub priority: u32,
    /// Equal to `address`; for clients older than mediasoup-client 3.7.
    pub ip: String,
    /// Announced address or host name.
    pub address: String,
    /// UDP or TCP.
    pub protocol: IceProtocol,
    /// Announced port.
    pub port: u16,
    /// Type of the candidate; always host.
    #[serde(rename = "type")]
    pub kind: CandidateType,
    /// Side that opens the TCP connection (RFC 6544); absent for UDP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_type: Option<TcpType>,
}

/// Protocol that carries the packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IceProtocol {
    /// UDP datagrams.
    Udp,
    /// A TCP stream with RFC 4571 framing.
    Tcp,
}

/// Type of an ICE candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CandidateType {
    /// An address of the machine itself.
    Host,
}

/// Side that opens the connection of a TCP candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TcpType {
    /// The other side opens it.
    Passive,
}

/// One side of DTLS-SRTP (RFC 8122, RFC 8842).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DtlsParameters {
    /// DTLS role; `auto` when absent.
    #[serde(default)]
    pub role: DtlsRole,
    /// Fingerprints of the certificate. A client uses the last one whose algorithm it supports.
    #[serde(deserialize_with = "lenient::list::<_, _, FINGERPRINTS_MAX>")]
    pub fingerprints: Vec<DtlsFingerprint>,
}

/// Side that opens the DTLS handshake.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DtlsRole {
    /// The role that the other side does not take.
    #[default]
    Auto,
    /// This side opens the handshake.
    Client,
    /// This side waits for the handshake.
    Server,
}

/// Hash of a certificate (RFC 8122 §5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DtlsFingerprint {
    /// `sha-256`, `sha-384`, `sha-512`; the transport decides which ones it trusts.
    pub algorithm: String,
    /// Upper-case hexadecimal bytes separated by colons.
    pub value: String,
}

/// SCTP parameters, in the fields of all client generations: mediasoup-client 3.6 reads the first
/// four, later versions read the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SctpParameters {
    /// SCTP port; always 5000 (RFC 8841 §5).
    pub port: u16,
    /// Initial number of outgoing streams.
    #[serde(rename = "OS")]
    pub os: u16,
    /// Maximum number of incoming streams.
    #[serde(rename = "MIS")]
    pub mis: u16,
    /// Longest message in either direction, in bytes.
    pub max_message_size: u32,
    /// Longest message to the client, in bytes.
    pub max_send_message_size: u32,
    /// Longest message from the client, in bytes.
    pub max_receive_message_size: u32,
    /// Whether the association carries WebRTC data channels (RFC 8831).
    pub is_data_channel: bool,
}

impl SctpParameters {
    /// Returns the parameters of a WebRTC transport with messages of up to `max_message_size`
    /// bytes.
    pub const fn webrtc(max_message_size: u32) -> Self {
        Self {
            port: 5_000,
            os: u16::MAX,
            mis: u16::MAX,
            max_message_size,
            max_send_message_size: max_message_size,
            max_receive_message_size: max_message_size,
            is_data_channel: true,
        }
    }
}
