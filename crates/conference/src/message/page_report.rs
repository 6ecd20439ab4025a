//! Report of a page on its call: load of the device, playback, microphone and camera. The server cannot measure these.

use serde::{Deserialize, Serialize};
use watersmeet_engine::command::Protocol;

/// Route of the media, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// Over UDP.
    Udp,
    /// Over TCP.
    Tcp,
    /// Through a TURN server.
    Relay,
}

/// Longest time for which a page can say that it stood still, in milliseconds: an hour.
const STALLED_MS_MAX: u32 = 3_600_000;

/// Report of a page over the time since its last one. Not verified: it only explains what went wrong.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct PageReport {
    /// Route of the media, where the browser tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
    /// Whether the browser sends less of a picture because the device is too slow.
    pub limited_by_cpu: bool,
    /// Whether it does so because of the connection, which then carries less than the smallest picture needs.
    pub limited_by_bandwidth: bool,
    /// Share of the time in which pictures stood still, in percent.
    pub frozen_percent: u8,
    /// Share of the sound that was made up, in percent.
    pub concealed_percent: u8,
    /// Share of the received frames that were dropped instead of shown, or not decoded in time, in percent.
    pub dropped_percent: u8,
    /// Share of the time in which the visible page did not get to run, in percent.
    pub busy_percent: u8,
    /// Longest time for which the page did not run, in milliseconds: a device that sleeps, or a browser that is busy.
    pub stalled_ms: u32,
    /// State of the microphone.
    pub microphone: DeviceState,
    /// State of the camera.
    pub camera: DeviceState,
}

/// State of a microphone or camera, as its page knows it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum DeviceState {
    /// Switched off, or not wanted.
    #[default]
    Off,
    /// The device delivers.
    Working,
    /// The device is open and delivers nothing.
    Silent,
    /// The microphone is muted while somebody speaks into it.
    TalkingMuted,
    /// The device cannot be opened, or was unplugged.
    Failed,
}

impl Route {
    /// Returns the route of a path with this protocol. `is_relay` says whether its remote address is that of a relay.
    pub const fn of_path(protocol: Protocol, is_relay: bool) -> Self {
        match (is_relay, protocol) {
            (true, _) => Self::Relay,
            (false, Protocol::Tcp) => Self::Tcp,
            (false, Protocol::Udp) => Self::Udp,
        }
    }
}

impl PageReport {
    /// Returns whether all numbers are in their ranges.
    pub fn is_valid(&self) -> bool {
        let percents = [
            self.frozen_percent,
            self.concealed_percent,
            self.dropped_percent,
            self.busy_percent,
        ];
        percents.iter().all(|it| *it <= 100) && self.stalled_ms <= STALLED_MS_MAX
    }
}
