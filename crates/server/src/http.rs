//! HTTP: the web page, WebSocket and Socket.IO signalling, REST, health and metrics on one TCP port
//! for each listener. Knows requests and connections, no rooms and no media.
//!
//! Connections are bounded in number, header size and time (`server`), sessions in what they may
//! send and in what may be queued for them (`websocket`, `socketio`).

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::config::Mount;
use client_address::{ClientAddress, PeerAddress, UnknownClient};
use connection_limit::ConnectionPermit;
use rate_limit::RateLimitedAction;
use site::SiteContext;

mod abuse;
mod api;
mod api_context;
mod assets;
mod base_path;
mod caller;
pub mod client_address;
pub mod connection_limit;
mod content_encoding;
mod cors;
#[cfg(feature = "faults")]
mod faults;
mod forwarded;
mod frame_policy;
mod health;
mod host_check;
mod json_response;
pub mod log_once;
mod metrics;
mod operators;
pub mod operators_context;
pub mod port_sharing;
mod query_params;
mod random_id;
pub mod rate_limit;
pub mod redirect;
mod request_body;
mod request_host;
mod request_metrics;
mod requests_in_progress;
mod room_pseudonyms;
mod security_headers;
pub mod server;
pub mod site;
mod site_folder;
mod socketio;
mod stats;
mod stats_cache;
mod throttle;
pub mod tls;
mod websocket;
pub mod whip;

/// Upper bound of characters of a proxy's report in the log.
const UNREADABLE_LEN_MAX: usize = 64;

/// Returns the router of a listener, with the routes of its mounts.
pub fn router(site: SiteContext) -> Router {
    let router = match site.serves(Mount::Operators) {
        true => operators::routes(&site),
        false => public_routes(&site),
    };
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
        .layer(middleware::from_fn_with_state(
            site.clone(),
            security_headers::add,
        ))
        .with_state(site)
}

/// Returns the routes of a listener that people and their clients use.
fn public_routes(site: &SiteContext) -> Router<SiteContext> {
    let mut router = Router::new()
        .route("/", get(root))
        .merge(health::routes())
        .merge(stats::routes());
    if site.serves(Mount::Api) {
        router = router.merge(api::routes(site));
    }
    if site.serves(Mount::Metrics) {
        router = router.merge(metrics::routes());
    }
    if site.serves(Mount::Native) || site.serves(Mount::Protoo) {
        router = router.route("/ws", get(websocket::upgrade));
    }
    if site.serves(Mount::SocketIo) {
        router = router.merge(socketio::routes(site));
    }
    if site.serves(Mount::Whip) {
        router = router.merge(whip::routes(site));
    }
    if site.serves(Mount::Page) {
        router = router.fallback(get(page));
    }
    router
}

/// Middleware of every request: determines the client's address and the host, counts the request
/// against its limits and bounds its body.
async fn limit_request(
    State(site): State<SiteContext>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(&peer) = request.extensions().get::<PeerAddress>() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let (client, unknown) = ClientAddress::resolve(peer, request.headers(), &site.trusted_proxies);
    if let Some(reason) = unknown {
        log_unknown_client(&site, peer, &reason);
    }
    if let Err(rate_limited) = site.rates.take(RateLimitedAction::Request, client.0) {
        return rate_limited.into_response();
    }
    request.extensions_mut().insert(client);
    if !count_connection(&site, peer, client, &mut request) {
        let headers = [(header::RETRY_AFTER, "5")];
        let text = "Too many connections\n";
        return (StatusCode::SERVICE_UNAVAILABLE, headers, text).into_response();
    }
    let host = match host_check::parse(&site, &request) {
        Ok(host) => host,
        Err(malformed) => return malformed.into_response(),
    };
    if let Some(refusal) = host_check::refusal(&site, &host, &request) {
        return refusal;
    }
    request.extensions_mut().insert(host);
    match request_body::limit(request) {
        Ok(request) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// Counts a request through a proxy as a connection of its client, until the request or the
/// session that it opens ends. Returns false when the client has too many connections.
fn count_connection(
    site: &SiteContext,
    peer: PeerAddress,
    client: ClientAddress,
    request: &mut Request,
) -> bool {
    if !site.is_trusted_proxy(peer.0) && client.0 == peer.0.to_canonical() {
        return true;
    }
    let extensions = request.extensions_mut();
    let Some(permit) = extensions.remove::<Arc<ConnectionPermit>>() else {
        return true;
    };
    let Some(permit) = permit.acquire_for_client(client.0) else {
        return false;
    };
    extensions.insert(Arc::new(permit));
    true
}

/// Logs once why the clients of a proxy are not known.
fn log_unknown_client(site: &SiteContext, peer: PeerAddress, reason: &UnknownClient) {
    let subject = match reason {
        UnknownClient::Unreadable(_) => "unreadable".to_owned(),
        UnknownClient::Conflict => "conflict".to_owned(),
        UnknownClient::Unnamed => "unnamed".to_owned(),
        UnknownClient::UntrustedProxy => peer.0.to_string(),
    };
    if !site.unknown_clients.is_first(&subject) {
        return;
    }
    let fix = "such clients share one limit: let the proxy write the client's address";
    match reason {
        UnknownClient::Unreadable(entry) => {
            let entry: String = entry.chars().take(UNREADABLE_LEN_MAX).collect();
            tracing::warn!(
                ?entry,
                "a trusted proxy reports a client without an address; {fix}"
            );
        }
        UnknownClient::Conflict => tracing::warn!(
            "X-Forwarded-For and Forwarded of a trusted proxy disagree; {fix} into one, and remove the \
             other"
        ),
        UnknownClient::Unnamed => tracing::warn!(
            "a trusted proxy on this machine does not name its clients; {fix} into X-Forwarded-For or \
             Forwarded"
        ),
        UnknownClient::UntrustedProxy => tracing::warn!(
            proxy = %peer.0,
            "X-Forwarded-For or Forwarded of a proxy that is not trusted is ignored, and its clients \
             share one limit: name it in `trusted_proxies`"
        ),
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
    page(site, request).await
}

/// A file of the configured folder, else of the web client.
async fn page(State(site): State<SiteContext>, request: Request) -> Response {
    if let Some(folder) = &site.folder {
        return folder.serve(request).await;
    }
    let origin = site.page_origin(&request);
    let (parts, _) = request.into_parts();
    assets::file(&parts.uri, &parts.headers, &site.base_path, &origin)
}
