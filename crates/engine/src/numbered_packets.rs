//! Finds packets by SSRC and sequence number, as congestion control feedback names them (RFC 8888), and
//! tells it in the terms of transport-wide feedback: by the order in which packets were sent, with times of
//! one clock.
//!
//! Both kinds of feedback then have the same effect, and are trusted no more than the other. Congestion
//! marks (ECN) are ignored, because we send packets without.

use std::collections::VecDeque;

use watersmeet_wire::rtcp::congestion_feedback::CongestionFeedback;
use watersmeet_wire::rtcp::twcc::WRAP_MICROS;
use watersmeet_wire::units::{Map, Ssrc};

use crate::congestion::PACKETS_MAX;

/// Units of a report timestamp in a second.
const TIMESTAMP_UNITS: i64 = 65_536;

/// Period of what is made of report timestamps, in their unit: 125 times [`WRAP_MICROS`], so that arrivals
/// go on where it ends.
const PERIOD: i64 = 1 << 43;

/// A packet and whether it arrived: its transport-wide number, and its arrival in microseconds of the
/// receiver's clock, which wraps after [`WRAP_MICROS`].
pub type ReportedPacket = (u16, Option<i64>);

/// Packets that were sent, by the numbers under which the peer knows them.
#[derive(Debug, Default)]
pub struct NumberedPackets {
    /// Packets of each stream, oldest first.
    streams: Map<Ssrc, VecDeque<Numbered>>,
    /// Streams of all packets, oldest first.
    order: VecDeque<Ssrc>,
    /// Latest report timestamp, and what it is in a clock with the period [`PERIOD`].
    clock: Option<(u32, i64)>,
}

/// A packet of a stream.
#[derive(Debug, Clone, Copy)]
struct Numbered {
    seq: u16,
    transport_seq: u16,
}

impl NumberedPackets {
    /// Remembers a packet. Transport-wide numbers count up. The oldest of [`PACKETS_MAX`] packets is
    /// forgotten.
    pub fn record(&mut self, ssrc: Ssrc, seq: u16, transport_seq: u16) {
        if self.order.len() >= PACKETS_MAX {
            self.forget_first();
        }
        self.order.push_back(ssrc);
        let numbered = Numbered { seq, transport_seq };
        self.streams.entry(ssrc).or_default().push_back(numbered);
    }

    /// Returns whether there has been feedback of this kind.
    pub const fn is_in_use(&self) -> bool {
        self.clock.is_some()
    }

    /// Returns what feedback says about packets that are remembered, in the order in which they were sent.
    ///
    /// A packet that arrived at an unknown time is left out, and so are packets behind the last one of a
    /// block that arrived: they may be on the way.
    pub fn resolve(&mut self, feedback: &CongestionFeedback<'_>) -> Vec<ReportedPacket> {
        let timestamp = self.unwrap(feedback.report_timestamp);
        let reported_at = timestamp * 1_000_000 / TIMESTAMP_UNITS;
        let mut reported = Vec::new();
        for stream in feedback.streams() {
            let Some(sent) = self.streams.get(&stream.ssrc) else {
                continue;
            };
            let mut arrived_until = reported.len();
            for (seq, arrival) in stream.packets() {
                let Some(transport_seq) = find(sent, seq) else {
                    continue;
                };
                let Some(arrival) = arrival else {
                    reported.push((transport_seq, None));
                    continue;
                };
                if let Some(age) = arrival.age() {
                    let age = i64::try_from(age.as_micros()).unwrap_or(0);
                    let at = (reported_at - age).rem_euclid(WRAP_MICROS);
                    reported.push((transport_seq, Some(at)));
                }
                arrived_until = reported.len();
            }
            reported.truncate(arrived_until);
        }
        let newest = reported.iter().map(|(seq, _)| *seq).max_by_key(|seq| {
            // Relative to any of them: all are at most a quarter of the numbers apart.
            let origin = reported.first().map_or(0, |(first, _)| *first);
            seq.wrapping_sub(origin).cast_signed()
        });
        reported.sort_by_key(|(seq, _)| {
            std::cmp::Reverse(newest.unwrap_or_default().wrapping_sub(*seq))
        });
        reported
    }

    /// Returns a report timestamp that continues the former ones.
    fn unwrap(&mut self, raw: u32) -> i64 {
        let (former, unwrapped) = self.clock.unwrap_or((raw, i64::from(raw)));
        let step = i64::from(raw.wrapping_sub(former).cast_signed());
        let unwrapped = (unwrapped + step).rem_euclid(PERIOD);
        self.clock = Some((raw, unwrapped));
        unwrapped
    }

    fn forget_first(&mut self) {
        let Some(ssrc) = self.order.pop_front() else {
            return;
        };
        let Some(stream) = self.streams.get_mut(&ssrc) else {
            return;
        };
        stream.pop_front();
        if stream.is_empty() {
            self.streams.remove(&ssrc);
        }
    }
}

/// Returns the transport-wide number of a packet of a stream.
fn find(sent: &VecDeque<Numbered>, seq: u16) -> Option<u16> {
    let first = sent.front()?.seq;
    let distance = |seq: u16| seq.wrapping_sub(first);
    let index = sent.binary_search_by_key(&distance(seq), |it| distance(it.seq));
    sent.get(index.ok()?).map(|it| it.transport_seq)
}

