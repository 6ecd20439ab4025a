//! Arrivals of the packets of each stream until they are reported to the sender (congestion control
//! feedback, RFC 8888).

use std::time::Duration;

use watersmeet_wire::rtcp::congestion_feedback::{Ecn, PacketArrival, StreamArrivals};
use watersmeet_wire::rtcp::report::ntp_middle;
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::units::{Map, SeqNo, Ssrc, Time};

use super::arrival_log::{ARRIVALS_MAX, FeedbackClaim, RANDOM_MILLIS};
use crate::{ntp, random};

/// Most packets of a stream in one report.
const REPORTED_MAX: u64 = 512;

/// Arrivals that are not reported yet.
#[derive(Debug, Default)]
pub struct StreamArrivalLog {
    /// What feedback says.
    claim: FeedbackClaim,
    streams: Map<Ssrc, StreamLog>,
}

/// Arrivals of one stream.
#[derive(Debug, Default)]
struct StreamLog {
    /// Arrival times by sequence number.
    pending: Map<SeqNo, Time>,
    /// Highest sequence number.
    newest: Option<SeqNo>,
    /// First sequence number that is not reported.
    begin: Option<SeqNo>,
}

impl StreamArrivalLog {
    /// Records an arrival.
    pub fn record(&mut self, now: Time, ssrc: Ssrc, raw: u16) {
        let stream = self.streams.entry(ssrc).or_default();
        let seq = stream
            .newest
            .map_or_else(|| SeqNo::first(raw), |newest| newest.nearest(raw));
        stream.newest = Some(stream.newest.map_or(seq, |newest| newest.max(seq)));
        // When a packet arrives after it was reported lost, feedback restarts from it.
        stream.begin = Some(stream.begin.map_or(seq, |begin| begin.min(seq)));
        stream.pending.entry(seq).or_insert(now);
        if stream.pending.len() > ARRIVALS_MAX {
            stream.pending.pop_first();
        }
    }

    /// Sets what feedback says from now on.
    pub fn set_claim(&mut self, claim: FeedbackClaim) {
        self.claim = claim;
    }

    /// Returns a feedback message on all arrivals that are not reported yet, at the time of `now`.
    pub fn take_feedback(&mut self, sender: Ssrc, unix_epoch: Duration, now: Time) -> Vec<u8> {
        let mut reported = Vec::new();
        for (ssrc, stream) in &mut self.streams {
            let pending = std::mem::take(&mut stream.pending);
            let (Some(begin), Some((last, at))) = (stream.begin, pending.last_key_value()) else {
                continue;
            };
            let begin = SeqNo(begin.0.max(last.0.saturating_sub(REPORTED_MAX - 1)));
            let claimed = (begin.0..=last.0).map(|seq| {
                let arrival = pending.get(&SeqNo(seq)).copied();
                claimed_arrival(&mut self.claim, arrival, *at).map(|at| arrival_before(now, at))
            });
            stream.begin = Some(SeqNo(last.0 + 1));
            reported.push((*ssrc, begin.raw(), claimed.collect::<Vec<_>>()));
        }
        let streams: Vec<_> = reported
            .iter()
            .map(|(ssrc, begin_seq, arrivals)| StreamArrivals {
                ssrc: *ssrc,
                begin_seq: *begin_seq,
                arrivals,
            })
            .collect();
        let timestamp = ntp_middle(ntp::timestamp(unix_epoch, now));
        let mut message = Vec::new();
        let mut writer = CompoundWriter::new(&mut message);
        let written = writer.write_congestion_feedback(sender, timestamp, &streams);
        debug_assert!(written, "a report has few packets");
        message
    }
}

/// Returns when a packet arrived, as the receiver claims. `last` is the latest arrival.
fn claimed_arrival(claim: &mut FeedbackClaim, arrival: Option<Time>, last: Time) -> Option<Time> {
    match claim {
        FeedbackClaim::True => arrival,
        FeedbackClaim::AllReceived => Some(last),
        FeedbackClaim::Random(rng) => {
            let jump = Duration::from_millis(random::below(rng, RANDOM_MILLIS));
            (random::below(rng, 2) == 0).then_some(last + jump)
        }
    }
}

/// Returns an arrival as it is reported at the time of `now`.
fn arrival_before(now: Time, at: Time) -> PacketArrival {
    let units = now.since(at).as_micros() * 1_024 / 1_000_000;
    PacketArrival {
        ecn: Ecn::NotEct,
        offset: Some(u16::try_from(units).unwrap_or(u16::MAX)),
    }
}
