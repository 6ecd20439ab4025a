//! `watersmeet doctor`: findings on a machine without problems and on one with problems, with their
//! fixes.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::{Command, Output};

use serde_json::Value;

use crate::program::{command, secret};

/// Runs the doctor for a program on loopback.
fn doctor(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = command();
    command.args(["doctor", "--listen-ip", "127.0.0.1"]);
    command.args(arguments).envs(variables.iter().copied());
    command.output().unwrap()
}

/// Runs the doctor; returns whether the result is healthy, and the findings.
fn findings(arguments: &[&str], variables: &[(&str, &str)]) -> (bool, Vec<Value>) {
    let arguments = [&["--json"], arguments].concat();
    let output = doctor(&arguments, variables);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let healthy = report["healthy"].as_bool().unwrap();
    assert_eq!(output.status.code(), Some(i32::from(!healthy)), "{report}");
    (healthy, report["findings"].as_array().unwrap().clone())
}

/// Runs the doctor and returns the only finding that is wrong.
fn wrong(arguments: &[&str], variables: &[(&str, &str)]) -> Value {
    let (healthy, findings) = findings(arguments, variables);
    assert!(!healthy, "{findings:?}");
    let mut wrong = findings.into_iter().filter(|it| it["outcome"] == "wrong");
    let found = wrong.next().unwrap();
    assert_eq!(wrong.next(), None, "besides {found}");
    assert!(!found["fix"].as_str().unwrap().is_empty(), "{found}");
    found
}

fn text(finding: &Value) -> &str {
    finding["text"].as_str().unwrap()
}

#[test]
fn doctor_reports_no_problem_on_a_healthy_machine() {
    let secret = secret();
    let variables = [("JWT_SECRET", secret.as_str())];
    let output = doctor(&["--port", "0", "--rtc-port", "0"], &variables);
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{words}");
    for about in ["settings", "secret", "port", "media", "reachability"] {
        assert!(words.contains(&format!("✓ {about}")), "{about}: {words}");
    }
    assert!(!words.contains('✗') && !words.contains(&secret), "{words}");
}

#[test]
fn port_in_use_is_named_with_the_command_to_find_its_process() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let found = wrong(&["--dev", "--port", &port, "--rtc-port", "0"], &[]);
    assert_eq!(found["about"], "port");
    assert!(text(&found).contains(&port), "{found}");
    assert!(
        found["fix"].as_str().unwrap().contains(&format!(":{port}")),
        "{found}"
    );

    let holder = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let arguments = ["--dev", "--port", "0", "--shards", "1", "--rtc-port", &port];
    let found = wrong(&arguments, &[]);
    assert_eq!(found["about"], "media");
    assert!(
        text(&found).contains(&format!("UDP port {port}")),
        "{found}"
    );
}

#[test]
fn findings_name_the_settings_that_the_operator_wrote() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let found = wrong(&["--dev", "--rtc-port", "0"], &[("PORT", &port)]);
    assert!(
        found["fix"]
            .as_str()
            .unwrap()
            .contains("another port: PORT"),
        "{found}"
    );
    let media = ["--dev", "--port", "0", "--shards", "1", "--no-udp"];
    let found = wrong(&media, &[("RTC_MIN_PORT", &port)]);
    assert!(
        found["fix"]
            .as_str()
            .unwrap()
            .contains("another port: RTC_MIN_PORT"),
        "{found}"
    );
    let arguments = ["--dev", "--port", "0", "--rtc-port", "0"];
    for value in ["192.0.2.1", "nowhere.invalid"] {
        let found = wrong(&arguments, &[("PUBLIC_IP", value)]);
        assert!(text(&found).contains("set by PUBLIC_IP"), "{found}");
    }
}

#[test]
fn address_that_the_machine_does_not_have_is_one_finding() {
    let mut command = command();
    command.args([
        "doctor",
        "--json",
        "--dev",
        "--port",
        "0",
        "--rtc-port",
        "0",
    ]);
    command.args(["--shards", "8", "--listen-ip", "192.0.2.55"]);
    let output = command.output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let wrong = findings.iter().filter(|it| it["outcome"] == "wrong");
    let wrong: Vec<_> = wrong.collect();
    assert!(
        wrong.len() == 1 && text(wrong[0]).contains("192.0.2.55"),
        "{wrong:?}"
    );
}

