//! Statistics and reports of a consumer: the peer's reports on the stream it receives, and ours to the peer
//! (RFC 3550 §6.4).

use std::time::Duration;

use watersmeet_wire::rtcp::report::ReportBlock;
use watersmeet_wire::units::{Ssrc, Time};

use super::rewrite::media_time;
use super::{Consumer, PeerReport};
use crate::redundancy::SentSoFar;
use crate::score::score_of;
use crate::stats::ConsumerStats;

/// Seconds by which a sender report may deviate from the time passed since the latest packet. A
/// publisher whose clock deviates by more is not followed.
const REPORT_DEVIATION_SECS_MAX: u32 = 10;

/// Fields of a sender report except the wall clock (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReportFields {
    /// SSRC of the stream.
    pub ssrc: Ssrc,
    /// RTP timestamp at the time of the report.
    pub timestamp: u32,
    /// Packets sent, modulo 2^32.
    pub packets: u32,
    /// Payload bytes sent, modulo 2^32.
    pub payload_bytes: u32,
}

impl Consumer {
    /// Records the peer's reception report on the stream. Returns the round-trip time, if it shows one.
    pub fn record_report(&mut self, now: Time, block: &ReportBlock) -> Option<Duration> {
        let echoed = |sent: &&(u32, Time)| block.last_sr != 0 && sent.0 == block.last_sr;
        let rtt = self.reports_sent.iter().find(echoed).map(|(_, at)| {
            let held_micros = u64::from(block.delay_since_last_sr) * 1_000_000 / 65_536;
            now.since(*at)
                .saturating_sub(Duration::from_micros(held_micros))
        });
        let packets_lost = u32::try_from(block.cumulative_lost).unwrap_or(0);
        // A peer's count may go back when late packets arrive, and states anything: it counts only where
        // it rises, and no more than was sent.
        self.counters.lost = self
            .counters
            .lost
            .max(packets_lost.into())
            .min(self.counters.packets);
        self.report = Some(PeerReport {
            fraction_lost: block.fraction_lost,
            packets_lost,
            jitter: block.jitter,
        });
        if self.red_pt.is_some() {
            let sent = SentSoFar {
                packets: self.counters.packets,
                highest: self.sequence.highest(),
            };
            self.distance_control
                .record_report(now, block.fraction_lost, sent);
        }
        if let Some(rtt) = rtt {
            self.round_trip.record(now, rtt);
        }
        rtt
    }

    /// Returns the score of what its peer receives, if that is to be told now.
    pub fn take_changed_score(&mut self, now: Time) -> Option<u8> {
        let lost = u64::from(self.report?.fraction_lost);
        let score = score_of(256, 256 - lost);
        self.told.record_score(now, score).then_some(score)
    }

    /// Returns the round-trip time that reports on the stream show; `None` while they show none.
    pub fn measured_rtt(&self, now: Time) -> Option<Duration> {
        self.round_trip.get(now)
    }

    /// Returns the jitter that the peer reported last.
    pub fn reported_jitter(&self) -> Duration {
        let ticks = u64::from(self.report.map_or(0, |it| it.jitter));
        let micros = (ticks * 1_000_000).checked_div(self.clock_rate.into());
        Duration::from_micros(micros.unwrap_or(0))
    }

    /// Returns the fields of a sender report; `None` before the first packet.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the report counts modulo 2^32"
    )]
    pub fn sender_report(&self, now: Time, wall_micros: u64) -> Option<SenderReportFields> {
        let (latest, arrived) = self.timestamps.latest()?;
        let by_time = latest.wrapping_add(media_time(now.since(arrived), self.clock_rate));
        let deviation_max = self.clock_rate.saturating_mul(REPORT_DEVIATION_SECS_MAX);
        let is_plausible = |timestamp: &u32| {
            timestamp.wrapping_sub(by_time).cast_signed().unsigned_abs() <= deviation_max
        };
        let by_clock = self.clock.map(|clock| {
            let timestamp = clock.timestamp_at(wall_micros, self.clock_rate);
            timestamp.wrapping_add(self.timestamps.offset())
        });
        let timestamp = by_clock.filter(is_plausible).unwrap_or(by_time);
        Some(SenderReportFields {
            ssrc: self.ssrc,
            timestamp,
            packets: self.counters.packets as u32,
            payload_bytes: self.counters.payload_bytes as u32,
        })
    }

    /// Returns the latest measured round-trip time, which is forgotten when it is too old.
    pub fn latest_rtt(&self) -> Option<Duration> {
        self.round_trip.latest()
    }

    /// Remembers a sender report that was sent.
    pub fn record_report_sent(&mut self, now: Time, compact_ntp: u32) {
        self.round_trip.expire(now);
        if self.reports_sent.is_full() {
            self.reports_sent.remove(0);
        }
        self.reports_sent.push((compact_ntp, now));
    }

    /// Returns the statistics of its stream.
    pub fn stats(&mut self, now: Time) -> ConsumerStats {
        let report = self.report;
        ConsumerStats {
            stats_type: "outbound-rtp",
            timestamp: now.as_millis(),
            ssrc: self.ssrc.0,
            rtx_ssrc: self.rtx.as_ref().map(|rtx| rtx.ssrc.0),
            kind: self.kind,
            mime_type: self.mime_type().to_owned(),
            packet_count: self.counters.packets,
            byte_count: self.counters.bytes,
            bitrate: self.rate.bitrate(now).as_bps(),
            packets_lost: report.map_or(0, |report| u64::from(report.packets_lost)),
            fraction_lost: report.map_or(0, |report| report.fraction_lost),
            round_trip_time: self
                .measured_rtt(now)
                .map_or(0.0, |rtt| rtt.as_secs_f64() * 1_000.0),
            packets_retransmitted: self.counters.retransmitted,
            packets_with_redundancy: self.counters.redundant,
            nack_count: self.counters.nacks,
            nack_packet_count: self.counters.nacked_packets,
            pli_count: self.counters.plis,
            fir_count: self.counters.firs,
            current_layers: self.layers.sent(),
        }
    }
}
