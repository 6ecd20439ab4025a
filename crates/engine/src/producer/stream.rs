//! One received SSRC: its numbering, its losses, how well it arrives, and the packets of its last
//! second. RFC 3550 §6.4.1 and appendix A (reports), RFC 4585 (feedback), RFC 4588 (RTX).
//!
//! Never decides who gets a packet: it accepts or refuses, and counts.

use std::time::Duration;

use watersmeet_wire::rtcp::report::ReportBlock;
use watersmeet_wire::units::{Rid, SeqNo, Ssrc, Time};

use crate::packet::{ClockReference, Incoming};
use crate::packet_cache::PacketCache;
use crate::producer::keyframe::KeyframeRequests;
use crate::producer::nack::{Gap, NackGenerator};
use crate::rate::RateWindow;
use crate::shard_message::SharedPacket;

/// A jump in numbering beyond this is a publisher that began anew, not a gap (RFC 3550 A.1 uses
/// the same figure).
const DROPOUT_MAX: u64 = 3_000;

/// Score of a stream that arrives whole.
pub const SCORE_MAX: u8 = 10;

/// A stream that brought nothing for this long scores zero.
const SILENT_AFTER: Duration = Duration::from_millis(2_500);

/// What was reported about the stream last.
#[derive(Debug, Default, Clone, Copy)]
struct ReportBase {
    /// Packets expected until then.
    expected: u64,
    /// Packets received until then.
    received: u64,
}

/// A stream's sender report, as far as a reception report answers it.
#[derive(Debug, Clone, Copy)]
struct LastSenderReport {
    /// The middle 32 bits of its NTP time.
    compact_ntp: u32,
    /// When it came.
    arrived: Time,
}

/// WorkerMetrics that `getStats` shows.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counters {
    /// Media packets received.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets that a retransmission brought back.
    pub repaired: u64,
    /// Retransmissions received.
    pub retransmitted: u64,
    /// Packets that were missing at the end of a reporting interval.
    pub lost: u64,
    /// NACK packets sent.
    pub nacks: u64,
    /// Packets asked for in them.
    pub nacked_packets: u64,
    /// Picture loss indications sent.
    pub plis: u64,
    /// Full intra requests sent.
    pub firs: u64,
}

/// One encoding of a producer as it arrives.
#[derive(Debug)]
pub struct Stream {
    /// Its SSRC; unknown until a packet with its RID came.
    pub ssrc: Option<Ssrc>,
    /// The SSRC of its retransmissions.
    pub rtx_ssrc: Option<Ssrc>,
    /// Its name in simulcast.
    pub rid: Option<Rid>,
    /// The packets of its last second.
    pub cache: PacketCache,
    /// What is missing; absent when the publisher takes no NACK.
    pub nacks: Option<NackGenerator>,
    /// Who waits for a keyframe; unused for audio.
    pub keyframes: KeyframeRequests,
    /// How its media time maps to the shared clock.
    pub clock_reference: Option<ClockReference>,
    /// WorkerMetrics for `getStats`.
    pub counters: Counters,
    /// Bits received over the last second.
    pub rate: RateWindow,
    /// RTP clock in Hz.
    clock_rate: u32,
    /// The first number received since the stream began.
    first: Option<SeqNo>,
    /// The highest number received.
    highest: SeqNo,
    /// Packets received since the stream began, without retransmissions.
    received: u64,
    /// Interarrival jitter, times sixteen (RFC 3550 A.8).
    jitter_q4: u32,
    /// Transit time of the last packet, in media time.
    transit: Option<u32>,
    /// What the last report was counted from.
    base: ReportBase,
    /// Share lost by the last report.
    fraction_lost: u8,
    /// The publisher's last report.
    last_sr: Option<LastSenderReport>,
    /// When the last packet came.
    last_arrival: Option<Time>,
    /// How well it arrives.
    score: u8,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is new.
    New {
        /// Its number.
        seq: SeqNo,
        /// What it says of the packets before it.
        gap: Gap,
    },
    /// It was here already, or nobody asked for it.
    Duplicate,
}

impl Stream {
    /// A stream that nothing has come from.
    pub fn new(clock_rate: u32, takes_nacks: bool) -> Self {
        Self {
            ssrc: None,
            rtx_ssrc: None,
            rid: None,
            cache: PacketCache::default(),
            nacks: takes_nacks.then(NackGenerator::default),
            keyframes: KeyframeRequests::default(),
            clock_reference: None,
            counters: Counters::default(),
            rate: RateWindow::default(),
            clock_rate,
            first: None,
            highest: SeqNo::default(),
            received: 0,
            jitter_q4: 0,
            transit: None,
            base: ReportBase::default(),
            fraction_lost: 0,
            last_sr: None,
            last_arrival: None,
            score: SCORE_MAX,
        }
    }

