//! One received RTP stream: sequence numbers, losses, reception quality, and the packets of its last
//! second. RFC 3550 §6.4.1 and appendix A (reports), RFC 4585 (feedback), RFC 4588 (RTX).
//!
//! Accepts or refuses packets and counts them; does not decide who gets them.

use std::time::Duration;

use watersmeet_wire::rtcp::report::{ReportBlock, ntp_middle};
use watersmeet_wire::rtp::dependency_descriptor::DependencyReader;
use watersmeet_wire::units::{Rid, SeqNo, Ssrc, Time};

use crate::keyframe_index::{CatchUp, CatchUpLimits, KeyframeIndex};
use crate::packet::{ClockReference, Incoming};
use crate::packet_cache::{PacketCache, SLOTS_MAX};
use crate::producer::keyframe::KeyframeRequests;
use crate::producer::nack::{Gap, NackGenerator};
use crate::publisher_clock::{PublisherClock, ReportClock};
use crate::rate::RateWindow;
use crate::sample::SampledCounts;
use crate::score::{SCORE_MAX, score_of};
use crate::shard_message::SharedPacket;

/// Largest jump of the sequence number that counts as a gap (as in RFC 3550 A.1). A larger one is a
/// restart of the publisher.
const DROPOUT_MAX: u64 = 3_000;

/// How far the timestamp of a packet that is late by its number can be behind that of the newest, in
/// seconds; it can be half a second ahead, because frames may be sent in another order than shown.
/// Otherwise the publisher has started anew, or nothing was accepted for so long that the numbers came
/// round.
const LATE_BY_SECS_MAX: u32 = 60;

/// By how many numbers a packet is late whatever its timestamp: the media clock may have jumped meanwhile.
const LATE_BY_NUMBERS: u64 = 256;

/// Longest time between two packets in the order of sending that timestamps are believed to tell.
const BETWEEN_PACKETS_MAX: Duration = Duration::from_secs(1);

/// Silence after which missing packets are not requested: publishers keep packets for about a second.
const REPAIRABLE_FOR: Duration = Duration::from_secs(1);

/// Silence after which a stream scores zero.
const SILENT_AFTER: Duration = Duration::from_millis(2_500);

/// Counts at the time of the last report.
#[derive(Debug, Default, Clone, Copy)]
struct ReportBase {
    /// Packets expected until then.
    expected: u64,
    /// Packets received until then.
    received: u64,
}

/// Last sender report of the publisher.
#[derive(Debug, Clone, Copy)]
struct LastSenderReport {
    /// Its clock fields; reception reports echo the middle 32 bits of its NTP timestamp.
    clock: ReportClock,
    /// Arrival time.
    arrived: Time,
}

/// Counters for `getStats`.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counters {
    /// Media packets received.
    pub packets: u64,
    /// Bytes of those packets.
    pub bytes: u64,
    /// Lost packets that a retransmission repaired.
    pub repaired: u64,
    /// Retransmissions received.
    pub retransmitted: u64,
    /// Packets that were missing at the end of a reporting interval.
    pub lost: u64,
    /// NACK packets sent.
    pub nacks: u64,
    /// Packets requested in them.
    pub nacked_packets: u64,
    /// Picture loss indications sent.
    pub plis: u64,
    /// Full intra requests sent.
    pub firs: u64,
    /// Lost packets that the redundancy of later ones repeated.
    pub recovered: u64,
    /// Packets whose redundant audio was malformed.
    pub malformed: u64,
}

/// How a publisher can resend packets of a codec.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct RetransmissionSupport {
    /// Whether it understands NACK.
    pub nack: bool,
    /// Whether it resends on a stream of its own.
    pub rtx: bool,
}

