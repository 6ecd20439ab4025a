//! The history of calls over the REST interface of a running program: what is written, who may read and delete it, and
//! that a file which cannot be used costs nothing else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{bearer, send_request};
use crate::native_client::Client;
use crate::program::{Program, secret, start_configured};

/// Longest wait for what the history writes.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Interval at which it is asked for.
const POLL: Duration = Duration::from_millis(100);

/// Returns the path of a file for a test, which does not exist.
fn file(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.sqlite"));
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", path.display()));
    }
    path
}

/// Starts a program with a history in this file.
fn start(name: &str, path: &Path, key: &str) -> Program {
    let settings = format!(
        "api_key = \"{key}\"\nhistory = true\nhistory_names = true\nhistory_interval_s = 1\n\
         history_file = \"{}\"",
        path.display()
    );
    start_configured(name, &settings)
}

/// Reads until the value fulfils a condition.
async fn read_until(
    program: &Program,
    key: &str,
    path: &str,
    is_reached: impl Fn(&Value) -> bool,
) -> Value {
    let reading = async {
        loop {
            let response = send_request(program, "GET", path, &bearer(key), "");
            let value = serde_json::from_str(&response.body).unwrap_or(Value::Null);
            if response.status == 200 && is_reached(&value) {
                return value;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(TIMEOUT, reading).await.unwrap()
}

#[tokio::test]
async fn operators_read_and_delete_the_history_of_a_call() {
    let (key, path) = (secret(), file("history-read"));
    let program = start("history-read", &path, &key);
    let mut ana = Client::connect(&program).await;
    assert_eq!(ana.connected["options"]["reportIntervalS"], 1);
    let joining = json!({ "roomId": "standup", "displayName": "Ana" });
    ana.request("joinRoom", joining, "roomJoined").await;
    let report = json!({
        "limitedByCpu": false, "limitedByBandwidth": false, "frozenPercent": 0,
        "concealedPercent": 0, "droppedPercent": 0, "busyPercent": 0, "stalledMs": 0,
        "microphone": "off", "camera": "failed",
    });
    ana.send_with_id(1, "reportQuality", report).await;
    ana.expect("done").await;
    let has_call = |it: &Value| it["calls"][0]["participantCount"] == 1;
    read_until(&program, &key, "/api/history?room=standup", has_call).await;
    // The page's report becomes a part of the next observation.
    tokio::time::sleep(Duration::from_secs(2)).await;
    drop(ana);
    let has_ended = |it: &Value| it["calls"][0]["endedAt"].is_string();
    let calls = read_until(&program, &key, "/api/history", has_ended).await;
    let call = calls["calls"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(calls["calls"][0]["causes"][0]["code"], "camera-device");
    let details = read_until(&program, &key, &format!("/api/history/{call}"), |_| true).await;
    let participant = &details["participants"][0];
    assert_eq!(participant["name"], "Ana");
    assert_eq!(participant["minutes"][0]["connection"], "unused");
    assert_eq!(participant["causes"][0]["code"], "camera-device");
    assert_eq!(participant["causes"][0]["isNote"], false);
    let id = participant["id"].as_str().unwrap();
    let delete = |path: &str| send_request(&program, "DELETE", path, &bearer(&key), "").status;
    assert_eq!(
        delete(&format!("/api/history/{call}/participants/{id}")),
        204
    );
    assert_eq!(
        delete(&format!("/api/history/{call}/participants/{id}")),
        404
    );
    assert_eq!(delete("/api/history?name=Ana"), 200);
    assert_eq!(delete(&format!("/api/history/{call}")), 204);
    assert_eq!(delete(&format!("/api/history/{call}")), 404);
    let get = |header: &str| program.get("/api/history", header).0;
    assert_eq!(get(""), 401);
    assert_eq!(get(&bearer("nobody")), 401);
}

#[test]
fn program_without_a_history_says_that_there_is_none() {
    let key = secret();
    let program = start_configured("history-off", &format!("api_key = \"{key}\""));
    assert_eq!(program.get("/api/history", &bearer(&key)).0, 404);
}

#[tokio::test]
async fn file_that_is_damaged_costs_the_history_and_nothing_else() {
    let (key, path) = (secret(), file("history-damaged"));
    std::fs::write(&path, "a text, and no database at all. ".repeat(200)).unwrap();
    let program = start("history-damaged", &path, &key);
    let mut ana = Client::join(&program, "standup").await;
    ana.produce_audio().await;
    assert_eq!(program.get("/api/history", &bearer(&key)).0, 503);
    let (_, _, metrics) = program.get("/metrics", "");
    assert!(metrics.contains("watersmeet_history_up 0"), "{metrics}");
    assert!(metrics.contains("watersmeet_history_failures_total 1"));
}
