//! How long a media packet may wait for others to the same destination. Waiting buys long runs and
//! costs latency, so a worker that forwards little does not wait at all, and neither does a
//! destination where waiting has brought nothing.
//!
//! Figures behind the numbers: `docs/decisions/0008-egress-window.md`.

use std::time::Duration;

use watersmeet_wire::units::Time;

/// The longest wait that can be asked for.
pub const WINDOW_MAX: Duration = Duration::from_millis(2);

/// Shorter waits are none: the timer that ends them is 50 µs late itself.
const WINDOW_MIN_MICROS: u64 = 250;

/// Packets a second that leave without a wait.
const IDLE_RATE: u64 = 5_000;

/// Packets a second from which on the wait is `BUSY_MICROS`.
const BUSY_RATE: u64 = 40_000;

/// The longest wait that load alone asks for: what is added to a packet's way stays below 2 ms, the
/// turn of the loop included.
const BUSY_MICROS: u64 = 1_000;

/// How long packets are counted to know their rate.
const MEASURED_FOR: Duration = Duration::from_millis(100);

/// The most waits in a row that may bring nothing before a destination waits no more.
const PATIENCE_MAX: u8 = 16;

/// Patience of a destination that was sent nothing yet.
const PATIENCE: u8 = 8;

/// Patience that a wait with company brings; one without takes 1. So waiting goes on where more
/// than every fourth wait brings a longer run.
const REWARD: u8 = 3;

/// Packets that leave at once before a destination without patience waits once more.
const REST: u8 = 64;

/// How long packets wait for others.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum EgressWindow {
    /// As the load asks for.
    #[default]
    Auto,
    /// Always this long, at most [`WINDOW_MAX`]; zero is not at all.
    Fixed(Duration),
}

/// How packets are gathered before they leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EgressOptions {
    /// How long they wait for others.
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

/// The wait of a worker.
#[derive(Debug)]
pub struct Window {
    /// What was asked for.
    options: EgressOptions,
    /// Since when packets are counted.
    since: Time,
    /// Packets since then.
    packets: u64,
    /// The wait.
    length: Duration,
    /// Whether so much is sent that a packet's cost matters.
    is_loaded: bool,
}

impl Window {
    /// The wait of a worker that has sent nothing.
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
    pub fn note_packet(&mut self, now: Time) {
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

    /// How long a packet may wait now.
    pub const fn length(&self) -> Duration {
        self.length
    }

    /// The most bytes of padding for one packet now. Padding costs no time, so it is worth its bytes
    /// also where nobody waits, if only there is load.
    pub const fn padding_max(&self) -> u8 {
        if self.is_loaded || !self.length.is_zero() {
            return self.options.padding_max;
        }
        0
    }

    /// Whether destinations may do without.
    const fn is_adaptive(&self) -> bool {
        matches!(self.options.window, EgressWindow::Auto)
    }
}

/// The wait at a rate of packets per second.
fn length_at(rate: u64) -> Duration {
    let above = rate.min(BUSY_RATE).saturating_sub(IDLE_RATE);
    let micros = above * BUSY_MICROS / (BUSY_RATE - IDLE_RATE);
    if micros < WINDOW_MIN_MICROS {
        return Duration::ZERO;
    }
    Duration::from_micros(micros)
}

/// One destination's wait: when it ends, and whether it is worth beginning.
#[derive(Debug)]
pub struct Wait {
    /// When the first waiting packet came, and when it leaves.
    first: Option<(Time, Time)>,
    /// Whether another packet came later.
    joined: bool,
    /// Waits that may still bring nothing.
    patience: u8,
    /// Packets to send at once before the next wait.
    rest: u8,
}

impl Default for Wait {
    fn default() -> Self {
        Self {
            first: None,
            joined: false,
            patience: PATIENCE,
            rest: 0,
        }
    }
}

/// When a packet leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// At once.
    Now,
    /// At this moment: a wait begins with it.
    At(Time),
    /// With those that wait already.
    Joined,
}

impl Wait {
    /// Takes a packet.
    pub fn begin(&mut self, now: Time, window: &Window) -> Leaving {
        if let Some((since, _)) = self.first {
            self.joined |= now > since;
            return Leaving::Joined;
        }
        let length = window.length();
        if length.is_zero() {
            return Leaving::Now;
        }
        if window.is_adaptive() && self.rest > 0 {
            self.rest -= 1;
            return Leaving::Now;
        }
        let due = now + length;
        self.first = Some((now, due));
        self.joined = false;
        Leaving::At(due)
    }

    /// Whether the wait that ends at `due` is still on.
    pub fn is_due(&self, due: Time) -> bool {
        self.first.is_some_and(|(_, at)| at == due)
    }

    /// Ends the wait, and says how long it was. What it brought decides about the next.
    pub fn end(&mut self, now: Time) -> Duration {
        let Some((since, _)) = self.first.take() else {
            return Duration::ZERO;
        };
        if self.joined {
            self.patience = (self.patience + REWARD).min(PATIENCE_MAX);
        } else {
            self.patience = self.patience.saturating_sub(1);
        }
        if self.patience == 0 {
            self.rest = REST;
            // One more wait without company, and it rests again.
            self.patience = 1;
        }
        now.since(since)
    }
}

#[cfg(test)]
mod tests;
