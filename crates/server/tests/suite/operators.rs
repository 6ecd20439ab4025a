//! The operators' page and its interface on a listener of their own: who may use them, what they show, and what
//! they change.

use std::io::Read;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::{Response, send_to};
use crate::native_client::Client;
use crate::program::{Program, command, secret, wait};

/// Longest time in which a change must show.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A program with an operators' page.
struct OperatedProgram {
    program: Program,
    /// Address of the operators' page.
    operators: SocketAddr,
    /// Their key.
    key: String,
}

impl OperatedProgram {
    fn start(settings: &str) -> Self {
        let key = secret();
        let port = free_port();
        let name = format!("operators-{port}");
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.toml"));
        let settings = format!("api_key = \"{key}\"\noperators_port = {port}\n{settings}");
        std::fs::write(&path, settings).unwrap();
        let program = Program::start(&["--config", path.to_str().unwrap()]);
        Self {
            program,
            operators: SocketAddr::from(([127, 0, 0, 1], port)),
            key,
        }
    }

    /// Sends a request with the key and further header lines.
    fn ask_with(&self, method: &str, path: &str, header: &str, body: &str) -> Response {
        let header = format!("Authorization: Bearer {}\r\n{header}", self.key);
        send_to(self.operators, method, path, &header, body)
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Response {
        self.ask_with(method, &format!("/api/operators{path}"), "", body)
    }

    fn json(&self, path: &str) -> Value {
        let response = self.ask("GET", path, "");
        assert_eq!(response.status, 200, "{path}: {}", response.body);
        serde_json::from_str(&response.body).unwrap()
    }
}

fn free_port() -> u16 {
    let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    probe.local_addr().unwrap().port()
}

/// Every operation of the description: method and path, with parameters filled in.
fn operations(program: &OperatedProgram) -> Vec<(String, String)> {
    let description = program.json("/openapi.json");
    let paths = description["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, methods)| {
        let path = path.replace("{room}", "room").replace("{peer}", "peer");
        let methods = methods.as_object().unwrap().keys();
        methods.map(move |method| (method.to_uppercase(), path.clone()))
    });
    let operations: Vec<_> = operations.collect();
    assert!(operations.len() >= 10, "{operations:?}");
    operations
}

#[test]
fn every_operation_needs_the_key_in_the_header_and_none_is_on_the_public_port() {
    let program = OperatedProgram::start("[limits]\nauth_failures_per_minute = 10000\n");
    let wrong = format!("Authorization: Bearer {}\r\n", secret());
    for (method, path) in operations(&program) {
        let status = |header: &str| send_to(program.operators, &method, &path, header, "").status;
        assert_eq!(status(""), 401, "{method} {path}");
        assert_eq!(status(&wrong), 401, "{method} {path}");
        let in_address = format!("{path}?token={}", program.key);
        let refused = send_to(program.operators, &method, &in_address, "", "");
        assert_eq!(refused.status, 400, "{method} {path}");
        let public = format!("Authorization: Bearer {}\r\n", program.key);
        let public = send_to(program.program.address, &method, &path, &public, "");
        assert_eq!(public.status, 404, "{method} {path}");
    }
    let unknown = send_to(program.operators, "GET", "/api/operators/x", "", "");
    assert_eq!(unknown.status, 401);
    assert_eq!(program.ask("GET", "/x", "").status, 404);
    assert_eq!(program.ask("POST", "/status", "").status, 405);
}

#[test]
fn attempts_with_wrong_keys_are_limited() {
    let program =
        OperatedProgram::start("[limits]\nauth_failures_per_minute = 3\nloopback = true\n");
    let status = |key: &str| {
        let header = format!("Authorization: Bearer {key}\r\n");
        send_to(
            program.operators,
            "GET",
            "/api/operators/status",
            &header,
            "",
        )
        .status
    };
    let wrong = secret();
    let attempts: Vec<_> = (0..5).map(|_| status(&wrong)).collect();
    assert_eq!(attempts[..3], [401, 401, 401]);
    assert_eq!(attempts[4], 429);
    assert_eq!(status(&program.key), 429, "nor is the right one tried");
}

