//! Payloads about breakout rooms.

use serde::{Deserialize, Serialize};

/// A breakout room to open.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct BreakoutPlan {
    /// Name to show.
    pub name: String,
    /// Ids of the participants who are assigned to it.
    pub peer_ids: Vec<String>,
}

/// `enterBreakout`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnterBreakout {
    /// Name of the breakout room; absent returns to the main room.
    pub room_id: Option<String>,
}

/// A breakout room.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct BreakoutRoom {
    /// Name by which it is entered.
    pub room_id: String,
    /// Name to show.
    pub name: String,
}

/// `breakoutMoved`: a participant is in another room of the meeting. Sent to hosts
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct BreakoutPerson {
    /// Id of the participant.
    pub peer_id: String,
    /// Name to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Name of its breakout room; absent for the main room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_id: Option<String>,
}

/// `breakouts`: the meeting has breakout rooms
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Breakouts {
    /// All breakout rooms.
    pub rooms: Vec<BreakoutRoom>,
    /// Name of the breakout room that the receiver is in; absent for the main room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// Name of the breakout room to which the receiver is assigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned: Option<String>,
    /// Seconds until everybody returns; absent while the rooms stay open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional, type = "number"))]
    pub closes_in_s: Option<u64>,
    /// Everybody in the breakout rooms; present for hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<Vec<BreakoutPerson>>,
}
