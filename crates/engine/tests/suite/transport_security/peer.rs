//! The other end of a transport: a browser without media, made of the wire crate's STUN, a foreign
//! DTLS endpoint and our SRTP.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use dimpl::Output;
use watersmeet_engine::command::{ListenAddress, Path, Protocol, TransportOptions};
use watersmeet_engine::transport::dtls::{DtlsCertificate, DtlsVersion};
use watersmeet_engine::transport::srtp::{SrtpProfile, SrtpReceiver, SrtpSender};
use watersmeet_engine::transport::{
    CONSENT_TIMEOUT, Received, TransportEvent, TransportSettings, WebRtcTransport,
};
use watersmeet_wire::params::{DtlsFingerprint, DtlsParameters, DtlsRole};
use watersmeet_wire::stun::{BindingRequest, IceRole, IntegrityKey};
use watersmeet_wire::units::{Rng, SeqNo, Ssrc, Time};

use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Length of the RTP packets that peers exchange.
pub const RTP_LEN: usize = 112;

/// The fixed RTP header.
const HEADER_LEN: usize = 12;

/// What all transports of the tests share: one certificate, and one origin of time.
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

/// A generator for one test.
pub fn rng(seed: u64) -> Rng {
    Rng::seed_from_u64(seed)
}

/// A path over UDP from `address`.
pub fn udp(address: &str) -> Path {
    let remote: SocketAddr = address.parse().unwrap();
    Path::udp(remote)
}

/// A transport that waits for its peer.
pub fn transport(version: DtlsVersion, seed: u64) -> WebRtcTransport {
    let ufrag = format!("srv{seed:05}");
    WebRtcTransport::new(
        &settings(version),
        &TransportOptions::default(),
        ufrag,
        &mut rng(seed),
    )
}

/// How the peer shakes hands.
#[derive(Clone, Copy)]
pub struct Manner {
    /// Whether it opens the handshake.
    pub opens: bool,
    /// Which versions it speaks.
    pub version: DtlsVersion,
    /// Longest datagram it sends.
    pub mtu: usize,
}

impl Manner {
    /// As browsers do today.
    pub const BROWSER: Self = Self {
        opens: true,
        version: DtlsVersion::V12,
        mtu: 1_150,
    };
}

/// A foreign DTLS endpoint with a certificate of its own.
pub fn endpoint(manner: Manner, now: Instant) -> (dimpl::Dtls, dimpl::DtlsCertificate) {
    let certificate = dimpl::certificate::generate_self_signed_certificate().unwrap();
    let dtls = endpoint_with(manner, &certificate, now);
    (dtls, certificate)
}

/// A foreign DTLS endpoint with this certificate.
fn endpoint_with(
    manner: Manner,
    certificate: &dimpl::DtlsCertificate,
    now: Instant,
) -> dimpl::Dtls {
    static CONFIGS: OnceLock<[Arc<dimpl::Config>; 2]> = OnceLock::new();
    let [large, small] = CONFIGS.get_or_init(|| {
        [1_150, 256].map(|mtu| {
            let config = dimpl::Config::builder()
                .mtu(mtu)
                .max_queue_tx(40)
                .flight_start_rto(Duration::from_millis(50))
                .flight_retries(10);
            Arc::new(config.build().unwrap())
        })
    });
    let config = if manner.mtu == 256 { small } else { large };
    let make = match manner.version {
        DtlsVersion::V12 => dimpl::Dtls::new_12,
        DtlsVersion::V13 => dimpl::Dtls::new_13,
        DtlsVersion::Auto => dimpl::Dtls::new_auto,
    };
    let mut dtls = make(Arc::clone(config), certificate.clone(), now);
    dtls.set_active(manner.opens);
    dtls.handle_timeout(now).unwrap();
    dtls
}

