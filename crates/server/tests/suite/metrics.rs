//! Metrics: they can be parsed as Prometheus text, change during a call, and include all that the
//! dashboard queries.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, Instant};

use prometheus_parse::{Scrape, Value};

use crate::ice_checks::IceTarget;
use crate::native_client::Client;
use crate::program::{Program, secret, start_configured};

/// Longest wait for a metric, which is published once a second.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Characters of metric names.
const NAME_CHARACTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789_";

/// Returns the metrics of the program.
pub fn scrape(program: &Program) -> Scrape {
    let (status, header, body) = program.get("/metrics", "");
    assert_eq!(status, 200, "{body}");
    assert!(header.contains("text/plain; version=0.0.4"), "{header}");
    assert!(!body.contains("# EOF") && body.contains("_total counter\n"));
    Scrape::parse(body.lines().map(|line| Ok(line.to_owned()))).unwrap()
}

/// Returns the sum of all samples of this name with these labels.
pub fn sum(scrape: &Scrape, name: &str, labels: &[(&str, &str)]) -> f64 {
    let has = |sample: &&prometheus_parse::Sample| {
        sample.metric == name
            && labels
                .iter()
                .all(|(label, value)| sample.labels.get(label) == Some(value))
    };
    let values = scrape.samples.iter().filter(has).map(|it| match &it.value {
        Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => *value,
        Value::Histogram(buckets) => buckets.iter().map(|it| it.count).fold(0.0, f64::max),
        Value::Summary(_) => panic!("{name} is a summary"),
    });
    values.sum()
}

