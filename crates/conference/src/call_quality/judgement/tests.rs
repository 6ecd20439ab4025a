//! Each cause with an observation that shows it, and one just below that does not.

use super::super::observation::{Flow, Pictures};
use super::*;

/// Returns the observation of a participant for whom all is well.
fn good() -> Observation {
    let flow = Flow {
        packets: 3_000,
        lost: 20,
        jitter_ms: 8,
        kbps: 1_500,
        ..Flow::default()
    };
    Observation {
        age_s: 60,
        route: Some(Route::Udp),
        connection: Connection::Connected,
        round_trip_ms: Some(40),
        available_kbps: Some(5_000),
        down: flow,
        up: flow,
        pictures: Pictures {
            wanted: 3,
            ..Pictures::default()
        },
        encodings: Some((3, 3)),
        microphone: Microphone::Open,
        server_busy_percent: 30,
        ..Observation::default()
    }
}

/// Returns the report of a page for which all is well.
fn page() -> PageReport {
    PageReport {
        route: Some(Route::Udp),
        microphone: DeviceState::Working,
        camera: DeviceState::Working,
        ..PageReport::default()
    }
}

/// Returns the good observation after a change.
fn with(change: impl Fn(&mut Observation)) -> Observation {
    let mut observation = good();
    change(&mut observation);
    observation
}

/// Returns the good observation with a report of the page after a change.
fn with_page(change: impl Fn(&mut PageReport)) -> Observation {
    let mut report = page();
    change(&mut report);
    with(|it| it.page = Some(report))
}

#[test]
fn nothing_is_bad_in_a_good_observation() {
    assert_eq!(judge(&good()), []);
    assert_eq!(judge(&with_page(|_| {})), []);
    assert_eq!(judge(&Observation::default()), []);
}

#[test]
fn each_direction_of_a_line_is_judged_by_itself() {
    let cases = [
        (with(|it| it.down.lost = 210), Some(Cause::Downlink)),
        (with(|it| it.down.lost = 200), None),
        (with(|it| it.down.jitter_ms = 41), Some(Cause::Downlink)),
        (with(|it| it.up.lost = 210), Some(Cause::Uplink)),
        (with(|it| it.up.lost = 200), None),
        (with(|it| it.up.jitter_ms = 41), Some(Cause::Uplink)),
        (
            with(|it| it.round_trip_ms = Some(401)),
            Some(Cause::LongDelay),
        ),
        (with(|it| it.round_trip_ms = Some(400)), None),
        (with(|it| it.pictures.withheld = 1), Some(Cause::Downlink)),
        (with(|it| it.pictures.reduced = 2), Some(Cause::Downlink)),
        (with(|it| it.pictures.reduced = 1), None),
        (with(|it| it.pictures.held_by_last_n = 3), None),
        (
            with_page(|it| it.limited_by_bandwidth = true),
            Some(Cause::Uplink),
        ),
    ];
    for (observation, expected) in cases {
        let expected: Vec<Cause> = expected.into_iter().collect();
        assert_eq!(judge(&observation), expected, "{observation:?}");
    }
}

#[test]
fn estimate_that_still_rises_after_joining_is_no_slow_line() {
    let young = with(|it| {
        it.age_s = 15;
        it.pictures.withheld = 3;
    });
    assert_eq!(judge(&young), []);
}

#[test]
fn loss_of_a_few_packets_says_nothing() {
    let silence = with(|it| {
        it.up.packets = 30;
        it.up.lost = 10;
    });
    assert_eq!(judge(&silence), []);
}

#[test]
fn transports_that_do_not_connect_or_are_cut_are_told_alone() {
    let cases = [
        (Connection::NeverConnected, Some(Cause::NeverConnected)),
        (Connection::Interrupted, Some(Cause::Interrupted)),
        (Connection::Connecting, None),
        (Connection::Unused, None),
    ];
    for (connection, expected) in cases {
        let observation = with(|it| {
            it.connection = connection;
            it.down.lost = 2_000;
            it.server_busy_percent = 99;
        });
        let expected: Vec<Cause> = expected.into_iter().collect();
        assert_eq!(judge(&observation), expected);
    }
}

