//! Packet statistics of a stream: received, recovered by retransmission, or lost. A packet counts
//! as lost only when it has not been recovered in time. Also keeps the statistics of receiver
//! reports (RFC 3550 §6.4.1, A.3, A.8).

use std::time::Duration;

use watersmeet_wire::units::{Map, SeqNo, Time};

/// Time within which a missing packet must be recovered; it counts as lost after that.
pub const RECOVERY_TIME: Duration = Duration::from_secs(1);

/// Most missing packets that are remembered; the oldest ones above it count as lost.
pub const MISSING_MAX: usize = 4_096;

/// Largest gap that counts as loss; a larger one is a restarted sequence.
const SEQUENCE_JUMP: u64 = 3_000;

/// Classification of an arriving packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketArrival {
    /// The newest packet so far.
    Newest(SeqNo),
    /// A missing packet.
    FilledGap(SeqNo),
    /// A duplicate, or a packet too old to classify.
    Duplicate,
    /// A number far from the previous ones.
    SequenceJump,
}

/// Packet statistics of one stream.
#[derive(Debug, Default)]
pub struct PacketStats {
    /// Newest packet.
    newest: Option<SeqNo>,
    /// First packet that is counted.
    first: SeqNo,
    /// Missing packets, and when each gap was noticed.
    missing: Map<SeqNo, Time>,
    /// Packets that count as lost.
    lost: u64,
    /// Packets received on the stream itself.
    pub received: u64,
    /// Packets recovered by retransmissions.
    pub repaired: u64,
    /// Duplicate packets.
    pub repeated: u64,
    /// Interarrival jitter in ticks, times 16 (RFC 3550 A.8).
    jitter_x16: u32,
    /// Arrival minus RTP timestamp of the last packet, in ticks.
    transit: Option<u32>,
    /// Expected and received packets at the last report.
    reported: (u64, u64),
    /// Expected and received packets since the start.
    totals: (u64, u64),
}

/// Statistics of one report block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceptionStats {
    /// Share of packets lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the start.
    pub cumulative_lost: i32,
    /// Highest sequence number, with its count of wraps.
    pub highest: u32,
    /// Interarrival jitter, in ticks.
    pub jitter: u32,
}

impl PacketStats {
    /// Records the packet numbered `raw`. Reports count only packets of the media SSRC as received.
    pub fn record(&mut self, now: Time, raw: u16, repaired: bool) -> PacketArrival {
        let arrival = self.classify(now, raw);
        match arrival {
            PacketArrival::Duplicate => self.repeated += 1,
            PacketArrival::SequenceJump => {}
            PacketArrival::Newest(_) | PacketArrival::FilledGap(_) if repaired => {
                self.repaired += 1
            }
            PacketArrival::Newest(_) | PacketArrival::FilledGap(_) => self.received += 1,
        }
        if !repaired && arrival != PacketArrival::Duplicate {
            self.totals.1 += 1;
        }
        arrival
    }

    /// Removes the packet numbered `raw` from the missing ones: its payload arrived in another packet, of which
    /// reports know nothing. Returns its number if it was missing.
    pub fn recover(&mut self, raw: u16) -> Option<SeqNo> {
        let seq = self.newest?.nearest(raw);
        self.missing.remove(&seq).map(|_| seq)
    }

    fn classify(&mut self, now: Time, raw: u16) -> PacketArrival {
        let Some(newest) = self.newest else {
            let seq = SeqNo::first(raw);
            (self.newest, self.first) = (Some(seq), seq);
            self.totals.0 += 1;
            return PacketArrival::Newest(seq);
        };
        let seq = newest.nearest(raw);
        if seq <= newest {
            let filled = self.missing.remove(&seq).is_some();
            return if filled {
                PacketArrival::FilledGap(seq)
            } else {
                PacketArrival::Duplicate
            };
        }
        let step = seq.0 - newest.0;
        if step > SEQUENCE_JUMP {
            return PacketArrival::SequenceJump;
        }
        self.totals.0 += step;
        self.newest = Some(seq);
        for missing in newest.0 + 1..seq.0 {
            self.missing.insert(SeqNo(missing), now);
        }
        while self.missing.len() > MISSING_MAX
            && let Some((oldest, _)) = self.missing.pop_first()
        {
            self.lost += u64::from(oldest >= self.first);
        }
        PacketArrival::Newest(seq)
    }

