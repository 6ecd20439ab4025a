//! How often one address may do what costs us, or what somebody who guesses does often: open a
//! connection, ask for a page, fail to name a room. One token bucket for each deed and network
//! (an IPv4 address or an IPv6 /64), kept as the one instant at which it is full again.
//!
//! Whoever is refused is told when to come back (429, RFC 6585 §4). What is remembered is bounded:
//! buckets that are full again are forgotten, and when there are too many others, all who are new
//! share one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use super::client_address::network;
use crate::config::LimitsTable;

/// The most networks that are remembered for each deed.
const NETWORKS_MAX: usize = 65_536;

/// How often a full table is searched for buckets that can be forgotten.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Who shares the bucket of those there was no room for.
const THE_REST: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// How often one network may do what. A zero means never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimits {
    /// Signalling connections a second for long: WebSockets and Engine.IO sessions.
    pub connections_per_second: u32,
    /// Signalling connections at once.
    pub connections_burst: u32,
    /// HTTP requests a second for long, of any kind.
    pub requests_per_second: u32,
    /// HTTP requests at once.
    pub requests_burst: u32,
    /// Tokens and keys a minute that were not valid.
    pub auth_failures_per_minute: u32,
    /// Rooms that are made a minute.
    pub room_creations_per_minute: u32,
    /// Rooms a minute that could not be entered.
    pub joins_failed_per_minute: u32,
    /// Whether programs on this machine are counted. A reverse proxy that is not trusted to name
    /// its clients brings everybody from there.
    pub loopback: bool,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            connections_per_second: 20,
            connections_burst: 50,
            requests_per_second: 50,
            requests_burst: 200,
            auth_failures_per_minute: 10,
            room_creations_per_minute: 5,
            joins_failed_per_minute: 10,
            loopback: false,
        }
    }
}

impl From<&LimitsTable> for RateLimits {
    fn from(table: &LimitsTable) -> Self {
        Self {
            connections_per_second: table.connections_per_second,
            connections_burst: table.connections_burst,
            requests_per_second: table.requests_per_second,
            requests_burst: table.requests_burst,
            auth_failures_per_minute: table.auth_failures_per_minute,
            room_creations_per_minute: table.room_creations_per_minute,
            joins_failed_per_minute: table.joins_failed_per_minute,
            loopback: table.loopback,
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateLimitedAction {
    /// A signalling connection is opened.
    Connection,
    /// A request is made.
    Request,
    /// A token or a key was not valid.
    AuthFailure,
    /// A room is made.
    RoomCreation,
    /// A room could not be entered.
    JoinFailed,
}

impl RateLimitedAction {
    /// Every deed.
    pub const ALL: [Self; 5] = [
        Self::Connection,
        Self::Request,
        Self::AuthFailure,
        Self::RoomCreation,
        Self::JoinFailed,
    ];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Request => "request",
            Self::AuthFailure => "auth-failure",
            Self::RoomCreation => "room-creation",
            Self::JoinFailed => "join-failed",
        }
    }
}

/// It was too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimited {
    /// When to try again.
    pub retry_after: Duration,
}

impl RateLimited {
    /// When to try again, in seconds, rounded up: whoever waits so long is let in.
    pub const fn seconds(self) -> u64 {
        self.retry_after.as_secs().saturating_add(1)
    }
}

impl IntoResponse for RateLimited {
    fn into_response(self) -> Response {
        let headers = [(header::RETRY_AFTER, self.seconds().to_string())];
        (StatusCode::TOO_MANY_REQUESTS, headers, "Too often\n").into_response()
    }
}

/// What everybody has done of late.
#[derive(Debug)]
pub struct RateLimiter {
    /// Whether this machine is counted.
    loopback: bool,
    /// Signalling connections.
    connections: Buckets,
    /// Requests.
    requests: Buckets,
    /// Invalid tokens and keys.
    auth_failures: Buckets,
    /// New rooms.
    room_creations: Buckets,
    /// Rooms that could not be entered.
    joins_failed: Buckets,
}

