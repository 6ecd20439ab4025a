//! What is due, and when. Every timer carries its reason, so that a loop which spins can name
//! its culprit.
//!
//! A heap with lazy deletion: setting a timer again leaves the old entry, which is skipped when
//! it comes up. The heap's memory is reused, so timers cost no allocation once it has grown.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use watersmeet_wire::units::Time;

use crate::slots::{ProducerKey, TransportKey};

/// Why a timer runs, and for whom (the key is the object's place in its worker).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerKind {
    /// ICE consent or a DTLS retransmission of a transport.
    Transport(TransportKey),
    /// Sender and receiver reports of a transport.
    Report(TransportKey),
    /// Transport-wide feedback of a transport.
    Feedback(TransportKey),
    /// A producer's missing packets.
    Nack(ProducerKey),
    /// A producer's keyframe requests.
    Keyframe(ProducerKey),
    /// The shard a producer comes from is to be told again that it is wanted.
    Pipe(ProducerKey),
}

/// When one reason of one object is due. Its owner keeps it, and the heap is only a hint.
#[derive(Debug, Clone, Copy, Default)]
pub struct Deadline {
    /// The earliest entry in the heap.
    armed: Option<Time>,
}

/// All timers of a worker.
#[derive(Debug, Default)]
pub struct Timers {
    /// The earliest first.
    heap: BinaryHeap<Reverse<(Time, TimerKind)>>,
}

impl Timers {
    /// Makes sure that `reason` comes up at `at` or before.
    pub fn set(&mut self, deadline: &mut Deadline, at: Time, reason: TimerKind) {
        if at == Time::FAR_FUTURE || deadline.armed.is_some_and(|armed| armed <= at) {
            return;
        }
        deadline.armed = Some(at);
        self.heap.push(Reverse((at, reason)));
    }

    /// The next reason that is due, with the time it was set for. The owner must ask
    /// `Deadline::expires` whether it is still meant.
    pub fn pop_due(&mut self, now: Time) -> Option<(Time, TimerKind)> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// When the next reason is due.
    pub fn poll_timeout(&self) -> Time {
        self.heap
            .peek()
            .map_or(Time::FAR_FUTURE, |Reverse((at, _))| *at)
    }
}

impl Deadline {
    /// Whether the entry set for `at` is the one that counts; it is used up by this.
    pub fn expires(&mut self, at: Time) -> bool {
        let rings = self.armed == Some(at);
        if rings {
            self.armed = None;
        }
        rings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots::Key as _;

    #[test]
    fn an_alarm_rings_once_and_at_its_earliest_time() {
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
        let mut rung = 0;
        while let Some((at, _)) = timers.pop_due(Time::from_millis(100)) {
            rung += u32::from(deadline.expires(at));
        }
        assert_eq!(rung, 1);
    }

    #[test]
    fn nothing_rings_before_its_time() {
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
    fn far_future_is_never_set() {
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