#[cfg(test)]
mod tests {
    use watersmeet_wire::rtcp::congestion_feedback::{Ecn, PacketArrival, StreamArrivals};
    use watersmeet_wire::rtcp::write::CompoundWriter;
    use watersmeet_wire::rtcp::{Packet, packets};

    use super::*;

    const VIDEO: Ssrc = Ssrc(7);
    const AUDIO: Ssrc = Ssrc(8);

    /// A packet that arrived so many 1/1024 s before the report.
    fn before(offset: u16) -> Option<PacketArrival> {
        Some(PacketArrival {
            ecn: Ecn::NotEct,
            offset: Some(offset),
        })
    }

    fn resolve(
        sent: &mut NumberedPackets,
        report_timestamp: u32,
        streams: &[(Ssrc, u16, &[Option<PacketArrival>])],
    ) -> Vec<ReportedPacket> {
        let streams: Vec<_> = streams
            .iter()
            .map(|(ssrc, begin_seq, arrivals)| StreamArrivals {
                ssrc: *ssrc,
                begin_seq: *begin_seq,
                arrivals,
            })
            .collect();
        let mut out = Vec::new();
        let mut writer = CompoundWriter::new(&mut out);
        assert!(writer.write_congestion_feedback(Ssrc(1), report_timestamp, &streams));
        match packets(&out).next() {
            Some(Ok(Packet::CongestionFeedback(feedback))) => sent.resolve(&feedback),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn feedback_on_several_streams_is_told_in_the_order_of_sending() {
        let mut sent = NumberedPackets::default();
        let streams = [VIDEO, AUDIO, VIDEO, VIDEO, AUDIO];
        let seqs = [65_535, 10, 0, 1, 11];
        for (index, (ssrc, seq)) in streams.into_iter().zip(seqs).enumerate() {
            let transport_seq = 65_534_u16.wrapping_add(u16::try_from(index).unwrap());
            sent.record(ssrc, seq, transport_seq);
        }
        assert!(!sent.is_in_use());
        let video: &[_] = &[before(1_024), None, before(512)];
        let audio: &[_] = &[before(0), None];
        let reported = resolve(
            &mut sent,
            10 * 65_536,
            &[(AUDIO, 10, audio), (VIDEO, 65_535, video)],
        );
        // The last packet of audio may be on the way.
        let expected = [
            (65_534, Some(9_000_000)),
            (65_535, Some(10_000_000)),
            (0, None),
            (1, Some(9_500_000)),
        ];
        assert_eq!(reported, expected);
        assert!(sent.is_in_use());
    }

    #[test]
    fn feedback_about_packets_that_were_not_sent_says_nothing() {
        let mut sent = NumberedPackets::default();
        sent.record(VIDEO, 5, 1);
        let all: &[_] = &[before(1); 8];
        let foreign = [(AUDIO, 0, all), (Ssrc(99), 5, all)];
        assert_eq!(resolve(&mut sent, 0, &foreign), []);
        assert_eq!(resolve(&mut sent, 0, &[(VIDEO, 0, all)]).len(), 1);
        // Arrived, but nobody knows when.
        let unknown = Some(PacketArrival {
            ecn: Ecn::NotEct,
            offset: None,
        });
        assert_eq!(resolve(&mut sent, 0, &[(VIDEO, 5, &[unknown])]), []);
    }

    #[test]
    fn report_timestamps_wrap() {
        let mut sent = NumberedPackets::default();
        sent.record(VIDEO, 0, 0);
        sent.record(VIDEO, 1, 1);
        let now: &[_] = &[before(0)];
        let first = resolve(&mut sent, u32::MAX - 65_535, &[(VIDEO, 0, now)]);
        let second = resolve(&mut sent, 65_536, &[(VIDEO, 1, now)]);
        let (_, Some(first)) = first[0] else { panic!() };
        assert_eq!(second, [(1, Some(first + 2_000_000))]);
    }

    #[test]
    fn jumping_report_timestamps_do_not_overflow() {
        let mut sent = NumberedPackets::default();
        sent.record(VIDEO, 0, 0);
        let now: &[_] = &[before(0)];
        for step in [i32::MAX, i32::MIN] {
            let mut timestamp = 7_u32;
            for _ in 0..10_000 {
                timestamp = timestamp.wrapping_add_signed(step);
                let reported = resolve(&mut sent, timestamp, &[(VIDEO, 0, now)]);
                assert!(matches!(reported[..], [(0, Some(0..WRAP_MICROS))]));
            }
        }
        assert_eq!(PERIOD * 1_000_000 / TIMESTAMP_UNITS, 125 * WRAP_MICROS);
    }

    #[test]
    fn remembered_packets_are_bounded() {
        let mut sent = NumberedPackets::default();
        for index in 0..20_000_u16 {
            // Each stream is used for a while.
            let ssrc = Ssrc(u32::from(index / 1_000));
            sent.record(ssrc, index, index);
        }
        let remembered: usize = sent.streams.values().map(VecDeque::len).sum();
        assert_eq!(remembered, PACKETS_MAX);
        assert_eq!(sent.order.len(), PACKETS_MAX);
        assert!(sent.streams.len() <= 6);
        let now: &[_] = &[before(0)];
        assert_eq!(resolve(&mut sent, 0, &[(Ssrc(15), 15_000, now)]), []);
        let newest = resolve(&mut sent, 0, &[(Ssrc(19), 19_999, now)]);
        assert_eq!(newest, [(19_999, Some(0))]);
    }
}
