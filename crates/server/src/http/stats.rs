//! `GET /stats`: how much there is, room by room and thread by thread. It is open, so it names no
//! person, and rooms by names of its own that lead nowhere. Operators see the real ones.

use aws_lc_rs::hmac;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use watersmeet_conference::conference::{
    AdminRequest, AdminResponse, ROOMS_LISTED_MAX, RoomSummary,
};

use super::SiteContext;
use super::api::Caller;
use super::json_response::{self, ApiError};
use crate::process_metrics;
use crate::shard_metrics::SharedMetrics;

/// Bytes of a room's pseudonym: two rooms share one in none of 2^48 cases.
const PSEUDONYM_LEN: usize = 12;

/// `/stats`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    /// MediaSockets threads.
    workers: usize,
    /// Rooms.
    rooms: usize,
    /// People in them.
    total_participants: usize,
    /// MediaSockets that is sent in.
    total_producers: usize,
    /// MediaSockets that is sent out.
    total_consumers: usize,
    /// Room by room, a thousand at most.
    room_stats: Vec<RoomStats>,
    /// Thread by thread.
    worker_stats: Vec<WorkerStats>,
}

/// One room.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RoomStats {
    /// Its name, for operators; for others a name that stays the same and leads nowhere.
    room_id: String,
    /// How many are in it.
    participant_count: usize,
    /// How many sources they have.
    total_producers: usize,
    /// How many ways those go to others.
    total_consumers: usize,
    /// Each of them, longest first.
    participants: Vec<ParticipantStats>,
}

/// Somebody in a room.
#[derive(Serialize)]
struct ParticipantStats {
    /// How many sources it has.
    producers: usize,
    /// How many it receives.
    consumers: usize,
}

/// One media thread.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WorkerStats {
    /// Its number.
    index: u8,
    /// The process; all threads are in one.
    pid: u32,
    /// What it costs.
    resource_usage: ResourceUsage,
    /// Rooms that have their media there.
    routers: u64,
}

/// What a thread costs, in the words of getrusage(2) as mediasoup has them.
#[derive(Serialize)]
struct ResourceUsage {
    /// Milliseconds in the program.
    ru_utime: u128,
    /// Milliseconds in the kernel.
    ru_stime: u128,
    /// Memory of the whole process, in KiB.
    ru_maxrss: u64,
}

/// The paths of this room.
pub fn routes() -> Router<SiteContext> {
    Router::new().route("/stats", get(stats))
}

async fn stats(State(site): State<SiteContext>, request: Request) -> Result<Response, ApiError> {
    let is_operator = Caller::of(&site, &request)?.is_operator();
    let counts = site.hub.counts().await.ok_or(ApiError::Unavailable)?;
    let inquiry = AdminRequest::Rooms {
        after: None,
        limit: ROOMS_LISTED_MAX,
    };
    let answer = site.hub.ask(inquiry).await.ok_or(ApiError::Unavailable)?;
    let Ok(AdminResponse::Rooms(rooms)) = answer else {
        return Err(ApiError::Unavailable);
    };
    let name = |room: &RoomSummary| match is_operator {
        true => room.room.to_string(),
        false => site.pseudonyms.of(&room.room),
    };
    let room_stats = rooms.iter().map(|room| RoomStats::of(room, name(room)));
    let stats = Stats {
        workers: site.meters.len(),
        rooms: counts.rooms,
        total_participants: counts.participants,
        total_producers: counts.producers,
        total_consumers: counts.consumers,
        room_stats: room_stats.collect(),
        worker_stats: site.meters.iter().map(WorkerStats::of).collect(),
    };
    Ok(json_response::json(StatusCode::OK, &stats))
}

impl RoomStats {
    fn of(room: &RoomSummary, room_id: String) -> Self {
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
    fn of(meter: &SharedMetrics) -> Self {
        let reading = meter.read();
        let cpu = reading
            .thread
            .and_then(process_metrics::thread)
            .unwrap_or_default();
        let process = process_metrics::process().unwrap_or_default();
        Self {
            index: meter.shard(),
            pid: std::process::id(),
            resource_usage: ResourceUsage {
                ru_utime: cpu.user.as_millis(),
                ru_stime: cpu.system.as_millis(),
                ru_maxrss: process.resident_bytes >> 10,
            },
            routers: reading.figures.routers,
        }
    }
}

/// Names for rooms that nobody turns back into theirs. They change when the program starts anew.
#[derive(Debug)]
pub struct RoomPseudonyms(hmac::Key);

impl RoomPseudonyms {
    /// New names.
    ///
    /// # Errors
    /// The machine has no randomness.
    pub fn draw() -> std::io::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(std::io::Error::from)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The name for a room.
    fn of(&self, room: &str) -> String {
        let tag = hmac::sign(&self.0, room.as_bytes());
        let tag = tag.as_ref().get(..PSEUDONYM_LEN).unwrap_or_default();
        format!("room#{}", URL_SAFE_NO_PAD.encode(tag))
    }
}
