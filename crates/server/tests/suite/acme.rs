//! Certificates by ACME: obtained by either challenge, stored, renewed, and kept while the certificate
//! authority is away.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::Message;

use crate::acme_authority::Authority;
use crate::presented_certificate::handshake;
use crate::program::{Program, command};

/// Domain of the server.
const DOMAIN: &str = "meet.example.org";

/// Another domain of the server.
const OTHER_DOMAIN: &str = "call.example.org";

/// Validity of certificates that are not to be renewed within a test.
const LONG: Duration = Duration::from_hours(90 * 24);

/// Validity of certificates that are renewed within a test, after 8 s.
const SHORT: Duration = Duration::from_secs(12);

/// Longest wait for a condition.
const TIMEOUT: Duration = Duration::from_secs(40);

/// Both challenges.
const BOTH: [&str; 2] = ["http-01", "tls-alpn-01"];

/// A program with domains, and its log.
struct Server {
    program: Program,
    log: Arc<Mutex<String>>,
    redirect: SocketAddr,
}

impl Server {
    /// Starts the program with the state directory of this name.
    fn start(name: &str, authority: &Authority) -> Self {
        let redirect = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let arguments = ["--domain", DOMAIN, "--domain", OTHER_DOMAIN];
        let mut program = Program::start_with(&arguments, |command| {
            command
                .env("ANNOUNCED_IP", "127.0.0.1")
                .env("STATE_DIRECTORY", state_dir(name))
                .env("WATERSMEET_ACME_DIRECTORY_URL", authority.directory_url())
                .env("WATERSMEET_ACME_CA_FILE", &authority.ca_file)
                .env("WATERSMEET_ACME_CONTACT", "admin@example.org")
                .env("WATERSMEET_REDIRECT_PORT", redirect.port().to_string())
                .stderr(Stdio::piped());
        });
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, written) = (BufReader::new(program.take_stderr()), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut log = written.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self {
            program,
            log,
            redirect,
        }
    }

