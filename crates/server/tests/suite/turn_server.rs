//! The embedded TURN server: relaying over UDP, TCP and TLS to our own media port, and refusing
//! everything else.

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use stun_types::attribute::XorMappedAddress;
use stun_types::message::{BINDING, Message};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use watersmeet_conference::turn;

use crate::ice_checks::IceTarget;
use crate::metrics::{scrape, sum};
use crate::native_client::Client;
use crate::program::{Program, command};
use crate::turn_client::{SUCCESS, Transport, TurnClient, framed, tcp, tcp_slowly, udp};

/// Secret of the credentials.
const SECRET: &str = "a-secret-of-these-tests";

/// Upper bound of ICE checks sent to a client that does not read.
const CHECKS_MAX: u32 = 100_000;

/// Memory by which the program may grow for a client that does not read, in bytes.
const MEMORY_GROWTH_MAX: usize = 16 << 20;

/// Longest time in which a changed certificate must be in use.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(20);

/// Bytes of an Allocate request without credentials.
const ALLOCATE_LEN: usize = 28;

/// A program with a TURN server.
struct TurnProgram {
    program: Program,
    address: SocketAddr,
    tls: SocketAddr,
    /// Configuration file.
    file: PathBuf,
    /// Certificate of the page.
    certificate: CertificateDer<'static>,
}

/// Returns a loopback address with a port that is free for UDP and TCP.
pub fn free_address() -> SocketAddr {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

impl TurnProgram {
    /// Starts a program with further settings.
    fn start(name: &str, settings: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("turn-{name}"));
        std::fs::create_dir_all(&folder).unwrap();
        let certificate = renew_certificate(&folder);
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        let (address, tls) = (free_address(), free_address());
        let file = folder.join("watersmeet.toml");
        let settings = format!(
            "turn_port = {}\nturn_tls_port = {}\nturn_secret = {SECRET:?}\ntls_cert = {cert:?}\n\
             tls_key = {key:?}\n{settings}\n",
            address.port(),
            tls.port(),
        );
        std::fs::write(&file, settings).unwrap();
        Self {
            program: Program::start(&["--config", file.to_str().unwrap()]),
            address,
            tls,
            file,
            certificate,
        }
    }

    /// Returns a client over UDP.
    fn client(&self, user: &str) -> TurnClient<UdpSocket> {
        TurnClient::new(udp(self.address), credentials(user, 60))
    }

    /// Returns the value of a metric.
    fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        sum(&scrape(&self.program), name, labels)
    }

    /// Returns whether the TLS port has the certificate.
    fn has_certificate(&self) -> bool {
        let mut tcp = TcpStream::connect(self.tls).unwrap();
        self.tls_connection().complete_io(&mut tcp).is_ok()
    }

    /// Returns a client over TLS.
    fn tls_client(&self) -> TurnClient<impl Transport + use<>> {
        let tls = self.tls_connection();
        let transport = framed(self.tls, |tcp| StreamOwned::new(tls, tcp));
        TurnClient::new(transport, credentials("ana", 60))
    }

    /// Returns a TLS connection that trusts the page's certificate only.
    fn tls_connection(&self) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        ClientConnection::new(Arc::new(config), name).unwrap()
    }
}

/// Writes a new certificate and returns it.
fn renew_certificate(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

/// Returns the report of the doctor for a configuration file.
fn doctor(file: &Path) -> String {
    let mut doctor = command();
    doctor.args(["doctor", "--listen-ip", "127.0.0.1"]);
    doctor.args(["--port", "0", "--rtc-port", "0", "--dev", "--config"]);
    String::from_utf8(doctor.arg(file).output().unwrap().stdout).unwrap()
}

/// Returns credentials that expire in so many seconds, or expired before.
fn credentials(user: &str, expires_s: i64) -> (String, String) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let expiry = now.as_secs().saturating_add_signed(expires_s);
    let issuer = turn::TurnServer::new(Vec::new(), SECRET.as_bytes(), 0);
    let issued = issuer.issue_credentials(user, expiry);
    (issued.username.unwrap(), issued.credential.unwrap())
}

