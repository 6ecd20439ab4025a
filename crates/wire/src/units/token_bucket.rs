//! Token bucket: limits a rate and allows bursts. The caller passes the time, and the bucket counts
//! in whole microseconds, so that its results are reproducible.

use std::time::Duration;

use super::time::Time;

/// Longest refill period; the level of a large burst would overflow with a longer one.
const PERIOD_MAX: Duration = Duration::from_hours(1);

/// Tokens that refill at a steady rate up to a burst.
///
/// The level is counted in fractions of a token, chosen such that a microsecond adds a whole number
/// of them. So frequent calls cause no rounding errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenBucket {
    /// Available tokens, in fractions. Negative after `take` exceeded them.
    level: i64,
    /// Level up to which the bucket refills.
    capacity: i64,
    /// Fractions per token: the microseconds of the refill period.
    token: i64,
    /// Fractions per microsecond: the tokens of a refill period.
    refill_per_us: i64,
    /// Time of `level`.
    updated_at: Time,
}

impl TokenBucket {
    /// Returns a full bucket of `burst` tokens that refills by `rate_per_second`.
    pub fn new(rate_per_second: u32, burst: u32) -> Self {
        Self::per_period(rate_per_second, Duration::from_secs(1), burst)
    }

    /// Returns a full bucket of `burst` tokens that refills by `tokens` in each `period`, and never
    /// with zero tokens. A period counts as `PERIOD_MAX` when it is longer.
    pub fn per_period(tokens: u32, period: Duration, burst: u32) -> Self {
        let period_us = period.min(PERIOD_MAX).as_micros().max(1);
        let token = i64::try_from(period_us).unwrap_or(i64::MAX);
        let capacity = token.saturating_mul(burst.into());
        Self {
            level: capacity,
            capacity,
            token,
            refill_per_us: tokens.into(),
            updated_at: Time::ZERO,
        }
    }

    /// Takes `amount` tokens if there are as many. Returns false, and takes none, otherwise.
    pub fn try_take(&mut self, now: Time, amount: u32) -> bool {
        self.refill(now);
        let left = self.level.saturating_sub(self.cost(amount));
        if left < 0 {
            return false;
        }
        self.level = left;
        true
    }

    /// Takes `amount` tokens even when there are fewer. Returns how long to wait until the bucket
    /// has refilled to zero: zero when there were enough, `None` when it never does.
    pub fn take(&mut self, now: Time, amount: u32) -> Option<Duration> {
        self.refill(now);
        self.level = self.level.saturating_sub(self.cost(amount));
        self.time_to_gain(self.level.saturating_neg())
    }

    /// Returns how long to wait until `try_take` of `amount` succeeds: zero when it would now,
    /// `None` when it never will, because the bucket does not refill or never holds as much.
    pub fn wait_for(&self, now: Time, amount: u32) -> Option<Duration> {
        let cost = self.cost(amount);
        let missing = cost.saturating_sub(self.level_at(now));
        if missing > 0 && cost > self.capacity {
            return None;
        }
        self.time_to_gain(missing)
    }

    /// Adds `amount` tokens, which may exceed the burst.
    pub fn add(&mut self, amount: u32) {
        self.level = self.level.saturating_add(self.cost(amount));
    }

    /// Returns whether there are at least as many tokens as the burst.
    pub fn is_full(&self, now: Time) -> bool {
        self.level_at(now) >= self.capacity
    }

    /// Adds the tokens since the last update; none when the clock went backwards.
    fn refill(&mut self, now: Time) {
        self.level = self.level_at(now);
        self.updated_at = self.updated_at.max(now);
    }

    /// Returns the level at `now`.
    fn level_at(&self, now: Time) -> i64 {
        if self.level >= self.capacity {
            return self.level;
        }
        let elapsed_us = i64::try_from(now.since(self.updated_at).as_micros()).unwrap_or(i64::MAX);
        let gained = elapsed_us.saturating_mul(self.refill_per_us);
        self.level.saturating_add(gained).min(self.capacity)
    }

    /// Returns how long it takes to gain `fractions`, rounded up to a microsecond.
    fn time_to_gain(&self, fractions: i64) -> Option<Duration> {
        let Some(missing) = u64::try_from(fractions).ok().filter(|it| *it > 0) else {
            return Some(Duration::ZERO);
        };
        let per_us = u64::try_from(self.refill_per_us)
            .ok()
            .filter(|it| *it > 0)?;
        Some(Duration::from_micros(missing.div_ceil(per_us)))
    }

