//! Congestion control feedback: arrival time and ECN mark of each packet, for each stream (RFC 8888
//! §3.1). It serves the same purpose as transport-wide feedback, without a header extension.

use std::time::Duration;

use super::reader::Reader;
use crate::units::Ssrc;

/// Most packets that one block may report.
pub const REPORTS_MAX: u16 = 16_384;

/// Largest arrival offset, in 1/1024 s: it stands for all offsets above 8,189.
pub const ARRIVAL_OFFSET_MAX: u16 = 0x1ffe;

/// Arrival offset that is not known, or of a packet that arrived after the time of the report.
const ARRIVAL_OFFSET_UNKNOWN: u16 = 0x1fff;
/// R bit: the packet arrived.
const RECEIVED: u16 = 0x8000;
/// Length of SSRC, first sequence number and number of reports.
const BLOCK_HEADER_LEN: usize = 8;
/// Length of the report timestamp at the end.
const TIMESTAMP_LEN: usize = 4;

/// Congestion mark that a packet arrived with (RFC 3168 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ecn {
    /// The path or the sender does not support marks.
    NotEct,
    /// ECT(1): L4S.
    Ect1,
    /// ECT(0).
    Ect0,
    /// A router on the path is congested.
    CongestionExperienced,
}

impl Ecn {
    const fn from_bits(bits: u16) -> Self {
        match bits & 0x03 {
            0 => Self::NotEct,
            1 => Self::Ect1,
            2 => Self::Ect0,
            _ => Self::CongestionExperienced,
        }
    }
}

/// Arrival of one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketArrival {
    /// Congestion mark.
    pub ecn: Ecn,
    /// How long before the report timestamp it arrived, in 1/1024 s, at most [`ARRIVAL_OFFSET_MAX`];
    /// `None` when that is not known.
    pub offset: Option<u16>,
}

impl PacketArrival {
    /// Returns how long before the report timestamp the packet arrived, when that is known exactly.
    pub fn age(&self) -> Option<Duration> {
        let offset = self.offset.filter(|&offset| offset < ARRIVAL_OFFSET_MAX)?;
        Some(Duration::from_micros(u64::from(offset) * 1_000_000 / 1_024))
    }

    const fn from_report(report: u16) -> Option<Self> {
        if report & RECEIVED == 0 {
            return None;
        }
        let offset = match report & ARRIVAL_OFFSET_UNKNOWN {
            ARRIVAL_OFFSET_UNKNOWN => None,
            known => Some(known),
        };
        let ecn = Ecn::from_bits(report >> 13);
        Some(Self { ecn, offset })
    }

    const fn to_report(self) -> u16 {
        let offset = match self.offset {
            None => ARRIVAL_OFFSET_UNKNOWN,
            Some(ARRIVAL_OFFSET_MAX..) => ARRIVAL_OFFSET_MAX,
            Some(offset) => offset,
        };
        RECEIVED | (self.ecn as u16) << 13 | offset
    }
}

/// Feedback packet.
#[derive(Debug, Clone, Copy)]
pub struct CongestionFeedback<'a> {
    /// Sender of the feedback.
    pub sender: Ssrc,
    /// Time of the report: the middle 32 bits of the receiver's NTP time, in 1/65536 s.
    pub report_timestamp: u32,
    /// Valid blocks of streams.
    blocks: &'a [u8],
}

