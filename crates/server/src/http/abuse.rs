//! Abuse accounting for one client: connection rate, failed joins, invalid tokens, created rooms.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::request::Parts;
use watersmeet_conference::ClientKey;
use watersmeet_conference::conference::LimitedAction;

use super::client_address::ClientAddress;
use super::rate_limit::{RateLimited, RateLimitedAction, RateLimiter};
use super::site::SiteContext;

/// Counts the rate-limited actions of one client.
#[derive(Debug, Clone)]
pub struct AbuseTracker {
    /// Rate limits of all clients.
    rates: Arc<RateLimiter>,
    /// Address of the client.
    client: ClientAddress,
}

impl AbuseTracker {
    /// Returns the tracker of the client that sent a request; `None` when its address is not known.
    pub fn for_request(site: &SiteContext, request: &Request) -> Option<Self> {
        Self::new(site, request.extensions().get())
    }

    /// Returns the tracker of the client that sent a request without its body.
    pub fn for_parts(site: &SiteContext, parts: &Parts) -> Option<Self> {
        Self::new(site, parts.extensions.get())
    }

    fn new(site: &SiteContext, client: Option<&ClientAddress>) -> Option<Self> {
        let rates = Arc::clone(&site.rates);
        client.map(|&client| Self { rates, client })
    }

    /// Returns the network of the client as the conference compares it.
    pub fn client_key(&self) -> Option<ClientKey> {
        self.rates.client_key(self.client.0)
    }

    /// Counts a signalling connection.
    ///
    /// # Errors
    /// The client opens too many connections, or sent too many invalid tokens or failed joins.
    pub fn record_connection(&self) -> Result<(), RateLimited> {
        self.rates
            .take(RateLimitedAction::Connection, self.client.0)?;
        self.rates
            .check(RateLimitedAction::AuthFailure, self.client.0)?;
        self.rates
            .check(RateLimitedAction::JoinFailed, self.client.0)
    }

    /// Counts an action that the conference reports.
    ///
    /// # Errors
    /// The limit is exceeded. The client must not learn the outcome of the action.
    pub fn record_action(&self, action: LimitedAction) -> Result<(), RateLimited> {
        let action = match action {
            LimitedAction::TokenRefused => RateLimitedAction::AuthFailure,
            LimitedAction::JoinRefused => RateLimitedAction::JoinFailed,
            LimitedAction::RoomCreated => RateLimitedAction::RoomCreation,
        };
        self.rates.take(action, self.client.0)
    }

    /// Returns a tracker with full buckets.
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
    async fn connections_are_refused_after_ten_failed_joins() {
        let tracker = AbuseTracker::for_test();
        for _ in 0..10 {
            tracker.record_connection().unwrap();
            tracker.record_action(LimitedAction::JoinRefused).unwrap();
        }
        assert!(tracker.record_action(LimitedAction::JoinRefused).is_err());
        assert!(tracker.record_connection().is_err());
    }

    #[tokio::test]
    async fn room_creators_can_connect_after_the_creation_limit() {
        let tracker = AbuseTracker::for_test();
        for _ in 0..5 {
            tracker.record_action(LimitedAction::RoomCreated).unwrap();
        }
        assert!(tracker.record_action(LimitedAction::RoomCreated).is_err());
        tracker.record_connection().unwrap();
    }
}
