//! Events of rooms as JSON in the form of LiveKit's `WebhookEvent` (`livekit_webhook.proto`, protocol buffers'
//! JSON mapping): names in camel case, 64-bit integers as text, and fields with default values left out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use watersmeet_conference::message::{MediaSource, Role};
use watersmeet_conference::room_event::{
    DepartureReason, ParticipantRecord, RoomEvent, RoomEventKind, RoomRecord, TrackRecord,
};
use watersmeet_wire::params::MediaKind;
use watersmeet_wire::units::Time;

/// Body of a request, without `numDropped`, which is only known when it is sent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct WebhookEvent<'a> {
    /// Name of the event.
    event: &'static str,
    /// Room in which it happened.
    room: Room<'a>,
    /// Participant that it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    participant: Option<ParticipantInfo<'a>>,
    /// Track that it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    track: Option<TrackInfo<'a>>,
    /// Id of the event, the same each time it is sent.
    id: &'a str,
    /// Time of the event, in seconds since 1970.
    created_at: String,
}

/// A room.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Room<'a> {
    /// Id of this life of the room.
    sid: &'a str,
    /// Name by which participants join.
    name: &'a str,
    /// Time at which it started, in seconds since 1970.
    creation_time: String,
    /// The same in milliseconds.
    creation_time_ms: String,
    /// JSON object with the title and, for a breakout room, its main room.
    #[serde(skip_serializing_if = "String::is_empty")]
    metadata: String,
    /// Participants after the event.
    #[serde(skip_serializing_if = "is_zero")]
    num_participants: usize,
}

/// Facts for which LiveKit has no field, in `Room::metadata`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RoomMetadata<'a> {
    /// Name of the meeting for people to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    /// Name of the main room of a breakout room.
    #[serde(skip_serializing_if = "Option::is_none")]
    main_room: Option<&'a str>,
}

/// A participant.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ParticipantInfo<'a> {
    /// Id of its stay.
    sid: &'a str,
    /// Id by which other participants know it: the user's id where a token names a user.
    identity: &'a str,
    /// Whether it is in the room.
    state: &'static str,
    /// Name shown to others.
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    /// Time at which its stay began, in seconds since 1970.
    joined_at: String,
    /// The same in milliseconds.
    joined_at_ms: String,
    /// Permissions in the room.
    permission: ParticipantPermission,
    /// Role and dialect, and why it left in our own words.
    attributes: BTreeMap<&'static str, &'static str>,
    /// Why it left.
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnect_reason: Option<&'static str>,
}

/// Permissions of a participant.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ParticipantPermission {
    /// Whether it may receive media.
    can_subscribe: bool,
    /// Whether it may publish media.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    can_publish: bool,
}

/// A track.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TrackInfo<'a> {
    /// Id of the producer.
    sid: String,
    /// Audio or video.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Whether it is muted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    muted: bool,
    /// Whether it is sent in several encodings.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    simulcast: bool,
    /// Captured source.
    source: &'static str,
    /// MIME type of its codec.
    mime_type: &'a str,
}

/// Returns an event as the JSON object of a request; `None` for those that webhooks are not told of.
/// `unix_epoch` is the wall clock at `Time::ZERO`, since 1970.
pub fn to_json(event: &RoomEvent, id: &str, unix_epoch: Duration) -> Option<String> {
    let (name, participant, track) = parts(&event.kind)?;
    let body = WebhookEvent {
        event: name,
        room: room(&event.room, unix_epoch),
        participant: participant.map(|it| {
            let reason = match &event.kind {
                RoomEventKind::ParticipantLeft { reason, .. } => Some(*reason),
                _ => None,
            };
            participant_info(it, reason, unix_epoch)
        }),
        track: track.map(track_info),
        id,
        created_at: seconds(unix_epoch, event.at),
    };
    serde_json::to_string(&body).ok()
}

/// Name of an event, with its participant and track.
type Parts<'a> = (
    &'static str,
    Option<&'a ParticipantRecord>,
    Option<&'a TrackRecord>,
);

