//! Rooms: made, shown, listed, closed.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use utoipa::IntoParams;
use watersmeet_conference::access::LIFETIME_S;
use watersmeet_conference::conference::{
    AdminRequest, AdminResponse, ROOMS_LISTED_MAX, RoomSummary,
};
use watersmeet_conference::message::{Moderation, Policy, Refusal};

use super::super::SiteContext;
use super::super::client_address::ClientAddress;
use super::super::json_response::{self, ApiError, Problem, iso};
use super::super::rate_limit::RateLimitedAction;
use super::caller::Caller;
use super::participants::decide;
use super::schemas::{
    Invitation, MadeRoom, NewRoom, Nothing, PolicyChange, RoomDetails, RoomPage, RoomState,
};
use super::{ask, base_url, client_of, note_missing, read};

/// Random bytes in a room's name: nobody guesses 128 bits.
const RANDOM_LEN: usize = 16;

/// The most characters of a host's name: 256 bytes, whatever is written.
const HOST_NAME_LEN_MAX: usize = 64;

/// Rooms of one answer when nobody says how many.
const LIMIT_DEFAULT: usize = 100;

/// Which rooms to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `Slice::read` reads")]
pub struct SliceParameters {
    /// The last name of the list before.
    #[param(required = false, nullable = false)]
    after: Option<String>,
    /// How many.
    #[param(required = false, nullable = false, minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Makes a room before anybody comes.
///
/// It waits for a day, then it is forgotten.
#[utoipa::path(
    post, path = "/api/rooms", tag = "Rooms",
    request_body(content = NewRoom, description = "How the room shall be."),
    security((), ("bearer" = []), ("token" = [])),
    responses(
        (status = 200, description = "The room, and a link for guests.", body = MadeRoom),
        (status = 400, description = "The request makes no sense.", body = Problem),
        (status = 401, description = "The token is none of ours, or one is needed.", body = Problem,
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "Your token does not let you make rooms.", body = Problem),
        (status = 408, description = "The body did not come.", body = Problem),
        (status = 413, description = "The body is too long.", body = Problem),
        (status = 415, description = "The body is not JSON.", body = Problem),
        (status = 429, description = "Too often.", body = Problem, headers(("Retry-After" = u64))),
        (status = 503, description = "There are too many rooms, or the conference does not answer.",
            body = Problem, headers(("Retry-After" = u64))),
    )
)]
pub async fn create(
    State(site): State<SiteContext>,
    request: Request,
) -> Result<Response, ApiError> {
    let caller = Caller::of(&site, &request)?;
    caller.known(site.token_required)?;
    caller.creator(site.terms.room_creation)?;
    let base_url = base_url(&site, &request)?;
    let client = client_of(&request)?;
    let wish: NewRoom = read(request).await?;
    if !(1..=HOST_NAME_LEN_MAX).contains(&wish.host_name.chars().count()) {
        return Err(ApiError::bad_request("hostName is empty or too long"));
    }
    site.rates
        .count(RateLimitedAction::RoomCreation, client.0)?;
    let unix_ms = site.clock.unix_ms();
    let room = format!("room-{unix_ms}-{}", draw()?);
    let inquiry = AdminRequest::CreateRoom {
        room: room.clone(),
        host_name: Some(wish.host_name.clone()),
        policy: wish.policy.map(Policy::from),
        has_host_token: wish.host_token,
    };
    ask(&site, inquiry).await?;
    let host_token = wish
        .host_token
        .then(|| site.terms.keys.issue_host_token(&room, unix_ms / 1_000));
    let made = MadeRoom {
        invite_link: invitation(&site, &base_url, &room).invite_link,
        room_id: room,
        host_name: wish.host_name,
        host_token,
    };
    Ok(json_response::json(StatusCode::OK, &made))
}

