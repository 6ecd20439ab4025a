//! Rate limits for each client network: one token bucket for each action and network (an IPv4
//! address or an IPv6 /64). Limits what costs the server work and what clients do when they guess
//! room names or tokens.
//!
//! A refused client is told when to retry (429, RFC 6585 §4). Memory is bounded: full buckets are
//! forgotten, and when there are too many others, all new networks share one bucket.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;
use watersmeet_conference::ClientKey;
use watersmeet_wire::units::{Time, TokenBucket};

use super::client_address::network;
use crate::config::LimitsTable;

/// Upper bound of networks remembered for each action.
const NETWORKS_MAX: usize = 65_536;

/// Interval at which a full table is searched for buckets that can be forgotten.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Key of the bucket shared by networks for which the table has no room.
const OVERFLOW_KEY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Retry time of an action whose limit is zero.
const NEVER_RETRY_AFTER: Duration = Duration::from_hours(1);

/// An action with a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateLimitedAction {
    /// Opening a signalling connection.
    Connection,
    /// Sending an HTTP request.
    Request,
    /// Presenting an invalid token or API key.
    AuthFailure,
    /// Creating a room.
    RoomCreation,
    /// Failing to join a room.
    JoinFailed,
    /// Sending a STUN or TURN request without valid credentials.
    TurnRequest,
}

impl RateLimitedAction {
    /// All actions.
    pub const ALL: [Self; 6] = [
        Self::Connection,
        Self::Request,
        Self::AuthFailure,
        Self::RoomCreation,
        Self::JoinFailed,
        Self::TurnRequest,
    ];

    /// Returns the name of the action in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Request => "request",
            Self::AuthFailure => "auth-failure",
            Self::RoomCreation => "room-creation",
            Self::JoinFailed => "join-failed",
            Self::TurnRequest => "turn-request",
        }
    }
}

/// Error of an action that exceeds its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimited {
    /// Time after which the action is allowed again.
    pub retry_after: Duration,
}

impl RateLimited {
    /// Returns the time after which the action is allowed again, in seconds, rounded up.
    pub const fn retry_after_s(self) -> u64 {
        self.retry_after.as_secs().saturating_add(1)
    }
}

impl IntoResponse for RateLimited {
    fn into_response(self) -> Response {
        let headers = [(header::RETRY_AFTER, self.retry_after_s().to_string())];
        (StatusCode::TOO_MANY_REQUESTS, headers, "Too often\n").into_response()
    }
}

/// Rate limits of all actions and networks.
#[derive(Debug)]
pub struct RateLimiter {
    /// Whether clients on loopback are limited.
    loopback: bool,
    /// Instant of `Time::ZERO`.
    epoch: Instant,
    /// Signalling connections.
    connections: BucketTable,
    /// HTTP requests.
    requests: BucketTable,
    /// Invalid tokens and API keys.
    auth_failures: BucketTable,
    /// Created rooms.
    room_creations: BucketTable,
    /// Failed joins.
    joins_failed: BucketTable,
    /// STUN and TURN requests without valid credentials.
    turn_requests: BucketTable,
}

impl RateLimiter {
    /// Creates full buckets with the configured limits.
    pub fn new(limits: &LimitsTable) -> Self {
        let second = Duration::from_secs(1);
        let minute = Duration::from_mins(1);
        let per_minute = |count| BucketTable::new(minute, count, count);
        Self {
            loopback: limits.loopback,
            epoch: Instant::now(),
            connections: BucketTable::new(
                second,
                limits.connections_per_second,
                limits.connections_burst,
            ),
            requests: BucketTable::new(second, limits.requests_per_second, limits.requests_burst),
            auth_failures: per_minute(limits.auth_failures_per_minute),
            room_creations: per_minute(limits.room_creations_per_minute),
            joins_failed: per_minute(limits.joins_failed_per_minute),
            turn_requests: BucketTable::new(
                second,
                limits.requests_per_second,
                limits.requests_burst,
            ),
        }
    }