    /// Takes a packet in: numbers it, counts it, keeps it.
    pub fn accept(&mut self, now: Time, incoming: &Incoming, packet: &[u8]) -> Accepted {
        if incoming.retransmitted {
            self.counters.retransmitted += 1;
        }
        let Some(accepted) = self.number(now, incoming) else {
            return Accepted::Duplicate;
        };
        if let Accepted::New { seq, .. } = accepted {
            self.count(now, incoming, packet.len());
            if incoming.payload_len > 0 {
                self.cache.insert(now, seq, incoming, packet);
            }
        }
        accepted
    }

    /// Keeps a packet that was accepted on another shard.
    pub fn cache_shared(&mut self, now: Time, packet: &SharedPacket) {
        let arrival = &packet.arrival;
        self.highest = self.highest.max(arrival.seq);
        self.clock_reference = arrival.clock;
        if let Some(incoming) = &packet.incoming {
            self.cache.insert(now, arrival.seq, incoming, &packet.bytes);
        }
    }

    /// Gives the packet its number; `None` for one that was here before.
    fn number(&mut self, now: Time, incoming: &Incoming) -> Option<Accepted> {
        if self.first.is_none() {
            return (!incoming.retransmitted).then(|| self.begin(incoming.seq));
        }
        let seq = self.highest.nearest(incoming.seq);
        if seq > self.highest {
            let jump = seq.0 - self.highest.0;
            if incoming.retransmitted && jump > 1 {
                // A retransmission of what never came the first way says nothing of a gap.
                return None;
            }
            if jump > DROPOUT_MAX {
                return Some(self.begin(incoming.seq));
            }
            let gap = self
                .nacks
                .as_mut()
                .map_or(Gap::None, |nacks| nacks.record_gap(self.highest, seq));
            self.highest = seq;
            return Some(Accepted::New { seq, gap });
        }
        if self.highest.0 - seq.0 > DROPOUT_MAX {
            return (!incoming.retransmitted).then(|| self.begin(incoming.seq));
        }
        if self.cache.get(seq).is_some() || seq == self.highest {
            return None;
        }
        let awaited = self.nacks.as_ref().is_some_and(|nacks| nacks.awaits(seq));
        if incoming.retransmitted && !awaited {
            return None;
        }
        if let Some(nacks) = &mut self.nacks {
            let repaired = nacks.record_arrival(now, seq, incoming.retransmitted);
            self.counters.repaired += u64::from(repaired);
        }
        Some(Accepted::New {
            seq,
            gap: Gap::None,
        })
    }

    /// Starts numbering afresh at a publisher's first packet.
    fn begin(&mut self, raw: u16) -> Accepted {
        // One wrap above all that went before, so that numbers never go back.
        let seq = match self.first {
            None => SeqNo::first(raw),
            Some(_) => SeqNo((self.highest.0 | 0xffff) + 0x1_0001 + u64::from(raw)),
        };
        self.first = Some(seq);
        self.highest = seq;
        self.received = 0;
        self.base = ReportBase::default();
        self.transit = None;
        if let Some(nacks) = &mut self.nacks {
            nacks.clear();
        }
        Accepted::New {
            seq,
            gap: Gap::None,
        }
    }

    fn count(&mut self, now: Time, incoming: &Incoming, bytes: usize) {
        self.rate.add(now, bytes as u64);
        self.last_arrival = Some(now);
        if self.score == 0 {
            self.score = SCORE_MAX;
        }
        self.received += 1;
        if incoming.retransmitted {
            return;
        }
        self.counters.packets += 1;
        self.counters.bytes += bytes as u64;
        self.measure_jitter(now, incoming.timestamp);
    }

    /// RFC 3550 appendix A.8.
    #[expect(clippy::cast_possible_truncation, reason = "media time is modulo 2^32")]
    fn measure_jitter(&mut self, now: Time, timestamp: u32) {
        let arrival = now.as_micros().wrapping_mul(u64::from(self.clock_rate)) / 1_000_000;
        let transit = (arrival as u32).wrapping_sub(timestamp);
        if let Some(last) = self.transit.replace(transit) {
            let difference = transit.wrapping_sub(last).cast_signed().unsigned_abs();
            // A jump of media time is not jitter.
            if difference < self.clock_rate.saturating_mul(5) {
                let decay = (self.jitter_q4 + 8) >> 4;
                self.jitter_q4 = self.jitter_q4.wrapping_add(difference).wrapping_sub(decay);
            }
        }
    }