/// The browser.
pub struct Peer {
    /// Where it sends from.
    pub path: Path,
    /// Its DTLS.
    pub dtls: dimpl::Dtls,
    /// What it shows in the handshake.
    certificate: dimpl::DtlsCertificate,
    /// How it shakes hands.
    manner: Manner,
    /// USERNAME of its checks.
    username: String,
    /// The server's password.
    key: IntegrityKey,
    /// What the server showed.
    server_certificate: Option<Vec<u8>>,
    /// There after the handshake.
    pub srtp: Option<(SrtpSender, SrtpReceiver)>,
    /// Why its DTLS gave up.
    pub error: Option<dimpl::Error>,
    /// Whether the server said goodbye.
    pub is_closed: bool,
    /// Checks made.
    checks: u64,
    /// RTP packets sent.
    seq: u16,
    /// The origin of time.
    epoch: Instant,
}

impl Peer {
    /// A peer of `transport` at `path`.
    pub fn new(transport: &WebRtcTransport, path: Path, manner: Manner, now: Time) -> Self {
        let epoch = settings(DtlsVersion::V12).epoch;
        let (dtls, certificate) = endpoint(manner, epoch + now.since_origin());
        let mut peer = Self {
            path,
            dtls,
            certificate,
            manner,
            username: String::new(),
            key: IntegrityKey::from_password(""),
            server_certificate: None,
            srtp: None,
            error: None,
            is_closed: false,
            checks: 0,
            seq: 0,
            epoch,
        };
        peer.learn_ice(transport);
        peer
    }

    /// A peer whose certificate is followed by `padding` bytes of nothing.
    pub fn with_padded_certificate(
        transport: &WebRtcTransport,
        path: Path,
        padding: usize,
        now: Time,
    ) -> Self {
        let mut peer = Self::new(transport, path, Manner::BROWSER, now);
        let len = peer.certificate.certificate.len();
        peer.certificate.certificate.resize(len + padding, 0);
        let at = peer.epoch + now.since_origin();
        peer.dtls = endpoint_with(Manner::BROWSER, &peer.certificate, at);
        peer
    }

    /// Takes over the transport's current ICE credentials.
    pub fn learn_ice(&mut self, transport: &WebRtcTransport) {
        let ice = transport.ice_parameters();
        self.username = format!("{}:peer", ice.username_fragment);
        self.key = IntegrityKey::from_password(&ice.password);
    }

