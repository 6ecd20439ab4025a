//! Statistics of links over many packets.

use super::*;
use crate::{profiles, seeds};

const LEN: usize = 1_000;

fn link(profile: LinkProfile) -> Link {
    Link::new(profile, seeds::generator(7, "link"))
}

fn base() -> LinkProfile {
    LinkProfile::clean(Duration::from_millis(20))
}

/// Sends a packet each millisecond; returns the arrivals.
fn arrivals(link: &mut Link, packets: u64) -> Vec<Option<Time>> {
    (0..packets)
        .map(|millis| link.transmit(Time::from_millis(millis), LEN)[0])
        .collect()
}

#[test]
fn clean_link_only_delays() {
    let arrived = arrivals(&mut link(base()), 100);
    let expected: Vec<_> = (0..100)
        .map(|millis| Some(Time::from_millis(millis + 20)))
        .collect();
    assert_eq!(arrived, expected);
}

#[test]
fn loss_occurs_in_bursts_of_the_given_length() {
    let loss = Loss::Bursts {
        mean_received: 100.0,
        mean_lost: 2.0,
    };
    let arrived = arrivals(&mut link(LinkProfile { loss, ..base() }), 200_000);
    let lost = arrived.iter().filter(|arrival| arrival.is_none()).count();
    let bursts = arrived
        .windows(2)
        .filter(|pair| pair[0].is_some() && pair[1].is_none())
        .count();
    let share = lost as f64 / 200_000.0;
    assert!((0.017..0.023).contains(&share), "{share}");
    let mean = lost as f64 / bursts as f64;
    assert!((1.8..2.2).contains(&mean), "{mean}");
}

#[test]
fn jitter_is_bounded_and_preserves_order() {
    let jitter = Duration::from_millis(10);
    let arrived = arrivals(&mut link(LinkProfile { jitter, ..base() }), 10_000);
    let delays: Vec<Duration> = (0..)
        .zip(&arrived)
        .map(|(millis, arrival)| arrival.unwrap().since(Time::from_millis(millis)))
        .collect();
    assert!(
        delays
            .iter()
            .all(|delay| (10..=30).contains(&delay.as_millis()))
    );
    assert!(delays.iter().any(|delay| delay.as_millis() < 13));
    assert!(delays.iter().any(|delay| delay.as_millis() > 27));
    assert!(arrived.is_sorted());
}

#[test]
fn packets_are_reordered_and_duplicated_at_the_given_rates() {
    let mut link = link(LinkProfile {
        reorder: 0.05,
        duplicate: 0.01,
        ..base()
    });
    let arrived = arrivals(&mut link, 10_000);
    let reordered = arrived.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert!((400..600).contains(&reordered), "{reordered}");
    assert!((60..140).contains(&link.counts().duplicated));
}

#[test]
fn full_queue_drops_packets_and_the_bitrate_is_kept() {
    let rate = Some(Bitrate::from_kbps(1_000));
    let mut link = link(LinkProfile { rate, ..base() });
    // Eight times the bitrate of the link, for ten seconds.
    let arrived = arrivals(&mut link, 10_000);
    let passed = arrived.iter().flatten().count();
    // 1 Mbit/s for 10.3 s is 1,252 packets of 1,028 bytes.
    assert!((1_240..1_265).contains(&passed), "{passed}");
    let last = arrived.iter().flatten().last().unwrap();
    assert!(last.since(Time::from_millis(9_999)) <= Duration::from_millis(330));
}

#[test]
fn outage_drops_all_packets() {
    let mut link = link(base());
    link.start_outage(Time::from_millis(50));
    assert_eq!(arrivals(&mut link, 100).iter().flatten().count(), 50);
}

/// Returns the bitrate that passes a link which is offered twice its bitrate, over ten seconds.
fn passed_kbps(kbps: u64, len: usize) -> f64 {
    let rate = Some(Bitrate::from_kbps(kbps));
    let mut link = link(LinkProfile { rate, ..base() });
    let offered = Bitrate::from_kbps(2 * kbps);
    let spacing = offered.time_to_send(len + OVERHEAD_LEN).unwrap();
    let mut now = Time::ZERO;
    let (from, until) = (Time::from_millis(1_000), Time::from_millis(11_000));
    let mut bits = 0;
    while now < until {
        let arrival = link.transmit(now, len)[0];
        let is_counted = arrival.is_some_and(|at| at >= from && at < until);
        bits += if is_counted {
            (len + OVERHEAD_LEN) * 8
        } else {
            0
        };
        now = now + spacing;
    }
    bits as f64 / 10_000.0
}

