//! Handshakes share the worker with media. When many start at once, a loop iteration processes only
//! a few of their datagrams, and media is forwarded in the iteration in which it arrives.

use std::collections::BTreeSet;
use std::time::Duration;

use watersmeet_engine::command::Path;
use watersmeet_engine::worker::{HANDSHAKE_STALL, HANDSHAKES_MAX, HANDSHAKES_PER_ITERATION_MAX};
use watersmeet_wire::params::MediaKind;
use watersmeet_wire::units::Time;

use crate::support::dtls_client::{DtlsClient, HandshakeHarness, OutgoingStream};
use crate::support::worker_setup::{Datagram, is_rtcp};

/// Clients that join at once.
const JOINERS: usize = 200;

/// Small enough that both flights of a client take several datagrams.
const MTU: usize = 256;

/// Datagrams of the first ClientHello with that length.
const HELLO_DATAGRAMS: usize = 1;

/// Returns whether a datagram belongs to a flight, and is no HelloVerifyRequest.
fn is_flight(datagram: &[u8]) -> bool {
    datagram[0] == 22 && datagram[13] != 3
}

/// A call of two clients on a worker that others join.
struct Call {
    harness: HandshakeHarness,
    publisher: DtlsClient,
    stream: OutgoingStream,
    viewer_path: Path,
}

impl Call {
    fn new() -> Self {
        let mut harness = HandshakeHarness::new(MTU);
        let publisher = harness.connect_client();
        let viewer = harness.connect_client();
        let (producer, mut streams) = harness.produce(&publisher, MediaKind::Audio, 1);
        harness.consume(viewer.transport, producer);
        Self {
            harness,
            publisher,
            stream: streams.remove(0),
            viewer_path: viewer.path,
        }
    }

    /// Sends a media packet and runs one loop iteration. Asserts that the packet was forwarded.
    fn run_iteration(&mut self) -> Vec<Datagram> {
        let packet = self.publisher.rtp(&mut self.stream, false, 100);
        self.harness.handle_datagram(self.publisher.path, packet);
        let sent = self.harness.run_iteration();
        let media = sent.iter().filter(|(path, datagram)| {
            *path == self.viewer_path && datagram[0] >= 128 && !is_rtcp(datagram)
        });
        assert_eq!(
            media.count(),
            1,
            "the packet was not forwarded in its iteration"
        );
        sent
    }
}

/// Delivers the first datagram of each flight, then the second of each, and so on. Returns how
/// many were delivered.
fn deliver_interleaved(
    harness: &mut HandshakeHarness,
    mut flights: Vec<(Path, std::vec::IntoIter<Vec<u8>>)>,
) -> usize {
    let mut delivered = 0;
    while !flights.is_empty() {
        flights.retain_mut(|(path, flight)| {
            let Some(packet) = flight.next() else {
                return false;
            };
            harness.handle_datagram(*path, packet);
            delivered += 1;
            true
        });
    }
    delivered
}

