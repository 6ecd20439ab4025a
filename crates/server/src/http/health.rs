//! Health checks: liveness (`/livez`), readiness (`/readyz`), and a summary with object gauges
//! (`/health`) that names nobody.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use watersmeet_conference::ConferenceGauges;

use super::json_response::{self, format_time};
use super::site::SiteContext;
use crate::process_metrics;

/// Body of `/health`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    /// `OK`, or `DEGRADED` while a shard or the hub does not respond.
    status: &'static str,
    /// Name of the program.
    service: &'static str,
    /// Version of the program.
    version: &'static str,
    /// Current time (RFC 3339).
    timestamp: String,
    /// Seconds since the start.
    uptime: u64,
    /// Memory of the process.
    memory: Memory,
    /// Number of shards.
    shards: usize,
    /// Number of shards that hang.
    shards_hung: usize,
    /// Number of rooms.
    rooms: usize,
    /// Participants in all rooms.
    participants: usize,
    /// Signalling sessions.
    sessions: usize,
    /// Producers in all rooms.
    producers: usize,
    /// Consumers in all rooms.
    consumers: usize,
}

/// Memory, in bytes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    /// Resident memory.
    rss: u64,
    /// Virtual memory.
    virtual_size: u64,
}

/// Returns the routes of this module.
pub fn routes() -> Router<SiteContext> {
    Router::new()
        .route("/health", get(health))
        .route("/livez", get(live))
        .route("/readyz", get(ready))
}

/// Returns 200 with the gauges, or 503 when a shard or the hub does not respond.
async fn health(State(site): State<SiteContext>) -> Response {
    let gauges = site.hub.gauges().await;
    let shards_hung = site.heartbeats.iter().filter(|it| it.is_hung()).count();
    let is_healthy = gauges.is_some() && shards_hung == 0;
    let gauges = gauges.unwrap_or_default();
    let memory = process_metrics::read().unwrap_or_default();
    let body = Health {
        status: if is_healthy { "OK" } else { "DEGRADED" },
        service: "watersmeet",
        version: env!("CARGO_PKG_VERSION"),
        timestamp: format_time(site.clock.unix_ms()),
        uptime: site.clock.now().since_origin().as_secs(),
        memory: Memory {
            rss: memory.resident_bytes,
            virtual_size: memory.virtual_bytes,
        },
        shards: site.heartbeats.len(),
        shards_hung,
        rooms: gauges.rooms,
        participants: gauges.participants,
        sessions: gauges.sessions,
        producers: gauges.producers,
        consumers: gauges.consumers,
    };
    json_response::json(status(is_healthy), &body)
}

/// Returns 200 as long as HTTP requests are served.
async fn live() -> Response {
    text_response(true, "alive\n")
}

/// Returns 200 while participants can join; 503 while a shard or the hub does not respond, while operators drain
/// the program, and during shutdown.
async fn ready(State(site): State<SiteContext>) -> Response {
    if site.is_shutting_down() {
        return text_response(false, "shutting down\n");
    }
    if site.is_draining() {
        return text_response(false, "draining\n");
    }
    let gauges: Option<ConferenceGauges> = site.hub.gauges().await;
    let is_ready = gauges.is_some() && !site.heartbeats.iter().any(|it| it.is_hung());
    text_response(is_ready, if is_ready { "ready\n" } else { "not ready\n" })
}

const fn status(is_healthy: bool) -> StatusCode {
    if is_healthy {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

fn text_response(is_healthy: bool, text: &'static str) -> Response {
    (
        status(is_healthy),
        [(header::CACHE_CONTROL, "no-store")],
        text,
    )
        .into_response()
}