#[test]
fn overloaded_server_is_not_blamed_on_the_lines_of_participants() {
    let observation = with(|it| {
        it.server_busy_percent = 90;
        it.down.lost = 600;
        it.up.lost = 600;
    });
    assert_eq!(judge(&observation), [Cause::ServerOverloaded]);
    assert_eq!(judge(&with(|it| it.server_busy_percent = 89)), []);
}

#[test]
fn slow_device_is_not_taken_for_a_slow_line() {
    let slow = with_page(|it| it.dropped_percent = 16);
    assert_eq!(judge(&slow), [Cause::ViewerCpu]);
    let with_fewer_layers = Observation {
        pictures: Pictures {
            wanted: 3,
            reduced: 3,
            ..Pictures::default()
        },
        ..slow
    };
    assert_eq!(judge(&with_fewer_layers), [Cause::ViewerCpu]);
    assert_eq!(judge(&with_page(|it| it.dropped_percent = 15)), []);
    let lossy = Observation {
        down: Flow {
            lost: 600,
            ..slow.down
        },
        ..slow
    };
    assert_eq!(judge(&lossy), [Cause::Downlink]);
    let busy = with_page(|it| it.busy_percent = 41);
    assert_eq!(judge(&busy), [Cause::ViewerCpu]);
    assert_eq!(judge(&with_page(|it| it.busy_percent = 40)), []);
    let publisher = with_page(|it| it.limited_by_cpu = true);
    assert_eq!(judge(&publisher), [Cause::PublisherCpu]);
}

#[test]
fn devices_are_named_by_what_their_page_says_first() {
    let cases = [
        (DeviceState::Failed, Some(Cause::MicrophoneDevice)),
        (DeviceState::Silent, Some(Cause::MicrophoneSilent)),
        (DeviceState::TalkingMuted, Some(Cause::MicrophoneMuted)),
        (DeviceState::Working, None),
        (DeviceState::Off, None),
    ];
    for (state, expected) in cases {
        let expected: Vec<Cause> = expected.into_iter().collect();
        let observation = with_page(|it| it.microphone = state);
        assert_eq!(judge(&observation), expected, "{state:?}");
    }
    let camera = with_page(|it| it.camera = DeviceState::Failed);
    assert_eq!(judge(&camera), [Cause::CameraDevice]);
    // A page whose microphone works, and whose person only listens.
    let listener = Observation {
        microphone: Microphone::Silent,
        ..with_page(|_| {})
    };
    assert_eq!(judge(&listener), []);
}

#[test]
fn microphone_of_other_clients_is_judged_by_what_arrives() {
    let cases = [
        (Microphone::Muted, Some(Cause::MicrophoneMuted)),
        (Microphone::Silent, Some(Cause::MicrophoneSilent)),
        (Microphone::Open, None),
        (Microphone::Absent, None),
    ];
    for (microphone, expected) in cases {
        let expected: Vec<Cause> = expected.into_iter().collect();
        assert_eq!(judge(&with(|it| it.microphone = microphone)), expected);
    }
}

#[test]
fn route_is_told_by_the_page_or_the_server() {
    assert_eq!(
        judge(&with(|it| it.route = Some(Route::Tcp))),
        [Cause::TcpOnly]
    );
    assert_eq!(
        judge(&with(|it| it.route = Some(Route::Relay))),
        [Cause::Relay]
    );
    let relayed = with_page(|it| it.route = Some(Route::Relay));
    assert_eq!(judge(&relayed), [Cause::Relay]);
}

#[test]
fn device_that_sleeps_is_not_taken_for_an_interruption() {
    let asleep = Observation {
        connection: Connection::Interrupted,
        ..with_page(|it| it.stalled_ms = 8_001)
    };
    assert_eq!(judge(&asleep), [Cause::BrowserAsleep]);
    assert_eq!(judge(&with_page(|it| it.stalled_ms = 8_000)), []);
    let moved = with(|it| it.has_moved = true);
    assert_eq!(judge(&moved), [Cause::NetworkChanged]);
}