impl RateLimiter {
    /// Nobody has done anything yet.
    pub fn new(limits: &RateLimits) -> Self {
        let second = Duration::from_secs(1);
        let minute = Duration::from_mins(1);
        let failures = |a_minute| Buckets::new(minute, a_minute, a_minute);
        Self {
            loopback: limits.loopback,
            connections: Buckets::new(
                second,
                limits.connections_per_second,
                limits.connections_burst,
            ),
            requests: Buckets::new(second, limits.requests_per_second, limits.requests_burst),
            auth_failures: failures(limits.auth_failures_per_minute),
            room_creations: failures(limits.room_creations_per_minute),
            joins_failed: failures(limits.joins_failed_per_minute),
        }
    }

    /// Counts one deed of a client.
    ///
    /// # Errors
    /// When it was one too many; that one is not counted.
    pub fn count(&self, deed: RateLimitedAction, ip: IpAddr) -> Result<(), RateLimited> {
        let buckets = self.buckets(deed);
        match self.key(ip) {
            Some(key) => buckets.note(buckets.count(key, Instant::now())),
            None => Ok(()),
        }
    }

    /// How many of these deeds were refused so far.
    pub fn refused(&self, deed: RateLimitedAction) -> u64 {
        self.buckets(deed).refused.load(Ordering::Relaxed)
    }

    /// Whether one more deed would be too many. For what is counted only when it fails: a guess is
    /// not even looked at once the guesses before it were too many.
    ///
    /// # Errors
    /// When it would.
    pub fn look(&self, deed: RateLimitedAction, ip: IpAddr) -> Result<(), RateLimited> {
        let buckets = self.buckets(deed);
        match self.key(ip) {
            Some(key) => buckets.note(buckets.look(key, Instant::now())),
            None => Ok(()),
        }
    }

    fn key(&self, ip: IpAddr) -> Option<IpAddr> {
        (self.loopback || !ip.to_canonical().is_loopback()).then(|| network(ip))
    }

    fn buckets(&self, deed: RateLimitedAction) -> &Buckets {
        match deed {
            RateLimitedAction::Connection => &self.connections,
            RateLimitedAction::Request => &self.requests,
            RateLimitedAction::AuthFailure => &self.auth_failures,
            RateLimitedAction::RoomCreation => &self.room_creations,
            RateLimitedAction::JoinFailed => &self.joins_failed,
        }
    }
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self::new(&RateLimits::default())
    }
}

/// The buckets of one deed.
#[derive(Debug)]
struct Buckets {
    /// How long one token takes to come back; none when there are none.
    interval: Option<Duration>,
    /// How long an empty bucket takes to fill.
    depth: Duration,
    /// What is remembered.
    memory: Mutex<Memory>,
    /// How many were refused.
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Memory {
    /// When each bucket is full again. One that is not here is full.
    full_at: HashMap<IpAddr, Instant>,
    /// When the full ones were last thrown out.
    swept_at: Option<Instant>,
}

impl Buckets {
    /// Full ones: `burst` at once, then `count` in each `period`.
    fn new(period: Duration, count: u32, burst: u32) -> Self {
        let interval = period.checked_div(count);
        Self {
            interval,
            depth: interval.unwrap_or_default() * burst,
            memory: Mutex::default(),
            refused: AtomicU64::new(0),
        }
    }

    /// Counts a refusal.
    fn note(&self, outcome: Result<(), RateLimited>) -> Result<(), RateLimited> {
        outcome.inspect_err(|_| {
            self.refused.fetch_add(1, Ordering::Relaxed);
        })
    }

    fn look(&self, key: IpAddr, now: Instant) -> Result<(), RateLimited> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let key = memory.key(key);
        self.after(memory.full_at.get(&key), now).map(drop)
    }

    fn count(&self, key: IpAddr, now: Instant) -> Result<(), RateLimited> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.make_room(now);
        let key = memory.key(key);
        let full_at = self.after(memory.full_at.get(&key), now)?;
        memory.full_at.insert(key, full_at);
        Ok(())
    }

    /// When the bucket is full again once one more was taken.
    fn after(&self, full_at: Option<&Instant>, now: Instant) -> Result<Instant, RateLimited> {
        let Some(interval) = self.interval else {
            let retry_after = Duration::from_hours(1);
            return Err(RateLimited { retry_after });
        };
        let after = full_at.map_or(now, |&at| at.max(now)) + interval;
        match after.duration_since(now).checked_sub(self.depth) {
            Some(retry_after) if !retry_after.is_zero() => Err(RateLimited { retry_after }),
            _ => Ok(after),
        }
    }
}

