//! Who is in a room, and what its hosts decide about them.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use watersmeet_conference::conference::{AdminRequest, AdminResponse};
use watersmeet_conference::message::Moderation;

use super::super::SiteContext;
use super::super::json_response::{self, ApiError, Problem};
use super::caller::Caller;
use super::rooms::{Visit, find, named};
use super::schemas::{Mute, Participant, ParticipantList};
use super::{ask, read};

/// Who is in a room.
///
/// A room that only the invited know of is answered for as if it were not there, unless a token of
/// it is shown.
#[utoipa::path(
    get, path = "/api/rooms/{room}/participants", tag = "Rooms",
    params(("room" = String, Path, description = "The room's name.")),
    security((), ("bearer" = []), ("token" = [])),
    responses(
        (status = 200, description = "Who is there.", body = ParticipantList),
        (status = 400, description = "The address makes no sense.", body = Problem),
        (status = 401, description = "The token is none of ours.", body = Problem,
            headers(("WWW-Authenticate" = String))),
        (status = 404, description = "There is no such room, or none for you.", body = Problem),
        (status = 429, description = "Too often.", body = Problem, headers(("Retry-After" = u64))),
        (status = 503, description = "The conference does not answer.", body = Problem,
            headers(("Retry-After" = u64))),
    )
)]
pub async fn list(
    State(site): State<SiteContext>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let visit = Visit::of(&site, &request)?;
    let room = find(&site, named(path)?, visit).await?;
    let room = room.room.to_string();
    let AdminResponse::Participants(participants) =
        ask(&site, AdminRequest::Participants { room }).await?
    else {
        return Err(ApiError::Unavailable);
    };
    let participants = participants.iter().map(Participant::from).collect();
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
        (status = 400, description = "The request makes no sense.", body = Problem),
        (status = 401, description = "No token, or none of ours.", body = Problem,
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "You are no host of this room.", body = Problem),
        (status = 404, description = "There is no such room, or nobody of this id.", body = Problem),
        (status = 408, description = "The body did not come.", body = Problem),
        (status = 413, description = "The body is too long.", body = Problem),
        (status = 415, description = "The body is not JSON.", body = Problem),
        (status = 429, description = "Too often.", body = Problem, headers(("Retry-After" = u64))),
        (status = 503, description = "The conference does not answer.", body = Problem,
            headers(("Retry-After" = u64))),
    )
)]
pub async fn mute(
    State(site): State<SiteContext>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let (room, peer) = named(path)?;
    Caller::of(&site, &request)?.host(&room)?;
    let mute: Mute = read(request).await?;
    let kind = mute.kind.map(Into::into);
    decide(&site, room, Moderation::Mute { peer, kind }).await
}

/// Sends somebody away.
#[utoipa::path(
    delete, path = "/api/rooms/{room}/participants/{peer}", tag = "Hosts",
    params(
        ("room" = String, Path, description = "The room's name."),
        ("peer" = String, Path, description = "The participant's id."),
    ),
    security(("bearer" = []), ("token" = [])),
    responses(
        (status = 204, description = "They are gone."),
        (status = 400, description = "The address makes no sense.", body = Problem),
        (status = 401, description = "No token, or none of ours.", body = Problem,
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "You are no host of this room.", body = Problem),
        (status = 404, description = "There is no such room, or nobody of this id.", body = Problem),
        (status = 429, description = "Too often.", body = Problem, headers(("Retry-After" = u64))),
        (status = 503, description = "The conference does not answer.", body = Problem,
            headers(("Retry-After" = u64))),
    )
)]
pub async fn remove(
    State(site): State<SiteContext>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let (room, peer) = named(path)?;
    Caller::of(&site, &request)?.host(&room)?;
    decide(&site, room, Moderation::Remove { peer }).await
}

/// Has the conference carry out what a host decides.
pub async fn decide(
    site: &SiteContext,
    room: String,
    moderation: Moderation,
) -> Result<Response, ApiError> {
    ask(site, AdminRequest::Moderate { room, moderation }).await?;
    Ok(json_response::done())
}
