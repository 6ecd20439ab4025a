//! Every example of `docs/protocol.md` is played as it stands there, so that the document cannot
//! say anything that does not happen.
//!
//! In a block fenced as `frames`, `ana = native` opens a connection, `ana>` is what it sends and
//! `ana<` is what it is sent next. A text that begins with `$` stands for something: the constants
//! below when it is sent, and otherwise for whatever was there when it was first received. `"…"`
//! is anything, and a key `"…"` says that there are more keys.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use watersmeet_conference::access::TokenKeys;
use watersmeet_conference::{ConnectRequest, DialectKind, Namespace, SessionId};

use super::world::*;

/// Stands for anything.
const ANYTHING: &str = "…";

/// One example that is being played.
struct Play {
    world: World,
    people: BTreeMap<String, SessionId>,
    names: BTreeMap<String, Value>,
}

impl Play {
    fn new() -> Self {
        let names = [
            ("$rtpCapabilities", capabilities()),
            ("$rtpParameters", rtp_parameters()),
            ("$dtlsParameters", dtls_parameters("client")),
            (
                "$inviteToken",
                json!(keys().issue_invite("standup", UNIX_S)),
            ),
        ];
        let names = names.map(|(name, value)| (name.to_owned(), value));
        Self {
            world: World::new(),
            people: BTreeMap::new(),
            names: names.into(),
        }
    }

    /// Plays one line.
    fn line(&mut self, line: &str) {
        if let Some((who, how)) = line.split_once(" = ") {
            let session = self.world.open_as(opening(how));
            self.people.insert(who.to_owned(), session);
        } else if let Some((who, frame)) = line.split_once("> ") {
            let session = self.people[who];
            let text = self.filled(frame);
            self.world.send_text(session, &text);
        } else if let Some((who, frame)) = line.split_once("< ") {
            let session = self.people[who];
            let got = self.world.texts.get_mut(&session);
            let got = got.and_then(|it| it.pop_front());
            let got = got.unwrap_or_else(|| panic!("{who} was sent nothing, not {frame}"));
            let (head, expected) = parts(frame);
            let (got_head, got_body) = parts(&got);
            assert_eq!(got_head, head, "{who} was sent {got}, not {frame}");
            self.compare(
                &got_body,
                &expected,
                &format!("{who} was sent {got}, not {frame}"),
            );
        } else {
            panic!("a line that says nothing: {line}");
        }
    }

    /// A frame with its names filled in.
    fn filled(&self, frame: &str) -> String {
        let (head, mut body) = parts(frame);
        self.fill(&mut body);
        format!("{head}{body}")
    }

    fn fill(&self, value: &mut Value) {
        match value {
            Value::String(text) if text.starts_with('$') => {
                let known = self.names.get(text);
                *value = known.unwrap_or_else(|| panic!("{text} is unknown")).clone();
            }
            Value::Array(entries) => entries.iter_mut().for_each(|it| self.fill(it)),
            Value::Object(entries) => entries.values_mut().for_each(|it| self.fill(it)),
            _ => {}
        }
    }

    /// Checks what arrived, and learns the names in what was expected.
    fn compare(&mut self, got: &Value, expected: &Value, context: &str) {
        match expected {
            Value::String(text) if text == ANYTHING => {}
            Value::String(text) if text.starts_with('$') => {
                let known = self
                    .names
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

fn keys() -> TokenKeys {
    TokenKeys::new(SECRET, None).unwrap()
}

/// How a connection opens, from words such as `socket.io /call` or `protoo room=standup`.
fn opening(how: &str) -> ConnectRequest {
    let mut words = how.split(' ');
    let dialect = match words.next() {
        Some("native") => DialectKind::Native,
        Some("protoo") => DialectKind::Protoo,
        Some("socket.io") => {
            let namespace = words.next().and_then(Namespace::parse);
            DialectKind::SocketIo(namespace.expect("a namespace"))
        }
        _ => panic!("no dialect: {how}"),
    };
    let mut opening = ConnectRequest::new(dialect);
    for word in words {
        match word.split_once('=') {
            Some(("room", room)) => opening.room = Some(room.to_owned()),
            Some(("peer", peer)) => opening.peer = Some(peer.to_owned()),
            Some(("user", user)) => {
                let email = format!("{user}@example.org");
                opening.token = Some(keys().issue_user_token(user, &email, UNIX_S));
            }
            _ => panic!("what is {word}?"),
        }
    }
    opening
}

/// The head of a Socket.IO packet, if it is one, and its JSON.
fn parts(frame: &str) -> (&str, Value) {
    let body = frame.find(['{', '[']).expect("JSON");
    let (head, body) = frame.split_at(body);
    (
        head,
        serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {body}")),
    )
}

#[test]
fn every_example_of_the_protocol_happens_as_it_is_written() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md");
    let document = std::fs::read_to_string(path).unwrap();
    let mut blocks = document.split("```frames\n").skip(1);
    let mut played = 0;
    for block in &mut blocks {
        let (block, _) = block.split_once("\n```").expect("the end of a block");
        let mut play = Play::new();
        for line in block.lines().filter(|it| !it.trim().is_empty()) {
            play.line(line);
        }
        played += 1;
    }
    assert!(played >= 6, "an example for each dialect, not {played}");
}
