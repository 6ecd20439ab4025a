//! Origins that may use the server from a browser, by WebSocket and by polling (quality bar B21).

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use crate::program::{Program, split_response, start_configured};

/// `Host` of these requests.
const HOST: &str = "meet.example:3000";

/// Configuration that names this server and allows origins.
const CONFIGURATION: &str = "host_names = [\"meet.example\"]\n\
    cors_origins = [\"https://partner.example\", \"https://*.example.org\", \"capacitor://localhost\"]";

const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Header lines that are refused.
const REFUSED: [&str; 26] = [
    "Origin: null",
    "Origin: http://meet.example:3000.evil.example",
    "Origin: http://evil-meet.example:3000",
    "Origin: http://evil.example/meet.example:3000",
    "Origin: http://meet.example",
    "Origin: http://meet.example:3001",
    "Origin: http://a.meet.example:3000",
    "Origin: http://127.0.0.1:24100.evil.example",
    "Origin: https://example.org",
    "Origin: tauri://localhost",
    "Origin: http://m\u{435}et.example:3000",
    "Origin: http://xn--met-bvd.example:3000",
    "Origin: http://meet.example:3000, http://evil.example",
    "Origin: http://meet.example:3000 http://evil.example",
    "Origin: http://meet.example:3000\r\nOrigin: http://evil.example",
    "Origin: http://meet.example:3000@evil.example",
    "Origin: http://evil@meet.example:3000",
    "Origin: ws://meet.example:3000",
    "Origin: file://",
    "Origin: chrome-extension://abcdefghijklmnop",
    "Origin: http://localhost.evil.example",
    "Origin: http://127.0.0.1.evil.example",
    "Origin: http://partner.example",
    "Origin: https://partner.example:444",
    "Origin: *",
    "Origin:",
];

/// Header lines that are allowed, with the origin that is echoed.
const ALLOWED: [(&str, Option<&str>); 10] = [
    ("X-Program: yes", None),
    (
        "Origin: http://meet.example:3000",
        Some("http://meet.example:3000"),
    ),
    (
        "Origin: https://MEET.example:3000",
        Some("https://meet.example:3000"),
    ),
    (
        "Origin: https://partner.example",
        Some("https://partner.example"),
    ),
    (
        "Origin: http://localhost:5173",
        Some("http://localhost:5173"),
    ),
    ("Origin: http://[::1]:5173", Some("http://[::1]:5173")),
    (
        "Origin: http://meet.example.:3000",
        Some("http://meet.example.:3000"),
    ),
    (
        "Origin: http://meet.example:3000/",
        Some("http://meet.example:3000/"),
    ),
    (
        "Origin: https://a.example.org",
        Some("https://a.example.org"),
    ),
    (
        "Origin: capacitor://localhost",
        Some("capacitor://localhost"),
    ),
];

/// Sends a request; returns status and header of the response.
fn request(program: &Program, method: &str, path: &str, header: &str) -> (u16, String) {
    let header = format!("Host: {HOST}\r\n{header}");
    request_as_written(program, method, path, &header)
}

/// Sends a request with these header lines only.
fn request_as_written(program: &Program, method: &str, path: &str, header: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(program.address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let text = format!("{method} {path} HTTP/1.1\r\n{header}\r\n");
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.extend(byte);
    }
    let (status, header, _) = split_response(&answer);
    (status, header)
}

#[test]
fn other_origins_are_refused_on_every_path() {
    let program = start_configured("strangers", CONFIGURATION);
    for line in REFUSED {
        let upgrade = format!("{UPGRADE}{line}\r\n");
        for path in ["/", "/ws", "/socket.io/?EIO=4&transport=websocket"] {
            let (status, header) = request(&program, "GET", path, &upgrade);
            assert_eq!(status, 403, "{line} {path}");
            assert!(!header.contains("access-control"), "{header}");
        }
        let poll = format!("{line}\r\n");
        let path = "/socket.io/?EIO=4&transport=polling";
        let (status, header) = request(&program, "GET", path, &poll);
        assert_eq!(status, 403, "{line}");
        assert!(!header.contains("access-control"), "{header}");
        let preflight = format!("{poll}Access-Control-Request-Method: POST\r\n");
        let (status, header) = request(&program, "OPTIONS", path, &preflight);
        assert_eq!(status, 403, "{line}");
        assert!(!header.contains("access-control"), "{header}");
    }
    assert_eq!(program.health()["sessions"], 0);
}

#[test]
fn own_and_listed_origins_and_programs_are_allowed() {
    let program = start_configured("friends", CONFIGURATION);
    for (line, origin) in ALLOWED {
        let upgrade = format!("{UPGRADE}{line}\r\n");
        for path in ["/", "/ws", "/socket.io/?EIO=4&transport=websocket"] {
            assert_eq!(request(&program, "GET", path, &upgrade).0, 101, "{line}");
        }
        let path = "/socket.io/?EIO=4&transport=polling";
        let poll = format!("{line}\r\n");
        let (status, header) = request(&program, "GET", path, &poll);
        assert_eq!(status, 200, "{line}");
        assert!(header.contains("vary: origin"), "{header}");
        assert_shared_with(&header, origin);
        let preflight = format!(
            "{poll}Access-Control-Request-Method: POST\r\n\
            Access-Control-Request-Headers: content-type\r\n"
        );
        let (status, header) = request(&program, "OPTIONS", path, &preflight);
        assert_eq!(status, 204, "{line}");
        assert!(header.contains("access-control-allow-methods: get, post"));
        assert!(header.contains("access-control-allow-headers: content-type"));
        assert_shared_with(&header, origin);
    }
}

