//! Chunks against the examples of the draft, and round trips of written feedback.

use super::*;
use crate::rtcp::write::CompoundWriter;
use crate::rtcp::{COMPOUND_LEN_MAX, Packet, packets};
use crate::units::{SeqNo, Time};

const HEADER: FeedbackHeader = FeedbackHeader {
    sender: Ssrc(1),
    media: Ssrc(2),
    base: SeqNo(0x1_0000),
    feedback_count: 7,
};

/// Returns a packet body with these chunks and deltas.
fn body(base: u16, count: u16, chunks: &[u16], deltas: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 1, 0, 0, 0, 2];
    body.extend(base.to_be_bytes());
    body.extend(count.to_be_bytes());
    body.extend([0, 0, 2, 7]);
    body.extend(chunks.iter().flat_map(|bits| bits.to_be_bytes()));
    body.extend_from_slice(deltas);
    body
}

/// Returns sequence numbers and arrivals in microseconds after the reference time, which `body`
/// sets to 128 ms.
fn read(body: &[u8]) -> Option<Vec<(u16, Option<i64>)>> {
    let feedback = TransportFeedback::parse(body)?;
    assert_eq!((feedback.reference_time, feedback.feedback_count), (2, 7));
    let after_reference = |at: i64| at - 128_000;
    Some(
        feedback
            .packets()
            .map(|(seq, at)| (seq, at.map(after_reference)))
            .collect(),
    )
}

/// Returns arrivals from sequence numbers and milliseconds.
fn arrivals(list: &[(u64, u64)]) -> Vec<(SeqNo, Time)> {
    list.iter()
        .map(|(seq, ms)| (SeqNo(0x1_0000 + seq), Time::from_millis(*ms)))
        .collect()
}

/// Writes feedback until all arrivals are reported; returns the packets of each datagram.
fn reported(
    head: FeedbackHeader,
    arrivals: &[(SeqNo, Time)],
    len_max: usize,
) -> Vec<Vec<(u16, Option<i64>)>> {
    let mut head = head;
    let mut rest = arrivals;
    let mut all = Vec::new();
    loop {
        let mut out = Vec::new();
        let mut writer = CompoundWriter::with_len_max(&mut out, len_max);
        let Some(written) = writer.write_transport_feedback(&head, rest) else {
            assert!(out.is_empty());
            return all;
        };
        assert!(out.len() <= len_max);
        let mut walk = packets(&out);
        let Some(Ok(Packet::TransportFeedback(feedback))) = walk.next() else {
            panic!("no feedback")
        };
        assert!(walk.next().is_none());
        assert_eq!(feedback.feedback_count, head.feedback_count);
        assert_eq!((feedback.sender, feedback.media), (head.sender, head.media));
        let list: Vec<_> = feedback.packets().collect();
        assert_eq!(list.len(), usize::from(feedback.status_count));
        assert_eq!(
            written.next_base.raw(),
            list.last().unwrap().0.wrapping_add(1)
        );
        all.push(list);
        head.base = written.next_base;
        head.feedback_count = head.feedback_count.wrapping_add(1);
        rest = &rest[written.arrivals..];
    }
}

#[test]
fn run_of_small_deltas_is_parsed() {
    // 0, symbol 01, length 3.
    let body = body(65_535, 3, &[0x2003], &[4, 0, 255]);
    assert_eq!(
        read(&body).unwrap(),
        [(65_535, Some(1_000)), (0, Some(1_000)), (1, Some(64_750))]
    );
}

#[test]
fn long_run_of_losses_needs_no_deltas() {
    // 0, symbol 00, length 221: the first example of the draft.
    let list = read(&body(10, 221, &[0x00dd], &[])).unwrap();
    assert_eq!(list.len(), 221);
    assert!(list.iter().all(|(_, at)| at.is_none()));
}

#[test]
fn vector_of_one_bit_symbols_is_parsed() {
    // 1, 0, then 0 1 1 1 1 1 0 0 0 1 1 1 0 0: an example of the draft.
    let list = read(&body(0, 14, &[0x9f1c], &[1; 8])).unwrap();
    let arrived: Vec<u16> = list
        .iter()
        .filter(|(_, at)| at.is_some())
        .map(|(s, _)| *s)
        .collect();
    assert_eq!(arrived, [1, 2, 3, 4, 5, 9, 10, 11]);
    assert_eq!(list[11].1, Some(8 * 250));
}

