//! Retransmissions: which requests are served, how, how often, and within which budget.

use std::time::Duration;

use watersmeet_engine::egress::window::{EgressOptions, EgressWindow, WINDOW_MAX};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_wire::rtcp::report::{ReportBlock, ntp_middle};
use watersmeet_wire::rtcp::{Packet, packets};
use watersmeet_wire::units::Ssrc;

use crate::support::broadcast::{Broadcast, Viewer};
use crate::support::worker_setup::{Datagram, is_rtcp};

fn broadcast() -> Broadcast {
    Broadcast::new(SrtpProfile::AeadAes128Gcm)
}

/// Returns the RTP datagrams to this viewer, encrypted.
fn media_to(viewer: &Viewer, sent: &[Datagram]) -> Vec<Vec<u8>> {
    let to_viewer = sent
        .iter()
        .filter(|(path, datagram)| *path == viewer.path && !is_rtcp(datagram));
    to_viewer.map(|(_, datagram)| datagram.clone()).collect()
}

fn media_ssrc(viewer: &Viewer) -> Ssrc {
    viewer.rtp.encodings[0].ssrc.expect("an SSRC")
}

/// Lets the viewer request these packets, and returns what it is sent.
fn request(broadcast: &mut Broadcast, viewer: &mut Viewer, seqs: &[u16]) -> Vec<Vec<u8>> {
    let nack = viewer.nack(media_ssrc(viewer), seqs);
    broadcast.receive_from(viewer, nack);
    let sent = broadcast.drain();
    media_to(viewer, &sent)
}

fn advance(broadcast: &mut Broadcast, millis: u64) {
    broadcast.now = broadcast.now + Duration::from_millis(millis);
}

#[test]
fn viewer_without_rtx_is_sent_the_same_datagram_again() {
    let mut broadcast = broadcast();
    let mut viewer = broadcast.add_viewer_without_rtx();
    assert!(viewer.rtp.encodings[0].rtx.is_none());
    let sent = broadcast.publish(true, 700);
    let original = media_to(&viewer, &sent);
    let seq = viewer.received(&sent)[0].0.seq;
    for _ in 0..3 {
        advance(&mut broadcast, 150);
        assert_eq!(request(&mut broadcast, &mut viewer, &[seq]), original);
    }
    // Transport-wide sequence numbers of later packets go on.
    let sent = broadcast.publish(false, 700);
    assert_eq!(viewer.received(&sent)[0].0.seq, seq.wrapping_add(1));
}

#[test]
fn padded_packets_are_repeated_with_their_padding() {
    let egress = EgressOptions {
        window: EgressWindow::Fixed(WINDOW_MAX),
        padding_max: 32,
    };
    let mut broadcast = Broadcast::with_egress(SrtpProfile::AeadAes128Gcm, egress);
    let mut viewer = broadcast.add_viewer_without_rtx();
    for len in [700, 710, 720, 730, 690, 705] {
        broadcast.receive_packet(true, len);
    }
    let sent = broadcast.drain();
    let mut original = media_to(&viewer, &sent);
    let received = viewer.received(&sent);
    assert!(
        received.iter().any(|(_, packet)| packet[0] & 0x20 != 0),
        "padding"
    );
    let seqs: Vec<u16> = received.iter().map(|(header, _)| header.seq).collect();
    advance(&mut broadcast, 40);
    let mut repeated = request(&mut broadcast, &mut viewer, &seqs);
    original.sort_unstable();
    repeated.sort_unstable();
    assert_eq!(repeated, original);
}

#[test]
fn audio_is_repeated_where_nack_is_announced() {
    let mut broadcast = broadcast();
    let producer = broadcast.produce_audio();
    let mut viewer = broadcast.add_viewer_of(producer);
    assert!(viewer.rtp.codecs[0].has_feedback("nack", ""));
    let mut originals = Vec::new();
    let mut seqs = Vec::new();
    for _ in 0..100 {
        advance(&mut broadcast, 20);
        let sent = broadcast.publish_audio(20);
        originals.extend(media_to(&viewer, &sent));
        seqs.push(viewer.received(&sent)[0].0.seq);
    }
    let mut repeated = Vec::new();
    for &seq in seqs.iter().rev().take(40).step_by(3) {
        repeated.extend(request(&mut broadcast, &mut viewer, &[seq]));
    }
    let expected: Vec<_> = originals.into_iter().rev().take(40).step_by(3).collect();
    assert_eq!(repeated, expected);
}

