//! HTTPS: certificates from files, what is said about unusable ones, and loading them again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::program::{Program, command, split_response};

/// Longest time in which a changed certificate must be in use.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(20);

/// Files of a certificate.
struct Files {
    cert: PathBuf,
    key: PathBuf,
}

impl Files {
    /// Returns the files in a folder of their own.
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self {
            cert: folder.join("cert.pem"),
            key: folder.join("key.pem"),
        }
    }

    /// Writes a new certificate and returns it.
    fn renew(&self) -> CertificateDer<'static> {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        std::fs::write(&self.cert, made.cert.pem()).unwrap();
        std::fs::write(&self.key, made.signing_key.serialize_pem()).unwrap();
        made.cert.der().clone()
    }

    fn arguments(&self) -> [&str; 4] {
        let (cert, key) = (self.cert.to_str().unwrap(), self.key.to_str().unwrap());
        ["--tls-cert", cert, "--tls-key", key]
    }
}

/// Opens a TLS connection that trusts one certificate only; `None` when the server has another.
async fn connect(
    program: &Program,
    trusted: &CertificateDer<'static>,
) -> Option<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(program.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, tcp).await.ok()
}

#[tokio::test]
async fn tls_port_serves_https_and_plain_http_on_loopback() {
    let files = Files::new("tls-port");
    let certificate = files.renew();
    let program = Program::start(&files.arguments());
    assert_eq!(program.health()["status"], "OK");
    let mut stream = connect(&program, &certificate).await.unwrap();
    let request = b"GET /health HTTP/1.1\r\nHost: any.example\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // The server may close the connection without a TLS close_notify.
    let _ = stream.read_to_end(&mut answer).await;
    let (status, header, body) = split_response(&answer);
    assert_eq!(status, 200, "{body}");
    let policy = "strict-transport-security: max-age=31536000\r\n";
    assert!(header.contains(policy), "{header}");
}

#[test]
fn self_signed_certificate_is_generated_at_start() {
    let program = Program::start(&["--tls-self-signed"]);
    assert_eq!(program.health()["status"], "OK");
}

/// With a browser's certificate check, a page of another site cannot have this server's name.
#[tokio::test]
async fn https_is_served_under_every_name() {
    let files = Files::new("tls-names");
    let certificate = files.renew();
    let program = Program::start(&files.arguments());
    let mut stream = connect(&program, &certificate).await.unwrap();
    let request = "GET /ws HTTP/1.1\r\nHost: meet.example:3000\r\n\
        Origin: https://meet.example:3000\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1_024];
    let len = stream.read(&mut answer).await.unwrap();
    assert_eq!(split_response(&answer[..len]).0, 101);
}

#[tokio::test]
async fn changed_certificate_is_used_without_a_restart() {
    let files = Files::new("tls-change");
    let first = files.renew();
    let program = Program::start(&files.arguments());
    assert!(connect(&program, &first).await.is_some());
    let mut before = first;
    // By itself, and at once after SIGHUP, which must not end the program.
    for is_signalled in [false, true] {
        let after = files.renew();
        let changed = Instant::now();
        if is_signalled {
            program.signal("HUP");
        }
        while connect(&program, &after).await.is_none() {
            assert!(changed.elapsed() < RELOAD_TIMEOUT, "signal: {is_signalled}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(!is_signalled || changed.elapsed() < Duration::from_secs(4));
        assert!(connect(&program, &before).await.is_none());
        before = after;
    }
    std::fs::write(&files.cert, "half of a").unwrap();
    program.signal("HUP");
    assert!(connect(&program, &before).await.is_some());
    assert_eq!(program.health()["status"], "OK");
}

#[test]
fn unusable_file_is_named_at_start() {
    let files = Files::new("tls-unusable");
    files.renew();
    let swapped = [
        "--tls-cert",
        files.key.to_str().unwrap(),
        "--tls-key",
        files.cert.to_str().unwrap(),
    ];
    let output = command().arg("--dev").args(swapped).output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{words}");
    assert!(
        words.contains("swapped") && words.contains("`tls_cert`"),
        "{words}"
    );
    assert!(words.contains(files.key.to_str().unwrap()), "{words}");
}

#[test]
fn certificate_that_browsers_refuse_is_reported_at_start() {
    let files = Files::new("tls-refused");
    files.renew();
    let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    std::fs::write(&files.cert, params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    let mut program = Program::start_with(&files.arguments(), |command| {
        command.env("BASE_URL", "https://meet.example.org");
        command.stderr(std::process::Stdio::piped());
    });
    program.terminate();
    assert!(program.wait().success());
    let mut log = String::new();
    std::io::Read::read_to_string(&mut program.take_stderr(), &mut log).unwrap();
    for problem in ["has expired", "not for meet.example.org"] {
        assert!(log.contains(problem), "{log}");
    }
}
