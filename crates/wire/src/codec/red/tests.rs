//! Payloads with and without redundancy, at the bounds of their fields, and malformed ones.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A payload as Chromium sends it with a distance of one: Opus (111) repeated 960 ticks later.
const DISTANCE_ONE: [u8; 11] = [0xef, 0x0f, 0x00, 0x03, 0x6f, 1, 2, 3, 4, 5, 6];

fn earlier(timestamp: u32, payload: &[u8]) -> EarlierPayload<'_> {
    EarlierPayload { timestamp, payload }
}

#[test]
fn payload_with_one_earlier_block_is_read_and_written() {
    let read = RedPayload::parse(&DISTANCE_ONE).unwrap();
    assert_eq!((read.primary_pt, read.primary), (Pt(111), &[4, 5, 6][..]));
    let expected = RedundantBlock {
        pt: Pt(111),
        timestamp_offset: 960,
        payload: &[1, 2, 3],
    };
    assert_eq!(read.redundant.as_slice(), [expected]);
    assert_eq!(strip(&DISTANCE_ONE), Some((Pt(111), &[4, 5, 6][..])));

    let mut out = [0; 32];
    let len = write(
        &mut out,
        32,
        Pt(111),
        5_000,
        &[4, 5, 6],
        &[earlier(4_040, &[1, 2, 3])],
    );
    assert_eq!(out[..len.unwrap()], DISTANCE_ONE);
}

#[test]
fn payload_without_earlier_blocks_has_one_byte_more() {
    assert_eq!(strip(&[0x6f, 9]), Some((Pt(111), &[9][..])));
    let mut out = [0; 2];
    assert_eq!(write(&mut out, 2, Pt(111), 0, &[9], &[]), Some(2));
    assert_eq!(out, [0x6f, 9]);
}

#[test]
fn all_blocks_get_the_payload_type_of_another_negotiation() {
    let mut payload = DISTANCE_ONE;
    set_payload_type(&mut payload, Pt(100));
    let read = RedPayload::parse(&payload).unwrap();
    assert_eq!((read.primary_pt, read.redundant[0].pt), (Pt(100), Pt(100)));
    assert_eq!(payload[4..], [0x64, 1, 2, 3, 4, 5, 6]);
    // A truncated payload must not panic.
    let mut truncated = payload;
    for len in 0..DISTANCE_ONE.len() {
        set_payload_type(&mut truncated[..len], Pt(100));
    }
}

/// Payloads of two bytes, each 20 ms older than the one before it.
fn five_blocks() -> Vec<EarlierPayload<'static>> {
    let blocks = (1..=5).map(|age| earlier(10_000 - age * 960, &[7, 7]));
    blocks.collect()
}

#[test]
fn blocks_are_ordered_from_oldest_to_newest() {
    let mut out = [0; 64];
    let blocks = five_blocks();
    let len = write(&mut out, 64, Pt(111), 10_000, &[1], &blocks).unwrap();
    let read = RedPayload::parse(&out[..len]).unwrap();
    let offsets = read.redundant.iter().map(|block| block.timestamp_offset);
    assert!(offsets.eq([2_880, 1_920, 960]));
}

#[test]
fn blocks_are_limited_by_length() {
    let mut out = [0; 64];
    let blocks = five_blocks();
    // Two blocks of six bytes fit beside a primary of two, the third does not.
    for (len_max, count) in [(20, 3), (19, 2), (14, 2), (13, 1), (8, 1), (7, 0), (2, 0)] {
        let len = write(&mut out, len_max, Pt(111), 10_000, &[1], &blocks).unwrap();
        let read = RedPayload::parse(&out[..len]).unwrap();
        assert_eq!(
            (read.redundant.len(), read.primary),
            (count, &[1][..]),
            "{len_max}"
        );
    }
    assert_eq!(write(&mut out, 1, Pt(111), 10_000, &[1], &blocks), None);
    assert_eq!(
        write(&mut out[..1], 9, Pt(111), 10_000, &[1], &blocks),
        None
    );
    assert_eq!(write(&mut out, 9, Pt(111), 10_000, &[], &blocks), None);
}

