//! Web page, security headers, TLS, startup errors and shutdown.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::native_client::Client;
use crate::program::{Program, command, split_response, wait};

#[test]
fn health_reports_status_and_counts() {
    let program = Program::start(&["--shards", "2"]);
    let health = program.health();
    assert_eq!(health["status"], "OK");
    assert_eq!(health["service"], "watersmeet");
    assert_eq!(health["shards"], 2);
    assert_eq!(health["rooms"], 0);
    assert!(health["uptime"].is_u64() && health["version"].is_string());
}

#[test]
fn app_paths_serve_the_page_and_others_respond_with_404() {
    let program = Program::start(&[]);
    let page = program.get("/", "");
    // 503 when the program was built without the web client.
    assert!(matches!(page.0, 200 | 503), "{}", page.0);
    for path in [
        "/room/standup",
        "/join?room=a&token=b",
        "/call?room=a",
        "/index.html",
    ] {
        let other = program.get(path, "");
        assert_eq!((other.0, other.2), (page.0, page.2.clone()), "{path}");
    }
    for path in [
        "/nothing",
        "/assets/none.js",
        "/..%2fCargo.toml",
        "/../Cargo.toml",
    ] {
        assert_eq!(program.get(path, "").0, 404, "{path}");
    }
    assert_eq!(program.get("/ws", "").0, 426);
}

#[test]
fn every_response_has_the_security_headers() {
    let program = Program::start(&[]);
    for path in ["/", "/health", "/nothing"] {
        let (_, header, _) = program.get(path, "");
        for line in [
            "content-security-policy: default-src 'self'; connect-src",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "permissions-policy: camera=(self)",
        ] {
            assert!(header.contains(line), "{path}: {line}\n{header}");
        }
    }
}

#[test]
fn websocket_compression_is_not_negotiated() {
    let program = Program::start(&[]);
    let header = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let mut stream = std::net::TcpStream::connect(program.address).unwrap();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\n{header}\r\n",
        program.address
    );
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let mut answer = [0; 4_096];
    let len = std::io::Read::read(&mut stream, &mut answer).unwrap();
    let (status, header, _) = split_response(&answer[..len]);
    assert_eq!(status, 101);
    assert!(header.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="));
    assert!(!header.contains("extensions"), "{header}");
}

#[tokio::test]
async fn tls_port_serves_https_and_plain_http_on_loopback() {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let folder = std::env::temp_dir().join(format!("watersmeet-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let paths = [
        "--tls-cert",
        cert.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ];
    let program = Program::start(&paths);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(program.health()["status"], "OK");

    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = tokio::net::TcpStream::connect(program.address)
        .await
        .unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .unwrap();
    let request = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // The server may close the connection without a TLS close_notify.
    let _ = stream.read_to_end(&mut answer).await;
    let (status, _, body) = split_response(&answer);
    assert_eq!(status, 200, "{body}");
}

#[test]
fn self_signed_certificate_is_generated_at_start() {
    let program = Program::start(&["--tls-self-signed"]);
    assert_eq!(program.health()["status"], "OK");
}

#[tokio::test]
async fn sigterm_closes_sessions_and_exits_successfully() {
    let mut program = Program::start(&[]);
    let mut ana = Client::join(&program, "standup").await;
    let told = Instant::now();
    program.terminate();
    assert_eq!(ana.close_code(Duration::from_secs(5)).await, Some(1001));
    assert!(program.wait().success());
    assert!(
        told.elapsed() < Duration::from_secs(5),
        "{:?}",
        told.elapsed()
    );
}

#[test]
fn invalid_configuration_is_refused_by_name() {
    for (variable, value, key) in [
        ("PORT", "many", "PORT"),
        ("WATERSMEET_PORTS", "1", "did you mean `port`?"),
        ("RUST_LOG", "a=b=c", "log"),
    ] {
        let mut child = command()
            .env(variable, value)
            .arg("--dev")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        assert_eq!(wait(&mut child).code(), Some(78), "{variable}");
        let mut words = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut words).unwrap();
        assert!(words.contains(key), "{variable}: {words}");
    }
}
