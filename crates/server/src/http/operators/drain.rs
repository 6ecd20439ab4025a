//! Draining: no further rooms are opened and load balancers are told, while meetings go on. How many are left is
//! part of the status. The end of the program (SIGTERM) is another matter.

use axum::extract::State;
use axum::response::Response;
use watersmeet_conference::conference::AdminRequest;

use super::super::api::error_responses::ListRoomsErrors;
use super::super::api::request_context::admin_request;
use super::super::json_response::{self, ApiError};
use super::super::site::SiteContext;

/// Opens no further rooms.
///
/// Meetings go on, and people may still enter them. `/readyz` answers 503, so that load balancers send no others.
/// Lasts until it is undone or the program ends.
#[utoipa::path(
    put, path = "/api/operators/drain", tag = "Server",
    security(("bearer" = [])),
    responses((status = 204, description = "No further rooms are opened."), ListRoomsErrors)
)]
pub async fn begin(State(site): State<SiteContext>) -> Result<Response, ApiError> {
    set(&site, true).await
}

/// Opens rooms again.
#[utoipa::path(
    delete, path = "/api/operators/drain", tag = "Server",
    security(("bearer" = [])),
    responses((status = 204, description = "Rooms are opened."), ListRoomsErrors)
)]
pub async fn end(State(site): State<SiteContext>) -> Result<Response, ApiError> {
    set(&site, false).await
}

async fn set(site: &SiteContext, is_draining: bool) -> Result<Response, ApiError> {
    admin_request(site, AdminRequest::SetDraining { is_draining }).await?;
    site.record_draining(is_draining);
    tracing::info!(is_draining, "an operator changed whether rooms are opened");
    Ok(json_response::no_content())
}