#[test]
fn weak_secret_is_reported_and_other_checks_still_run() {
    let sample = [("JWT_SECRET", "your-secret-key-change")];
    let found = wrong(&["--port", "0", "--rtc-port", "0"], &sample);
    assert_eq!(found["about"], "secret");
    assert!(
        found["fix"]
            .as_str()
            .unwrap()
            .contains("openssl rand -hex 32")
    );
    assert!(!found.to_string().contains("your-secret-key"), "{found}");
    let (_, all) = findings(&["--port", "0", "--rtc-port", "0"], &sample);
    assert!(
        all.iter().any(|it| it["about"] == "reachability"),
        "{all:?}"
    );

    let found = wrong(&["--dev"], &[("WATERSMEET_PROT", "1")]);
    assert!(text(&found).contains("did you mean `port`?"), "{found}");
}

#[test]
fn announced_address_without_media_socket_is_reported() {
    let arguments = ["--dev", "--port", "0", "--rtc-port", "0"];
    let (healthy, found) = findings(
        &[&arguments[..], &["--announced-ip", "127.0.0.2"]].concat(),
        &[],
    );
    assert!(!healthy, "{found:?}");
    let (_, found) = findings(&[&arguments[..], &["--announced-ip", "::1"]].concat(), &[]);
    let wrong = found.iter().find(|it| it["outcome"] == "wrong").unwrap();
    assert_eq!(wrong["about"], "reachability");
}

#[test]
fn private_addresses_with_a_public_base_url_are_wrong() {
    let arguments = ["--dev", "--port", "0", "--announced-ip", "192.168.1.7"];
    let found = wrong(&arguments, &[("BASE_URL", "https://meet.example.org")]);
    assert_eq!(found["about"], "announced");
    let (healthy, _) = findings(&arguments, &[("BASE_URL", "https://meet.lan")]);
    assert!(healthy);
}

#[test]
fn loopback_addresses_with_a_public_base_url_are_wrong() {
    let arguments = ["--dev", "--port", "0", "--rtc-port", "0"];
    let found = wrong(&arguments, &[("BASE_URL", "https://meet.example.org")]);
    assert_eq!(found["about"], "announced");
    assert!(text(&found).contains("127.0.0.1"), "{found}");
    let (healthy, _) = findings(&arguments, &[("BASE_URL", "http://localhost:3000")]);
    assert!(healthy);
}

#[test]
fn proxy_on_this_machine_that_is_not_trusted_is_doubtful() {
    let url = ("BASE_URL", "https://meet.example.org");
    let arguments = ["--dev", "--port", "0", "--announced-ip", "198.18.0.1"];
    let is_doubted = |variables: &[(&str, &str)]| {
        let (_, found) = findings(&arguments, variables);
        found
            .iter()
            .any(|it| it["about"] == "proxy" && it["outcome"] == "doubtful")
    };
    assert!(is_doubted(&[url]));
    assert!(!is_doubted(&[url, ("TRUSTED_PROXIES", "127.0.0.1")]));
    assert!(!is_doubted(&[("BASE_URL", "http://localhost:3000")]));
}

#[test]
fn settings_that_work_but_perhaps_not_as_intended_are_doubtful() {
    let arguments = [
        "--dev",
        "--port",
        "0",
        "--rtc-port",
        "10000",
        "--announced-ip",
        "198.18.0.1",
    ];
    for (variables, word) in [
        (&[("TRUSTED_PROXIES", "0.0.0.0/0")][..], "`trusted_proxies`"),
        (&[("TRUSTED_PROXIES", "10.0.0.1,::/0")], "`trusted_proxies`"),
        (&[("BASE_URL", "https://meet.lan")], "no listener uses TLS"),
        (&[("BASE_URL", "http://meet.example.org")], "no cameras"),
        (&[("WATERSMEET_CODECS", "vp8,h264")], "no audio codec"),
    ] {
        let (_, found) = findings(&arguments, variables);
        let mut doubtful = found.iter().filter(|it| it["outcome"] == "doubtful");
        assert!(
            doubtful.any(|it| text(it).contains(word)),
            "{word}: {found:?}"
        );
    }
    let fine = [
        ("BASE_URL", "https://meet.lan"),
        ("TRUSTED_PROXIES", "10.0.0.0/8"),
    ];
    let (_, found) = findings(&arguments, &fine);
    let about =
        |it: &&Value| ["proxy", "base_url", "codecs"].contains(&it["about"].as_str().unwrap());
    assert!(!found.iter().any(|it| about(&it)), "{found:?}");
}

