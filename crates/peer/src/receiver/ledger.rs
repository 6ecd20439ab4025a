//! What became of every packet of a stream: received first time, brought back, or lost for good. It
//! judges the whole way, so a packet counts as lost only when it had its time to come back. It also
//! keeps the figures of receiver reports (RFC 3550 §6.4.1, A.3, A.8).

use std::time::Duration;

use watersmeet_wire::units::{Map, SeqNo, Time};

/// How long a missing packet may take to come back before it is lost.
pub const COMEBACK: Duration = Duration::from_secs(1);

/// Most missing packets that are remembered; more of them are lost at once.
pub const MISSING_MAX: usize = 4_096;

/// A jump of this many numbers is no loss: the sequence began anew.
const JUMP: u64 = 3_000;

/// How a packet fits into its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It is newer than all others.
    Newest(SeqNo),
    /// It fills a gap.
    Filling(SeqNo),
    /// It was there already, or is too old to know.
    Known,
    /// Its number has nothing to do with the ones before.
    Jump,
}

/// Packets of one stream.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The newest packet.
    newest: Option<SeqNo>,
    /// The first packet that is counted.
    first: SeqNo,
    /// What is missing, and since when.
    missing: Map<SeqNo, Time>,
    /// Packets that are lost for good.
    lost: u64,
    /// Packets that came in their own stream.
    pub received: u64,
    /// Packets that a retransmission brought back.
    pub repaired: u64,
    /// Packets that came more than once.
    pub repeated: u64,
    /// Interarrival jitter in ticks, times 16.
    jitter_x16: u32,
    /// Arrival less media time of the newest packet, in ticks.
    transit: Option<u32>,
    /// Expected and received packets at the last report.
    reported: (u64, u64),
    /// Expected and received packets since the beginning.
    totals: (u64, u64),
}

/// The figures of one report block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    /// Share of packets lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost since the beginning.
    pub cumulative_lost: i32,
    /// The newest number, with its wraps.
    pub highest: u32,
    /// Jitter in ticks.
    pub jitter: u32,
}

impl Ledger {
    /// Places the packet numbered `raw`. Only packets of the stream's own SSRC are counted as
    /// received for reports.
    pub fn place(&mut self, now: Time, raw: u16, repaired: bool) -> Arrival {
        let arrival = self.locate(now, raw);
        match arrival {
            Arrival::Known => self.repeated += 1,
            Arrival::Jump => {}
            Arrival::Newest(_) | Arrival::Filling(_) if repaired => self.repaired += 1,
            Arrival::Newest(_) | Arrival::Filling(_) => self.received += 1,
        }
        if !repaired && arrival != Arrival::Known {
            self.totals.1 += 1;
        }
        arrival
    }

    fn locate(&mut self, now: Time, raw: u16) -> Arrival {
        let Some(newest) = self.newest else {
            let seq = SeqNo::first(raw);
            (self.newest, self.first) = (Some(seq), seq);
            self.totals.0 += 1;
            return Arrival::Newest(seq);
        };
        let seq = newest.nearest(raw);
        if seq <= newest {
            let filled = self.missing.remove(&seq).is_some();
            return if filled {
                Arrival::Filling(seq)
            } else {
                Arrival::Known
            };
        }
        let step = seq.0 - newest.0;
        if step > JUMP {
            return Arrival::Jump;
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
        Arrival::Newest(seq)
    }

    /// Notes the media time of a packet of the stream's own SSRC, for the jitter (A.8).
    #[expect(
        clippy::cast_possible_truncation,
        reason = "media time wraps at 32 bits"
    )]
    pub fn clock(&mut self, now: Time, timestamp: u32, clock_rate: u32) {
        let arrival = (u128::from(now.as_micros()) * u128::from(clock_rate) / 1_000_000) as u32;
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let change = transit.wrapping_sub(before).cast_signed().unsigned_abs();
            let smoothed = self.jitter_x16 - ((self.jitter_x16 + 8) >> 4);
            self.jitter_x16 = smoothed.saturating_add(change);
        }
    }

    /// Counts afresh from the packet after the newest one. What is missing before it may still
    /// come, and counts no more.
    pub fn restart(&mut self) {
        self.first = self.newest.map_or(self.first, |newest| SeqNo(newest.0 + 1));
        (self.lost, self.received, self.repaired, self.repeated) = (0, 0, 0, 0);
    }

    /// Packets that should have come by now.
    pub fn expected(&self) -> u64 {
        self.newest
            .map_or(0, |newest| (newest.0 + 1).saturating_sub(self.first.0))
    }

    /// Packets that did not come within their time.
    pub fn lost(&self, now: Time) -> u64 {
        let counted = self.missing.range(self.first..);
        let late = counted.filter(|(_, noticed)| now.since(**noticed) >= COMEBACK);
        self.lost + late.count() as u64
    }

    /// The figures for a report, whose interval ends here. `None` when nothing came.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a share below 256, and 32 bits of numbers"
    )]
    pub fn report(&mut self) -> Option<Reported> {
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
        Some(Reported {
            fraction_lost: fraction as u8,
            cumulative_lost: i32::try_from(lost).unwrap_or(i32::MAX),
            // The number before the first wrap is 65,536 for us and 0 in a report.
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
    fn a_packet_is_lost_only_after_its_time_to_come_back() {
        let mut ledger = Ledger::default();
        assert_eq!(
            ledger.place(at(0), 65_534, false),
            Arrival::Newest(SeqNo::first(65_534))
        );
        ledger.place(at(0), 1, false);
        assert_eq!(ledger.lost(at(999)), 0);
        assert!(matches!(
            ledger.place(at(900), 0, true),
            Arrival::Filling(_)
        ));
        assert_eq!(ledger.lost(at(1_000)), 1);
        assert_eq!(
            (ledger.expected(), ledger.received, ledger.repaired),
            (4, 2, 1)
        );
        assert_eq!(ledger.place(at(950), 0, true), Arrival::Known);
    }

    #[test]
    fn a_report_tells_the_loss_since_the_last_one() {
        let mut ledger = Ledger::default();
        for seq in (100..200).filter(|seq| seq % 4 != 3) {
            ledger.place(at(0), seq, false);
        }
        // 199 itself was lost too, and is not yet known to be.
        let reported = ledger.report().unwrap();
        assert_eq!((reported.fraction_lost, reported.cumulative_lost), (62, 24));
        assert_eq!(reported.highest, 198);
        ledger.place(at(0), 199, false);
        assert_eq!(ledger.report().unwrap().fraction_lost, 0);
    }

    #[test]
    fn counting_afresh_leaves_out_what_was_before() {
        let mut ledger = Ledger::default();
        ledger.place(at(0), 10, false);
        ledger.place(at(0), 13, false);
        ledger.restart();
        ledger.place(at(5), 14, false);
        assert_eq!((ledger.expected(), ledger.lost(at(5_000))), (1, 0));
        assert!(matches!(ledger.place(at(6), 12, true), Arrival::Filling(_)));
    }
}
