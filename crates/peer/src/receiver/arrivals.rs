//! When the packets of a transport arrived, until the sender is told (transport-wide congestion
//! control).

use std::time::Duration;

use watersmeet_wire::rtcp::twcc::FeedbackHeader;
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::units::{Map, SeqNo, Ssrc, Time};

/// Time between two feedback messages, as libwebrtc starts with.
pub const FEEDBACK_INTERVAL: Duration = Duration::from_millis(100);

/// Most arrivals that wait to be told.
pub const ARRIVALS_MAX: usize = 4_096;

/// Arrivals that were not told yet.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// By number.
    arrived: Map<SeqNo, Time>,
    /// The newest number.
    newest: Option<SeqNo>,
    /// First number that was not told of.
    base: Option<SeqNo>,
    /// Number of the next message.
    count: u8,
    /// Some stream of the transport.
    media: Ssrc,
}

impl Arrivals {
    /// Notes an arrival.
    pub fn note(&mut self, now: Time, raw: u16, media: Ssrc) {
        let seq = self
            .newest
            .map_or_else(|| SeqNo::first(raw), |newest| newest.nearest(raw));
        self.newest = Some(self.newest.map_or(seq, |newest| newest.max(seq)));
        self.media = media;
        // A packet that comes after it was told lost is told again, from there on.
        self.base = Some(self.base.map_or(seq, |base| base.min(seq)));
        self.arrived.entry(seq).or_insert(now);
        if self.arrived.len() > ARRIVALS_MAX {
            self.arrived.pop_first();
        }
    }

    /// Whether nothing is to be told.
    pub fn is_empty(&self) -> bool {
        self.arrived.is_empty()
    }

    /// Writes everything that was not told yet.
    pub fn write(&mut self, sender: Ssrc) -> Vec<Vec<u8>> {
        let arrivals: Vec<(SeqNo, Time)> = std::mem::take(&mut self.arrived).into_iter().collect();
        let mut rest = arrivals.as_slice();
        let mut messages = Vec::new();
        while let Some(base) = self.base.filter(|_| !rest.is_empty()) {
            let head = FeedbackHeader {
                sender,
                media: self.media,
                base,
                feedback_count: self.count,
            };
            let mut message = Vec::new();
            let mut writer = CompoundWriter::new(&mut message);
            let Some(written) = writer.write_transport_feedback(&head, rest) else {
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