#[test]
fn addresses_of_examples_are_wrong() {
    for ip in ["203.0.113.7", "::ffff:192.0.2.1"] {
        let arguments = ["--dev", "--port", "0", "--announced-ip", ip];
        let found = wrong(&arguments, &[]);
        assert!(text(&found).contains("examples"), "{found}");
    }
}

#[test]
fn turn_server_that_does_not_respond_is_reported() {
    // A socket that does not respond, and a port that is closed.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let urls = [
        format!("turn:{}", silent.local_addr().unwrap()),
        format!("turn:{closed}?transport=tcp"),
    ];
    for url in urls {
        let variables = [("TURN_URLS", url.as_str()), ("TURN_SECRET", "coturn's")];
        let found = wrong(&["--dev", "--port", "0", "--rtc-port", "0"], &variables);
        assert_eq!(found["about"], "turn");
        assert!(text(&found).contains(&url), "{found}");
    }
}

#[test]
fn turn_server_is_checked_with_the_credentials_of_browsers() {
    let (address, relay) = relay(true);
    let url = format!("turn:{address}");
    let variables = [("TURN_URLS", url.as_str()), ("TURN_SECRET", "coturn's")];
    let (healthy, all) = findings(&["--dev", "--port", "0", "--rtc-port", "0"], &variables);
    assert!(healthy, "{all:?}");
    let fine = |it: &&Value| it["about"] == "turn" && it["outcome"] == "fine";
    assert!(all.iter().any(|it| fine(&it)), "{all:?}");
    let asked = relay.join().unwrap();
    let has = |part: &[u8]| asked.windows(part.len()).any(|it| it == part);
    assert!(has(b":doctor") && has(b"here") && has(b"once"), "{asked:?}");

    let (address, relay) = self::relay(false);
    let url = format!("turn:{address}");
    let variables = [("TURN_URLS", url.as_str()), ("TURN_SECRET", "another")];
    let found = wrong(&["--dev", "--port", "0", "--rtc-port", "0"], &variables);
    assert!(text(&found).contains("credentials"), "{found}");
    relay.join().unwrap();
}

/// Starts a TURN server that requires credentials and then accepts all or none of them. It ends after
/// the second request.
fn relay(takes: bool) -> (SocketAddr, std::thread::JoinHandle<Vec<u8>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let mut request = [0; 1_500];
        let challenge: &[u8] = b"\x00\x09\x00\x04\x00\x00\x04\x01\
            \x00\x14\x00\x04here\x00\x15\x00\x04once";
        let mut answer = |kind: u16, body: &[u8]| {
            let (len, from) = socket.recv_from(&mut request).unwrap();
            let mut answer = kind.to_be_bytes().to_vec();
            answer.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
            answer.extend(&request[4..20]);
            answer.extend(body);
            socket.send_to(&answer, from).unwrap();
            request[..len].to_vec()
        };
        answer(0x0113, challenge);
        match takes {
            true => answer(0x0103, &[]),
            false => answer(0x0113, challenge),
        }
    });
    (address, thread)
}

#[test]
fn low_limit_of_open_files_is_reported() {
    let script = "ulimit -n 300; exec \"$0\" \"$@\"";
    let program = command().get_program().to_owned();
    let output = Command::new("/bin/sh")
        .env_clear()
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .args(["-c", script])
        .arg(program)
        .args(["doctor", "--dev", "--port", "0", "--rtc-port", "0"])
        .output()
        .unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(
        words.contains("✗ open files") && words.contains("LimitNOFILE="),
        "{words}"
    );
}

/// A wrong configuration: flags, variables, and what the only wrong finding is about and says.
type Mistake<'a> = (
    &'a [&'a str],
    &'a [(&'a str, &'a str)],
    &'a str,
    &'a [&'a str],
);

