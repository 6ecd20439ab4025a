//! Closing a transport: close_notify from either side.

use watersmeet_engine::command::{CloseReason, DtlsState};
use watersmeet_engine::transport::{Received, TransportEvent, discard::DiscardReason};
use watersmeet_wire::units::Time;

use super::peer::{connected, deliver, events, exchange};

const NOW: Time = Time::from_millis(1_000);

#[test]
fn a_close_notify_of_the_peer_closes_the_transport() {
    let (mut transport, mut peer) = connected(1, NOW);
    peer.dtls.close().unwrap();
    exchange(&mut transport, &mut peer, NOW);
    assert_eq!(
        events(&mut transport),
        [
            TransportEvent::DtlsStateChanged(DtlsState::Closed),
            TransportEvent::Closed(CloseReason::DtlsClosed),
        ]
    );
    assert!(transport.sender().is_none());
    assert_eq!(transport.path(), None);
}

#[test]
fn a_closed_transport_sends_close_notify_and_discards_every_packet() {
    let (mut transport, mut peer) = connected(2, NOW);
    let (sealed, _) = peer.rtp();
    transport.close(NOW);
    exchange(&mut transport, &mut peer, NOW);
    assert!(peer.is_closed);
    let received = deliver(&mut transport, NOW, peer.path, &sealed);
    assert_eq!(received, Received::Discarded(DiscardReason::Closed));
    let check = peer.check(true, None);
    let received = deliver(&mut transport, NOW, peer.path, &check);
    assert_eq!(received, Received::Discarded(DiscardReason::Closed));
    assert_eq!(transport.poll_timeout(), Time::FAR_FUTURE);
}
