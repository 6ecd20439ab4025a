//! The peer of a transport: a browser without media. It is made of the wire crate's STUN, a foreign
//! DTLS endpoint (`dimpl`) and our SRTP.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use dimpl::Output;
use watersmeet_engine::command::{ListenAddress, Path, Protocol, TransportOptions};
use watersmeet_engine::transport::dtls::{DtlsCertificate, DtlsVersion};
use watersmeet_engine::transport::srtp::{SrtpHeader, SrtpReceiver, SrtpSender};
use watersmeet_engine::transport::{
    CONSENT_TIMEOUT, Received, TransportEvent, TransportSettings, WebRtcTransport,
};
use watersmeet_wire::params::{DtlsFingerprint, DtlsParameters, DtlsRole};
use watersmeet_wire::stun::{
    BindingRequest, Class, ErrorCode, IceRole, IntegrityKey, StunMessage, write_error,
};
use watersmeet_wire::units::{Rng, SeqNo, Ssrc, Time};

use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::support::worker_setup::srtp_profile;

/// Length of the RTP packets that peers exchange.
pub const RTP_LEN: usize = 112;

/// Length of the fixed RTP header.
const HEADER_LEN: usize = 12;

/// Returns the settings of all transports: one certificate, and one origin of time.
pub fn settings(version: DtlsVersion) -> Arc<TransportSettings> {
    static CERTIFICATE: OnceLock<(DtlsCertificate, Instant)> = OnceLock::new();
    let (certificate, epoch) = CERTIFICATE.get_or_init(|| {
        #[expect(clippy::disallowed_methods, reason = "the origin of virtual time")]
        let epoch = Instant::now();
        (DtlsCertificate::generate().unwrap(), epoch)
    });
    let listen = |protocol, port| ListenAddress {
        protocol,
        ip: "192.0.2.1".parse().unwrap(),
        port,
    };
    Arc::new(TransportSettings {
        certificate: certificate.clone(),
        dtls_version: version,
        epoch: *epoch,
        listen: vec![listen(Protocol::Udp, 40_000), listen(Protocol::Tcp, 40_001)],
        consent_timeout: CONSENT_TIMEOUT,
    })
}

/// Returns a seeded random generator.
pub fn rng(seed: u64) -> Rng {
    Rng::seed_from_u64(seed)
}

/// Returns the UDP path to `address`.
pub fn udp(address: &str) -> Path {
    let remote: SocketAddr = address.parse().unwrap();
    Path::udp(remote)
}

/// Returns a transport without a peer yet.
pub fn transport(version: DtlsVersion, seed: u64) -> WebRtcTransport {
    let ufrag = format!("srv{seed:05}");
    WebRtcTransport::new(
        &settings(version),
        &TransportOptions::default(),
        ufrag,
        &mut rng(seed),
    )
}

/// DTLS options of the peer.
#[derive(Clone, Copy)]
pub struct DtlsOptions {
    /// Whether it is the DTLS client.
    pub is_client: bool,
    /// Versions it speaks.
    pub version: DtlsVersion,
    /// Longest datagram it sends, in bytes.
    pub mtu: usize,
    /// Whether its checks are those of libwebrtc.
    pub is_libwebrtc: bool,
    /// Time after which it sends a flight again, in milliseconds.
    pub retry_ms: u64,
}

impl DtlsOptions {
    /// Options of browsers with libwebrtc. These offer 1.3 as well, but get 1.2.
    pub const BROWSER: Self = Self {
        is_client: true,
        version: DtlsVersion::V12,
        mtu: 1_150,
        is_libwebrtc: true,
        retry_ms: 50,
    };

    /// Options of a client of 1.3 that lists an AES-GCM profile first, as Firefox does.
    pub const GCM_FIRST: Self = Self {
        version: DtlsVersion::V13,
        is_libwebrtc: false,
        ..Self::BROWSER
    };
}

/// Returns a foreign DTLS endpoint with a new certificate.
pub fn endpoint(options: DtlsOptions, now: Instant) -> (dimpl::Dtls, dimpl::DtlsCertificate) {
    let certificate = dimpl::certificate::generate_self_signed_certificate().unwrap();
    let dtls = endpoint_with(options, &certificate, now);
    (dtls, certificate)
}

