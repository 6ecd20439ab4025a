//! Who asks, and what they may. A key or a token comes as `Authorization: Bearer`, or a token in
//! the address as invitations carry it. Guesses are compared in constant time and counted; after a
//! few nobody looks at them any more.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::Request;
use watersmeet_conference::access::Grant;

use super::super::SiteContext;
use super::super::json_response::ApiError;
use super::super::query_params::QueryParams;
use super::super::rate_limit::RateLimitedAction;
use super::client_of;
use crate::config::{RoomCreation, Secret};

/// Who asks.
#[derive(Debug)]
pub enum Caller {
    /// Somebody who shows nothing.
    Anybody,
    /// Somebody with a token.
    Bearer(Grant),
    /// An operator's program.
    Operator,
}

impl Caller {
    /// Who asks.
    ///
    /// # Errors
    /// What was shown is nothing that we gave out, or it was tried too often.
    pub fn of(site: &SiteContext, request: &Request) -> Result<Self, ApiError> {
        let query = QueryParams::read(request.uri(), request.headers());
        let query =
            query.ok_or_else(|| ApiError::bad_request("the address says something twice"))?;
        let Some(shown) = query.token else {
            return Ok(Self::Anybody);
        };
        let client = client_of(request)?;
        site.rates.look(RateLimitedAction::AuthFailure, client.0)?;
        if is_key(site.terms.api_key.as_ref(), &shown) {
            return Ok(Self::Operator);
        }
        let unix_s = site.clock.unix_ms() / 1_000;
        match site.terms.keys.verify(&shown, unix_s) {
            Ok(grant) => Ok(Self::Bearer(grant)),
            Err(refusal) => {
                tracing::debug!(%refusal, "a token is refused");
                site.instruments.count_auth_failure();
                site.rates.count(RateLimitedAction::AuthFailure, client.0)?;
                Err(ApiError::InvalidToken)
            }
        }
    }

    /// Whether this is an operator's program.
    pub const fn is_operator(&self) -> bool {
        matches!(self, Self::Operator)
    }

    /// Whether the caller may know of a room that only the invited know of.
    pub fn is_invited(&self, name: &str) -> bool {
        match self {
            Self::Operator => true,
            Self::Bearer(Grant::Invite { room }) => room == name,
            Self::Bearer(Grant::Room(grant)) => grant.room == name,
            Self::Bearer(Grant::User { .. }) | Self::Anybody => false,
        }
    }

    /// Only operators pass.
    ///
    /// # Errors
    /// For everybody else.
    pub fn operator(&self) -> Result<(), ApiError> {
        match self {
            Self::Operator => Ok(()),
            other => Err(other.refused()),
        }
    }

    /// Only the hosts of a room and operators pass. Whether the room is there is not looked at.
    ///
    /// # Errors
    /// For everybody else.
    pub fn host(&self, name: &str) -> Result<(), ApiError> {
        match self {
            Self::Operator => Ok(()),
            Self::Bearer(Grant::Room(grant)) if grant.room_admin && grant.room == name => Ok(()),
            other => Err(other.refused()),
        }
    }

    /// Only those pass who may make rooms.
    ///
    /// # Errors
    /// For everybody else.
    pub fn creator(&self, creation: RoomCreation) -> Result<(), ApiError> {
        match (creation, self) {
            (RoomCreation::Anyone, _)
            | (RoomCreation::Token, Self::Operator | Self::Bearer(Grant::User { .. })) => Ok(()),
            (RoomCreation::Token, other) => Err(other.refused()),
        }
    }

    /// Only those pass who show something, where a door demands it.
    ///
    /// # Errors
    /// For everybody else.
    pub fn known(&self, token_required: bool) -> Result<(), ApiError> {
        match self {
            Self::Anybody if token_required => Err(self.refused()),
            _ => Ok(()),
        }
    }

    /// Somebody unknown is asked who it is; somebody known may not.
    fn refused(&self) -> ApiError {
        match self {
            Self::Anybody => ApiError::InvalidToken,
            Self::Bearer(_) | Self::Operator => {
                ApiError::Refused(watersmeet_conference::message::Refusal::Forbidden)
            }
        }
    }
}

/// Whether this is the operators' key.
pub fn is_key(key: Option<&Secret>, shown: &str) -> bool {
    key.is_some_and(|key| {
        verify_slices_are_equal(key.expose().as_bytes(), shown.as_bytes()).is_ok()
    })
}