impl<'a> CongestionFeedback<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(body);
        let sender = reader.ssrc()?;
        let blocks = reader.take(reader.0.len().checked_sub(TIMESTAMP_LEN)?)?;
        let report_timestamp = reader.u32()?;
        let mut rest = blocks;
        while !rest.is_empty() {
            (_, rest) = StreamReport::parse(rest)?;
        }
        Some(Self {
            sender,
            report_timestamp,
            blocks,
        })
    }

    /// Returns the reports of all streams. A stream may occur more than once.
    pub fn streams(&self) -> impl Iterator<Item = StreamReport<'a>> + Clone + use<'a> {
        let mut rest = self.blocks;
        std::iter::from_fn(move || {
            let (report, after) = StreamReport::parse(rest)?;
            rest = after;
            Some(report)
        })
    }

    /// Writes sender, blocks and report timestamp. Returns `None` when a stream has too many
    /// reports.
    pub(super) fn write(
        out: &mut Vec<u8>,
        sender: Ssrc,
        report_timestamp: u32,
        streams: &[StreamArrivals<'_>],
    ) -> Option<()> {
        out.extend(sender.0.to_be_bytes());
        for stream in streams {
            let count = u16::try_from(stream.arrivals.len()).ok();
            let count = count.filter(|&count| count <= REPORTS_MAX)?;
            out.extend(stream.ssrc.0.to_be_bytes());
            out.extend(stream.begin_seq.to_be_bytes());
            out.extend(count.to_be_bytes());
            for arrival in stream.arrivals {
                out.extend(arrival.map_or(0, PacketArrival::to_report).to_be_bytes());
            }
            if !count.is_multiple_of(2) {
                out.extend([0; 2]);
            }
        }
        out.extend(report_timestamp.to_be_bytes());
        Some(())
    }
}

/// Consecutive packets of one stream.
#[derive(Debug, Clone, Copy)]
pub struct StreamReport<'a> {
    /// Stream.
    pub ssrc: Ssrc,
    /// Sequence number of the first packet.
    pub begin_seq: u16,
    /// Reports, two bytes each.
    reports: &'a [u8],
}

impl<'a> StreamReport<'a> {
    /// Reads the first block of `blocks`. Returns it and the blocks after it.
    fn parse(blocks: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (header, rest) = blocks.split_at_checked(BLOCK_HEADER_LEN)?;
        let mut header = Reader(header);
        let (ssrc, begin_seq, count) = (header.ssrc()?, header.u16()?, header.u16()?);
        if count > REPORTS_MAX {
            return None;
        }
        let len = usize::from(count) * 2;
        let (padded, rest) = rest.split_at_checked(len.next_multiple_of(4))?;
        let report = Self {
            ssrc,
            begin_seq,
            reports: padded.get(..len)?,
        };
        Some((report, rest))
    }

    /// Returns each packet in order: its sequence number, and its arrival or `None` when it did not
    /// arrive.
    pub fn packets(
        &self,
    ) -> impl ExactSizeIterator<Item = (u16, Option<PacketArrival>)> + Clone + use<'a> {
        let mut next_seq = self.begin_seq;
        let (reports, _) = self.reports.as_chunks::<2>();
        reports.iter().map(move |report| {
            let seq = next_seq;
            next_seq = seq.wrapping_add(1);
            (seq, PacketArrival::from_report(u16::from_be_bytes(*report)))
        })
    }
}

