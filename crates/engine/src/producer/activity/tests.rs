//! Which encodings count as active, for sources of every frame rate.

use super::*;

/// Sends frames of these encodings at an interval over a span of time. Returns the number of changes.
fn send_every(
    activity: &mut Activity,
    interval_millis: usize,
    (from_millis, to_millis): (u64, u64),
    encodings: &[u8],
) -> u32 {
    let mut changes = 0;
    for millis in (from_millis..to_millis).step_by(interval_millis) {
        for &index in encodings {
            let timestamp = u32::try_from(millis * 90).unwrap();
            let now = Time::from_millis(millis);
            changes += u32::from(activity.record_packet(now, index, timestamp));
        }
    }
    changes
}

/// Sends 30 frames a second.
fn send(activity: &mut Activity, from_millis: u64, to_millis: u64, encodings: &[u8]) -> u32 {
    send_every(activity, 33, (from_millis, to_millis), encodings)
}

#[test]
fn encoding_is_active_from_its_first_packet() {
    let mut activity = Activity::new(3);
    assert_eq!(send(&mut activity, 0, 100, &[0, 1, 2]), 3);
    assert_eq!(activity.active(), 0b111);
}

#[test]
fn encoding_that_stops_becomes_inactive_within_little_more_than_a_second() {
    let mut activity = Activity::new(3);
    send(&mut activity, 0, 1_000, &[0, 1, 2]);
    send(&mut activity, 1_000, 2_200, &[0, 1]);
    assert_eq!(activity.active(), 0b011);
}

#[test]
fn lowest_encoding_that_stops_becomes_inactive_too() {
    let mut activity = Activity::new(2);
    send(&mut activity, 0, 1_000, &[0, 1]);
    send(&mut activity, 1_000, 2_200, &[1]);
    assert_eq!(activity.active(), 0b10);
}

#[test]
fn encoding_that_comes_and_goes_stays_inactive() {
    let mut activity = Activity::new(2);
    send(&mut activity, 0, 1_000, &[0, 1]);
    send(&mut activity, 1_000, 2_500, &[0]);
    for round in 0..5 {
        let start = 2_500 + round * 3_000;
        assert_eq!(send(&mut activity, start, start + 1_500, &[0, 1]), 0);
        assert_eq!(send(&mut activity, start + 1_500, start + 3_000, &[0]), 0);
    }
    assert_eq!(activity.active(), 0b01);
    send(&mut activity, 17_500, 19_600, &[0, 1]);
    assert_eq!(activity.active(), 0b11);
}

#[test]
fn resting_source_stays_active() {
    for count in [1, 3] {
        let mut activity = Activity::new(count);
        let all: Vec<u8> = (0..3).take(count).collect();
        send(&mut activity, 0, 1_000, &all);
        let active = activity.active();
        for second in 1..600 {
            assert!(!activity.check_silence(Time::from_millis(second * 1_000)));
        }
        assert_eq!(send(&mut activity, 600_000, 601_000, &all), 0);
        assert_eq!(activity.active(), active);
    }
}

#[test]
fn slow_source_keeps_all_encodings_active() {
    for interval_millis in [200, 500, 900, 1_000, 1_100, 2_000, 5_000, 30_000] {
        let mut activity = Activity::new(3);
        send(&mut activity, 0, 3_000, &[0, 1, 2]);
        let changes = send_every(&mut activity, interval_millis, (3_000, 120_000), &[0, 1, 2]);
        assert_eq!(
            (changes, activity.active()),
            (0, 0b111),
            "{interval_millis} ms"
        );
    }
}

#[test]
fn encoding_that_stops_in_a_slow_source_becomes_inactive_after_a_few_frames() {
    let mut activity = Activity::new(2);
    send_every(&mut activity, 1_000, (0, 20_000), &[0, 1]);
    send_every(&mut activity, 1_000, (20_000, 24_000), &[0]);
    assert_eq!(activity.active(), 0b11);
    send_every(&mut activity, 1_000, (24_000, 28_000), &[0]);
    assert_eq!(activity.active(), 0b01);
}

#[test]
fn encoding_of_a_lower_frame_rate_than_the_others_stays_active() {
    let mut activity = Activity::new(2);
    let mut late_changes = 0;
    for millis in (0..60_000).step_by(33) {
        let (now, timestamp) = (
            Time::from_millis(millis),
            u32::try_from(millis * 90).unwrap(),
        );
        let mut is_changed = activity.record_packet(now, 1, timestamp);
        if millis % (33 * 40) == 0 {
            is_changed |= activity.record_packet(now, 0, timestamp);
        }
        late_changes += u32::from(is_changed && millis > 20_000);
    }
    assert_eq!((late_changes, activity.active()), (0, 0b11));
}

#[test]
fn camera_that_was_off_resumes_with_all_encodings() {
    let mut activity = Activity::new(3);
    send(&mut activity, 0, 1_000, &[0, 1, 2]);
    send(&mut activity, 1_000, 3_000, &[0]);
    assert_eq!(activity.active(), 0b001);
    send(&mut activity, 8_000, 8_100, &[0, 1, 2]);
    assert_eq!(activity.active(), 0b111);
}

#[test]
fn camera_that_resumes_with_fewer_encodings_loses_the_others_soon() {
    let mut activity = Activity::new(3);
    send(&mut activity, 0, 1_000, &[0, 1, 2]);
    send(&mut activity, 60_000, 60_300, &[0]);
    assert_eq!(activity.active(), 0b001);
}

#[test]
fn late_packets_and_restarted_timestamps_do_not_stop_an_encoding() {
    let mut activity = Activity::new(2);
    send(&mut activity, 0, 1_000, &[0, 1]);
    for millis in (1_000..60_000).step_by(33) {
        let now = Time::from_millis(millis);
        // Both encodings have restarted at the same moment, with earlier timestamps.
        let timestamp = 0xf000_0000_u32.wrapping_add(u32::try_from(millis * 90).unwrap());
        activity.record_packet(now, 0, timestamp);
        activity.record_packet(now, 0, timestamp.wrapping_sub(3_000));
        activity.record_packet(now, 1, timestamp);
    }
    assert_eq!(activity.active(), 0b11);
}