#[test]
fn pages_of_other_origins_are_refused_even_where_they_may_use_the_server() {
    let program = OperatedProgram::start("cors_origins = [\"https://app.example.org\"]\n");
    let own = format!("Origin: http://{}\r\n", program.operators);
    let status = |header: &str| {
        program
            .ask_with("GET", "/api/operators/status", header, "")
            .status
    };
    assert_eq!(status(&own), 200);
    assert_eq!(status("Sec-Fetch-Site: same-origin\r\n"), 200);
    let public = format!("Origin: http://{}\r\n", program.program.address);
    for foreign in [
        "Origin: https://app.example.org\r\n",
        "Origin: http://127.0.0.1:5173\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        &public,
    ] {
        assert_eq!(status(foreign), 403, "{foreign}");
    }
    let preflight = "Origin: https://app.example.org\r\nAccess-Control-Request-Method: DELETE\r\n";
    let refused = send_to(
        program.operators,
        "OPTIONS",
        "/api/operators/drain",
        preflight,
        "",
    );
    assert_eq!(refused.status, 403);
    assert!(!refused.header.contains("access-control-allow"));
}

#[test]
fn page_is_on_its_listener_alone_and_in_no_frame() {
    let program =
        OperatedProgram::start("embed_origins = [\"https://app.example.org\"]\n[limits]\n");
    let page = send_to(program.operators, "GET", "/", "", "");
    let policy = "frame-ancestors 'none'";
    assert!(page.header.contains(policy), "{}", page.header);
    assert_eq!(page.status, 200, "the web client is built");
    assert!(page.body.contains("Watersmeet operators"));
    let (_, rest) = page.body.split_once("src=\"./").unwrap();
    let script = rest.split('"').next().unwrap();
    let loaded = send_to(program.operators, "GET", &format!("/{script}"), "", "");
    assert_eq!(loaded.status, 200);
    assert!(loaded.header.contains("immutable"), "{}", loaded.header);
    let public = program.program.address;
    for path in [
        "/operators".to_owned(),
        "/operators/".to_owned(),
        "/operators/index.html".to_owned(),
        format!("/operators/{script}"),
        "/%6fperators/index.html".to_owned(),
    ] {
        let found = send_to(public, "GET", &path, "", "");
        assert_eq!(found.status, 404, "{path}");
        assert!(!found.body.contains("operators"), "{path}");
    }
    for path in ["/ws", "/room/tea", "/api/rooms", "/stats", "/metrics"] {
        let found = send_to(program.operators, "GET", path, "", "");
        assert_eq!(found.status, 404, "{path}");
    }
}

#[tokio::test]
async fn rooms_and_their_people_are_shown_and_sent_away() {
    let program = OperatedProgram::start("");
    let ana = Client::join(&program.program, "tea / four").await;
    let mut ben = Client::join(&program.program, "tea / four").await;
    let rooms = program.json("/rooms");
    assert_eq!(rooms["rooms"][0]["roomId"], "tea / four");
    assert_eq!(rooms["rooms"][0]["participantCount"], 2);
    assert_eq!(rooms["rooms"][0]["dialects"], json!(["native"]));
    let path = "/rooms/tea%20%2F%20four";
    let room = program.json(path);
    assert_eq!(room["room"]["policy"], "open");
    let people = room["participants"].as_array().unwrap();
    assert_eq!(people.len(), 2);
    assert_eq!(people[0]["id"], ana.peer);
    assert_eq!(people[0]["quality"], "unknown");
    let ben_path = format!("{path}/participants/{}", ben.peer);
    assert_eq!(program.ask("DELETE", &ben_path, "").status, 204);
    assert_eq!(program.ask("DELETE", &ben_path, "").status, 404);
    // Clients that send no ids are told of it as an error.
    ben.expect("error").await;
    assert_eq!(program.json(path)["room"]["participantCount"], 1);
    assert_eq!(program.ask("DELETE", path, "").status, 204);
    assert_eq!(program.ask("GET", path, "").status, 404);
}

#[test]
fn history_of_calls_is_on_the_operators_listener_behind_the_key() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("operators-history-{}.sqlite", free_port()));
    let settings = format!("history = true\nhistory_file = \"{}\"", file.display());
    let program = OperatedProgram::start(&settings);
    let ask = || program.ask_with("GET", "/api/history", "", "");
    // The file is created after the start.
    let started = Instant::now();
    while ask().status != 200 {
        assert!(started.elapsed() < TIMEOUT, "{}", ask().body);
        std::thread::sleep(Duration::from_millis(20));
    }
    let shown: Value = serde_json::from_str(&ask().body).unwrap();
    assert_eq!(shown["calls"], json!([]));
    let unknown = program.ask_with("GET", "/api/history/nothing", "", "");
    assert_eq!(unknown.status, 404, "{}", unknown.body);
    let without_key = send_to(program.operators, "GET", "/api/history", "", "");
    assert_eq!(without_key.status, 401, "{}", without_key.body);
    let foreign = program.ask_with("GET", "/api/history", "Sec-Fetch-Site: cross-site\r\n", "");
    assert_eq!(foreign.status, 403, "{}", foreign.body);
}