/// Received stream of one encoding.
#[derive(Debug)]
pub struct Stream {
    /// SSRC; absent until a packet with its RID has arrived.
    pub ssrc: Option<Ssrc>,
    /// SSRC of its retransmissions.
    pub rtx_ssrc: Option<Ssrc>,
    /// RID of a simulcast encoding.
    pub rid: Option<Rid>,
    /// Packets of its last second.
    pub cache: PacketCache,
    /// From which of them a new receiver can start.
    keyframe_index: KeyframeIndex,
    /// Missing packets; absent when the publisher does not support NACK.
    pub nacks: Option<NackGenerator>,
    /// Keyframe requests; unused for audio.
    pub keyframes: KeyframeRequests,
    /// Maps its RTP timestamps to our clock.
    pub clock_reference: Option<ClockReference>,
    /// Reads the dependency descriptors of its packets, and keeps the structure of the latest keyframe.
    pub(super) dependencies: DependencyReader,
    /// Counters for `getStats`.
    pub counters: Counters,
    /// Bytes received in the last second.
    pub rate: RateWindow,
    /// Index of the producer's codec that it carries now.
    pub format: u8,
    /// RTP clock rate in Hz.
    clock_rate: u32,
    /// Whether the next packet starts the sequence numbers anew.
    is_restarting: bool,
    /// First sequence number since the stream started or restarted.
    first: Option<SeqNo>,
    /// Packets expected before the last restart.
    expected_before: u64,
    /// Difference between our numbers and those of reports, which count the wraps since the start.
    wire_offset: u64,
    /// Highest sequence number received.
    highest: SeqNo,
    /// RTP timestamp of that packet.
    highest_timestamp: u32,
    /// Packets received since the stream started, repaired ones included.
    received: u64,
    /// Interarrival jitter, times sixteen (RFC 3550 A.8).
    jitter_q4: u32,
    /// Transit time of the last packet, in RTP timestamp units.
    transit: Option<u32>,
    /// Counts at the time of the last report.
    base: ReportBase,
    /// Fraction lost in the last report, in 256ths.
    fraction_lost: u8,
    /// Last sender report of the publisher.
    last_sr: Option<LastSenderReport>,
    /// Arrival time of the last packet.
    last_arrival: Option<Time>,
    /// Reception score, 0 to 10.
    score: u8,
    /// Counters when it was sampled last.
    pub sampled: SampledCounts,
}

/// Result of accepting a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is new.
    New {
        /// Its sequence number.
        seq: SeqNo,
        /// When it arrived; for one that came late, when it would have in the order of sending.
        at: Time,
        /// Gap before it.
        gap: Gap,
    },
    /// It was received before, or is a retransmission that was not requested.
    Duplicate,
}

impl Stream {
    /// Creates a stream that has received nothing.
    pub fn new(clock_rate: u32, retransmission: RetransmissionSupport) -> Self {
        let mut stream = Self {
            ssrc: None,
            rtx_ssrc: None,
            rid: None,
            cache: PacketCache::default(),
            keyframe_index: KeyframeIndex::default(),
            nacks: None,
            keyframes: KeyframeRequests::default(),
            clock_reference: None,
            dependencies: DependencyReader::default(),
            counters: Counters::default(),
            rate: RateWindow::default(),
            format: 0,
            clock_rate,
            is_restarting: false,
            first: None,
            expected_before: 0,
            wire_offset: 0,
            highest: SeqNo::default(),
            highest_timestamp: 0,
            received: 0,
            jitter_q4: 0,
            transit: None,
            base: ReportBase::default(),
            fraction_lost: 0,
            last_sr: None,
            last_arrival: None,
            score: SCORE_MAX,
            sampled: SampledCounts::default(),
        };
        stream.set_retransmission(retransmission);
        stream
    }

    /// Sets how the publisher can resend packets of the present codec.
    fn set_retransmission(&mut self, support: RetransmissionSupport) {
        if !support.nack {
            self.nacks = None;
            return;
        }
        let nacks = self.nacks.get_or_insert_default();
        nacks.set_rtx(support.rtx);
    }

    /// Continues under another SSRC: sequence numbers and timestamps of the next packet are unrelated to
    /// those so far.
    pub fn restart(&mut self) {
        self.is_restarting = self.first.is_some();
        self.last_sr = None;
        self.clock_reference = None;
    }

    /// Records the SSRC of a packet. Returns whether the stream continues under another one than before.
    pub fn record_ssrc(&mut self, ssrc: Ssrc) -> bool {
        let former = self.ssrc.replace(ssrc);
        let is_other = former.is_some_and(|former| former != ssrc);
        if is_other {
            self.restart();
        }
        is_other
    }