/// Returns what an event is called and whom it concerns; `None` for those that webhooks are not told of.
const fn parts(kind: &RoomEventKind) -> Option<Parts<'_>> {
    Some(match kind {
        RoomEventKind::RoomStarted => ("room_started", None, None),
        RoomEventKind::RoomFinished => ("room_finished", None, None),
        RoomEventKind::ParticipantJoined { participant, .. } => {
            ("participant_joined", Some(participant), None)
        }
        // As in LiveKit: its connection ended before media could flow, and not because it left.
        RoomEventKind::ParticipantLeft {
            participant,
            reason: DepartureReason::ConnectionLost | DepartureReason::Disconnected,
            has_connected: false,
        } => ("participant_connection_aborted", Some(participant), None),
        RoomEventKind::ParticipantLeft { participant, .. } => {
            ("participant_left", Some(participant), None)
        }
        RoomEventKind::TrackPublished { participant, track } => {
            ("track_published", Some(participant), Some(track))
        }
        RoomEventKind::TrackUnpublished { participant, track } => {
            ("track_unpublished", Some(participant), Some(track))
        }
        RoomEventKind::TrackMuteChanged { .. } => return None,
    })
}

fn room(record: &RoomRecord, unix_epoch: Duration) -> Room<'_> {
    let metadata = RoomMetadata {
        title: record.title.as_deref(),
        main_room: record.main.as_deref(),
    };
    let has_metadata = metadata.title.is_some() || metadata.main_room.is_some();
    let metadata = has_metadata.then(|| serde_json::to_string(&metadata).unwrap_or_default());
    Room {
        sid: &record.session,
        name: &record.name,
        creation_time: seconds(unix_epoch, record.started_at),
        creation_time_ms: milliseconds(unix_epoch, record.started_at),
        metadata: metadata.unwrap_or_default(),
        num_participants: record.participants,
    }
}

fn participant_info(
    record: &ParticipantRecord,
    left: Option<DepartureReason>,
    unix_epoch: Duration,
) -> ParticipantInfo<'_> {
    let role = match record.role {
        Role::Host => "host",
        Role::Speaker => "speaker",
        Role::Viewer => "viewer",
    };
    ParticipantInfo {
        sid: &record.session,
        identity: record.peer.as_str(),
        state: match left {
            Some(_) => "DISCONNECTED",
            None => "ACTIVE",
        },
        name: record.display_name.as_deref().unwrap_or_default(),
        joined_at: seconds(unix_epoch, record.joined_at),
        joined_at_ms: milliseconds(unix_epoch, record.joined_at),
        permission: ParticipantPermission {
            can_subscribe: true,
            can_publish: record.role != Role::Viewer,
        },
        attributes: [("role", role), ("dialect", record.dialect)]
            .into_iter()
            .chain(left.map(|it| ("reason", it.as_str())))
            .collect(),
        disconnect_reason: left.map(disconnect_reason),
    }
}

/// Returns the nearest of LiveKit's `DisconnectReason`.
const fn disconnect_reason(reason: DepartureReason) -> &'static str {
    match reason {
        DepartureReason::Left => "CLIENT_INITIATED",
        DepartureReason::ConnectionLost => "SIGNAL_CLOSE",
        DepartureReason::Disconnected => "UNKNOWN_REASON",
        DepartureReason::Removed => "PARTICIPANT_REMOVED",
        DepartureReason::Replaced => "DUPLICATE_IDENTITY",
        DepartureReason::Ended | DepartureReason::RoomClosed => "ROOM_DELETED",
        DepartureReason::Moved => "MIGRATION",
        DepartureReason::ServerStopped => "SERVER_SHUTDOWN",
    }
}

fn track_info(record: &TrackRecord) -> TrackInfo<'_> {
    TrackInfo {
        sid: record.producer.to_string(),
        kind: match record.kind {
            MediaKind::Audio => "AUDIO",
            MediaKind::Video => "VIDEO",
        },
        muted: record.is_muted,
        simulcast: record.is_simulcast,
        source: match record.source {
            Some(MediaSource::Mic) => "MICROPHONE",
            Some(MediaSource::Camera) => "CAMERA",
            Some(MediaSource::Screen) => "SCREEN_SHARE",
            Some(MediaSource::ScreenAudio) => "SCREEN_SHARE_AUDIO",
            None => "UNKNOWN",
        },
        mime_type: &record.mime_type,
    }
}

/// Returns a time in seconds since 1970. The JSON mapping writes 64-bit integers as text.
fn seconds(unix_epoch: Duration, time: Time) -> String {
    (unix_epoch + time.since_origin()).as_secs().to_string()
}

fn milliseconds(unix_epoch: Duration, time: Time) -> String {
    (unix_epoch + time.since_origin()).as_millis().to_string()
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}
