//! Demand for the layers of a producer: the highest layer that a receiver wants, and the bitrates that the
//! receivers' paths carry. Its publisher stops encodings above that layer, and adapts the bitrates.
//!
//! More is reported at once, less only when it has lasted: a layer costs a keyframe each time it returns.

use std::time::Duration;

use watersmeet_wire::units::{Bitrate, Time};

/// Time for which a layer is wanted by nobody before its publisher is told.
const UNUSED_FOR: Duration = Duration::from_secs(4);

/// Time after its beginning in which a publisher sends everything: it finds out what its path carries, so
/// that the first receiver is soon sent the best layer.
const BEGINNING: Duration = Duration::from_secs(10);

/// Time within which a publisher that is told of a wanted layer sends it.
const STARTS_WITHIN: Duration = Duration::from_secs(2);

/// Change of a bitrate that is reported, in percent, and shortest time until a higher one is.
const CHANGE_PERCENT: u64 = 6;
const RAISE_SPACING: Duration = Duration::from_secs(1);

/// Share of what a receiver can be sent that the encoder is told, in percent.
const USED_PERCENT: u64 = 95;

/// Bitrate from which none is reported: no encoder needs more.
const BITRATE_MAX: Bitrate = Bitrate::from_kbps(8_000);

/// Layers and bitrates of a producer that its receivers want, as its publisher is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Highest layer that is wanted; `None` when nobody receives the producer.
    pub layer: Option<u8>,
    /// Bitrate of the lowest layer that the path of each of its receivers carries; `None` where that is
    /// clearly more than it has, or than a shared screen needs.
    pub lowest: Option<Bitrate>,
    /// Bitrate of the highest wanted layer that the path of each of its receivers carries; `None` unless
    /// the path of one of them does not carry the next better layer.
    pub highest: Option<Bitrate>,
}

/// Layer and bitrates that one receiver wants, or all receivers on one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// Highest layer it wants and may be sent; `None` while it wants nothing.
    pub layer: Option<u8>,
    /// Bitrate it can be sent of the lowest layer.
    pub lowest: Bitrate,
    /// Bitrate it can be sent of that layer.
    pub highest: Bitrate,
    /// Whether it would want a better layer.
    pub is_limited: bool,
}

impl Want {
    /// Nothing is wanted.
    pub const NOTHING: Self = Self {
        layer: None,
        lowest: BITRATE_MAX,
        highest: BITRATE_MAX,
        is_limited: false,
    };

    /// Returns what both want.
    pub fn and(self, other: Self) -> Self {
        let lowest = self.lowest.min(other.lowest);
        let (better, rest) = if self.layer >= other.layer {
            (self, other)
        } else {
            (other, self)
        };
        if better.layer != rest.layer {
            return Self { lowest, ..better };
        }
        Self {
            layer: better.layer,
            lowest,
            highest: better.highest.min(rest.highest),
            is_limited: better.is_limited || rest.is_limited,
        }
    }

    /// Returns what to tell the publisher.
    fn demand(self) -> Demand {
        let told = |bitrate: Bitrate| {
            let told = Bitrate::from_bps(bitrate.as_bps() * USED_PERCENT / 100);
            (bitrate < BITRATE_MAX && self.layer.is_some()).then_some(told)
        };
        Demand {
            layer: self.layer,
            lowest: told(self.lowest),
            highest: told(self.highest).filter(|_| self.is_limited),
        }
    }
}

/// Reports of demand to the publisher of a producer: the latest one, and when the next is due.
#[derive(Debug)]
pub struct DemandReports {
    told: Demand,
    /// Time since which less than `told.layer` is wanted.
    less_since: Option<Time>,
    /// Time of the latest report.
    told_at: Time,
    /// Time at which `told.layer` last rose.
    raised_at: Time,
    /// Time until which less is not reported; `None` before the first comparison.
    begins_until: Option<Time>,
}

impl DemandReports {
    /// Creates the reports of a producer of which all `layers` are wanted until it is known better.
    pub fn new(layers: u8) -> Self {
        Self {
            told: Demand {
                layer: layers.checked_sub(1),
                lowest: None,
                highest: None,
            },
            less_since: None,
            told_at: Time::ZERO,
            raised_at: Time::ZERO,
            begins_until: None,
        }
    }

    /// Returns what the publisher was told last.
    pub const fn told(&self) -> Demand {
        self.told
    }

    /// Returns whether a layer that is not sent would be, as far as is known: its publisher was told that
    /// nobody wants it, or has only just been told that somebody does.
    pub fn would_start(&self, now: Time, layer: u8) -> bool {
        let is_wanted = self.told.layer >= Some(layer);
        !is_wanted || now.since(self.raised_at) < STARTS_WITHIN
    }

    /// Compares with what is wanted now. Returns what to tell the publisher, if that has changed.
    pub fn update(&mut self, now: Time, want: Want) -> Option<Demand> {
        let begins_until = *self.begins_until.get_or_insert(now + BEGINNING);
        let mut wanted = want.demand();
        if wanted.layer < self.told.layer {
            let since = *self.less_since.get_or_insert(now);
            if now.since(since) < UNUSED_FOR || now < begins_until {
                // The bitrates are those of another layer.
                wanted.layer = self.told.layer;
                wanted.highest = None;
            }
        } else {
            self.less_since = None;
        }
        if !self.is_worth_telling(now, wanted) {
            return None;
        }
        if wanted.layer > self.told.layer {
            self.raised_at = now;
        }
        self.less_since = None;
        self.told_at = now;
        self.told = wanted;
        Some(wanted)
    }

    /// Records what another shard, from which the producer is piped, was told.
    pub fn record(&mut self, now: Time, want: Want) {
        if want.layer > self.told.layer {
            self.raised_at = now;
        }
        self.told = want.demand();
    }

    fn is_worth_telling(&self, now: Time, wanted: Demand) -> bool {
        if wanted.layer != self.told.layer {
            return true;
        }
        let may_raise = now.since(self.told_at) >= RAISE_SPACING;
        // Without a bitrate the encoder uses its own: at most the lowest, at least the highest.
        let lowest = (self.told.lowest, wanted.lowest, u64::MAX);
        let highest = (self.told.highest, wanted.highest, 0);
        [lowest, highest].into_iter().any(|(told, wanted, none)| {
            let bps = |bitrate: Option<Bitrate>| bitrate.map_or(none, Bitrate::as_bps);
            let (told, wanted) = (bps(told), bps(wanted));
            let step = told / 100 * CHANGE_PERCENT;
            told - step > wanted || (may_raise && wanted > told.saturating_add(step))
        })
    }
}