#[test]
fn page_whose_name_points_here_is_refused() {
    let program = start_configured("rebinding", CONFIGURATION);
    let port = program.address.port();
    for name in [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
    ] {
        let host = format!("Host: {name}:{port}\r\n");
        let origin = format!("{host}Origin: http://{name}:{port}\r\n");
        for path in ["/", "/ws", "/socket.io/?EIO=4&transport=websocket"] {
            let upgrade = format!("{origin}{UPGRADE}");
            assert_eq!(
                request_as_written(&program, "GET", path, &upgrade).0,
                403,
                "{path}"
            );
        }
        for path in [
            "/",
            "/api/ice-servers",
            "/stats",
            "/metrics",
            "/socket.io/?EIO=4&transport=polling",
        ] {
            assert_eq!(
                request_as_written(&program, "GET", path, &host).0,
                403,
                "{path}"
            );
        }
        // Programs may use any name.
        assert_eq!(request_as_written(&program, "GET", "/health", &host).0, 200);
        let upgrade = format!("{host}{UPGRADE}");
        assert_eq!(request_as_written(&program, "GET", "/ws", &upgrade).0, 101);
    }
}

#[test]
fn own_page_is_allowed_under_every_address_and_local_name() {
    let program = start_configured("names", "base_url = \"https://meet.example/a\"");
    for (host, origin) in [
        ("192.168.1.7:3000", "http://192.168.1.7:3000"),
        ("[fd00::7]:3000", "http://[fd00::7]:3000"),
        ("localhost:3000", "http://localhost:3000"),
        ("watersmeet:3000", "http://watersmeet:3000"),
        ("printer.local", "http://printer.local:80"),
        ("meet.example:443", "https://meet.example"),
        ("meet.example.", "https://meet.example"),
        ("MEET.example", "https://meet.example:443"),
        ("backend.internal:3000", "https://meet.example"),
    ] {
        let header = format!("Host: {host}\r\nOrigin: {origin}\r\n{UPGRADE}");
        let (status, _) = request_as_written(&program, "GET", "/ws", &header);
        assert_eq!(status, 101, "{host} {origin}");
    }
}

#[test]
fn own_page_is_allowed_behind_a_proxy_that_passes_the_port_of_its_other_side() {
    let program = start_configured("proxy-ports", "trusted_proxies = [\"127.0.0.1\"]");
    for (host, proto, origin, expected) in [
        ("meet.example:80", "https", "https://meet.example", 101),
        ("meet.example:443", "http", "http://meet.example", 101),
        ("meet.example", "https", "https://meet.example", 101),
        ("meet.example:8080", "https", "https://meet.example", 403),
        ("meet.example:80", "https", "https://other.example", 403),
    ] {
        let header = format!(
            "Host: {host}\r\nX-Forwarded-Proto: {proto}\r\nX-Forwarded-For: 192.0.2.1\r\n\
             Origin: {origin}\r\n{UPGRADE}"
        );
        let (status, _) = request_as_written(&program, "GET", "/ws", &header);
        assert_eq!(status, expected, "{host} {origin}");
    }
}

#[test]
fn page_of_another_origin_that_is_refused_is_named_in_the_log_once() {
    let mut program = Program::start_with(&[], |command| {
        command.stderr(Stdio::piped());
    });
    for _ in 0..3 {
        let header = format!(
            "Host: {}\r\nOrigin: http://203.0.113.5:5173\r\n{UPGRADE}",
            program.address
        );
        let (status, _) = request_as_written(&program, "GET", "/ws", &header);
        assert_eq!(status, 403);
    }
    program.terminate();
    let lines = BufReader::new(program.take_stderr()).lines();
    let lines = lines.map_while(Result::ok);
    let lines: Vec<_> = lines
        .filter(|line| line.contains("`cors_origins`"))
        .collect();
    assert!(
        lines.len() == 1 && lines[0].contains("http://203.0.113.5:5173"),
        "{lines:?}"
    );
}

#[test]
fn development_mode_allows_pages_on_private_networks() {
    let program = start_configured("development", "");
    let header = |origin| format!("Origin: {origin}\r\n{UPGRADE}");
    let status = |origin| {
        let header = format!("Host: {}\r\n{}", program.address, header(origin));
        request_as_written(&program, "GET", "/ws", &header).0
    };
    assert_eq!(status("http://192.168.1.5:5173"), 101);
    assert_eq!(status("http://203.0.113.5:5173"), 403);
}

#[test]
fn request_must_name_one_host() {
    let program = start_configured("hosts", "");
    let one = format!("Host: {}\r\n", program.address);
    for header in [
        "",
        "Host:\r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
        "Host: a:b\r\n",
        "Host: ana@localhost\r\n",
        "Host: a, b\r\n",
        &format!("{one}{one}"),
        &format!("{one}Host: localhost\r\n"),
    ] {
        for path in ["/health", "/", "/ws", "/api/ice-servers"] {
            let (status, _) = request_as_written(&program, "GET", path, header);
            assert_eq!(status, 400, "{header} {path}");
        }
    }
    assert_eq!(request_as_written(&program, "GET", "/health", &one).0, 200);
}

/// Asserts that the response may be read by `origin` only.
fn assert_shared_with(header: &str, origin: Option<&str>) {
    assert!(!header.contains("access-control-allow-origin: *"));
    match origin {
        Some(origin) => {
            let line = format!("access-control-allow-origin: {origin}\r\n");
            assert!(header.contains(&line), "{header}");
            assert!(header.contains("access-control-allow-credentials: true"));
        }
        None => assert!(!header.contains("access-control-allow-origin"), "{header}"),
    }
}
