//! Web page, security headers, startup errors and shutdown.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::native_client::Client;
use crate::program::{Program, command, secret, split_response, start_configured, wait};

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
    // Where a person looks at it, the page says so.
    let html = "Accept: text/html,application/xhtml+xml\r\n";
    let (status, header, body) = program.get("/nothing", html);
    assert_eq!((status, body), (404, page.2));
    assert!(header.contains("content-type: text/html"), "{header}");
}

/// Length from which on the build compresses a file: a smaller one fits a packet as it is.
const COMPRESSED_LEN_MIN: usize = 1_024;

/// Returns the paths of the scripts and style sheets of a page, relative to its folder.
fn links(page: &str) -> Vec<String> {
    let after = page.split("=\"").skip(1);
    let values = after.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()));
    values
        .filter(|it| it.ends_with(".js") || it.ends_with(".css"))
        .collect()
}

#[test]
fn scripts_and_styles_are_compressed_for_clients_that_accept_it() {
    let program = Program::start(&[]);
    let (_, _, page) = program.get("/", "");
    for link in links(&page) {
        let path = link.as_str();
        let (status, header, plain) = program.get(path, "");
        assert_eq!(status, 200, "{path}");
        assert!(!header.contains("content-encoding"), "{header}");
        if plain.len() < COMPRESSED_LEN_MIN {
            continue;
        }
        for (accept, encoding) in [("gzip, deflate, br, zstd", "br"), ("gzip", "gzip")] {
            let (status, header, body) =
                program.get(path, &format!("Accept-Encoding: {accept}\r\n"));
            assert_eq!(status, 200, "{path}");
            assert!(
                header.contains(&format!("content-encoding: {encoding}\r\n")),
                "{header}"
            );
            assert!(header.contains("vary: accept-encoding"), "{header}");
            assert!(
                header.contains("text/javascript") || header.contains("text/css"),
                "{header}"
            );
            assert!(body.len() < plain.len(), "{path}");
        }
    }
}

#[test]
fn description_of_the_rest_interface_is_compressed_for_clients_that_accept_it() {
    let program = Program::start(&[]);
    let (_, header, plain) = program.get("/api/openapi.json", "");
    assert!(!header.contains("content-encoding"), "{header}");
    for accept in ["gzip", "*"] {
        let accept = format!("Accept-Encoding: {accept}\r\n");
        let (_, header, packed) = program.get("/api/openapi.json", &accept);
        assert!(header.contains("content-encoding: gzip"), "{header}");
        assert!(packed.len() * 3 < plain.len());
    }
}

#[test]
fn every_path_works_below_that_of_the_base_url() {
    let program = start_configured("below", "base_url = \"https://example.org/a/meet\"");
    for path in [
        "/",
        "/health",
        "/room/x",
        "/ws",
        "/nothing",
        "/api/",
        "/socket.io/?EIO=4&transport=polling",
    ] {
        let plain = program.get(path, "").0;
        assert_eq!(
            program.get(&format!("/a/meet{path}"), "").0,
            plain,
            "{path}"
        );
    }
    for path in ["/", "/room/x", "/a/meet/", "/a/meet/room/x", "/a/meet/api/"] {
        for link in links(&program.get(path, "").2) {
            assert!(link.starts_with("/a/meet/"), "{link}");
            assert_eq!(program.get(&link, "").0, 200, "{link}");
        }
    }
    let (status, header, _) = program.get("/a/meet?room=x", "");
    assert_eq!(status, 308);
    assert!(header.contains("location: /a/meet/?room=x\r\n"), "{header}");
    let (_, header, _) = program.get("/a/meet/api", "");
    assert!(header.contains("location: /a/meet/api/\r\n"), "{header}");
}

#[test]
fn configuration_and_keys_are_never_served_with_the_site() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("site-with-links");
    let _ = std::fs::remove_dir_all(&folder);
    let site = folder.join("site");
    std::fs::create_dir_all(site.join("a")).unwrap();
    std::fs::write(site.join("index.html"), "page").unwrap();
    std::fs::write(site.join("other.toml"), "public").unwrap();
    let (config, key) = (folder.join("prod.toml"), folder.join("jwt.key"));
    std::fs::write(&key, secret()).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&config, format!("jwt_secret_file = {key:?}\n")).unwrap();
    std::os::unix::fs::symlink(&config, site.join("settings.txt")).unwrap();
    std::os::unix::fs::symlink(&key, site.join("a/b c")).unwrap();
    let (config, site) = (config.to_str().unwrap(), site.to_str().unwrap());
    let program = Program::start(&["--config", config, "--site", site]);
    for path in [
        "/settings.txt",
        "/a/../settings.txt",
        "/%73ettings.txt",
        "/a/b%20c",
    ] {
        let (status, _, body) = program.get(path, "");
        assert_eq!((status, body.as_str()), (404, "Not found\n"), "{path}");
    }
    assert_eq!(program.get("/other.toml", "").2, "public");
}