#[test]
fn vector_of_two_bit_symbols_is_parsed_with_negative_deltas() {
    // 1, 1, then 00 01 10 10 00 01 00.
    let body = body(
        0,
        7,
        &[0b1100_0110_1000_0100],
        &[8, 0xff, 0xfc, 0x7f, 0xff, 1],
    );
    let list = read(&body).unwrap();
    let at: Vec<_> = list.iter().map(|(_, at)| *at).collect();
    let late = 1_000 + 32_767 * 250;
    assert_eq!(
        at,
        [
            None,
            Some(2_000),
            Some(1_000),
            Some(late),
            None,
            Some(late + 250),
            None
        ]
    );
}

#[test]
fn symbols_and_bytes_beyond_the_count_are_ignored() {
    let list = read(&body(0, 2, &[0x8000 | 0x3fff], &[1, 1, 99, 99])).unwrap();
    assert_eq!(list, [(0, Some(250)), (1, Some(500))]);
    // Even a reserved symbol is ignored there.
    assert_eq!(
        read(&body(0, 1, &[0b1101_0000_0000_0011], &[4])).unwrap(),
        [(0, Some(1_000))]
    );
}

#[test]
fn empty_run_is_skipped() {
    let list = read(&body(0, 2, &[0x2000, 0x0000, 0x2001, 0x4000, 0x0001], &[4])).unwrap();
    assert_eq!(list, [(0, Some(1_000)), (1, None)]);
}

#[test]
fn impossible_feedback_is_rejected() {
    for (reason, body) in [
        ("no packets", body(0, 0, &[0x2001], &[1])),
        (
            "too many packets",
            body(0, STATUSES_MAX + 1, &[0x1fff, 0x1fff], &[]),
        ),
        ("chunks end early", body(0, 4, &[0x2003], &[1; 3])),
        ("deltas end early", body(0, 3, &[0x2003], &[1; 2])),
        ("large deltas end early", body(0, 3, &[0x4003], &[1; 5])),
        ("reserved run", body(0, 3, &[0x6003], &[1; 9])),
        (
            "reserved in a vector",
            body(0, 2, &[0b1101_1100_0000_0000], &[1; 9]),
        ),
    ] {
        assert_eq!(read(&body), None, "{reason}");
    }
    assert!(read(&body(0, STATUSES_MAX, &[0x1fff, 0x0001], &[])).is_some());
}

#[test]
fn written_feedback_matches_known_bytes() {
    let list = arrivals(&[(0, 130), (1, 131), (3, 130), (4, 200)]);
    let mut out = Vec::new();
    let written = CompoundWriter::new(&mut out).write_transport_feedback(&HEADER, &list);
    assert_eq!(
        written,
        Some(FeedbackProgress {
            arrivals: 4,
            next_base: SeqNo(0x1_0005)
        })
    );
    let mut expected = vec![
        0x8f, 205, 0, 6, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 2, 7,
    ];
    // 01 01 00 10 10: small, small, lost, large, large.
    expected.extend([0b1101_0100, 0b1010_0000, 8, 4, 0xff, 0xfc, 1, 24]);
    assert_eq!(out, expected);
}

#[test]
fn feedback_that_ends_within_a_word_is_padded() {
    let list = arrivals(&[(0, 130), (1, 131), (3, 130)]);
    let mut out = Vec::new();
    assert!(
        CompoundWriter::new(&mut out)
            .write_transport_feedback(&HEADER, &list)
            .is_some()
    );
    assert_eq!(out[..4], [0xaf, 205, 0, 6]);
    assert_eq!(
        out[20..],
        [0b1101_0100, 0b1000_0000, 8, 4, 0xff, 0xfc, 0, 2]
    );
}

#[test]
fn written_feedback_reads_back_to_a_quarter_of_a_millisecond() {
    let list = [
        (0, 1_000_100),
        (2, 1_000_390),
        (3, 1_900_000),
        (70, 1_900_001),
        (71, 1_800_000),
    ];
    let list = list.map(|(seq, at)| (SeqNo(0x1_fff0 + seq), Time::from_micros(at)));
    let head = FeedbackHeader {
        base: SeqNo(0x1_ffee),
        ..HEADER
    };
    let reported = reported(head, &list, COMPOUND_LEN_MAX);
    assert_eq!(reported.len(), 1);
    assert_eq!(reported[0].len(), 74);
    assert_eq!(reported[0][0], (0xffee, None));
    let arrived: Vec<_> = reported[0]
        .iter()
        .filter_map(|(s, at)| Some((*s, (*at)?)))
        .collect();
    assert_eq!(
        arrived,
        [
            (0xfff0, 1_000_000),
            (0xfff2, 1_000_250),
            (0xfff3, 1_900_000),
            (54, 1_900_000),
            (55, 1_800_000)
        ]
    );
}

