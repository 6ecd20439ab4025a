//! Packets as the JavaScript client writes them, invalid packets, and every packet of ours parsed
//! again.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const fn packet<'a>(
    kind: PacketKind,
    namespace: &'a str,
    ack: Option<u64>,
    data: &'a str,
) -> Packet<'a> {
    Packet {
        kind,
        namespace,
        ack,
        data,
    }
}

#[test]
fn packets_of_the_javascript_client_are_parsed() {
    use PacketKind::{Ack, Connect, ConnectError, Disconnect, Event};
    for (text, read) in [
        ("0", packet(Connect, "/", None, "")),
        (
            "0{\"token\":\"abc\"}",
            packet(Connect, "/", None, "{\"token\":\"abc\"}"),
        ),
        ("0/call,", packet(Connect, "/call", None, "")),
        ("0/call", packet(Connect, "/call", None, "")),
        ("0/call,{}", packet(Connect, "/call", None, "{}")),
        (
            "0{\"sid\":\"a\"}",
            packet(Connect, "/", None, "{\"sid\":\"a\"}"),
        ),
        ("1", packet(Disconnect, "/", None, "")),
        ("1/call,", packet(Disconnect, "/call", None, "")),
        ("2[\"hey\"]", packet(Event, "/", None, "[\"hey\"]")),
        ("20[\"hey\"]", packet(Event, "/", Some(0), "[\"hey\"]")),
        (
            "2/call,456[\"hey\",{\"a\":[1]}]",
            packet(Event, "/call", Some(456), "[\"hey\",{\"a\":[1]}]"),
        ),
        ("3/call,456[]", packet(Ack, "/call", Some(456), "[]")),
        ("2/,[\"hey\"]", packet(Event, "/", None, "[\"hey\"]")),
        (
            "4{\"message\":\"no\"}",
            packet(ConnectError, "/", None, "{\"message\":\"no\"}"),
        ),
    ] {
        assert_eq!(parse(text), Ok(read), "{text}");
    }
}

#[test]
fn invalid_packets_are_refused_with_the_reason() {
    use PacketError::{Ack, Binary, Data, Kind, Namespace};
    let long = format!("2/{}", "n".repeat(NAMESPACE_LEN_MAX));
    let nameless = format!("2/{}", "n".repeat(100_000));
    for (text, error) in [
        ("", Kind),
        ("7[]", Kind),
        ("é", Kind),
        ("[\"hey\"]", Kind),
        ("51-[\"hey\",{\"_placeholder\":true,\"num\":0}]", Binary),
        ("5999999999-[\"hey\"]", Binary),
        ("61-/call,3[]", Binary),
        (&long, Namespace),
        (&nameless, Namespace),
        ("2", Data),
        ("2/call", Data),
        ("2{}", Data),
        ("2\"hey\"", Data),
        ("2 [\"hey\"]", Data),
        ("2-1[\"hey\"]", Data),
        ("201[\"hey\"]", Ack),
        ("21234567890123456[\"hey\"]", Ack),
        ("3[]", Ack),
        ("00", Ack),
        ("11", Ack),
        ("0[]", Data),
        ("1{}", Data),
        ("4", Data),
        ("4\"no\"", Data),
    ] {
        assert_eq!(parse(text), Err(error), "{text:.40}");
    }
}

#[test]
fn the_longest_namespace_and_ack_number_are_parsed() {
    let namespace = format!("/{}", "n".repeat(NAMESPACE_LEN_MAX - 1));
    let text = format!("2{namespace},{}[]", "9".repeat(ACK_DIGITS_MAX));
    let read = parse(&text).unwrap();
    assert_eq!(read.namespace, namespace);
    assert_eq!(read.ack, Some(999_999_999_999_999));
    assert_eq!(
        parse(&format!("0{namespace}")).unwrap().namespace,
        namespace
    );
}

