//! Record of attempts to obtain a certificate, and the time of the next one. It is stored, so that neither
//! failures nor restarts exceed the limits of certificate authorities. Let's Encrypt allows five failed
//! validations of a name in an hour, and five certificates for the same names in a week.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::error::AcmeError;

/// Attempts within [`WINDOW`], whatever asks for them.
const ATTEMPTS_MAX: usize = 4;

/// Time in which at most [`ATTEMPTS_MAX`] attempts are made.
const WINDOW: Duration = Duration::from_hours(1);

/// Wait after the first attempt that the authority did not satisfy. It doubles with each further one.
const REFUSED_WAIT: Duration = Duration::from_mins(15);

/// Upper bound of that wait.
const REFUSED_WAIT_MAX: Duration = Duration::from_hours(12);

/// Wait after the first attempt that did not reach the authority. It doubles with each further one.
const UNREACHABLE_WAIT: Duration = Duration::from_mins(1);

/// Upper bound of that wait.
const UNREACHABLE_WAIT_MAX: Duration = Duration::from_hours(1);

/// Doublings of a wait, after which its upper bound holds anyway.
const DOUBLINGS_MAX: u32 = 10;

/// Longest reason that is stored, in characters.
const ERROR_LEN_MAX: usize = 500;

/// When a certificate is to be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    /// Time from which it is renewed.
    pub at: SystemTime,
    /// Shortest time since it was obtained, so that a wrong clock does not renew it again and again.
    pub interval_min: Duration,
}

/// Attempts so far. Times are seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttemptLog {
    /// Starts of the latest attempts that the authority may have counted, at most [`ATTEMPTS_MAX`].
    recent: Vec<u64>,
    /// Failed attempts since the last success.
    failures: u32,
    /// Time of the last failure.
    failed_at: u64,
    /// Whether the last failure was that the authority could not be reached.
    was_unreachable: bool,
    /// Reason of the last failure; `None` after a success.
    error: Option<String>,
    /// Time of the last success; 0 for none.
    succeeded_at: u64,
}

impl AttemptLog {
    /// Parses a stored record. One that cannot be read counts as empty.
    pub fn parse(text: Option<&str>) -> Self {
        let mut log: Self = text
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let surplus = log.recent.len().saturating_sub(ATTEMPTS_MAX);
        log.recent.drain(..surplus);
        log
    }

    /// Returns the record as text.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Returns the number of failed attempts since the last success.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Returns why the last attempt failed, unless it succeeded.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Records that an attempt starts.
    pub fn record_start(&mut self, now: SystemTime) {
        if self.recent.len() >= ATTEMPTS_MAX {
            self.recent.remove(0);
        }
        self.recent.push(seconds(now));
    }

    /// Records that the last attempt succeeded.
    pub fn record_success(&mut self, now: SystemTime) {
        self.failures = 0;
        self.error = None;
        self.succeeded_at = seconds(now);
    }

    /// Records that the last attempt failed.
    pub fn record_failure(&mut self, now: SystemTime, error: &AcmeError) {
        if error.is_unreachable() {
            self.recent.pop();
        }
        self.failures = self.failures.saturating_add(1);
        self.was_unreachable = error.is_unreachable();
        self.failed_at = seconds(now);
        self.error = Some(error.to_string().chars().take(ERROR_LEN_MAX).collect());
    }

    /// Returns the time of the next attempt, which may have passed. `renewal` is that of the certificate in
    /// use. `skips_backoff` leaves only the limits of certificate authorities.
    pub fn next(
        &self,
        now: SystemTime,
        renewal: Option<Renewal>,
        skips_backoff: bool,
    ) -> SystemTime {
        let mut next = UNIX_EPOCH;
        if let Some(renewal) = renewal {
            next = next
                .max(renewal.at)
                .max(self.past(self.succeeded_at, now) + renewal.interval_min);
        }
        if self.failures > 0 && !skips_backoff {
            next = next.max(self.past(self.failed_at, now) + self.backoff());
        }
        match self.recent.first() {
            Some(&oldest) if self.recent.len() >= ATTEMPTS_MAX => {
                next.max(self.past(oldest, now) + WINDOW)
            }
            _ => next,
        }
    }

