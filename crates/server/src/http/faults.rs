//! Panics that a test injects, to check what happens to rooms. Only with the feature `faults`.
//!
//! `POST /faults/panic/{shard}` makes a shard panic. `POST /faults/panic/rooms/{room}/{stage}` makes
//! the next request of a room's participants panic, at one of the `PanicStage`s.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use watersmeet_conference::faults::PanicStage;

use super::site::SiteContext;

/// Makes a shard panic. Returns 202 once the shard was told, 404 when there is no such shard.
pub async fn panic(State(site): State<SiteContext>, Path(shard): Path<u8>) -> StatusCode {
    let exists = site.heartbeats.len() > usize::from(shard);
    if exists && site.hub.inject_panic(shard).await {
        StatusCode::ACCEPTED
    } else {
        StatusCode::NOT_FOUND
    }
}

/// Makes the next request in a room panic. Returns 202 once the hub was told, 404 for an unknown
/// stage.
pub async fn panic_in_room(
    State(site): State<SiteContext>,
    Path((room, stage)): Path<(String, String)>,
) -> StatusCode {
    let stage = match stage.as_str() {
        "dialect" => PanicStage::Dialect,
        "request" => PanicStage::Request,
        "halfway" => PanicStage::Halfway,
        "cleanup" => PanicStage::Cleanup,
        _ => return StatusCode::NOT_FOUND,
    };
    if site.hub.inject_room_panic(room, stage).await {
        StatusCode::ACCEPTED
    } else {
        StatusCode::NOT_FOUND
    }
}
