//! Boundaries of sequence numbers, losses and reports.

use super::*;
use crate::packet::ExtensionSpans;
use watersmeet_wire::rtp::RtpHeader;

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
    let mut stream = Stream::new(90_000, true);
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
fn restart_of_the_publisher_is_not_a_gap() {
    let mut stream = stream();
    accept(&mut stream, 0, 100);
    let Accepted::New { seq, gap } = accept(&mut stream, 10, 40_000) else {
        panic!("a restart is accepted");
    };
    assert_eq!((seq.raw(), gap), (40_000, Gap::None));
    assert_eq!(
        stream
            .report(Time::from_millis(20))
            .unwrap()
            .cumulative_lost,
        0
    );
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
