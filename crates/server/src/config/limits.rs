//! The tables `[caps]` and `[limits]`. No limit can be switched off: a zero is refused where it would
//! lock everybody out.

use serde::Deserialize;
use watersmeet_conference::ConferenceLimits;

use super::error::ConfigError;

/// Checks that every cap is high enough for a call.
///
/// # Errors
/// A cap is below its minimum.
pub(super) fn check_caps(caps: &ConferenceLimits) -> Result<(), ConfigError> {
    let least = [
        ("sessions_max", caps.sessions_max, 1),
        ("rooms_max", caps.rooms_max, 1),
        (
            "unentered_rooms_per_client_max",
            caps.unentered_rooms_per_client_max,
            1,
        ),
        (
            "unentered_room_timeout_s",
            caps.unentered_room_timeout_s as usize,
            1,
        ),
        ("participants_max", caps.participants_max, 1),
        ("transports_max", caps.transports_max, 2),
        ("producers_max", caps.producers_max, 1),
        ("consumers_max", caps.consumers_max, 1),
        ("pending_requests_max", caps.pending_requests_max, 1),
        ("waiting_requests_max", caps.waiting_requests_max, 1),
        ("frame_len_max", caps.frame_len_max, 1_024),
        ("name_len_max", caps.name_len_max, 1),
        ("messages_per_second", caps.messages_per_second as usize, 1),
        ("messages_burst", caps.messages_burst as usize, 1),
        ("request_timeout_s", caps.request_timeout_s as usize, 1),
    ];
    match least.iter().find(|(_, value, least)| value < least) {
        Some((key, value, least)) => Err(ConfigError::contradiction(format!(
            "`caps.{key}` is {value} and must be at least {least}: no cap can be switched off"
        ))),
        None => Ok(()),
    }
}

/// Rate limits of one client network.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsTable {
    /// Signalling connections per second on average. Default 20.
    /// `connections_per_second = 20`
    pub connections_per_second: u32,
    /// Signalling connections at once. Default 50.
    /// `connections_burst = 50`
    pub connections_burst: u32,
    /// HTTP requests per second on average, and TURN requests without valid credentials. Default 50.
    /// `requests_per_second = 50`
    pub requests_per_second: u32,
    /// HTTP requests at once, and TURN requests without valid credentials. Default 200.
    /// `requests_burst = 200`
    pub requests_burst: u32,
    /// Open connections of one network. Behind a proxy of `trusted_proxies` each client counts for
    /// itself. Default 512, enough for an office behind one address.
    /// `connections_per_network_max = 512`
    pub connections_per_network_max: u32,
    /// Open connections of a listener, of all networks. Default 20,000.
    /// `connections_max = 20000`
    pub connections_max: u32,
    /// Invalid tokens and API keys per minute. Default 10.
    /// `auth_failures_per_minute = 10`
    pub auth_failures_per_minute: u32,
    /// Rooms created per minute; 0 means that clients cannot create rooms. Default 5.
    /// `room_creations_per_minute = 5`
    pub room_creations_per_minute: u32,
    /// Failed joins per minute. Default 10.
    /// `joins_failed_per_minute = 10`
    pub joins_failed_per_minute: u32,
    /// Whether clients on loopback are limited too. Default false.
    /// `loopback = false`
    pub loopback: bool,
}

impl Default for LimitsTable {
    fn default() -> Self {
        Self {
            connections_per_second: 20,
            connections_burst: 50,
            requests_per_second: 50,
            requests_burst: 200,
            connections_per_network_max: 512,
            connections_max: 20_000,
            auth_failures_per_minute: 10,
            room_creations_per_minute: 5,
            joins_failed_per_minute: 10,
            loopback: false,
        }
    }
}

impl LimitsTable {
    /// Checks that clients can connect at all.
    ///
    /// # Errors
    /// A limit is 0.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let at_least_one = [
            ("connections_per_second", self.connections_per_second),
            ("connections_burst", self.connections_burst),
            ("requests_per_second", self.requests_per_second),
            ("requests_burst", self.requests_burst),
            (
                "connections_per_network_max",
                self.connections_per_network_max,
            ),
            ("connections_max", self.connections_max),
            ("auth_failures_per_minute", self.auth_failures_per_minute),
            ("joins_failed_per_minute", self.joins_failed_per_minute),
        ];
        match at_least_one.iter().find(|(_, value)| *value == 0) {
            Some((key, _)) => Err(ConfigError::contradiction(format!(
                "`limits.{key}` is 0 and must be at least 1: no limit can be switched off"
            ))),
            None => Ok(()),
        }
    }
}