/// Arrivals of consecutive packets of one stream, to be written.
#[derive(Debug, Clone, Copy)]
pub struct StreamArrivals<'a> {
    /// Stream.
    pub ssrc: Ssrc,
    /// Sequence number of the first packet.
    pub begin_seq: u16,
    /// Arrival of each packet; `None` when it did not arrive.
    pub arrivals: &'a [Option<PacketArrival>],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::write::CompoundWriter;
    use crate::rtcp::{Packet, RtcpError, packets};

    /// Two streams: packets 65,534 to 0 of the first, where the middle one was lost; none of the
    /// second.
    const FEEDBACK: [u8; 36] = [
        0x8b, 205, 0, 8, 0, 0, 0, 1, // header, sender
        0, 0, 0, 2, 0xff, 0xfe, 0, 3, // stream 2
        0xa4, 0, 0, 0, 0xff, 0xff, 0,
        0, // ECT(1) 1 s before, lost, CE at an unknown time, padding
        0, 0, 0, 3, 0, 7, 0, 0, // stream 3 without reports
        0x12, 0x34, 0x56, 0x78, // time
    ];

    fn parse(datagram: &[u8]) -> CongestionFeedback<'_> {
        match packets(datagram).next() {
            Some(Ok(Packet::CongestionFeedback(feedback))) => feedback,
            other => panic!("{other:?}"),
        }
    }

    fn arrival(ecn: Ecn, offset: Option<u16>) -> Option<PacketArrival> {
        Some(PacketArrival { ecn, offset })
    }

    #[test]
    fn feedback_of_two_streams_is_read_and_written() {
        let feedback = parse(&FEEDBACK);
        assert_eq!(
            (feedback.sender, feedback.report_timestamp),
            (Ssrc(1), 0x1234_5678)
        );
        let streams: Vec<_> = feedback.streams().collect();
        let arrivals = [
            arrival(Ecn::Ect1, Some(1_024)),
            None,
            arrival(Ecn::CongestionExperienced, None),
        ];
        let [first, second] = streams.as_slice() else {
            panic!("{streams:?}");
        };
        assert_eq!((first.ssrc, second.ssrc), (Ssrc(2), Ssrc(3)));
        let seqs = [65_534, 65_535, 0];
        assert!(
            first.packets().eq(seqs.into_iter().zip(arrivals)),
            "sequence numbers wrap"
        );
        assert_eq!(second.packets().len(), 0);

        let mut out = Vec::new();
        let streams = [
            StreamArrivals {
                ssrc: Ssrc(2),
                begin_seq: 65_534,
                arrivals: &arrivals,
            },
            StreamArrivals {
                ssrc: Ssrc(3),
                begin_seq: 7,
                arrivals: &[],
            },
        ];
        let mut writer = CompoundWriter::new(&mut out);
        assert!(writer.write_congestion_feedback(Ssrc(1), 0x1234_5678, &streams));
        assert_eq!(out, FEEDBACK);
    }

    #[test]
    fn age_is_given_in_real_time_and_only_when_it_is_exact() {
        let age = |offset| {
            PacketArrival {
                ecn: Ecn::NotEct,
                offset,
            }
            .age()
        };
        assert_eq!(age(Some(1_024)), Some(Duration::from_secs(1)));
        assert_eq!(age(Some(8_189)), Some(Duration::from_micros(7_997_070)));
        assert_eq!(age(Some(ARRIVAL_OFFSET_MAX)), None);
        assert_eq!(age(None), None);
    }

    #[test]
    fn offset_beyond_the_field_is_written_as_the_largest() {
        let mut out = Vec::new();
        let arrivals = [
            arrival(Ecn::Ect0, Some(u16::MAX)),
            arrival(Ecn::NotEct, Some(0)),
        ];
        let stream = StreamArrivals {
            ssrc: Ssrc(2),
            begin_seq: 0,
            arrivals: &arrivals,
        };
        assert!(CompoundWriter::new(&mut out).write_congestion_feedback(Ssrc(1), 0, &[stream]));
        let read: Vec<_> = parse(&out).streams().flat_map(|it| it.packets()).collect();
        let largest = arrival(Ecn::Ect0, Some(ARRIVAL_OFFSET_MAX));
        assert_eq!(read, [(0, largest), (1, arrivals[1])]);
    }

    #[test]
    fn truncated_or_oversized_block_is_malformed() {
        let with_words = |words: u8| {
            let mut datagram = FEEDBACK[..4 + usize::from(words) * 4].to_vec();
            datagram[3] = words;
            let read = packets(&datagram).next().unwrap();
            read.map(|_| ())
        };
        // A block starts after the sender, and the last word is the time.
        let valid = [2, 6, 8];
        for words in 0..=8 {
            let expected = if valid.contains(&words) {
                Ok(())
            } else {
                Err(RtcpError::Malformed(205))
            };
            assert_eq!(with_words(words), expected, "{words} words");
        }

        let mut out = Vec::new();
        let arrivals = vec![None; usize::from(REPORTS_MAX) + 1];
        let stream = |arrivals| StreamArrivals {
            ssrc: Ssrc(2),
            begin_seq: 0,
            arrivals,
        };
        let mut writer = CompoundWriter::with_len_max(&mut out, 1 << 18);
        assert!(!writer.write_congestion_feedback(Ssrc(1), 0, &[stream(&arrivals)]));
        assert!(writer.is_empty());
        assert!(writer.write_congestion_feedback(Ssrc(1), 0, &[stream(&arrivals[1..])]));
        out[15] += 1;
        let read = packets(&out).next().unwrap();
        assert!(matches!(read, Err(RtcpError::Malformed(205))));
    }
}
