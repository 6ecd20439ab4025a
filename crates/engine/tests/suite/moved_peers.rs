//! Peers whose NAT gave them another port. Their media is received from there at once, and media is
//! sent there as soon as they answered a check.

use std::time::Duration;

use watersmeet_engine::command::Path;
use watersmeet_engine::transport::discard::DiscardReason;
use watersmeet_engine::transport::ice::AMPLIFICATION_MAX;
use watersmeet_engine::transport::srtp::{SrtpProfile, SrtpSender};
use watersmeet_wire::rtcp::report::ReportBlock;
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::units::Ssrc;

use crate::support::broadcast::{Broadcast, Viewer};
use crate::support::worker_setup::Datagram;
use crate::transport_security::peer::answer;

const PROFILE: SrtpProfile = SrtpProfile::AeadAes128Gcm;

/// SSRC of reports of peers that send no media: Chromium's.
const REPORT_SSRC: Ssrc = Ssrc(1);

/// A port of the host of all peers that none has yet.
fn new_port(index: u16) -> Path {
    Path::udp(([127, 0, 0, 1], 50_000 + index).into())
}

/// Returns a worker and a viewer that has sent a report and receives media.
fn watched() -> (Broadcast, Viewer) {
    let mut broadcast = Broadcast::new(PROFILE);
    let mut viewer = broadcast.add_viewer();
    broadcast.publish(true, 100);
    let sent = report(&mut viewer);
    broadcast.receive_from(&viewer, sent);
    broadcast.advance(Duration::from_secs(2));
    (broadcast, viewer)
}

/// Returns a protected receiver report of this viewer.
fn report(viewer: &mut Viewer) -> Vec<u8> {
    viewer.rtcp(write_report)
}

/// Writes a report on one stream. An empty one would be shorter than a third of our check.
fn write_report(writer: &mut CompoundWriter<'_>) {
    let block = ReportBlock::default();
    assert!(writer.write_receiver_report(REPORT_SSRC, &[block]));
}

/// Passes a datagram from this path to the worker. Returns what is sent in consequence.
fn receive(broadcast: &mut Broadcast, path: Path, datagram: &[u8]) -> Vec<Datagram> {
    let now = broadcast.now;
    let worker = &mut broadcast.worker;
    worker.handle_datagram(now, path, &mut datagram.to_vec());
    broadcast.drain()
}

/// Returns the answer to the check that was sent to this path.
fn answer_from(path: Path, sent: &[Datagram]) -> Option<Vec<u8>> {
    let to_path = sent.iter().filter(|(to, _)| *to == path);
    to_path.into_iter().find_map(|(_, packet)| answer(packet))
}

fn unknown_addresses(broadcast: &Broadcast) -> u64 {
    let totals = broadcast.worker.metrics().totals;
    totals.discards[DiscardReason::UnknownAddress as usize]
}

#[test]
fn media_from_another_port_of_a_publisher_is_forwarded_at_once() {
    let (mut broadcast, mut viewer) = watched();
    broadcast.publisher_path = new_port(0);
    let sent = broadcast.publish(false, 100);
    assert_eq!(viewer.received(&sent).len(), 1);
    let answered = answer_from(new_port(0), &sent).expect("a check leaves at once");
    receive(&mut broadcast, new_port(0), &answered);
    for _ in 0..10 {
        let sent = broadcast.publish(false, 100);
        assert_eq!(viewer.received(&sent).len(), 1);
    }
    assert_eq!(unknown_addresses(&broadcast), 0);
}

#[test]
fn media_is_sent_to_another_port_of_a_viewer_once_it_answers_a_check() {
    let (mut broadcast, mut viewer) = watched();
    let sent = report(&mut viewer);
    let sent = receive(&mut broadcast, new_port(0), &sent);
    let answered = answer_from(new_port(0), &sent).expect("a check leaves at once");
    let sent = broadcast.publish(false, 100);
    assert!(sent.iter().all(|(path, _)| *path != new_port(0)));
    assert_eq!(viewer.received(&sent).len(), 1, "not proven yet");
    let before = broadcast.keyframe_requests();
    receive(&mut broadcast, new_port(0), &answered);
    assert_eq!(broadcast.keyframe_requests(), before + 1);
    viewer.path = new_port(0);
    let sent = broadcast.publish(true, 100);
    assert_eq!(viewer.received(&sent).len(), 1);
}

