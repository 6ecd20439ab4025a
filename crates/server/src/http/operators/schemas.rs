//! Bodies of the operators' interface. Their doc comments are the texts of its description.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use watersmeet_conference::conference::RoomSummary;
use watersmeet_conference::message::{
    self, ClientDevice, MediaSource, ParticipantSummary, ProducerSummary,
};

use super::super::api::schemas::{Participant, ParticipantRole, RoomDetails, TrackKind};

/// The state of the server.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerStatus {
    /// Version of the program.
    pub version: &'static str,
    /// Commit that it was built from, or `unknown`.
    pub commit: &'static str,
    /// Time of this answer (ISO 8601).
    #[schema(format = DateTime)]
    pub at: String,
    /// Time of its start (ISO 8601).
    #[schema(format = DateTime)]
    pub started_at: String,
    /// Seconds since then.
    pub uptime_s: u64,
    /// Whether it opens rooms.
    pub phase: ServerPhase,
    /// Rooms. While the server drains: those that are left.
    pub rooms: usize,
    /// People in all rooms. While the server drains: those who are left.
    pub participants: usize,
    /// People who wait to be let in.
    pub waiting: usize,
    /// How full the server is: 0 is idle, 1 is full.
    pub capacity_used: f64,
    /// Memory in use, in bytes.
    pub memory_bytes: u64,
    /// Media threads.
    pub media_threads: Vec<MediaThread>,
    /// Limits, and how far they are used.
    pub limits: Vec<LimitUse>,
    /// Certificates of ports with HTTPS.
    pub certificates: Vec<CertificateState>,
    /// The embedded TURN server; null where it is off.
    pub turn: Option<TurnState>,
}

/// Whether the server opens rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServerPhase {
    /// Rooms are opened.
    Running,
    /// No further rooms are opened, until an operator undoes that.
    Draining,
    /// No further rooms are opened: the server is about to end.
    ShuttingDown,
}

/// A media thread. Counters begin at its start.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MediaThread {
    /// Its number, from 0 on.
    pub index: u8,
    /// Share of the last second in which it worked, 0 to 1.
    pub load: f64,
    /// Whether it hangs.
    pub is_hung: bool,
    /// Rooms that have media here.
    pub rooms: u64,
    /// Connected transports.
    pub transports: u64,
    /// Transports that are being connected.
    pub transports_connecting: u64,
    /// Transports that failed or lost their connection.
    pub transports_broken: u64,
    /// Tracks that people send to it.
    pub producers: u64,
    /// Tracks that it sends to people.
    pub consumers: u64,
    /// Packets received.
    pub packets_in: u64,
    /// Packets sent.
    pub packets_out: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Number of restarts after an error in it was caught.
    pub restarts: u64,
}

/// A limit, and how far it is used.
#[derive(Debug, Serialize, ToSchema)]
pub struct LimitUse {
    /// Name of the limited resource.
    #[schema(example = "rooms")]
    pub name: &'static str,
    /// Amount in use.
    pub used: u64,
    /// Upper bound.
    pub max: u64,
}

/// The certificate of a port.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateState {
    /// The port.
    pub port: u16,
    /// Source of the certificate.
    pub kind: CertificateKind,
    /// End of its validity (ISO 8601); null before the first one was obtained.
    pub expires_at: Option<String>,
}

/// Source of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateKind {
    /// Obtained and renewed by ACME.
    Acme,
    /// Read from files.
    Files,
    /// Generated at start; browsers warn of it.
    SelfSigned,
}

/// The embedded TURN server.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TurnState {
    /// Allocations that exist.
    pub allocations: u64,
    /// Allocations since the start.
    pub allocations_made: u64,
    /// Requests that were refused since the start. The first request of each client is one.
    pub refused: u64,
    /// Bytes from clients since the start.
    pub bytes_in: u64,
    /// Bytes to clients since the start.
    pub bytes_out: u64,
}

/// A room.
#[derive(Debug, Serialize, ToSchema)]
pub struct OperatorRoom {
    /// The room, as programs are told of it.
    #[serde(flatten)]
    pub details: RoomDetails,
    /// Signalling dialects of its people.
    pub dialects: Vec<&'static str>,
}

/// Some of all rooms, by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct OperatorRoomPage {
    /// The rooms.
    pub rooms: Vec<OperatorRoom>,
    /// Value of `after` for the next page; null if there is none.
    pub next: Option<String>,
}

/// A room with its people.
#[derive(Debug, Serialize, ToSchema)]
pub struct OperatorRoomDetails {
    /// The room.
    pub room: OperatorRoom,
    /// Its people, in the order in which they came.
    pub participants: Vec<OperatorParticipant>,
}

