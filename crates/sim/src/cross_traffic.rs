//! Model of TCP flows that compete with media at a bottleneck: slow start, CUBIC (RFC 9438), fast
//! recovery and time-outs. Segments have no contents; every one is acknowledged by its number.

use std::time::Duration;

use watersmeet_peer::random;
use watersmeet_wire::units::{Map, Rng, Time};

/// Length of a full segment with TCP header, without IP header, in bytes.
pub const SEGMENT_LEN: usize = 1_472;

/// Largest congestion window, in segments.
pub const WINDOW_MAX: f64 = 4_096.0;

/// First congestion window, in segments (RFC 6928).
const WINDOW_INITIAL: f64 = 10.0;

/// Segments acknowledged after a missing one until it counts as lost (RFC 5681 §3.2).
const DUPLICATES: u64 = 3;

/// Shortest retransmission time-out (RFC 6298 §2.4).
const TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// Factor of the window on loss, and growth in segments per cubic second (RFC 9438 §4.1, §4.6).
const BETA: f64 = 0.7;
const GROWTH: f64 = 0.4;

/// Sizes of short transfers, in segments: 100 kB to 1 MB.
const FILE_SEGMENTS_MIN: u64 = 70;
const FILE_SEGMENTS_SPAN: u64 = 630;

/// What a flow transfers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfers {
    /// One transfer without an end.
    Endless,
    /// Files of 100 kB to 1 MB, as when somebody reads web pages.
    Files {
        /// Mean pause between two files.
        pause: Duration,
    },
}

/// Sender of one TCP flow.
#[derive(Debug)]
pub struct TcpFlow {
    /// What it transfers.
    transfers: Transfers,
    /// Random generator.
    rng: Rng,
    /// Segments of the transfer that are not sent yet, or lost.
    unsent: u64,
    /// Start of the next transfer.
    starts_at: Time,
    /// Congestion window, in segments.
    window: f64,
    /// Window above which slow start ends.
    slow_start_threshold: f64,
    /// Window at the last loss.
    window_before_loss: f64,
    /// Start of the current growth after a loss.
    epoch: Option<Time>,
    /// Sending times of the segments in flight, by number.
    in_flight: Map<u64, Time>,
    /// Number of the next segment; a segment sent again gets a new one.
    next: u64,
    /// Losses of segments before this number have reduced the window already.
    recovery_end: u64,
    /// Smoothed round-trip time.
    round_trip: Duration,
    /// Time at which all segments in flight count as lost.
    timeout_at: Time,
    /// Number of acknowledged segments.
    pub delivered: u64,
}

impl TcpFlow {
    /// Creates a flow whose first transfer starts at `start`.
    pub const fn new(transfers: Transfers, start: Time, rng: Rng) -> Self {
        Self {
            transfers,
            rng,
            unsent: 0,
            starts_at: start,
            window: WINDOW_INITIAL,
            slow_start_threshold: WINDOW_MAX,
            window_before_loss: WINDOW_INITIAL,
            epoch: None,
            in_flight: Map::new(),
            next: 0,
            recovery_end: 0,
            round_trip: Duration::from_millis(100),
            timeout_at: Time::FAR_FUTURE,
            delivered: 0,
        }
    }

    /// Returns when `handle_timeout` must be called next.
    pub fn poll_timeout(&self) -> Time {
        if self.is_idle() {
            self.starts_at
        } else {
            self.timeout_at
        }
    }

