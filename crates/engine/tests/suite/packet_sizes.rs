//! Packets near and beyond what Ethernet carries in one piece, as FFmpeg and cameras send them.

use watersmeet_engine::transport::discard::DiscardReason;
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_wire::rtp::extension::ExtensionKind;

use crate::support::broadcast::{Broadcast, PublishedPacket, ReceivedRtp, SSRC, Viewer};

/// Longest datagram that Ethernet carries in one piece over IPv6.
const UNFRAGMENTED_LEN: usize = 1_452;

fn broadcast() -> Broadcast {
    Broadcast::new(SrtpProfile::AeadAes128Gcm)
}

/// Returns whether a packet has an extension of this kind.
fn has_extension(viewer: &Viewer, (header, packet): &ReceivedRtp, kind: ExtensionKind) -> bool {
    let extensions = &viewer.rtp.header_extensions;
    let known = extensions.iter().find(|it| it.uri == kind.uri()).unwrap();
    header
        .extension_ranges(packet)
        .any(|(id, _)| id == known.id)
}

/// Returns the packets discarded for this reason.
fn discarded(broadcast: &Broadcast, reason: DiscardReason) -> u64 {
    broadcast.worker.metrics().totals.discards[reason as usize]
}

#[test]
fn packets_are_forwarded_whole_up_to_two_thousand_bytes_of_payload() {
    for profile in [SrtpProfile::AeadAes128Gcm, SrtpProfile::AesCm128HmacSha1_80] {
        let mut broadcast = Broadcast::new(profile);
        let mut viewer = broadcast.add_viewer();
        for len in [
            1_200, 1_388, 1_400, 1_420, 1_440, 1_455, 1_460, 1_480, 1_600, 2_000,
        ] {
            let sent = broadcast.publish(true, len);
            let received = viewer.received(&sent);
            let [packet] = received.as_slice() else {
                panic!(
                    "payload of {len} B, {profile:?}: {} packets",
                    received.len()
                );
            };
            assert_eq!(packet.0.payload(&packet.1).unwrap().len(), len);
            assert!(has_extension(&viewer, packet, ExtensionKind::Mid));
        }
        let metrics = broadcast.worker.metrics().totals;
        assert_eq!((metrics.unrouted, metrics.discards), (0, [0; 17]));
    }
}

#[test]
fn optional_extensions_are_left_out_where_a_packet_would_need_ip_fragments() {
    let mut broadcast = broadcast();
    let mut viewer = broadcast.add_viewer();
    let kind = ExtensionKind::AbsSendTime;
    let sent = broadcast.publish(true, 1_400);
    let received = viewer.received(&sent);
    assert!(has_extension(&viewer, &received[0], kind));
    let mut left_out = 0;
    for len in 1_401..1_416 {
        let sent = broadcast.publish(true, len);
        let longest = sent.iter().map(|(_, datagram)| datagram.len()).max();
        let received = viewer.received(&sent);
        let has_optional = has_extension(&viewer, &received[0], kind);
        let fits = longest.unwrap() <= UNFRAGMENTED_LEN;
        assert!(fits || !has_optional, "payload of {len} B");
        left_out += usize::from(fits && !has_optional);
        let (header, _) = &received[0];
        let nack = viewer.nack(header.ssrc, &[header.seq]);
        // Other media earns the budget of the retransmission.
        for _ in 0..10 {
            let sent = broadcast.publish(false, 1_000);
            assert_eq!(viewer.received(&sent).len(), 1);
        }
        broadcast.receive_from(&viewer, nack);
        let sent = broadcast.drain();
        let longest = sent.iter().map(|(_, datagram)| datagram.len()).max();
        let received = viewer.received(&sent);
        let has_optional = has_extension(&viewer, &received[0], kind);
        let fits = longest.unwrap() <= UNFRAGMENTED_LEN;
        assert!(fits || !has_optional, "retransmission of {len} B");
    }
    assert!(left_out >= 4, "{left_out} packets need no fragments");
}

#[test]
fn packets_too_long_to_forward_are_counted_as_such() {
    let mut broadcast = broadcast();
    let mut viewers = [broadcast.add_viewer(), broadcast.add_viewer()];
    let sent = broadcast.publish(true, 2_600);
    for viewer in &mut viewers {
        assert_eq!(viewer.received(&sent).len(), 0);
    }
    assert_eq!(discarded(&broadcast, DiscardReason::TooLong), 2);
    assert_eq!(broadcast.worker.metrics().totals.unrouted, 0);
    let sent = broadcast.publish(true, 100);
    assert_eq!(viewers[0].received(&sent).len(), 1);
}

#[test]
fn packets_of_codecs_that_were_not_negotiated_are_counted_as_such() {
    let mut broadcast = broadcast();
    let mut viewer = broadcast.add_viewer();
    let sent = broadcast.publish(true, 100);
    assert_eq!(viewer.received(&sent).len(), 1);
    let unknown = PublishedPacket {
        ssrc: SSRC.0,
        pt: 120,
        seq: 2,
        timestamp: 1,
        extensions: &[],
        payload: &[0x10, 1, 2],
    };
    assert!(viewer.received(&broadcast.send(&unknown)).is_empty());
    assert_eq!(discarded(&broadcast, DiscardReason::UnknownPayloadType), 1);
    assert_eq!(broadcast.worker.metrics().totals.unrouted, 0);
}

#[test]
fn packets_that_are_not_sent_are_counted_as_such() {
    let mut broadcast = broadcast();
    let _viewer = broadcast.add_viewer();
    broadcast.receive_packet(true, 100);
    for _ in 0..10_000 {
        broadcast.receive_packet(false, 100);
    }
    let sent = broadcast.drain().len() as u64;
    let not_sent = discarded(&broadcast, DiscardReason::NotSent);
    assert!(
        not_sent > 0 && sent + not_sent >= 10_001,
        "{sent} {not_sent}"
    );
    assert_eq!(broadcast.worker.metrics().totals.unrouted, 0);
}

#[test]
fn datagrams_from_unknown_addresses_are_counted_as_such() {
    let mut broadcast = broadcast();
    let path = watersmeet_engine::command::Path::udp(([192, 0, 2, 1], 9).into());
    for datagram in [
        &mut [0_u8; 20][..],
        &mut [22; 60],
        &mut [0x80; 100],
        &mut [],
    ] {
        broadcast
            .worker
            .handle_datagram(broadcast.now, path, datagram);
    }
    assert_eq!(discarded(&broadcast, DiscardReason::UnknownAddress), 4);
}