/// Returns a foreign DTLS endpoint with this certificate.
fn endpoint_with(
    options: DtlsOptions,
    certificate: &dimpl::DtlsCertificate,
    now: Instant,
) -> dimpl::Dtls {
    let config = dimpl::Config::builder()
        .mtu(options.mtu)
        .max_queue_tx(40)
        .flight_start_rto(Duration::from_millis(options.retry_ms))
        .flight_retries(10);
    let config = Arc::new(config.build().unwrap());
    let make = match options.version {
        DtlsVersion::V12 => dimpl::Dtls::new_12,
        DtlsVersion::V13 => dimpl::Dtls::new_13,
        DtlsVersion::Auto => dimpl::Dtls::new_auto,
    };
    let mut dtls = make(config, certificate.clone(), now);
    dtls.set_active(options.is_client);
    dtls.handle_timeout(now).unwrap();
    dtls
}

/// The peer of a transport.
pub struct Peer {
    /// Path of its packets.
    pub path: Path,
    /// Its DTLS.
    pub dtls: dimpl::Dtls,
    /// Its certificate and private key.
    certificate: dimpl::DtlsCertificate,
    /// Its DTLS options.
    options: DtlsOptions,
    /// USERNAME of its checks.
    username: String,
    /// The server's password.
    key: IntegrityKey,
    /// Certificate that the server sent, DER.
    server_certificate: Option<Vec<u8>>,
    /// Present after the handshake.
    pub srtp: Option<(SrtpSender, SrtpReceiver)>,
    /// Error that ended its DTLS.
    pub error: Option<dimpl::Error>,
    /// Whether the server sent close_notify.
    pub is_closed: bool,
    /// Answers to the server's checks, not sent yet.
    answers: Vec<Vec<u8>>,
    /// Connectivity checks sent.
    checks_sent: u64,
    /// Sequence number of the last RTP packet.
    last_seq: u16,
    /// The origin of time.
    epoch: Instant,
}

impl Peer {
    /// Returns a peer of `transport` at `path`.
    pub fn new(transport: &WebRtcTransport, path: Path, options: DtlsOptions, now: Time) -> Self {
        let epoch = settings(DtlsVersion::V12).epoch;
        let (dtls, certificate) = endpoint(options, epoch + now.since_origin());
        let mut peer = Self {
            path,
            dtls,
            certificate,
            options,
            username: String::new(),
            key: IntegrityKey::from_password(""),
            server_certificate: None,
            srtp: None,
            error: None,
            is_closed: false,
            answers: Vec::new(),
            checks_sent: 0,
            last_seq: 0,
            epoch,
        };
        peer.learn_ice(transport);
        peer
    }

    /// Returns a peer whose certificate is followed by `padding` zero bytes.
    pub fn with_padded_certificate(
        transport: &WebRtcTransport,
        path: Path,
        padding: usize,
        now: Time,
    ) -> Self {
        let mut peer = Self::new(transport, path, DtlsOptions::BROWSER, now);
        let len = peer.certificate.certificate.len();
        peer.certificate.certificate.resize(len + padding, 0);
        let at = peer.epoch + now.since_origin();
        peer.dtls = endpoint_with(DtlsOptions::BROWSER, &peer.certificate, at);
        peer
    }

    /// Adopts the transport's current ICE credentials.
    pub fn learn_ice(&mut self, transport: &WebRtcTransport) {
        let ice = transport.ice_parameters();
        self.username = format!("{}:peer", ice.username_fragment);
        self.key = IntegrityKey::from_password(&ice.password);
    }

    /// Returns the DTLS parameters that it signals.
    pub fn parameters(&self) -> DtlsParameters {
        DtlsParameters {
            role: if self.options.is_client {
                DtlsRole::Client
            } else {
                DtlsRole::Server
            },
            fingerprints: vec![DtlsFingerprint {
                algorithm: "sha-256".to_owned(),
                value: self.certificate.fingerprint_str(),
            }],
        }
    }

    /// Returns the version of its handshake, once known.
    pub fn version(&self) -> Option<dimpl::ProtocolVersion> {
        self.dtls.protocol_version()
    }

