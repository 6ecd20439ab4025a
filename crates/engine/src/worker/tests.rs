//! Packets that are due later wait in the send queue, and `poll_timeout` returns when they are due. New
//! transports have the addresses that are announced then.

use std::time::{Duration, Instant};

use rand_chacha::rand_core::SeedableRng as _;
use uuid::Uuid;
use watersmeet_wire::units::{Rng, Time};

use super::{Worker, WorkerConfig};
use crate::command::{Command, ListenAddress, Protocol, Reply, TransportOptions};
use crate::egress::window::EgressOptions;
use crate::ids::{RouterId, TransportId};
use crate::ortc;
use crate::path::Path;
use crate::slots::TransportKey;
use crate::transport::dtls::{DtlsCertificate, DtlsVersion};
use crate::transport::srtp::SrtpProfile;

const NOW: Time = Time::from_millis(1);

/// Returns a worker with two connected transports that have nothing to send, and their keys.
fn worker() -> (Worker, [TransportKey; 2]) {
    #[expect(clippy::disallowed_methods, reason = "the origin of virtual time")]
    let epoch = Instant::now();
    let config = WorkerConfig {
        listen: Vec::new(),
        certificate: DtlsCertificate::generate().unwrap(),
        dtls_version: DtlsVersion::V12,
        epoch,
        unix_epoch: Duration::from_secs(1_800_000_000),
        consent_timeout: Duration::from_secs(15),
        shard: 0,
        egress: EgressOptions::default(),
    };
    let mut worker = Worker::new(config, Rng::seed_from_u64(1));
    let router = RouterId(Uuid::from_u128(1));
    let media_codecs = ortc::default_codecs();
    let create = Command::CreateRouter {
        router,
        media_codecs,
    };
    worker.handle_command(NOW, create).unwrap();
    let keys = [1_u16, 2].map(|port| {
        let transport = TransportId(Uuid::from_u128(port.into()));
        let options = TransportOptions::default();
        let create = Command::CreateTransport {
            router,
            transport,
            options,
        };
        worker.handle_command(NOW, create).unwrap();
        let profile = SrtpProfile::AeadAes128Gcm;
        let master = vec![7; profile.master_len()];
        worker
            .assume_connected(NOW, transport, path(port), profile, &master, &master)
            .unwrap();
        worker.transport_keys[&transport]
    });
    assert!(worker.poll_transmit(NOW).is_none());
    (worker, keys)
}

fn path(port: u16) -> Path {
    Path::udp(([127, 0, 0, 1], port).into())
}

/// Queues an RTCP packet on a transport as if it were due at `due`.
fn enqueue(worker: &mut Worker, key: TransportKey, due: Time) {
    let entry = worker.transports.get_mut(key).unwrap();
    entry.outbound.push_control(&[0x80, 201, 0, 1, 0, 0, 0, 1]);
    let queue_entry = &mut entry.outbound.queue_entry;
    queue_entry.mark_control();
    worker.send_queue.enqueue_media(NOW, due, key, queue_entry);
}

fn ports(worker: &mut Worker, now: Time) -> Vec<u16> {
    let batch = worker.poll_transmit(now);
    batch.map_or_else(Vec::new, |batch| {
        let transmits = batch.transmits.iter();
        transmits.map(|it| it.path.remote.port()).collect()
    })
}

#[test]
fn packets_due_later_are_sent_when_due_in_order_of_due_time() {
    let (mut worker, [first, second]) = worker();
    enqueue(&mut worker, first, Time::from_millis(30));
    enqueue(&mut worker, second, Time::from_millis(20));
    assert_eq!(worker.poll_timeout(), Time::from_millis(20));
    assert!(ports(&mut worker, Time::from_millis(19)).is_empty());
    assert_eq!(ports(&mut worker, Time::from_millis(20)), [2]);
    assert_eq!(worker.poll_timeout(), Time::from_millis(30));
    assert_eq!(ports(&mut worker, Time::from_millis(40)), [1]);
    enqueue(&mut worker, first, Time::from_millis(60));
    enqueue(&mut worker, second, Time::from_millis(50));
    assert_eq!(ports(&mut worker, Time::from_millis(70)), [2, 1]);
}

#[test]
fn closed_transport_sends_nothing_that_was_due_later() {
    let (mut worker, [first, second]) = worker();
    enqueue(&mut worker, first, Time::from_millis(20));
    worker.close_transport(NOW, first, None);
    ports(&mut worker, NOW);
    enqueue(&mut worker, second, Time::from_millis(30));
    assert_eq!(worker.poll_timeout(), Time::from_millis(30));
    assert_eq!(ports(&mut worker, Time::from_millis(40)), [2]);
}

#[test]
fn new_transports_have_the_listen_addresses_that_were_set_last() {
    let (mut worker, _) = worker();
    let ip = std::net::IpAddr::from([192, 0, 2, 7]);
    worker.set_listen_addresses(vec![ListenAddress {
        protocol: Protocol::Udp,
        ip,
        port: 10_000,
    }]);
    let create = Command::CreateTransport {
        router: RouterId(Uuid::from_u128(1)),
        transport: TransportId(Uuid::from_u128(9)),
        options: TransportOptions::default(),
    };
    let reply = worker.handle_command(NOW, create).unwrap();
    let Reply::Transport { candidates, .. } = reply else {
        panic!("{reply:?}")
    };
    let ips: Vec<_> = candidates.into_iter().map(|it| it.address).collect();
    assert_eq!(ips, [ip.to_string()]);
}
