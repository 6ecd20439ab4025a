//! Packets that were sent with a transport-wide sequence number and for which feedback is awaited.

use std::collections::VecDeque;
use std::time::Duration;

use watersmeet_wire::units::Time;

/// Upper bound of the packets remembered; the oldest are forgotten first.
pub const PACKETS_MAX: usize = 4_096;

/// Age from which on a packet is forgotten.
const AGE_MAX: Duration = Duration::from_secs(2);

/// Age from which on a packet without feedback no longer counts as being on the way, and how much later
/// one has to be sent that arrived: the feedback was lost, or the packet.
const FLIGHT_MAX: Duration = Duration::from_millis(1_500);
const OVERTAKEN_BY: Duration = Duration::from_millis(100);

/// A packet that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentPacket {
    /// Time of sending.
    pub at: Time,
    /// Length in bytes, as sent.
    pub len: u16,
    /// Probe to which it belongs; zero for none.
    pub probe: u16,
    /// Whether feedback has reported it as received or lost.
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    InFlight,
    Expired,
    Lost,
    Acknowledged,
}

/// New information in feedback about one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It arrived.
    Arrived(SentPacket),
    /// It arrived after feedback had called it lost.
    ArrivedLate(SentPacket),
    /// It did not arrive.
    Lost(SentPacket),
}

/// Sent packets, by transport-wide sequence number.
#[derive(Debug, Default)]
pub struct SentLedger {
    /// Packets in the order of their numbers, without gaps.
    packets: VecDeque<SentPacket>,
    /// Sequence number of the first of them.
    first: u16,
    /// Index of the first packet that may still be in flight.
    unexpired: usize,
    /// Bytes on the way.
    in_flight: u64,
    /// Time at which the newest packet that arrived was sent.
    newest_arrived: Time,
    /// Sequence number after the highest that feedback covered; `None` before there is any.
    covered_until: Option<u16>,
}

impl SentLedger {
    /// Records a packet. Numbers follow one another; with any other the ledger starts anew.
    pub fn record(&mut self, now: Time, seq: u16, len: usize, probe: u16) {
        if usize::from(seq.wrapping_sub(self.first)) != self.packets.len() {
            *self = Self::default();
            self.first = seq;
        }
        self.forget_old(now);
        if self.packets.len() >= PACKETS_MAX {
            self.forget_first();
        }
        let len = u16::try_from(len).unwrap_or(u16::MAX);
        self.in_flight += u64::from(len);
        self.packets.push_back(SentPacket {
            at: now,
            len,
            probe,
            state: State::InFlight,
        });
    }

    /// Records what feedback says about a packet: whether it arrived. Returns `None` when that is not
    /// new, or the packet is unknown.
    pub fn resolve(&mut self, seq: u16, has_arrived: bool) -> Option<Outcome> {
        let index = usize::from(seq.wrapping_sub(self.first));
        let packet = self.packets.get_mut(index)?;
        let former = packet.state;
        if has_arrived {
            self.newest_arrived = self.newest_arrived.max(packet.at);
        }
        let outcome = match (former, has_arrived) {
            (State::InFlight | State::Expired, true) => Outcome::Arrived(*packet),
            (State::Lost, true) => Outcome::ArrivedLate(*packet),
            (State::InFlight | State::Expired, false) => Outcome::Lost(*packet),
            (State::Acknowledged, _) | (State::Lost, false) => return None,
        };
        packet.state = if has_arrived {
            State::Acknowledged
        } else {
            State::Lost
        };
        if former == State::InFlight {
            self.in_flight -= u64::from(packet.len);
        }
        Some(outcome)
    }

    /// Records the packets that feedback covers. Returns the bytes of those before them that no feedback
    /// has covered, because it was lost.
    pub fn cover(&mut self, mut seqs: impl Iterator<Item = u16>) -> u64 {
        let Some(first) = seqs.next() else {
            return 0;
        };
        let is_after = |seq: u16, other: u16| seq.wrapping_sub(other).cast_signed() > 0;
        let last = seqs.last().unwrap_or(first);
        let until = last.wrapping_add(1);
        let former = self.covered_until.filter(|former| is_after(until, *former));
        if former.is_some() || self.covered_until.is_none() {
            self.covered_until = Some(until);
        }
        let Some(former) = former.filter(|former| is_after(first, *former)) else {
            return 0;
        };
        let index = |seq: u16| usize::from(seq.wrapping_sub(self.first)).min(self.packets.len());
        let skipped = self
            .packets
            .range(index(former).min(index(first))..index(first));
        let is_unknown = |it: &&SentPacket| matches!(it.state, State::InFlight | State::Expired);
        skipped.filter(is_unknown).map(|it| u64::from(it.len)).sum()
    }

