//! `GET /metrics`: figures for operators, in the text that Prometheus reads. From this machine
//! they are open; from elsewhere, and through a proxy, they need the operators' key. They name no
//! person, no room and no address.
//!
//! Nothing is counted here: what others have counted is gathered when somebody asks.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::SiteContext;
use super::api::Caller;
use super::client_address::PeerAddress;
use super::json_response::ApiError;
use conference::ConferenceCollector;
use http::HttpCollector;
use process::ProcessCollector;
use workers::WorkerCollector;

mod conference;
mod encoder;
mod http;
mod process;
mod workers;

/// What all names begin with.
const PREFIX: &str = "watersmeet";

/// The text that Prometheus reads (OpenMetrics 1.0).
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Headers by which a proxy says for whom it asks.
const FORWARDED: [&str; 3] = ["forwarded", "x-forwarded-for", "x-real-ip"];

/// The paths of this room.
pub fn routes() -> Router<SiteContext> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(State(site): State<SiteContext>, request: Request) -> Result<Response, ApiError> {
    if !is_local(&request) {
        Caller::of(&site, &request)?.operator()?;
    }
    let text = text(&site).await.ok_or(ApiError::Unavailable)?;
    let headers = [
        (header::CONTENT_TYPE, CONTENT_TYPE),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, text).into_response())
}

/// Whether a program on this machine asks for itself. A proxy on this machine asks for others.
fn is_local(request: &Request) -> bool {
    let peer = request.extensions().get::<PeerAddress>();
    let is_here = peer.is_some_and(|peer| peer.0.to_canonical().is_loopback());
    is_here && !is_forwarded(request.headers())
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDED.iter().any(|name| headers.contains_key(*name))
}

/// All figures at this moment. While the conference does not answer, its own are missing.
async fn text(site: &SiteContext) -> Option<String> {
    let counts = site.hub.counts().await;
    let workers = WorkerCollector::read(&site.meters, &site.pulses);
    let mut registry = Registry::with_prefix(PREFIX);
    if let Some(counts) = counts {
        registry.register_collector(Box::new(ConferenceCollector { counts }));
    }
    registry.register_collector(Box::new(workers));
    registry.register_collector(Box::new(HttpCollector::read(site)));
    registry.register(
        "http_requests",
        "HTTP requests, by the path of the router and the status of the answer",
        site.instruments.requests(),
    );
    let mut text = String::new();
    prometheus_client::encoding::text::encode_registry(&mut text, &registry).ok()?;
    let mut process = Registry::default();
    process.register_collector(Box::new(ProcessCollector::read(site)));
    encode(&mut text, &process).ok()?;
    Some(text)
}
