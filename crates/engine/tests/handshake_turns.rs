//! Handshakes share the worker with media: however many begin at once, a turn of the loop takes a
//! few of their datagrams, and what others send passes in the turn in which it came.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "the rig is test code"
)]

#[path = "rig/guest.rs"]
mod guest;

use std::collections::BTreeSet;

use guest::{Guest, House};
use watersmeet_engine::command::Path;
use watersmeet_engine::worker::HANDSHAKES_PER_ITERATION_MAX;
use watersmeet_wire::params::MediaKind;
use watersmeet_wire::units::Time;

/// How many join at once.
const JOINERS: usize = 200;

/// Small enough that both flights of a joiner take several datagrams.
const MTU: usize = 256;

/// A call of two in a house to which others come.
struct Call {
    house: House,
    publisher: Guest,
    source: guest::Source,
    viewer: Path,
}

impl Call {
    fn new() -> Self {
        let mut house = House::new(MTU);
        let publisher = house.invite();
        let viewer = house.invite();
        let (producer, mut sources) = house.produce(&publisher, MediaKind::Audio, 1);
        house.consume(viewer.transport, producer);
        Self {
            house,
            publisher,
            source: sources.remove(0),
            viewer: viewer.path,
        }
    }

    /// The publisher sends a packet, and the loop turns once. Asserts that the packet passed.
    fn turn(&mut self) -> Vec<(Path, Vec<u8>)> {
        let packet = self.publisher.rtp(&mut self.source, false, 100);
        self.house.receive(self.publisher.path, packet);
        let sent = self.house.turn();
        let media = sent.iter().filter(|(path, datagram)| {
            *path == self.viewer && datagram[0] >= 128 && !(192..=223).contains(&datagram[1])
        });
        assert_eq!(media.count(), 1, "the packet did not pass in its turn");
        sent
    }
}

/// Hands the first datagram of each to the house, then the second of each, and so on.
fn deliver(house: &mut House, mut flights: Vec<(Path, std::vec::IntoIter<Vec<u8>>)>) -> usize {
    let mut delivered = 0;
    while !flights.is_empty() {
        flights.retain_mut(|(path, flight)| {
            let Some(packet) = flight.next() else {
                return false;
            };
            house.receive(*path, packet);
            delivered += 1;
            true
        });
    }
    delivered
}

#[test]
fn two_hundred_handshakes_at_once_leave_media_its_turn() {
    let mut call = Call::new();
    let mut joiners: Vec<Guest> = (0..JOINERS)
        .map(|_| {
            let (transport, ice) = call.house.create_transport();
            let mut joiner = call.house.guest(transport, &ice);
            let check = joiner.check();
            call.house.receive(joiner.path, check);
            joiner
        })
        .collect();
    call.turn();
    let mut delivered = 0;
    let mut turns = 0;
    // Half of them are known when their hellos come, and the other half is made known after.
    for joiner in joiners.iter().step_by(2) {
        call.house.connect(joiner.transport);
    }
    let mut is_known = false;
    while joiners.iter().any(|joiner| joiner.sealer.is_none()) {
        let now = call.house.now;
        let flights = joiners
            .iter_mut()
            .map(|joiner| (joiner.path, joiner.poll(now).into_iter()))
            .collect();
        delivered += deliver(&mut call.house, flights);
        if !std::mem::replace(&mut is_known, true) {
            for joiner in joiners.iter().skip(1).step_by(2) {
                call.house.connect(joiner.transport);
            }
            assert_eq!(call.house.worker.poll_timeout(), Time::ZERO);
        }
        let sent = call.turn();
        let shaking = sent.iter().filter(|(_, datagram)| datagram[0] == 22);
        let shaking: BTreeSet<Path> = shaking.map(|(path, _)| *path).collect();
        assert!(
            shaking.len() <= HANDSHAKES_PER_ITERATION_MAX,
            "{} handshakes went on in one turn",
            shaking.len()
        );
        for (path, datagram) in &sent {
            if let Some(joiner) = joiners.iter_mut().find(|joiner| joiner.path == *path) {
                joiner.handle(now, datagram);
            }
        }
        turns += 1;
        assert!(turns <= delivered, "the handshakes do not end");
    }
    assert!(
        turns * HANDSHAKES_PER_ITERATION_MAX >= delivered,
        "{delivered} datagrams were taken in {turns} turns"
    );
    // A hello, and at least two datagrams that only make sense one after the other.
    assert!(
        delivered >= 3 * JOINERS,
        "{delivered} datagrams prove no order"
    );
}

#[test]
fn a_transport_that_ends_while_it_waits_leaves_nothing_behind() {
    let mut call = Call::new();
    let (transport, ice) = call.house.create_transport();
    call.house.connect(transport);
    let mut joiner = call.house.guest(transport, &ice);
    let check = joiner.check();
    call.house.receive(joiner.path, check);
    call.turn();
    for packet in joiner.poll(call.house.now) {
        call.house.receive(joiner.path, packet);
    }
    assert_eq!(call.house.worker.poll_timeout(), Time::ZERO);
    call.house.close(transport);
    assert!(call.house.worker.poll_timeout() > Time::ZERO);
    let sent = call.turn();
    assert!(sent.iter().all(|(path, _)| *path != joiner.path));
}
