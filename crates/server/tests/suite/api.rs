//! REST interface over real sockets: documented responses, permissions, and what clients learn by
//! guessing.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::native_client::Client;
use crate::program::{Program, secret, split_response, start_configured};

/// A response.
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header lines, in lower case.
    pub header: String,
    /// Body.
    pub body: String,
}

impl Response {
    /// Returns the body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}", self.body))
    }
}

/// Sends a request with additional header lines and a body.
pub fn send_request(
    program: &Program,
    method: &str,
    path: &str,
    header: &str,
    body: &str,
) -> Response {
    send_to(program.address, method, path, header, body)
}

/// Sends such a request to one of several listeners.
pub fn send_to(
    address: SocketAddr,
    method: &str,
    path: &str,
    header: &str,
    body: &str,
) -> Response {
    let mut stream = TcpStream::connect(address).unwrap();
    let len = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Length: {len}\r\n{header}\r\n{body}"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let (status, header, body) = split_response(&answer);
    Response {
        status,
        header,
        body,
    }
}

/// Returns the header line with a token or key.
pub fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn create_room(program: &Program, room: &Value) -> Value {
    let created = send_request(program, "POST", "/api/rooms", "", &room.to_string());
    assert_eq!(created.status, 200, "{}", created.body);
    created.json()
}

#[tokio::test]
async fn room_with_limits_of_its_own_can_be_created() {
    let program = Program::start(&[]);
    let limits = json!({ "hostName": "Alice", "lastNVideo": 4, "topNAudio": 64 });
    let created = create_room(&program, &limits);
    let mut ana = Client::join(&program, created["roomId"].as_str().unwrap()).await;
    ana.produce_audio().await;
    let too_many = json!({ "hostName": "Alice", "topNAudio": 65 }).to_string();
    let refused = send_request(&program, "POST", "/api/rooms", "", &too_many);
    assert_eq!(refused.status, 400);
}

#[test]
fn title_of_a_room_is_in_its_description_and_in_its_invitations() {
    let program = Program::start(&[]);
    let titled =
        json!({ "hostName": "Alice", "title": "Weekly\u{202e} meeting", "hostToken": true });
    let created = create_room(&program, &titled);
    assert_eq!(created["title"], "Weekly meeting");
    let id = created["roomId"].as_str().unwrap();
    let path = format!("/api/rooms/{id}");
    let shown = send_request(&program, "GET", &path, "", "").json();
    assert_eq!(shown["title"], "Weekly meeting");
    let host = bearer(created["hostToken"].as_str().unwrap());
    let invite = send_request(&program, "POST", &format!("{path}/invites"), &host, "{}").json();
    for link in [&created["inviteLink"], &invite["inviteLink"]] {
        let (_, token) = link.as_str().unwrap().split_once("token=").unwrap();
        let payload = token.split('.').nth(1).unwrap();
        let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        assert!(claims.contains("\"title\":\"Weekly meeting\""), "{claims}");
    }
    for title in [String::new(), "x".repeat(65)] {
        let room = json!({ "hostName": "Alice", "title": title }).to_string();
        let refused = send_request(&program, "POST", "/api/rooms", "", &room);
        assert_eq!(refused.status, 400, "{title:?}");
    }
}

#[tokio::test]
async fn room_can_be_created_shown_and_joined_as_documented() {
    let program = Program::start(&[]);
    let created = create_room(&program, &json!({ "hostName": "Alice" }));
    let id = created["roomId"].as_str().unwrap();
    let mut parts = id.splitn(3, '-');
    assert_eq!(parts.next(), Some("room"));
    assert!(parts.next().unwrap().parse::<u64>().unwrap() > 1_700_000_000_000);
    assert_eq!(parts.next().unwrap().len(), 22);
    assert_eq!(created["hostName"], "Alice");
    let link = created["inviteLink"].as_str().unwrap();
    let base = format!("http://{}/join?room={id}&token=ey", program.address);
    assert!(link.starts_with(&base), "{link}");
    assert_eq!(created.as_object().unwrap().len(), 3);

    let path = format!("/api/rooms/{id}");
    let room = send_request(&program, "GET", &path, "", "").json();
    assert_eq!(
        (&room["roomId"], &room["hostName"]),
        (&json!(id), &json!("Alice"))
    );
    assert_eq!(room["participantCount"], 0);
    assert!(room["createdAt"].as_str().unwrap().ends_with('Z'));

    let mut ana = Client::join(&program, id).await;
    ana.produce_audio().await;
    assert_eq!(
        send_request(&program, "GET", &path, "", "").json()["participantCount"],
        1
    );
    let people = send_request(&program, "GET", &format!("{path}/participants"), "", "").json();
    let person = &people["participants"][0];
    assert_eq!(person["id"], ana.peer);
    assert_eq!(
        (&person["hasAudio"], &person["hasVideo"]),
        (&json!(true), &json!(false))
    );
    assert!(person["displayName"].is_string());

    let absent = send_request(&program, "GET", "/api/rooms/room-123", "", "");
    assert_eq!(
        (absent.status, &absent.json()["error"]),
        (404, &json!("Room not found"))
    );
}

