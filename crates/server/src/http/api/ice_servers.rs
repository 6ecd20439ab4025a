//! `GET /api/ice-servers`: relays for those who cannot reach this server by themselves.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::SiteContext;
use super::super::json_response::{self, ApiError, Problem};
use super::super::rate_limit::RateLimitedAction;
use super::caller::Caller;
use super::client_of;
use super::rooms::draw;
use super::schemas::{IceServer, IceServerList};

/// The STUN and TURN servers of this server.
///
/// Passwords end by themselves; ask again for each call.
#[utoipa::path(
    get, path = "/api/ice-servers", tag = "Connecting",
    security((), ("bearer" = []), ("token" = [])),
    responses(
        (status = 200, description = "The servers; there may be none.", body = IceServerList),
        (status = 400, description = "The address says something twice.", body = Problem),
        (status = 401, description = "The token is none of ours, or one is needed.", body = Problem,
            headers(("WWW-Authenticate" = String))),
        (status = 429, description = "Too often.", body = Problem, headers(("Retry-After" = u64))),
    )
)]
pub async fn servers(
    State(site): State<SiteContext>,
    request: Request,
) -> Result<Response, ApiError> {
    let caller = Caller::of(&site, &request)?;
    caller.known(site.token_required)?;
    // Whoever asks is about to connect, and asks no more often than that.
    site.rates
        .count(RateLimitedAction::Connection, client_of(&request)?.0)?;
    let servers = site
        .terms
        .ice_servers
        .for_client(&draw()?, site.clock.unix_ms() / 1_000);
    let ice_servers = servers.into_iter().map(IceServer::from).collect();
    Ok(json_response::json(
        StatusCode::OK,
        &IceServerList { ice_servers },
    ))
}
