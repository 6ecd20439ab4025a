//! What can be judged without a server: bodies, who may do what, and the description itself.

use serde_json::json;
use watersmeet_conference::access::{Grant, RoomGrant};

use super::caller::{Caller, is_key};
use super::schemas::{Mute, NewRoom};
use super::*;

fn fault<T: DeserializeOwned>(body: &str) -> Option<Value> {
    let fault = shape::<T>(&Bytes::from(body.to_owned())).err()?;
    assert_eq!(
        fault.clone().into_response().status(),
        StatusCode::BAD_REQUEST
    );
    Some(json!(format!("{fault:?}")))
}

#[test]
fn bodies_are_strict() {
    assert_eq!(fault::<NewRoom>(r#"{"hostName":"Alice"}"#), None);
    assert_eq!(
        fault::<NewRoom>(r#"{"hostName":"Alice","policy":"invite-only"}"#),
        None
    );
    assert_eq!(fault::<Mute>(""), None);
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
        r#"{"hostName":"Alice"} {}"#,
        "{hostName:1}",
    ] {
        assert!(fault::<NewRoom>(body).is_some(), "{body}");
    }
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    assert!(fault::<NewRoom>(&deep).is_some());
}

#[test]
fn a_body_has_to_say_that_it_is_json_or_nothing() {
    let says = |kinds: &[&str]| {
        let mut headers = HeaderMap::new();
        for kind in kinds {
            headers.append(header::CONTENT_TYPE, kind.parse().unwrap());
        }
        is_json(&headers)
    };
    assert!(says(&[]));
    assert!(says(&["application/json"]) && says(&["Application/JSON; charset=utf-8"]));
    assert!(!says(&["text/plain"]) && !says(&["application/jsonp"]));
    assert!(!says(&["application/json", "text/plain"]));
}

#[test]
fn a_key_is_the_key_and_nothing_like_it() {
    let key = Secret::new("0123456789abcdef0123456789abcdef".to_owned());
    assert!(is_key(Some(&key), "0123456789abcdef0123456789abcdef"));
    for other in [
        "",
        "0",
        "0123456789abcdef0123456789abcdeg",
        "0123456789abcdef0123456789abcdef0",
    ] {
        assert!(!is_key(Some(&key), other), "{other}");
    }
    assert!(!is_key(None, ""));
}

fn host_of(room: &str, room_admin: bool) -> Caller {
    Caller::Bearer(Grant::Room(RoomGrant {
        room: room.to_owned(),
        identity: None,
        name: None,
        can_publish: true,
        can_subscribe: true,
        room_admin,
    }))
}

#[test]
fn nobody_may_more_than_was_granted() {
    let invited = Caller::Bearer(Grant::Invite {
        room: "a".to_owned(),
    });
    let user = Caller::Bearer(Grant::User {
        id: "1".to_owned(),
        email: "a@example.org".to_owned(),
    });
    // Who; then: knows of invite-only rooms a and b, is host of a and b, makes rooms, operates.
    let table = [
        (Caller::Anybody, [false; 6]),
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
            caller.host("a").is_ok(),
            caller.host("b").is_ok(),
            caller.creator(RoomCreation::Token).is_ok(),
            caller.operator().is_ok(),
        ];
        assert_eq!(has, rights, "{caller:?}");
        assert!(caller.creator(RoomCreation::Anyone).is_ok());
        assert!(caller.known(false).is_ok());
    }
    assert_eq!(Caller::Anybody.known(true), Err(ApiError::InvalidToken));
    assert_eq!(Caller::Anybody.host("a"), Err(ApiError::InvalidToken));
}

#[test]
fn every_operation_describes_what_can_go_wrong() {
    let api: Value = serde_json::from_str(&openapi_doc::text()).unwrap();
    assert_eq!(api["openapi"], "3.1.0");
    assert_eq!(api["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut operations = 0;
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations += 1;
            let answers = operation["responses"].as_object().unwrap();
            for status in ["400", "401", "429"] {
                assert!(answers.contains_key(status), "{method} {path}: {status}");
            }
            let has_body = operation["requestBody"].is_object();
            for status in ["408", "413", "415"] {
                assert_eq!(
                    answers.contains_key(status),
                    has_body,
                    "{method} {path}: {status}"
                );
            }
            let names_room = path.contains("{room}");
            assert_eq!(answers.contains_key("404"), names_room, "{method} {path}");
            for (status, answer) in answers {
                let has_content = answer["content"]["application/json"].is_object();
                assert_eq!(has_content, status != "204", "{method} {path}: {status}");
            }
            assert!(
                operation["security"]
                    .as_array()
                    .is_some_and(|it| !it.is_empty())
            );
        }
    }
    assert_eq!(operations, 10);
    assert_references(&api, &api);
}

/// Every reference leads somewhere.
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
