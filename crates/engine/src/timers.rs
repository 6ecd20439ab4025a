//! Timers of a worker, in order of expiry. Each has a kind, so that a busy loop can be traced to its
//! cause.
//!
//! A heap with lazy deletion: setting a timer again, or closing its owner, leaves the old entry, which
//! is skipped at its time. The heap's memory is reused, so that timers do not allocate once it
//! has grown.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use watersmeet_wire::units::Time;

use crate::slots::{ProducerKey, RouterKey, TransportKey};

/// Purpose and owner of a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerKind {
    /// ICE consent or a DTLS retransmission of a transport.
    Transport(TransportKey),
    /// Sender and receiver reports of a transport.
    Report(TransportKey),
    /// Transport-wide feedback of a transport.
    Feedback(TransportKey),
    /// Bandwidth estimate of a transport, and the distribution of it.
    Bandwidth(TransportKey),
    /// Requests for a producer's missing packets.
    Nack(ProducerKey),
    /// Keyframe requests of a producer.
    Keyframe(ProducerKey),
    /// Repeated subscription to a piped producer.
    Pipe(ProducerKey),
    /// What is wanted of a producer.
    Demand(ProducerKey),
    /// Decision who is speaking in a router.
    Speaker(RouterKey),
}

/// Expiry of one timer. Its owner holds it; entries of the heap that do not match it are stale.
#[derive(Debug, Clone, Copy, Default)]
pub struct Deadline {
    /// Earliest entry in the heap; absent while the timer is not set.
    at: Option<Time>,
}

/// All timers of a worker.
#[derive(Debug, Default)]
pub struct Timers {
    /// Earliest first.
    heap: BinaryHeap<Reverse<(Time, TimerKind)>>,
}

impl Timers {
    /// Sets a timer to expire at `at`, unless it expires earlier already.
    pub fn set(&mut self, deadline: &mut Deadline, at: Time, kind: TimerKind) {
        if at == Time::FAR_FUTURE || deadline.at.is_some_and(|set| set <= at) {
            return;
        }
        deadline.at = Some(at);
        self.heap.push(Reverse((at, kind)));
    }

    /// Returns the next timer that is due, with the time it was set for. The owner must check with
    /// [`Deadline::expires`] whether the entry is current.
    pub fn pop_due(&mut self, now: Time) -> Option<(Time, TimerKind)> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// Returns when the next timer is due.
    pub fn poll_timeout(&self) -> Time {
        self.heap
            .peek()
            .map_or(Time::FAR_FUTURE, |Reverse((at, _))| *at)
    }
}

impl Deadline {
    /// Returns whether the entry set for `at` is current; if so, the timer is no longer set.
    pub fn expires(&mut self, at: Time) -> bool {
        let expires = self.at == Some(at);
        if expires {
            self.at = None;
        }
        expires
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots::Key as _;

    #[test]
    fn timer_expires_once_at_its_earliest_time() {
        let (mut timers, mut deadline) = (Timers::default(), Deadline::default());
        timers.set(
            &mut deadline,
            Time::from_millis(20),
            TimerKind::Nack(ProducerKey::from_index(1)),
        );
        timers.set(
            &mut deadline,
            Time::from_millis(10),
            TimerKind::Nack(ProducerKey::from_index(1)),
        );
        timers.set(
            &mut deadline,
            Time::from_millis(30),
            TimerKind::Nack(ProducerKey::from_index(1)),
        );
        assert_eq!(timers.poll_timeout(), Time::from_millis(10));
        let mut expired = 0;
        while let Some((at, _)) = timers.pop_due(Time::from_millis(100)) {
            expired += u32::from(deadline.expires(at));
        }
        assert_eq!(expired, 1);
    }

    #[test]
    fn timer_does_not_expire_early() {
        let (mut timers, mut deadline) = (Timers::default(), Deadline::default());
        timers.set(
            &mut deadline,
            Time::from_millis(10),
            TimerKind::Report(TransportKey::from_index(1)),
        );
        assert!(timers.pop_due(Time::from_millis(9)).is_none());
        assert!(timers.pop_due(Time::from_millis(10)).is_some());
    }

    #[test]
    fn far_future_is_not_set() {
        let (mut timers, mut deadline) = (Timers::default(), Deadline::default());
        timers.set(
            &mut deadline,
            Time::FAR_FUTURE,
            TimerKind::Keyframe(ProducerKey::from_index(1)),
        );
        assert_eq!(timers.poll_timeout(), Time::FAR_FUTURE);
        assert!(timers.heap.is_empty());
    }
}
