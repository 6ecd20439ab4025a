//! Fixed parts of a world: certificate, workers, addresses and the wall clock.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use watersmeet_conference::ShardId;
use watersmeet_engine::command::{ListenAddress, Path, Protocol};
use watersmeet_engine::egress::window::EgressOptions;
use watersmeet_engine::transport::dtls::{DtlsCertificate, DtlsVersion};
use watersmeet_engine::worker::{Worker, WorkerConfig};
use watersmeet_peer::browser::Direction;

use crate::seeds;

/// Wall clock at `Time::ZERO`: an afternoon in 2026.
pub(super) const UNIX_EPOCH: Duration = Duration::from_secs(1_790_000_000);

/// Returns the DTLS certificate, which differs between processes and affects only fingerprints.
fn certificate() -> DtlsCertificate {
    static CERTIFICATE: OnceLock<DtlsCertificate> = OnceLock::new();
    #[expect(
        clippy::expect_used,
        reason = "the simulation cannot start without a certificate"
    )]
    let make = || DtlsCertificate::generate().expect("a certificate");
    CERTIFICATE.get_or_init(make).clone()
}

/// Returns a text without the fingerprint of the certificate, which differs between processes.
pub(super) fn without_fingerprint(text: &str) -> String {
    let certificate = certificate();
    let values = certificate
        .fingerprints()
        .iter()
        .map(|fingerprint| &fingerprint.value);
    values.fold(text.to_owned(), |text, value| {
        text.replace(value.as_str(), "")
    })
}

/// Creates the workers of all shards.
pub(super) fn create_workers(seed: u64, shards: u8, egress: EgressOptions) -> Vec<Worker> {
    (0..shards)
        .map(|shard| create_worker(seed, shard, egress))
        .collect()
}

fn create_worker(seed: u64, shard: u8, egress: EgressOptions) -> Worker {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    let listen = [Protocol::Udp, Protocol::Tcp].map(|protocol| ListenAddress {
        protocol,
        ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        port: 44_444 + u16::from(shard),
    });
    let config = WorkerConfig {
        listen: listen.to_vec(),
        certificate: certificate(),
        dtls_version: DtlsVersion::V12,
        epoch: *EPOCH.get_or_init(Instant::now),
        unix_epoch: UNIX_EPOCH,
        consent_timeout: Duration::from_secs(15),
        shard,
        egress,
    };
    Worker::new(config, seeds::generator(seed, &format!("worker{shard}")))
}

/// Returns the path of a transport of a participant.
pub(super) fn path_of(participant: usize, direction: Direction) -> Path {
    let [high, low] = u16::try_from(participant).unwrap_or(u16::MAX).to_be_bytes();
    let port = match direction {
        Direction::Send => 50_000,
        Direction::Recv => 50_001,
    };
    let remote = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 1, high, low)), port);
    Path::udp(remote)
}

/// Converts an index to a shard id.
pub(super) fn shard_id(index: usize) -> ShardId {
    ShardId(u8::try_from(index).unwrap_or(u8::MAX))
}