/// Somebody in a room, with the figures of their media. `In` is towards the server, `Out` from it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperatorParticipant {
    /// Id by which others know it.
    pub id: String,
    /// Name shown to others.
    pub display_name: String,
    /// Role in the room.
    pub role: ParticipantRole,
    /// Signalling dialect of its client.
    pub dialect: &'static str,
    /// Software of its client, as it says itself.
    pub device: Option<String>,
    /// Quality of the connection.
    pub quality: ConnectionQuality,
    /// Problems of the connection, worst first.
    pub problems: Vec<ConnectionProblem>,
    /// Route of its media; null before there is one.
    pub route: Option<Route>,
    /// Tracks that it sends.
    pub sends: Vec<SentTrack>,
    /// Number of tracks that it receives.
    pub receives: usize,
    /// Bitrate from the participant, in bit/s over the last second.
    pub bitrate_in: u64,
    /// Bitrate to the participant, in bit/s over the last second.
    pub bitrate_out: u64,
    /// Estimate of what the line to it carries, in bit/s.
    pub estimate: Option<u64>,
    /// Share of its packets that are lost on the way, 0 to 1, of the worst track.
    pub loss_in: Option<f64>,
    /// Share of packets to it that are lost on the way, 0 to 1, of the worst track.
    pub loss_out: Option<f64>,
    /// Round trip, in milliseconds.
    pub round_trip_ms: Option<f64>,
}

/// A track that somebody sends.
#[derive(Debug, Serialize, ToSchema)]
pub struct SentTrack {
    /// Sound or pictures.
    pub kind: TrackKind,
    /// Source of the track, if its client says so.
    #[schema(example = "camera")]
    pub source: Option<&'static str>,
    /// Whether it is paused.
    pub paused: bool,
}

/// Route of somebody's media; that of the worst transport where several differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// Directly over UDP, or through a TURN server elsewhere.
    Udp,
    /// Over TCP.
    Tcp,
    /// Through the embedded TURN server.
    Relay,
}

/// Quality of a connection, by what the server measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConnectionQuality {
    /// Nothing is known of it.
    Unknown,
    /// Nothing is wrong.
    Good,
    /// Something is noticed.
    Fair,
    /// People complain.
    Poor,
}

/// Problem of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionProblem {
    /// Nothing arrives from it.
    Interrupted,
    /// Its media has not connected: a firewall, or a wrong announced address.
    NotConnected,
    /// Packets from the participant are lost.
    LossSending,
    /// Packets to the participant are lost.
    LossReceiving,
    /// Its round trip is long.
    LongRoundTrip,
}

/// The log.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogState {
    /// Filter in use.
    #[schema(example = "info,watersmeet_engine=debug")]
    pub filter: String,
    /// Filter of the configuration.
    #[schema(example = "info")]
    pub configured: String,
    /// The latest 200 warnings and errors, oldest first.
    pub lines: Vec<LogLine>,
}

/// A warning or an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogLine {
    /// Number since the start, from 1 on.
    pub number: u64,
    /// Time of the line (ISO 8601).
    #[schema(format = DateTime)]
    pub at: String,
    /// Severity.
    pub level: LogLevel,
    /// Part of the program.
    pub target: &'static str,
    /// Text of the line.
    pub text: String,
}

/// Severity of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// An operator should look.
    Warning,
    /// Something does not work.
    Error,
}

/// A filter of the log.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogFilter {
    /// A level, and levels of parts of the program.
    #[schema(
        example = "info,watersmeet_engine=debug",
        pattern = "^(off|error|warn|info|debug|trace)(,watersmeet(_conference|_engine|_net)?=(off|error|warn|info|debug|trace))*$"
    )]
    pub filter: String,
}

impl LimitUse {
    /// Creates the use of a limit.
    pub const fn new(name: &'static str, used: u64, max: u64) -> Self {
        Self { name, used, max }
    }
}

impl From<&RoomSummary> for OperatorRoom {
    fn from(room: &RoomSummary) -> Self {
        Self {
            details: RoomDetails::from(room),
            dialects: room.dialects.clone(),
        }
    }
}

impl From<message::Route> for Route {
    fn from(route: message::Route) -> Self {
        match route {
            message::Route::Udp => Self::Udp,
            message::Route::Tcp => Self::Tcp,
            message::Route::Relay => Self::Relay,
        }
    }
}

impl From<&ProducerSummary> for SentTrack {
    fn from(producer: &ProducerSummary) -> Self {
        Self {
            kind: producer.kind.into(),
            source: producer.source.map(source_name),
            paused: producer.paused,
        }
    }
}

impl OperatorParticipant {
    /// Describes a participant without media.
    pub fn new(participant: &ParticipantSummary, dialect: &'static str) -> Self {
        let Participant {
            id,
            display_name,
            role,
            ..
        } = Participant::from(participant);
        Self {
            id,
            display_name,
            role,
            dialect,
            device: participant.device.as_deref().and_then(device_name),
            quality: ConnectionQuality::Unknown,
            problems: Vec::new(),
            route: None,
            sends: Vec::new(),
            receives: 0,
            bitrate_in: 0,
            bitrate_out: 0,
            estimate: None,
            loss_in: None,
            loss_out: None,
            round_trip_ms: None,
        }
    }
}

fn device_name(device: &ClientDevice) -> Option<String> {
    let name = device.name.as_ref().or(device.flag.as_ref())?;
    Some(match &device.version {
        Some(version) => format!("{name} {version}"),
        None => name.to_string(),
    })
}

const fn source_name(source: MediaSource) -> &'static str {
    match source {
        MediaSource::Mic => "microphone",
        MediaSource::Camera => "camera",
        MediaSource::Screen => "screen",
        MediaSource::ScreenAudio => "screen-audio",
    }
}
