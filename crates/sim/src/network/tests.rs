//! Statistics of links over many packets.

use super::*;
use crate::seeds;

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