    /// Returns the bytes on the way: sent lately and without feedback.
    pub fn in_flight(&mut self, now: Time) -> u64 {
        while let Some(packet) = self.packets.get_mut(self.unexpired)
            && (packet.state != State::InFlight
                || now.since(packet.at) > FLIGHT_MAX
                || self.newest_arrived.since(packet.at) > OVERTAKEN_BY)
        {
            if packet.state == State::InFlight {
                packet.state = State::Expired;
                self.in_flight -= u64::from(packet.len);
            }
            self.unexpired += 1;
        }
        self.in_flight
    }

    /// Forgets packets of a former path: nothing of them is on the way any more.
    pub fn abandon(&mut self) {
        for packet in &mut self.packets {
            if packet.state == State::InFlight {
                packet.state = State::Expired;
            }
        }
        self.in_flight = 0;
        self.unexpired = self.packets.len();
    }

    fn forget_old(&mut self, now: Time) {
        while let Some(packet) = self.packets.front()
            && (packet.state == State::Acknowledged || now.since(packet.at) > AGE_MAX)
        {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(packet) = self.packets.pop_front() {
            if packet.state == State::InFlight {
                self.in_flight -= u64::from(packet.len);
            }
            self.first = self.first.wrapping_add(1);
            self.unexpired = self.unexpired.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn packet_is_resolved_once_and_may_still_arrive_late() {
        let mut ledger = SentLedger::default();
        ledger.record(at(0), u16::MAX, 100, 0);
        ledger.record(at(1), 0, 200, 3);
        assert_eq!(ledger.in_flight(at(2)), 300);
        assert!(
            matches!(ledger.resolve(u16::MAX, false), Some(Outcome::Lost(it)) if it.len == 100)
        );
        assert_eq!(ledger.resolve(u16::MAX, false), None);
        assert!(matches!(
            ledger.resolve(u16::MAX, true),
            Some(Outcome::ArrivedLate(_))
        ));
        assert!(matches!(ledger.resolve(0, true), Some(Outcome::Arrived(it)) if it.probe == 3));
        assert_eq!(ledger.resolve(0, true), None);
        assert_eq!(ledger.resolve(7, true), None);
        assert_eq!(ledger.in_flight(at(2)), 0);
    }

    #[test]
    fn packets_without_feedback_leave_the_flight_and_then_the_ledger() {
        let mut ledger = SentLedger::default();
        ledger.record(at(0), 5, 100, 0);
        ledger.record(at(1_000), 6, 100, 0);
        assert_eq!(ledger.in_flight(at(1_600)), 100);
        assert!(matches!(ledger.resolve(5, true), Some(Outcome::Arrived(_))));
        assert_eq!(ledger.in_flight(at(1_600)), 100);
        ledger.record(at(4_000), 7, 100, 0);
        assert_eq!(ledger.resolve(6, true), None);
    }

    #[test]
    fn packets_whose_feedback_was_lost_leave_the_flight_when_later_ones_arrived() {
        let mut ledger = SentLedger::default();
        for seq in 0..40 {
            ledger.record(at(u64::from(seq) * 10), seq, 100, 0);
        }
        ledger.resolve(30, true);
        assert_eq!(ledger.in_flight(at(400)), 1_900);
    }

    #[test]
    fn ledger_is_bounded() {
        let mut ledger = SentLedger::default();
        for seq in 0..10_000 {
            ledger.record(at(1), seq, 10, 0);
        }
        assert_eq!(ledger.packets.len(), PACKETS_MAX);
        assert_eq!(ledger.in_flight(at(1)), 10 * PACKETS_MAX as u64);
        assert_eq!(ledger.resolve(5_000, true), None);
        assert!(ledger.resolve(9_999, true).is_some());
    }

    #[test]
    fn packets_that_no_feedback_covered_are_noticed_by_the_next() {
        let mut ledger = SentLedger::default();
        for count in 0..20_u16 {
            ledger.record(at(1), 65_530_u16.wrapping_add(count), 10, 0);
        }
        assert_eq!(ledger.cover(65_532..=65_533), 0);
        assert_eq!(ledger.cover([65_534, 65_535, 0].into_iter()), 0);
        assert_eq!(ledger.cover(3..=5), 20);
        assert_eq!(ledger.cover(1..=2), 0);
        assert_eq!(ledger.cover(6..=7), 0);
        assert_eq!(ledger.cover(std::iter::empty()), 0);
        assert_eq!(ledger.cover(2_000..=2_001), 60);
    }

    #[test]
    fn abandoned_packets_are_not_on_the_way() {
        let mut ledger = SentLedger::default();
        ledger.record(at(0), 5, 100, 0);
        ledger.abandon();
        ledger.record(at(1), 6, 30, 0);
        assert_eq!(ledger.in_flight(at(1)), 30);
    }
}