#[test]
fn folder_is_served_as_the_site_without_its_hidden_files() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("old-client");
    std::fs::create_dir_all(folder.join("js")).unwrap();
    std::fs::create_dir_all(folder.join(".git")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("index.html", "<script>old()</script>");
    write("js/app.js", "old");
    write("js/app.js.gz", "packed");
    write(".env", "JWT_SECRET=x");
    write(".git/config", "x");
    let program = Program::start(&["--site", folder.to_str().unwrap()]);
    for path in ["/", "/index.html", "/room/standup", "/sfu/standup/"] {
        let (status, header, body) = program.get(path, "");
        assert_eq!(
            (status, body.as_str()),
            (200, "<script>old()</script>"),
            "{path}"
        );
        assert!(
            header.contains("text/html") && !header.contains("content-security"),
            "{header}"
        );
    }
    assert_eq!(program.get("/js/app.js", "").2, "old");
    let (_, header, body) = program.get("/js/app.js", "Accept-Encoding: gzip\r\n");
    assert!(
        header.contains("content-encoding: gzip") && body == "packed",
        "{header}"
    );
    let (_, header, _) = program.get("/js/app.js", "Accept-Encoding: *\r\n");
    assert!(header.contains("content-encoding: gzip"), "{header}");
    let (_, header, body) = program.get("/js/app.js", "Accept-Encoding: *;q=0\r\n");
    assert!(
        !header.contains("content-encoding") && body == "old",
        "{header}"
    );
    for path in [
        "/.env",
        "/%2eenv",
        "/js/..%2f.env",
        "/js/../.env",
        "/.git/config",
        "/js/none.js",
        "/../Cargo.toml",
    ] {
        assert_eq!(program.get(path, "").0, 404, "{path}");
    }
    for path in [
        "/health",
        "/api/ice-servers",
        "/socket.io/?EIO=4&transport=polling",
    ] {
        assert_eq!(program.get(path, "").0, 200, "{path}");
    }
    assert!(
        program
            .get("/health", "")
            .1
            .contains("content-security-policy")
    );
}

#[test]
fn every_response_has_the_security_headers() {
    let program = Program::start(&[]);
    for path in ["/", "/health", "/nothing"] {
        let (_, header, _) = program.get(path, "");
        for line in [
            "content-security-policy: default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'",
            "connect-src 'self';",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "permissions-policy: camera=(self)",
        ] {
            assert!(header.contains(line), "{path}: {line}\n{header}");
        }
        assert!(!header.contains("unsafe-inline"), "{path}: {header}");
        assert!(!header.contains("strict-transport"), "{path}: {header}");
    }
}

#[test]
fn only_configured_origins_may_embed_the_page() {
    let (_, header, _) = Program::start(&[]).get("/", "");
    assert!(header.contains("x-frame-options: deny"), "{header}");
    let site = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("embedded-site");
    std::fs::create_dir_all(&site).unwrap();
    std::fs::write(site.join("index.html"), "<script>old()</script>").unwrap();
    // Pages of a site folder have no policy but this one.
    for (arguments, has_page_policy) in [
        (vec![], true),
        (vec!["--site", site.to_str().unwrap()], false),
    ] {
        let program = Program::start_with(&arguments, |command| {
            let origins = "https://App.example.org:443/,https://*.partner.example:8443";
            command.env("WATERSMEET_EMBED_ORIGINS", origins);
        });
        let (_, header, _) = program.get("/", "");
        let rule = "frame-ancestors https://app.example.org https://*.partner.example:8443\r\n";
        assert!(header.contains(rule), "{header}");
        assert!(!header.contains("x-frame-options"), "{header}");
        assert_eq!(header.contains("default-src 'none'"), has_page_policy);
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
        ("WATERSMEET_LOG", "loud", "no level `loud`"),
        ("ANNOUNCED_IP", "0.0.0.0", "ANNOUNCED_IP"),
        ("CORS_ORIGIN", "https://*", "CORS_ORIGIN"),
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

#[test]
fn port_in_use_is_reported_with_the_setting_that_chooses_another() {
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let page = tcp.local_addr().unwrap().port().to_string();
    let media = udp.local_addr().unwrap().port().to_string();
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("port-in-use.toml");
    let settings = format!("[[listeners]]\nport = 0\n[[listeners]]\nport = {page}\n");
    std::fs::write(&path, settings).unwrap();
    let file = path.to_str().unwrap();
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 5] = [
        (&["--port", &page, "--rtc-port", "0"], &[], "--port"),
        (&["--port", "0", "--rtc-port", &media], &[], "--rtc-port"),
        (&["--rtc-port", "0"], &[("PORT", &page)], "with PORT"),
        (
            &["--port", "0"],
            &[("MEDIASOUP_MIN_PORT", &media)],
            "with MEDIASOUP_MIN_PORT",
        ),
        (
            &["--config", file, "--rtc-port", "0"],
            &[],
            "`port` of listener 2",
        ),
    ];
    for (arguments, variables, setting) in cases {
        let output = command()
            .args(["--dev", "--listen-ip", "127.0.0.1", "--shards", "1"])
            .args(arguments)
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(
            words.contains("another process uses this port") && words.contains(setting),
            "{setting}: {words}"
        );
    }
}

/// A full table of open files: connections are accepted again when there is room, and one line is
/// logged.
#[cfg(target_os = "linux")]
#[test]
fn full_table_of_open_files_is_logged_once() {
    use std::io::Read as _;
    use std::net::TcpStream;

    let mut program = Program::start_with(&["--shards", "1"], |command| {
        command.stderr(Stdio::piped());
    });
    let limit = program.open_files() + 4;
    program.set_open_files_limit(limit);
    let connections: Vec<_> = (0..20)
        .map(|_| TcpStream::connect(program.address).unwrap())
        .collect();
    // The server retries every 100 ms.
    let deadline = Instant::now() + Duration::from_secs(10);
    while program.open_files() < limit {
        assert!(Instant::now() < deadline, "the table does not fill");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(1));
    drop(connections);
    assert_eq!(program.health()["status"], "OK");
    let mut log = String::new();
    let mut stderr = program.take_stderr();
    program.terminate();
    program.wait();
    stderr.read_to_string(&mut log).unwrap();
    assert_eq!(log.matches("cannot be accepted").count(), 1, "{log}");
    assert!(log.contains("LimitNOFILE"), "{log}");
}
