//! Likely causes of what was bad in a call, with their codes for programs and words for people.

use serde::Serialize;

/// Likely cause of what was bad, always about one participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The line to the participant is slow, or loses or delays packets.
    Downlink,
    /// The line from the participant is slow, or loses or delays packets. All who receive its media notice it.
    Uplink,
    /// The line has a long round trip.
    LongDelay,
    /// Nothing arrived from the participant for some seconds.
    Interrupted,
    /// Media never connected: UDP is blocked, or the announced address is wrong.
    NeverConnected,
    /// The device of the participant is too slow to send its pictures.
    PublisherCpu,
    /// The device of the participant is too slow to show the pictures of others.
    ViewerCpu,
    /// The microphone was muted.
    MicrophoneMuted,
    /// The microphone was open and delivered nothing.
    MicrophoneSilent,
    /// The microphone could not be opened, or was unplugged.
    MicrophoneDevice,
    /// The camera could not be opened, or was unplugged.
    CameraDevice,
    /// Media took the detour of a relay.
    Relay,
    /// Media travelled over TCP.
    TcpOnly,
    /// The core of the server that serves the participant was overloaded.
    ServerOverloaded,
    /// The participant went on in another network.
    NetworkChanged,
    /// The device slept, or the browser did not run the page.
    BrowserAsleep,
    /// The connection was lost and the participant did not come back.
    LeftAbruptly,
}

impl Cause {
    /// All causes, in the order in which they are listed.
    pub const ALL: [Self; 17] = [
        Self::NeverConnected,
        Self::Interrupted,
        Self::ServerOverloaded,
        Self::Downlink,
        Self::Uplink,
        Self::LongDelay,
        Self::NetworkChanged,
        Self::BrowserAsleep,
        Self::PublisherCpu,
        Self::ViewerCpu,
        Self::MicrophoneDevice,
        Self::MicrophoneSilent,
        Self::MicrophoneMuted,
        Self::CameraDevice,
        Self::LeftAbruptly,
        Self::Relay,
        Self::TcpOnly,
    ];

    /// Returns the stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Downlink => "downlink",
            Self::Uplink => "uplink",
            Self::LongDelay => "long-delay",
            Self::Interrupted => "interrupted",
            Self::NeverConnected => "never-connected",
            Self::PublisherCpu => "publisher-cpu",
            Self::ViewerCpu => "viewer-cpu",
            Self::MicrophoneMuted => "microphone-muted",
            Self::MicrophoneSilent => "microphone-silent",
            Self::MicrophoneDevice => "microphone-device",
            Self::CameraDevice => "camera-device",
            Self::Relay => "relay",
            Self::TcpOnly => "tcp-only",
            Self::ServerOverloaded => "server-overloaded",
            Self::NetworkChanged => "network-changed",
            Self::BrowserAsleep => "browser-asleep",
            Self::LeftAbruptly => "left-abruptly",
        }
    }

    /// Returns the cause with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.code() == code)
    }

    /// Returns its meaning, for people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Downlink => "Slow or lossy connection to this person",
            Self::Uplink => "Slow or lossy connection from this person, noticed by everybody else",
            Self::LongDelay => "Long way: what this person says arrives late",
            Self::Interrupted => "The connection of this person was interrupted",
            Self::NeverConnected => {
                "Sound and pictures never connected: UDP is blocked, or the server announces a wrong address"
            }
            Self::PublisherCpu => "The device of this person was too slow to send pictures",
            Self::ViewerCpu => "The device of this person was too slow to show pictures",
            Self::MicrophoneMuted => "The microphone of this person was muted",
            Self::MicrophoneSilent => "The microphone of this person was on and delivered nothing",
            Self::MicrophoneDevice => "The microphone of this person could not be used",
            Self::CameraDevice => "The camera of this person could not be used",
            Self::Relay => "Sound and pictures took a detour through a relay",
            Self::TcpOnly => "Sound and pictures travelled over TCP, because UDP is blocked",
            Self::ServerOverloaded => "The server was overloaded",
            Self::NetworkChanged => "This person changed to another network",
            Self::BrowserAsleep => "The device slept, or the browser stopped the page",
            Self::LeftAbruptly => "This person's connection was lost, and did not come back",
        }
    }

    /// Returns whether the cause is a note: worth knowing, but it need not have disturbed anybody.
    pub const fn is_note(self) -> bool {
        matches!(
            self,
            Self::Relay | Self::TcpOnly | Self::MicrophoneMuted | Self::NetworkChanged
        )
    }

    /// Returns how often it must be observed in a minute to count, in percent of the observations. Short dips are
    /// usual on good lines too.
    pub(super) const fn share_percent_min(self) -> u32 {
        match self {
            Self::Downlink | Self::Uplink | Self::LongDelay => 34,
            Self::PublisherCpu
            | Self::ViewerCpu
            | Self::ServerOverloaded
            | Self::MicrophoneSilent => 30,
            Self::MicrophoneMuted => 60,
            Self::Relay | Self::TcpOnly => 50,
            Self::Interrupted
            | Self::NeverConnected
            | Self::MicrophoneDevice
            | Self::CameraDevice
            | Self::NetworkChanged
            | Self::BrowserAsleep
            | Self::LeftAbruptly => 0,
        }
    }

    /// Returns how many observations at least must show it: one alone may be a dip.
    pub(super) const fn count_min(self) -> u32 {
        match self {
            Self::Downlink
            | Self::Uplink
            | Self::LongDelay
            | Self::PublisherCpu
            | Self::ViewerCpu
            | Self::ServerOverloaded
            | Self::MicrophoneMuted
            | Self::MicrophoneSilent => 2,
            Self::Relay
            | Self::TcpOnly
            | Self::Interrupted
            | Self::NeverConnected
            | Self::MicrophoneDevice
            | Self::CameraDevice
            | Self::NetworkChanged
            | Self::BrowserAsleep
            | Self::LeftAbruptly => 1,
        }
    }

    /// Returns the bit of the cause in a set.
    pub(super) const fn bit(self) -> u32 {
        1 << self as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_its_own_code_and_bit() {
        let mut seen = 0;
        for cause in Cause::ALL {
            assert_eq!(Cause::from_code(cause.code()), Some(cause));
            let json = serde_json::to_value(cause).unwrap();
            assert_eq!(json, cause.code());
            assert_eq!(seen & cause.bit(), 0, "{cause:?}");
            seen |= cause.bit();
            assert!(!cause.text().is_empty());
        }
        assert_eq!(Cause::from_code("weather"), None);
    }
}