/// All rooms, by name.
#[utoipa::path(
    get, path = "/api/rooms", tag = "Operators",
    params(SliceParameters),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "Some of them.", body = RoomPage),
        (status = 400, description = "The address makes no sense.", body = Problem),
        (status = 401, description = "No key, or not ours.", body = Problem,
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "A token is not enough.", body = Problem),
        (status = 429, description = "Too often.", body = Problem, headers(("Retry-After" = u64))),
        (status = 503, description = "The conference does not answer.", body = Problem,
            headers(("Retry-After" = u64))),
    )
)]
pub async fn list(State(site): State<SiteContext>, request: Request) -> Result<Response, ApiError> {
    Caller::of(&site, &request)?.operator()?;
    let Slice { after, limit } = Slice::read(request.uri().query().unwrap_or_default())?;
    let AdminResponse::Rooms(rooms) = ask(&site, AdminRequest::Rooms { after, limit }).await?
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
/// it is shown.
#[utoipa::path(
    get, path = "/api/rooms/{room}", tag = "Rooms",
    params(("room" = String, Path, description = "The room's name.")),
    security((), ("bearer" = []), ("token" = [])),
    responses(
        (status = 200, description = "The room.", body = RoomState),
        (status = 400, description = "The address makes no sense.", body = Problem),
        (status = 401, description = "The token is none of ours.", body = Problem,
            headers(("WWW-Authenticate" = String))),
        (status = 404, description = "There is no such room, or none for you.", body = Problem),
        (status = 429, description = "Too often.", body = Problem, headers(("Retry-After" = u64))),
        (status = 503, description = "The conference does not answer.", body = Problem,
            headers(("Retry-After" = u64))),
    )
)]
pub async fn show(
    State(site): State<SiteContext>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let visit = Visit::of(&site, &request)?;
    let room = find(&site, named(path)?, visit).await?;
    Ok(json_response::json(StatusCode::OK, &RoomState::from(&room)))
}

/// Sends everybody out of a room and forgets it.
#[utoipa::path(
    delete, path = "/api/rooms/{room}", tag = "Hosts",
    params(("room" = String, Path, description = "The room's name.")),
    security(("bearer" = []), ("token" = [])),
    responses(
        (status = 204, description = "It is gone."),
        (status = 400, description = "The address makes no sense.", body = Problem),
        (status = 401, description = "No token, or none of ours.", body = Problem,
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "You are no host of this room.", body = Problem),
        (status = 404, description = "There is no such room.", body = Problem),
        (status = 429, description = "Too often.", body = Problem, headers(("Retry-After" = u64))),
        (status = 503, description = "The conference does not answer.", body = Problem,
            headers(("Retry-After" = u64))),
    )
)]
pub async fn remove(
    State(site): State<SiteContext>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let room = named(path)?;
    Caller::of(&site, &request)?.host(&room)?;
    ask(&site, AdminRequest::DeleteRoom { room }).await?;
    Ok(json_response::done())
}

/// Decides who may enter from now on.
#[utoipa::path(
    put, path = "/api/rooms/{room}/policy", tag = "Hosts",
    params(("room" = String, Path, description = "The room's name.")),
    request_body(content = PolicyChange, description = "Who."),
    security(("bearer" = []), ("token" = [])),
    responses(
        (status = 204, description = "It is decided."),
        (status = 400, description = "The request makes no sense.", body = Problem),
        (status = 401, description = "No token, or none of ours.", body = Problem,
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "You are no host of this room.", body = Problem),
        (status = 404, description = "There is no such room.", body = Problem),
        (status = 408, description = "The body did not come.", body = Problem),
        (status = 413, description = "The body is too long.", body = Problem),
        (status = 415, description = "The body is not JSON.", body = Problem),
        (status = 429, description = "Too often.", body = Problem, headers(("Retry-After" = u64))),
        (status = 503, description = "The conference does not answer.", body = Problem,
            headers(("Retry-After" = u64))),
    )
)]
pub async fn set_policy(
    State(site): State<SiteContext>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let room = named(path)?;
    Caller::of(&site, &request)?.host(&room)?;
    let change: PolicyChange = read(request).await?;
    let policy = change.policy.into();
    decide(&site, room, Moderation::SetPolicy { policy }).await
}

