//! Orders are valid for any input, and give long runs where it matters.

use rand_chacha::rand_core::{Rng as _, SeedableRng};
use watersmeet_wire::units::Rng;

use super::*;

/// Returns the packets in sending order: stream, index in the input, length with padding.
fn ordered(sizes: &[(u64, u16)], padding_max: u8) -> Vec<(u64, u8, u16)> {
    let mut order = GsoOrder::default();
    for &(stream, len) in sizes {
        assert!(order.push(PacketSize { stream, len }));
    }
    let packets = order.group(padding_max).to_vec();
    let describe = |packet: OrderedPacket| {
        assert!(packet.padding <= padding_max);
        let (stream, len) = sizes[usize::from(packet.index)];
        (stream, packet.index, len + u16::from(packet.padding))
    };
    packets.into_iter().map(describe).collect()
}

/// Returns the lengths of the runs that the kernel gets.
fn runs(sizes: &[(u64, u16)], padding_max: u8) -> Vec<Vec<u16>> {
    let mut runs: Vec<Vec<u16>> = Vec::new();
    let mut is_open = false;
    for (_, _, len) in ordered(sizes, padding_max) {
        match runs.last_mut().filter(|run| is_open && len <= run[0]) {
            Some(run) => {
                is_open = len == run[0];
                run.push(len);
            }
            None => {
                is_open = true;
                runs.push(vec![len]);
            }
        }
    }
    runs
}

#[test]
fn padding_makes_one_run_of_a_frame_whose_packets_differ_by_a_byte() {
    let frame = [(1, 999), (1, 999), (1, 1_000), (1, 1_000)];
    assert_eq!(runs(&frame, 0).len(), 2);
    assert_eq!(runs(&frame, 16), [vec![1_000; 4]]);
    let pair = [(1, 999), (2, 1_000), (1, 999)];
    assert_eq!(runs(&pair, 16), [vec![1_000, 1_000, 999]]);
}

#[test]
fn equal_packets_of_different_streams_share_a_run() {
    let mixed = [(1, 1_000), (2, 90), (3, 1_000), (4, 95), (5, 1_000)];
    assert_eq!(runs(&mixed, 0), [vec![1_000, 1_000, 1_000, 90], vec![95]]);
    assert_eq!(runs(&mixed[..4], 0), [vec![1_000, 1_000, 90], vec![95]]);
}

#[test]
fn shorter_packet_ends_a_run_without_padding() {
    assert_eq!(runs(&[(1, 90), (2, 1_100)], 16), [vec![1_100, 90]]);
    assert_eq!(runs(&[(1, 1_090), (2, 1_100)], 16), [vec![1_100, 1_090]]);
}

#[test]
fn padding_of_small_packets_is_limited() {
    assert_eq!(runs(&[(1, 80), (2, 90), (3, 90)], 255), [vec![90, 90, 80]]);
    let three = [(1, 80), (2, 90), (3, 80)];
    assert_eq!(runs(&three, 255), [vec![90, 90, 80]]);
    assert_eq!(runs(&[(1, 78), (2, 90), (3, 90)], 255), [vec![90, 90, 78]]);
}

#[test]
fn packet_that_fits_no_other_run_ends_a_run() {
    let sizes = [(1, 90), (2, 1_100), (3, 91), (4, 500), (5, 92)];
    assert_eq!(runs(&sizes, 16), [vec![92, 92, 90], vec![1_100, 500]]);
}

#[test]
fn packets_of_one_stream_keep_their_order() {
    let sizes = [(1, 90), (1, 1_100), (1, 90), (1, 1_100)];
    let order: Vec<u8> = ordered(&sizes, 0).iter().map(|it| it.1).collect();
    assert_eq!(order, [0, 1, 2, 3]);
}

#[test]
fn packets_ordered_together_are_bounded() {
    let mut order = GsoOrder::default();
    for index in 0..PACKETS_MAX {
        assert!(order.push(PacketSize {
            stream: index as u64,
            len: 100
        }));
    }
    assert!(!order.push(PacketSize {
        stream: 1,
        len: 100
    }));
    assert_eq!(order.group(0).len(), PACKETS_MAX);
    order.clear();
    assert!(order.group(0).is_empty());
}

#[test]
fn any_input_keeps_every_packet_once_and_streams_in_order() {
    let mut rng = Rng::from_seed([3; 32]);
    let mut below = |bound: u16| u16::try_from(rng.next_u32() % u32::from(bound)).unwrap();
    for round in 0..20_000 {
        let count = below(65);
        let streams = below(20) + 1;
        let spread = [1, 2, 20, 1_400][usize::from(below(4))];
        let sizes: Vec<_> = (0..count)
            .map(|_| (u64::from(below(streams)), below(spread) + 40))
            .collect();
        let padding_max = [0, 1, 16, 32, 255][usize::from(below(5))];
        let packets = ordered(&sizes, padding_max);
        let mut seen: Vec<u8> = packets.iter().map(|it| it.1).collect();
        for stream in 0..u64::from(streams) {
            let own = packets.iter().filter(|it| it.0 == stream).map(|it| it.1);
            assert!(
                own.is_sorted(),
                "round {round}: stream {stream} is out of order"
            );
        }
        seen.sort_unstable();
        assert!(
            seen.into_iter().eq((0..).take(sizes.len())),
            "round {round}"
        );
        let longest = sizes.iter().map(|it| it.1).max().unwrap_or(0);
        assert!(
            packets.iter().all(|it| it.2 <= longest),
            "round {round}: longer than the longest"
        );
    }
}

#[test]
fn ordering_makes_fewer_runs_than_the_order_of_arrival() {
    let mut rng = Rng::from_seed([4; 32]);
    let mut below = |bound: u32| rng.next_u32() % bound;
    let (mut before, mut after) = (0, 0);
    for _ in 0..2_000 {
        let sizes: Vec<_> = (0..below(12) + 1)
            .map(|_| {
                (
                    u64::from(below(6)),
                    [90, 91, 1_100, 1_101][below(4) as usize],
                )
            })
            .collect();
        let alone: Vec<_> = sizes.iter().map(|it| (0, it.1)).collect();
        before += runs(&alone, 0).len();
        after += runs(&sizes, 16).len();
    }
    assert!(
        after * 10 < before * 8,
        "{before} runs before, {after} after"
    );
}
