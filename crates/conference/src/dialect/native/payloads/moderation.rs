//! Payloads of moderation: what hosts request, and what participants are told of it.

use serde::{Deserialize, Serialize};
use watersmeet_wire::params::MediaKind;

use super::breakouts::BreakoutPlan;
use crate::message::{ChatPolicy, Policy, Sharing};

/// `moderate`: a decision of a host.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(
    tag = "action",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum Moderate {
    /// Admits a waiting participant.
    Admit {
        /// Id of the participant.
        peer_id: String,
        /// Whether it becomes a speaker; absent means yes.
        #[cfg_attr(test, ts(optional))]
        promote: Option<bool>,
    },
    /// Rejects a waiting participant.
    Deny {
        /// Id of the participant.
        peer_id: String,
        /// Whether it may not ask again while the room exists; absent means that it may.
        #[cfg_attr(test, ts(optional))]
        ban: Option<bool>,
    },
    /// Makes a viewer a speaker.
    Promote {
        /// Id of the participant.
        peer_id: String,
    },
    /// Makes a speaker a viewer.
    Demote {
        /// Id of the participant.
        peer_id: String,
    },
    /// Pauses producers of a participant.
    Mute {
        /// Id of the participant.
        peer_id: String,
        /// Kind of the producers; absent means all.
        #[cfg_attr(test, ts(optional, type = "Kind"))]
        kind: Option<MediaKind>,
    },
    /// Pauses producers of all participants but the requester.
    MuteAll {
        /// Kind of the producers; absent means all.
        #[cfg_attr(test, ts(optional, type = "Kind"))]
        kind: Option<MediaKind>,
    },
    /// Asks a participant to switch its microphone on.
    AskToUnmute {
        /// Id of the participant.
        peer_id: String,
    },
    /// Stops the shared screens of a participant.
    StopSharing {
        /// Id of the participant.
        peer_id: String,
    },
    /// Makes a participant a host.
    AppointHost {
        /// Id of the participant.
        peer_id: String,
    },
    /// Shows one participant large to everybody.
    Spotlight {
        /// Id of the participant; absent ends it.
        #[cfg_attr(test, ts(optional))]
        peer_id: Option<String>,
    },
    /// Changes who may share screens.
    SetSharing {
        /// The new rule.
        sharing: Sharing,
    },
    /// Ends the meeting for everybody.
    End {},
    /// Removes a participant from the room.
    Remove {
        /// Id of the participant.
        peer_id: String,
        /// Whether it may not come back while the room exists; absent means that it may.
        #[cfg_attr(test, ts(optional))]
        ban: Option<bool>,
    },
    /// Changes who may enter the room.
    SetPolicy {
        /// The new policy.
        policy: Policy,
    },
    /// Opens breakout rooms, and invites those who are assigned to them.
    OpenBreakouts {
        /// The rooms, 2 to 20.
        rooms: Vec<BreakoutPlan>,
    },
    /// Assigns a participant of the main room to a breakout room.
    AssignBreakout {
        /// Id of the participant.
        peer_id: String,
        /// Name of the breakout room.
        room_id: String,
    },
    /// Sends a chat message to everybody in the main room and its breakout rooms.
    TellBreakouts {
        /// Text of the message.
        text: String,
    },
    /// Ends the breakout rooms: everybody returns to the main room.
    CloseBreakouts {
        /// Seconds until then, at most 300.
        seconds: u32,
    },
    /// Changes who may write chat messages and start polls.
    SetChatPolicy {
        /// The new policy.
        policy: ChatPolicy,
    },
}

/// `unmuteRequested`: a host asks to switch the microphone on
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnmuteRequested {
    /// Id of the host; absent for the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<String>,
}

/// `spotlightChanged`: another participant is shown large to everybody, or none any more
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct SpotlightChanged {
    /// Id of the participant, perhaps the receiver's own; absent ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<String>,
}

/// `sharingChanged`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub(crate) struct SharingChanged {
    /// The new rule for sharing screens.
    pub sharing: Sharing,
}

/// `interruptionChanged`: nothing arrives from a participant any more, or something arrives again
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct InterruptionChanged {
    /// Id of the participant.
    pub peer_id: String,
    /// Whether nothing arrives.
    pub interrupted: bool,
}