    /// Records the RTP timestamp of a packet of the media SSRC, for the jitter (A.8).
    #[expect(
        clippy::cast_possible_truncation,
        reason = "RTP timestamps wrap at 32 bits"
    )]
    pub fn record_timestamp(&mut self, now: Time, timestamp: u32, clock_rate: u32) {
        let arrival = (u128::from(now.as_micros()) * u128::from(clock_rate) / 1_000_000) as u32;
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let change = transit.wrapping_sub(before).cast_signed().unsigned_abs();
            let smoothed = self.jitter_x16 - ((self.jitter_x16 + 8) >> 4);
            self.jitter_x16 = smoothed.saturating_add(change);
        }
    }

    /// Resets the counts, starting with the packet after the newest one. Older packets may still
    /// arrive, but are not counted.
    pub fn reset(&mut self) {
        self.first = self.newest.map_or(self.first, |newest| SeqNo(newest.0 + 1));
        (self.lost, self.received, self.repaired, self.repeated) = (0, 0, 0, 0);
    }

    /// Returns the number of packets that should have arrived.
    pub fn expected(&self) -> u64 {
        self.newest
            .map_or(0, |newest| (newest.0 + 1).saturating_sub(self.first.0))
    }

    /// Returns the number of packets that were not received or recovered in time.
    pub fn lost(&self, now: Time) -> u64 {
        let counted = self.missing.range(self.first..);
        let late = counted.filter(|(_, noticed)| now.since(**noticed) >= RECOVERY_TIME);
        self.lost + late.count() as u64
    }

    /// Returns the statistics for a report and starts its next interval. Returns `None` when
    /// nothing was received.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the fraction is below 256, sequence numbers have 32 bits in reports"
    )]
    pub fn report(&mut self) -> Option<ReceptionStats> {
        let newest = self.newest?;
        let (expected, received) = self.totals;
        let expected_since = expected - self.reported.0;
        let received_since = received - self.reported.1;
        self.reported = self.totals;
        let lost_since = expected_since.saturating_sub(received_since);
        let fraction = (lost_since << 8)
            .checked_div(expected_since)
            .unwrap_or(0)
            .min(255);
        let lost = i64::try_from(expected).ok()? - i64::try_from(received).ok()?;
        Some(ReceptionStats {
            fraction_lost: fraction as u8,
            cumulative_lost: i32::try_from(lost).unwrap_or(i32::MAX),
            // `SeqNo` starts with a wrap count of one, reports with zero.
            highest: (newest.0 - (1 << 16)) as u32,
            jitter: self.jitter_x16 >> 4,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn missing_packet_counts_as_lost_after_its_recovery_time() {
        let mut stats = PacketStats::default();
        assert_eq!(
            stats.record(at(0), 65_534, false),
            PacketArrival::Newest(SeqNo::first(65_534))
        );
        stats.record(at(0), 1, false);
        assert_eq!(stats.lost(at(999)), 0);
        assert!(matches!(
            stats.record(at(900), 0, true),
            PacketArrival::FilledGap(_)
        ));
        assert_eq!(stats.lost(at(1_000)), 1);
        assert_eq!(
            (stats.expected(), stats.received, stats.repaired),
            (4, 2, 1)
        );
        assert_eq!(stats.record(at(950), 0, true), PacketArrival::Duplicate);
    }

    #[test]
    fn report_holds_the_loss_since_the_last_one() {
        let mut stats = PacketStats::default();
        for seq in (100..200).filter(|seq| seq % 4 != 3) {
            stats.record(at(0), seq, false);
        }
        // 199 is lost as well, but that is not known yet.
        let reported = stats.report().unwrap();
        assert_eq!((reported.fraction_lost, reported.cumulative_lost), (62, 24));
        assert_eq!(reported.highest, 198);
        stats.record(at(0), 199, false);
        assert_eq!(stats.report().unwrap().fraction_lost, 0);
    }

    #[test]
    fn reset_excludes_earlier_packets() {
        let mut stats = PacketStats::default();
        stats.record(at(0), 10, false);
        stats.record(at(0), 13, false);
        stats.reset();
        stats.record(at(5), 14, false);
        assert_eq!((stats.expected(), stats.lost(at(5_000))), (1, 0));
        assert!(matches!(
            stats.record(at(6), 12, true),
            PacketArrival::FilledGap(_)
        ));
    }
}
