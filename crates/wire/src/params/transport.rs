//! The parameters of a transport: what its owner tells the client to find it (ICE), and what both
//! sides tell each other to trust one another (DTLS) and to carry data (SCTP).

use serde::{Deserialize, Serialize};

use super::FINGERPRINTS_MAX;
use super::lenient;

/// The server's side of ICE (RFC 8445 §5.3, §2.5 for lite).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceParameters {
    /// Names the transport in every check.
    pub username_fragment: String,
    /// Proves a check.
    pub password: String,
    /// Always true: the server answers checks and makes none.
    pub ice_lite: bool,
}

/// One address on which a transport can be reached (RFC 8445 §5.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceCandidate {
    /// Equal for candidates of one base.
    pub foundation: String,
    /// The higher the better (RFC 8445 §5.1.2).
    pub priority: u32,
    /// The same as `address`, for clients older than mediasoup-client 3.7.
    pub ip: String,
    /// The announced address or host name.
    pub address: String,
    /// UDP, or TCP.
    pub protocol: IceProtocol,
    /// The announced port.
    pub port: u16,
    /// Always a host candidate.
    #[serde(rename = "type")]
    pub kind: CandidateType,
    /// Who opens the connection, for TCP (RFC 6544).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_type: Option<TcpType>,
}

/// What carries the packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IceProtocol {
    /// Datagrams.
    Udp,
    /// A stream with RFC 4571 framing.
    Tcp,
}

/// Where a candidate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CandidateType {
    /// The machine itself.
    Host,
}

/// Who opens a TCP candidate's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TcpType {
    /// The other side.
    Passive,
}

/// One side of DTLS-SRTP (RFC 8122, RFC 8842).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DtlsParameters {
    /// Who opens the handshake; `auto` when absent.
    #[serde(default)]
    pub role: DtlsRole,
    /// Hashes of the certificate. A client takes the last one it knows.
    #[serde(deserialize_with = "lenient::list::<_, _, FINGERPRINTS_MAX>")]
    pub fingerprints: Vec<DtlsFingerprint>,
}

/// Who opens the handshake.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DtlsRole {
    /// Whichever the other side is not.
    #[default]
    Auto,
    /// This side opens it.
    Client,
    /// This side waits.
    Server,
}

/// A hash of a certificate (RFC 8122 §5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DtlsFingerprint {
    /// `sha-256`, `sha-384`, `sha-512`; which ones are trusted is the transport's business.
    pub algorithm: String,
    /// Upper-case hex bytes with colons between them.
    pub value: String,
}

/// SCTP of a transport, in the fields of every generation of clients: 3.6 reads the first four,
/// later ones read the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SctpParameters {
    /// Always 5000 (RFC 8841 §5).
    pub port: u16,
    /// Outgoing streams at the start.
    #[serde(rename = "OS")]
    pub os: u16,
    /// Most incoming streams.
    #[serde(rename = "MIS")]
    pub mis: u16,
    /// Longest message either way, in bytes.
    pub max_message_size: u32,
    /// Longest message to the client, in bytes.
    pub max_send_message_size: u32,
    /// Longest message from the client, in bytes.
    pub max_receive_message_size: u32,
    /// Whether messages are WebRTC data channels (RFC 8831).
    pub is_data_channel: bool,
}

impl SctpParameters {
    /// The parameters of a WebRTC transport that takes messages of `max_message_size` bytes.
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
