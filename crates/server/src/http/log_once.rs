//! Bounds log lines that clients cause: one for each subject, or one a minute.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Upper bound of subjects that are logged.
const SUBJECTS_MAX: usize = 64;

/// Interval of lines about a condition that persists.
const INTERVAL: Duration = Duration::from_mins(1);

/// Remembers the subjects that were logged.
#[derive(Debug, Default)]
pub struct LogOnce(Mutex<BTreeSet<String>>);

impl LogOnce {
    /// Returns whether a subject is to be logged: it is new, and not too many were logged.
    pub fn is_first(&self, subject: &str) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logged.len() < SUBJECTS_MAX && logged.insert(subject.to_owned())
    }
}

/// Remembers when a condition was last logged.
#[derive(Debug, Default)]
pub struct LogThrottle(Mutex<Option<Instant>>);

impl LogThrottle {
    /// Returns whether a line is due; the next one is after a minute.
    pub fn is_due(&self, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| now.duration_since(last) >= INTERVAL);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_subject_is_logged_once_up_to_the_bound() {
        let log = LogOnce::default();
        assert!(log.is_first("a") && !log.is_first("a"));
        let logged = (0..1_000).filter(|number| log.is_first(&number.to_string()));
        assert_eq!(logged.count(), SUBJECTS_MAX - 1);
    }

    #[tokio::test]
    async fn condition_is_logged_once_a_minute() {
        let log = LogThrottle::default();
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let lines = (0..180).filter(|&number| log.is_due(start + second * number));
        assert_eq!(lines.count(), 3);
    }
}
