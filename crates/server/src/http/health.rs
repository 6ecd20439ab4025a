//! `GET /health`: whether the program lives and what it holds. Numbers only; nobody's name.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::Site;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    /// `ok`, or `degraded` while a shard or the hub does not answer.
    status: &'static str,
    /// The program's name.
    service: &'static str,
    /// Its version.
    version: &'static str,
    /// Seconds since it started.
    uptime: u64,
    /// Media threads.
    shards: usize,
    /// Media threads that do not answer.
    shards_hung: usize,
    /// Open rooms.
    rooms: usize,
    /// People in them.
    participants: usize,
    /// Open signalling connections.
    sessions: usize,
    /// Media that is sent in.
    producers: usize,
    /// Media that is sent out.
    consumers: usize,
}

/// Answers 200 with the counts, or 503 when a shard or the hub does not answer.
pub async fn health(State(site): State<Site>) -> Response {
    let counts = site.hub.counts().await;
    let shards_hung = site.pulses.iter().filter(|pulse| pulse.hung()).count();
    let well = counts.is_some() && shards_hung == 0;
    let counts = counts.unwrap_or_default();
    let body = Health {
        status: if well { "ok" } else { "degraded" },
        service: "watersmeet",
        version: env!("CARGO_PKG_VERSION"),
        uptime: site.clock.now().since_origin().as_secs(),
        shards: site.pulses.len(),
        shards_hung,
        rooms: counts.rooms,
        participants: counts.participants,
        sessions: counts.sessions,
        producers: counts.producers,
        consumers: counts.consumers,
    };
    let Ok(json) = serde_json::to_string(&body) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let status = if well {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, json).into_response()
}
