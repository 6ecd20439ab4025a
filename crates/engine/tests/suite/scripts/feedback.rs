//! Scripts of a viewer whose feedback about what arrives is true, false, repeated, out of order or
//! absent. The estimate of its path stays within its bounds, and what it is sent with it.

use std::time::Duration;

use watersmeet_engine::command::{Command, Reply, TransportOptions};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_wire::rtcp::twcc::FeedbackHeader;
use watersmeet_wire::units::{Bitrate, SeqNo, Ssrc, Time};

use crate::support::broadcast::{Broadcast, Viewer};

/// Commands of a script that are carried out; the rest is ignored.
const STEPS_MAX: usize = 400;

/// Bounds of the estimate, in bit/s.
const ESTIMATE_MIN: u64 = 30_000;
const ESTIMATE_MAX: u64 = 100_000_000;

/// Most packets that one report of a script is about.
const REPORTED_MAX: u16 = 128;

/// The viewer and what it knows of the packets that were sent.
struct Peer {
    viewer: Viewer,
    /// Transport-wide number behind which its reports start.
    base: SeqNo,
    /// Its clock.
    clock: Time,
    reports: u8,
    /// Bitrate that it last reported it can receive, in bit/s.
    reported: Option<u64>,
}

impl Peer {
    /// Returns transport-wide feedback about `count` packets, of which those with a bit in `lost` are missing;
    /// `None` when all are.
    fn feedback(&mut self, count: u16, lost: u8, spacing_micros: u64) -> Option<Vec<u8>> {
        let mut arrivals = Vec::new();
        for step in 0..count {
            if lost >> (step & 7) & 1 == 0 {
                let seq = SeqNo(self.base.0 + u64::from(step));
                arrivals.push((seq, self.clock));
            }
            self.clock = self.clock + Duration::from_micros(spacing_micros);
        }
        self.reports = self.reports.wrapping_add(1);
        let header = FeedbackHeader {
            sender: Ssrc(1),
            media: Ssrc(2),
            base: self.base,
            feedback_count: self.reports,
        };
        self.base = SeqNo(self.base.0 + u64::from(count));
        if arrivals.is_empty() {
            return None;
        }
        Some(self.viewer.rtcp(|writer| {
            let written = writer.write_transport_feedback(&header, &arrivals);
            assert!(written.is_some(), "there are arrivals");
        }))
    }
}

/// Runs a script.
pub fn feedback(bytes: &[u8]) {
    let Some((&start, script)) = bytes.split_first() else {
        return;
    };
    let mut broadcast = Broadcast::new(SrtpProfile::AeadAes128Gcm);
    broadcast.transport_options = TransportOptions {
        initial_outgoing_bitrate: Bitrate::from_kbps(u64::from(start) * 40),
        adapts_to_bandwidth: true,
        ..TransportOptions::default()
    };
    let viewer = broadcast.add_viewer();
    let mut peer = Peer {
        viewer,
        base: SeqNo::first(0),
        clock: Time::from_millis(100_000),
        reports: 0,
        reported: None,
    };
    let (steps, _) = script.as_chunks::<3>();
    for &[operation, first, second] in steps.iter().take(STEPS_MAX) {
        step(&mut broadcast, &mut peer, operation, (first, second));
        check_estimate(&mut broadcast, &peer);
    }
}

fn step(broadcast: &mut Broadcast, peer: &mut Peer, operation: u8, (first, second): (u8, u8)) {
    let datagram = match operation & 7 {
        0 | 1 => {
            for part in 0..=operation >> 3 {
                let keyframe = part == 0 && second & 1 == 1;
                broadcast.publish(keyframe, 20 + usize::from(first) * 4);
            }
            return;
        }
        2 => {
            broadcast.advance(Duration::from_millis(u64::from(first)));
            return;
        }
        3 | 4 => {
            let count = u16::from(first).min(REPORTED_MAX);
            let report = peer.feedback(count, second, u64::from(operation >> 3) * 500);
            let Some(report) = report else { return };
            report
        }
        // The numbers or the clock of the reports jump.
        5 => {
            let [high, low] = [first, second];
            peer.base = SeqNo(peer.base.0 + u64::from(u16::from_be_bytes([high, low])));
            return;
        }
        6 => {
            let step = Duration::from_millis(u64::from(first) * u64::from(second));
            peer.clock = if operation & 8 == 0 {
                peer.clock + step
            } else {
                peer.clock - step
            };
            return;
        }
        _ => {
            let bitrate = Bitrate::from_bps(u64::from(first) << (second & 31));
            let media = peer.viewer.rtp.encodings[0].ssrc.unwrap_or_default();
            let ssrcs = [media];
            let reported = &mut peer.reported;
            let writes_bitrate = operation & 8 == 0;
            peer.viewer.rtcp(|writer| {
                if writes_bitrate {
                    *reported = Some(bitrate.as_bps());
                    assert!(writer.write_remb(Ssrc(1), bitrate, &ssrcs));
                } else {
                    assert!(writer.write_pli(Ssrc(1), media));
                }
            })
        }
    };
    broadcast.receive_from(&peer.viewer, datagram);
    broadcast.drain();
}

/// Checks that the bitrate known of the path is within the bounds, or the one that the viewer reported.
fn check_estimate(broadcast: &mut Broadcast, peer: &Peer) {
    let transport = peer.viewer.transport;
    let reply = broadcast.command(Command::TransportStats { transport });
    let Reply::TransportStats(stats) = reply else {
        panic!("no transport statistics in {reply:?}");
    };
    let estimate = stats.available_outgoing_bitrate;
    // A bitrate that it reports has fewer digits in the report.
    let is_reported = peer
        .reported
        .is_some_and(|it| estimate <= it && estimate >= it / 2);
    assert!(
        estimate == 0 || is_reported || (ESTIMATE_MIN..=ESTIMATE_MAX).contains(&estimate),
        "{estimate}"
    );
}