#[test]
fn packet_never_sent_is_not_repeated() {
    let mut broadcast = broadcast();
    let mut viewer = broadcast.add_viewer_without_rtx();
    let sent = broadcast.publish(true, 700);
    let seq = viewer.received(&sent)[0].0.seq;
    let others = [
        seq.wrapping_add(1),
        seq.wrapping_add(64),
        seq.wrapping_sub(64),
    ];
    for other in others {
        assert!(request(&mut broadcast, &mut viewer, &[other]).is_empty());
    }
}

#[test]
fn requests_for_everything_cost_a_fifth_of_the_media_at_most() {
    for has_rtx in [true, false] {
        let mut broadcast = broadcast();
        let mut viewer = if has_rtx {
            broadcast.add_viewer()
        } else {
            broadcast.add_viewer_without_rtx()
        };
        let mut other = broadcast.add_viewer();
        let (mut media_bytes, mut resent_bytes, mut resent) = (0, 0, 0);
        let mut seqs = Vec::new();
        for step in 0..1_000 {
            advance(&mut broadcast, 10);
            let sent = broadcast.publish(step == 0, 1_100);
            media_bytes += media_to(&viewer, &sent)[0].len();
            seqs.push(viewer.received(&sent)[0].0.seq);
            assert_eq!(other.received(&sent).len(), 1);
            let latest = &seqs[seqs.len().saturating_sub(90)..];
            let sent = request(&mut broadcast, &mut viewer, latest);
            resent += sent.len();
            resent_bytes += sent.iter().map(Vec::len).sum::<usize>();
        }
        assert!(
            resent_bytes * 5 <= media_bytes,
            "{resent_bytes} of {media_bytes}"
        );
        assert!(
            resent_bytes * 6 >= media_bytes,
            "{resent_bytes} of {media_bytes}"
        );
        let totals = broadcast.worker.metrics().totals;
        assert!(totals.retransmissions_refused > 50_000, "{resent} resent");
    }
}

/// Returns the middle of the NTP timestamp of the last sender report that the viewer got.
fn last_report(viewer: &mut Viewer, sent: &[Datagram]) -> Option<u32> {
    let mut last = None;
    for compound in viewer.received_rtcp(sent) {
        for packet in packets(&compound) {
            if let Ok(Packet::SenderReport(report)) = packet {
                last = Some(ntp_middle(report.info.ntp));
            }
        }
    }
    last
}

fn reception_report(viewer: &mut Viewer, last_sr: u32, delay_millis: u32) -> Vec<u8> {
    let block = ReportBlock {
        ssrc: media_ssrc(viewer),
        fraction_lost: 0,
        cumulative_lost: 0,
        highest_seq: 0,
        jitter: 0,
        last_sr,
        delay_since_last_sr: delay_millis * 65_536 / 1_000,
    };
    viewer.rtcp(|writer| assert!(writer.write_receiver_report(Ssrc(1), &[block])))
}

#[test]
fn retransmissions_are_not_spaced_by_a_round_trip_that_is_no_longer_measured() {
    let mut broadcast = broadcast();
    let mut viewer = broadcast.add_viewer();
    broadcast.publish(true, 700);
    // A second later the viewer gets a report and answers: 52 ms.
    advance(&mut broadcast, 1_000);
    broadcast.worker.handle_timeout(broadcast.now);
    let sent = broadcast.drain();
    let last_sr = last_report(&mut viewer, &sent).expect("a sender report");
    advance(&mut broadcast, 152);
    let report = reception_report(&mut viewer, last_sr, 100);
    broadcast.receive_from(&viewer, report);
    let sent = broadcast.publish(false, 700);
    let seq = viewer.received(&sent)[0].0.seq;
    let repeated = |broadcast: &mut Broadcast, viewer: &mut Viewer, seq: u16, wait: u64| {
        advance(broadcast, wait);
        request(broadcast, viewer, &[seq]).len()
    };
    assert_eq!(repeated(&mut broadcast, &mut viewer, seq, 60), 1);
    assert_eq!(repeated(&mut broadcast, &mut viewer, seq, 60), 1);
    // Then the path takes 350 ms, and reports echo nothing.
    for _ in 0..7 {
        advance(&mut broadcast, 1_000);
        let report = reception_report(&mut viewer, 0, 0);
        broadcast.receive_from(&viewer, report);
    }
    let sent = broadcast.publish(false, 700);
    let seq = viewer.received(&sent)[0].0.seq;
    assert_eq!(repeated(&mut broadcast, &mut viewer, seq, 350), 1);
    let later = (0..20).map(|_| repeated(&mut broadcast, &mut viewer, seq, 50));
    let later: Vec<usize> = later.collect();
    assert_eq!(later.iter().sum::<usize>(), 2, "{later:?}");
}
