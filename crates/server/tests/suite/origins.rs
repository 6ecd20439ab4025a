//! Whose pages may speak with the program from a browser, over WebSockets and by polling (quality
//! bar B21): the same answer on each way in.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::program::{Program, configured, split};

/// What the program is called in these requests.
const HOST: &str = "meet.example:3000";

/// A page elsewhere that the configuration lists.
const CONFIGURATION: &str = "cors_origins = [\"https://partner.example\"]";

const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Header lines of pages that may not.
const STRANGERS: [&str; 24] = [
    "Origin: null",
    "Origin: http://meet.example:3000.evil.example",
    "Origin: http://evil-meet.example:3000",
    "Origin: http://evil.example/meet.example:3000",
    "Origin: http://meet.example",
    "Origin: http://meet.example:3001",
    "Origin: http://a.meet.example:3000",
    "Origin: http://meet.example.:3000",
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

/// Header lines of pages and programs that may, with the origin that is to be echoed.
const FRIENDS: [(&str, Option<&str>); 6] = [
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
];

/// Sends a request and reads the header of the answer: status and header.
fn ask(program: &Program, method: &str, path: &str, header: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(program.address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{header}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.extend(byte);
    }
    let (status, header, _) = split(&answer);
    (status, header)
}

#[test]
fn no_page_of_a_stranger_gets_in_by_any_way() {
    let program = configured("strangers", CONFIGURATION);
    for stranger in STRANGERS {
        let upgrade = format!("{UPGRADE}{stranger}\r\n");
        for path in ["/", "/ws", "/socket.io/?EIO=4&transport=websocket"] {
            let (status, header) = ask(&program, "GET", path, &upgrade);
            assert_eq!(status, 403, "{stranger} {path}");
            assert!(!header.contains("access-control"), "{header}");
        }
        let poll = format!("{stranger}\r\n");
        let path = "/socket.io/?EIO=4&transport=polling";
        let (status, header) = ask(&program, "GET", path, &poll);
        assert_eq!(status, 403, "{stranger}");
        assert!(!header.contains("access-control"), "{header}");
        let preflight = format!("{poll}Access-Control-Request-Method: POST\r\n");
        let (status, header) = ask(&program, "OPTIONS", path, &preflight);
        assert_eq!(status, 403, "{stranger}");
        assert!(!header.contains("access-control"), "{header}");
    }
    assert_eq!(program.health()["sessions"], 0);
}

#[test]
fn our_page_those_that_are_listed_and_programs_get_in() {
    let program = configured("friends", CONFIGURATION);
    for (friend, origin) in FRIENDS {
        let upgrade = format!("{UPGRADE}{friend}\r\n");
        for path in ["/", "/ws", "/socket.io/?EIO=4&transport=websocket"] {
            assert_eq!(ask(&program, "GET", path, &upgrade).0, 101, "{friend}");
        }
        let path = "/socket.io/?EIO=4&transport=polling";
        let poll = format!("{friend}\r\n");
        let (status, header) = ask(&program, "GET", path, &poll);
        assert_eq!(status, 200, "{friend}");
        assert!(header.contains("vary: origin"), "{header}");
        shared(&header, origin);
        let preflight = format!(
            "{poll}Access-Control-Request-Method: POST\r\n\
            Access-Control-Request-Headers: content-type\r\n"
        );
        let (status, header) = ask(&program, "OPTIONS", path, &preflight);
        assert_eq!(status, 204, "{friend}");
        assert!(header.contains("access-control-allow-methods: get, post"));
        assert!(header.contains("access-control-allow-headers: content-type"));
        shared(&header, origin);
    }
}

/// Whether the page may read the answer, with what it is known by; never any page.
fn shared(header: &str, origin: Option<&str>) {
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
