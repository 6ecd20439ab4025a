//! `GET /api/ice-servers`: STUN and TURN servers for clients.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::caller::{Caller, client_of};
use super::super::json_response::{self, ApiError};
use super::super::rate_limit::RateLimitedAction;
use super::super::site::SiteContext;
use super::error_responses::IceServersErrors;
use super::request_context::generate_id;
use super::schemas::{IceServer, IceServerList};

/// The STUN and TURN servers of this server.
///
/// Passwords end by themselves; ask again for each call.
#[utoipa::path(
    get, path = "/api/ice-servers", tag = "Connecting",
    security((), ("bearer" = []), ("token" = [])),
    responses(
        (status = 200, description = "The servers; there may be none.", body = IceServerList),
        IceServersErrors,
    )
)]
pub async fn servers(
    State(site): State<SiteContext>,
    request: Request,
) -> Result<Response, ApiError> {
    let caller = Caller::authenticate(&site, &request)?;
    caller.require_credentials(site.token_required)?;
    // Clients send this request once for each connection.
    site.rates
        .take(RateLimitedAction::Connection, client_of(&request)?.0)?;
    let servers = site
        .api
        .ice_servers
        .for_client(&generate_id()?, site.clock.unix_ms() / 1_000);
    let ice_servers = servers.into_iter().map(IceServer::from).collect();
    Ok(json_response::json(
        StatusCode::OK,
        &IceServerList { ice_servers },
    ))
}
