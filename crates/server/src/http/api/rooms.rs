//! REST handlers for rooms: create, list, show, close, change the policy, invite.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use watersmeet_conference::conference::{
    AdminRequest, AdminResponse, ROOMS_LISTED_MAX, RoomCreator,
};
use watersmeet_conference::limits::LOUDEST_MAX;
use watersmeet_conference::message::{Moderation, Policy};
use watersmeet_conference::names::clean_name;

use super::super::caller::{Caller, client_of};
use super::super::json_response::{self, ApiError};
use super::super::rate_limit::RateLimitedAction;
use super::super::site::SiteContext;
use super::error_responses::{
    CreateRoomErrors, GuestErrors, HostBodyErrors, HostErrors, ListRoomsErrors,
};
use super::json_body;
use super::request_context::{
    Visitor, admin_request, are_people_hidden, base_url, find_room, generate_id, invitation,
    moderate, path_params,
};
use super::schemas::{
    CreatedRoom, EmptyBody, Invitation, NewRoom, PolicyChange, RoomDetails, RoomPage, RoomState,
};

/// Longest name of a host or a meeting, in characters: at most 256 bytes of UTF-8.
const NAME_LEN_MAX: usize = 64;

/// Default number of rooms in a response.
const LIMIT_DEFAULT: usize = 100;

/// Query parameters of `GET /api/rooms`, for the OpenAPI description.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `RoomSlice::parse` parses")]
pub struct ListRoomsParams {
    /// The last name of the list before.
    #[param(required = false, nullable = false)]
    after: Option<String>,
    /// How many.
    #[param(required = false, nullable = false, minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Makes a room before anybody comes.
///
/// It waits some minutes for the first to enter, one of an operator a day; then it is forgotten.
#[utoipa::path(
    post, path = "/api/rooms", tag = "Rooms",
    request_body(content = NewRoom, description = "How the room shall be."),
    security((), ("bearer" = []), ("token" = [])),
    responses(
        (status = 200, description = "The room, and a link for guests.", body = CreatedRoom),
        CreateRoomErrors,
    )
)]
pub async fn create(
    State(site): State<SiteContext>,
    request: Request,
) -> Result<Response, ApiError> {
    let caller = Caller::authenticate(&site, &request)?;
    caller.require_credentials(site.token_required)?;
    caller.require_room_creator(site.api.room_creation)?;
    let base_url = base_url(&site, &request)?;
    let client = client_of(&request)?;
    let new_room: NewRoom = json_body::read(request).await?;
    if !is_name(&new_room.host_name) {
        return Err(ApiError::bad_request("hostName is empty or too long"));
    }
    if new_room.title.as_deref().is_some_and(|it| !is_name(it)) {
        return Err(ApiError::bad_request("title is empty or too long"));
    }
    let title = new_room.title.as_deref().and_then(shown_name);
    if new_room
        .top_n_audio
        .is_some_and(|it| usize::from(it) > LOUDEST_MAX)
    {
        return Err(ApiError::bad_request("topNAudio is 0 to 64"));
    }
    site.rates.take(RateLimitedAction::RoomCreation, client.0)?;
    let unix_ms = site.clock.unix_ms();
    let room = format!("room-{unix_ms}-{}", generate_id()?);
    let request = AdminRequest::CreateRoom {
        room: room.clone(),
        host_name: shown_name(&new_room.host_name),
        title: title.clone(),
        policy: new_room.policy.map(Policy::from),
        has_host_token: new_room.host_token,
        last_n_video: new_room.last_n_video,
        top_n_audio: new_room.top_n_audio,
        creator: match caller.is_operator() {
            true => RoomCreator::Operator,
            false => RoomCreator::Client(site.rates.client_key(client.0)),
        },
    };
    admin_request(&site, request).await?;
    let host_token = new_room
        .host_token
        .then(|| site.api.keys.issue_host_token(&room, unix_ms / 1_000));
    let created = CreatedRoom {
        invite_link: invitation(&site, &base_url, &room, title.as_deref()).invite_link,
        room_id: room,
        host_name: new_room.host_name,
        title,
        host_token,
    };
    Ok(json_response::json(StatusCode::OK, &created))
}

/// All rooms, by name.
#[utoipa::path(
    get, path = "/api/rooms", tag = "Operators",
    params(ListRoomsParams),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "Some of them.", body = RoomPage),
        ListRoomsErrors,
    )
)]
pub async fn list(State(site): State<SiteContext>, request: Request) -> Result<Response, ApiError> {
    Caller::authenticate(&site, &request)?.require_operator()?;
    let RoomSlice { after, limit } = RoomSlice::parse(request.uri().query().unwrap_or_default())?;
    let AdminResponse::Rooms(rooms) =
        admin_request(&site, AdminRequest::Rooms { after, limit }).await?
    else {
        return Err(ApiError::Unavailable);
    };
    let is_full = rooms.len() >= limit;
    let next = rooms
        .last()
        .filter(|_| is_full)
        .map(|it| it.room.to_string());
    let rooms = rooms.iter().map(RoomDetails::from).collect();
    Ok(json_response::json(
        StatusCode::OK,
        &RoomPage { rooms, next },
    ))
}

