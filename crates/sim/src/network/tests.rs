//! What links do, measured over many packets.

use super::*;
use crate::seeds;

const LEN: usize = 1_000;

fn link(profile: LinkProfile) -> Link {
    Link::new(profile, seeds::generator(7, "link"))
}

fn base() -> LinkProfile {
    LinkProfile::clean(Duration::from_millis(20))
}

/// Sends a packet each millisecond; the arrivals.
fn arrivals(link: &mut Link, packets: u64) -> Vec<Option<Time>> {
    (0..packets)
        .map(|millis| link.carry(Time::from_millis(millis), LEN)[0])
        .collect()
}

#[test]
fn a_clean_link_only_takes_its_time() {
    let arrived = arrivals(&mut link(base()), 100);
    let expected: Vec<_> = (0..100)
        .map(|millis| Some(Time::from_millis(millis + 20)))
        .collect();
    assert_eq!(arrived, expected);
}

#[test]
fn loss_comes_in_bursts_of_the_given_length() {
    let loss = Loss::Bursts {
        good: 100.0,
        bad: 2.0,
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
fn jitter_stays_in_its_bounds_and_keeps_the_order() {
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
fn some_packets_are_overtaken_and_some_come_twice() {
    let mut link = link(LinkProfile {
        reorder: 0.05,
        duplicate: 0.01,
        ..base()
    });
    let arrived = arrivals(&mut link, 10_000);
    let overtaken = arrived.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert!((400..600).contains(&overtaken), "{overtaken}");
    assert!((60..140).contains(&link.counts().doubled));
}

#[test]
fn a_full_queue_drops_and_a_rate_is_kept() {
    let rate = Some(Bitrate::from_kbps(1_000));
    let mut link = link(LinkProfile { rate, ..base() });
    // Eight times what it carries, for ten seconds.
    let arrived = arrivals(&mut link, 10_000);
    let passed = arrived.iter().flatten().count();
    // 1 Mbit/s for 10.3 s is 1,252 packets of 1,028 bytes.
    assert!((1_240..1_265).contains(&passed), "{passed}");
    let last = arrived.iter().flatten().last().unwrap();
    assert!(last.since(Time::from_millis(9_999)) <= Duration::from_millis(330));
}

#[test]
fn nothing_passes_in_an_outage() {
    let mut link = link(base());
    link.darken(Time::from_millis(50));
    assert_eq!(arrivals(&mut link, 100).iter().flatten().count(), 50);
}
