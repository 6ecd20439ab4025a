//! Response bodies of the history of calls. Their doc comments are the texts of the OpenAPI description.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use watersmeet_conference::call_quality::Cause;

use super::super::json_response::format_time;
use crate::call_history::{StoredCall, StoredCallDetails, StoredMinute, StoredParticipant};

/// Some calls, the newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryPage {
    /// The calls.
    pub calls: Vec<HistoryCall>,
    /// Value of `after` for the next page; null if there is none.
    pub next: Option<String>,
}

/// A call: from the first participant of a room to the last.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryCall {
    /// Its id.
    pub id: String,
    /// The room's name.
    pub room: String,
    /// Start of the call (ISO 8601).
    pub started_at: String,
    /// End of the call (ISO 8601); null while it goes on.
    pub ended_at: Option<String>,
    /// Number of participants in all.
    pub participant_count: usize,
    /// Likely causes of what was bad for any of them.
    pub causes: Vec<HistoryCause>,
}

/// A call with its participants.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryCallDetails {
    /// The call.
    #[serde(flatten)]
    pub call: HistoryCall,
    /// Participants, in order of joining.
    pub participants: Vec<HistoryParticipant>,
    /// Whether minutes were left out, because there are more than ten thousand.
    pub is_truncated: bool,
}

/// A participant of a call.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryParticipant {
    /// Its id in this meeting, which says nothing of the person.
    pub id: String,
    /// Its place in the order of joining, from 1 on.
    pub number: usize,
    /// Its name. Only if the server stores names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<String>,
    /// The id by which other participants knew it. Only if the server stores names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub peer_id: Option<String>,
    /// The signalling protocol of its client.
    #[schema(example = "native")]
    pub dialect: String,
    /// Time of joining (ISO 8601).
    pub joined_at: String,
    /// Time of leaving (ISO 8601); null while the participant is there.
    pub left_at: Option<String>,
    /// Why it left; null while it is there, or if that is not known.
    #[schema(example = "left")]
    pub left_reason: Option<String>,
    /// Likely causes of what was bad in any of its minutes.
    pub causes: Vec<HistoryCause>,
    /// Its minutes in which it was observed.
    pub minutes: Vec<HistoryMinute>,
}

/// A minute of a participant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryMinute {
    /// Number of the minute in the call, from 0 on.
    pub number: u32,
    /// Measured figures.
    #[serde(flatten)]
    pub figures: HistoryFigures,
    /// Likely causes of what was bad; none of a good minute.
    pub causes: Vec<HistoryCause>,
}

/// A likely cause of what was bad, about the participant at which it is listed.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryCause {
    /// Code of the cause, for programs: it never changes.
    #[schema(example = "uplink")]
    pub code: &'static str,
    /// The cause in words, for people.
    pub text: &'static str,
    /// Whether it is only worth knowing, and need not have disturbed anybody.
    pub is_note: bool,
}

/// Figures of a participant in a minute. Bitrates are means; the others are the worst observation.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HistoryFigures {
    /// Route of the media: `udp`, `tcp` or `relay`; null while nothing was connected.
    pub route: Option<String>,
    /// Worst state of the connection: `unused`, `connecting`, `never-connected`, `connected` or `interrupted`.
    pub connection: String,
    /// Round trip, in milliseconds.
    pub round_trip_ms: Option<u32>,
    /// Estimated bitrate of the line to the participant, in kbit/s.
    pub available_kbps: Option<u32>,
    /// Media to the participant.
    pub down: HistoryDirection,
    /// Media from the participant.
    pub up: HistoryDirection,
    /// Pictures to the participant.
    pub pictures: HistoryPictures,
    /// Fewest encodings of its camera that arrived, and how many it can send.
    pub encodings: Option<(u8, u8)>,
    /// Its microphone at the end of the minute: `absent`, `muted`, `silent` or `open`.
    pub microphone: String,
    /// Load of the core that served it, in percent.
    pub server_busy_percent: u8,
    /// How long pictures stood still, in percent of the time; null where no page told it.
    pub frozen_percent: Option<u8>,
    /// How much of the sound was made up, in percent.
    pub concealed_percent: Option<u8>,
    /// Share of the frames that the device dropped, in percent.
    pub dropped_percent: Option<u8>,
}

/// Media in one direction.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HistoryDirection {
    /// Bitrate, in kbit/s.
    pub kbps: u32,
    /// Packets lost before repair, in percent.
    pub loss_percent: u32,
    /// Jitter of the sound, in milliseconds.
    pub jitter_ms: u32,
    /// Packets requested again.
    pub requested: u32,
    /// Keyframes requested.
    pub keyframe_requests: u32,
}

/// Pictures that a participant should be sent.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HistoryPictures {
    /// All that it asked for and that others sent.
    pub wanted: u16,
    /// Of which less was sent, because its line carried no more.
    pub reduced: u16,
    /// Of which nothing was sent for that reason.
    pub withheld: u16,
    /// Held back because the room sends only some cameras.
    pub held_by_last_n: u16,
}

/// Number of participants that were deleted.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryDeletion {
    /// The number.
    pub deleted: usize,
}

impl From<Cause> for HistoryCause {
    fn from(cause: Cause) -> Self {
        Self {
            code: cause.code(),
            text: cause.text(),
            is_note: cause.is_note(),
        }
    }
}

impl From<StoredCall> for HistoryCall {
    fn from(call: StoredCall) -> Self {
        Self {
            id: call.id,
            room: call.room,
            started_at: format_time(call.started_ms),
            ended_at: call.ended_ms.map(format_time),
            participant_count: call.participants,
            causes: call.causes.into_iter().map(HistoryCause::from).collect(),
        }
    }
}

impl From<StoredCallDetails> for HistoryCallDetails {
    fn from(details: StoredCallDetails) -> Self {
        let participants = details.participants.into_iter().zip(1..);
        Self {
            call: details.call.into(),
            participants: participants
                .map(|(it, number)| HistoryParticipant::new(it, number))
                .collect(),
            is_truncated: details.is_truncated,
        }
    }
}

impl HistoryParticipant {
    fn new(participant: StoredParticipant, number: usize) -> Self {
        let minutes = &participant.minutes;
        let is_found = |cause: &Cause| minutes.iter().any(|it| it.causes.contains(cause));
        let causes = Cause::ALL.into_iter().filter(is_found);
        Self {
            id: participant.id,
            number,
            name: participant.name,
            peer_id: participant.peer,
            dialect: participant.dialect,
            joined_at: format_time(participant.joined_ms),
            left_at: participant.left_ms.map(format_time),
            left_reason: participant.left_reason,
            causes: causes.map(HistoryCause::from).collect(),
            minutes: participant
                .minutes
                .into_iter()
                .map(HistoryMinute::from)
                .collect(),
        }
    }
}

impl From<StoredMinute> for HistoryMinute {
    fn from(minute: StoredMinute) -> Self {
        Self {
            number: minute.number,
            // A file of another version may lack members, which then are empty.
            figures: serde_json::from_str(&minute.figures).unwrap_or_default(),
            causes: minute.causes.into_iter().map(HistoryCause::from).collect(),
        }
    }
}