#[test]
fn doctor_names_each_of_many_wrong_configurations() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("doctor");
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let made = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
    let cert = write("cert.pem", &made.cert.pem());
    let key = write("key.pem", &made.signing_key.serialize_pem());
    let locked = write(
        "locked.pem",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n",
    );
    let expired = {
        let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        write(
            "expired.pem",
            &params.self_signed(&made.signing_key).unwrap().pem(),
        )
    };
    let typo = write("typo.toml", "[limits]\nconection_burst = 1");
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().port().to_string();
    let mistakes: [Mistake<'_>; 22] = [
        (
            &["--announced-ip", "0.0.0.0"],
            &[],
            "announced",
            &["0.0.0.0"],
        ),
        (
            &[],
            &[("PUBLIC_IP", "fd00::1")],
            "reachability",
            &["fd00::1", "family"],
        ),
        (
            &["--announced-ip", "nowhere.invalid"],
            &[],
            "announced",
            &["nowhere.invalid"],
        ),
        (
            &[],
            &[("ANNOUNCED_IP", "192.0.2.300")],
            "settings",
            &["ANNOUNCED_IP", "192.0.2.300"],
        ),
        (&["--log", "loud"], &[], "settings", &["--log", "`loud`"]),
        (
            &[
                "--rtc-port",
                "40000",
                "--rtc-port-max",
                "40001",
                "--shards",
                "8",
            ],
            &[],
            "settings",
            &["`rtc_port_max`", "8 shards"],
        ),
        (
            &[],
            &[("CORS_ORIGIN", "*")],
            "settings",
            &["CORS_ORIGIN", "`*`"],
        ),
        (
            &[],
            &[("CORS_ORIGINS", "https://*.org")],
            "settings",
            &["CORS_ORIGINS", "https://*.org"],
        ),
        (
            &[],
            &[("BASE_URL", "meet.example")],
            "settings",
            &["BASE_URL"],
        ),
        (
            &[],
            &[("WATERSMEET_PROT", "1")],
            "settings",
            &["did you mean `port`?"],
        ),
        (
            &["--config", &typo],
            &[],
            "settings",
            &["typo.toml", "`connections_burst`"],
        ),
        (
            &["--tls-cert", &key, "--tls-key", &cert],
            &[],
            "certificate",
            &["swapped", &key],
        ),
        (
            &["--tls-cert", &cert, "--tls-key", &locked],
            &[],
            "certificate",
            &["encrypted", &locked],
        ),
        (
            &["--tls-cert", &expired, "--tls-key", &key],
            &[],
            "certificate",
            &["expired", "`tls_cert`", &expired],
        ),
        (
            &["--tls-cert", &cert, "--tls-key", &key],
            &[("BASE_URL", "https://meet.lan")],
            "certificate",
            &["not for meet.lan", &cert],
        ),
        (&["--tls-cert", &cert], &[], "settings", &["`tls_key`"]),
        (&["--port", &taken], &[], "port", &[&taken]),
        (
            &["--port", "41234", "--rtc-port", "41234"],
            &[],
            "settings",
            &["set by --port", "set by --rtc-port", "41234"],
        ),
        (
            &["--rtc-port", "41234", "--shards", "2"],
            &[("PORT", "41235")],
            "settings",
            &["set by PORT", "set by --rtc-port", "41235"],
        ),
        (
            &["--no-udp", "--no-tcp"],
            &[],
            "settings",
            &["`udp` is set by --no-udp"],
        ),
        (
            &[],
            &[("TURN_URLS", "turn:a.example")],
            "settings",
            &["`turn_secret`"],
        ),
        (
            &["--site", "/none"],
            &[],
            "settings",
            &["set by --site", "/none"],
        ),
    ];
    for (flags, variables, about, words) in mistakes {
        let mut arguments = vec!["--dev"];
        for flag in ["--port", "--rtc-port"] {
            let is_set = flags.contains(&flag)
                || flag == "--port" && variables.iter().any(|it| it.0 == "PORT");
            if !is_set {
                arguments.extend([flag, "0"]);
            }
        }
        arguments.extend(flags);
        let found = wrong(&arguments, variables);
        assert_eq!(found["about"], about, "{found}");
        for word in words {
            assert!(text(&found).contains(word), "{word}: {found}");
        }
    }
}
