//! Sender reports to viewers, when the clock of the publisher is absent, wrong or set.

use std::time::Duration;

use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_wire::rtcp::{Packet, packets};

use crate::support::broadcast::{Broadcast, Viewer};
use crate::support::worker_setup::Datagram;

/// Our clock at `Time::ZERO`, as an NTP timestamp.
const NOW: u64 = (1_800_000_000 + 2_208_988_800) << 32;

/// RTP timestamp and NTP timestamp of the last sender report that the viewer got.
fn last_report(viewer: &mut Viewer, sent: &[Datagram]) -> Option<(u32, u64)> {
    let mut last = None;
    for compound in viewer.received_rtcp(sent) {
        for packet in packets(&compound) {
            if let Ok(Packet::SenderReport(report)) = packet {
                last = Some((report.info.rtp_timestamp, report.info.ntp));
            }
        }
    }
    last
}

/// Publishes 25 pictures a second for 20 s, with a sender report every second whose NTP timestamp is
/// `ntp` of the second. Returns the largest deviation, in ticks, of the reports to the viewer from the
/// timestamps that it got.
fn deviation(ntp: impl Fn(u64) -> u64) -> u32 {
    let mut broadcast = Broadcast::new(SrtpProfile::AeadAes128Gcm);
    let mut viewer = broadcast.add_viewer();
    let mut worst = 0;
    for second in 0..20 {
        for picture in 0..30 {
            let sent = broadcast.publish(second == 0 && picture == 0, 100);
            let timestamp = viewer.received(&sent)[0].0.timestamp;
            if picture == 0 {
                // The publisher's timestamps are its sequence numbers times 3,000.
                let ticks = u32::try_from(second * 90_000 + 3_000).expect("small");
                broadcast.receive_sender_report(ntp(second), ticks.wrapping_add(first_ticks()));
            }
            broadcast.now = broadcast.now + Duration::from_micros(33_333);
            broadcast.worker.handle_timeout(broadcast.now);
            let sent = broadcast.drain();
            if let Some((reported, _)) = last_report(&mut viewer, &sent) {
                let ahead = reported.wrapping_sub(timestamp).cast_signed();
                worst = worst.max(ahead.unsigned_abs());
            }
        }
    }
    worst
}

/// RTP timestamp of the publisher before its first packet.
fn first_ticks() -> u32 {
    u32::try_from(0x1_0000_u64 * 3_000).expect("it fits")
}

#[test]
fn reports_fit_the_media_whatever_clock_the_publisher_has() {
    let true_clock = |second: u64| NOW + (second << 32);
    let clocks: [(&str, &dyn Fn(u64) -> u64); 8] = [
        ("true", &true_clock),
        ("absent", &|_| 0),
        ("since the start", &|second| (second + 3) << 32),
        ("since 1970", &|second| (1_800_000_000 + second) << 32),
        ("standing still", &|_| NOW),
        ("ahead an hour from the tenth second on", &|second| {
            true_clock(second) + if second < 10 { 0 } else { 3_600 << 32 }
        }),
        ("back an hour from the tenth second on", &|second| {
            true_clock(second) - if second < 10 { 0 } else { 3_600 << 32 }
        }),
        ("absent at first", &|second| {
            if second < 10 { 0 } else { true_clock(second) }
        }),
    ];
    for (name, clock) in clocks {
        let worst = deviation(clock);
        assert!(worst < 90_000 / 5, "{name}: {worst} ticks");
    }
}