#[test]
fn arguments_are_refused_unless_they_are_a_short_array() {
    assert_eq!(
        parse_arguments("[\"join\",{\"room\":\"a\"}]"),
        Ok(vec![json!("join"), json!({ "room": "a" })])
    );
    assert_eq!(parse_arguments("[]"), Ok(Vec::new()));
    let list = |len: usize| format!("[{}]", vec!["0"; len].join(","));
    assert!(parse_arguments(&list(ARGUMENTS_MAX)).is_ok());
    let deep = format!("{}{}", "[".repeat(60_000), "]".repeat(5_000));
    for bad in [
        "",
        "{}",
        "[",
        "[1,]",
        "[1] ]",
        "[NaN]",
        "[1e999]",
        "[\"\\ud800\"]",
        "[{\"a\":1,\"a\":2}]",
        &list(ARGUMENTS_MAX + 1),
        &deep,
    ] {
        assert!(parse_arguments(bad).is_err(), "{bad:.40}");
    }
}

#[test]
fn a_token_is_refused_unless_it_is_text_or_absent() {
    assert_eq!(parse_auth_token(""), Ok(None));
    assert_eq!(parse_auth_token("{}"), Ok(None));
    assert_eq!(parse_auth_token("{\"token\":null}"), Ok(None));
    assert_eq!(
        parse_auth_token("{\"token\":\"abc\",\"name\":1}"),
        Ok(Some("abc".to_owned()))
    );
    let long = json!({ "token": "x".repeat(TOKEN_LEN_MAX + 1) }).to_string();
    for bad in [
        "{\"token\":1}",
        "{\"token\":{\"a\":1}}",
        "{\"token\":\"a\",\"token\":\"b\"}",
        "{",
        &long,
    ] {
        assert!(parse_auth_token(bad).is_err(), "{bad:.40}");
    }
}

#[test]
fn packets_are_written_as_the_javascript_client_parses_them() {
    assert_eq!(
        write_event("/", "new-producer", &[json!({ "id": 1 })]),
        "2[\"new-producer\",{\"id\":1}]"
    );
    assert_eq!(write_event("/call", "a\"b", &[]), "2/call,[\"a\\\"b\"]");
    assert_eq!(
        write_ack("/call", 5, &[json!(1), json!(null)]),
        "3/call,5[1,null]"
    );
    assert_eq!(write_ack("/", 0, &[]), "30[]");
    assert_eq!(write_connect("/", "abc"), "0{\"sid\":\"abc\"}");
    assert_eq!(
        write_connect_error("/x", "Invalid namespace"),
        "4/x,{\"message\":\"Invalid namespace\"}"
    );
    assert_eq!(write_disconnect("/"), "1");
    assert_eq!(write_disconnect("/call"), "1/call,");
}

fn namespaces() -> impl Strategy<Value = String> {
    prop_oneof![Just(NAMESPACE_MAIN.to_owned()), "/[a-z0-9_.é-]{0,20}"]
}

fn values() -> impl Strategy<Value = Vec<Value>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::vec(value, 0..ARGUMENTS_MAX)
}

proptest! {
    #[test]
    fn written_events_and_acknowledgements_are_parsed_unchanged(
        namespace in namespaces(),
        name in any::<String>(),
        id in 0..10_u64.pow(15),
        values in values(),
    ) {
        let text = write_event(&namespace, &name, &values);
        let read = parse(&text).unwrap();
        prop_assert_eq!((read.kind, read.namespace, read.ack), (PacketKind::Event, &*namespace, None));
        let mut all = vec![Value::from(name)];
        all.extend(values.iter().cloned());
        prop_assert_eq!(parse_arguments(read.data), Ok(all));

        let text = write_ack(&namespace, id, &values);
        let read = parse(&text).unwrap();
        prop_assert_eq!((read.kind, read.namespace, read.ack), (PacketKind::Ack, &*namespace, Some(id)));
        prop_assert_eq!(parse_arguments(read.data), Ok(values));
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in any::<String>(), head in "[0-6](/[a-z]{0,5},?)?[0-9]{0,3}") {
        for text in [text.clone(), head + &text] {
            if let Ok(read) = parse(&text) {
                prop_assert!(text.ends_with(read.data));
                prop_assert!(read.namespace.starts_with('/'));
            }
        }
    }
}
