//! Arrival times of the packets of a transport, for transport-wide feedback every 100 ms
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01).

use std::time::Duration;

use watersmeet_wire::rtcp::twcc::FeedbackHeader;
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::units::{SeqNo, Ssrc, Time};

/// Time between two feedback packets.
pub const FEEDBACK_INTERVAL: Duration = Duration::from_millis(100);

/// Arrivals kept for the next feedback; further ones are not reported.
const ARRIVALS_MAX: usize = 4_096;

/// Arrivals since the last feedback.
#[derive(Debug, Default)]
pub struct ArrivalLog {
    /// Transport-wide sequence numbers and arrival times.
    arrivals: Vec<(SeqNo, Time)>,
    /// First sequence number of the next feedback.
    base: Option<SeqNo>,
    /// Highest sequence number.
    newest: Option<SeqNo>,
    /// Number of the next feedback.
    count: u8,
}

impl ArrivalLog {
    /// Records a packet.
    pub fn record(&mut self, raw: u16, at: Time) {
        let seq = match self.newest {
            Some(newest) => newest.nearest(raw),
            None => SeqNo::first(raw),
        };
        self.newest = Some(self.newest.map_or(seq, |newest| newest.max(seq)));
        self.base.get_or_insert(seq);
        if self.arrivals.len() < ARRIVALS_MAX {
            self.arrivals.push((seq, at));
        }
    }

    /// Returns whether there is nothing to report.
    pub fn is_empty(&self) -> bool {
        self.arrivals.is_empty()
    }

    /// Writes the next feedback packet. Returns false when everything is reported.
    pub fn write(&mut self, sender: Ssrc, media: Ssrc, writer: &mut CompoundWriter<'_>) -> bool {
        let Some(base) = self.base else {
            return false;
        };
        self.arrivals.sort_unstable_by_key(|(seq, _)| *seq);
        let head = FeedbackHeader {
            sender,
            media,
            base,
            feedback_count: self.count,
        };
        let Some(written) = writer.write_transport_feedback(&head, &self.arrivals) else {
            self.arrivals.clear();
            return false;
        };
        self.arrivals.drain(..written.arrivals);
        self.base = Some(written.next_base);
        self.count = self.count.wrapping_add(1);
        true
    }
}

#[cfg(test)]
mod tests {
    use watersmeet_wire::rtcp::{self, Packet};

    use super::*;

    #[test]
    fn every_packet_is_reported_once_across_a_wrap() {
        let mut log = ArrivalLog::default();
        let mut seen = Vec::new();
        for round in 0..4_u16 {
            for offset in 0..50 {
                let raw = 65_450_u16.wrapping_add(round * 50 + offset);
                log.record(raw, Time::from_millis(u64::from(round * 50 + offset)));
            }
            let mut out = Vec::new();
            let mut writer = CompoundWriter::new(&mut out);
            assert!(log.write(Ssrc(1), Ssrc(2), &mut writer));
            assert!(log.is_empty());
            for packet in rtcp::packets(&out) {
                let Packet::TransportFeedback(feedback) = packet.unwrap() else {
                    panic!("no feedback");
                };
                assert_eq!(u16::from(feedback.feedback_count), round);
                seen.push((feedback.base_seq, feedback.status_count));
            }
        }
        assert_eq!(seen, [(65_450, 50), (65_500, 50), (14, 50), (64, 50)]);
        assert!(!log.write(Ssrc(1), Ssrc(2), &mut CompoundWriter::new(&mut Vec::new())));
    }
}
