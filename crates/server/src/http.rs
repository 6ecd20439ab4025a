//! The front door: one TCP port for the page, the WebSocket and `/health`. It knows requests and
//! connections, and nothing of rooms or media.
//!
//! Every connection is bounded in number, in header size and in time (`connection`), every session
//! in what it may say and in what may wait for it (`socket`).

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use axum::routing::get;

use crate::clock::Clock;
use crate::hub::HubHandle;
use crate::shard::Pulse;

mod assets;
pub mod connection;
#[cfg(feature = "faults")]
mod faults;
mod health;
mod origin;
mod seats;
mod socket;
pub mod tls;

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
pub struct Site {
    /// Where sessions go.
    pub hub: HubHandle,
    /// Whether the shards live.
    pub pulses: Vec<Pulse>,
    /// The program's clock.
    pub clock: Clock,
}

/// Every path there is.
pub fn router(site: Site) -> Router {
    let router = Router::new()
        .route("/", get(entrance))
        .route("/ws", get(socket::upgrade))
        .route("/health", get(health::health));
    #[cfg(feature = "faults")]
    let router = router.route("/faults/panic/{shard}", axum::routing::post(faults::panic));
    router
        .fallback(get(assets::file))
        .layer(axum::middleware::map_response(secure))
        .with_state(site)
}

/// `/` is the page for a browser and the WebSocket for a client that asks to upgrade.
async fn entrance(site: axum::extract::State<Site>, request: Request) -> Response {
    if request.headers().contains_key(header::UPGRADE) {
        return socket::upgrade(site, request).await;
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
