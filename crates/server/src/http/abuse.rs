//! What is held against a client, seen from one of its connections: how often it opened one, and
//! what the conference saw it do in it. It counts and never decides what a deed is.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::request::Parts;
use watersmeet_conference::conference;

use super::SiteContext;
use super::client_address::ClientAddress;
use super::rate_limit::{RateLimited, RateLimitedAction, RateLimiter};

/// One client's account.
#[derive(Debug, Clone)]
pub struct AbuseTracker {
    /// Everybody's.
    rates: Arc<RateLimiter>,
    /// Whose this is.
    client: ClientAddress,
}

impl AbuseTracker {
    /// That of whoever sent a request. None before it is known who that is.
    pub fn of(site: &SiteContext, request: &Request) -> Option<Self> {
        Self::new(site, request.extensions().get())
    }

    /// The same, of a request without its body.
    pub fn of_parts(site: &SiteContext, parts: &Parts) -> Option<Self> {
        Self::new(site, parts.extensions.get())
    }

    fn new(site: &SiteContext, client: Option<&ClientAddress>) -> Option<Self> {
        let rates = Arc::clone(&site.rates);
        client.map(|&client| Self { rates, client })
    }

    /// Counts a signalling connection.
    ///
    /// # Errors
    /// When it opens too many, or has guessed too often: then nothing it says is looked at.
    pub fn open(&self) -> Result<(), RateLimited> {
        self.rates
            .count(RateLimitedAction::Connection, self.client.0)?;
        self.rates
            .look(RateLimitedAction::AuthFailure, self.client.0)?;
        self.rates
            .look(RateLimitedAction::JoinFailed, self.client.0)
    }

    /// Counts what the conference saw.
    ///
    /// # Errors
    /// When it was one too many: it must not learn how that ended.
    pub fn note(&self, deed: conference::LimitedAction) -> Result<(), RateLimited> {
        let deed = match deed {
            conference::LimitedAction::TokenRefused => RateLimitedAction::AuthFailure,
            conference::LimitedAction::JoinRefused => RateLimitedAction::JoinFailed,
            conference::LimitedAction::RoomCreated => RateLimitedAction::RoomCreation,
        };
        self.rates.count(deed, self.client.0)
    }

    /// An account nothing is held against.
    #[cfg(test)]
    pub fn for_test() -> Self {
        Self {
            rates: Arc::default(),
            client: ClientAddress(std::net::IpAddr::from([192, 0, 2, 1])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_guessed_ten_times_opens_no_further_connection() {
        let account = AbuseTracker::for_test();
        for _ in 0..10 {
            account.open().unwrap();
            account
                .note(conference::LimitedAction::JoinRefused)
                .unwrap();
        }
        assert!(
            account
                .note(conference::LimitedAction::JoinRefused)
                .is_err()
        );
        assert!(account.open().is_err());
    }

    #[tokio::test]
    async fn who_made_its_rooms_may_still_come_in() {
        let account = AbuseTracker::for_test();
        for _ in 0..5 {
            account
                .note(conference::LimitedAction::RoomCreated)
                .unwrap();
        }
        assert!(
            account
                .note(conference::LimitedAction::RoomCreated)
                .is_err()
        );
        account.open().unwrap();
    }
}