    /// Converts tokens to fractions.
    fn cost(&self, amount: u32) -> i64 {
        self.token.saturating_mul(i64::from(amount))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_grants_burst_then_refills_at_its_rate() {
        let mut bucket = TokenBucket::new(5, 10);
        assert!((0..10).all(|_| bucket.try_take(Time::ZERO, 1)));
        assert!(!bucket.try_take(Time::ZERO, 1));
        assert!(!bucket.try_take(Time::from_micros(199_999), 1));
        assert!(bucket.try_take(Time::from_millis(200), 1));
        assert!(!bucket.try_take(Time::from_millis(200), 1));
    }

    #[test]
    fn bucket_refills_up_to_its_burst() {
        let mut bucket = TokenBucket::new(5, 10);
        let later = Time::from_millis(60_000);
        assert!(bucket.try_take(Time::ZERO, 10));
        assert!(!bucket.try_take(later, 11));
        assert!(bucket.try_take(later, 10));
    }

    #[test]
    fn added_tokens_exceed_the_burst_and_are_kept() {
        let mut bucket = TokenBucket::new(5, 10);
        bucket.add(3);
        let later = Time::from_millis(60_000);
        assert!(bucket.is_full(later));
        assert!(bucket.try_take(later, 13));
        assert!(!bucket.try_take(later, 1));
    }

    #[test]
    fn clock_that_goes_backwards_adds_no_tokens() {
        let mut bucket = TokenBucket::new(5, 1);
        let now = Time::from_millis(1_000);
        assert!(bucket.try_take(now, 1));
        assert!(!bucket.try_take(Time::ZERO, 1));
        assert!(!bucket.try_take(now, 1));
        assert!(bucket.try_take(Time::from_millis(1_200), 1));
    }

    #[test]
    fn wait_for_returns_the_exact_waiting_time() {
        let minute = Duration::from_mins(1);
        for (tokens, period) in [(7, minute), (10, minute), (3, Duration::from_secs(1))] {
            let mut bucket = TokenBucket::per_period(tokens, period, 2);
            let now = Time::from_millis(5);
            assert_eq!(bucket.wait_for(now, 2), Some(Duration::ZERO));
            assert!(bucket.try_take(now, 2));
            let wait = bucket.wait_for(now, 1).unwrap();
            assert_eq!(wait.as_micros(), period.as_micros().div_ceil(tokens.into()));
            assert!(
                !bucket
                    .clone()
                    .try_take(now + (wait - Duration::from_micros(1)), 1)
            );
            assert!(bucket.try_take(now + wait, 1));
        }
    }

    #[test]
    fn take_goes_below_zero_and_returns_the_waiting_time() {
        let mut bucket = TokenBucket::new(40, 2);
        let now = Time::from_millis(1_000);
        for wait_ms in [0, 0, 25, 50] {
            assert_eq!(bucket.take(now, 1), Some(Duration::from_millis(wait_ms)));
        }
        assert!(!bucket.try_take(now, 1));
        assert!(bucket.try_take(now + Duration::from_millis(75), 1));
    }

    #[test]
    fn bucket_without_refill_never_grants_more_than_its_burst() {
        let mut bucket = TokenBucket::new(0, 1);
        assert!(bucket.try_take(Time::ZERO, 1));
        assert_eq!(bucket.wait_for(Time::from_millis(1_000_000), 1), None);
        assert!(!bucket.try_take(Time::FAR_FUTURE, 1));
        assert_eq!(TokenBucket::new(5, 10).wait_for(Time::ZERO, 11), None);
        assert!(!TokenBucket::new(0, 0).try_take(Time::ZERO, 1));
    }

    #[test]
    fn extreme_values_do_not_overflow() {
        let mut bucket = TokenBucket::per_period(u32::MAX, Duration::MAX, u32::MAX);
        bucket.add(u32::MAX);
        assert!(bucket.try_take(Time::FAR_FUTURE, 1));
        while bucket.take(Time::FAR_FUTURE, u32::MAX) == Some(Duration::ZERO) {}
        assert!(bucket.is_full(Time::FAR_FUTURE) || bucket.wait_for(Time::FAR_FUTURE, 1).is_some());
    }
}
