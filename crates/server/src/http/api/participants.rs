//! REST handlers for participants: list, mute, remove.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use watersmeet_conference::conference::{AdminRequest, AdminResponse};
use watersmeet_conference::message::Moderation;

use super::super::caller::Caller;
use super::super::json_response::{self, ApiError};
use super::super::site::SiteContext;
use super::error_responses::{ModerationBodyErrors, ModerationErrors, ParticipantErrors};
use super::json_body;
use super::request_context::{
    Visitor, admin_request, are_people_hidden, find_room, moderate, path_params,
};
use super::schemas::{Mute, Participant, ParticipantList};

/// Who is in a room.
///
/// A room that only the invited know of is answered for as if it were not there, unless a token of
/// it is shown. Of a room whose hosts decide who enters, or that is locked, only those who show a
/// token of it learn who is there, and only hosts who waits.
#[utoipa::path(
    get, path = "/api/rooms/{room}/participants", tag = "Rooms",
    params(("room" = String, Path, description = "The room's name.")),
    security((), ("bearer" = []), ("token" = [])),
    responses(
        (status = 200, description = "Who is there.", body = ParticipantList),
        ParticipantErrors,
    )
)]
pub async fn list(
    State(site): State<SiteContext>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let visitor = Visitor::authenticate(&site, &request)?;
    let name = path_params(path)?;
    let is_host = visitor.caller().require_host(&name).is_ok();
    let may_know_people = visitor.caller().require_invited(&name);
    let room = find_room(&site, name, visitor).await?;
    if are_people_hidden(room.policy) {
        may_know_people?;
    }
    let room = room.room.to_string();
    let AdminResponse::Participants {
        participants,
        waiting,
    } = admin_request(&site, AdminRequest::Participants { room }).await?
    else {
        return Err(ApiError::Unavailable);
    };
    let mut listed: Vec<_> = participants.iter().map(Participant::from).collect();
    if is_host {
        listed.extend(waiting.iter().map(Participant::waiting));
    }
    let participants = listed;
    Ok(json_response::json(
        StatusCode::OK,
        &ParticipantList { participants },
    ))
}

/// Pauses what somebody sends.
#[utoipa::path(
    post, path = "/api/rooms/{room}/participants/{peer}/mute", tag = "Hosts",
    params(
        ("room" = String, Path, description = "The room's name."),
        ("peer" = String, Path, description = "The participant's id."),
    ),
    request_body(content = Mute, description = "What to pause; nothing is all of it."),
    security(("bearer" = []), ("token" = [])),
    responses(
        (status = 204, description = "It is paused. They can go on when they want to."),
        ModerationBodyErrors,
    )
)]
pub async fn mute(
    State(site): State<SiteContext>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let (room, peer) = path_params(path)?;
    Caller::authenticate(&site, &request)?.require_host(&room)?;
    let mute: Mute = json_body::read(request).await?;
    let kind = mute.kind.map(Into::into);
    moderate(&site, room, Moderation::Mute { peer, kind }).await
}

/// Query parameters of `DELETE /api/rooms/{room}/participants/{peer}`, for the OpenAPI description.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `parse_ban` parses")]
pub struct RemovalParams {
    /// Whether they may not come back while the room exists.
    #[param(required = false, nullable = false)]
    ban: Option<bool>,
}

/// Sends somebody away.
#[utoipa::path(
    delete, path = "/api/rooms/{room}/participants/{peer}", tag = "Hosts",
    params(
        ("room" = String, Path, description = "The room's name."),
        ("peer" = String, Path, description = "The participant's id."),
        RemovalParams,
    ),
    security(("bearer" = []), ("token" = [])),
    responses(
        (status = 204, description = "They are gone."),
        ModerationErrors,
    )
)]
pub async fn remove(
    State(site): State<SiteContext>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let (room, peer) = path_params(path)?;
    Caller::authenticate(&site, &request)?.require_host(&room)?;
    let ban = parse_ban(request.uri().query().unwrap_or_default())?;
    moderate(&site, room, Moderation::Remove { peer, ban }).await
}

/// Returns whether a query asks for a ban.
fn parse_ban(query: &str) -> Result<bool, ApiError> {
    let mut ban = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name != "ban" {
            continue;
        }
        let parsed = value.parse::<bool>();
        let parsed = parsed.map_err(|_| ApiError::bad_request("ban is true or false"))?;
        if ban.replace(parsed).is_some() {
            return Err(ApiError::bad_request("the address says something twice"));
        }
    }
    Ok(ban.unwrap_or(false))
}