    /// Returns whether a packet with this sequence number is newer than all received.
    pub fn is_newest(&self, raw: u16) -> bool {
        self.first.is_none() || self.is_restarting || self.highest.nearest(raw) > self.highest
    }

    /// Continues with another codec of the producer.
    pub fn set_format(
        &mut self,
        format: u8,
        clock_rate: u32,
        retransmission: RetransmissionSupport,
    ) {
        self.format = format;
        self.set_retransmission(retransmission);
        if self.clock_rate == clock_rate {
            return;
        }
        let jitter = u64::from(self.jitter_q4) * u64::from(clock_rate);
        let jitter = jitter.checked_div(u64::from(self.clock_rate));
        self.jitter_q4 = jitter.and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
        self.clock_rate = clock_rate;
        self.transit = None;
        self.clock_reference = None;
    }

    /// Accepts a packet: assigns its sequence number, counts and caches it.
    pub fn accept(&mut self, now: Time, incoming: &Incoming, packet: &[u8]) -> Accepted {
        if incoming.retransmitted {
            self.counters.retransmitted += 1;
        }
        let Some(accepted) = self.number(now, incoming) else {
            return Accepted::Duplicate;
        };
        if let Accepted::New { seq, at, .. } = accepted {
            self.count(now, incoming, packet.len());
            if incoming.payload_len > 0 {
                self.cache.insert(now, seq, incoming, packet);
                if at < now {
                    self.cache.set_arrival(seq, at);
                }
                if incoming.redundancy_len > 0 {
                    self.cache.map_redundancy(seq);
                }
            } else {
                self.keyframe_index.record_padding(seq);
            }
        }
        accepted
    }

    /// Records that a keyframe starts in a packet.
    pub fn record_keyframe(&mut self, seq: SeqNo, timestamp: u32) {
        self.keyframes.fulfil();
        self.keyframe_index.record_keyframe(seq, timestamp);
    }

    /// Lets no new receiver start with the keyframes so far.
    pub fn forget_keyframes(&mut self) {
        self.keyframe_index.clear();
    }

    /// Returns the cached packets with which a new receiver can start, within the limits.
    pub fn catch_up(&self, limits: CatchUpLimits) -> Option<CatchUp> {
        self.keyframe_index
            .catch_up(&self.cache, self.highest, limits)
    }

    /// Caches the payload of a missing packet that a later one repeats. Reports count the packet as lost.
    pub fn recover(&mut self, now: Time, seq: SeqNo, incoming: &Incoming, payload: &[u8]) {
        self.cache.insert(now, seq, incoming, payload);
        self.counters.recovered += 1;
        if let Some(nacks) = &mut self.nacks {
            nacks.forget(seq);
        }
    }

    /// Caches a packet that was accepted on another shard.
    pub fn cache_shared(&mut self, now: Time, packet: &SharedPacket) {
        let arrival = &packet.arrival;
        self.highest = self.highest.max(arrival.seq);
        self.clock_reference = arrival.clock;
        if let Some(incoming) = &packet.incoming {
            self.cache.insert(now, arrival.seq, incoming, &packet.bytes);
        } else {
            self.keyframe_index.record_padding(arrival.seq);
        }
        if arrival.descriptor.keyframe {
            self.record_keyframe(arrival.seq, arrival.timestamp);
        }
    }

