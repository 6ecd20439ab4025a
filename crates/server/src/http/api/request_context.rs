//! Helpers of REST handlers: requests to the conference, the room of a request, invitations.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request};
use axum::http::header;
use axum::http::uri::Authority;
use axum::response::Response;
use watersmeet_conference::access::LIFETIME_S;
use watersmeet_conference::conference::{AdminRequest, AdminResponse, RoomSummary};
use watersmeet_conference::message::{Moderation, Policy, Refusal};

use super::super::caller::{Caller, client_of};
use super::super::client_address::ClientAddress;
use super::super::json_response::{self, ApiError, format_time};
use super::super::random_id;
use super::super::rate_limit::RateLimitedAction;
use super::super::site::SiteContext;
use super::schemas::Invitation;

/// Sends a request to the conference.
///
/// # Errors
/// The conference refuses or does not respond.
pub async fn admin_request(
    site: &SiteContext,
    request: AdminRequest,
) -> Result<AdminResponse, ApiError> {
    let response = site.hub.admin_request(request).await;
    response
        .ok_or(ApiError::Unavailable)?
        .map_err(ApiError::from)
}

/// Lets the conference carry out a decision of a host.
///
/// # Errors
/// The conference refuses or does not respond.
pub async fn moderate(
    site: &SiteContext,
    room: String,
    moderation: Moderation,
) -> Result<Response, ApiError> {
    admin_request(site, AdminRequest::Moderate { room, moderation }).await?;
    Ok(json_response::no_content())
}

/// Returns the base URL of links: the configured one, else the one that the request was sent to.
///
/// # Errors
/// No base URL is configured and the request has no usable `Host`.
pub fn base_url(site: &SiteContext, request: &Request) -> Result<String, ApiError> {
    if let Some(base_url) = &site.api.base_url {
        return Ok(base_url.trim_end_matches('/').to_owned());
    }
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    let host = host.filter(|host| !host.as_str().contains('@') && !host.host().is_empty());
    let host = host.ok_or_else(|| ApiError::bad_request("the header Host is missing or wrong"))?;
    let scheme = if site.is_secure(request) {
        "https"
    } else {
        "http"
    };
    Ok(format!("{scheme}://{host}"))
}

/// Returns the parameters in the path of a request.
///
/// # Errors
/// The path is not UTF-8.
pub fn path_params<T>(path: Result<Path<T>, PathRejection>) -> Result<T, ApiError> {
    let path = path.map_err(|_| ApiError::bad_request("the address cannot be read"))?;
    Ok(path.0)
}

/// Sender of a request about a room that guests may send.
#[derive(Debug)]
pub struct Visitor {
    /// Address of the client.
    client: ClientAddress,
    /// Credentials of the client.
    caller: Caller,
}

impl Visitor {
    /// Authenticates the sender of a request.
    ///
    /// # Errors
    /// The credentials are invalid, or too many requests failed before.
    pub fn authenticate(site: &SiteContext, request: &Request) -> Result<Self, ApiError> {
        let client = client_of(request)?;
        site.rates.check(RateLimitedAction::JoinFailed, client.0)?;
        let caller = Caller::authenticate(site, request)?;
        Ok(Self { client, caller })
    }

    /// Returns the credentials of the client.
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// Returns whether strangers may not learn the names of people in a room with this policy.
pub const fn are_people_hidden(policy: Policy) -> bool {
    match policy {
        Policy::Open => false,
        Policy::InviteOnly | Policy::Approval | Policy::Locked => true,
    }
}

/// Returns a room that the visitor may know of. The conference is asked for every name, so that an
/// invite-only room cannot be told from one that does not exist.
///
/// # Errors
/// There is no such room or the visitor may not know of it, or the rate limit is exceeded.
pub async fn find_room(
    site: &SiteContext,
    room: String,
    visitor: Visitor,
) -> Result<RoomSummary, ApiError> {
    let Visitor { client, caller } = visitor;
    let is_invited = caller.is_invited(&room);
    match admin_request(site, AdminRequest::Room { room }).await {
        Ok(AdminResponse::Room(found)) if found.policy != Policy::InviteOnly || is_invited => {
            Ok(found)
        }
        Ok(_) | Err(ApiError::Refused(Refusal::RoomNotFound)) => {
            site.rates.take(RateLimitedAction::JoinFailed, client.0)?;
            Err(ApiError::Refused(Refusal::RoomNotFound))
        }
        Err(error) => Err(error),
    }
}

/// Generates a random id that cannot be guessed and may be part of a URL.
///
/// # Errors
/// The system has no randomness.
pub fn generate_id() -> Result<String, ApiError> {
    random_id::generate().ok_or(ApiError::Unavailable)
}

/// Creates an invitation to a room, with the name of the meeting.
pub fn invitation(
    site: &SiteContext,
    base_url: &str,
    room: &str,
    title: Option<&str>,
) -> Invitation {
    let unix_s = site.clock.unix_ms() / 1_000;
    let keys = &site.api.keys;
    let token = match title {
        Some(title) => keys.issue_titled_invite(room, title, unix_s),
        None => keys.issue_invite(room, unix_s),
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("room", room).append_pair("token", &token);
    Invitation {
        invite_link: format!("{base_url}/join?{}", query.finish()),
        token,
        expires_at: format_time((unix_s + LIFETIME_S) * 1_000),
    }
}