    /// Returns the certificate that the server presents.
    async fn certificate(&self) -> Option<CertificateDer<'static>> {
        let presented = handshake(self.program.address, DOMAIN, &["http/1.1"]).await?;
        Some(presented.0)
    }

    /// Waits until the server presents another certificate than this.
    async fn other_certificate(
        &self,
        than: Option<&CertificateDer<'static>>,
    ) -> CertificateDer<'static> {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let presented = self.certificate().await;
            if let Some(other) = presented.filter(|it| Some(it) != than) {
                return other;
            }
            let log = self.log.lock().unwrap().clone();
            assert!(
                Instant::now() < deadline,
                "no certificate was obtained: {log}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a line of the log has all these words.
    async fn expect_log(&self, words: &[&str]) {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let log = self.log.lock().unwrap().clone();
            if log
                .lines()
                .any(|line| words.iter().all(|word| line.contains(word)))
            {
                return;
            }
            assert!(Instant::now() < deadline, "no line has {words:?}: {log}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Returns a state directory that does not exist yet when a test begins.
fn state_dir(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("acme-{name}"))
}

fn clear_state(name: &str) {
    let folder = state_dir(name);
    if folder.exists() {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// Returns an address on which nobody listens.
fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// Returns all files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|it| it.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

fn connector(root: CertificateDer<'static>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_is_obtained_by_tls_and_used_again_after_a_restart() {
    clear_state("tls");
    let authority = Authority::start("tls", &["tls-alpn-01"], LONG).await;
    let server = Server::start("tls", &authority);
    // Before the first certificate, the program runs and says so.
    server
        .expect_log(&["there is no certificate", OTHER_DOMAIN, DOMAIN])
        .await;
    assert!(server.certificate().await.is_none());
    assert_eq!(server.program.health()["status"], "OK");

    authority.validate_at(server.program.address, closed_port());
    let certificate = server.other_certificate(None).await;
    for name in [DOMAIN, OTHER_DOMAIN] {
        let tcp = TcpStream::connect(server.program.address).await.unwrap();
        let name = ServerName::try_from(name).unwrap();
        connector(authority.root())
            .connect(name, tcp)
            .await
            .unwrap();
    }
    let validation = handshake(server.program.address, DOMAIN, &["acme-tls/1"]).await;
    assert!(
        validation.is_none(),
        "a validation is answered although none is in progress"
    );
    let state = state_dir("tls");
    assert_eq!(
        state.metadata().unwrap().permissions().mode() & 0o777,
        0o700
    );
    let files = files(&state);
    assert_eq!(files.len(), 4, "{files:?}");
    for file in files {
        assert_eq!(
            file.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{file:?}"
        );
    }

    drop(server);
    let server = Server::start("tls", &authority);
    assert_eq!(server.certificate().await, Some(certificate));
    assert_eq!(authority.orders(), 1);
    let doctor = command()
        .args([
            "doctor",
            "--dev",
            "--port",
            "0",
            "--rtc-port",
            "0",
            "--domain",
            DOMAIN,
        ])
        .args([
            "--domain",
            OTHER_DOMAIN,
            "--state-dir",
            state.to_str().unwrap(),
        ])
        .env("WATERSMEET_ACME_DIRECTORY_URL", authority.directory_url())
        .env("WATERSMEET_REDIRECT_PORT", "0")
        .output()
        .unwrap();
    let text = String::from_utf8(doctor.stdout).unwrap();
    assert!(text.contains("is valid until"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_is_obtained_by_http_where_that_is_all_an_authority_offers() {
    clear_state("http");
    let authority = Authority::start("http", &["http-01"], LONG).await;
    let server = Server::start("http", &authority);
    authority.validate_at(closed_port(), server.redirect);
    server.other_certificate(None).await;

    let answer = plain_get(server.redirect, "/room/standup");
    let page = format!(
        "location: https://{DOMAIN}:{}/room/standup",
        server.program.address.port()
    );
    assert!(
        answer.starts_with("HTTP/1.1 308") && answer.contains(&page),
        "{answer}"
    );
    let answer = plain_get(server.redirect, "/.well-known/acme-challenge/token-0-0");
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}

/// Sends a request by plain HTTP and returns the response.
fn plain_get(address: SocketAddr, path: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_validation_is_logged_and_the_other_challenge_comes_next() {
    clear_state("fallback");
    let authority = Authority::start("fallback", &BOTH, LONG).await;
    let server = Server::start("fallback", &authority);
    authority.validate_at(closed_port(), server.redirect);
    server
        .expect_log(&[
            "not obtained",
            "by TLS on port 443: connection refused",
            "next attempt at",
        ])
        .await;
    assert!(server.certificate().await.is_none());
    // The next attempt is due in 15 minutes, or after SIGHUP.
    server.program.signal("HUP");
    server.other_certificate(None).await;
    assert_eq!(authority.orders(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewed_certificate_is_presented_to_new_connections_while_old_ones_go_on() {
    clear_state("renewal");
    let authority = Authority::start("renewal", &BOTH, SHORT).await;
    let server = Server::start("renewal", &authority);
    authority.validate_at(server.program.address, server.redirect);
    let first = server.other_certificate(None).await;

    let tcp = TcpStream::connect(server.program.address).await.unwrap();
    let name = ServerName::try_from(DOMAIN).unwrap();
    let stream = connector(authority.root())
        .connect(name, tcp)
        .await
        .unwrap();
    let url = format!("wss://{DOMAIN}/ws");
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    let connected = socket.next().await.unwrap().unwrap();
    assert!(connected.to_text().unwrap().contains("connected"));

    let second = server.other_certificate(Some(&first)).await;
    assert_ne!(second, first);
    socket
        .send(Message::Ping(b"still here".as_slice().into()))
        .await
        .unwrap();
    loop {
        match socket
            .next()
            .await
            .expect("the connection goes on")
            .unwrap()
        {
            Message::Pong(text) => break assert_eq!(text.as_ref(), b"still here"),
            Message::Close(frame) => panic!("closed: {frame:?}"),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_stays_in_use_while_the_authority_is_away() {
    clear_state("away");
    let mut authority = Authority::start("away", &BOTH, SHORT).await;
    let server = Server::start("away", &authority);
    authority.validate_at(server.program.address, server.redirect);
    let first = server.other_certificate(None).await;
    authority.stop().await;
    server
        .expect_log(&["not obtained", "cannot be reached", "next attempt at"])
        .await;
    assert_eq!(server.certificate().await.as_ref(), Some(&first));
    authority.resume().await;
    server.program.signal("HUP");
    server.other_certificate(Some(&first)).await;
}
