//! The front door: one TCP port for the page, the WebSocket and `/health`. It knows requests and
//! connections, and nothing of rooms or media.
//!
//! Every connection is bounded in number, in header size and in time (`connection`), every session
//! in what it may say and in what may wait for it (`socket`).

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use watersmeet_conference::access::TokenKeys;

use crate::clock::Clock;
use crate::config::{Config, ListenerConfig, Mount, Network};
use crate::hub::HubHandle;
use crate::shard::Heartbeat;
use crate::shard_metrics::SharedMetrics;

use api::ApiContext;
use client_address::{ClientAddress, IsTls, PeerAddress};
use cors::AllowedOrigins;
use rate_limit::{RateLimitedAction, RateLimiter, RateLimits};
use request_metrics::RequestMetrics;
use stats::RoomPseudonyms;

mod abuse;
mod api;
mod assets;
mod client_address;
mod connection_limit;
pub mod cors;
#[cfg(feature = "faults")]
mod faults;
mod health;
mod json_response;
mod metrics;
mod query_params;
pub mod rate_limit;
mod request_body;
mod request_metrics;
pub mod server;
mod socketio;
mod stats;
mod throttle;
pub mod tls;
mod websocket;

/// Where a proxy says how it was asked.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// What the page may load and where it may connect. `blob:` and `mediastream:` are the videos;
/// inline styles are what a grid of tiles needs, inline scripts nothing does.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; \
    img-src 'self' blob: data:; media-src 'self' blob: mediastream:; \
    style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; object-src 'none'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'";

/// Headers of every response. No address of a room may leak through `Referer`.
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

/// What the handlers know of the rest of the program.
#[derive(Debug, Clone)]
pub struct SiteContext {
    /// Where sessions go.
    pub hub: HubHandle,
    /// Whether the shards live.
    pub pulses: Vec<Heartbeat>,
    /// The program's clock.
    pub clock: Clock,
    /// The pages that may speak with us.
    pub origins: Arc<AllowedOrigins>,
    /// What everybody has done of late, over all listeners.
    pub rates: Arc<RateLimiter>,
    /// Who is believed when it says for whom it asks.
    pub trusted_proxies: Arc<[Network]>,
    /// Whether nobody may come in by this door without a token.
    pub token_required: bool,
    /// What is behind this door.
    pub mounts: Arc<[Mount]>,
    /// What the shards show of themselves.
    pub meters: Vec<SharedMetrics>,
    /// What the REST interface needs to know.
    pub terms: Arc<ApiContext>,
    /// What is counted here.
    pub instruments: Arc<RequestMetrics>,
    /// What rooms are called before strangers.
    pub pseudonyms: Arc<RoomPseudonyms>,
}

impl SiteContext {
    /// A site behind no door yet, with the operator's bounds.
    ///
    /// # Errors
    /// The machine has no randomness.
    pub fn new(
        hub: HubHandle,
        shards: (Vec<Heartbeat>, Vec<SharedMetrics>),
        clock: Clock,
        config: &Config,
        keys: Arc<TokenKeys>,
    ) -> io::Result<Self> {
        let (pulses, meters) = shards;
        Ok(Self {
            hub,
            pulses,
            meters,
            clock,
            terms: Arc::new(ApiContext::new(config, keys)),
            instruments: Arc::default(),
            pseudonyms: Arc::new(RoomPseudonyms::draw()?),
            origins: Arc::new(AllowedOrigins::new(&config.cors_origins)),
            rates: Arc::new(RateLimiter::new(&RateLimits::from(&config.limits))),
            trusted_proxies: config.trusted_proxies.as_slice().into(),
            token_required: false,
            mounts: Arc::default(),
        })
    }

    /// The same site as one door shows it.
    pub fn behind(&self, door: &ListenerConfig) -> Self {
        Self {
            token_required: door.token_required,
            mounts: door.mounts.as_slice().into(),
            ..self.clone()
        }
    }

    /// Whether nobody between the one who asks and us can listen: as far as we know.
    fn is_secure(&self, request: &Request) -> bool {
        let extensions = request.extensions();
        let is_proxy = extensions.get::<PeerAddress>().is_some_and(|peer| {
            let ip = peer.0.to_canonical();
            self.trusted_proxies.iter().any(|it| it.contains(ip))
        });
        let said = request.headers().get(FORWARDED_PROTO).filter(|_| is_proxy);
        match said {
            Some(scheme) => scheme == "https",
            None => extensions.get::<IsTls>().is_some_and(|it| it.0),
        }
    }

    /// Whether something is behind this door.
    pub fn serves(&self, mount: Mount) -> bool {
        self.mounts.contains(&mount)
    }
}

/// Every path there is behind a door.
pub fn router(site: SiteContext) -> Router {
    let mut router = Router::new()
        .route("/", get(entrance))
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
        .layer(middleware::from_fn_with_state(site.clone(), admit))
        .layer(middleware::from_fn_with_state(
            site.clone(),
            request_metrics::count,
        ))
        .layer(middleware::map_response(secure))
        .with_state(site)
}

/// Every request passes here first: it learns who asks, and is held to the bounds of all.
async fn admit(State(site): State<SiteContext>, mut request: Request, next: Next) -> Response {
    let Some(&peer) = request.extensions().get::<PeerAddress>() else {
        return axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let client = ClientAddress::of(peer, request.headers(), &site.trusted_proxies);
    if let Err(too_often) = site.rates.count(RateLimitedAction::Request, client.0) {
        return too_often.into_response();
    }
    request.extensions_mut().insert(client);
    match request_body::bound(request) {
        Ok(request) => next.run(request).await,
        Err(refused) => refused.into_response(),
    }
}

/// `/` is the page for a browser and the WebSocket for a client that asks to upgrade.
async fn entrance(site: axum::extract::State<SiteContext>, request: Request) -> Response {
    if request.headers().contains_key(header::UPGRADE) {
        return websocket::upgrade(site, request).await;
    }
    if !site.serves(Mount::Page) {
        return axum::http::StatusCode::NOT_FOUND.into_response();
    }
    let (parts, _) = request.into_parts();
    assets::file(parts.uri, parts.headers).await
}

async fn secure(mut response: Response) -> Response {
    for (name, value) in SECURITY_HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