impl Memory {
    /// Whose bucket it is: its own if it has one or can have one.
    fn key(&self, key: IpAddr) -> IpAddr {
        if self.full_at.contains_key(&key) || self.full_at.len() < NETWORKS_MAX {
            key
        } else {
            THE_REST
        }
    }

    /// Forgets the buckets that are full again, when there are too many.
    fn make_room(&mut self, now: Instant) {
        let swept = self.swept_at.is_some_and(|at| now < at + SWEEP_INTERVAL);
        if self.full_at.len() >= NETWORKS_MAX && !swept {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.swept_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn ip(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[tokio::test]
    async fn a_burst_passes_the_next_is_told_when_to_come_back_and_then_passes() {
        let now = Instant::now();
        let buckets = Buckets::new(Duration::from_secs(1), 20, 50);
        assert!((0..50).all(|_| buckets.count(ip(1), now).is_ok()));
        let refused = buckets.count(ip(1), now).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_millis(50));
        assert!(buckets.count(ip(2), now).is_ok(), "another network");
        let later = now + refused.retry_after;
        assert!(buckets.count(ip(1), later).is_ok());
        assert!(buckets.count(ip(1), later).is_err());
    }

    #[tokio::test]
    async fn the_eleventh_failure_of_a_minute_is_refused_before_it_is_looked_at() {
        let now = Instant::now();
        let buckets = Buckets::new(MINUTE, 10, 10);
        for _ in 0..10 {
            assert!(buckets.look(ip(1), now).is_ok());
            buckets.count(ip(1), now).unwrap();
        }
        assert!(buckets.look(ip(1), now).is_err());
        assert!(buckets.look(ip(1), now + MINUTE / 10).is_ok());
    }

    #[tokio::test]
    async fn looking_takes_nothing() {
        let now = Instant::now();
        let buckets = Buckets::new(MINUTE, 1, 1);
        assert!((0..100).all(|_| buckets.look(ip(1), now).is_ok()));
        assert!(buckets.count(ip(1), now).is_ok());
    }

    #[tokio::test]
    async fn a_zero_is_never() {
        let buckets = Buckets::new(MINUTE, 0, 0);
        assert!(buckets.count(ip(1), Instant::now()).is_err());
    }

    #[tokio::test]
    async fn a_million_networks_are_not_remembered_and_full_buckets_are_forgotten() {
        let now = Instant::now();
        let buckets = Buckets::new(MINUTE, 10, 10);
        let strangers = u32::try_from(NETWORKS_MAX).unwrap() + 1_000;
        let passed = (1..=strangers)
            .filter(|&number| buckets.count(ip(number), now).is_ok())
            .count();
        assert_eq!(
            passed,
            NETWORKS_MAX + 10,
            "those without room share one bucket"
        );
        let known = |buckets: &Buckets| buckets.memory.lock().unwrap().full_at.len();
        assert_eq!(known(&buckets), NETWORKS_MAX + 1);
        assert!(buckets.count(ip(strangers), now + MINUTE).is_ok());
        assert_eq!(known(&buckets), 1);
    }

    #[tokio::test]
    async fn this_machine_counts_only_when_it_is_told_to() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let spent = |limits: &RateLimits| {
            let rates = RateLimiter::new(limits);
            (0..1_000).any(|_| rates.count(RateLimitedAction::Request, loopback).is_err())
        };
        assert!(!spent(&RateLimits::default()));
        let limits = RateLimits {
            loopback: true,
            ..RateLimits::default()
        };
        assert!(spent(&limits));
    }

    #[test]
    fn the_answer_says_when_to_come_back() {
        let refused = RateLimited {
            retry_after: Duration::from_millis(2_300),
        };
        let response = refused.into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "3");
    }
}
