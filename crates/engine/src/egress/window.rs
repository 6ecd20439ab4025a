//! The window: how far apart the loop looks at its sockets under load. What arrives meanwhile is taken
//! in one turn, so that packets to one destination meet and leave in long runs, and the price of a
//! turn is shared. That costs latency, so a worker that forwards little looks at once.
//!
//! WorkerMetrics behind the numbers: `docs/decisions/0008-coalescing-window.md`.

use std::time::Duration;

use watersmeet_wire::units::Time;

/// The longest window, whatever is asked for: nobody hears or sees 2 ms.
pub const WINDOW_MAX: Duration = Duration::from_millis(2);

/// Shorter windows are none: the timer that ends them is 50 µs late itself.
const WINDOW_MIN: Duration = Duration::from_micros(250);

/// Packets a second that are forwarded without a window.
const IDLE_RATE: u64 = 5_000;

/// Packets a second above the idle rate for each microsecond of the window: 72,000, a meeting of 20,
/// make a window of 1.2 ms, and 115,000 the longest.
const RATE_PER_MICRO: u64 = 55;

/// How long packets are counted to know their rate.
const MEASURED_FOR: Duration = Duration::from_millis(100);

/// How long the window is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum EgressWindow {
    /// As the load asks for.
    #[default]
    Auto,
    /// Always so long, at most [`WINDOW_MAX`]; zero is none.
    Fixed(Duration),
}

/// How packets are gathered before they leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EgressOptions {
    /// How far apart the loop looks for them.
    pub window: EgressWindow,
    /// The most bytes of padding for one packet, under load; zero for none.
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

/// The window of a worker.
#[derive(Debug)]
pub struct Window {
    /// What was asked for.
    options: EgressOptions,
    /// Since when packets are counted.
    since: Time,
    /// Packets since then.
    packets: u64,
    /// How long it is.
    length: Duration,
    /// Whether so much is sent that a packet's cost matters.
    is_loaded: bool,
}

impl Window {
    /// The window of a worker that has sent nothing.
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

    /// Counts a packet that is to leave.
    #[inline]
    pub fn record_packet(&mut self, now: Time) {
        let elapsed = now.since(self.since);
        if elapsed >= MEASURED_FOR {
            self.measure(now, elapsed);
        }
        self.packets += 1;
    }

    /// Ends one measurement and begins the next.
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

    /// How long it is now.
    pub const fn length(&self) -> Duration {
        self.length
    }

    /// The most bytes of padding for one packet now. Padding costs no time, so it is worth its bytes
    /// also without a window, if only there is load.
    pub const fn padding_max(&self) -> u8 {
        if self.is_loaded || !self.length.is_zero() {
            return self.options.padding_max;
        }
        0
    }
}

/// The window at a rate of packets per second.
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