    /// Assigns the packet's sequence number; `None` for one that was received before.
    fn number(&mut self, now: Time, incoming: &Incoming) -> Option<Accepted> {
        if self.first.is_none() || self.is_restarting {
            return (!incoming.retransmitted).then(|| self.start(now, incoming));
        }
        let seq = self.highest.nearest(incoming.seq);
        if seq > self.highest {
            let jump = seq.0 - self.highest.0;
            if incoming.retransmitted && jump > 1 {
                // A retransmission ahead of the media stream does not reveal a gap.
                return None;
            }
            if jump > DROPOUT_MAX {
                return Some(self.start(now, incoming));
            }
            let gap = self.record_gap(now, seq);
            self.highest = seq;
            self.highest_timestamp = incoming.timestamp;
            return Some(Accepted::New { seq, at: now, gap });
        }
        let late_by = self.highest.0 - seq.0;
        if late_by > DROPOUT_MAX
            || (late_by > LATE_BY_NUMBERS && !self.can_be_late(incoming.timestamp))
        {
            return (!incoming.retransmitted).then(|| self.start(now, incoming));
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
            at: self.arrival_in_order(now, seq, incoming.timestamp),
            gap: Gap::None,
        })
    }

    /// Returns when a packet that is late would have arrived in the order of sending: before the next one, as
    /// their timestamps tell.
    fn arrival_in_order(&self, now: Time, seq: SeqNo, timestamp: u32) -> Time {
        let mut later = (seq.0 + 1..=self.highest.0).take(SLOTS_MAX);
        let next = later.find_map(|seq| self.cache.get(SeqNo(seq)));
        let Some((next, header)) = next.and_then(|it| Some((it, it.incoming()?))) else {
            return now;
        };
        // Frames are not always sent in the order of their capture.
        let ticks = header.timestamp.wrapping_sub(timestamp).cast_signed();
        let micros = u64::try_from(ticks).unwrap_or(0) * 1_000_000;
        let span = micros.checked_div(u64::from(self.clock_rate)).unwrap_or(0);
        let before = Duration::from_micros(span).min(BETWEEN_PACKETS_MAX);
        (next.arrived - before).min(now)
    }

    /// Returns whether a packet with this timestamp can have been sent before the newest.
    fn can_be_late(&self, timestamp: u32) -> bool {
        let back_max = self.clock_rate.saturating_mul(LATE_BY_SECS_MAX);
        let ahead_max = self.clock_rate / 2;
        let ahead = timestamp.wrapping_sub(self.highest_timestamp);
        ahead.wrapping_add(back_max) <= back_max.saturating_add(ahead_max)
    }

    /// Records the packets missing before `seq`, the newest.
    fn record_gap(&mut self, now: Time, seq: SeqNo) -> Gap {
        let Some(nacks) = &mut self.nacks else {
            return Gap::None;
        };
        let silence = self.last_arrival.map_or(Duration::ZERO, |at| now.since(at));
        if silence > REPAIRABLE_FOR && seq.0 > self.highest.0 + 1 {
            nacks.clear();
            return Gap::TooLarge;
        }
        nacks.record_gap(now, self.highest, seq)
    }

    /// Starts or restarts the sequence numbers at a publisher's packet. Counts go on over a restart;
    /// the numbers it skips were never sent, or not lost on the way that reports describe.
    fn start(&mut self, now: Time, incoming: &Incoming) -> Accepted {
        let raw = incoming.seq;
        let is_restart = self.first.is_some();
        let seq = if is_restart {
            // Starts one wrap above all earlier numbers, so that numbers never go back.
            self.expected_before = self.expected();
            let seq = SeqNo((self.highest.0 | 0xffff) + 0x1_0001 + u64::from(raw));
            let ahead = u64::from(raw.wrapping_sub(self.highest.raw()));
            self.wire_offset += seq.0 - self.highest.0 - ahead;
            seq
        } else {
            let seq = SeqNo::first(raw);
            self.wire_offset = seq.0 - u64::from(raw);
            seq
        };
        self.first = Some(seq);
        self.is_restarting = false;
        self.highest = seq;
        self.highest_timestamp = incoming.timestamp;
        self.keyframe_index.clear();
        self.transit = None;
        self.clock_reference = None;
        if let Some(nacks) = &mut self.nacks {
            nacks.clear();
        }
        let gap = if is_restart { Gap::TooLarge } else { Gap::None };
        Accepted::New { seq, at: now, gap }
    }

    /// Returns how many packets should have arrived since the stream started.
    fn expected(&self) -> u64 {
        let since_restart = self.first.map_or(0, |first| self.highest.0 - first.0 + 1);
        self.expected_before + since_restart
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

    /// Updates the interarrival jitter (RFC 3550 appendix A.8).
    #[expect(clippy::cast_possible_truncation, reason = "media time is modulo 2^32")]
    fn measure_jitter(&mut self, now: Time, timestamp: u32) {
        let arrival = now.as_micros().wrapping_mul(u64::from(self.clock_rate)) / 1_000_000;
        let transit = (arrival as u32).wrapping_sub(timestamp);
        if let Some(last) = self.transit.replace(transit) {
            let difference = transit.wrapping_sub(last).cast_signed().unsigned_abs();
            // A jump of the timestamp is not jitter.
            if difference < self.clock_rate.saturating_mul(5) {
                let decay = (self.jitter_q4 + 8) >> 4;
                self.jitter_q4 = self.jitter_q4.wrapping_add(difference).wrapping_sub(decay);
            } else {
                self.clock_reference = None;
            }
        }
    }

    /// Records a sender report of the publisher, whose clock is `clock`. `wall_micros` is our clock.
    pub fn record_sender_report(
        &mut self,
        now: Time,
        wall_micros: u64,
        report: ReportClock,
        clock: &mut PublisherClock,
    ) {
        let earlier = self.last_sr.map(|last| (last.clock, last.arrived));
        let reference = clock.reference(now, wall_micros, self.clock_rate, report, earlier);
        self.clock_reference = Some(reference);
        self.last_sr = Some(LastSenderReport {
            clock: report,
            arrived: now,
        });
    }

    /// Returns the reception report of this stream; `None` before its first packet.
    pub fn report(&mut self, now: Time) -> Option<ReportBlock> {
        let ssrc = self.ssrc?;
        self.first?;
        let expected = self.expected();
        let lost = expected.cast_signed() - self.received.cast_signed();
        self.close_interval(now, expected);
        // Zero stands for no report, which is what a publisher without a clock gets.
        let echoed = self
            .last_sr
            .map(|sr| (ntp_middle(sr.clock.ntp), now.since(sr.arrived)))
            .filter(|(compact_ntp, _)| *compact_ntp != 0);
        Some(ReportBlock {
            ssrc,
            fraction_lost: self.fraction_lost,
            // 24 bits signed on the wire (RFC 3550 §6.4.1).
            cumulative_lost: i32::try_from(lost.clamp(-0x80_0000, 0x7f_ffff)).unwrap_or(0),
            highest_seq: self.wire_highest(),
            jitter: self.jitter_q4 >> 4,
            last_sr: echoed.map_or(0, |(compact_ntp, _)| compact_ntp),
            delay_since_last_sr: echoed.map_or(0, |(_, passed)| compact_duration(passed)),
        })
    }

    /// Ends a reporting interval and updates loss and score.
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
        let is_silent = self
            .last_arrival
            .is_none_or(|at| now.since(at) > SILENT_AFTER);
        self.score = if is_silent {
            0
        } else {
            score_of(expected_now, received_now)
        };
    }

    /// Returns the highest sequence number received.
    pub fn highest(&self) -> SeqNo {
        self.highest
    }

    /// Returns the extended highest sequence number of a report: wraps since the start, then 16 bits.
    /// It never goes back, not even over a restart.
    #[expect(clippy::cast_possible_truncation, reason = "the report holds 32 bits")]
    fn wire_highest(&self) -> u32 {
        self.highest.0.wrapping_sub(self.wire_offset) as u32
    }

    /// Returns whether a packet has arrived.
    pub const fn has_started(&self) -> bool {
        self.first.is_some()
    }

    /// Returns the reception score, 0 to 10.
    pub fn score(&self) -> u8 {
        if self.first.is_none() { 0 } else { self.score }
    }

    /// Returns the fraction lost in the last report, in 256ths.
    pub fn fraction_lost(&self) -> u8 {
        self.fraction_lost
    }

    /// Returns the jitter in RTP timestamp units.
    pub fn jitter(&self) -> u32 {
        self.jitter_q4 >> 4
    }

    /// Returns the jitter in microseconds.
    pub fn jitter_micros(&self) -> u64 {
        let micros = u64::from(self.jitter()) * 1_000_000;
        micros.checked_div(u64::from(self.clock_rate)).unwrap_or(0)
    }

    /// Returns how many packets were lost so far.
    pub fn packets_lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }
}

/// Converts a duration to 65,536ths of a second, as RTCP writes it.
pub fn compact_duration(duration: Duration) -> u32 {
    let units = duration.as_micros().saturating_mul(65_536) / 1_000_000;
    u32::try_from(units).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