/// Waits until a metric is at least `minimum`.
fn wait_for(program: &Program, name: &str, labels: &[(&str, &str)], minimum: f64) {
    let start = Instant::now();
    while sum(&scrape(program), name, labels) < minimum {
        assert!(
            start.elapsed() < TIMEOUT,
            "{name} {labels:?} stays below {minimum}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[tokio::test]
async fn metrics_change_during_a_call() {
    let program = Program::start(&["--shards", "2"]);
    let before = scrape(&program);
    assert_eq!(sum(&before, "watersmeet_worker_up", &[]), 2.0);
    assert_eq!(sum(&before, "watersmeet_participants", &[]), 0.0);
    assert!(sum(&before, "process_resident_memory_bytes", &[]) > 1e6);
    let used = sum(&before, "watersmeet_capacity_used_ratio", &[]);
    let files = sum(
        &before,
        "watersmeet_capacity_part_ratio",
        &[("part", "open_files")],
    );
    assert!(files > 0.0 && used >= files, "{used} {files}");

    let mut ana = Client::join(&program, "standup").await;
    ana.produce_audio().await;
    let receive = ana.create_transport("recv").await;
    let target = IceTarget::new(&receive, "udp");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    socket.send_to(&target.check(1), target.address).unwrap();
    socket.recv_from(&mut [0; 1_500]).unwrap();
    ana.request("connectTransport", serde_json::json!({}), "error")
        .await;

    wait_for(&program, "watersmeet_participants", &[], 1.0);
    wait_for(&program, "watersmeet_sessions", &[], 1.0);
    wait_for(&program, "watersmeet_joins_total", &[], 1.0);
    wait_for(&program, "watersmeet_routers", &[], 1.0);
    wait_for(&program, "watersmeet_producers", &[("kind", "audio")], 1.0);
    wait_for(&program, "watersmeet_transports", &[("state", "new")], 1.0);
    wait_for(
        &program,
        "watersmeet_transports",
        &[("state", "connecting")],
        1.0,
    );
    wait_for(
        &program,
        "watersmeet_capacity_part_ratio",
        &[("part", "handshakes")],
        0.001,
    );
    wait_for(
        &program,
        "watersmeet_transport_bytes_total",
        &[("direction", "in")],
        50.0,
    );
    wait_for(
        &program,
        "watersmeet_transport_bytes_total",
        &[("direction", "out")],
        50.0,
    );
    wait_for(
        &program,
        "watersmeet_datagrams_total",
        &[("direction", "out")],
        1.0,
    );
    wait_for(&program, "watersmeet_forward_duration_seconds", &[], 1.0);
    wait_for(
        &program,
        "watersmeet_requests_refused_total",
        &[("code", "bad-request")],
        1.0,
    );
    let route = [("route", "/metrics"), ("status", "200")];
    wait_for(&program, "watersmeet_http_requests_total", &route, 2.0);

    let garbage = [0x16; 50];
    socket.send_to(&garbage, target.address).unwrap();
    wait_for(&program, "watersmeet_packets_discarded_total", &[], 1.0);
}

#[test]
fn openmetrics_is_sent_to_programs_that_ask_for_it() {
    let program = Program::start(&[]);
    let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";
    let (status, header, body) = program.get("/metrics", accept);
    assert_eq!(status, 200, "{body}");
    assert!(header.contains("application/openmetrics-text"), "{header}");
    assert!(body.ends_with("# EOF\n"));
}

/// Loopback is no Ethernet: responses arrive whether or not this user may use packet egress.
#[tokio::test]
async fn datagrams_that_packet_egress_cannot_send_use_udp_and_are_counted() {
    let program = start_configured("egress", "egress = \"packet\"");
    let mut ana = Client::join(&program, "standup").await;
    let target = IceTarget::new(&ana.create_transport("recv").await, "udp");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    for number in 1..4 {
        let check = target.check(number);
        socket.send_to(&check, target.address).unwrap();
        socket.recv_from(&mut [0; 1_500]).unwrap();
    }
    let sent = [("direction", "out")];
    wait_for(&program, "watersmeet_datagrams_total", &sent, 3.0);
    if watersmeet_net::packet_egress::probe().is_ok() {
        let route = [("reason", "route")];
        wait_for(&program, "watersmeet_packet_fallbacks_total", &route, 3.0);
    }
    let frames = sum(&scrape(&program), "watersmeet_packet_frames_total", &[]);
    assert_eq!(frames, 0.0);
}

#[test]
fn metrics_require_the_api_key_through_a_proxy() {
    let key = secret();
    let program = start_configured("metrics-key", &format!("api_key = \"{key}\""));
    let get = |header: &str| program.get("/metrics", header).0;
    assert_eq!(get(""), 200);
    let proxied = "X-Forwarded-For: 198.51.100.7\r\n";
    assert_eq!(get(proxied), 401);
    assert_eq!(
        get(&format!("{proxied}Authorization: Bearer {key}\r\n")),
        200
    );
    assert_eq!(
        get(&format!("{proxied}Authorization: Bearer {key}0\r\n")),
        401
    );
}

#[test]
fn dashboard_queries_only_existing_metrics() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/grafana/watersmeet.json");
    let dashboard = std::fs::read_to_string(path).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let mut queried = BTreeSet::new();
    let panels = dashboard["panels"].as_array().unwrap();
    for target in panels
        .iter()
        .flat_map(|it| it["targets"].as_array().into_iter().flatten())
    {
        let words = target["expr"]
            .as_str()
            .unwrap()
            .split(|it| !NAME_CHARACTERS.contains(it));
        queried
            .extend(words.filter(|it| it.starts_with("watersmeet_") || it.starts_with("process_")));
    }
    assert!(queried.len() > 20, "{queried:?}");
    let program = Program::start(&[]);
    // A request is counted when it completes, so the second scrape includes the first.
    program.get("/metrics", "");
    let (_, _, body) = program.get("/metrics", "");
    let described: BTreeSet<&str> = body
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    for name in queried {
        let family = ["_total", "_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .filter(|family| described.contains(family));
        assert!(
            family.is_some() || described.contains(name),
            "{name} is missing"
        );
    }
}