#[test]
fn long_feedback_is_split_without_loss_or_repetition() {
    let list: Vec<_> = (0..5_000)
        .filter(|seq| seq % 7 != 3 && !(1_000..1_400).contains(seq))
        .map(|seq| (seq, 1_000 + seq / 3 + if seq % 50 == 0 { 90 } else { 0 }))
        .collect();
    let list = arrivals(&list);
    for len_max in [36, 100, 203, COMPOUND_LEN_MAX] {
        let reported = reported(HEADER, &list, len_max);
        let all: Vec<_> = reported.concat();
        assert_eq!(all.len(), 5_000);
        assert!(
            all.iter()
                .zip(0_u16..)
                .all(|((seq, _), expected)| *seq == expected)
        );
        let arrived = all.iter().filter_map(|(_, at)| *at);
        let expected = list
            .iter()
            .map(|(_, at)| i64::try_from(at.as_micros()).unwrap());
        assert!(arrived.eq(expected));
    }
}

#[test]
fn pause_too_long_for_a_delta_starts_another_feedback() {
    let list = arrivals(&[
        (0, 64),
        (1, 64 + 8_191),
        (2, 20_000),
        (3, 11_808),
        (4, 3_615),
    ]);
    let reported = reported(HEADER, &list, COMPOUND_LEN_MAX);
    let lens: Vec<_> = reported.iter().map(Vec::len).collect();
    assert_eq!(lens, [2, 2, 1]);
    assert_eq!(reported[1][0], (2, Some(20_000_000)));
}

#[test]
fn beginning_of_a_long_gap_is_skipped() {
    let list = arrivals(&[(1_000_000, 64)]);
    let reported = reported(HEADER, &list, COMPOUND_LEN_MAX);
    assert_eq!(reported.len(), 1);
    assert_eq!(
        reported[0].len(),
        usize::try_from(LEADING_LOST_MAX).unwrap() + 1
    );
}

#[test]
fn old_and_repeated_arrivals_are_skipped() {
    let head = FeedbackHeader {
        base: SeqNo(0x1_0005),
        ..HEADER
    };
    let list = arrivals(&[(3, 60), (5, 64), (5, 65), (6, 66)]);
    let mut out = Vec::new();
    let written = CompoundWriter::new(&mut out)
        .write_transport_feedback(&head, &list)
        .unwrap();
    assert_eq!(
        written,
        FeedbackProgress {
            arrivals: 4,
            next_base: SeqNo(0x1_0007)
        }
    );
    assert_eq!(
        reported(head, &list, 200),
        [vec![(5, Some(64_000)), (6, Some(66_000))]]
    );
    assert!(reported(head, &list[..1], 200).is_empty());
    assert!(reported(head, &[], 200).is_empty());
}

#[test]
fn nothing_is_written_without_space_for_a_chunk_and_its_delta() {
    let list = arrivals(&[(0, 64)]);
    for len_max in 0..24 {
        assert!(reported(HEADER, &list, len_max).is_empty());
    }
    assert_eq!(reported(HEADER, &list, 24).len(), 1);
}

#[test]
fn space_for_one_delta_is_enough_for_progress() {
    let list = arrivals(&[(0, 64), (1, 264), (2, 464), (4, 465), (5, 400)]);
    for (len_max, datagrams) in [(24, 6), (28, 2), (32, 1)] {
        let reported = reported(HEADER, &list, len_max);
        assert_eq!(reported.len(), datagrams, "{len_max}");
        let at: Vec<_> = reported.concat().iter().filter_map(|(_, at)| *at).collect();
        assert_eq!(at, [64_000, 264_000, 464_000, 465_000, 400_000]);
    }
}

#[test]
fn arrival_times_wrap_with_the_reference_time() {
    let wrap = u64::try_from(WRAP_MICROS).unwrap();
    let list = [(SeqNo(0x1_0000), Time::from_micros(wrap + 64_000))];
    assert_eq!(reported(HEADER, &list, 100), [vec![(0, Some(64_000))]]);
}
