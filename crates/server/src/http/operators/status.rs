//! State of the server at one moment: media threads, limits and how far they are used, certificates, TURN.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use watersmeet_conference::conference::RoomSummary;

use super::super::api::error_responses::ListRoomsErrors;
use super::super::json_response::{self, ApiError, format_time};
use super::super::operators_context::{CertificateSource, ListenerCertificate};
use super::super::site::SiteContext;
use super::schemas::{
    CertificateKind, CertificateState, LimitUse, MediaThread, ServerPhase, ServerStatus, TurnState,
};
use crate::heartbeat::Heartbeat;
use crate::process_metrics;
use crate::shard_metrics::SharedMetrics;

/// The state of the server.
///
/// Counters only grow; the difference of two answers is a rate.
#[utoipa::path(
    get, path = "/api/operators/status", tag = "Server",
    security(("bearer" = [])),
    responses((status = 200, description = "The state.", body = ServerStatus), ListRoomsErrors)
)]
pub async fn show(State(site): State<SiteContext>) -> Result<Response, ApiError> {
    let snapshot = site.stats_cache.read(&site.hub).await;
    let snapshot = snapshot.ok_or(ApiError::Unavailable)?;
    let gauges = &snapshot.gauges;
    let process = process_metrics::read().unwrap_or_default();
    let uptime = site.clock.now().since_origin();
    let unix_ms = site.clock.unix_ms();
    let uptime_ms = u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX);
    let status = ServerStatus {
        version: env!("CARGO_PKG_VERSION"),
        commit: env!("WATERSMEET_COMMIT"),
        at: format_time(unix_ms),
        started_at: format_time(unix_ms.saturating_sub(uptime_ms)),
        uptime_s: uptime.as_secs(),
        phase: match (site.is_shutting_down(), site.is_draining()) {
            (true, _) => ServerPhase::ShuttingDown,
            (false, true) => ServerPhase::Draining,
            (false, false) => ServerPhase::Running,
        },
        rooms: gauges.rooms,
        participants: gauges.participants,
        waiting: gauges.waiting,
        capacity_used: site.capacity(gauges).used,
        memory_bytes: process.resident_bytes,
        media_threads: site
            .shard_metrics
            .iter()
            .map(|shard| media_thread(shard, &site.heartbeats))
            .collect(),
        limits: limits(
            &site,
            gauges.sessions,
            gauges.rooms,
            &snapshot.rooms,
            &process,
        ),
        certificates: site
            .operators
            .certificates
            .iter()
            .map(certificate_state)
            .collect(),
        turn: turn_state(&site),
    };
    Ok(json_response::json(StatusCode::OK, &status))
}

fn media_thread(shared: &SharedMetrics, heartbeats: &[Heartbeat]) -> MediaThread {
    let metrics = shared.read();
    let worker = &metrics.worker;
    let index = shared.shard();
    let mut heartbeats = heartbeats.iter();
    MediaThread {
        index,
        load: f64::from(metrics.busy_permille) / 1_000.0,
        is_hung: heartbeats.any(|it| it.shard() == index && it.is_hung()),
        rooms: worker.routers,
        transports: worker.transports.connected,
        transports_connecting: worker.transports.new + worker.transports.connecting,
        transports_broken: worker.transports.disconnected + worker.transports.failed,
        producers: worker.audio.producers + worker.video.producers,
        consumers: worker.audio.consumers + worker.video.consumers,
        packets_in: metrics.traffic.datagrams_received + metrics.traffic.frames_received,
        packets_out: metrics.traffic.datagrams_sent + metrics.traffic.frames_sent,
        bytes_in: worker.totals.bytes_received,
        bytes_out: worker.totals.bytes_sent,
        restarts: metrics.failures,
    }
}

/// Returns the limits that a server reaches first, and how far they are used.
fn limits(
    site: &SiteContext,
    sessions: usize,
    rooms: usize,
    all: &[RoomSummary],
    process: &process_metrics::ProcessMetrics,
) -> Vec<LimitUse> {
    let caps = &site.operators.limits;
    let count = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    let largest = all.iter().map(|it| it.participants).max();
    let mut limits = vec![
        LimitUse::new("sessions", count(sessions), count(caps.sessions_max)),
        LimitUse::new("rooms", count(rooms), count(caps.rooms_max)),
        LimitUse::new(
            "participants-of-largest-room",
            count(largest.unwrap_or(0)),
            count(caps.participants_max),
        ),
    ];
    if process.descriptors_max > 0 {
        let (used, max) = (process.descriptors, process.descriptors_max);
        limits.push(LimitUse::new("open-files", used, max));
    }
    if let Some(max) = site.operators.turn_allocations_max {
        let used = site.turn_metrics.allocations();
        limits.push(LimitUse::new("turn-allocations", used, max.into()));
    }
    limits
}

fn certificate_state(certificate: &ListenerCertificate) -> CertificateState {
    let expires_at = certificate.current.not_after();
    let unix = expires_at.and_then(|it| it.duration_since(std::time::UNIX_EPOCH).ok());
    let unix_ms = unix.and_then(|it| u64::try_from(it.as_millis()).ok());
    CertificateState {
        port: certificate.port,
        kind: match certificate.source {
            CertificateSource::Acme => CertificateKind::Acme,
            CertificateSource::Files => CertificateKind::Files,
            CertificateSource::SelfSigned => CertificateKind::SelfSigned,
        },
        expires_at: unix_ms.map(format_time),
    }
}

fn turn_state(site: &SiteContext) -> Option<TurnState> {
    site.operators.turn_allocations_max?;
    let metrics = &site.turn_metrics;
    let [(_, bytes_in), (_, bytes_out)] = metrics.bytes();
    Some(TurnState {
        allocations: metrics.allocations(),
        allocations_made: metrics.allocations_made(),
        refused: metrics.refused().map(|(_, count)| count).sum(),
        bytes_in,
        bytes_out,
    })
}
