//! Sets of earlier payloads, and the choice of the distance at its thresholds.

use super::*;

/// Reports a loss once a second, of fifty packets each. Returns the distance after each report.
fn report(control: &mut DistanceControl, start: u64, losses: &[u8]) -> Vec<u8> {
    let seconds = start + 1..;
    let distances = losses.iter().zip(seconds).map(|(lost, second)| {
        control.record_report(Time::from_millis(second * 1_000), *lost, sent(second * 50));
        control.distance()
    });
    distances.collect()
}

/// Returns what was sent so far when all packets had arrived here.
fn sent(packets: u64) -> SentSoFar {
    SentSoFar {
        packets,
        highest: packets,
    }
}

#[test]
fn distances_are_limited_but_not_the_publishers_redundancy() {
    let mut all = Redundancy::NONE;
    for distance in [3, 1, 2] {
        all.insert(distance);
    }
    assert!(all.distances().eq([1, 2, 3]) && !all.is_of_publisher());
    assert!(all.up_to(2).distances().eq([1, 2]));
    assert!(all.up_to(0).is_none());
    let publishers = Redundancy::OF_PUBLISHER;
    assert_eq!(publishers.up_to(0), publishers);
    assert_eq!(publishers.distances().count(), 0);
}

#[test]
fn distance_follows_the_loss() {
    for (lost, distance) in [(2, 0), (5, 1), (10, 1), (20, 2), (51, 3), (255, 3)] {
        let mut control = DistanceControl::default();
        let after = report(&mut control, 0, &[lost; 20]);
        assert_eq!(after[19], distance, "{lost}/256");
    }
}

#[test]
fn thresholds_have_a_hysteresis() {
    for (distance, (raised_from, lowered_below)) in
        (1..).zip(RAISED_FROM.into_iter().zip(LOWERED_BELOW))
    {
        let below = distance - 1;
        assert_eq!(distance_for(raised_from - 1, below), below);
        assert_eq!(distance_for(raised_from, below), distance);
        assert_eq!(distance_for(lowered_below, distance), distance);
        assert_eq!(distance_for(lowered_below - 1, distance), below);
    }
    assert_eq!(distance_for(0, DISTANCE_MAX), 0);
}

#[test]
fn heavy_loss_is_answered_within_four_seconds() {
    let mut control = DistanceControl::default();
    let after = report(&mut control, 0, &[51; 4]);
    assert!(after[0] >= 1 && after[3] == 3, "{after:?}");
}

#[test]
fn single_lost_packet_is_no_evidence() {
    let mut control = DistanceControl::default();
    assert_eq!(report(&mut control, 0, &[0, 5, 0, 0, 5, 0]), [0; 6]);
}

#[test]
fn distance_falls_when_less_has_sufficed_for_ten_seconds() {
    let mut control = DistanceControl::default();
    report(&mut control, 0, &[51; 10]);
    let after = report(&mut control, 10, &[0; 40]);
    let held = after.iter().take_while(|distance| **distance == 3).count();
    assert!((10..15).contains(&held), "{after:?}");
    assert_eq!(after[39], 0);
    // A loss in between starts the time anew.
    let mut control = DistanceControl::default();
    report(&mut control, 0, &[51; 10]);
    let mut losses = [0; 24];
    losses[6] = 255;
    let after = report(&mut control, 10, &losses);
    assert!(
        after[..16].iter().all(|distance| *distance == 3),
        "{after:?}"
    );
}

#[test]
fn repaired_losses_count() {
    let mut control = DistanceControl::default();
    for second in 1..=10 {
        for _ in 0..10 {
            control.record_request();
        }
        control.record_report(Time::from_millis(second * 1_000), 0, sent(second * 50));
    }
    assert_eq!(control.distance(), 3);
}

#[test]
fn losses_on_the_way_to_us_are_not_those_of_the_receiver() {
    let mut control = DistanceControl::new(1_000);
    for second in 1..=20 {
        // A fifth of fifty numbers is never sent, and reported lost.
        let so_far = SentSoFar {
            packets: second * 40,
            highest: 1_000 + second * 50,
        };
        control.record_report(Time::from_millis(second * 1_000), 51, so_far);
        assert_eq!(control.distance(), 0);
    }
}

#[test]
fn silence_shows_nothing() {
    let mut control = DistanceControl::default();
    report(&mut control, 0, &[51; 10]);
    for second in 11..100 {
        control.record_report(Time::from_millis(second * 1_000), 0, sent(500));
    }
    assert_eq!(control.distance(), 3);
}
