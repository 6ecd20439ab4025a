//! Boundaries of sequence numbers, losses and reports.

use super::*;
use crate::packet::ExtensionSpans;
use watersmeet_wire::rtp::RtpHeader;

/// A publisher that resends packets on a stream of their own.
const RESENDS: RetransmissionSupport = RetransmissionSupport {
    nack: true,
    rtx: true,
};

fn accept(stream: &mut Stream, millis: u64, seq: u16) -> Accepted {
    deliver(stream, millis, seq, false)
}

fn deliver(stream: &mut Stream, millis: u64, seq: u16, retransmitted: bool) -> Accepted {
    deliver_captured(stream, millis, millis, seq, retransmitted)
}

fn deliver_captured(
    stream: &mut Stream,
    millis: u64,
    captured_millis: u64,
    seq: u16,
    retransmitted: bool,
) -> Accepted {
    let mut bytes = vec![0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 7];
    bytes[2..4].copy_from_slice(&seq.to_be_bytes());
    let media_time = u32::try_from(captured_millis * 90).unwrap();
    bytes[4..8].copy_from_slice(&media_time.to_be_bytes());
    let header = RtpHeader::parse(&bytes).unwrap();
    let mut incoming = Incoming::new(&header, &bytes, ExtensionSpans::default()).unwrap();
    incoming.retransmitted = retransmitted;
    stream.accept(Time::from_millis(millis), &incoming, &bytes)
}

fn stream() -> Stream {
    let mut stream = Stream::new(90_000, RESENDS);
    stream.ssrc = Some(Ssrc(1));
    stream
}

#[test]
fn packet_is_accepted_once() {
    let mut stream = stream();
    assert!(matches!(
        accept(&mut stream, 0, 65_535),
        Accepted::New { .. }
    ));
    assert_eq!(accept(&mut stream, 1, 65_535), Accepted::Duplicate);
    assert!(matches!(
        accept(&mut stream, 2, 0),
        Accepted::New { gap: Gap::None, .. }
    ));
    assert_eq!(accept(&mut stream, 3, 65_535), Accepted::Duplicate);
}

#[test]
fn unrequested_retransmission_is_a_duplicate() {
    let mut stream = stream();
    accept(&mut stream, 0, 10);
    assert_eq!(deliver(&mut stream, 1, 9, true), Accepted::Duplicate);
}

#[test]
fn retransmission_repairs_a_gap() {
    let mut stream = stream();
    accept(&mut stream, 0, 10);
    assert!(matches!(
        accept(&mut stream, 10, 12),
        Accepted::New {
            gap: Gap::Found,
            ..
        }
    ));
    let mut wanted = Vec::new();
    stream
        .nacks
        .as_mut()
        .unwrap()
        .collect(Time::from_millis(10), &mut wanted);
    assert_eq!(wanted, [11]);
    assert!(matches!(
        deliver(&mut stream, 40, 11, true),
        Accepted::New { .. }
    ));
    assert_eq!(stream.counters.repaired, 1);
    assert_eq!(
        stream
            .report(Time::from_millis(50))
            .unwrap()
            .cumulative_lost,
        0
    );
}

#[test]
fn late_packets_count_as_arrived_in_the_order_of_sending() {
    let mut stream = stream();
    // Frames of 40 ms: numbers 0 and 1, 2 and 3, 4 and 5. Of the second all is lost, of the third a part.
    deliver_captured(&mut stream, 100, 0, 0, false);
    deliver_captured(&mut stream, 101, 0, 1, false);
    deliver_captured(&mut stream, 181, 80, 5, false);
    let mut at =
        |millis, captured, seq| match deliver_captured(&mut stream, millis, captured, seq, true) {
            Accepted::New { at, .. } => at.as_millis(),
            Accepted::Duplicate => panic!("it is new"),
        };
    assert_eq!(at(300, 40, 2), 141, "by the third frame");
    assert_eq!(at(340, 80, 4), 181);
    assert_eq!(at(360, 40, 3), 141);
    assert_eq!(
        stream
            .cache
            .get(SeqNo::first(2))
            .unwrap()
            .arrived
            .as_millis(),
        141
    );
    // Timestamps that do not fit: not further back than a second, and not ahead.
    deliver_captured(&mut stream, 1_000, 120, 9, false);
    let mut at = |captured, seq| match deliver_captured(&mut stream, 1_900, captured, seq, true) {
        Accepted::New { at, .. } => at.as_millis(),
        Accepted::Duplicate => panic!("it is new"),
    };
    assert_eq!(at(400, 8), 1_000);
    assert_eq!(at(0, 7), 600);
    assert_eq!(at(0, 6), 600);
}

#[test]
fn packets_lost_in_an_outage_are_not_requested() {
    let mut stream = stream();
    accept(&mut stream, 0, 10);
    let after = |stream: &mut Stream, millis, seq| match accept(stream, millis, seq) {
        Accepted::New { gap, .. } => gap,
        Accepted::Duplicate => panic!("it is new"),
    };
    assert_eq!(after(&mut stream, 1_000, 30), Gap::Found);
    assert_eq!(after(&mut stream, 2_500, 31), Gap::None);
    assert_eq!(after(&mut stream, 4_000, 60), Gap::TooLarge);
    assert_eq!(stream.nacks.as_ref().unwrap().poll_timeout(), None);
}

#[test]
fn lost_packets_are_reported() {
    let mut stream = stream();
    for seq in (0..100).filter(|seq| seq % 4 != 3) {
        accept(&mut stream, u64::from(seq) * 10, seq);
    }
    let report = stream.report(Time::from_millis(1_000)).unwrap();
    assert_eq!(report.cumulative_lost, 24);
    assert_eq!(report.fraction_lost, 62);
    assert_eq!(report.highest_seq, 98);
}