    /// Starts a due transfer, and sends again what was not acknowledged in time.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.is_idle() && now >= self.starts_at {
            (self.window, self.slow_start_threshold) = (WINDOW_INITIAL, WINDOW_MAX);
            self.epoch = None;
            self.unsent = match self.transfers {
                Transfers::Endless => u64::MAX,
                Transfers::Files { .. } => {
                    FILE_SEGMENTS_MIN + random::below(&mut self.rng, FILE_SEGMENTS_SPAN)
                }
            };
        } else if now >= self.timeout_at {
            self.unsent = self.unsent.saturating_add(self.in_flight.len() as u64);
            self.in_flight.clear();
            self.reduce_window();
            self.window = 1.0;
            self.timeout_at = Time::FAR_FUTURE;
        }
    }

    /// Returns the number of the next segment to send now.
    pub fn poll_segment(&mut self, now: Time) -> Option<u64> {
        if self.unsent == 0 || self.in_flight.len() as f64 + 1.0 > self.window {
            return None;
        }
        self.unsent = match self.transfers {
            Transfers::Endless => u64::MAX,
            Transfers::Files { .. } => self.unsent - 1,
        };
        let number = self.next;
        self.next += 1;
        self.in_flight.insert(number, now);
        if self.timeout_at == Time::FAR_FUTURE {
            self.timeout_at = now + self.retransmission_timeout();
        }
        Some(number)
    }

    /// Handles the acknowledgement of a segment.
    pub fn handle_ack(&mut self, now: Time, number: u64) {
        let Some(sent) = self.in_flight.remove(&number) else {
            return;
        };
        self.delivered += 1;
        self.round_trip = (self.round_trip * 7 + now.since(sent)) / 8;
        let later = self
            .in_flight
            .split_off(&number.saturating_sub(DUPLICATES - 1));
        let lost = std::mem::replace(&mut self.in_flight, later);
        self.unsent = self.unsent.saturating_add(lost.len() as u64);
        match lost.last_key_value() {
            Some((newest, _)) if *newest >= self.recovery_end => {
                self.recovery_end = self.next;
                self.reduce_window();
            }
            _ => self.grow_window(now),
        }
        self.timeout_at = if self.in_flight.is_empty() {
            Time::FAR_FUTURE
        } else {
            now + self.retransmission_timeout()
        };
        if let Transfers::Files { pause } = self.transfers
            && self.is_idle()
        {
            let exponential = -(1.0 - random::unit_interval(&mut self.rng)).ln();
            self.starts_at = now + pause.mul_f64(exponential);
        }
    }

    fn is_idle(&self) -> bool {
        self.unsent == 0 && self.in_flight.is_empty()
    }

    fn retransmission_timeout(&self) -> Duration {
        (self.round_trip * 2).max(TIMEOUT_MIN)
    }

    fn reduce_window(&mut self) {
        self.window_before_loss = self.window;
        self.window = (self.window * BETA).max(2.0);
        self.slow_start_threshold = self.window;
        self.epoch = None;
    }

    fn grow_window(&mut self, now: Time) {
        if self.window < self.slow_start_threshold {
            self.window += 1.0;
        } else {
            let before = self.window_before_loss;
            let passed = now.since(*self.epoch.get_or_insert(now)).as_secs_f64();
            let plateau_at = (before * (1.0 - BETA) / GROWTH).cbrt();
            let cubic = GROWTH * (passed - plateau_at).powi(3) + before;
            let round_trips = passed / self.round_trip.as_secs_f64().max(0.001);
            let reno = before * BETA + 3.0 * (1.0 - BETA) / (1.0 + BETA) * round_trips;
            let step = (cubic.max(reno) - self.window) / self.window;
            self.window += step.clamp(0.01 / self.window, 0.5);
        }
        self.window = self.window.min(WINDOW_MAX);
    }
}

#[cfg(test)]
mod tests {
    use watersmeet_wire::units::Bitrate;

    use super::*;
    use crate::network::{Link, LinkProfile, OVERHEAD_LEN};
    use crate::seeds;

    const RATE: Bitrate = Bitrate::from_kbps(2_000);

    /// Runs flows over a bottleneck of 2 Mbit/s with 50 ms each way, for a minute; returns their
    /// bitrates in kbit/s, and the longest queueing delay.
    fn run(transfers: Transfers, flows: usize) -> (Vec<f64>, Duration) {
        let profile = LinkProfile {
            rate: Some(RATE),
            ..LinkProfile::clean(Duration::from_millis(50))
        };
        let mut link = Link::new(profile, seeds::generator(1, "bottleneck"));
        let new = |index| TcpFlow::new(transfers, Time::ZERO, seeds::generator(index, "flow"));
        let mut flows: Vec<TcpFlow> = (0..flows as u64).map(new).collect();
        let mut acks: Map<(Time, usize, u64), ()> = Map::new();
        let mut longest = Duration::ZERO;
        for millis in 0..60_000 {
            let now = Time::from_millis(millis);
            while let Some(entry) = acks.first_entry().filter(|it| it.key().0 <= now) {
                let ((_, flow, number), ()) = entry.remove_entry();
                flows[flow].handle_ack(now, number);
            }
            for (index, flow) in flows.iter_mut().enumerate() {
                flow.handle_timeout(now);
                while let Some(number) = flow.poll_segment(now) {
                    if let Some(at) = link.transmit(now, SEGMENT_LEN)[0] {
                        acks.insert((at + Duration::from_millis(50), index, number), ());
                    }
                }
            }
            longest = longest.max(link.queueing_delay(now));
        }
        let bits = ((SEGMENT_LEN + OVERHEAD_LEN) * 8) as f64;
        let rates = flows
            .iter()
            .map(|flow| flow.delivered as f64 * bits / 60_000.0);
        (rates.collect(), longest)
    }

    #[test]
    fn endless_flow_fills_bottleneck_and_queue() {
        let (rates, longest) = run(Transfers::Endless, 1);
        assert!((1_850.0..=2_000.0).contains(&rates[0]), "{rates:?}");
        assert!(longest >= Duration::from_millis(290), "{longest:?}");
    }

    #[test]
    fn two_endless_flows_share_the_bottleneck() {
        let (rates, _) = run(Transfers::Endless, 2);
        let total: f64 = rates.iter().sum();
        assert!((1_850.0..=2_000.0).contains(&total), "{rates:?}");
        assert!(rates.iter().all(|rate| *rate > 600.0), "{rates:?}");
    }

    #[test]
    fn files_leave_the_bottleneck_idle_in_pauses() {
        let pause = Duration::from_secs(10);
        let (rates, _) = run(Transfers::Files { pause }, 1);
        assert!((50.0..=1_000.0).contains(&rates[0]), "{rates:?}");
    }
}