    /// Counts an action of a client.
    ///
    /// # Errors
    /// The limit is exceeded; the action is not counted then.
    pub fn take(&self, action: RateLimitedAction, ip: IpAddr) -> Result<(), RateLimited> {
        let table = self.table(action);
        match self.key(ip) {
            Some(key) => table.count_refusal(table.take(key, self.now())),
            None => Ok(()),
        }
    }

    /// Checks whether an action would be allowed, without counting it. Used for actions that are
    /// counted only when they fail: after too many failures, further attempts are not even tried.
    ///
    /// # Errors
    /// The limit is exceeded.
    pub fn check(&self, action: RateLimitedAction, ip: IpAddr) -> Result<(), RateLimited> {
        let table = self.table(action);
        match self.key(ip) {
            Some(key) => table.count_refusal(table.check(key, self.now())),
            None => Ok(()),
        }
    }

    /// Returns the network of a client as the conference compares it; `None` for clients that are not
    /// limited.
    pub fn client_key(&self, ip: IpAddr) -> Option<ClientKey> {
        let network = self.key(ip)?;
        Some(ClientKey(match network {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
            IpAddr::V6(ip) => ip.to_bits(),
        }))
    }

    /// Returns the number of refusals of an action so far.
    pub fn refused(&self, action: RateLimitedAction) -> u64 {
        self.table(action).refused.load(Ordering::Relaxed)
    }

    fn key(&self, ip: IpAddr) -> Option<IpAddr> {
        (self.loopback || !ip.to_canonical().is_loopback()).then(|| network(ip))
    }

    fn now(&self) -> Time {
        Time::ZERO + self.epoch.elapsed()
    }

    fn table(&self, action: RateLimitedAction) -> &BucketTable {
        match action {
            RateLimitedAction::Connection => &self.connections,
            RateLimitedAction::Request => &self.requests,
            RateLimitedAction::AuthFailure => &self.auth_failures,
            RateLimitedAction::RoomCreation => &self.room_creations,
            RateLimitedAction::JoinFailed => &self.joins_failed,
            RateLimitedAction::TurnRequest => &self.turn_requests,
        }
    }
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self::new(&LimitsTable::default())
    }
}

/// Token buckets of one action, for all networks.
#[derive(Debug)]
struct BucketTable {
    /// Bucket of a network that has none yet.
    full: TokenBucket,
    /// Buckets that are not full.
    buckets: Mutex<Buckets>,
    /// Number of refusals.
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Buckets {
    /// Bucket of each network. A network without an entry has a full bucket.
    by_network: HashMap<IpAddr, TokenBucket>,
    /// Time at which full buckets were last removed.
    swept_at: Option<Time>,
}

impl BucketTable {
    /// Creates full buckets that allow `burst` actions at once and `count` in each `period`.
    fn new(period: Duration, count: u32, burst: u32) -> Self {
        Self {
            full: TokenBucket::per_period(count, period, burst),
            buckets: Mutex::default(),
            refused: AtomicU64::new(0),
        }
    }

    fn count_refusal(&self, outcome: Result<(), RateLimited>) -> Result<(), RateLimited> {
        outcome.inspect_err(|_| {
            self.refused.fetch_add(1, Ordering::Relaxed);
        })
    }

    fn check(&self, key: IpAddr, now: Time) -> Result<(), RateLimited> {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.by_network.get(&buckets.key(key));
        refusal(bucket.unwrap_or(&self.full), now)
    }

    fn take(&self, key: IpAddr, now: Time) -> Result<(), RateLimited> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.sweep(now);
        let key = buckets.key(key);
        refusal(buckets.by_network.get(&key).unwrap_or(&self.full), now)?;
        let bucket = buckets.by_network.entry(key);
        bucket.or_insert_with(|| self.full.clone()).try_take(now, 1);
        Ok(())
    }
}

