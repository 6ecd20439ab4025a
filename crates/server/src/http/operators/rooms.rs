//! Rooms and their people, and sending these away.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use watersmeet_conference::conference::{AdminRequest, AdminResponse};
use watersmeet_conference::message::Moderation;

use super::super::api::error_responses::{ListRoomsErrors, OperatorErrors};
use super::super::api::request_context::{admin_request, moderate, path_params};
use super::super::api::rooms::{ListRoomsParams, RoomSlice};
use super::super::json_response::{self, ApiError};
use super::super::site::SiteContext;
use super::figures::FiguresReader;
use super::schemas::{OperatorRoom, OperatorRoomDetails, OperatorRoomPage};

/// All rooms, by name.
#[utoipa::path(
    get, path = "/api/operators/rooms", tag = "Rooms",
    params(ListRoomsParams),
    security(("bearer" = [])),
    responses((status = 200, description = "Some of them.", body = OperatorRoomPage), ListRoomsErrors)
)]
pub async fn list(State(site): State<SiteContext>, request: Request) -> Result<Response, ApiError> {
    let RoomSlice { after, limit } = RoomSlice::parse(request.uri().query().unwrap_or_default())?;
    let request = AdminRequest::Rooms { after, limit };
    let AdminResponse::Rooms(rooms) = admin_request(&site, request).await? else {
        return Err(ApiError::Unavailable);
    };
    let last = rooms.last().filter(|_| rooms.len() >= limit);
    let page = OperatorRoomPage {
        next: last.map(|it| it.room.to_string()),
        rooms: rooms.iter().map(OperatorRoom::from).collect(),
    };
    Ok(json_response::json(StatusCode::OK, &page))
}

/// A room with its people and the figures of their media.
///
/// Figures are read for the first 50 people, in the order in which they came.
#[utoipa::path(
    get, path = "/api/operators/rooms/{room}", tag = "Rooms",
    params(("room" = String, Path, description = "The room's name.")),
    security(("bearer" = [])),
    responses((status = 200, description = "The room.", body = OperatorRoomDetails), OperatorErrors)
)]
pub async fn show(
    State(site): State<SiteContext>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let room = path_params(path)?;
    let request = AdminRequest::Room { room: room.clone() };
    let AdminResponse::Room(summary) = admin_request(&site, request).await? else {
        return Err(ApiError::Unavailable);
    };
    let request = AdminRequest::RoomMedia { room };
    let AdminResponse::RoomMedia(people) = admin_request(&site, request).await? else {
        return Err(ApiError::Unavailable);
    };
    let mut figures = FiguresReader::new(&site.hub, &site.relayed);
    let details = OperatorRoomDetails {
        room: OperatorRoom::from(&summary),
        participants: figures.read_all(&people).await,
    };
    Ok(json_response::json(StatusCode::OK, &details))
}

/// Sends everybody out of a room and forgets it.
#[utoipa::path(
    delete, path = "/api/operators/rooms/{room}", tag = "Rooms",
    params(("room" = String, Path, description = "The room's name.")),
    security(("bearer" = [])),
    responses((status = 204, description = "It is gone."), OperatorErrors)
)]
pub async fn close(
    State(site): State<SiteContext>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let room = path_params(path)?;
    admin_request(&site, AdminRequest::DeleteRoom { room }).await?;
    Ok(json_response::no_content())
}

/// Sends somebody away. They can come back.
#[utoipa::path(
    delete, path = "/api/operators/rooms/{room}/participants/{peer}", tag = "Rooms",
    params(
        ("room" = String, Path, description = "The room's name."),
        ("peer" = String, Path, description = "The participant's id."),
    ),
    security(("bearer" = [])),
    responses((status = 204, description = "They are gone."), OperatorErrors)
)]
pub async fn remove_participant(
    State(site): State<SiteContext>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, ApiError> {
    let (room, peer) = path_params(path)?;
    moderate(&site, room, Moderation::Remove { peer, ban: false }).await
}
