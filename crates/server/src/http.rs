//! HTTP: the web page, WebSocket and Socket.IO signalling, REST, health and metrics on one TCP port
//! for each listener. Knows requests and connections, no rooms and no media.
//!
//! Connections are bounded in number, header size and time (`server`), sessions in what they may
//! send and in what may be queued for them (`websocket`, `socketio`).

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::config::Mount;
use client_address::{ClientAddress, PeerAddress};
use rate_limit::RateLimitedAction;
use site::SiteContext;

mod abuse;
mod api;
mod api_context;
mod assets;
mod caller;
mod client_address;
mod connection_limit;
mod cors;
#[cfg(feature = "faults")]
mod faults;
mod health;
mod json_response;
mod metrics;
mod query_params;
mod rate_limit;
mod request_body;
mod request_metrics;
mod room_pseudonyms;
pub mod server;
pub mod site;
mod socketio;
mod stats;
mod throttle;
pub mod tls;
mod websocket;

/// Content Security Policy of the page. `blob:` and `mediastream:` are needed for video; inline
/// styles are needed by the tile grid, inline scripts are not allowed.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; \
    img-src 'self' blob: data:; media-src 'self' blob: mediastream:; \
    style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; object-src 'none'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'";

/// Headers of every response. `no-referrer` keeps room addresses out of `Referer`.
const SECURITY_HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(self), microphone=(self), display-capture=(self)",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Returns the router of a listener, with the routes of its mounts.
pub fn router(site: SiteContext) -> Router {
    let mut router = Router::new()
        .route("/", get(root))
        .merge(health::routes())
        .merge(stats::routes());
    if site.serves(Mount::Api) {
        router = router.merge(api::routes(&site));
    }
    if site.serves(Mount::Metrics) {
        router = router.merge(metrics::routes());
    }
    if site.serves(Mount::Native) || site.serves(Mount::Protoo) {
        router = router.route("/ws", get(websocket::upgrade));
    }
    if site.serves(Mount::SocketIo) {
        router = router.merge(socketio::routes(&site));
    }
    if site.serves(Mount::Page) {
        router = router.fallback(get(assets::file));
    }
    #[cfg(feature = "faults")]
    let router = router
        .route("/faults/panic/{shard}", axum::routing::post(faults::panic))
        .route(
            "/faults/panic/rooms/{room}/{stage}",
            axum::routing::post(faults::panic_in_room),
        );
    router
        .layer(middleware::from_fn_with_state(site.clone(), limit_request))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&site.request_metrics),
            request_metrics::record,
        ))
        .layer(middleware::map_response(add_security_headers))
        .with_state(site)
}

/// Middleware of every request: determines the client's address, counts the request against its
/// rate limit and bounds its body.
async fn limit_request(
    State(site): State<SiteContext>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(&peer) = request.extensions().get::<PeerAddress>() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let client = ClientAddress::resolve(peer, request.headers(), &site.trusted_proxies);
    if let Err(rate_limited) = site.rates.take(RateLimitedAction::Request, client.0) {
        return rate_limited.into_response();
    }
    request.extensions_mut().insert(client);
    match request_body::limit(request) {
        Ok(request) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// `GET /`: a WebSocket for a client that requests an upgrade, else the page.
async fn root(site: State<SiteContext>, request: Request) -> Response {
    if request.headers().contains_key(header::UPGRADE) {
        return websocket::upgrade(site, request).await;
    }
    if !site.serves(Mount::Page) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let (parts, _) = request.into_parts();
    assets::file(parts.uri, parts.headers).await
}

async fn add_security_headers(mut response: Response) -> Response {
    for (name, value) in SECURITY_HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