/// Returns an error when the bucket is empty.
fn refusal(bucket: &TokenBucket, now: Time) -> Result<(), RateLimited> {
    match bucket.wait_for(now, 1) {
        Some(Duration::ZERO) => Ok(()),
        wait => Err(RateLimited {
            retry_after: wait.unwrap_or(NEVER_RETRY_AFTER),
        }),
    }
}

impl Buckets {
    /// Returns the key of a network's bucket: its own if it has one or there is room for one.
    fn key(&self, key: IpAddr) -> IpAddr {
        if self.by_network.contains_key(&key) || self.by_network.len() < NETWORKS_MAX {
            key
        } else {
            OVERFLOW_KEY
        }
    }

    /// Removes full buckets when the table is full, at most once a second.
    fn sweep(&mut self, now: Time) {
        let is_swept = self.swept_at.is_some_and(|at| now < at + SWEEP_INTERVAL);
        if self.by_network.len() >= NETWORKS_MAX && !is_swept {
            self.by_network.retain(|_, bucket| !bucket.is_full(now));
            self.swept_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);
    const NOW: Time = Time::ZERO;

    fn ip(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn action_after_the_burst_is_refused_until_the_retry_time() {
        let table = BucketTable::new(Duration::from_secs(1), 20, 50);
        assert!((0..50).all(|_| table.take(ip(1), NOW).is_ok()));
        let refused = table.take(ip(1), NOW).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_millis(50));
        assert!(table.take(ip(2), NOW).is_ok(), "another network");
        let later = NOW + refused.retry_after;
        assert!(table.take(ip(1), later).is_ok());
        assert!(table.take(ip(1), later).is_err());
    }

    #[test]
    fn check_refuses_after_ten_failures_in_a_minute() {
        let table = BucketTable::new(MINUTE, 10, 10);
        for _ in 0..10 {
            assert!(table.check(ip(1), NOW).is_ok());
            table.take(ip(1), NOW).unwrap();
        }
        assert!(table.check(ip(1), NOW).is_err());
        assert!(table.check(ip(1), NOW + MINUTE / 10).is_ok());
    }

    #[test]
    fn check_takes_no_token() {
        let table = BucketTable::new(MINUTE, 1, 1);
        assert!((0..100).all(|_| table.check(ip(1), NOW).is_ok()));
        assert!(table.take(ip(1), NOW).is_ok());
    }

    #[test]
    fn limit_of_zero_refuses_always() {
        let table = BucketTable::new(MINUTE, 0, 0);
        assert!(table.take(ip(1), NOW).is_err());
    }

    #[test]
    fn table_is_bounded_and_forgets_full_buckets() {
        let table = BucketTable::new(MINUTE, 10, 10);
        let networks = u32::try_from(NETWORKS_MAX).unwrap() + 1_000;
        let passed = (1..=networks)
            .filter(|&number| table.take(ip(number), NOW).is_ok())
            .count();
        assert_eq!(
            passed,
            NETWORKS_MAX + 10,
            "networks without room share one bucket"
        );
        let known = |table: &BucketTable| table.buckets.lock().unwrap().by_network.len();
        assert_eq!(known(&table), NETWORKS_MAX + 1);
        assert!(table.take(ip(networks), NOW + MINUTE).is_ok());
        assert_eq!(known(&table), 1);
    }

    #[tokio::test]
    async fn loopback_is_limited_only_when_configured() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let is_limited = |limits: &LimitsTable| {
            let rates = RateLimiter::new(limits);
            (0..1_000).any(|_| rates.take(RateLimitedAction::Request, loopback).is_err())
        };
        assert!(!is_limited(&LimitsTable::default()));
        let limits = LimitsTable {
            loopback: true,
            ..LimitsTable::default()
        };
        assert!(is_limited(&limits));
    }

    #[test]
    fn response_names_the_retry_time_in_seconds() {
        let refused = RateLimited {
            retry_after: Duration::from_millis(2_300),
        };
        let response = refused.into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "3");
    }
}