#[test]
fn timestamp_offset_crosses_the_wrap_of_the_timestamp() {
    let mut out = [0; 32];
    let before_wrap = earlier(0xffff_ff00, &[8]);
    let len = write(&mut out, 32, Pt(111), 704, &[1], &[before_wrap]).unwrap();
    let read = RedPayload::parse(&out[..len]).unwrap();
    assert_eq!(read.redundant[0].timestamp_offset, 960);
    assert_eq!(read.redundant[0].timestamp(704), 0xffff_ff00);
}

#[test]
fn block_that_its_header_cannot_describe_is_left_out() {
    let mut out = [0; 2_048];
    let long = [5; REDUNDANT_LEN_MAX + 1];
    let mut count = |block: EarlierPayload<'_>| {
        let blocks = [block, earlier(20_000 - 960, &[3])];
        let len = write(&mut out, 2_048, Pt(111), 20_000, &[1], &blocks).unwrap();
        RedPayload::parse(&out[..len]).unwrap().redundant.len()
    };
    let oldest = 20_000 - u32::from(TIMESTAMP_OFFSET_MAX);
    assert_eq!(count(earlier(oldest, &long[1..])), 2, "largest values");
    assert_eq!(count(earlier(oldest - 1, &[2])), 1, "too old");
    assert_eq!(count(earlier(19_999, &long)), 1, "too long");
    assert_eq!(count(earlier(19_999, &[])), 1, "empty");
    assert_eq!(count(earlier(20_000, &[2])), 1, "the packet itself");
    assert_eq!(count(earlier(20_001, &[2])), 1, "newer than the packet");
}

#[test]
fn malformed_payload_is_rejected() {
    for len in 0..DISTANCE_ONE.len() - 2 {
        assert_eq!(RedPayload::parse(&DISTANCE_ONE[..len]), None, "{len} bytes");
    }
    assert!(RedPayload::parse(&DISTANCE_ONE[..9]).is_some());
    let with_blocks = |count: usize| [&[0xef, 0, 0, 0].repeat(count)[..], &[0x6f, 1]].concat();
    assert!(RedPayload::parse(&with_blocks(REDUNDANT_READ_MAX)).is_some());
    assert_eq!(
        RedPayload::parse(&with_blocks(REDUNDANT_READ_MAX + 1)),
        None
    );
}

proptest! {
    #[test]
    fn written_payload_reads_back(
        timestamp: u32,
        primary in vec(any::<u8>(), 1..20),
        ages in vec((1_u16..=TIMESTAMP_OFFSET_MAX, vec(any::<u8>(), 1..20)), 0..4),
        len_max in 0_usize..120,
    ) {
        let blocks: Vec<_> = ages
            .iter()
            .map(|(age, payload)| earlier(timestamp.wrapping_sub(u32::from(*age)), payload))
            .collect();
        let mut out = [0; 128];
        let Some(len) = write(&mut out, len_max, Pt(63), timestamp, &primary, &blocks) else {
            prop_assert!(primary.len() + 1 > len_max);
            return Ok(());
        };
        prop_assert!(len <= len_max);
        let read = RedPayload::parse(&out[..len]).unwrap();
        prop_assert_eq!((read.primary_pt, read.primary), (Pt(63), &primary[..]));
        for (block, sent) in read.redundant.iter().rev().zip(&blocks) {
            prop_assert_eq!(block.payload, sent.payload);
            prop_assert_eq!(block.timestamp(timestamp), sent.timestamp);
        }
    }

    #[test]
    fn arbitrary_payloads_never_panic(payload in vec(any::<u8>(), 0..64)) {
        let _ = RedPayload::parse(&payload);
    }
}
