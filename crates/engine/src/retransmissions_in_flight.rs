//! Retransmissions on the way to a peer. Transport-wide feedback tells which were lost, so that they are
//! sent again without waiting for the peer's next request, which may be lost too.

use std::collections::VecDeque;

use watersmeet_wire::units::Ssrc;

/// Upper bound of the retransmissions remembered; the oldest are forgotten first.
pub const IN_FLIGHT_MAX: usize = 256;

/// A retransmission that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct InFlight {
    /// Its transport-wide sequence number.
    transport_seq: u16,
    /// Packet that it repeats.
    packet: MediaPacket,
}

/// A media packet whose retransmission has not arrived, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unrepaired {
    /// The packet.
    pub packet: MediaPacket,
    /// Whether feedback reported the retransmission lost. Otherwise that feedback was lost.
    pub is_certain: bool,
}

/// A media packet, by the numbers under which the peer knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaPacket {
    /// SSRC of the media.
    pub ssrc: Ssrc,
    /// Sequence number.
    pub seq: u16,
}

impl InFlight {
    const fn unrepaired(self, is_certain: bool) -> Unrepaired {
        Unrepaired {
            packet: self.packet,
            is_certain,
        }
    }
}

/// Retransmissions on the way, on one transport.
#[derive(Debug, Default)]
pub struct RetransmissionsInFlight {
    /// In the order of their transport-wide numbers.
    sent: VecDeque<InFlight>,
}

impl RetransmissionsInFlight {
    /// Remembers a retransmission. Transport-wide numbers count up.
    pub fn record(&mut self, transport_seq: u16, packet: MediaPacket) {
        if self.sent.len() >= IN_FLIGHT_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back(InFlight {
            transport_seq,
            packet,
        });
    }

    /// Forgets the retransmissions that feedback is about, and those before them. Returns the packets of
    /// those that were lost, or of which nothing is known because feedback was lost. `feedback` has
    /// transport-wide numbers in order, and arrivals.
    pub fn take_lost(
        &mut self,
        feedback: impl Iterator<Item = (u16, Option<i64>)>,
    ) -> Vec<Unrepaired> {
        let mut lost = Vec::new();
        if self.sent.is_empty() {
            return lost;
        }
        for (seq, arrival) in feedback {
            let is_before = |it: &InFlight| it.transport_seq.wrapping_sub(seq).cast_signed() < 0;
            while let Some(skipped) = self.sent.pop_front_if(|it| is_before(it)) {
                lost.push(skipped.unrepaired(false));
            }
            let reported = self.sent.pop_front_if(|it| it.transport_seq == seq);
            let reported = reported.filter(|_| arrival.is_none());
            lost.extend(reported.map(|it| it.unrepaired(true)));
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use watersmeet_wire::rtcp::{Packet, packets};
    use watersmeet_wire::units::Time;

    use super::*;
    use crate::arrival_log::ArrivalLog;

    fn packet(seq: u16) -> MediaPacket {
        MediaPacket { ssrc: Ssrc(7), seq }
    }

    /// Returns what is lost by feedback about packets of which `arrived` arrived, and whether that is certain.
    fn lost(sent: &mut RetransmissionsInFlight, arrived: &[u16]) -> Vec<(u16, bool)> {
        let mut log = ArrivalLog::default();
        for seq in arrived {
            log.record(Time::from_millis(5), *seq, Ssrc(1));
        }
        let mut lost = Vec::new();
        log.write_feedback(Ssrc(2), &mut Vec::new(), |datagram| {
            for parsed in packets(datagram) {
                let Ok(Packet::TransportFeedback(feedback)) = parsed else {
                    panic!("only feedback is written");
                };
                let taken = sent.take_lost(feedback.packets());
                lost.extend(taken.iter().map(|it| (it.packet.seq, it.is_certain)));
            }
        });
        lost
    }

    #[test]
    fn lost_ones_are_returned_once() {
        let mut sent = RetransmissionsInFlight::default();
        for transport_seq in [65_534, 65_535, 1, 2] {
            sent.record(transport_seq, packet(transport_seq.wrapping_add(100)));
        }
        assert_eq!(
            lost(&mut sent, &[65_533, 65_535, 0, 2]),
            [(98, true), (101, true)]
        );
        assert!(lost(&mut sent, &[65_533, 65_535, 0, 2]).is_empty());
    }

    #[test]
    fn those_that_no_feedback_covers_count_as_lost() {
        let mut sent = RetransmissionsInFlight::default();
        for transport_seq in 0..10 {
            sent.record(transport_seq, packet(transport_seq));
        }
        assert_eq!(
            lost(&mut sent, &[2, 4]),
            [(0, false), (1, false), (3, true)]
        );
        assert_eq!(sent.sent.len(), 5);
        assert_eq!(lost(&mut sent, &[6]), [(5, false)]);
        assert_eq!(sent.sent.len(), 3);
    }

    #[test]
    fn memory_is_bounded() {
        let mut sent = RetransmissionsInFlight::default();
        for transport_seq in 0..2_000 {
            sent.record(transport_seq, packet(transport_seq));
        }
        assert_eq!(sent.sent.len(), IN_FLIGHT_MAX);
    }
}
