//! Plays every example of `docs/protocol.md`, so that the document only describes what happens.
//!
//! In a block fenced as `frames`, `ana = native` opens a connection, `ana>` sends a frame and `ana<`
//! reads the next one. A text that begins with `$` is a placeholder: in a frame that is sent one of
//! the constants below or an earlier value, in a frame that is read the value found there first.
//! `"…"` matches anything, and a key `"…"` allows more keys.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use watersmeet_conference::{ConnectRequest, DialectKind, Namespace, SessionId};

use super::harness::*;

/// Matches anything.
const ANYTHING: &str = "…";

/// One example.
struct Example {
    test: TestConference,
    /// Connections by name.
    clients: BTreeMap<String, SessionId>,
    /// Values of placeholders.
    placeholders: BTreeMap<String, Value>,
}

impl Example {
    fn new() -> Self {
        let placeholders = [
            ("$rtpCapabilities", capabilities()),
            ("$rtpParameters", rtp_parameters()),
            ("$dtlsParameters", dtls_parameters("client")),
            (
                "$inviteToken",
                json!(token_keys().issue_invite("standup", UNIX_S)),
            ),
        ];
        let placeholders = placeholders.map(|(name, value)| (name.to_owned(), value));
        Self {
            test: TestConference::new(),
            clients: BTreeMap::new(),
            placeholders: placeholders.into(),
        }
    }

    /// Plays one line.
    fn play_line(&mut self, line: &str) {
        if let Some((who, description)) = line.split_once(" = ") {
            let session = self.test.open_with(connect_request(description));
            self.clients.insert(who.to_owned(), session);
        } else if let Some((who, frame)) = line.split_once("> ") {
            let session = self.clients[who];
            let text = self.fill_frame(frame);
            self.test.send_text(session, &text);
        } else if let Some((who, frame)) = line.split_once("< ") {
            let session = self.clients[who];
            let got = self.test.texts.get_mut(&session);
            let got = got.and_then(|it| it.pop_front());
            let got = got.unwrap_or_else(|| panic!("{who} received nothing instead of {frame}"));
            let (head, expected) = split_frame(frame);
            let (got_head, got_body) = split_frame(&got);
            assert_eq!(got_head, head, "{who} received {got} instead of {frame}");
            self.compare(
                &got_body,
                &expected,
                &format!("{who} received {got} instead of {frame}"),
            );
        } else {
            panic!("an unknown line: {line}");
        }
    }

    /// Returns a frame with its placeholders replaced.
    fn fill_frame(&self, frame: &str) -> String {
        let (head, mut body) = split_frame(frame);
        self.fill(&mut body);
        format!("{head}{body}")
    }

    fn fill(&self, value: &mut Value) {
        match value {
            Value::String(text) if text.starts_with('$') => {
                let known = self.placeholders.get(text);
                *value = known.unwrap_or_else(|| panic!("{text} is unknown")).clone();
            }
            Value::Array(entries) => entries.iter_mut().for_each(|it| self.fill(it)),
            Value::Object(entries) => entries.values_mut().for_each(|it| self.fill(it)),
            _ => {}
        }
    }

    /// Compares a received value with the expected one, and learns the values of placeholders.
    fn compare(&mut self, got: &Value, expected: &Value, context: &str) {
        match expected {
            Value::String(text) if text == ANYTHING => {}
            Value::String(text) if text.starts_with('$') => {
                let known = self
                    .placeholders
                    .entry(text.clone())
                    .or_insert_with(|| got.clone());
                assert_eq!(got, known, "{text}: {context}");
            }
            Value::Array(entries) => {
                let got = got
                    .as_array()
                    .unwrap_or_else(|| panic!("no list: {context}"));
                assert_eq!(got.len(), entries.len(), "{context}");
                for (got, expected) in got.iter().zip(entries) {
                    self.compare(got, expected, context);
                }
            }
            Value::Object(entries) => {
                let got = got
                    .as_object()
                    .unwrap_or_else(|| panic!("no object: {context}"));
                let is_open = entries.contains_key(ANYTHING);
                for (key, expected) in entries.iter().filter(|(key, _)| *key != ANYTHING) {
                    let got = got.get(key);
                    let got = got.unwrap_or_else(|| panic!("no {key}: {context}"));
                    self.compare(got, expected, context);
                }
                assert!(
                    is_open || got.len() == entries.len(),
                    "more keys: {context}"
                );
            }
            _ => assert_eq!(got, expected, "{context}"),
        }
    }
}

/// Parses a connection such as `socket.io /call` or `protoo room=standup`.
fn connect_request(description: &str) -> ConnectRequest {
    let mut words = description.split(' ');
    let dialect = match words.next() {
        Some("native") => DialectKind::Native,
        Some("protoo") => DialectKind::Protoo,
        Some("socket.io") => {
            let namespace = words.next().and_then(Namespace::parse);
            DialectKind::SocketIo(namespace.expect("a namespace"))
        }
        _ => panic!("no dialect: {description}"),
    };
    let mut request = ConnectRequest::new(dialect);
    for word in words {
        match word.split_once('=') {
            Some(("room", room)) => request.room = Some(room.to_owned()),
            Some(("peer", peer)) => request.peer = Some(peer.to_owned()),
            Some(("user", user)) => {
                let email = format!("{user}@example.org");
                request.token = Some(token_keys().issue_user_token(user, &email, UNIX_S));
            }
            _ => panic!("an unknown option: {word}"),
        }
    }
    request
}

/// Splits a frame into the head of a Socket.IO packet, if it is one, and its JSON.
fn split_frame(frame: &str) -> (&str, Value) {
    let body = frame.find(['{', '[']).expect("JSON");
    let (head, body) = frame.split_at(body);
    (
        head,
        serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {body}")),
    )
}

#[test]
fn every_example_of_the_protocol_document_is_correct() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md");
    let document = std::fs::read_to_string(path).unwrap();
    let mut blocks = document.split("```frames\n").skip(1);
    let mut played = 0;
    for block in &mut blocks {
        let (block, _) = block.split_once("\n```").expect("the end of a block");
        let mut example = Example::new();
        for line in block.lines().filter(|it| !it.trim().is_empty()) {
            example.play_line(line);
        }
        played += 1;
    }
    assert!(played >= 6, "an example for each dialect, not {played}");
}
