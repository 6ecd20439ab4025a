//! Arrival times of the packets of one transport, by transport-wide sequence number, and the feedback
//! about them (draft-holmer-rmcat-transport-wide-cc-extensions-01 §2).
//!
//! Bounded: after a burst feedback is sent early.

use std::time::Duration;

use watersmeet_wire::rtcp::twcc::{FeedbackHeader, FeedbackProgress};
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::units::{SeqNo, Ssrc, Time};

/// Interval between feedback while packets arrive.
pub const FEEDBACK_INTERVAL: Duration = Duration::from_millis(100);

/// Number of arrivals at which feedback is sent without waiting for the interval: it still fits one
/// datagram.
pub const PENDING_ARRIVALS_MAX: usize = 256;

/// Distance behind the newest packet from which on a number is taken for a restart of the sender's
/// count, as in RFC 3550 A.1.
const BEHIND_MAX: u64 = 3_000;

/// Distance behind the reported packets up to which a late one is reported.
const LATE_MAX: u64 = 500;

/// Packets that arrived since the last feedback.
#[derive(Debug, Default)]
pub struct ArrivalLog {
    /// Sequence numbers and arrival times, in order of arrival.
    pending: Vec<(SeqNo, Time)>,
    /// Highest sequence number so far.
    highest: Option<SeqNo>,
    /// First sequence number of the next feedback.
    next_base: SeqNo,
    /// Count of the next feedback packet.
    feedback_count: u8,
    /// SSRC of a stream of the transport; feedback has to contain one.
    media: Ssrc,
}

impl ArrivalLog {
    /// Records a packet. Returns whether feedback should be sent at once.
    #[inline]
    pub fn record(&mut self, arrived: Time, raw: u16, media: Ssrc) -> bool {
        let seq = match self.highest {
            None => {
                let first = SeqNo::first(raw);
                self.next_base = first;
                first
            }
            Some(highest) => match highest.nearest(raw) {
                // A jump by more than half a wrap; numbers never go back.
                seq if seq.0 + BEHIND_MAX < highest.0 => SeqNo(seq.0 + 0x1_0000),
                seq => seq,
            },
        };
        self.highest = Some(self.highest.map_or(seq, |highest| highest.max(seq)));
        self.media = media;
        if self.pending.len() < PENDING_ARRIVALS_MAX {
            self.pending.push((seq, arrived));
        }
        self.pending.len() >= PENDING_ARRIVALS_MAX
    }

    /// Returns whether no packet arrived since the last feedback.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Writes the feedback into datagrams, passes each to `send`, and clears the log.
    pub fn write_feedback(
        &mut self,
        sender: Ssrc,
        buffer: &mut Vec<u8>,
        mut send: impl FnMut(&[u8]),
    ) {
        self.pending.sort_unstable();
        let mut rest = self.pending.as_slice();
        // A packet that arrives after it was reported as lost is reported again, as received.
        let late = rest.first().map(|(seq, _)| *seq);
        let late = late.filter(|seq| seq.0 + LATE_MAX > self.next_base.0);
        let mut base = late.map_or(self.next_base, |seq| seq.min(self.next_base));
        while !rest.is_empty() {
            let head = FeedbackHeader {
                sender,
                media: self.media,
                base,
                feedback_count: self.feedback_count,
            };
            buffer.clear();
            let written = CompoundWriter::new(buffer).write_transport_feedback(&head, rest);
            let Some(FeedbackProgress {
                arrivals,
                next_base,
            }) = written
            else {
                break;
            };
            send(buffer);
            self.feedback_count = self.feedback_count.wrapping_add(1);
            base = next_base;
            self.next_base = self.next_base.max(next_base);
            rest = rest.get(arrivals.max(1)..).unwrap_or_default();
        }
        self.pending.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watersmeet_wire::rtcp::{Packet, packets};

    fn feedback(arrivals: &mut ArrivalLog) -> Vec<(u16, bool)> {
        let mut reported = Vec::new();
        arrivals.write_feedback(Ssrc(1), &mut Vec::new(), |datagram| {
            for packet in packets(datagram) {
                let Ok(Packet::TransportFeedback(feedback)) = packet else {
                    panic!("only feedback is written");
                };
                reported.extend(feedback.packets().map(|(seq, at)| (seq, at.is_some())));
            }
        });
        reported
    }

    #[test]
    fn lost_packet_is_reported_once() {
        let mut arrivals = ArrivalLog::default();
        arrivals.record(Time::from_millis(1), 65_535, Ssrc(2));
        arrivals.record(Time::from_millis(2), 1, Ssrc(2));
        assert_eq!(
            feedback(&mut arrivals),
            [(65_535, true), (0, false), (1, true)]
        );
        arrivals.record(Time::from_millis(3), 2, Ssrc(2));
        assert_eq!(feedback(&mut arrivals), [(2, true)]);
    }

    #[test]
    fn feedback_does_not_depend_on_the_order_of_arrival() {
        let mut arrivals = ArrivalLog::default();
        arrivals.record(Time::from_millis(1), 10, Ssrc(2));
        arrivals.record(Time::from_millis(2), 12, Ssrc(2));
        arrivals.record(Time::from_millis(3), 11, Ssrc(2));
        assert_eq!(
            feedback(&mut arrivals),
            [(10, true), (11, true), (12, true)]
        );
    }

    #[test]
    fn packet_that_arrives_after_it_was_reported_lost_is_reported_again() {
        let mut arrivals = ArrivalLog::default();
        arrivals.record(Time::from_millis(1), 10, Ssrc(2));
        arrivals.record(Time::from_millis(2), 12, Ssrc(2));
        feedback(&mut arrivals);
        arrivals.record(Time::from_millis(3), 11, Ssrc(2));
        arrivals.record(Time::from_millis(4), 13, Ssrc(2));
        assert_eq!(
            feedback(&mut arrivals),
            [(11, true), (12, false), (13, true)]
        );
        arrivals.record(Time::from_millis(5), 14, Ssrc(2));
        assert_eq!(feedback(&mut arrivals), [(14, true)]);
    }

    #[test]
    fn sender_whose_count_jumps_gets_feedback_at_once() {
        for jump in [3_500_u16, 31_000, 33_000, 60_000] {
            let mut arrivals = ArrivalLog::default();
            arrivals.record(Time::from_millis(1), 10, Ssrc(2));
            feedback(&mut arrivals);
            arrivals.record(Time::from_millis(2), 10_u16.wrapping_add(jump), Ssrc(2));
            let reported = feedback(&mut arrivals);
            let last = reported.last().copied();
            assert_eq!(last, Some((10_u16.wrapping_add(jump), true)));
            assert!(reported.len() <= 1_025, "{} statuses", reported.len());
        }
    }

    #[test]
    fn burst_requests_early_feedback() {
        let mut arrivals = ArrivalLog::default();
        let mut is_requested = false;
        for raw in 0..2_000 {
            is_requested |= arrivals.record(Time::from_millis(1), raw, Ssrc(2));
        }
        assert!(is_requested);
        assert_eq!(arrivals.pending.len(), PENDING_ARRIVALS_MAX);
    }
}