#[test]
fn restart_of_the_publisher_needs_a_keyframe_and_loses_nothing() {
    let mut stream = stream();
    accept(&mut stream, 0, 100);
    let Accepted::New { seq, gap, .. } = accept(&mut stream, 10, 40_000) else {
        panic!("a restart is accepted");
    };
    assert_eq!((seq.raw(), gap), (40_000, Gap::TooLarge));
    assert_eq!(
        stream
            .report(Time::from_millis(20))
            .unwrap()
            .cumulative_lost,
        0
    );
}

#[test]
fn numbers_that_came_round_while_nothing_was_accepted_are_new_ones() {
    let start = 1_000_000;
    for (back, captured, is_late) in [
        (900, start + 300_000, false),
        (900, start - 300_000, false),
        (2_900, start + 600, false),
        (900, start - 5_000, true),
        (900, start + 400, true),
        (200, start + 300_000, true),
    ] {
        let mut stream = stream();
        accept(&mut stream, start, 5_000);
        let next = deliver_captured(&mut stream, start + 300_000, captured, 5_000 - back, false);
        let Accepted::New { seq, gap, .. } = next else {
            panic!("it is new");
        };
        let is_restart = gap == Gap::TooLarge;
        assert_eq!(seq > SeqNo::first(5_000), is_restart, "{back} {captured}");
        assert_eq!(is_restart, !is_late, "{back} {captured}");
    }
}

#[test]
fn reports_go_on_over_restarts() {
    let mut stream = stream();
    let mut losses = Vec::new();
    let mut highest = Vec::new();
    // A packet in ten is lost, and after each ten the numbers jump.
    for (round, first) in [10, 30_000, 5_000, 5_000 + 3_500].into_iter().enumerate() {
        for offset in (0..10_u16).filter(|offset| *offset != 5) {
            let millis = round as u64 * 1_000 + u64::from(offset) * 10;
            accept(&mut stream, millis, first + offset);
        }
        let report = stream.report(Time::from_millis(round as u64 * 1_000 + 500));
        losses.push(report.unwrap().cumulative_lost);
        highest.push(report.unwrap().highest_seq);
        assert_eq!(
            report.unwrap().fraction_lost,
            25,
            "one of ten in this round"
        );
    }
    assert_eq!(losses, [1, 2, 3, 4]);
    assert_eq!(highest, [19, 30_009, 0x1_0000 + 5_009, 0x1_0000 + 8_509]);
    assert_eq!(stream.packets_lost(), 4);
}

#[test]
fn sender_report_before_a_jump_of_the_media_clock_is_not_used_after_it() {
    let mut stream = stream();
    let report = ReportClock {
        ntp: 0,
        timestamp: 0,
    };
    let reference = ClockReference {
        wall_micros: 1_000_000,
        timestamp: 0,
    };
    accept(&mut stream, 0, 1);
    stream.record_sender_report(
        Time::ZERO,
        1_000_000,
        report,
        &mut PublisherClock::default(),
    );
    deliver_captured(&mut stream, 10, 10, 2, false);
    assert_eq!(stream.clock_reference, Some(reference));
    let block = stream.report(Time::from_millis(500)).unwrap();
    assert_eq!((block.last_sr, block.delay_since_last_sr), (0, 0));
    deliver_captured(&mut stream, 20, 3_600_000, 3, false);
    assert_eq!(stream.clock_reference, None);
}

#[test]
fn evenly_spaced_packets_have_no_jitter() {
    let mut stream = stream();
    for seq in 0..200 {
        accept(&mut stream, u64::from(seq) * 20, seq);
    }
    assert!(stream.jitter() <= 1);
    deliver_captured(&mut stream, 200 * 20 + 50, 200 * 20, 200, false);
    assert!(stream.jitter() > 0);
}

#[test]
fn silent_stream_scores_zero() {
    let mut stream = stream();
    accept(&mut stream, 0, 1);
    stream.report(Time::from_millis(500));
    assert_eq!(stream.score(), SCORE_MAX);
    stream.report(Time::from_millis(10_000));
    assert_eq!(stream.score(), 0);
    accept(&mut stream, 10_001, 2);
    assert_eq!(stream.score(), SCORE_MAX);
}

#[test]
fn change_of_the_codec_keeps_how_retransmissions_arrive() {
    let without_rtx = RetransmissionSupport {
        nack: true,
        rtx: false,
    };
    let mut stream = Stream::new(90_000, without_rtx);
    stream.set_format(1, 90_000, RetransmissionSupport::default());
    assert!(stream.nacks.is_none());
    stream.set_format(0, 90_000, without_rtx);
    for (seq, is_repaired) in [(10, true), (20, true)] {
        let nacks = stream.nacks.as_mut().unwrap();
        let begin = Time::from_millis(seq * 1_000);
        nacks.record_gap(begin, SeqNo(seq), SeqNo(seq + 2));
        nacks.collect(begin, &mut Vec::new());
        let arrival = begin + Duration::from_millis(80);
        // It arrives as a late packet does.
        assert_eq!(
            nacks.record_arrival(arrival, SeqNo(seq + 1), false),
            is_repaired
        );
        stream.set_format(1, 90_000, without_rtx);
    }
    stream.set_format(0, 90_000, RESENDS);
    let nacks = stream.nacks.as_mut().unwrap();
    nacks.record_gap(Time::from_millis(30_000), SeqNo(30), SeqNo(32));
    nacks.collect(Time::from_millis(30_000), &mut Vec::new());
    assert!(!nacks.record_arrival(Time::from_millis(30_080), SeqNo(31), false));
}