#[tokio::test]
async fn only_hosts_can_mute_remove_set_the_policy_and_close() {
    let program = Program::start(&[]);
    let created = create_room(&program, &json!({ "hostName": "Alice", "hostToken": true }));
    let path = format!("/api/rooms/{}", created["roomId"].as_str().unwrap());
    let host = bearer(created["hostToken"].as_str().unwrap());
    let link = created["inviteLink"].as_str().unwrap();
    let guest = bearer(link.split_once("token=").unwrap().1);
    let other = create_room(&program, &json!({ "hostName": "Eve", "hostToken": true }));
    let other = bearer(other["hostToken"].as_str().unwrap());

    let mut ben = Client::join(&program, created["roomId"].as_str().unwrap()).await;
    ben.produce_audio().await;
    // Cleo stays after Ben is removed: an empty room is deleted.
    let _cleo = Client::join(&program, created["roomId"].as_str().unwrap()).await;
    let peer = format!("{path}/participants/{}", ben.peer);
    let actions = [
        ("POST", format!("{peer}/mute"), r#"{"kind":"audio"}"#),
        (
            "PUT",
            format!("{path}/policy"),
            r#"{"policy":"invite-only"}"#,
        ),
        ("POST", format!("{path}/invites"), ""),
        ("DELETE", peer, ""),
        ("DELETE", path.clone(), ""),
    ];
    for (method, path, body) in &actions {
        let by = |header: &str| send_request(&program, method, path, header, body).status;
        assert_eq!(
            (by(""), by(&guest), by(&other)),
            (401, 403, 403),
            "{method} {path}"
        );
        assert_eq!(by(&bearer("ey.ey.ey")), 401);
    }
    for (method, path, body) in &actions {
        let done = send_request(&program, method, path, &host, body);
        assert!(
            matches!(done.status, 200 | 204),
            "{method} {path}: {}",
            done.body
        );
    }
    assert_eq!(send_request(&program, "GET", &path, "", "").status, 404);
    let again = send_request(&program, "DELETE", &path, &host, "");
    assert_eq!(again.json()["code"], "room-not-found");
}

#[tokio::test]
async fn names_of_people_in_guarded_rooms_are_told_only_to_those_with_a_token() {
    let key = secret();
    let program = start_configured("api-people", &format!("api_key = \"{key}\""));
    for policy in ["open", "approval", "locked", "invite-only"] {
        let request = json!({ "hostName": "Alice", "hostToken": true, "policy": policy });
        let created = create_room(&program, &request);
        let room = created["roomId"].as_str().unwrap();
        let host_token = created["hostToken"].as_str().unwrap();
        let link = created["inviteLink"].as_str().unwrap();
        let guest = bearer(link.split_once("token=").unwrap().1);
        let mut ana = Client::connect(&program).await;
        let join = json!({ "roomId": room, "displayName": "Ana-Maria", "token": host_token });
        ana.request("joinRoom", join, "roomJoined").await;
        let elsewhere = create_room(&program, &json!({ "hostName": "B" }))["inviteLink"].clone();
        let elsewhere = bearer(elsewhere.as_str().unwrap().split_once("token=").unwrap().1);

        let is_open = policy == "open";
        for path in [
            format!("/api/rooms/{room}"),
            format!("/api/rooms/{room}/participants"),
        ] {
            for stranger in ["", &elsewhere] {
                let answer = send_request(&program, "GET", &path, stranger, "");
                let tells = answer.body.contains("Ana-Maria") || answer.body.contains("Alice");
                assert_eq!(tells, is_open, "{policy} {path}: {}", answer.body);
            }
            for known in [&guest, &bearer(host_token), &bearer(&key)] {
                let answer = send_request(&program, "GET", &path, known, "");
                let tells = answer.body.contains("Ana-Maria") || answer.body.contains("Alice");
                assert!(tells, "{policy} {path}: {}", answer.body);
            }
        }
        if policy == "approval" {
            let mut ben = Client::connect(&program).await;
            let join = json!({ "roomId": room, "displayName": "Ben" });
            ben.request("joinRoom", join, "waiting").await;
            let path = format!("/api/rooms/{room}/participants");
            let listed = |by: &str| {
                let answer = send_request(&program, "GET", &path, by, "").json();
                let people = answer["participants"].as_array().unwrap().clone();
                let roles = people
                    .iter()
                    .map(|it| it["role"].as_str().unwrap().to_owned());
                roles.collect::<Vec<_>>()
            };
            assert_eq!(listed(&guest), ["host"]);
            assert_eq!(listed(&bearer(host_token)), ["host", "waiting"]);
            assert_eq!(listed(&bearer(&key)), ["host", "waiting"]);
        }
    }
}

#[test]
fn operators_list_rooms_page_by_page_with_the_api_key() {
    let key = secret();
    let settings = format!("api_key = \"{key}\"\nbase_url = \"https://meet.example.org/\"");
    let program = start_configured("api-list", &settings);
    let link = create_room(&program, &json!({ "hostName": "A" }))["inviteLink"].clone();
    assert!(
        link.as_str()
            .unwrap()
            .starts_with("https://meet.example.org/join?room=")
    );
    for _ in 0..4 {
        create_room(
            &program,
            &json!({ "hostName": "A", "policy": "invite-only" }),
        );
    }
    let key = bearer(&key);
    let (mut names, mut after) = (BTreeSet::new(), String::new());
    loop {
        let path = format!("/api/rooms?limit=2{after}");
        let page = send_request(&program, "GET", &path, &key, "").json();
        for room in page["rooms"].as_array().unwrap() {
            assert!(names.insert(room["roomId"].as_str().unwrap().to_owned()));
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(names.len(), 5);
    assert_eq!(
        send_request(&program, "GET", "/api/rooms", "", "").status,
        401
    );
    for query in [
        "limit=0",
        "limit=x",
        "limit=1001",
        "limit=1&limit=2",
        "after=a&after=b",
    ] {
        let refused = send_request(&program, "GET", &format!("/api/rooms?{query}"), &key, "");
        assert_eq!(refused.status, 400, "{query}");
    }
    // Anybody sees counts and pseudonyms; only operators see room names.
    let stats = |header: &str| send_request(&program, "GET", "/stats", header, "").body;
    let (open, operated) = (stats(""), stats(&key));
    for name in &names {
        assert!(
            !open.contains(name.as_str()) && operated.contains(name.as_str()),
            "{open}"
        );
    }
    // How full the server is concerns operators only.
    let operated: serde_json::Value = serde_json::from_str(&operated).unwrap();
    let used = operated["capacity"]["used"].as_f64().unwrap();
    let cpu = operated["capacity"]["parts"]["cpu"].as_f64().unwrap();
    assert!((0.0..2.0).contains(&used) && cpu <= used, "{operated}");
    assert!(!open.contains("capacity"), "{open}");
}

#[test]
fn malformed_requests_are_refused_with_error_and_code() {
    let program = Program::start(&[]);
    let long = format!(r#"{{"hostName":"{}"}}"#, "x".repeat(17 << 10));
    let json_kind = "Content-Type: application/json\r\n";
    let wide = format!(r#"{{"hostName":"{}"}}"#, "é".repeat(65));
    for (method, path, header, body, status, code) in [
        ("POST", "/api/rooms", json_kind, "{", 400, "bad-request"),
        (
            "POST",
            "/api/rooms",
            json_kind,
            r#"{"hostName":""}"#,
            400,
            "bad-request",
        ),
        ("POST", "/api/rooms", json_kind, &wide, 400, "bad-request"),
        (
            "POST",
            "/api/rooms",
            json_kind,
            r#"{"hostName":"a","hostName":"b"}"#,
            400,
            "bad-request",
        ),
        ("POST", "/api/rooms", json_kind, &long, 413, "too-long"),
        (
            "POST",
            "/api/rooms",
            "Content-Type: text/plain\r\n",
            "{}",
            415,
            "not-json",
        ),
        (
            "POST",
            "/api/rooms",
            "Origin: https://evil.example\r\n",
            "{}",
            403,
            "foreign-page",
        ),
        ("PATCH", "/api/rooms", "", "", 405, "method-not-allowed"),
        (
            "POST",
            "/api/openapi.json",
            "",
            "",
            405,
            "method-not-allowed",
        ),
        ("GET", "/api/nothing", "", "", 404, "not-found"),
        ("GET", "/api/rooms/a/b/c", "", "", 404, "not-found"),
        ("GET", "/api/rooms/%ff", "", "", 400, "bad-request"),
        (
            "GET",
            "/api/rooms/a?token=a&token=b",
            "",
            "",
            400,
            "bad-request",
        ),
    ] {
        let refused = send_request(&program, method, path, header, body);
        assert_eq!(refused.status, status, "{method} {path} {}", refused.body);
        assert_eq!(refused.json()["code"], code, "{method} {path}");
        assert!(refused.json()["error"].is_string());
        assert!(refused.header.contains("cache-control: no-store"));
    }
    let refused = send_request(&program, "PATCH", "/api/rooms", "", "");
    assert!(
        refused.header.contains("allow: get,head,post"),
        "{}",
        refused.header
    );
}

#[test]
fn room_names_reach_neither_files_nor_headers() {
    let program = Program::start(&[]);
    for name in [
        "..",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e%2f%2e%2e%2fCargo.toml",
        "..%5c..%5cwindows%5cwin.ini",
        "a%00b",
        "a%0d%0aSet-Cookie:%20x=y",
        "%3cscript%3ealert(1)%3c%2fscript%3e",
        "a%0d%0a%0d%0a%3chtml%3e",
        "__proto__",
        "room-%f0%9f%98%80",
        &"x".repeat(4_000),
    ] {
        let answer = send_request(&program, "GET", &format!("/api/rooms/{name}"), "", "");
        assert_eq!(answer.status, 404, "{name}");
        let body = r#"{"error":"Room not found","code":"room-not-found"}"#;
        assert!(
            answer.body == body || name == "..",
            "{name}: {}",
            answer.body
        );
        assert!(!answer.header.contains("set-cookie"), "{name}");
    }
}

#[test]
fn guessing_a_hundred_thousand_names_reveals_no_hidden_room() {
    const GUESSES: usize = 100_000;
    const BATCH: usize = 100;
    let program = Program::start(&[]);
    let created = create_room(
        &program,
        &json!({ "hostName": "A", "policy": "invite-only" }),
    );
    let hidden = created["roomId"].as_str().unwrap();
    let token = created["inviteLink"]
        .as_str()
        .unwrap()
        .split_once("token=")
        .unwrap()
        .1;
    let shown = send_request(
        &program,
        "GET",
        &format!("/api/rooms/{hidden}"),
        &bearer(token),
        "",
    );
    assert_eq!(shown.json()["roomId"], hidden);

    let mut stream = TcpStream::connect(program.address).unwrap();
    let mut answers = BTreeSet::new();
    let mut seen = 0;
    let mut rest = String::new();
    for batch in 0..GUESSES / BATCH {
        let mut requests = String::new();
        for guess in 0..BATCH {
            // One in a hundred exists; the others differ from it in a few characters.
            let number = batch * BATCH + guess;
            let name = match guess {
                50 => hidden.to_owned(),
                _ => format!("{}{number:06}", &hidden[..hidden.len() - 6]),
            };
            let tail = if number.is_multiple_of(2) {
                "/participants"
            } else {
                ""
            };
            let host = program.address;
            requests += &format!("GET /api/rooms/{name}{tail} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        }
        stream.write_all(requests.as_bytes()).unwrap();
        let mut buffer = [0; 16 << 10];
        while seen < (batch + 1) * BATCH {
            let len = stream.read(&mut buffer).unwrap();
            assert!(len > 0, "the connection stays open");
            rest += str::from_utf8(&buffer[..len]).unwrap();
            while let Some(end) = rest.find("not-found\"}") {
                let answer: String = rest.drain(..end + "not-found\"}".len()).collect();
                let lines = answer.lines().filter(|line| !line.starts_with("date:"));
                answers.insert(lines.collect::<Vec<_>>().join("\n"));
                seen += 1;
            }
        }
    }
    assert_eq!((seen, answers.len()), (GUESSES, 1), "{answers:?}");
}

#[test]
fn rate_limits_apply_at_their_values() {
    let settings = "trusted_proxies = [\"127.0.0.1\"]";
    let program = start_configured("api-limits", settings);
    let from = |ip: &str| format!("X-Forwarded-For: {ip}\r\n");
    let room = r#"{"hostName":"A"}"#;
    let create = |ip: &str| send_request(&program, "POST", "/api/rooms", &from(ip), room);
    for n in 0..5 {
        assert_eq!(create("198.51.100.1").status, 200, "{n}");
    }
    let sixth = create("198.51.100.1");
    assert_eq!(
        (sixth.status, sixth.json()["code"].as_str()),
        (429, Some("rate-limited"))
    );
    assert!(sixth.header.contains("retry-after: "), "{}", sixth.header);
    assert_eq!(create("198.51.100.2").status, 200, "another network");

    let guess = || {
        send_request(
            &program,
            "GET",
            "/api/rooms/none",
            &from("198.51.100.3"),
            "",
        )
        .status
    };
    assert!((0..10).all(|_| guess() == 404));
    assert_eq!(guess(), 429);

    let header = from("198.51.100.4") + &bearer("a.b.c");
    let fail = || send_request(&program, "GET", "/api/rooms/none", &header, "").status;
    assert!((0..10).all(|_| fail() == 401));
    assert_eq!(fail(), 429);
}

#[test]
fn room_creation_can_require_a_token() {
    let key = secret();
    let settings = format!("api_key = \"{key}\"\nroom_creation = \"token\"");
    let program = start_configured("api-creation", &settings);
    let create = |header: &str| {
        send_request(
            &program,
            "POST",
            "/api/rooms",
            header,
            r#"{"hostName":"A"}"#,
        )
        .status
    };
    assert_eq!((create(""), create(&bearer(&key))), (401, 200));
    assert_eq!(create(&bearer(&key[1..])), 401);
}

#[test]
fn ice_servers_have_credentials_that_expire() {
    let program = start_configured(
        "api-relays",
        "turn_urls = [\"turn:turn.example.org\"]\nturn_secret = \"north-wind-and-the-sun\"\n\
         turn_ttl_s = 600\nice_servers = [{ urls = [\"stun:stun.example.org\"] }]",
    );
    let servers = send_request(&program, "GET", "/api/ice-servers", "", "").json();
    let servers = servers["iceServers"].as_array().unwrap();
    assert_eq!(servers[0], json!({ "urls": ["stun:stun.example.org"] }));
    assert_eq!(servers[1]["urls"], json!(["turn:turn.example.org"]));
    let (ends, _) = servers[1]["username"]
        .as_str()
        .unwrap()
        .split_once(':')
        .unwrap();
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(ends.parse::<u64>().unwrap().abs_diff(now + 600) < 30);
    assert!(!servers[1]["credential"].as_str().unwrap().is_empty());
}

#[test]
fn documented_paths_exist_and_the_page_loads_nothing_from_other_hosts() {
    let program = Program::start(&[]);
    let api = send_request(&program, "GET", "/api/openapi.json", "", "").json();
    for (path, item) in api["paths"].as_object().unwrap() {
        let path = path.replace("{room}", "none").replace("{peer}", "nobody");
        for method in item.as_object().unwrap().keys() {
            let answer = send_request(&program, &method.to_uppercase(), &path, "", "");
            assert_ne!(answer.json()["code"], "not-found", "{method} {path}");
            assert_ne!(answer.status, 405, "{method} {path}");
        }
    }
    let page = send_request(&program, "GET", "/api/", "", "");
    assert!(page.header.contains("content-type: text/html"));
    for file in ["/api/page.css", "/api/page.js"] {
        assert!(page.body.contains(file));
        let answer = send_request(&program, "GET", file, "", "");
        assert_eq!(answer.status, 200);
        assert!(!answer.body.contains("://") && !answer.body.contains("innerHTML"));
    }
    assert!(!page.body.contains("://") && !page.body.contains("<style"));
}

#[test]
fn healthy_program_reports_health_readiness_and_stats() {
    let program = Program::start(&["--shards", "2"]);
    for path in ["/livez", "/readyz"] {
        assert_eq!(
            send_request(&program, "GET", path, "", "").status,
            200,
            "{path}"
        );
    }
    let health = program.health();
    assert!(health["memory"]["rss"].as_u64().unwrap() > 1 << 20);
    assert!(health["timestamp"].as_str().unwrap().starts_with("20"));
    let stats = send_request(&program, "GET", "/stats", "", "").json();
    assert_eq!(stats["workers"], 2);
    assert_eq!(stats["workerStats"][1]["index"], 1);
    assert_eq!(stats["workerStats"][0]["routers"], 0);
    assert!(stats["workerStats"][0]["pid"].as_u64().unwrap() > 1);
    assert!(stats["workerStats"][0]["resourceUsage"]["ru_utime"].is_u64());
    assert_eq!(stats["roomStats"], json!([]));
}
