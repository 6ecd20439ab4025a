//! Setup for tests of a whole worker: a worker with a router, its outgoing datagrams, and the
//! content of a media packet.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use rand_chacha::rand_core::SeedableRng;
use watersmeet_engine::command::{Command, ListenAddress, Path, Protocol, Reply, RouterId};
use watersmeet_engine::egress::window::EgressOptions;
use watersmeet_engine::ortc;
use watersmeet_engine::transport::dtls::{DtlsCertificate, DtlsVersion};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_engine::worker::{Worker, WorkerConfig};
use watersmeet_wire::params::{RtpCapabilities, RtpCodecCapability};
use watersmeet_wire::rtp::{RtpHeaderFields, write_header};
use watersmeet_wire::units::{Pt, Rng, SeqNo, Ssrc, Time};

/// Certificate of all workers: what it refers to is kept until the process ends.
static CERTIFICATE: LazyLock<DtlsCertificate> =
    LazyLock::new(|| DtlsCertificate::generate().expect("cryptography works"));

/// A datagram and the path it is sent on.
pub type Datagram = (Path, Vec<u8>);

/// Returns a worker on loopback with a fixed seed. `epoch` is the `Instant` of `Time::ZERO`.
pub fn new_worker(shard: u8, egress: EgressOptions, epoch: Instant) -> Worker {
    let listen = ListenAddress {
        protocol: Protocol::Udp,
        ip: [127, 0, 0, 1].into(),
        port: 10_000,
    };
    let config = WorkerConfig {
        listen: vec![listen],
        certificate: CERTIFICATE.clone(),
        dtls_version: DtlsVersion::V12,
        epoch,
        unix_epoch: Duration::from_secs(1_800_000_000),
        consent_timeout: Duration::from_secs(15),
        shard,
        egress,
    };
    Worker::new(config, Rng::from_seed([7; 32]))
}

/// Creates a router with the default codecs and returns its capabilities.
pub fn create_router(worker: &mut Worker, now: Time, router: RouterId) -> RtpCapabilities {
    create_router_with(worker, now, router, ortc::default_codecs())
}

/// Creates a router with these codecs and returns its capabilities.
pub fn create_router_with(
    worker: &mut Worker,
    now: Time,
    router: RouterId,
    media_codecs: Vec<RtpCodecCapability>,
) -> RtpCapabilities {
    let command = Command::CreateRouter {
        router,
        media_codecs,
    };
    let reply = worker.handle_command(now, command);
    let Ok(Reply::Router { capabilities }) = reply else {
        panic!("no router was created: {reply:?}");
    };
    capabilities
}

/// Returns every datagram that the worker has to send, with GSO runs split.
pub fn drain_datagrams(worker: &mut Worker, now: Time) -> Vec<Datagram> {
    let mut sent = Vec::new();
    while let Some(batch) = worker.poll_transmit(now) {
        for transmit in batch.transmits {
            let run = &batch.arena[transmit.range.clone()];
            let size = transmit.segment_size.map_or(run.len(), usize::from);
            sent.extend(
                run.chunks(size)
                    .map(|datagram| (transmit.path, datagram.to_vec())),
            );
        }
    }
    sent
}

/// Returns whether an SRTP or SRTCP datagram is SRTCP (RFC 5761 §4).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    (192..=223).contains(&datagram[1])
}

/// Returns our profile for the one that a foreign DTLS endpoint negotiated.
pub fn srtp_profile(profile: dimpl::SrtpProfile) -> SrtpProfile {
    match profile {
        dimpl::SrtpProfile::AEAD_AES_256_GCM => SrtpProfile::AeadAes256Gcm,
        dimpl::SrtpProfile::AEAD_AES_128_GCM => SrtpProfile::AeadAes128Gcm,
        _ => SrtpProfile::AesCm128HmacSha1_80,
    }
}

/// Writes a plain RTP packet with a VP8 frame of `payload_len` bytes. Returns the header's length
/// and the packet's.
pub fn write_vp8_packet(
    out: &mut [u8],
    (ssrc, pt, seq): (Ssrc, Pt, SeqNo),
    keyframe: bool,
    payload_len: usize,
) -> (usize, usize) {
    let fields = RtpHeaderFields {
        marker: true,
        padding: false,
        pt,
        seq: seq.raw(),
        timestamp: u32::try_from((seq.0 * 3_000) & 0xffff_ffff).expect("masked"),
        ssrc,
    };
    let header_len = write_header(out, &fields, &[]).expect("it fits");
    let packet_len = header_len + payload_len;
    let payload = &mut out[header_len..packet_len];
    payload.fill(0x5a);
    // A VP8 descriptor without extensions that starts partition 0, then the frame tag.
    payload[0] = 0x10;
    payload[1] = u8::from(!keyframe);
    (header_len, packet_len)
}
