//! Redundant audio (RFC 2198): which earlier payloads a packet carries besides its own, and how many of
//! them the losses of a receiver call for. Pure values; who may spend how much on them is decided
//! elsewhere.

use std::time::Duration;

use watersmeet_wire::codec::red::REDUNDANT_WRITTEN_MAX;
use watersmeet_wire::units::Time;

/// Upper bound of the distance: number of packets before the present one whose payloads it repeats.
pub const DISTANCE_MAX: u8 = 3;

const _: () = assert!(DISTANCE_MAX as usize == REDUNDANT_WRITTEN_MAX);

/// Loss from which on a packet repeats one, two or three earlier payloads, in thousandths. With random
/// loss, one brings 5 % down to 0.25 %, two 12 % to 0.2 %, three 20 % to 0.16 %.
const RAISED_FROM: [u32; DISTANCE_MAX as usize] = [15, 50, 120];

/// Loss below which one, two or three are more than is needed, in thousandths.
const LOWERED_BELOW: [u32; DISTANCE_MAX as usize] = [10, 35, 90];

/// Time for which fewer must suffice before there are fewer.
const LOWERED_AFTER: Duration = Duration::from_secs(10);

/// Number of packets whose loss counts as much as all before: one lost of fifty is no evidence yet.
const SMOOTHED_OVER: u64 = 100;

/// Bit of the redundancy that the publisher added itself.
const OF_PUBLISHER: u8 = 0x80;

/// Earlier payloads that an audio packet repeats (RFC 2198): a set of distances in packets, or those that the
/// publisher itself has put into the packet.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Redundancy(u8);

impl Redundancy {
    /// Nothing: the packet is sent as plain Opus.
    pub const NONE: Self = Self(0);

    /// The payloads that the publisher itself has put into the packet.
    pub const OF_PUBLISHER: Self = Self(OF_PUBLISHER);

    /// Adds the payload of the packet that is `distance` before.
    pub fn insert(&mut self, distance: u8) {
        debug_assert!((1..=DISTANCE_MAX).contains(&distance));
        self.0 |= 1 << (distance - 1);
    }

    /// Returns whether there is none.
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Returns whether it is what the publisher has added.
    pub const fn is_of_publisher(self) -> bool {
        self.0 & OF_PUBLISHER != 0
    }

    /// Returns the distances of the earlier payloads, smallest first.
    pub fn distances(self) -> impl Iterator<Item = u8> {
        (1..=DISTANCE_MAX).filter(move |distance| self.0 & 1 << (distance - 1) != 0)
    }

    /// Returns the earlier payloads up to a distance. What the publisher has added is not limited.
    pub const fn up_to(self, distance: u8) -> Self {
        let kept = match distance {
            0 => 0,
            1 => 0b001,
            2 => 0b011,
            _ => 0b111,
        };
        Self(self.0 & (kept | OF_PUBLISHER))
    }
}

/// What a receiver was sent so far.
#[derive(Debug, Default, Clone, Copy)]
pub struct SentSoFar {
    /// Number of packets, without retransmissions.
    pub packets: u64,
    /// Highest sequence number. Numbers of packets that were lost on their way to us are not sent, and the
    /// receiver reports them lost.
    pub highest: u64,
}

/// Chooses the distance by the losses of a receiver: rises at once, and falls when fewer earlier payloads
/// have sufficed for some time.
#[derive(Debug, Default)]
pub struct DistanceControl {
    /// What was sent until the latest report.
    sent: SentSoFar,
    /// Packets that the receiver has requested since.
    requested: u32,
    /// Smoothed loss, in thousandths.
    loss_permille: u32,
    /// Chosen distance.
    distance: u8,
    /// Time since when a smaller one would do.
    excessive_since: Option<Time>,
}

impl DistanceControl {
    /// Creates the control of a receiver that was sent nothing; `highest` is the number before that of its first
    /// packet.
    pub fn new(highest: u64) -> Self {
        let sent = SentSoFar {
            packets: 0,
            highest,
        };
        Self {
            sent,
            ..Self::default()
        }
    }

    /// Returns the chosen distance.
    pub const fn distance(&self) -> u8 {
        self.distance
    }

    /// Records that the receiver has requested a packet for the first time. Its repetition hides the loss
    /// from reports.
    pub fn record_request(&mut self) {
        self.requested = self.requested.saturating_add(1);
    }

    /// Records a reception report: fraction lost in 256ths, and what was sent so far.
    pub fn record_report(&mut self, now: Time, fraction_lost: u8, so_far: SentSoFar) {
        let former = std::mem::replace(&mut self.sent, so_far);
        let requested = u64::from(std::mem::take(&mut self.requested));
        let sent = so_far.packets.saturating_sub(former.packets);
        if sent == 0 {
            // Silence.
            return;
        }
        let numbers = so_far.highest.saturating_sub(former.highest);
        let never_sent = numbers.saturating_sub(sent);
        // Thousandths of packets.
        let reported = numbers * 1_000 * u64::from(fraction_lost) / 256;
        let lost = reported.saturating_sub(never_sent * 1_000) + requested * 1_000;
        let loss = (lost / sent).min(1_000);
        let former = u64::from(self.loss_permille);
        let smoothed = (former * SMOOTHED_OVER + loss * sent) / (SMOOTHED_OVER + sent);
        self.loss_permille = u32::try_from(smoothed).unwrap_or(1_000);
        let wanted = distance_for(self.loss_permille, self.distance);
        if wanted < self.distance {
            let since = *self.excessive_since.get_or_insert(now);
            if now.since(since) < LOWERED_AFTER {
                return;
            }
        }
        self.distance = wanted;
        self.excessive_since = None;
    }
}

/// Returns the distance for a loss in thousandths, with the hysteresis of a present one.
fn distance_for(loss_permille: u32, present: u8) -> u8 {
    let thresholds = RAISED_FROM.into_iter().zip(LOWERED_BELOW).zip(1..);
    let needed = thresholds.filter(|((raised_from, lowered_below), distance)| {
        let threshold = if *distance > present {
            raised_from
        } else {
            lowered_below
        };
        loss_permille >= *threshold
    });
    needed.map(|(_, distance)| distance).max().unwrap_or(0)
}

#[cfg(test)]
mod tests;
