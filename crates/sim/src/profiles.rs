//! The links that calls are judged on, best first: one-way delay and jitter, loss, rate. Both
//! directions are alike unless it is said otherwise.

use std::time::Duration;

use watersmeet_wire::units::Bitrate;

use crate::network::{LinkProfile, Loss};

/// A link with its two directions, as the person at its end sees them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Access {
    /// From the person to the server.
    pub up: LinkProfile,
    /// From the server to the person.
    pub down: LinkProfile,
}

impl Access {
    /// The same both ways.
    pub const fn both(profile: LinkProfile) -> Self {
        Self {
            up: profile,
            down: profile,
        }
    }

    /// The way there and back without jitter.
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

const fn bursts(good: f64, bad: f64) -> Loss {
    Loss::Bursts { good, bad }
}

/// Something that does nothing but take 1 ms: for scenarios that are not about links.
pub const fn ideal() -> Access {
    Access::both(LinkProfile::clean(ms(1)))
}

/// P0: a cable. 5 ± 1 ms.
pub const fn cable() -> Access {
    Access::both(link(5, 1, Loss::None))
}

/// P1: good wireless. 8 to 13 ms, 1 % lost in pairs, a little overtaking and doubling.
pub const fn wifi() -> Access {
    let jitter = Duration::from_micros(2_500);
    let delay = Duration::from_micros(10_500);
    let link = link(0, 0, bursts(200.0, 2.0));
    Access::both(LinkProfile {
        delay,
        jitter,
        reorder: 0.005,
        duplicate: 0.000_5,
        ..link
    })
}

/// P2: bad wireless. 15 ± 10 ms, 5 % lost in pairs, 50 Mbit/s.
pub const fn wifi_lossy() -> Access {
    let rate = Some(Bitrate::from_kbps(50_000));
    Access::both(LinkProfile {
        rate,
        ..link(15, 10, bursts(40.0, 2.0))
    })
}

/// P3: a mobile network. 50 ± 15 ms, 2 % lost in pairs, 30 Mbit/s.
pub const fn cellular() -> Access {
    let rate = Some(Bitrate::from_kbps(30_000));
    Access::both(LinkProfile {
        rate,
        ..link(50, 15, bursts(100.0, 2.0))
    })
}

/// P4: a congested network. 80 ± 40 ms, 10 % lost in pairs, 10 Mbit/s.
pub const fn congested() -> Access {
    let rate = Some(Bitrate::from_kbps(10_000));
    Access::both(LinkProfile {
        rate,
        ..link(80, 40, bursts(20.0, 2.0))
    })
}

/// P5: 50 ms, every fifth packet lost.
pub const fn fifth_lost() -> Access {
    Access::both(link(50, 0, Loss::Random(0.2)))
}

/// P6: 50 ms, three packets in ten lost.
pub const fn third_lost() -> Access {
    Access::both(link(50, 0, Loss::Random(0.3)))
}

/// P7: a satellite. 300 ± 15 ms, 3 % lost in pairs, 15 Mbit/s.
pub const fn satellite() -> Access {
    let rate = Some(Bitrate::from_kbps(15_000));
    Access::both(LinkProfile {
        rate,
        ..link(300, 15, bursts(65.0, 2.0))
    })
}

/// P8: 30 ± 30 ms, 5 % overtaken, 1 % doubled, nothing lost.
pub const fn shuffled() -> Access {
    Access::both(LinkProfile {
        reorder: 0.05,
        duplicate: 0.01,
        ..link(30, 30, Loss::None)
    })
}

/// P9: 50 ms, and three in ten of the packets towards the server lost: feedback, to a viewer.
pub const fn feedback_lost() -> Access {
    Access {
        up: link(50, 0, Loss::Random(0.3)),
        down: link(50, 0, Loss::None),
    }
}

/// P10 is P0 with an outage, which the scenario makes.
///
/// P11: 120 kbit/s, less than any video.
pub const fn starved() -> Access {
    let rate = Some(Bitrate::from_kbps(120));
    Access {
        up: link(20, 0, Loss::None),
        down: LinkProfile {
            rate,
            ..link(20, 0, Loss::None)
        },
    }
}
