//! Authentication and permissions of HTTP callers. An API key or token is sent as
//! `Authorization: Bearer`, or a token as query parameter, as in invitation links. Keys are compared
//! in constant time; failures are rate limited, and beyond the limit credentials are not checked.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::Request;
use watersmeet_conference::access::Grant;

use super::client_address::ClientAddress;
use super::json_response::ApiError;
use super::query_params::QueryParams;
use super::rate_limit::RateLimitedAction;
use super::site::SiteContext;
use crate::config::{RoomCreation, Secret};

/// Sender of a request.
#[derive(Debug)]
pub enum Caller {
    /// A caller without credentials.
    Anonymous,
    /// A caller with a valid token.
    TokenBearer(Grant),
    /// A caller with the API key.
    Operator,
}

impl Caller {
    /// Authenticates the sender of a request.
    ///
    /// # Errors
    /// The credentials are invalid, or too many invalid ones were sent before.
    pub fn authenticate(site: &SiteContext, request: &Request) -> Result<Self, ApiError> {
        let query = QueryParams::parse(request.uri(), request.headers()).ok_or_else(|| {
            ApiError::bad_request(
                "a parameter or the header Authorization is repeated, empty, too long or no text",
            )
        })?;
        let Some(credential) = query.token else {
            return match query.has_other_credential {
                true => Err(ApiError::InvalidToken),
                false => Ok(Self::Anonymous),
            };
        };
        let client = client_of(request)?;
        site.rates.check(RateLimitedAction::AuthFailure, client.0)?;
        if is_api_key(site.api.api_key.as_ref(), &credential) {
            return Ok(Self::Operator);
        }
        let unix_s = site.clock.unix_ms() / 1_000;
        match site.api.keys.verify(&credential, unix_s) {
            Ok(grant) => Ok(Self::TokenBearer(grant)),
            Err(refusal) => {
                tracing::debug!(%refusal, "token refused");
                site.request_metrics.record_auth_failure();
                site.rates.take(RateLimitedAction::AuthFailure, client.0)?;
                Err(ApiError::InvalidToken)
            }
        }
    }

    /// Returns whether the caller has the API key.
    pub const fn is_operator(&self) -> bool {
        matches!(self, Self::Operator)
    }

    /// Returns whether the caller may learn that an invite-only room exists.
    pub fn is_invited(&self, name: &str) -> bool {
        match self {
            Self::Operator => true,
            Self::TokenBearer(Grant::Invite { room }) => room == name,
            Self::TokenBearer(Grant::Room(grant)) => grant.room == name,
            Self::TokenBearer(Grant::User { .. }) | Self::Anonymous => false,
        }
    }

    /// Requires a token of the room or the API key.
    ///
    /// # Errors
    /// The caller has neither.
    pub fn require_invited(&self, name: &str) -> Result<(), ApiError> {
        match self.is_invited(name) {
            true => Ok(()),
            false => Err(self.refusal()),
        }
    }

    /// Requires the API key.
    ///
    /// # Errors
    /// The caller is no operator.
    pub fn require_operator(&self) -> Result<(), ApiError> {
        match self {
            Self::Operator => Ok(()),
            other => Err(other.refusal()),
        }
    }

    /// Requires a host of the room or an operator. Does not check whether the room exists.
    ///
    /// # Errors
    /// The caller is neither.
    pub fn require_host(&self, name: &str) -> Result<(), ApiError> {
        match self {
            Self::Operator => Ok(()),
            Self::TokenBearer(Grant::Room(grant)) if grant.room_admin && grant.room == name => {
                Ok(())
            }
            other => Err(other.refusal()),
        }
    }

    /// Requires permission to create rooms.
    ///
    /// # Errors
    /// The caller may not create rooms.
    pub fn require_room_creator(&self, creation: RoomCreation) -> Result<(), ApiError> {
        match (creation, self) {
            (RoomCreation::Anyone, _)
            | (RoomCreation::Token, Self::Operator | Self::TokenBearer(Grant::User { .. })) => {
                Ok(())
            }
            (RoomCreation::Token, other) => Err(other.refusal()),
        }
    }

    /// Requires credentials if the listener does.
    ///
    /// # Errors
    /// The caller is anonymous.
    pub fn require_credentials(&self, token_required: bool) -> Result<(), ApiError> {
        match self {
            Self::Anonymous if token_required => Err(self.refusal()),
            _ => Ok(()),
        }
    }

    /// Returns the error for missing permission: 401 for anonymous callers, else 403.
    fn refusal(&self) -> ApiError {
        match self {
            Self::Anonymous => ApiError::InvalidToken,
            Self::TokenBearer(_) | Self::Operator => {
                ApiError::Refused(watersmeet_conference::message::Refusal::Forbidden)
            }
        }
    }
}

/// Returns whether `credential` is the API key. Compares in constant time.
pub fn is_api_key(key: Option<&Secret>, credential: &str) -> bool {
    key.is_some_and(|key| {
        verify_slices_are_equal(key.expose().as_bytes(), credential.as_bytes()).is_ok()
    })
}

/// Returns the address of the client that sent a request.
///
/// # Errors
/// The address was not determined (it is for every request that passed the router).
pub fn client_of(request: &Request) -> Result<ClientAddress, ApiError> {
    request
        .extensions()
        .get::<ClientAddress>()
        .copied()
        .ok_or(ApiError::Unavailable)
}