/// What there is to know of a room.
///
/// A room that only the invited know of is answered for as if it were not there, unless a token of
/// it is shown. Of a room whose hosts decide who enters, or that is locked, only those who show a
/// token of it learn who made it.
#[utoipa::path(
    get, path = "/api/rooms/{room}", tag = "Rooms",
    params(("room" = String, Path, description = "The room's name.")),
    security((), ("bearer" = []), ("token" = [])),
    responses(
        (status = 200, description = "The room.", body = RoomState),
        GuestErrors,
    )
)]
pub async fn show(
    State(site): State<SiteContext>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let visitor = Visitor::authenticate(&site, &request)?;
    let name = path_params(path)?;
    let may_know_people = visitor.caller().is_invited(&name);
    let room = find_room(&site, name, visitor).await?;
    let mut state = RoomState::from(&room);
    if are_people_hidden(room.policy) && !may_know_people {
        state.host_name = None;
        state.title = None;
    }
    Ok(json_response::json(StatusCode::OK, &state))
}

/// Sends everybody out of a room and forgets it.
#[utoipa::path(
    delete, path = "/api/rooms/{room}", tag = "Hosts",
    params(("room" = String, Path, description = "The room's name.")),
    security(("bearer" = []), ("token" = [])),
    responses(
        (status = 204, description = "It is gone."),
        HostErrors,
    )
)]
pub async fn remove(
    State(site): State<SiteContext>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let room = path_params(path)?;
    Caller::authenticate(&site, &request)?.require_host(&room)?;
    admin_request(&site, AdminRequest::DeleteRoom { room }).await?;
    Ok(json_response::no_content())
}

/// Decides who may enter from now on.
#[utoipa::path(
    put, path = "/api/rooms/{room}/policy", tag = "Hosts",
    params(("room" = String, Path, description = "The room's name.")),
    request_body(content = PolicyChange, description = "Who."),
    security(("bearer" = []), ("token" = [])),
    responses(
        (status = 204, description = "It is decided."),
        HostBodyErrors,
    )
)]
pub async fn set_policy(
    State(site): State<SiteContext>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let room = path_params(path)?;
    Caller::authenticate(&site, &request)?.require_host(&room)?;
    let change: PolicyChange = json_body::read(request).await?;
    let policy = change.policy.into();
    moderate(&site, room, Moderation::SetPolicy { policy }).await
}

/// Makes another link for guests.
#[utoipa::path(
    post, path = "/api/rooms/{room}/invites", tag = "Hosts",
    params(("room" = String, Path, description = "The room's name.")),
    request_body(content = EmptyBody, description = "Nothing, or an empty object."),
    security(("bearer" = []), ("token" = [])),
    responses(
        (status = 200, description = "The link. It holds for a day.", body = Invitation),
        HostBodyErrors,
    )
)]
pub async fn invite(
    State(site): State<SiteContext>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let room = path_params(path)?;
    Caller::authenticate(&site, &request)?.require_host(&room)?;
    let base_url = base_url(&site, &request)?;
    let EmptyBody {} = json_body::read(request).await?;
    let request = AdminRequest::Room { room: room.clone() };
    let AdminResponse::Room(summary) = admin_request(&site, request).await? else {
        return Err(ApiError::Unavailable);
    };
    Ok(json_response::json(
        StatusCode::OK,
        &invitation(&site, &base_url, &room, summary.title.as_deref()),
    ))
}

/// Returns whether the name of a person or a meeting has a permitted length.
fn is_name(text: &str) -> bool {
    (1..=NAME_LEN_MAX).contains(&text.chars().count())
}

/// Returns a name as others are shown it; `None` when nothing of it can be seen.
fn shown_name(text: &str) -> Option<String> {
    Some(clean_name(text).into_owned()).filter(|it| !it.is_empty())
}

/// The part of the list of rooms that a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct RoomSlice {
    /// Name after which the part begins.
    pub after: Option<String>,
    /// Upper bound of rooms.
    pub limit: usize,
}

impl RoomSlice {
    /// Parses a query.
    ///
    /// # Errors
    /// The limit is out of range, or a parameter is repeated.
    pub fn parse(query: &str) -> Result<Self, ApiError> {
        let (mut after, mut limit) = (None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let is_repeated = match &*name {
                "after" => after.replace(value.into_owned()).is_some(),
                "limit" => {
                    let parsed = value.parse().ok();
                    let parsed = parsed.filter(|it| (1..=ROOMS_LISTED_MAX).contains(it));
                    let parsed =
                        parsed.ok_or_else(|| ApiError::bad_request("limit is 1 to 1000"))?;
                    limit.replace(parsed).is_some()
                }
                _ => false,
            };
            if is_repeated {
                return Err(ApiError::bad_request("the address says something twice"));
            }
        }
        Ok(Self {
            after,
            limit: limit.unwrap_or(LIMIT_DEFAULT),
        })
    }
}
