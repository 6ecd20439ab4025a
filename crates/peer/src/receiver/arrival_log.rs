//! Log of packet arrivals until they are reported to the sender (transport-wide congestion
//! control).

use std::time::Duration;

use watersmeet_wire::rtcp::twcc::FeedbackHeader;
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::units::{Map, Rng, SeqNo, Ssrc, Time};

use crate::random;

/// Interval between two feedback messages, the initial value of libwebrtc.
pub const FEEDBACK_INTERVAL: Duration = Duration::from_millis(100);

/// Most arrivals that wait to be reported.
pub const ARRIVALS_MAX: usize = 4_096;

/// What the feedback of a receiver says.
#[derive(Debug, Default)]
pub enum FeedbackClaim {
    /// The arrivals as they were.
    #[default]
    True,
    /// Everything arrived, all at once.
    AllReceived,
    /// Random arrivals of random packets, with times that jump.
    Random(Box<Rng>),
}

/// Longest deviation of a random arrival time, in milliseconds.
pub(super) const RANDOM_MILLIS: u64 = 2_000;

/// Arrivals that are not reported yet.
#[derive(Debug, Default)]
pub struct ArrivalLog {
    /// What feedback says.
    claim: FeedbackClaim,
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

    /// Sets what feedback says from now on.
    pub fn set_claim(&mut self, claim: FeedbackClaim) {
        self.claim = claim;
    }

    /// Replaces the arrivals by what the receiver claims.
    fn apply_claim(&mut self) {
        let (Some(base), Some((last, at))) = (self.base, self.pending.last_key_value()) else {
            return;
        };
        let (last, at) = (*last, *at);
        match &mut self.claim {
            FeedbackClaim::True => {}
            FeedbackClaim::AllReceived => {
                self.pending = (base.0..=last.0).map(|seq| (SeqNo(seq), at)).collect();
            }
            FeedbackClaim::Random(rng) => {
                let mut random_packet = |_| {
                    let seq = base.0 + random::below(rng, last.0 + 1 - base.0);
                    let jump = Duration::from_millis(random::below(rng, RANDOM_MILLIS));
                    (SeqNo(seq), at + jump)
                };
                self.pending = (base.0..=last.0).map(&mut random_packet).collect();
            }
        }
    }

    /// Returns feedback messages on all arrivals that are not reported yet.
    pub fn take_feedback(&mut self, sender: Ssrc) -> Vec<Vec<u8>> {
        self.apply_claim();
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
