//! `GET /metrics`: metrics for operators in the text format of Prometheus, or as OpenMetrics for
//! programs that ask for it. Open on loopback; from elsewhere, and through a proxy, the API key is
//! required. No label names a person, room or address.
//!
//! Nothing is counted here: each request collects what other modules count.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::caller::Caller;
use super::client_address::PeerAddress;
use super::forwarded;
use super::json_response::ApiError;
use super::site::SiteContext;
use capacity::CapacityCollector;
use conference::ConferenceCollector;
use history::HistoryCollector;
use http::HttpCollector;
use process::ProcessCollector;
use turn::TurnCollector;
use webhooks::WebhookCollector;
use whip::WhipCollector;
use workers::WorkerCollector;

mod capacity;
mod classic_format;
mod conference;
mod encoder;
mod history;
mod http;
mod process;
mod turn;
mod webhooks;
mod whip;
mod workers;

/// Prefix of metric names.
const PREFIX: &str = "watersmeet";

/// Content type of OpenMetrics 1.0.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Content type of Prometheus's own text format.
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Returns the routes of this module.
pub fn routes() -> Router<SiteContext> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(State(site): State<SiteContext>, request: Request) -> Result<Response, ApiError> {
    if !is_local(&request) {
        Caller::authenticate(&site, &request)?.require_operator()?;
    }
    let text = collect(&site).await.ok_or(ApiError::Unavailable)?;
    let (content_type, text) = match classic_format::is_openmetrics_preferred(request.headers()) {
        true => (OPENMETRICS, text),
        false => (CLASSIC, classic_format::from_openmetrics(&text)),
    };
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "Accept"),
    ];
    Ok((headers, text).into_response())
}

/// Whether the request comes from a program on this machine, and not from a proxy on it.
fn is_local(request: &Request) -> bool {
    let peer = request.extensions().get::<PeerAddress>();
    let is_loopback = peer.is_some_and(|peer| peer.0.to_canonical().is_loopback());
    is_loopback && !forwarded::is_forwarded(request.headers())
}

/// Collects all metrics. Those of the conference are missing while it does not respond.
async fn collect(site: &SiteContext) -> Option<String> {
    let gauges = site.hub.gauges().await;
    let workers = WorkerCollector::collect(&site.shard_metrics, &site.heartbeats);
    let mut registry = Registry::with_prefix(PREFIX);
    if let Some(gauges) = gauges {
        let capacity = site.capacity(&gauges);
        registry.register_collector(Box::new(CapacityCollector(capacity)));
        registry.register_collector(Box::new(ConferenceCollector { gauges }));
    }
    registry.register_collector(Box::new(workers));
    registry.register_collector(Box::new(HttpCollector::collect(site)));
    registry.register_collector(Box::new(TurnCollector::new(site)));
    registry.register_collector(Box::new(WebhookCollector::collect(site)));
    registry.register_collector(Box::new(HistoryCollector::new(site)));
    registry.register_collector(Box::new(WhipCollector::new(site)));
    registry.register(
        "http_requests",
        "HTTP requests by method, route and response status",
        site.request_metrics.requests(),
    );
    let mut text = String::new();
    prometheus_client::encoding::text::encode_registry(&mut text, &registry).ok()?;
    let mut process = Registry::default();
    process.register_collector(Box::new(ProcessCollector::collect(site)));
    encode(&mut text, &process).ok()?;
    Some(text)
}
