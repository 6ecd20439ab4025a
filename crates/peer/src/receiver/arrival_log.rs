//! Log of packet arrivals until they are reported to the sender (transport-wide congestion
//! control).

use std::time::Duration;

use watersmeet_wire::rtcp::twcc::FeedbackHeader;
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::units::{Map, SeqNo, Ssrc, Time};

/// Interval between two feedback messages, the initial value of libwebrtc.
pub const FEEDBACK_INTERVAL: Duration = Duration::from_millis(100);

/// Most arrivals that wait to be reported.
pub const ARRIVALS_MAX: usize = 4_096;

/// Arrivals that are not reported yet.
#[derive(Debug, Default)]
pub struct ArrivalLog {
    /// Arrival times by sequence number.
    pending: Map<SeqNo, Time>,
    /// Highest sequence number.
    newest: Option<SeqNo>,
    /// First sequence number that is not reported.
    base: Option<SeqNo>,
    /// Number of the next feedback message.
    count: u8,
    /// Any stream of the transport.
    media: Ssrc,
}

impl ArrivalLog {
    /// Records an arrival.
    pub fn record(&mut self, now: Time, raw: u16, media: Ssrc) {
        let seq = self
            .newest
            .map_or_else(|| SeqNo::first(raw), |newest| newest.nearest(raw));
        self.newest = Some(self.newest.map_or(seq, |newest| newest.max(seq)));
        self.media = media;
        // When a packet arrives after it was reported lost, feedback restarts from it.
        self.base = Some(self.base.map_or(seq, |base| base.min(seq)));
        self.pending.entry(seq).or_insert(now);
        if self.pending.len() > ARRIVALS_MAX {
            self.pending.pop_first();
        }
    }

    /// Returns whether there is nothing to report.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Returns feedback messages on all arrivals that are not reported yet.
    pub fn take_feedback(&mut self, sender: Ssrc) -> Vec<Vec<u8>> {
        let arrivals: Vec<(SeqNo, Time)> = std::mem::take(&mut self.pending).into_iter().collect();
        let mut rest = arrivals.as_slice();
        let mut messages = Vec::new();
        while let Some(base) = self.base.filter(|_| !rest.is_empty()) {
            let header = FeedbackHeader {
                sender,
                media: self.media,
                base,
                feedback_count: self.count,
            };
            let mut message = Vec::new();
            let mut writer = CompoundWriter::new(&mut message);
            let Some(written) = writer.write_transport_feedback(&header, rest) else {
                break;
            };
            rest = rest.get(written.arrivals..).unwrap_or_default();
            self.base = Some(written.next_base);
            self.count = self.count.wrapping_add(1);
            messages.push(message);
        }
        messages
    }
}
