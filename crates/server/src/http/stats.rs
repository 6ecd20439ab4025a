//! `GET /stats`: object counts by room and by worker. It is public, so it names no people and shows
//! rooms under pseudonyms; operators see the real names. All answers of a second are the same page,
//! made from one question to the conference (`stats_cache`).

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use watersmeet_conference::conference::RoomSummary;

use super::caller::Caller;
use super::json_response::{self, ApiError};
use super::site::SiteContext;
use super::stats_cache::StatsSnapshot;
use crate::process_metrics;
use crate::shard_metrics::SharedMetrics;

/// Body of `/stats`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    /// Number of workers.
    workers: usize,
    /// How full the server is, for operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<CapacityStats>,
    /// Number of rooms.
    rooms: usize,
    /// Participants in all rooms.
    total_participants: usize,
    /// Producers in all rooms.
    total_producers: usize,
    /// Consumers in all rooms.
    total_consumers: usize,
    /// Counts of each room, at most a thousand.
    room_stats: Vec<RoomStats>,
    /// Counts of each worker.
    worker_stats: Vec<WorkerStats>,
}

/// How full the server is.
#[derive(Serialize)]
struct CapacityStats {
    /// The largest of the parts, where 1 is full.
    used: f64,
    /// All parts by name.
    parts: BTreeMap<&'static str, f64>,
}

/// Counts of a room.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RoomStats {
    /// Name of the room for operators, else its pseudonym.
    room_id: String,
    /// Number of participants.
    participant_count: usize,
    /// Number of producers.
    total_producers: usize,
    /// Number of consumers.
    total_consumers: usize,
    /// Counts of each participant, in order of joining.
    participants: Vec<ParticipantStats>,
}

/// Counts of a participant.
#[derive(Serialize)]
struct ParticipantStats {
    /// Number of its producers.
    producers: usize,
    /// Number of its consumers.
    consumers: usize,
}

/// Counts of a worker.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WorkerStats {
    /// Number of the worker.
    index: u8,
    /// Process id; the same for all workers.
    pid: u32,
    /// Resource usage of its thread.
    resource_usage: ResourceUsage,
    /// Rooms that have media on this worker.
    routers: u64,
}

/// Resource usage of a thread, with the names of getrusage(2) that mediasoup uses.
#[derive(Serialize)]
struct ResourceUsage {
    /// CPU time in user mode, in milliseconds.
    ru_utime: u128,
    /// CPU time in the kernel, in milliseconds.
    ru_stime: u128,
    /// Resident memory of the whole process, in KiB.
    ru_maxrss: u64,
}

/// Returns the routes of this module.
pub fn routes() -> Router<SiteContext> {
    Router::new().route("/stats", get(stats))
}

async fn stats(
    State(site): State<SiteContext>,
    http_request: Request,
) -> Result<Response, ApiError> {
    let is_operator = Caller::authenticate(&site, &http_request)?.is_operator();
    let snapshot = site.stats_cache.read(&site.hub).await;
    let snapshot = snapshot.ok_or(ApiError::Unavailable)?;
    let page = snapshot.page(is_operator, || render(&site, &snapshot, is_operator));
    Ok(json_response::json_text(StatusCode::OK, page))
}

/// Renders the page. All its values can be written as JSON, so the fallback is never used.
fn render(site: &SiteContext, snapshot: &StatsSnapshot, is_operator: bool) -> Bytes {
    let gauges = &snapshot.gauges;
    let display_name = |room: &RoomSummary| match is_operator {
        true => room.room.to_string(),
        false => site.pseudonyms.pseudonym(&room.room),
    };
    let room_stats = snapshot
        .rooms
        .iter()
        .map(|room| RoomStats::new(room, display_name(room)));
    let capacity = is_operator.then(|| site.capacity(gauges));
    let stats = Stats {
        workers: site.shard_metrics.len(),
        capacity: capacity.map(|it| CapacityStats {
            used: it.used,
            parts: BTreeMap::from(it.parts),
        }),
        rooms: gauges.rooms,
        total_participants: gauges.participants,
        total_producers: gauges.producers,
        total_consumers: gauges.consumers,
        room_stats: room_stats.collect(),
        worker_stats: site.shard_metrics.iter().map(WorkerStats::new).collect(),
    };
    serde_json::to_vec(&stats).unwrap_or_default().into()
}

impl RoomStats {
    fn new(room: &RoomSummary, room_id: String) -> Self {
        let participants = room
            .media_by_participant
            .iter()
            .map(|share| ParticipantStats {
                producers: share.producers,
                consumers: share.consumers,
            });
        Self {
            room_id,
            participant_count: room.participants,
            total_producers: room.producers,
            total_consumers: room.consumers,
            participants: participants.collect(),
        }
    }
}

impl WorkerStats {
    fn new(shared: &SharedMetrics) -> Self {
        let metrics = shared.read();
        let cpu = metrics
            .thread
            .and_then(process_metrics::thread_cpu_time)
            .unwrap_or_default();
        let process = process_metrics::read().unwrap_or_default();
        Self {
            index: shared.shard(),
            pid: std::process::id(),
            resource_usage: ResourceUsage {
                ru_utime: cpu.user.as_millis(),
                ru_stime: cpu.system.as_millis(),
                ru_maxrss: process.resident_bytes >> 10,
            },
            routers: metrics.worker.routers,
        }
    }
}
