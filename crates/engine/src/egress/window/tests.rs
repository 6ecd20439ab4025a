//! Waits are none where nothing is gained, and never longer than promised.

use super::*;

/// The longest wait that load asks for.
const BUSY: Duration = Duration::from_micros(BUSY_MICROS);

fn fixed(length: Duration) -> Window {
    Window::new(EgressOptions {
        window: EgressWindow::Fixed(length),
        padding_max: 16,
    })
}

/// A window after a second of this many packets a second.
fn loaded(rate: u64) -> (Window, Time) {
    let mut window = Window::new(EgressOptions::default());
    let mut now = Time::ZERO;
    for index in 0..=rate {
        now = Time::from_micros(index * 1_000_000 / rate);
        window.note_packet(now);
    }
    (window, now)
}

#[test]
fn a_worker_that_forwards_little_does_not_wait() {
    // A call of two is some hundred packets a second.
    for rate in [1, 400, 4_900] {
        let (window, _) = loaded(rate);
        assert_eq!((window.length(), window.padding_max()), (Duration::ZERO, 0));
    }
}

#[test]
fn the_wait_rises_with_the_load_and_has_an_end() {
    let lengths = [14_000, 20_000, 40_000, 60_000, 1_000_000].map(|rate| loaded(rate).0.length());
    assert!(lengths.is_sorted() && !lengths[0].is_zero());
    assert_eq!(lengths[3..], [BUSY, BUSY]);
    assert!(BUSY <= WINDOW_MAX);
}

#[test]
fn the_wait_ends_with_the_load() {
    let (mut window, now) = loaded(100_000);
    assert_eq!(window.length(), BUSY);
    window.note_packet(now + MEASURED_FOR);
    assert!(window.length().is_zero());
}

#[test]
fn a_fixed_wait_is_kept_whatever_the_load_and_bounded() {
    let mut window = fixed(Duration::from_secs(1));
    window.note_packet(Time::from_millis(1_000));
    assert_eq!((window.length(), window.padding_max()), (WINDOW_MAX, 16));
    assert_eq!(fixed(Duration::ZERO).padding_max(), 0);
}

#[test]
fn the_first_packet_sets_the_end_of_the_wait() {
    let window = fixed(Duration::from_millis(1));
    let mut wait = Wait::default();
    let due = Time::from_millis(6);
    assert_eq!(wait.begin(Time::from_millis(5), &window), Leaving::At(due));
    assert_eq!(
        wait.begin(Time::from_micros(5_900), &window),
        Leaving::Joined
    );
    assert!(wait.is_due(due) && !wait.is_due(Time::from_millis(7)));
    assert_eq!(wait.end(due), Duration::from_millis(1));
    assert!(!wait.is_due(due));
}

#[test]
fn a_destination_where_waiting_brings_nothing_stops_waiting() {
    let (window, mut now) = loaded(40_000);
    let mut wait = Wait::default();
    let mut waits = 0;
    for _ in 0..1_000 {
        now = now + Duration::from_millis(20);
        if let Leaving::At(due) = wait.begin(now, &window) {
            waits += 1;
            wait.end(due);
        }
    }
    let tries = 1_000 / usize::from(REST) + 1;
    assert!(
        (usize::from(PATIENCE)..usize::from(PATIENCE) + tries).contains(&waits),
        "{waits}"
    );
}

#[test]
fn under_load_there_is_padding_also_where_nobody_waits() {
    let (mut window, _) = loaded(40_000);
    window.options.window = EgressWindow::Fixed(Duration::ZERO);
    window.length = Duration::ZERO;
    assert_eq!(window.padding_max(), EgressOptions::default().padding_max);
}

#[test]
fn a_destination_that_becomes_busy_waits_again() {
    let (window, mut now) = loaded(40_000);
    let mut wait = Wait::default();
    let mut leave = |wait: &mut Wait, companions: u64| {
        now = now + Duration::from_millis(20);
        let Leaving::At(due) = wait.begin(now, &window) else {
            return false;
        };
        for companion in 1..=companions {
            wait.begin(now + Duration::from_micros(companion), &window);
        }
        wait.end(due);
        true
    };
    while leave(&mut wait, 0) {}
    while !leave(&mut wait, 1) {}
    assert!((0..100).all(|_| leave(&mut wait, 1)));
    // One company in three waits is enough.
    assert!((0..100).all(|round| leave(&mut wait, u64::from(round % 3 == 0))));
}

#[test]
fn packets_that_come_at_the_same_moment_need_no_wait() {
    let (window, mut now) = loaded(40_000);
    let mut wait = Wait::default();
    let mut waits = 0;
    for _ in 0..REST {
        now = now + Duration::from_millis(20);
        if let Leaving::At(due) = wait.begin(now, &window) {
            waits += 1;
            assert_eq!(wait.begin(now, &window), Leaving::Joined);
            wait.end(due);
        }
    }
    assert_eq!(waits, PATIENCE);
}