    /// Returns its certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate.certificate
    }

    /// Returns the certificate that the server sent, DER.
    pub fn server_certificate(&self) -> Option<&[u8]> {
        self.server_certificate.as_deref()
    }

    /// Returns a connectivity check.
    pub fn check(&mut self, use_candidate: bool, nomination: Option<u32>) -> Vec<u8> {
        self.check_as(IceRole::Controlling(7), use_candidate, nomination)
    }

    /// Returns a connectivity check in this role.
    pub fn check_as(
        &mut self,
        role: IceRole,
        use_candidate: bool,
        nomination: Option<u32>,
    ) -> Vec<u8> {
        self.checks_sent += 1;
        let mut transaction_id = [0; 12];
        transaction_id[..8].copy_from_slice(&self.checks_sent.to_be_bytes());
        let request = BindingRequest {
            transaction_id,
            username: &self.username,
            priority: 1_853_824_767,
            role,
            use_candidate,
            nomination,
            network_info: self.options.is_libwebrtc.then_some(1),
        };
        let mut out = [0; 256];
        let len = request.write(&mut out, &self.key).unwrap();
        out[..len].to_vec()
    }

    /// Starts DTLS again with the same certificate.
    pub fn restart_dtls(&mut self, now: Time) {
        let at = self.epoch + now.since_origin();
        self.dtls = endpoint_with(self.options, &self.certificate, at);
        self.error = None;
    }

    /// Handles a datagram of the server. Checks are answered; other STUN is ignored.
    pub fn handle(&mut self, now: Time, packet: &[u8]) {
        if packet[0] < 4 || self.error.is_some() {
            self.answers.extend(answer(packet));
            return;
        }
        let at = self.epoch + now.since_origin();
        let result = self
            .dtls
            .handle_timeout(at)
            .and_then(|()| self.dtls.handle_packet(packet));
        self.error = result.err();
    }

    /// Returns the datagrams to send now: answers to checks, and DTLS.
    pub fn poll(&mut self, now: Time) -> Vec<Vec<u8>> {
        let at = self.epoch + now.since_origin();
        let mut datagrams = std::mem::take(&mut self.answers);
        let mut buffer = vec![0; 4_096];
        if self.error.is_some() {
            return datagrams;
        }
        self.error = self.dtls.handle_timeout(at).err();
        while self.error.is_none() {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(datagram) => datagrams.push(datagram.to_vec()),
                Output::KeyingMaterial(keys, profile) => self.install_keys(profile, &keys),
                Output::PeerCert(der) => self.server_certificate = Some(der.to_vec()),
                Output::CloseNotify => self.is_closed = true,
                Output::Timeout(_) => break,
                Output::BufferTooSmall { .. } => panic!("the buffer is too small"),
                _ => {}
            }
        }
        datagrams
    }

    /// Returns whether it has the keys of the media.
    pub const fn is_connected(&self) -> bool {
        self.srtp.is_some()
    }

    /// Returns the next RTP packet, protected and plain.
    pub fn rtp(&mut self) -> (Vec<u8>, Vec<u8>) {
        self.last_seq += 1;
        let plain = rtp(0x1234_5678, self.last_seq);
        let mut slot = plain.clone();
        slot.resize(RTP_LEN + 16, 0);
        let seq = SeqNo::first(self.last_seq);
        let (sender, _) = self.srtp.as_mut().unwrap();
        let len = sender
            .protect_rtp(Ssrc(0x1234_5678), seq, &mut slot, HEADER_LEN, RTP_LEN)
            .unwrap();
        slot.truncate(len);
        (slot, plain)
    }

    fn install_keys(&mut self, profile: dimpl::SrtpProfile, material: &[u8]) {
        let profile = srtp_profile(profile);
        let (client, server) = profile.split_keying_material(material).unwrap();
        let (local, remote) = if self.options.is_client {
            (client, server)
        } else {
            (server, client)
        };
        self.srtp = Some((
            SrtpSender::new(profile, &local).unwrap(),
            SrtpReceiver::new(profile, &remote).unwrap(),
        ));
    }
}

/// Returns a plain RTP packet.
pub fn rtp(ssrc: u32, seq: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 111];
    packet.extend(seq.to_be_bytes());
    packet.extend(u32::from(seq).wrapping_mul(960).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.resize(RTP_LEN, 0xa5);
    packet
}