/// Exchanges ICE checks with the media port through a client's allocation, by indications and by a
/// channel, and ends the allocation.
fn relay_checks(mut client: TurnClient<impl Transport>, target: &IceTarget) {
    let relayed = client.allocate();
    assert!(relayed.ip().is_loopback());
    assert_eq!(client.permit(&[target.address]), SUCCESS);
    client.send(target.address, &target.check(1));
    let (peer, response) = client.receive().unwrap();
    assert_eq!(peer, target.address);
    assert!(target.is_response(&response, 1));
    // The mapped address is the relayed one: browsers then know that the pair is one of a relay.
    let message = Message::from_bytes(&response).unwrap();
    let mapped = message.attribute::<XorMappedAddress>().unwrap();
    assert_eq!(mapped.addr(message.transaction_id()), relayed);

    assert_eq!(client.bind(0x4000, target.address), SUCCESS);
    client.send_on_channel(0x4000, &target.check(2));
    let (number, response) = client.receive_on_channel();
    assert_eq!(number, 0x4000);
    assert!(target.is_response(&response, 2));

    assert_eq!(client.refresh(3_600), (SUCCESS, Some(600)));
    assert_eq!(client.refresh(0), (SUCCESS, Some(0)));
    assert_eq!(client.permit(&[target.address]), 437);
}

#[tokio::test]
async fn media_port_is_reached_over_udp_tcp_and_tls() {
    let turn = TurnProgram::start("relay", "");
    let mut ana = Client::join(&turn.program, "standup").await;
    let transport = ana.create_transport("recv").await;
    let target = IceTarget::new(&transport, "udp");
    relay_checks(turn.client("ana"), &target);
    let over_tcp = TurnClient::new(tcp(turn.address), credentials("ana", 60));
    relay_checks(over_tcp, &target);
    relay_checks(turn.tls_client(), &target);

    assert_eq!(turn.metric("watersmeet_turn_allocations", &[]), 0.0);
    assert_eq!(
        turn.metric("watersmeet_turn_allocations_made_total", &[]),
        3.0
    );
    for direction in ["in", "out"] {
        let labels = [("direction", direction)];
        assert!(turn.metric("watersmeet_turn_relayed_bytes_total", &labels) > 300.0);
    }
}

#[tokio::test]
async fn clients_are_told_the_urls_and_get_credentials_that_work() {
    let turn = TurnProgram::start("urls", "");
    let (_, _, body) = turn.program.get("/api/ice-servers", "");
    let servers: serde_json::Value = serde_json::from_str(&body).unwrap();
    let server = &servers["iceServers"][0];
    let urls = [
        format!("turn:{}?transport=udp", turn.address),
        format!("turn:{}?transport=tcp", turn.address),
        format!("turns:{}?transport=tcp", turn.tls),
    ];
    assert_eq!(server["urls"], serde_json::json!(urls));
    let issued = ["username", "credential"].map(|it| server[it].as_str().unwrap().to_owned());
    let [username, password] = issued;
    TurnClient::new(udp(turn.address), (username, password)).allocate();
}

#[test]
fn credentials_that_were_not_issued_or_expired_cannot_allocate() {
    let turn = TurnProgram::start("credentials", "");
    let (username, _) = credentials("ana", 60);
    for refused in [
        (username.clone(), "another".to_owned()),
        credentials("ana", -1),
        ("ana".to_owned(), credentials("ana", 60).1),
        (username, credentials("ben", 60).1),
    ] {
        let mut client = TurnClient::new(udp(turn.address), refused);
        assert_eq!(client.try_allocate(), 401);
        assert_eq!(client.try_allocate(), 401, "{}", client.credentials.0);
    }
    assert_eq!(
        turn.metric("watersmeet_turn_allocations_made_total", &[]),
        0.0
    );
}

#[test]
fn nonce_of_another_client_is_stale_and_the_new_one_works() {
    let turn = TurnProgram::start("nonce", "");
    let mut ana = turn.client("ana");
    assert_eq!(ana.try_allocate(), 401);
    let mut ben = turn.client("ben");
    ben.challenge = ana.challenge.clone();
    assert_eq!(ben.try_allocate(), 438);
    assert_ne!(ben.challenge, ana.challenge);
    assert_eq!(ben.try_allocate(), SUCCESS);
    ben.nonce = Some("made up".to_owned());
    assert_eq!(ben.refresh(600).0, 438);
}

#[test]
fn allocation_belongs_to_its_user_and_is_made_once() {
    let turn = TurnProgram::start("owner", "");
    let mut ana = turn.client("ana");
    ana.allocate();
    assert_eq!(ana.try_allocate(), 437);
    ana.credentials = credentials("ben", 60);
    assert_eq!(ana.refresh(0).0, 441);
    assert_eq!(turn.metric("watersmeet_turn_allocations", &[]), 1.0);
}

