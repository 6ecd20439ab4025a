//! Observation of one participant over an interval: its connection, its media in both directions, its devices.

use serde::Serialize;

use crate::message::{PageReport, Route};
use crate::room_event::{ParticipantRecord, RoomRecord};

/// State of the transports of a participant.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Connection {
    /// No media is expected.
    #[default]
    Unused,
    /// The client should connect, and has only just been asked to.
    Connecting,
    /// The client should have connected long ago.
    NeverConnected,
    /// Media can flow.
    Connected,
    /// Nothing has arrived for some seconds.
    Interrupted,
}

/// State of a microphone, as the server sees it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Microphone {
    /// None is published.
    #[default]
    Absent,
    /// Paused by its owner or by a host.
    Muted,
    /// Open, and nothing but digital silence has ever arrived.
    Silent,
    /// Open, with sound or without audio levels.
    Open,
}

/// Media packets in one direction over an interval.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Flow {
    /// Packets, retransmissions excluded.
    pub packets: u32,
    /// Packets lost before repair.
    pub lost: u32,
    /// Packets requested again.
    pub requested: u32,
    /// Keyframes requested.
    pub keyframe_requests: u32,
    /// Jitter of the sound, in milliseconds.
    pub jitter_ms: u32,
    /// Bitrate, in kbit/s.
    pub kbps: u32,
}

impl Flow {
    /// Returns the share of packets that were lost, in percent; 0 of too few packets.
    pub fn loss_percent(&self) -> u32 {
        let all = self.packets.max(self.lost);
        match all >= PACKETS_MIN {
            true => u32::try_from(u64::from(self.lost) * 100 / u64::from(all)).unwrap_or(100),
            false => 0,
        }
    }
}

/// Fewer packets than these say nothing of their loss: silence has two or three a second.
const PACKETS_MIN: u32 = 40;

/// Pictures that a participant should be sent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pictures {
    /// All that its client asked for and whose publishers send.
    pub wanted: u16,
    /// Videos sent in a lower layer than wanted, because of the bitrate of the line.
    pub reduced: u16,
    /// Videos not sent at all, because of the bitrate of the line.
    pub withheld: u16,
    /// Videos held back by `last_n_video`, the limit of cameras in the room.
    pub held_by_last_n: u16,
}

/// Observation of one participant over an interval.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// Time since the participant joined, in seconds.
    pub age_s: u32,
    /// Route of the media; `None` while nothing is connected.
    pub route: Option<Route>,
    /// State of its transports.
    pub connection: Connection,
    /// Whether its media comes from another address than before.
    pub has_moved: bool,
    /// Round-trip time, in milliseconds.
    pub round_trip_ms: Option<u32>,
    /// Bitrate that the line to the participant carries, in kbit/s, where that is known.
    pub available_kbps: Option<u32>,
    /// Media to the participant.
    pub down: Flow,
    /// Media from the participant.
    pub up: Flow,
    /// Pictures to the participant.
    pub pictures: Pictures,
    /// Encodings of its camera that arrive, and those that it can send.
    pub encodings: Option<(u8, u8)>,
    /// Its microphone.
    pub microphone: Microphone,
    /// Load of the core that serves it, in percent.
    pub server_busy_percent: u8,
    /// The latest report of its page.
    pub page: Option<PageReport>,
}

/// Observation of a participant, with who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantObservation {
    /// The participant.
    pub participant: ParticipantRecord,
    /// Its observation.
    pub observation: Observation,
}

/// Observations of all participants of a room over the same interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomObservation {
    /// The room.
    pub room: RoomRecord,
    /// Participants, in order of joining.
    pub participants: Vec<ParticipantObservation>,
}