#[tokio::test]
async fn figures_of_media_are_read_from_the_media_threads() {
    let program = OperatedProgram::start("");
    let mut ana = Client::join(&program.program, "tea").await;
    ana.produce_audio().await;
    let room = program.json("/rooms/tea");
    let person = &room["participants"][0];
    assert_eq!(person["sends"][0]["kind"], "audio");
    // No media flows: the transport exists and is not connected.
    assert_eq!(person["problems"], json!(["not-connected"]), "{person}");
    assert_eq!(person["quality"], "poor");
    let status = program.json("/status");
    assert_eq!(status["phase"], "running");
    assert_eq!(status["participants"], 1);
    let threads = status["mediaThreads"].as_array().unwrap();
    assert!(!threads.is_empty());
    assert_eq!(
        (&threads[0]["index"], &threads[0]["isHung"]),
        (&json!(0), &json!(false))
    );
    let limits = status["limits"].as_array().unwrap();
    let rooms = limits.iter().find(|it| it["name"] == "rooms").unwrap();
    assert_eq!((&rooms["used"], &rooms["max"]), (&json!(1), &json!(10_000)));
    assert_eq!(status["turn"], Value::Null);
}

#[tokio::test]
async fn draining_refuses_new_rooms_tells_load_balancers_and_is_undone() {
    let program = OperatedProgram::start("");
    let _ana = Client::join(&program.program, "tea").await;
    assert_eq!(program.program.get("/readyz", "").0, 200);
    assert_eq!(program.ask("PUT", "/drain", "").status, 204);
    let (status, _, body) = program.program.get("/readyz", "");
    assert_eq!((status, &*body), (503, "draining\n"));
    assert_eq!(program.program.get("/livez", "").0, 200);
    assert_eq!(program.json("/status")["phase"], "draining");
    let room = json!({ "hostName": "Alice" }).to_string();
    let (created, _, _) = program.program.post("/api/rooms", &room);
    assert_eq!(created, 503);
    let _ben = Client::join(&program.program, "tea").await;
    assert_eq!(program.ask("DELETE", "/drain", "").status, 204);
    assert_eq!(program.program.get("/readyz", "").0, 200);
    assert_eq!(program.program.post("/api/rooms", &room).0, 200);
}

#[test]
fn filter_of_the_log_is_changed_and_reset() {
    let program = OperatedProgram::start("");
    let before = program.json("/log");
    assert_eq!(
        (&before["filter"], &before["configured"]),
        (&json!("warn"), &json!("warn"))
    );
    let set = |filter: &str| {
        let body = json!({ "filter": filter }).to_string();
        program
            .ask_with(
                "PUT",
                "/api/operators/log/filter",
                "Content-Type: application/json\r\n",
                &body,
            )
            .status
    };
    assert_eq!(set("info,watersmeet_engine=debug"), 204);
    assert_eq!(
        program.json("/log")["filter"],
        "info,watersmeet_engine=debug"
    );
    for wrong in ["", "loud", "watersmeet_motor=debug"] {
        assert_eq!(set(wrong), 400, "{wrong}");
    }
    assert_eq!(program.ask("DELETE", "/log/filter", "").status, 204);
    assert_eq!(program.json("/log")["filter"], "warn");
}

#[test]
fn latest_warnings_are_shown() {
    let program = OperatedProgram::start("");
    let foreign = "Origin: https://foreign.example\r\n";
    let public = program.program.address;
    assert_eq!(
        send_to(public, "GET", "/api/rooms/x", foreign, "").status,
        403
    );
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let log = program.json("/log");
        let lines = log["lines"].as_array().unwrap();
        let is_refusal = |it: &Value| it["text"].as_str().unwrap().contains("foreign.example");
        if let Some(line) = lines.iter().find(|it| is_refusal(it)) {
            assert_eq!(line["level"], "warning");
            return;
        }
        assert!(Instant::now() < deadline, "{log}");
    }
}

#[test]
fn configuration_without_a_key_is_refused() {
    let mut child = command()
        .args(["--operators-port", "0", "--port", "0", "--rtc-port", "0"])
        .env("JWT_SECRET", secret())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = wait(&mut child);
    let mut text = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(status.code(), Some(78), "{text}");
    assert!(text.contains("api_key"), "{text}");
}