#[tokio::test]
async fn only_the_media_port_is_a_peer() {
    let turn = TurnProgram::start("peers", "");
    let mut ana = Client::join(&turn.program, "standup").await;
    let transport = ana.create_transport("recv").await;
    let media = IceTarget::new(&transport, "udp").address;
    let mut client = turn.client("ana");
    client.allocate();
    for peer in [
        "127.0.0.2:10000",
        "127.255.255.254:53",
        "0.0.0.0:80",
        "10.0.0.1:80",
        "172.16.0.1:443",
        "192.168.1.1:80",
        "100.64.0.1:80",
        "169.254.1.1:80",
        "169.254.169.254:80",
        "224.0.0.1:5353",
        "255.255.255.255:9",
        "8.8.8.8:53",
    ] {
        let peer: SocketAddr = peer.parse().unwrap();
        assert_eq!(client.permit(&[peer]), 403, "{peer}");
        assert_eq!(client.permit(&[media, peer]), 403, "{peer}");
        assert_eq!(client.bind(0x4000, peer), 403, "{peer}");
    }
    for peer in [
        "[::1]:80",
        "[fe80::1]:80",
        "[fd00::1]:80",
        "[::ffff:127.0.0.1]:80",
    ] {
        let peer: SocketAddr = peer.parse().unwrap();
        assert_eq!(client.permit(&[peer]), 443, "{peer}");
        assert_eq!(client.bind(0x4000, peer), 443, "{peer}");
    }
    // Other ports of our own address: of the page, of TURN, and of another program.
    let secret_service = UdpSocket::bind("127.0.0.1:0").unwrap();
    secret_service
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let others = [
        turn.program.address,
        turn.address,
        turn.tls,
        secret_service.local_addr().unwrap(),
    ];
    assert_eq!(client.permit(&[media]), SUCCESS);
    for peer in others {
        assert_eq!(client.bind(0x4001, peer), 403, "{peer}");
        client.send(peer, b"let me in");
    }
    assert!(secret_service.recv_from(&mut [0; 64]).is_err());
    let labels = [("reason", "forbidden-peer")];
    assert_eq!(
        turn.metric("watersmeet_turn_datagrams_dropped_total", &labels),
        4.0
    );
}

#[test]
fn allocations_are_bounded_per_user_and_in_all() {
    let turn = TurnProgram::start("quota", "turn_allocations_max = 66");
    let mut clients = Vec::new();
    for _ in 0..64 {
        let mut client = turn.client("ana");
        client.credentials = (clients.first()).map_or(client.credentials, |it: &TurnClient<_>| {
            it.credentials.clone()
        });
        client.allocate();
        clients.push(client);
    }
    let mut another = turn.client("ana");
    another.credentials = clients[0].credentials.clone();
    assert_eq!(another.try_allocate(), 401);
    assert_eq!(another.try_allocate(), 486);
    let mut others = ["ben", "cy"].map(|user| turn.client(user));
    for other in &mut others {
        other.allocate();
    }
    let mut last = turn.client("di");
    assert_eq!(last.try_allocate(), 401);
    assert_eq!(last.try_allocate(), 508);
    assert_eq!(clients[0].refresh(0).0, SUCCESS);
    assert_eq!(last.try_allocate(), SUCCESS);
}

#[test]
fn allocation_of_a_closed_connection_ends() {
    let turn = TurnProgram::start("closed", "turn_allocations_max = 1");
    let mut first = TurnClient::new(tcp(turn.address), credentials("ana", 60));
    first.allocate();
    drop(first);
    let mut second = turn.client("ben");
    assert_eq!(second.try_allocate(), 401);
    let start = Instant::now();
    while second.try_allocate() == 508 {
        assert!(start.elapsed() < Duration::from_secs(5), "it stays");
    }
    assert_eq!(turn.metric("watersmeet_turn_allocations", &[]), 1.0);
}

#[tokio::test]
async fn data_for_a_client_that_does_not_read_is_dropped() {
    let turn = TurnProgram::start("slow", "");
    let mut ana = Client::join(&turn.program, "standup").await;
    let transport = ana.create_transport("recv").await;
    let target = IceTarget::new(&transport, "udp");
    let other = ana.create_transport("send").await;
    let mut slow = TurnClient::new(tcp_slowly(turn.address), credentials("ana", 60));
    slow.allocate();
    assert_eq!(slow.bind(0x4000, target.address), SUCCESS);
    let memory = turn.program.memory();
    let labels = [("reason", "queue-full")];
    let mut sent = 0;
    while turn.metric("watersmeet_turn_datagrams_dropped_total", &labels) < 1_000.0 {
        assert!(sent < CHECKS_MAX, "nothing is dropped after {sent} checks");
        for _ in 0..500 {
            sent += 1;
            slow.send_on_channel(0x4000, &target.check(sent));
        }
    }
    let grown = turn.program.memory().saturating_sub(memory);
    assert!(grown < MEMORY_GROWTH_MAX, "{grown} bytes");

    // Others are served meanwhile, and frames stay whole.
    relay_checks(turn.client("ben"), &IceTarget::new(&other, "udp"));
    let (number, response) = slow.receive_on_channel();
    assert_eq!(number, 0x4000);
    assert!(target.is_response(&response, 1));
    slow.transport.set_timeout(Duration::from_millis(300));
    let mut received = 1;
    while slow.transport.receive().is_some() {
        received += 1;
    }
    assert!(received < sent, "{received} of {sent}");
    assert_eq!(slow.refresh(600).0, SUCCESS);
}

