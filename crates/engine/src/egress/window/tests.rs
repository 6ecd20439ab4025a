//! There is no window where nothing is gained, and never a longer one than promised.

use super::*;

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
        window.record_packet(now);
    }
    (window, now)
}

#[test]
fn a_worker_that_forwards_little_looks_at_once() {
    // A call of two is some hundred packets a second.
    for rate in [1, 400, 4_900] {
        let (window, _) = loaded(rate);
        assert_eq!((window.length(), window.padding_max()), (Duration::ZERO, 0));
    }
}

#[test]
fn the_window_rises_with_the_load_and_has_an_end() {
    let lengths = [22_000, 40_000, 72_000, 140_000, 1_000_000].map(|rate| loaded(rate).0.length());
    assert!(lengths.is_sorted() && !lengths[0].is_zero());
    assert_eq!(lengths[3..], [WINDOW_MAX, WINDOW_MAX]);
}

#[test]
fn the_window_ends_with_the_load() {
    let (mut window, now) = loaded(100_000);
    assert!(!window.length().is_zero());
    window.record_packet(now + MEASURED_FOR);
    assert!(window.length().is_zero());
}

#[test]
fn a_fixed_window_is_kept_whatever_the_load_and_bounded() {
    let mut window = fixed(Duration::from_secs(1));
    window.record_packet(Time::from_millis(1_000));
    assert_eq!((window.length(), window.padding_max()), (WINDOW_MAX, 16));
    assert_eq!(fixed(Duration::ZERO).padding_max(), 0);
}

#[test]
fn under_load_there_is_padding_also_without_a_window() {
    let (mut window, _) = loaded(40_000);
    window.options.window = EgressWindow::Fixed(Duration::ZERO);
    window.length = Duration::ZERO;
    assert_eq!(window.padding_max(), EgressOptions::default().padding_max);
}
