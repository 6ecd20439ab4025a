//! The window: how long the loop waits under load before it reads its sockets again. Packets that
//! arrive meanwhile are handled in one iteration, so that those to one destination are sent in longer
//! runs and share the cost of an iteration. That adds latency, so a worker with little load does not
//! wait.
//!
//! Measurements: `docs/decisions/0008-coalescing-window.md`.

use std::time::Duration;

use watersmeet_wire::units::Time;

/// Upper bound of the window: a delay of 2 ms is not perceptible.
pub const WINDOW_MAX: Duration = Duration::from_millis(2);

/// Minimum window; shorter ones become zero, because the timer that ends them is 50 µs late itself.
const WINDOW_MIN: Duration = Duration::from_micros(250);

/// Packets per second up to which there is no window.
const IDLE_RATE: u64 = 5_000;

/// Packets per second above the idle rate per microsecond of the window: 72,000, a meeting of 20, make
/// a window of 1.2 ms, and 115,000 the longest.
const RATE_PER_MICRO: u64 = 55;

/// Interval over which the packet rate is measured.
const MEASURING_INTERVAL: Duration = Duration::from_millis(100);

/// Length of the window.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum EgressWindow {
    /// Depends on the load.
    #[default]
    Auto,
    /// Always this long, at most [`WINDOW_MAX`]; zero disables the window.
    Fixed(Duration),
}

/// Options for collecting packets before they are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EgressOptions {
    /// Length of the window.
    pub window: EgressWindow,
    /// Upper bound of the padding of one packet under load, in bytes; zero disables padding.
    pub padding_max: u8,
}

impl Default for EgressOptions {
    fn default() -> Self {
        Self {
            window: EgressWindow::Auto,
            padding_max: 32,
        }
    }
}

/// Window of a worker.
#[derive(Debug)]
pub struct Window {
    /// Configuration.
    options: EgressOptions,
    /// Start of the current measurement.
    since: Time,
    /// Packets since then.
    packets: u64,
    /// Current length.
    length: Duration,
    /// Whether the packet rate is above the idle rate.
    is_loaded: bool,
}

impl Window {
    /// Creates the window of a worker that has sent nothing.
    pub fn new(options: EgressOptions) -> Self {
        let length = match options.window {
            EgressWindow::Auto => Duration::ZERO,
            EgressWindow::Fixed(length) => length.min(WINDOW_MAX),
        };
        Self {
            options,
            since: Time::ZERO,
            packets: 0,
            length,
            is_loaded: false,
        }
    }

    /// Counts a packet that is queued.
    #[inline]
    pub fn record_packet(&mut self, now: Time) {
        let elapsed = now.since(self.since);
        if elapsed >= MEASURING_INTERVAL {
            self.measure(now, elapsed);
        }
        self.packets += 1;
    }

    /// Ends the current measurement and starts the next.
    fn measure(&mut self, now: Time, elapsed: Duration) {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let rate = self.packets.saturating_mul(1_000_000) / micros.max(1);
        self.is_loaded = rate > IDLE_RATE;
        if self.options.window == EgressWindow::Auto {
            self.length = length_at(rate);
        }
        self.since = now;
        self.packets = 0;
    }

    /// Returns its current length.
    pub const fn length(&self) -> Duration {
        self.length
    }

    /// Returns the upper bound of the padding of one packet now, in bytes. Padding takes no time, so it
    /// is used under load even without a window.
    pub const fn padding_max(&self) -> u8 {
        if self.is_loaded || !self.length.is_zero() {
            return self.options.padding_max;
        }
        0
    }
}

/// Returns the window at a rate of packets per second.
fn length_at(rate: u64) -> Duration {
    let micros = rate.saturating_sub(IDLE_RATE) / RATE_PER_MICRO;
    let length = Duration::from_micros(micros).min(WINDOW_MAX);
    if length < WINDOW_MIN {
        return Duration::ZERO;
    }
    length
}

#[cfg(test)]
mod tests;