#[test]
fn unknown_clients_get_short_answers_at_a_bounded_rate() {
    let settings = "[limits]\nloopback = true\nrequests_per_second = 1\nrequests_burst = 20";
    let turn = TurnProgram::start("rate", settings);
    let mut client = turn.client("ana");
    let challenge = client.request(turn_types::message::ALLOCATE, |message| {
        use stun_types::prelude::MessageWriteExt as _;
        let udp = turn_types::attribute::RequestedTransport::new(17);
        message.add_attribute(&udp).unwrap();
    });
    assert!(challenge.len() <= 3 * ALLOCATE_LEN, "{}", challenge.len());
    let mut stranger = turn.client("ben");
    stranger.transport.set_timeout(Duration::from_millis(300));
    let mut answers = 0;
    for number in 0..100_u8 {
        let mut request = vec![0x00, 0x01, 0, 0, 0x21, 0x12, 0xA4, 0x42];
        request.extend([number; 12]);
        UdpSocket::send(&stranger.transport, &request).unwrap();
    }
    while stranger.transport.receive().is_some() {
        answers += 1;
    }
    assert!((10..=25).contains(&answers), "{answers}");
    assert!(turn.metric("watersmeet_rate_limited_total", &[("deed", "turn-request")]) > 70.0);
}

#[test]
fn garbage_is_dropped_over_udp_and_closes_a_connection() {
    let turn = TurnProgram::start("garbage", "");
    let mut client = turn.client("ana");
    client.allocate();
    let header = [0x00, 0x03, 0, 8, 0x21, 0x12, 0xA4, 0x42];
    for garbage in [
        &[][..],
        &[0],
        &[0; 20],
        &[0xFF; 1_400],
        &[0x40, 0, 0xFF, 0xFF],
        &header,
    ] {
        UdpSocket::send(&client.transport, garbage).unwrap();
    }
    assert_eq!(client.refresh(600).0, SUCCESS);
    for garbage in [[0xFF; 64], [0x00; 64].map(|_| 0x03), [0x41; 64]] {
        let mut connection = tcp(turn.address);
        std::io::Write::write_all(&mut connection.stream, &garbage).unwrap();
        assert_eq!(connection.receive(), None);
    }
    let mut after = TurnClient::new(tcp(turn.address), credentials("ana", 60));
    after.allocate();
    let binding = after.request(BINDING, |_| {});
    assert!(Message::from_bytes(&binding).is_ok());
}

#[test]
fn doctor_allocates_on_the_server_that_runs() {
    let mut turn = TurnProgram::start("doctor", "");
    let url = format!("turn:{}?transport", turn.address);
    let report = doctor(&turn.file);
    for transport in ["udp", "tcp"] {
        let line = format!("✓ turn          {url}={transport} relays with our credentials");
        assert!(report.contains(&line), "{report}");
    }
    turn.program.terminate();
    turn.program.wait();
    let report = doctor(&turn.file);
    assert!(
        report.contains(&format!("✓ turn          {url}=udp starts with the server")),
        "{report}"
    );
}

#[test]
fn renewed_certificate_of_the_page_is_used() {
    let mut turn = TurnProgram::start("renewal", "");
    turn.tls_client().allocate();
    turn.certificate = renew_certificate(turn.file.parent().unwrap());
    let start = Instant::now();
    while !turn.has_certificate() {
        assert!(start.elapsed() < RENEWAL_TIMEOUT, "the former one stays");
        std::thread::sleep(Duration::from_millis(100));
    }
    turn.tls_client().allocate();
}

#[test]
fn program_without_the_setting_has_no_turn_server() {
    let program = Program::start(&[]);
    let (_, _, body) = program.get("/api/ice-servers", "");
    let servers: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(servers["iceServers"], serde_json::json!([]));
}