/// Makes another link for guests.
#[utoipa::path(
    post, path = "/api/rooms/{room}/invites", tag = "Hosts",
    params(("room" = String, Path, description = "The room's name.")),
    request_body(content = Nothing, description = "Nothing, or an empty object."),
    security(("bearer" = []), ("token" = [])),
    responses(
        (status = 200, description = "The link. It holds for a day.", body = Invitation),
        (status = 400, description = "The request makes no sense.", body = Problem),
        (status = 401, description = "No token, or none of ours.", body = Problem,
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "You are no host of this room.", body = Problem),
        (status = 404, description = "There is no such room.", body = Problem),
        (status = 408, description = "The body did not come.", body = Problem),
        (status = 413, description = "The body is too long.", body = Problem),
        (status = 415, description = "The body is not JSON.", body = Problem),
        (status = 429, description = "Too often.", body = Problem, headers(("Retry-After" = u64))),
        (status = 503, description = "The conference does not answer.", body = Problem,
            headers(("Retry-After" = u64))),
    )
)]
pub async fn invite(
    State(site): State<SiteContext>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let room = named(path)?;
    Caller::of(&site, &request)?.host(&room)?;
    let base_url = base_url(&site, &request)?;
    let Nothing {} = read(request).await?;
    ask(&site, AdminRequest::Room { room: room.clone() }).await?;
    Ok(json_response::json(
        StatusCode::OK,
        &invitation(&site, &base_url, &room),
    ))
}

/// Somebody who asks for a room.
#[derive(Debug)]
pub struct Visit {
    /// From where.
    client: ClientAddress,
    /// With what.
    caller: Caller,
}

impl Visit {
    /// Who asks.
    ///
    /// # Errors
    /// What was shown is nothing of ours, or there were too many tries before.
    pub fn of(site: &SiteContext, request: &Request) -> Result<Self, ApiError> {
        let client = client_of(request)?;
        site.rates.look(RateLimitedAction::JoinFailed, client.0)?;
        let caller = Caller::of(site, request)?;
        Ok(Self { client, caller })
    }
}

/// What an address names.
///
/// # Errors
/// It is not UTF-8.
pub fn named<T>(path: Result<Path<T>, PathRejection>) -> Result<T, ApiError> {
    let path = path.map_err(|_| ApiError::bad_request("the address cannot be read"))?;
    Ok(path.0)
}

/// The room of this name, for one who may know of it. Both answers for who may not are one: the
/// conference is asked first, and for every name alike.
///
/// # Errors
/// There is no such room, or none for the caller, or that was the case too often.
pub async fn find(site: &SiteContext, room: String, visit: Visit) -> Result<RoomSummary, ApiError> {
    let Visit { client, caller } = visit;
    let is_invited = caller.is_invited(&room);
    let found = match ask(site, AdminRequest::Room { room }).await {
        Ok(AdminResponse::Room(found)) if found.policy != Policy::InviteOnly || is_invited => found,
        Ok(_) | Err(ApiError::Refused(Refusal::RoomNotFound)) => {
            let fault = ApiError::Refused(Refusal::RoomNotFound);
            return Err(note_missing(site, client, fault));
        }
        Err(fault) => return Err(fault),
    };
    Ok(found)
}

/// Something that nobody guesses, as it may stand in an address.
///
/// # Errors
/// The machine has no randomness.
pub fn draw() -> Result<String, ApiError> {
    let mut bytes = [0; RANDOM_LEN];
    getrandom::fill(&mut bytes).map_err(|_| ApiError::Unavailable)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// An invitation into a room.
fn invitation(site: &SiteContext, base_url: &str, room: &str) -> Invitation {
    let unix_s = site.clock.unix_ms() / 1_000;
    let token = site.terms.keys.issue_invite(room, unix_s);
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("room", room).append_pair("token", &token);
    Invitation {
        invite_link: format!("{base_url}/join?{}", query.finish()),
        token,
        expires_at: iso((unix_s + LIFETIME_S) * 1_000),
    }
}

/// Which rooms to list.
#[derive(Debug, PartialEq, Eq)]
struct Slice {
    after: Option<String>,
    limit: usize,
}

impl Slice {
    fn read(query: &str) -> Result<Self, ApiError> {
        let (mut after, mut limit) = (None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let twice = match &*name {
                "after" => after.replace(value.into_owned()).is_some(),
                "limit" => {
                    let read = value.parse().ok();
                    let read = read.filter(|it| (1..=ROOMS_LISTED_MAX).contains(it));
                    let read = read.ok_or_else(|| ApiError::bad_request("limit is 1 to 1000"))?;
                    limit.replace(read).is_some()
                }
                _ => false,
            };
            if twice {
                return Err(ApiError::bad_request("the address says something twice"));
            }
        }
        Ok(Self {
            after,
            limit: limit.unwrap_or(LIMIT_DEFAULT),
        })
    }
}
