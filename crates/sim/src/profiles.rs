//! Link profiles P0 to P11: one-way delay and jitter, loss and bitrate. Both directions are equal
//! unless stated otherwise.

use std::time::Duration;

use watersmeet_wire::units::Bitrate;

use crate::network::{LinkProfile, Loss};

/// Access link of a participant, with its two directions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AccessLink {
    /// Link from the participant to the server.
    pub up: LinkProfile,
    /// Link from the server to the participant.
    pub down: LinkProfile,
}

impl AccessLink {
    /// Returns a link with the same profile in both directions.
    pub const fn both(profile: LinkProfile) -> Self {
        Self {
            up: profile,
            down: profile,
        }
    }

    /// Returns the round-trip time without jitter.
    pub fn round_trip(&self) -> Duration {
        self.up.delay + self.down.delay
    }
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn link(delay: u64, jitter: u64, loss: Loss) -> LinkProfile {
    LinkProfile {
        jitter: ms(jitter),
        loss,
        ..LinkProfile::clean(ms(delay))
    }
}

const fn bursts(mean_received: f64, mean_lost: f64) -> Loss {
    Loss::Bursts {
        mean_received,
        mean_lost,
    }
}

/// Ideal link: 1 ms, for scenarios that are not about links.
pub const fn ideal() -> AccessLink {
    AccessLink::both(LinkProfile::clean(ms(1)))
}

/// P0: cable. 5 ± 1 ms.
pub const fn cable() -> AccessLink {
    AccessLink::both(link(5, 1, Loss::None))
}

/// P1: good wireless. 8 to 13 ms, 1 % lost in pairs, 0.5 % reordered, 0.05 % duplicated.
pub const fn wifi() -> AccessLink {
    let jitter = Duration::from_micros(2_500);
    let delay = Duration::from_micros(10_500);
    let link = link(0, 0, bursts(200.0, 2.0));
    AccessLink::both(LinkProfile {
        delay,
        jitter,
        reorder: 0.005,
        duplicate: 0.000_5,
        ..link
    })
}

/// P2: bad wireless. 15 ± 10 ms, 5 % lost in pairs, 50 Mbit/s.
pub const fn wifi_lossy() -> AccessLink {
    let rate = Some(Bitrate::from_kbps(50_000));
    AccessLink::both(LinkProfile {
        rate,
        ..link(15, 10, bursts(40.0, 2.0))
    })
}

/// P3: mobile network. 50 ± 15 ms, 2 % lost in pairs, 30 Mbit/s.
pub const fn cellular() -> AccessLink {
    let rate = Some(Bitrate::from_kbps(30_000));
    AccessLink::both(LinkProfile {
        rate,
        ..link(50, 15, bursts(100.0, 2.0))
    })
}

/// P4: congested network. 80 ± 40 ms, 10 % lost in pairs, 10 Mbit/s.
pub const fn congested() -> AccessLink {
    let rate = Some(Bitrate::from_kbps(10_000));
    AccessLink::both(LinkProfile {
        rate,
        ..link(80, 40, bursts(20.0, 2.0))
    })
}

/// P5: 50 ms, 20 % lost.
pub const fn loss_20_percent() -> AccessLink {
    AccessLink::both(link(50, 0, Loss::Random(0.2)))
}

/// P6: 50 ms, 30 % lost.
pub const fn loss_30_percent() -> AccessLink {
    AccessLink::both(link(50, 0, Loss::Random(0.3)))
}

/// P7: satellite. 300 ± 15 ms, 3 % lost in pairs, 15 Mbit/s.
pub const fn satellite() -> AccessLink {
    let rate = Some(Bitrate::from_kbps(15_000));
    AccessLink::both(LinkProfile {
        rate,
        ..link(300, 15, bursts(65.0, 2.0))
    })
}

/// P8: 30 ± 30 ms, 5 % reordered, 1 % duplicated, no loss.
pub const fn reordering() -> AccessLink {
    AccessLink::both(LinkProfile {
        reorder: 0.05,
        duplicate: 0.01,
        ..link(30, 30, Loss::None)
    })
}

/// P9: 50 ms, 30 % of the packets to the server lost; for a viewer these are feedback.
pub const fn lossy_uplink() -> AccessLink {
    AccessLink {
        up: link(50, 0, Loss::Random(0.3)),
        down: link(50, 0, Loss::None),
    }
}

/// P11: 120 kbit/s downlink, below the bitrate of any video. (P10 is P0 with an outage, which the
/// scenario causes.)
pub const fn low_bandwidth() -> AccessLink {
    let rate = Some(Bitrate::from_kbps(120));
    AccessLink {
        up: link(20, 0, Loss::None),
        down: LinkProfile {
            rate,
            ..link(20, 0, Loss::None)
        },
    }
}