#[test]
fn media_is_forwarded_in_every_iteration_during_two_hundred_handshakes() {
    let mut call = Call::new();
    let mut joiners: Vec<DtlsClient> = (0..JOINERS)
        .map(|_| {
            let (transport, ice) = call.harness.create_transport();
            let mut joiner = call.harness.new_client(transport, &ice);
            let check = joiner.binding_request();
            call.harness.handle_datagram(joiner.path, check);
            joiner
        })
        .collect();
    call.run_iteration();
    let mut delivered = 0;
    let mut iterations = 0;
    // Half of the fingerprints are known before the ClientHellos arrive, the other half after.
    for joiner in joiners.iter().step_by(2) {
        call.harness.connect_transport(joiner.transport);
    }
    let mut all_known = false;
    while joiners.iter().any(|joiner| joiner.srtp_sender.is_none()) {
        let now = call.harness.now;
        let flights = joiners
            .iter_mut()
            .map(|joiner| (joiner.path, joiner.poll_transmit(now).into_iter()))
            .collect();
        delivered += deliver_interleaved(&mut call.harness, flights);
        if !std::mem::replace(&mut all_known, true) {
            for joiner in joiners.iter().skip(1).step_by(2) {
                call.harness.connect_transport(joiner.transport);
            }
        }
        let sent = call.run_iteration();
        let handshakes = sent.iter().filter(|(_, datagram)| is_flight(datagram));
        let advanced: BTreeSet<Path> = handshakes.map(|(path, _)| *path).collect();
        assert!(
            advanced.len() <= HANDSHAKES_PER_ITERATION_MAX,
            "{} handshakes advanced in one iteration",
            advanced.len()
        );
        for (path, datagram) in &sent {
            if let Some(joiner) = joiners.iter_mut().find(|joiner| joiner.path == *path) {
                joiner.handle_datagram(now, datagram);
            }
        }
        iterations += 1;
        assert!(iterations <= delivered, "the handshakes do not end");
    }
    // Those without a cookie are answered at once: they cost nothing.
    let processed = delivered - JOINERS * HELLO_DATAGRAMS;
    assert!(
        iterations * HANDSHAKES_PER_ITERATION_MAX >= processed,
        "{processed} datagrams were processed in {iterations} iterations"
    );
    // A ClientHello, and at least two datagrams that are only valid in order.
    assert!(
        processed >= 3 * JOINERS,
        "{delivered} datagrams are too few to prove the order"
    );
}

#[test]
fn closing_a_transport_discards_its_pending_handshake() {
    let mut call = Call::new();
    let joiner = begin_handshake(&mut call.harness);
    let transport = joiner.transport;
    assert_eq!(call.harness.worker.poll_timeout(), Time::ZERO);
    call.harness.close_transport(transport);
    assert!(call.harness.worker.poll_timeout() > Time::ZERO);
    let sent = call.run_iteration();
    assert!(sent.iter().all(|(path, _)| *path != joiner.path));
}

/// Adds a client whose ClientHello with a cookie waits to be processed.
fn begin_handshake(harness: &mut HandshakeHarness) -> DtlsClient {
    let (transport, ice) = harness.create_transport();
    harness.connect_transport(transport);
    let mut client = harness.new_client(transport, &ice);
    let check = client.binding_request();
    harness.handle_datagram(client.path, check);
    for packet in client.poll_transmit(harness.now) {
        harness.handle_datagram(client.path, packet);
    }
    let now = harness.now;
    for (path, packet) in harness.drain() {
        if path == client.path {
            client.handle_datagram(now, &packet);
        }
    }
    for packet in client.poll_transmit(now) {
        harness.handle_datagram(client.path, packet);
    }
    client
}

#[test]
fn handshakes_beyond_the_maximum_wait_until_others_stall() {
    let mut harness = HandshakeHarness::new(MTU);
    let silent: Vec<_> = (0..HANDSHAKES_MAX + 10)
        .map(|_| begin_handshake(&mut harness))
        .collect();
    let mut answered = BTreeSet::new();
    let mut run = |harness: &mut HandshakeHarness, iterations: u32| {
        for _ in 0..iterations {
            let sent = harness.run_iteration();
            let flights = sent.into_iter().filter(|(_, it)| is_flight(it));
            answered.extend(flights.map(|(path, _)| path));
        }
        answered.len()
    };
    assert_eq!(run(&mut harness, 200), HANDSHAKES_MAX);
    harness.now = harness.now + HANDSHAKE_STALL;
    assert_eq!(run(&mut harness, 200), silent.len());
}

#[test]
fn client_is_connected_within_a_second_behind_five_hundred_silent_ones() {
    let mut harness = HandshakeHarness::new(MTU);
    let _silent: Vec<_> = (0..500).map(|_| begin_handshake(&mut harness)).collect();
    let mut client = begin_handshake(&mut harness);
    let start = harness.now;
    while client.srtp_sender.is_none() {
        harness.now = harness.now + Duration::from_millis(1);
        for (path, packet) in harness.run_iteration() {
            if path == client.path {
                client.handle_datagram(harness.now, &packet);
            }
        }
        for packet in client.poll_transmit(harness.now) {
            harness.handle_datagram(client.path, packet);
        }
        let took = harness.now.since(start);
        assert!(
            took <= Duration::from_secs(1),
            "not connected after {took:?}"
        );
    }
}
