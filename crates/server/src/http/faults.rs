//! `POST /faults/panic/{shard}`: has a shard panic, so that a test can watch what becomes of its
//! rooms. Only in a build with the feature `faults`.

use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::SiteContext;

/// Answers 202 once the shard was told.
pub async fn panic(State(site): State<SiteContext>, Path(shard): Path<u8>) -> StatusCode {
    let exists = site.pulses.len() > usize::from(shard);
    if exists && site.hub.inject_panic(shard).await {
        StatusCode::ACCEPTED
    } else {
        StatusCode::NOT_FOUND
    }
}
