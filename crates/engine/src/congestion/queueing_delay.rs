//! Queueing delay of the path: how far the smallest one-way delay of the last quarter of a second is
//! above the smallest of the last half minute. Clocks need not agree, because only differences count.

use std::time::Duration;

/// Width of a recent bucket in microseconds, and number of them.
const RECENT_MICROS: i64 = 50_000;
const RECENT: usize = 5;

/// Number of recent buckets of the latest delay.
const LATEST: usize = 3;

/// Width of a bucket of the base delay in microseconds, and number of them.
const BASE_MICROS: i64 = 5_000_000;
const BASE: usize = 6;

/// Distance of a delay from the recent minimum that counts at most, as a multiple of the variation and in
/// microseconds besides: a queue that grows is not taken for variation.
const USUAL_FACTOR: i64 = 3;
const USUAL_MICROS: i64 = 8_000;

/// Number of packets over which the variation is smoothed.
const SMOOTHING: i64 = 128;

/// Smallest delay in each of the last `N` periods.
#[derive(Debug)]
struct Minimum<const N: usize> {
    width: i64,
    period: i64,
    values: [Option<i64>; N],
}

impl<const N: usize> Minimum<N> {
    const fn new(width: i64) -> Self {
        Self {
            width,
            period: i64::MIN,
            values: [None; N],
        }
    }

    fn record(&mut self, at: i64, value: i64) {
        let period = at.div_euclid(self.width);
        let passed = period.saturating_sub(self.period);
        if passed > 0 {
            let passed = usize::try_from(passed).unwrap_or(N).min(N);
            self.values.rotate_right(passed);
            self.values
                .iter_mut()
                .take(passed)
                .for_each(|it| *it = None);
            self.period = period;
        }
        if let Some(first) = self.values.first_mut() {
            *first = Some(first.map_or(value, |it| it.min(value)));
        }
    }

    fn get(&self) -> Option<i64> {
        self.of_latest(N)
    }

    /// Returns the smallest value of the latest periods.
    fn of_latest(&self, count: usize) -> Option<i64> {
        self.values.iter().take(count).flatten().min().copied()
    }
}

/// Queueing delay of a path.
#[derive(Debug)]
pub struct QueueingDelay {
    recent: Minimum<RECENT>,
    base: Minimum<BASE>,
    /// Mean distance of delays from the recent minimum, in microseconds.
    variation: i64,
    /// Base delay that is kept for as long as the queue is filled by others.
    held: Option<i64>,
}

impl Default for QueueingDelay {
    fn default() -> Self {
        Self {
            recent: Minimum::new(RECENT_MICROS),
            base: Minimum::new(BASE_MICROS),
            variation: 0,
            held: None,
        }
    }
}

impl QueueingDelay {
    /// Records a packet: its arrival by the peer's clock, and arrival minus sending time, both in
    /// microseconds.
    pub fn record(&mut self, arrival: i64, delay: i64) {
        self.recent.record(arrival, delay);
        self.base.record(arrival, delay);
        let smallest = self.recent.get().unwrap_or(delay);
        let usual = self.variation * USUAL_FACTOR + USUAL_MICROS;
        let distance = delay.saturating_sub(smallest).clamp(0, usual);
        self.variation += (distance - self.variation) / SMOOTHING;
    }

    /// Returns the standing queue.
    pub fn get(&self) -> Duration {
        self.above_base(self.recent.get())
    }

    /// Returns the queue as of the last 100 to 150 ms, which is sooner but less certain.
    pub fn latest(&self) -> Duration {
        self.above_base(self.recent.of_latest(LATEST))
    }

    fn above_base(&self, delay: Option<i64>) -> Duration {
        let micros = delay.unwrap_or_default().saturating_sub(self.base());
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// Returns the delay of the empty path, in microseconds of both clocks' difference.
    pub fn base(&self) -> i64 {
        let delays = self.base.get().into_iter().chain(self.held);
        delays.min().unwrap_or_default()
    }

    /// Remembers the base delay beyond its window: competing traffic keeps the queue from emptying.
    pub fn hold_base(&mut self) {
        self.held = Some(self.base());
    }

    /// Forgets the remembered base delay.
    pub const fn release_base(&mut self) {
        self.held = None;
    }

    /// Returns how much delays vary above their recent minimum.
    pub fn variation(&self) -> Duration {
        Duration::from_micros(self.variation.unsigned_abs())
    }

    /// Takes the present delay for that of an empty queue: lower rates did not shorten it.
    pub fn accept_as_base(&mut self) {
        let recent = self.recent.get();
        self.base.values = [None; BASE];
        if let (Some(first), Some(recent)) = (self.base.values.first_mut(), recent) {
            *first = Some(recent);
        }
    }

    /// Starts anew, on another path.
    pub fn restart(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(queue: &mut QueueingDelay, millis: std::ops::Range<i64>, delay: impl Fn(i64) -> i64) {
        for at in millis {
            queue.record(at * 1_000, -7_000_000 + delay(at));
        }
    }

    #[test]
    fn jitter_is_no_queue() {
        let mut queue = QueueingDelay::default();
        run(&mut queue, 0..5_000, |at| at * 7_919 % 100 * 1_000);
        assert!(queue.get() < Duration::from_millis(5), "{:?}", queue.get());
        let variation = queue.variation();
        assert!((40..60).contains(&variation.as_millis()), "{variation:?}");
    }

    #[test]
    fn standing_queue_is_measured_above_the_base() {
        let mut queue = QueueingDelay::default();
        run(&mut queue, 0..2_000, |_| 20_000);
        run(&mut queue, 2_000..4_000, |_| 120_000);
        assert_eq!(queue.get(), Duration::from_millis(100));
        queue.accept_as_base();
        assert_eq!(queue.get(), Duration::ZERO);
    }

    #[test]
    fn longer_path_is_accepted_after_half_a_minute() {
        let mut queue = QueueingDelay::default();
        run(&mut queue, 0..1_000, |_| 20_000);
        run(&mut queue, 1_000..40_000, |_| 90_000);
        assert_eq!(queue.get(), Duration::ZERO);
    }
}
