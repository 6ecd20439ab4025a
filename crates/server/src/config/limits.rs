//! The tables `[caps]` and `[limits]`: how much anybody may have, and how often. No cap can be
//! switched off: a zero is refused where it would shut everybody out.

use std::time::Duration;

use serde::Deserialize;
use watersmeet_conference::Caps;

use super::ConfigError;
use crate::http::limits::Limits;

/// How much anybody may have.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CapsTable {
    /// Signalling connections at a time. Default 20,000.
    /// `sessions_max = 20000`
    pub sessions_max: usize,
    /// Rooms at a time. Default 10,000.
    /// `rooms_max = 10000`
    pub rooms_max: usize,
    /// Participants in a room. Default 200.
    /// `participants_max = 200`
    pub participants_max: usize,
    /// Transports of a participant, at least 2. Default 4; clients that open one for each person
    /// they see get as many as they need.
    /// `transports_max = 4`
    pub transports_max: usize,
    /// Producers of a participant. Default 16.
    /// `producers_max = 16`
    pub producers_max: usize,
    /// Consumers of a participant. Default 512.
    /// `consumers_max = 512`
    pub consumers_max: usize,
    /// Requests of a connection that are worked on at a time. Default 64.
    /// `pending_requests_max = 64`
    pub pending_requests_max: usize,
    /// Requests of a connection that wait their turn. Default 512.
    /// `waiting_requests_max = 512`
    pub waiting_requests_max: usize,
    /// Bytes of a message, 1,024 at least: a browser's offer of media has that much. Default
    /// 65,536.
    /// `frame_len_max = 65536`
    pub frame_len_max: usize,
    /// Bytes of a room's or a participant's name. Default 256.
    /// `name_len_max = 256`
    pub name_len_max: usize,
    /// Messages of a connection per second, on average. Default 50.
    /// `messages_per_second = 50`
    pub messages_per_second: u32,
    /// Messages of a connection at once. Default 200.
    /// `messages_burst = 200`
    pub messages_burst: u32,
    /// Messages over the rate that are refused before the connection is closed; 0 closes at the
    /// first. Default 3.
    /// `strikes_max = 3`
    pub strikes_max: u32,
    /// Seconds that a request may take. Default 10.
    /// `request_timeout_s = 10`
    pub request_timeout_s: u32,
}

impl Default for CapsTable {
    fn default() -> Self {
        let caps = Caps::default();
        Self {
            sessions_max: caps.sessions_max,
            rooms_max: caps.rooms_max,
            participants_max: caps.participants_max,
            transports_max: caps.transports_max,
            producers_max: caps.producers_max,
            consumers_max: caps.consumers_max,
            pending_requests_max: caps.pending_requests_max,
            waiting_requests_max: caps.waiting_requests_max,
            frame_len_max: caps.frame_len_max,
            name_len_max: caps.name_len_max,
            messages_per_second: caps.messages_per_second,
            messages_burst: caps.messages_burst,
            strikes_max: caps.strikes_max,
            request_timeout_s: u32::try_from(caps.request_timeout.as_secs()).unwrap_or(u32::MAX),
        }
    }
}

impl CapsTable {
    /// As the conference takes them.
    pub fn caps(&self) -> Caps {
        Caps {
            sessions_max: self.sessions_max,
            rooms_max: self.rooms_max,
            participants_max: self.participants_max,
            transports_max: self.transports_max,
            producers_max: self.producers_max,
            consumers_max: self.consumers_max,
            pending_requests_max: self.pending_requests_max,
            waiting_requests_max: self.waiting_requests_max,
            frame_len_max: self.frame_len_max,
            name_len_max: self.name_len_max,
            messages_per_second: self.messages_per_second,
            messages_burst: self.messages_burst,
            strikes_max: self.strikes_max,
            request_timeout: Duration::from_secs(self.request_timeout_s.into()),
            ..Caps::default()
        }
    }

    /// Refuses caps under which nobody could meet.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let least = [
            ("sessions_max", self.sessions_max, 1),
            ("rooms_max", self.rooms_max, 1),
            ("participants_max", self.participants_max, 1),
            ("transports_max", self.transports_max, 2),
            ("producers_max", self.producers_max, 1),
            ("consumers_max", self.consumers_max, 1),
            ("pending_requests_max", self.pending_requests_max, 1),
            ("waiting_requests_max", self.waiting_requests_max, 1),
            ("frame_len_max", self.frame_len_max, 1_024),
            ("name_len_max", self.name_len_max, 1),
            ("messages_per_second", self.messages_per_second as usize, 1),
            ("messages_burst", self.messages_burst as usize, 1),
            ("request_timeout_s", self.request_timeout_s as usize, 1),
        ];
        match least.iter().find(|(_, value, least)| value < least) {
            Some((key, value, least)) => Err(ConfigError::contradiction(format!(
                "`caps.{key}` is {value} and must be at least {least}: no cap can be switched off"
            ))),
            None => Ok(()),
        }
    }
}

/// How often one network may do what.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsTable {
    /// Signalling connections per second, on average. Default 20.
    /// `connections_per_second = 20`
    pub connections_per_second: u32,
    /// Signalling connections at once. Default 50.
    /// `connections_burst = 50`
    pub connections_burst: u32,
    /// HTTP requests per second, on average. Default 50.
    /// `requests_per_second = 50`
    pub requests_per_second: u32,
    /// HTTP requests at once. Default 200.
    /// `requests_burst = 200`
    pub requests_burst: u32,
    /// Invalid tokens and keys per minute. Default 10.
    /// `auth_failures_per_minute = 10`
    pub auth_failures_per_minute: u32,
    /// Rooms made per minute; 0 lets nobody make any by request. Default 5.
    /// `room_creations_per_minute = 5`
    pub room_creations_per_minute: u32,
    /// Rooms per minute that could not be entered. Default 10.
    /// `joins_failed_per_minute = 10`
    pub joins_failed_per_minute: u32,
    /// Whether programs on this machine are counted too. Default false.
    /// `loopback = false`
    pub loopback: bool,
}

impl Default for LimitsTable {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            connections_per_second: limits.connections_per_second,
            connections_burst: limits.connections_burst,
            requests_per_second: limits.requests_per_second,
            requests_burst: limits.requests_burst,
            auth_failures_per_minute: limits.auth_failures_per_minute,
            room_creations_per_minute: limits.room_creations_per_minute,
            joins_failed_per_minute: limits.joins_failed_per_minute,
            loopback: limits.loopback,
        }
    }
}

impl LimitsTable {
    /// Refuses limits under which nobody could connect.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let at_least_one = [
            ("connections_per_second", self.connections_per_second),
            ("connections_burst", self.connections_burst),
            ("requests_per_second", self.requests_per_second),
            ("requests_burst", self.requests_burst),
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