#[test]
fn another_port_that_answers_no_check_gets_three_times_its_bytes_at_most() {
    let (mut broadcast, mut viewer) = watched();
    let datagram = report(&mut viewer);
    let mut sent = receive(&mut broadcast, new_port(0), &datagram);
    for _ in 0..600 {
        broadcast.receive_packet(true, 500);
        sent.extend(broadcast.advance(Duration::from_millis(20)));
    }
    let to_new_port = sent.iter().filter(|(path, _)| *path == new_port(0));
    let bytes: usize = to_new_port.map(|(_, packet)| packet.len()).sum();
    assert!(bytes > 0 && bytes as u64 <= AMPLIFICATION_MAX * datagram.len() as u64);
    assert!(!viewer.received(&sent).is_empty());
}

#[test]
fn packets_that_prove_nothing_add_no_address() {
    let (mut broadcast, mut viewer) = watched();
    let received = report(&mut viewer);
    broadcast.receive_from(&viewer, received.clone());
    broadcast.drain();
    let fresh = report(&mut viewer);
    let mut forged = fresh.clone();
    forged[12] ^= 1;
    let other_host = Path::udp(([127, 0, 0, 2], 50_000).into());
    let cases = [
        ("received before", new_port(0), &received),
        ("forged", new_port(0), &forged),
        ("from another host", other_host, &fresh),
        ("over TCP", Path::tcp(new_port(0).remote, 1), &fresh),
        ("too short", new_port(0), &fresh[..9].to_vec()),
    ];
    let cases_len = cases.len() as u64;
    for (name, path, datagram) in cases {
        let sent = receive(&mut broadcast, path, datagram);
        assert!(sent.is_empty(), "{name}");
    }
    assert_eq!(unknown_addresses(&broadcast), cases_len);
    let sent = receive(&mut broadcast, new_port(0), &fresh);
    assert!(answer_from(new_port(0), &sent).is_some());
}

/// Gives a viewer SRTP keys of its own.
fn set_keys(broadcast: &mut Broadcast, viewer: &Viewer, fill: u8) -> SrtpSender {
    let [local, remote] = [2, fill].map(|fill| vec![fill; PROFILE.master_len()]);
    let (now, id, path) = (broadcast.now, viewer.transport, viewer.path);
    let connected = broadcast
        .worker
        .assume_connected(now, id, path, PROFILE, &local, &remote);
    connected.unwrap();
    SrtpSender::new(PROFILE, &remote).unwrap()
}

fn report_of(sender: &mut SrtpSender) -> Vec<u8> {
    let mut compound = Vec::new();
    write_report(&mut CompoundWriter::new(&mut compound));
    let len = compound.len();
    compound.resize(len + 64, 0);
    let len = sender.protect_rtcp(&mut compound, len).unwrap();
    compound.truncate(len);
    compound
}

#[test]
fn silent_viewer_is_found_among_many_with_one_ssrc() {
    let mut broadcast = Broadcast::new(PROFILE);
    let viewers: Vec<_> = (0..40).map(|_| broadcast.add_viewer()).collect();
    let mut senders: Vec<_> = viewers
        .iter()
        .zip(10..)
        .map(|(viewer, fill)| set_keys(&mut broadcast, viewer, fill))
        .collect();
    let moved = 33;
    for round in 0..2 {
        for (index, sender) in senders.iter_mut().enumerate() {
            if round == 0 || index != moved {
                let datagram = report_of(sender);
                receive(&mut broadcast, viewers[index].path, &datagram);
            }
        }
        broadcast.advance(Duration::from_secs(1));
    }
    let datagram = report_of(&mut senders[moved]);
    let sent = receive(&mut broadcast, new_port(0), &datagram);
    assert!(answer_from(new_port(0), &sent).is_some());
}

#[test]
fn searches_for_moved_peers_are_limited() {
    let (mut broadcast, mut viewer) = watched();
    let mut forged = report(&mut viewer);
    forged[12] ^= 1;
    for index in 0..2_000 {
        receive(&mut broadcast, new_port(index), &forged);
    }
    let datagram = report(&mut viewer);
    let sent = receive(&mut broadcast, new_port(3_000), &datagram);
    assert_eq!(answer_from(new_port(3_000), &sent), None);
    assert_eq!(unknown_addresses(&broadcast), 2_001);
    broadcast.advance(Duration::from_secs(1));
    let sent = receive(&mut broadcast, new_port(3_000), &datagram);
    assert!(answer_from(new_port(3_000), &sent).is_some());
}
