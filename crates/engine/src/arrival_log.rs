//! When the packets of one transport arrived, by the transport's own numbering, and the feedback
//! that tells its sender (draft-holmer-rmcat-transport-wide-cc-extensions-01 §2).
//!
//! Bounded: a burst beyond the limit is fed back early rather than remembered.

use std::time::Duration;

use watersmeet_wire::rtcp::twcc::{FeedbackHeader, FeedbackProgress};
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::units::{SeqNo, Ssrc, Time};

/// How often feedback is sent while packets arrive.
pub const FEEDBACK_INTERVAL: Duration = Duration::from_millis(100);

/// ArrivalLog that are fed back at once, without waiting for the interval: one report then still
/// fits one datagram.
pub const PENDING_MAX: usize = 256;

/// What arrived since the last feedback.
#[derive(Debug, Default)]
pub struct ArrivalLog {
    /// Numbers and times, in the order they arrived.
    pending: Vec<(SeqNo, Time)>,
    /// The highest number so far.
    highest: Option<SeqNo>,
    /// The first number the next feedback speaks of.
    next_base: SeqNo,
    /// The number of the next feedback.
    feedback_count: u8,
    /// Some stream of the transport; feedback has to name one.
    media: Ssrc,
}

impl ArrivalLog {
    /// Notes a packet. Says whether feedback should be sent at once.
    #[inline]
    pub fn record(&mut self, now: Time, raw: u16, media: Ssrc) -> bool {
        let seq = match self.highest {
            None => {
                let first = SeqNo::first(raw);
                self.next_base = first;
                first
            }
            Some(highest) => highest.nearest(raw),
        };
        self.highest = Some(self.highest.map_or(seq, |highest| highest.max(seq)));
        self.media = media;
        if self.pending.len() < PENDING_MAX {
            self.pending.push((seq, now));
        }
        self.pending.len() >= PENDING_MAX
    }

    /// Whether there is anything to tell.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Writes the feedback into datagrams, each handed to `send`.
    pub fn write_feedback(
        &mut self,
        sender: Ssrc,
        buffer: &mut Vec<u8>,
        mut send: impl FnMut(&[u8]),
    ) {
        self.pending.sort_unstable();
        let mut rest = self.pending.as_slice();
        while !rest.is_empty() {
            let head = FeedbackHeader {
                sender,
                media: self.media,
                base: self.next_base,
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
            self.next_base = next_base;
            rest = rest.get(arrivals.max(1)..).unwrap_or_default();
        }
        self.pending.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watersmeet_wire::rtcp::{Packet, packets};

    fn told(arrivals: &mut ArrivalLog) -> Vec<(u16, bool)> {
        let mut told = Vec::new();
        arrivals.write_feedback(Ssrc(1), &mut Vec::new(), |datagram| {
            for packet in packets(datagram) {
                let Ok(Packet::TransportFeedback(feedback)) = packet else {
                    panic!("only feedback is written");
                };
                told.extend(feedback.packets().map(|(seq, at)| (seq, at.is_some())));
            }
        });
        told
    }

    #[test]
    fn a_lost_packet_is_told_once() {
        let mut arrivals = ArrivalLog::default();
        arrivals.record(Time::from_millis(1), 65_535, Ssrc(2));
        arrivals.record(Time::from_millis(2), 1, Ssrc(2));
        assert_eq!(told(&mut arrivals), [(65_535, true), (0, false), (1, true)]);
        arrivals.record(Time::from_millis(3), 2, Ssrc(2));
        assert_eq!(told(&mut arrivals), [(2, true)]);
    }

    #[test]
    fn order_of_arrival_does_not_matter() {
        let mut arrivals = ArrivalLog::default();
        arrivals.record(Time::from_millis(1), 10, Ssrc(2));
        arrivals.record(Time::from_millis(2), 12, Ssrc(2));
        arrivals.record(Time::from_millis(3), 11, Ssrc(2));
        assert_eq!(told(&mut arrivals), [(10, true), (11, true), (12, true)]);
    }

    #[test]
    fn a_burst_asks_to_be_fed_back() {
        let mut arrivals = ArrivalLog::default();
        let mut asked = false;
        for raw in 0..2_000 {
            asked |= arrivals.record(Time::from_millis(1), raw, Ssrc(2));
        }
        assert!(asked);
        assert_eq!(arrivals.pending.len(), PENDING_MAX);
    }
}
