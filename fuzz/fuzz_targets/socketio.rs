//! Fuzzes the Socket.IO parser: parsed packets are written and parsed again to the same packet, packets
//! with attachments are refused, and arguments keep their limits.
#![no_main]

use serde_json::Value;
use watersmeet_conference::socketio::{
    ARGUMENTS_MAX, NAMESPACE_LEN_MAX, Packet, PacketKind, parse, parse_arguments, parse_auth_token,
    write_ack, write_disconnect, write_event,
};

/// Writes a parsed packet.
fn write(packet: &Packet) -> Option<String> {
    let arguments = || {
        let read = parse_arguments(packet.data).ok()?;
        assert!(read.len() <= ARGUMENTS_MAX);
        Some(read)
    };
    match (packet.kind, packet.ack) {
        (PacketKind::Ack, Some(id)) => Some(write_ack(packet.namespace, id, &arguments()?)),
        (PacketKind::Event, None) => {
            let arguments = arguments()?;
            let (name, rest) = arguments.split_first()?;
            Some(write_event(packet.namespace, name.as_str()?, rest))
        }
        (PacketKind::Disconnect, None) => Some(write_disconnect(packet.namespace)),
        _ => None,
    }
}

/// Returns whether all numbers of a value are integers. Others may lose their last bit when they are
/// written and parsed.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => !number.is_f64(),
        Value::Array(values) => values.iter().all(is_exact),
        Value::Object(entries) => entries.values().all(is_exact),
        _ => true,
    }
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(packet) = parse(text) else { return };
    assert!(!text.starts_with(['5', '6']));
    assert!(packet.namespace.starts_with('/') && packet.namespace.len() <= NAMESPACE_LEN_MAX);
    assert!(text.ends_with(packet.data));
    if packet.kind == PacketKind::Connect {
        let token = parse_auth_token(packet.data).ok().flatten();
        assert!(token.is_none_or(|token| token.len() <= packet.data.len()));
    }
    let Some(text) = write(&packet) else { return };
    let second = parse(&text).expect("a written packet can be parsed");
    assert_eq!(
        (second.kind, second.namespace, second.ack),
        (packet.kind, packet.namespace, packet.ack)
    );
    if packet.kind != PacketKind::Disconnect {
        let (first, second) = (parse_arguments(packet.data), parse_arguments(second.data));
        assert_eq!(first.is_ok(), second.is_ok());
        let exact = first.iter().flatten().all(is_exact);
        assert!(
            !exact || first == second,
            "{first:?} is parsed again as {second:?}"
        );
    }
});
