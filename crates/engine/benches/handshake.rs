//! Processor time of a DTLS handshake, by version: what the server spends from the first ICE check until
//! it has keys. Prints microseconds per handshake, median of some rounds.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement that cannot go on must stop, and a table is what it is for"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::Output;
use rand_chacha::rand_core::SeedableRng as _;
use rustix::time::{ClockId, clock_gettime};
use watersmeet_engine::command::{DtlsState, Path, TransportOptions};
use watersmeet_engine::transport::dtls::{DtlsCertificate, DtlsVersion};
use watersmeet_engine::transport::{TransportSettings, WebRtcTransport};
use watersmeet_wire::params::{DtlsFingerprint, DtlsParameters, DtlsRole};
use watersmeet_wire::stun::{BindingRequest, IceRole, IntegrityKey};
use watersmeet_wire::units::{Rng, Time};

/// Handshakes in one round, and rounds.
const HANDSHAKES: u32 = 200;
const ROUNDS: usize = 5;

/// Time of all packets.
const NOW: Time = Time::from_millis(1);

/// A client's DTLS, made for each handshake.
type NewClient = fn(Arc<dimpl::Config>, dimpl::DtlsCertificate, Instant) -> dimpl::Dtls;

fn main() {
    println!("{:>16}{:>20}", "DTLS", "µs per handshake");
    let cases: [(&str, DtlsVersion, NewClient); 4] = [
        ("1.2", DtlsVersion::V12, dimpl::Dtls::new_12),
        ("1.3", DtlsVersion::V13, dimpl::Dtls::new_13),
        ("auto: 1.2", DtlsVersion::Auto, dimpl::Dtls::new_12),
        ("auto: 1.3", DtlsVersion::Auto, dimpl::Dtls::new_13),
    ];
    let client = Client::new();
    for (name, setting, new_client) in cases {
        let mut rounds: Vec<_> = (0..ROUNDS)
            .map(|_| client.run(setting, new_client))
            .collect();
        rounds.sort();
        let median = rounds.get(ROUNDS / 2).expect("there are rounds");
        println!("{name:>16}{:>20.0}", median.as_secs_f64() * 1e6);
    }
}

/// DTLS configuration and address of the client, the same in all measured handshakes.
struct Client {
    epoch: Instant,
    certificate: dimpl::DtlsCertificate,
    config: Arc<dimpl::Config>,
    path: Path,
}

impl Client {
    fn new() -> Self {
        let certificate = dimpl::certificate::generate_self_signed_certificate();
        let address = "198.51.100.7:50000".parse().expect("an address");
        #[expect(clippy::disallowed_methods, reason = "the origin of virtual time")]
        let epoch = Instant::now();
        Self {
            epoch,
            certificate: certificate.expect("cryptography works"),
            config: Arc::new(dimpl::Config::default()),
            path: Path::udp(address),
        }
    }

    /// Returns the server's processor time for one handshake.
    fn run(&self, setting: DtlsVersion, new_client: NewClient) -> Duration {
        let settings = Arc::new(TransportSettings {
            certificate: DtlsCertificate::generate().expect("cryptography works"),
            dtls_version: setting,
            epoch: self.epoch,
            listen: Vec::new(),
            consent_timeout: Duration::from_secs(30),
        });
        let mut used = Duration::ZERO;
        for seed in 0..HANDSHAKES {
            let mut rng = Rng::seed_from_u64(u64::from(seed));
            let mut server = Server {
                transport: WebRtcTransport::new(
                    &settings,
                    &TransportOptions::default(),
                    "server".to_owned(),
                    &mut rng,
                ),
                used: Duration::ZERO,
            };
            let now = self.epoch + NOW.since_origin();
            let mut dtls = new_client(Arc::clone(&self.config), self.certificate.clone(), now);
            dtls.set_active(true);
            dtls.handle_timeout(now).expect("it starts");
            self.connect(&mut server, &mut dtls);
            used += server.used;
        }
        used / HANDSHAKES
    }

    /// Exchanges packets until the server has keys.
    fn connect(&self, server: &mut Server, dtls: &mut dimpl::Dtls) {
        let fingerprint = DtlsFingerprint {
            algorithm: "sha-256".to_owned(),
            value: self.certificate.fingerprint_str(),
        };
        let parameters = DtlsParameters {
            role: DtlsRole::Client,
            fingerprints: vec![fingerprint],
        };
        let connected = server.measure(|it| it.connect(NOW, &parameters));
        connected.expect("good parameters");
        server.receive(self.path, &check(&server.transport));
        let mut buffer = vec![0; 4_096];
        for _ in 0..8 {
            while let Some(datagram) = poll_packet(dtls, &mut buffer) {
                server.receive(self.path, &datagram);
            }
            while let Some((_, datagram)) = server.measure(WebRtcTransport::poll_transmit) {
                if datagram.first().is_some_and(|first| *first > 3) {
                    dtls.handle_packet(&datagram).expect("a good handshake");
                }
            }
            if server.transport.dtls_state() == DtlsState::Connected {
                return;
            }
        }
        panic!("the handshake does not end");
    }
}

/// A transport, and the processor time that it has used.
struct Server {
    transport: WebRtcTransport,
    used: Duration,
}

impl Server {
    fn measure<T>(&mut self, work: impl FnOnce(&mut WebRtcTransport) -> T) -> T {
        let before = processor_time();
        let result = work(&mut self.transport);
        self.used += processor_time() - before;
        result
    }

    fn receive(&mut self, path: Path, datagram: &[u8]) {
        let mut datagram = datagram.to_vec();
        self.measure(|transport| {
            transport.receive(NOW, path, &mut datagram);
            while transport.advance(NOW) {}
        });
    }
}

/// Returns the next datagram of the client.
fn poll_packet(dtls: &mut dimpl::Dtls, buffer: &mut [u8]) -> Option<Vec<u8>> {
    loop {
        match dtls.poll_output(buffer) {
            Output::Packet(datagram) => return Some(datagram.to_vec()),
            Output::Timeout(_) => return None,
            _ => {}
        }
    }
}

/// Returns an ICE check that selects its path.
fn check(transport: &WebRtcTransport) -> Vec<u8> {
    let ice = transport.ice_parameters();
    let request = BindingRequest {
        transaction_id: [7; 12],
        username: &format!("{}:client", ice.username_fragment),
        priority: 1_853_824_767,
        role: IceRole::Controlling(7),
        use_candidate: true,
        nomination: None,
        network_info: None,
    };
    let mut out = vec![0; 256];
    let key = IntegrityKey::from_password(&ice.password);
    let len = request.write(&mut out, &key).expect("it fits");
    out.truncate(len);
    out
}

/// Returns the processor time of this thread.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).expect("time is positive"),
        u32::try_from(time.tv_nsec).expect("a part of a second"),
    )
}
