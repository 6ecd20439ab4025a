//! Length of the window by load, and its bounds.

use super::*;

fn fixed(length: Duration) -> Window {
    Window::new(EgressOptions {
        window: EgressWindow::Fixed(length),
        padding_max: 16,
    })
}

/// Returns a window after one second at this packet rate.
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
fn little_load_has_no_window() {
    // A call of two is some hundred packets a second.
    for rate in [1, 400, 4_900] {
        let (window, _) = loaded(rate);
        assert_eq!((window.length(), window.padding_max()), (Duration::ZERO, 0));
    }
}

#[test]
fn window_grows_with_the_load_up_to_its_bound() {
    let lengths = [22_000, 40_000, 72_000, 140_000, 1_000_000].map(|rate| loaded(rate).0.length());
    assert!(lengths.is_sorted() && !lengths[0].is_zero());
    assert_eq!(lengths[3..], [WINDOW_MAX, WINDOW_MAX]);
}

#[test]
fn window_ends_with_the_load() {
    let (mut window, now) = loaded(100_000);
    assert!(!window.length().is_zero());
    window.record_packet(now + MEASURING_INTERVAL);
    assert!(window.length().is_zero());
}

#[test]
fn fixed_window_does_not_depend_on_the_load_and_is_bounded() {
    let mut window = fixed(Duration::from_secs(1));
    window.record_packet(Time::from_millis(1_000));
    assert_eq!((window.length(), window.padding_max()), (WINDOW_MAX, 16));
    assert_eq!(fixed(Duration::ZERO).padding_max(), 0);
}

#[test]
fn load_enables_padding_without_a_window() {
    let (mut window, _) = loaded(40_000);
    window.options.window = EgressWindow::Fixed(Duration::ZERO);
    window.length = Duration::ZERO;
    assert_eq!(window.padding_max(), EgressOptions::default().padding_max);
}