    /// Returns a recorded time; `now` at most, since the clock may have been wrong.
    fn past(&self, recorded: u64, now: SystemTime) -> SystemTime {
        let recorded = UNIX_EPOCH.checked_add(Duration::from_secs(recorded));
        recorded.unwrap_or(now).min(now)
    }

    fn backoff(&self) -> Duration {
        let (first, max) = match self.was_unreachable {
            true => (UNREACHABLE_WAIT, UNREACHABLE_WAIT_MAX),
            false => (REFUSED_WAIT, REFUSED_WAIT_MAX),
        };
        let doublings = self.failures.saturating_sub(1).min(DOUBLINGS_MAX);
        (first * 2_u32.pow(doublings)).min(max)
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five failed validations in an hour are the limit of Let's Encrypt.
    const AUTHORITY_LIMIT: usize = 5;

    fn start() -> SystemTime {
        UNIX_EPOCH + Duration::from_hours(500_000)
    }

    fn refused() -> AcmeError {
        AcmeError::Refused("no".to_owned())
    }

    fn unreachable() -> AcmeError {
        AcmeError::Unreachable("no route".to_owned())
    }

    /// Returns the times of failing attempts within ten days.
    fn failing(error: &AcmeError, skips_backoff: bool) -> Vec<SystemTime> {
        let (mut log, mut now) = (AttemptLog::default(), start());
        let mut times = Vec::new();
        while now < start() + Duration::from_hours(240) {
            log.record_start(now);
            times.push(now);
            log.record_failure(now, error);
            log = AttemptLog::parse(Some(&log.to_text()));
            now = log
                .next(now, None, skips_backoff)
                .max(now + Duration::from_secs(1));
        }
        times
    }

    #[test]
    fn failures_and_restarts_stay_below_the_limits_of_authorities() {
        for skips_backoff in [false, true] {
            let times = failing(&refused(), skips_backoff);
            for window in times.windows(AUTHORITY_LIMIT) {
                let took = window[AUTHORITY_LIMIT - 1]
                    .duration_since(window[0])
                    .unwrap();
                assert!(took >= WINDOW, "{took:?} {skips_backoff}");
            }
        }
        let waits = failing(&refused(), false);
        let first = waits[1].duration_since(waits[0]).unwrap();
        assert_eq!(first, REFUSED_WAIT);
        let last = waits[waits.len() - 1]
            .duration_since(waits[waits.len() - 2])
            .unwrap();
        assert_eq!(last, REFUSED_WAIT_MAX);
    }

    #[test]
    fn authority_that_is_away_is_asked_sooner() {
        let times = failing(&unreachable(), false);
        assert_eq!(times[1].duration_since(times[0]).unwrap(), UNREACHABLE_WAIT);
        let last = times[times.len() - 1]
            .duration_since(times[times.len() - 2])
            .unwrap();
        assert_eq!(last, UNREACHABLE_WAIT_MAX);
    }

    #[test]
    fn certificate_is_renewed_at_its_time_and_not_again_by_a_wrong_clock() {
        let mut log = AttemptLog::default();
        assert!(log.next(start(), None, false) <= start());
        log.record_start(start());
        log.record_success(start());
        let due = |at| Renewal {
            at,
            interval_min: Duration::from_hours(100),
        };
        let later = start() + Duration::from_hours(1_000);
        assert_eq!(log.next(start(), Some(due(later)), false), later);
        let earlier = start() - Duration::from_hours(1_000);
        let next = log.next(start(), Some(due(earlier)), true);
        assert_eq!(next, start() + Duration::from_hours(100));
        // Without a certificate, as after the domains changed, the success does not count.
        assert!(log.next(start(), None, false) <= start());
    }

    #[test]
    fn record_that_cannot_be_read_counts_as_empty_and_long_ones_are_cut() {
        assert_eq!(AttemptLog::parse(Some("{")), AttemptLog::default());
        assert_eq!(AttemptLog::parse(None), AttemptLog::default());
        let log = AttemptLog::parse(Some(r#"{"recent":[1,2,3,4,5,6]}"#));
        assert_eq!(log.recent, [3, 4, 5, 6]);
        let future = AttemptLog::parse(Some(r#"{"failures":1,"failed_at":18446744073709551615}"#));
        assert_eq!(future.next(start(), None, false), start() + REFUSED_WAIT);
    }
}