#[test]
fn bottleneck_passes_its_bitrate_within_one_percent() {
    for kbps in [100, 250, 600, 1_000, 2_500, 10_000, 50_000] {
        // Times are whole microseconds, of which a small packet takes few at 50 Mbit/s.
        let lens = [100, 1_200].into_iter().skip(usize::from(kbps > 10_000));
        for len in lens {
            let passed = passed_kbps(kbps, len);
            let share = passed / kbps as f64;
            assert!((0.99..=1.01).contains(&share), "{kbps} kbit/s: {passed}");
        }
    }
}

#[test]
fn queue_is_never_longer_than_its_limit_and_one_packet() {
    for millis in [50, 300, 1_000] {
        let queue = Duration::from_millis(millis);
        let rate = Bitrate::from_kbps(1_000);
        let mut link = link(LinkProfile {
            rate: Some(rate),
            queue,
            ..base()
        });
        let one = rate.time_to_send(LEN + OVERHEAD_LEN).unwrap();
        let mut longest = Duration::ZERO;
        for millis in 0..10_000 {
            let now = Time::from_millis(millis);
            if link.transmit(now, LEN)[0].is_some() {
                longest = longest.max(link.queueing_delay(now));
            }
        }
        assert!(longest <= queue + one, "{longest:?} of {queue:?}");
        assert!(longest > queue, "the queue fills: {longest:?} of {queue:?}");
    }
}

#[test]
fn scheduled_bitrates_are_kept_at_each_step() {
    let mut link = link(LinkProfile {
        rate: Some(Bitrate::from_kbps(2_500)),
        ..base()
    });
    let step = |seconds: u64, kbps| RateStep {
        at: Time::from_millis(seconds * 1_000),
        rate: Bitrate::from_kbps(kbps),
    };
    link.schedule_rates(vec![step(10, 600), step(20, 1_000)]);
    let arrived = arrivals(&mut link, 30_000);
    for (from, kbps) in [(0, 2_500), (10, 600), (20, 1_000)] {
        let within = |at: &&Time| {
            let sent = at.since(Time::ZERO) - Duration::from_millis(20);
            (from + 1..from + 10).contains(&sent.as_secs())
        };
        let passed = arrived.iter().flatten().filter(within).count();
        let share = (passed * (LEN + OVERHEAD_LEN) * 8) as f64 / 9_000.0 / kbps as f64;
        assert!((0.99..=1.01).contains(&share), "{kbps} kbit/s: {share}");
    }
}

#[test]
fn packets_in_the_queue_leave_it_at_the_new_bitrate() {
    let rate = Some(Bitrate::from_kbps(1_000));
    let mut link = link(LinkProfile { rate, ..base() });
    let at = Time::from_millis(100);
    link.schedule_rates(vec![RateStep {
        at,
        rate: Bitrate::from_kbps(100),
    }]);
    // 14 packets of 8.224 ms: two of them still wait at the change.
    let last = (0..14)
        .filter_map(|_| link.transmit(Time::ZERO, LEN)[0])
        .last();
    let expected = Duration::from_micros(100_000 + 10 * (14 * 8_224 - 100_000) + 20_000);
    assert_eq!(last.unwrap().since(Time::ZERO), expected);
}

#[test]
fn profiles_lose_the_share_and_in_the_bursts_they_name() {
    // Share lost and mean length of a burst.
    let profiles = [
        (profiles::wifi(), 2.0 / 202.0, 2.0),
        (profiles::wifi_lossy(), 2.0 / 42.0, 2.0),
        (profiles::cellular(), 2.0 / 102.0, 2.0),
        (profiles::congested(), 2.0 / 22.0, 2.0),
        (profiles::satellite(), 2.0 / 67.0, 2.0),
        (profiles::loss_20_percent(), 0.2, 1.25),
        (profiles::loss_30_percent(), 0.3, 1.0 / 0.7),
    ];
    for (access, share, burst) in profiles {
        let only_loss = LinkProfile {
            rate: None,
            reorder: 0.0,
            ..access.down
        };
        let arrived = arrivals(&mut link(only_loss), 400_000);
        let lost = arrived.iter().filter(|arrival| arrival.is_none()).count() as f64;
        let starts = |pair: &&[Option<Time>]| pair[0].is_some() && pair[1].is_none();
        let bursts = arrived.windows(2).filter(starts).count() as f64;
        let measured = (lost / 400_000.0 / share, lost / bursts / burst);
        assert!(
            (0.93..1.07).contains(&measured.0),
            "{access:?}: {measured:?}"
        );
        assert!(
            (0.95..1.05).contains(&measured.1),
            "{access:?}: {measured:?}"
        );
    }
}
