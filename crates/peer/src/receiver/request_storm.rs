//! A receiver that requests far more than it needs, a hundred times a second: every packet of the last
//! seconds again, keyframes in both ways, and feedback about packets that it knows nothing of. For tests of what
//! that costs the server, the publisher and others.

use std::time::Duration;

use watersmeet_wire::rtcp::feedback::FirEntry;
use watersmeet_wire::rtcp::twcc::FeedbackHeader;
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::units::{Map, SeqNo, Ssrc, Time};

/// Interval between two rounds of requests.
const INTERVAL: Duration = Duration::from_millis(10);

/// Packets of each stream that are requested in a round.
const REQUESTED: u16 = 500;

/// Packets that the feedback of a round is about.
const REPORTED: u64 = 200;

/// State of a storm of requests.
#[derive(Debug)]
pub struct RequestStorm {
    /// Time of the next round.
    due: Time,
    /// Latest sequence number of each stream.
    newest: Map<Ssrc, u16>,
    /// Number of the round.
    round: u8,
}

impl RequestStorm {
    /// Creates a storm that starts at once.
    pub const fn new(now: Time) -> Self {
        Self {
            due: now,
            newest: Map::new(),
            round: 0,
        }
    }

    /// Records a packet of media.
    pub fn record(&mut self, ssrc: Ssrc, seq: u16) {
        self.newest.insert(ssrc, seq);
    }

    /// Returns when the next round is due.
    pub const fn poll_timeout(&self) -> Time {
        self.due
    }

    /// Returns the requests of a round, if one is due.
    pub fn take_requests(&mut self, now: Time, sender: Ssrc) -> Vec<Vec<u8>> {
        let mut requests = Vec::new();
        if now < self.due {
            return requests;
        }
        self.due = now + INTERVAL;
        self.round = self.round.wrapping_add(1);
        for (&ssrc, &newest) in &self.newest {
            let seqs: Vec<u16> = (0..REQUESTED)
                .rev()
                .map(|back| newest.wrapping_sub(back))
                .collect();
            let mut rest = seqs.as_slice();
            while !rest.is_empty() {
                let mut packet = Vec::new();
                let taken = CompoundWriter::new(&mut packet).write_nack(sender, ssrc, rest);
                rest = rest.get(taken.max(1)..).unwrap_or_default();
                requests.push(packet);
            }
            let mut packet = Vec::new();
            let mut writer = CompoundWriter::new(&mut packet);
            let seq = self.round;
            let written = writer.write_pli(sender, ssrc)
                && writer.write_fir(sender, &[FirEntry { ssrc, seq }]);
            debug_assert!(written, "two requests fit a packet");
            requests.push(packet);
        }
        requests.push(self.false_feedback(now, sender));
        requests
    }

    /// Returns feedback that claims the arrival of packets with any numbers.
    fn false_feedback(&self, now: Time, sender: Ssrc) -> Vec<u8> {
        let base = SeqNo(SeqNo::first(0).0 + u64::from(self.round) * 257);
        let header = FeedbackHeader {
            sender,
            media: sender,
            base,
            feedback_count: self.round,
        };
        let arrivals: Vec<_> = (0..REPORTED)
            .map(|step| (SeqNo(base.0 + step), now))
            .collect();
        let mut packet = Vec::new();
        let written = CompoundWriter::new(&mut packet).write_transport_feedback(&header, &arrivals);
        debug_assert!(written.is_some(), "there are arrivals");
        packet
    }
}