    /// What it tells the server about itself.
    pub fn parameters(&self) -> DtlsParameters {
        DtlsParameters {
            role: if self.manner.opens {
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

    /// Its certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate.certificate
    }

    /// The certificate that the server showed, DER.
    pub fn server_certificate(&self) -> Option<&[u8]> {
        self.server_certificate.as_deref()
    }

    /// A connectivity check.
    pub fn check(&mut self, use_candidate: bool, nomination: Option<u32>) -> Vec<u8> {
        self.check_as(IceRole::Controlling(7), use_candidate, nomination)
    }

    /// A connectivity check in this role.
    pub fn check_as(
        &mut self,
        role: IceRole,
        use_candidate: bool,
        nomination: Option<u32>,
    ) -> Vec<u8> {
        self.checks += 1;
        let mut transaction_id = [0; 12];
        transaction_id[..8].copy_from_slice(&self.checks.to_be_bytes());
        let request = BindingRequest {
            transaction_id,
            username: &self.username,
            priority: 1_853_824_767,
            role,
            use_candidate,
            nomination,
        };
        let mut out = [0; 256];
        let len = request.write(&mut out, &self.key).unwrap();
        out[..len].to_vec()
    }

    /// Takes a datagram of the server.
    pub fn handle(&mut self, now: Time, packet: &[u8]) {
        if packet[0] < 4 || self.error.is_some() {
            return;
        }
        let at = self.epoch + now.since_origin();
        let result = self
            .dtls
            .handle_timeout(at)
            .and_then(|()| self.dtls.handle_packet(packet));
        self.error = result.err();
    }

    /// What its DTLS has to send now.
    pub fn poll(&mut self, now: Time) -> Vec<Vec<u8>> {
        let at = self.epoch + now.since_origin();
        let mut datagrams = Vec::new();
        let mut buffer = vec![0; 4_096];
        if self.error.is_some() {
            return datagrams;
        }
        self.error = self.dtls.handle_timeout(at).err();
        while self.error.is_none() {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(datagram) => datagrams.push(datagram.to_vec()),
                Output::KeyingMaterial(keys, profile) => self.install(profile, &keys),
                Output::PeerCert(der) => self.server_certificate = Some(der.to_vec()),
                Output::CloseNotify => self.is_closed = true,
                Output::Timeout(_) => break,
                Output::BufferTooSmall { .. } => panic!("4 KiB are enough"),
                _ => {}
            }
        }
        datagrams
    }

    /// A sealed RTP packet, and the plain one.
    pub fn rtp(&mut self) -> (Vec<u8>, Vec<u8>) {
        self.seq += 1;
        let plain = rtp(0x1234_5678, self.seq);
        let mut slot = plain.clone();
        slot.resize(RTP_LEN + 16, 0);
        let seq = SeqNo::first(self.seq);
        let (sender, _) = self.srtp.as_mut().unwrap();
        let len = sender
            .protect_rtp(Ssrc(0x1234_5678), seq, &mut slot, HEADER_LEN, RTP_LEN)
            .unwrap();
        slot.truncate(len);
        (slot, plain)
    }

    fn install(&mut self, profile: dimpl::SrtpProfile, material: &[u8]) {
        let profile = match profile {
            dimpl::SrtpProfile::AEAD_AES_256_GCM => SrtpProfile::AeadAes256Gcm,
            dimpl::SrtpProfile::AEAD_AES_128_GCM => SrtpProfile::AeadAes128Gcm,
            _ => SrtpProfile::AesCm128HmacSha1_80,
        };
        let (client, server) = profile.split_keying_material(material).unwrap();
        let (local, remote) = if self.manner.opens {
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

/// A plain RTP packet.
pub fn rtp(ssrc: u32, seq: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 111];
    packet.extend(seq.to_be_bytes());
    packet.extend(u32::from(seq).wrapping_mul(960).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.resize(RTP_LEN, 0xa5);
    packet
}

/// Hands one packet to the transport, and gives it all the turns it wants.
pub fn deliver(transport: &mut WebRtcTransport, now: Time, path: Path, packet: &[u8]) -> Received {
    let received = transport.receive(now, path, &mut packet.to_vec());
    while transport.advance(now) {}
    received
}

/// Everything the transport has to send, by path.
pub fn drain(transport: &mut WebRtcTransport) -> Vec<(Path, Vec<u8>)> {
    std::iter::from_fn(|| transport.poll_transmit()).collect()
}

/// Every event that waits, but those that [`deliver`] has answered.
pub fn events(transport: &mut WebRtcTransport) -> Vec<TransportEvent> {
    std::iter::from_fn(|| transport.poll_event())
        .filter(|event| *event != TransportEvent::HandshakePending)
        .collect()
}

/// Carries packets both ways at once until nobody has any; whatever was sent elsewhere.
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
    panic!("the two never come to rest");
}

/// A transport and a peer that are connected at `now`.
pub fn connected(seed: u64, now: Time) -> (WebRtcTransport, Peer) {
    let mut transport = transport(DtlsVersion::V12, seed);
    let mut peer = Peer::new(&transport, udp("198.51.100.7:50000"), Manner::BROWSER, now);
    transport.connect(now, &peer.parameters()).unwrap();
    let check = peer.check(true, None);
    deliver(&mut transport, now, peer.path, &check);
    exchange(&mut transport, &mut peer, now);
    assert!(transport.path().is_some());
    events(&mut transport);
    (transport, peer)
}

/// Asserts that plain RTP passes both ways.
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
    let prefix = watersmeet_engine::transport::srtp::SrtpHeader {
        ssrc: Ssrc(99),
        seq: 1,
        header_len: HEADER_LEN,
    };
    let len = receiver.unprotect_rtp(prefix, &mut slot[..len]).unwrap();
    assert_eq!(&slot[..len], &plain);
}

/// Random bytes.
pub fn noise(rng: &mut Rng, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    rng.fill_bytes(&mut bytes);
    bytes
}
