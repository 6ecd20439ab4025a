//! Whether the program lives (`/livez`), whether it can take people (`/readyz`), and both with
//! numbers for a glance (`/health`). Numbers only; nobody's name.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use watersmeet_conference::ConferenceGauges;

use super::SiteContext;
use super::json_response::{self, iso};
use crate::process_metrics;

/// `/health`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    /// `OK`, or `DEGRADED` while a shard or the hub does not answer.
    status: &'static str,
    /// The program's name.
    service: &'static str,
    /// Its version.
    version: &'static str,
    /// The wall clock.
    timestamp: String,
    /// Seconds since it started.
    uptime: u64,
    /// Memory it has.
    memory: Memory,
    /// MediaSockets threads.
    shards: usize,
    /// MediaSockets threads that do not answer.
    shards_hung: usize,
    /// Open rooms.
    rooms: usize,
    /// People in them.
    participants: usize,
    /// Open signalling connections.
    sessions: usize,
    /// MediaSockets that is sent in.
    producers: usize,
    /// MediaSockets that is sent out.
    consumers: usize,
}

/// Memory, in bytes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    /// What is really there.
    rss: u64,
    /// What was asked for.
    virtual_size: u64,
}

/// The paths of this room.
pub fn routes() -> Router<SiteContext> {
    Router::new()
        .route("/health", get(health))
        .route("/livez", get(live))
        .route("/readyz", get(ready))
}

/// Answers 200 with the counts, or 503 when a shard or the hub does not answer.
async fn health(State(site): State<SiteContext>) -> Response {
    let counts = site.hub.counts().await;
    let shards_hung = site.pulses.iter().filter(|pulse| pulse.hung()).count();
    let is_well = counts.is_some() && shards_hung == 0;
    let counts = counts.unwrap_or_default();
    let memory = process_metrics::process().unwrap_or_default();
    let body = Health {
        status: if is_well { "OK" } else { "DEGRADED" },
        service: "watersmeet",
        version: env!("CARGO_PKG_VERSION"),
        timestamp: iso(site.clock.unix_ms()),
        uptime: site.clock.now().since_origin().as_secs(),
        memory: Memory {
            rss: memory.resident_bytes,
            virtual_size: memory.virtual_bytes,
        },
        shards: site.pulses.len(),
        shards_hung,
        rooms: counts.rooms,
        participants: counts.participants,
        sessions: counts.sessions,
        producers: counts.producers,
        consumers: counts.consumers,
    };
    json_response::json(status(is_well), &body)
}

/// Answers as long as requests are answered at all.
async fn live() -> Response {
    words(true, "alive\n")
}

/// Answers 200 while people can be taken; 503 while a shard or the hub does not answer, and from
/// the moment that the program was told to end.
async fn ready(State(site): State<SiteContext>) -> Response {
    let counts: Option<ConferenceGauges> = site.hub.counts().await;
    let is_ready = counts.is_some() && !site.pulses.iter().any(|pulse| pulse.hung());
    words(is_ready, if is_ready { "ready\n" } else { "not ready\n" })
}

const fn status(is_well: bool) -> StatusCode {
    if is_well {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

fn words(is_well: bool, words: &'static str) -> Response {
    (
        status(is_well),
        [(header::CACHE_CONTROL, "no-store")],
        words,
    )
        .into_response()
}