    /// Notes the publisher's report: media time `rtp_timestamp` was at `ntp_micros` of our clock.
    pub fn record_sender_report(&mut self, now: Time, compact_ntp: u32, reference: ClockReference) {
        self.last_sr = Some(LastSenderReport {
            compact_ntp,
            arrived: now,
        });
        self.clock_reference = Some(reference);
    }

    /// The reception report about this stream; nothing before its first packet.
    pub fn report(&mut self, now: Time) -> Option<ReportBlock> {
        let (ssrc, first) = (self.ssrc?, self.first?);
        let expected = self.highest.0 - first.0 + 1;
        let lost = expected.cast_signed() - self.received.cast_signed();
        self.close_interval(now, expected);
        let delay = self
            .last_sr
            .map_or(0, |sr| compact_duration(now.since(sr.arrived)));
        Some(ReportBlock {
            ssrc,
            fraction_lost: self.fraction_lost,
            // 24 bits signed on the wire (RFC 3550 §6.4.1).
            cumulative_lost: i32::try_from(lost.clamp(-0x80_0000, 0x7f_ffff)).unwrap_or(0),
            highest_seq: self.wire_highest(first),
            jitter: self.jitter_q4 >> 4,
            last_sr: self.last_sr.map_or(0, |sr| sr.compact_ntp),
            delay_since_last_sr: delay,
        })
    }

    /// Ends a reporting interval: loss over it, and the score that follows.
    fn close_interval(&mut self, now: Time, expected: u64) {
        let expected_now = expected.saturating_sub(self.base.expected);
        let received_now = self.received.saturating_sub(self.base.received);
        self.base = ReportBase {
            expected,
            received: self.received,
        };
        let lost_now = expected_now.saturating_sub(received_now);
        self.counters.lost += lost_now;
        let fraction = (lost_now * 256)
            .checked_div(expected_now)
            .unwrap_or(0)
            .min(255);
        self.fraction_lost = u8::try_from(fraction).unwrap_or(u8::MAX);
        let silent = self
            .last_arrival
            .is_none_or(|at| now.since(at) > SILENT_AFTER);
        self.score = if silent {
            0
        } else {
            score_of(expected_now, received_now)
        };
    }

    /// The highest number received.
    pub fn highest(&self) -> SeqNo {
        self.highest
    }

    /// The highest number as a report writes it: wraps since the stream began, then 16 bits.
    #[expect(clippy::cast_possible_truncation, reason = "the report holds 32 bits")]
    fn wire_highest(&self, first: SeqNo) -> u32 {
        let start_of_first_wrap = first.0 & !0xffff;
        (self.highest.0 - start_of_first_wrap) as u32
    }

    /// How well it arrives, 0 to 10.
    pub fn score(&self) -> u8 {
        if self.first.is_none() { 0 } else { self.score }
    }

    /// Share lost by the last report, in 256ths.
    pub fn fraction_lost(&self) -> u8 {
        self.fraction_lost
    }

    /// Jitter in media time.
    pub fn jitter(&self) -> u32 {
        self.jitter_q4 >> 4
    }

    /// Jitter in microseconds.
    pub fn jitter_micros(&self) -> u64 {
        let micros = u64::from(self.jitter()) * 1_000_000;
        micros.checked_div(u64::from(self.clock_rate)).unwrap_or(0)
    }

    /// Packets that never came, so far.
    pub fn packets_lost(&self) -> u64 {
        let expected = self.first.map_or(0, |first| self.highest.0 - first.0 + 1);
        expected.saturating_sub(self.received)
    }
}

/// The share that arrived, as a mark from 0 to 10; the fourth power makes 10 % loss a 6, which is
/// about what a viewer would say.
fn score_of(expected: u64, received: u64) -> u8 {
    if expected == 0 {
        return SCORE_MAX;
    }
    let share = (received.min(expected) * 1_000 / expected).pow(4);
    let mark = (share * u64::from(SCORE_MAX) + 500_000_000_000) / 1_000_000_000_000;
    u8::try_from(mark).unwrap_or(SCORE_MAX)
}

/// A duration in 65,536ths of a second, as RTCP writes it.
pub fn compact_duration(duration: Duration) -> u32 {
    let units = duration.as_micros().saturating_mul(65_536) / 1_000_000;
    u32::try_from(units).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
