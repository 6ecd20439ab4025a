//! Tests without a server: bodies, permissions and the OpenAPI document.

use serde_json::json;
use watersmeet_conference::access::{Grant, RoomGrant};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::caller::{Caller, is_api_key};
use super::super::json_response::ApiError;
use super::json_body;
use super::openapi_doc;
use super::schemas::{Mute, NewRoom};
use crate::config::{RoomCreation, Secret};

fn parse_error<T: DeserializeOwned>(body: &str) -> Option<Value> {
    let error = json_body::parse::<T>(&Bytes::from(body.to_owned())).err()?;
    assert_eq!(
        error.clone().into_response().status(),
        StatusCode::BAD_REQUEST
    );
    Some(json!(format!("{error:?}")))
}

#[test]
fn malformed_bodies_are_refused() {
    assert_eq!(parse_error::<NewRoom>(r#"{"hostName":"Alice"}"#), None);
    assert_eq!(
        parse_error::<NewRoom>(r#"{"hostName":"Alice","policy":"invite-only"}"#),
        None
    );
    assert_eq!(
        parse_error::<NewRoom>(r#"{"hostName":"Alice","lastNVideo":65535,"topNAudio":18.0}"#),
        None
    );
    assert_eq!(parse_error::<Mute>(""), None);
    for body in [
        "",
        "{}",
        "null",
        "[]",
        r#""Alice""#,
        r#"{"hostName":1}"#,
        r#"{"hostName":"Alice","hostName":"Bob"}"#,
        r#"{"hostName":"Alice","policy":"secret"}"#,
        r#"{"hostName":"Alice","admin":true}"#,
        r#"{"hostName":"Alice","lastNVideo":-1}"#,
        r#"{"hostName":"Alice","lastNVideo":65536}"#,
        r#"{"hostName":"Alice","lastNVideo":4.5}"#,
        r#"{"hostName":"Alice","topNAudio":256}"#,
        r#"{"hostName":"Alice","topNAudio":"4"}"#,
        r#"{"hostName":"Alice"} {}"#,
        "{hostName:1}",
    ] {
        assert!(parse_error::<NewRoom>(body).is_some(), "{body}");
    }
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    assert!(parse_error::<NewRoom>(&deep).is_some());
}

#[test]
fn content_type_must_be_json_or_missing() {
    let is_accepted = |kinds: &[&str]| {
        let mut headers = HeaderMap::new();
        for kind in kinds {
            headers.append(header::CONTENT_TYPE, kind.parse().unwrap());
        }
        json_body::is_json(&headers)
    };
    assert!(is_accepted(&[]));
    assert!(
        is_accepted(&["application/json"]) && is_accepted(&["Application/JSON; charset=utf-8"])
    );
    assert!(!is_accepted(&["text/plain"]) && !is_accepted(&["application/jsonp"]));
    assert!(!is_accepted(&["application/json", "text/plain"]));
}

#[test]
fn api_key_must_match_exactly() {
    let key = Secret::new("0123456789abcdef0123456789abcdef".to_owned());
    assert!(is_api_key(Some(&key), "0123456789abcdef0123456789abcdef"));
    for other in [
        "",
        "0",
        "0123456789abcdef0123456789abcdeg",
        "0123456789abcdef0123456789abcdef0",
    ] {
        assert!(!is_api_key(Some(&key), other), "{other}");
    }
    assert!(!is_api_key(None, ""));
}

fn host_of(room: &str, room_admin: bool) -> Caller {
    Caller::TokenBearer(Grant::Room(RoomGrant {
        room: room.to_owned(),
        identity: None,
        name: None,
        can_publish: true,
        can_subscribe: true,
        room_admin,
    }))
}

#[test]
fn callers_have_only_the_permissions_granted() {
    let invited = Caller::TokenBearer(Grant::Invite {
        room: "a".to_owned(),
    });
    let user = Caller::TokenBearer(Grant::User {
        id: "1".to_owned(),
        email: "a@example.org".to_owned(),
    });
    // Caller; then: sees invite-only rooms a and b, is host of a and b, creates rooms, is operator.
    let table = [
        (Caller::Anonymous, [false; 6]),
        (user, [false, false, false, false, true, false]),
        (invited, [true, false, false, false, false, false]),
        (
            host_of("a", false),
            [true, false, false, false, false, false],
        ),
        (host_of("a", true), [true, false, true, false, false, false]),
        (Caller::Operator, [true; 6]),
    ];
    for (caller, rights) in table {
        let has = [
            caller.is_invited("a"),
            caller.is_invited("b"),
            caller.require_host("a").is_ok(),
            caller.require_host("b").is_ok(),
            caller.require_room_creator(RoomCreation::Token).is_ok(),
            caller.require_operator().is_ok(),
        ];
        assert_eq!(has, rights, "{caller:?}");
        assert!(caller.require_room_creator(RoomCreation::Anyone).is_ok());
        assert!(caller.require_credentials(false).is_ok());
    }
    assert_eq!(
        Caller::Anonymous.require_credentials(true),
        Err(ApiError::InvalidToken)
    );
    assert_eq!(
        Caller::Anonymous.require_host("a"),
        Err(ApiError::InvalidToken)
    );
}

#[test]
fn every_operation_describes_its_error_responses() {
    let api: Value = serde_json::from_str(&openapi_doc::generate()).unwrap();
    assert_eq!(api["openapi"], "3.1.0");
    assert_eq!(api["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut operations = 0;
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations += 1;
            let responses = operation["responses"].as_object().unwrap();
            for status in ["400", "401", "429"] {
                assert!(responses.contains_key(status), "{method} {path}: {status}");
            }
            let has_body = operation["requestBody"].is_object();
            for status in ["408", "413", "415"] {
                assert_eq!(
                    responses.contains_key(status),
                    has_body,
                    "{method} {path}: {status}"
                );
            }
            let may_be_missing = path.contains("{room}") || path.starts_with("/api/history");
            assert_eq!(
                responses.contains_key("404"),
                may_be_missing,
                "{method} {path}"
            );
            for (status, response) in responses {
                let has_content = response["content"]["application/json"].is_object();
                assert_eq!(has_content, status != "204", "{method} {path}: {status}");
            }
            assert!(
                operation["security"]
                    .as_array()
                    .is_some_and(|it| !it.is_empty())
            );
        }
    }
    assert_eq!(operations, 15);
    assert_references(&api, &api);
}

/// Asserts that every reference resolves.
fn assert_references(api: &Value, at: &Value) {
    match at {
        Value::Object(entries) => {
            if let Some(Value::String(reference)) = entries.get("$ref") {
                let pointer = reference.trim_start_matches('#');
                assert!(api.pointer(pointer).is_some(), "{reference}");
            }
            entries.values().for_each(|it| assert_references(api, it));
        }
        Value::Array(elements) => elements.iter().for_each(|it| assert_references(api, it)),
        _ => {}
    }
}