/// Delivers one packet, and lets the transport process all of its pending handshake datagrams.
pub fn deliver(transport: &mut WebRtcTransport, now: Time, path: Path, packet: &[u8]) -> Received {
    let received = transport.receive(now, path, &mut packet.to_vec());
    while transport.advance(now) {}
    received
}

/// Returns the answer to a check of the server: it does not know our password, so that browsers answer
/// with an error. `None` for other datagrams.
pub fn answer(packet: &[u8]) -> Option<Vec<u8>> {
    let request = StunMessage::parse(packet).ok()?;
    if request.class != Class::Request {
        return None;
    }
    let mut out = [0; 256];
    let (id, code) = (&request.transaction_id, ErrorCode::Unauthenticated);
    let len = write_error(&mut out, id, code, &[], None)?;
    Some(out[..len].to_vec())
}

/// Returns every datagram that the transport has to send.
pub fn drain(transport: &mut WebRtcTransport) -> Vec<(Path, Vec<u8>)> {
    std::iter::from_fn(|| transport.poll_transmit()).collect()
}

/// Returns every queued event except those that [`deliver`] handles.
pub fn events(transport: &mut WebRtcTransport) -> Vec<TransportEvent> {
    std::iter::from_fn(|| transport.poll_event())
        .filter(|event| *event != TransportEvent::HandshakePending)
        .collect()
}

/// Exchanges packets until neither side has any. Returns those sent to other paths.
pub fn exchange(
    transport: &mut WebRtcTransport,
    peer: &mut Peer,
    now: Time,
) -> Vec<(Path, Vec<u8>)> {
    let mut strays = Vec::new();
    while transport.advance(now) {}
    for _ in 0..64 {
        let from_peer = peer.poll(now);
        for packet in &from_peer {
            deliver(transport, now, peer.path, packet);
        }
        let from_server = drain(transport);
        if from_peer.is_empty() && from_server.is_empty() {
            return strays;
        }
        for (path, packet) in from_server {
            if path == peer.path {
                peer.handle(now, &packet);
            } else {
                strays.push((path, packet));
            }
        }
    }
    panic!("the exchange does not end");
}

/// Returns a transport and a peer that are connected at `now`.
pub fn connected(seed: u64, now: Time) -> (WebRtcTransport, Peer) {
    let mut transport = transport(DtlsVersion::V12, seed);
    let mut peer = Peer::new(
        &transport,
        udp("198.51.100.7:50000"),
        DtlsOptions::BROWSER,
        now,
    );
    transport.connect(now, &peer.parameters()).unwrap();
    let check = peer.check(true, None);
    deliver(&mut transport, now, peer.path, &check);
    exchange(&mut transport, &mut peer, now);
    assert!(transport.path().is_some());
    events(&mut transport);
    (transport, peer)
}

/// Asserts that RTP is received in both directions.
pub fn assert_media_flows(transport: &mut WebRtcTransport, peer: &mut Peer, now: Time) {
    let (mut sealed, plain) = peer.rtp();
    let Received::Rtp { header, len } = transport.receive(now, peer.path, &mut sealed) else {
        panic!("a genuine packet was not received");
    };
    assert_eq!(header.ssrc, Ssrc(0x1234_5678));
    assert_eq!(&sealed[..len], &plain);

    let mut slot = rtp(99, 1);
    let plain = slot.clone();
    slot.resize(RTP_LEN + 16, 0);
    let sender = transport.sender().unwrap();
    let len = sender
        .protect_rtp(Ssrc(99), SeqNo::first(1), &mut slot, HEADER_LEN, RTP_LEN)
        .unwrap();
    let (_, receiver) = peer.srtp.as_mut().unwrap();
    let header = SrtpHeader {
        ssrc: Ssrc(99),
        seq: 1,
        header_len: HEADER_LEN,
    };
    let len = receiver.unprotect_rtp(header, &mut slot[..len]).unwrap();
    assert_eq!(&slot[..len], &plain);
}

/// Returns random bytes.
pub fn random_bytes(rng: &mut Rng, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    rng.fill_bytes(&mut bytes);
    bytes
}
