//! Loudness of the noise of a speaker: the quietest packet of the last five to ten seconds. Speech has
//! pauses within that time, so it does not raise the floor; a fan does.

use std::time::Duration;

use watersmeet_wire::units::Time;

/// Time over which the quietest packet is searched.
const PERIOD: Duration = Duration::from_secs(5);

/// Upper bound of the floor, in dB above silence: what is louder than −45 dBov is speech even when it
/// never pauses.
const FLOOR_MAX: u8 = 82;

/// Quietest packets of the current period and the one before it.
#[derive(Debug, Clone)]
pub struct NoiseFloor {
    period_start: Time,
    current: u8,
    previous: u8,
}

impl NoiseFloor {
    /// Starts with no noise.
    pub const fn new(now: Time) -> Self {
        Self {
            period_start: now,
            current: u8::MAX,
            previous: 0,
        }
    }

    /// Records the loudness of a packet, in dB above silence.
    pub fn observe(&mut self, now: Time, loudness: u8) {
        if now.since(self.period_start) >= PERIOD {
            self.period_start = now;
            self.previous = self.current;
            self.current = u8::MAX;
        }
        self.current = self.current.min(loudness);
    }

    /// Returns the loudness of the noise, in dB above silence.
    pub fn loudness(&self) -> u8 {
        self.current.min(self.previous).min(FLOOR_MAX)
    }
}
