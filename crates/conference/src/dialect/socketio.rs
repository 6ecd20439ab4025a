//! Parses and writes Socket.IO packets (protocol 5, used by Socket.IO 3 and 4).
//! `2/call,5["joinRoom",{…}]` is an event of the namespace `/call` that asks for acknowledgement 5.
//! The caller has removed the Engine.IO digit in front of the packet.
//!
//! Attachments are not supported: a packet that announces any is an error, so that no packet waits
//! for them. Parsing allocates nothing and only reads the head of a packet. `parse_arguments`
//! parses its JSON, within the limits for all messages.

use serde_json::Value;
use thiserror::Error;

use super::json;

/// The default namespace, which packets leave out.
pub const NAMESPACE_MAIN: &str = "/";

/// Maximum length of the name of a namespace, in bytes. The served ones have at most 10.
pub const NAMESPACE_LEN_MAX: usize = 64;

/// Maximum number of digits of an acknowledgement number: JavaScript represents all integers of 15
/// digits exactly.
const ACK_DIGITS_MAX: usize = 15;

/// Maximum number of arguments of an event, its name included. Known clients send at most 4.
pub const ARGUMENTS_MAX: usize = 16;

/// Maximum length of the token in a CONNECT packet, in bytes.
const TOKEN_LEN_MAX: usize = 4 << 10;

/// Type of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketKind {
    /// Opens a namespace, or confirms that it is open.
    Connect,
    /// Closes a namespace.
    Disconnect,
    /// An event: a name and its arguments.
    Event,
    /// Acknowledges an event.
    Ack,
    /// Refuses to open a namespace.
    ConnectError,
}

/// A parsed packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Type of the packet.
    pub kind: PacketKind,
    /// Name of the namespace, `/` when the packet has none.
    pub namespace: &'a str,
    /// Acknowledgement number that an event asks for, or that this acknowledgement has.
    pub ack: Option<u64>,
    /// Unparsed JSON: an array for events and acknowledgements, otherwise an object or nothing.
    pub data: &'a str,
}

/// Reason why a text is not a valid packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PacketError {
    /// The first character is not a packet type.
    #[error("an unknown packet type")]
    Kind,
    /// The packet announces attachments.
    #[error("binary packets are not taken")]
    Binary,
    /// The name of the namespace is too long.
    #[error("the namespace is too long")]
    Namespace,
    /// The acknowledgement number is missing, out of place, too long or padded.
    #[error("the number of the acknowledgement is wrong")]
    Ack,
    /// The JSON is missing, out of place or of the wrong type.
    #[error("the data is wrong")]
    Data,
}

/// Parses a packet.
///
/// # Errors
/// Returns the reason why the text is not a packet, or `Binary` when it has attachments.
pub fn parse(text: &str) -> Result<Packet<'_>, PacketError> {
    let mut rest = text.chars();
    let kind = match rest.next() {
        Some('0') => PacketKind::Connect,
        Some('1') => PacketKind::Disconnect,
        Some('2') => PacketKind::Event,
        Some('3') => PacketKind::Ack,
        Some('4') => PacketKind::ConnectError,
        Some('5' | '6') => return Err(PacketError::Binary),
        _ => return Err(PacketError::Kind),
    };
    let (namespace, rest) = split_namespace(rest.as_str())?;
    let (ack, data) = split_ack_number(rest)?;
    let has_valid_ack = match kind {
        PacketKind::Event => true,
        PacketKind::Ack => ack.is_some(),
        PacketKind::Connect | PacketKind::Disconnect | PacketKind::ConnectError => ack.is_none(),
    };
    if !has_valid_ack {
        return Err(PacketError::Ack);
    }
    let has_valid_data = match kind {
        PacketKind::Event | PacketKind::Ack => data.starts_with('['),
        PacketKind::Connect => data.is_empty() || data.starts_with('{'),
        PacketKind::Disconnect => data.is_empty(),
        PacketKind::ConnectError => data.starts_with('{'),
    };
    if !has_valid_data {
        return Err(PacketError::Data);
    }
    Ok(Packet {
        kind,
        namespace,
        ack,
        data,
    })
}

/// Splits the namespace from the head of a text. Its name ends with a comma, or with the text.
fn split_namespace(text: &str) -> Result<(&str, &str), PacketError> {
    if !text.starts_with('/') {
        return Ok((NAMESPACE_MAIN, text));
    }
    let head = text.as_bytes().iter().take(NAMESPACE_LEN_MAX + 1);
    let (name, rest) = match head.clone().position(|&byte| byte == b',') {
        Some(comma) => (text.get(..comma), text.get(comma + 1..)),
        None if text.len() <= NAMESPACE_LEN_MAX => (Some(text), Some("")),
        None => return Err(PacketError::Namespace),
    };
    name.zip(rest).ok_or(PacketError::Namespace)
}

/// Splits the acknowledgement number from the head of a text, if there is one.
fn split_ack_number(text: &str) -> Result<(Option<u64>, &str), PacketError> {
    let digits = text
        .bytes()
        .take(ACK_DIGITS_MAX + 1)
        .take_while(u8::is_ascii_digit)
        .count();
    let (number, rest) = text.split_at_checked(digits).ok_or(PacketError::Ack)?;
    match digits {
        0 => Ok((None, rest)),
        // Padding is refused, so that an acknowledgement repeats the number exactly as received.
        2.. if number.starts_with('0') => Err(PacketError::Ack),
        1..=ACK_DIGITS_MAX => Ok((Some(number.parse().map_err(|_| PacketError::Ack)?), rest)),
        _ => Err(PacketError::Ack),
    }
}

/// Parses the data of an event or of an acknowledgement.
///
/// # Errors
/// Returns an explanation for the sender when it is not an array, or exceeds a limit.
pub fn parse_arguments(data: &str) -> Result<Vec<Value>, String> {
    match json::parse(data)? {
        Value::Array(arguments) if arguments.len() <= ARGUMENTS_MAX => Ok(arguments),
        Value::Array(_) => Err("too many arguments".to_owned()),
        _ => Err("the arguments are no array".to_owned()),
    }
}

/// Parses the token in the data of a CONNECT packet. Clients without a token leave it out or send
/// `null`.
///
/// # Errors
/// Returns an explanation for the sender when the data is not an object, or when the token is not a
/// text of at most 4 KiB.
pub fn parse_auth_token(data: &str) -> Result<Option<String>, String> {
    if data.is_empty() {
        return Ok(None);
    }
    let Value::Object(mut auth) = json::parse(data)? else {
        return Err("the credentials are no object".to_owned());
    };
    match auth.remove("token") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(token)) if token.len() <= TOKEN_LEN_MAX => Ok(Some(token)),
        Some(_) => Err("the token is no text, or too long".to_owned()),
    }
}

/// Writes an event.
pub fn write_event(namespace: &str, name: &str, arguments: &[Value]) -> String {
    let name = Value::from(name);
    let all = std::iter::once(&name).chain(arguments);
    append_array(head('2', namespace), all)
}

/// Writes the acknowledgement with this number.
pub fn write_ack(namespace: &str, id: u64, arguments: &[Value]) -> String {
    let mut text = head('3', namespace);
    text.push_str(&id.to_string());
    append_array(text, arguments.iter())
}

/// Writes the confirmation that a namespace is open, with the connection's id in that namespace.
pub fn write_connect(namespace: &str, sid: &str) -> String {
    append_object(head('0', namespace), "sid", sid)
}

/// Writes the refusal to open a namespace, with the reason.
pub fn write_connect_error(namespace: &str, message: &str) -> String {
    append_object(head('4', namespace), "message", message)
}

/// Writes the packet that closes a namespace.
pub fn write_disconnect(namespace: &str) -> String {
    head('1', namespace)
}

/// Returns the head of a packet: type and namespace.
fn head(kind: char, namespace: &str) -> String {
    let mut text = String::from(kind);
    if namespace != NAMESPACE_MAIN {
        text.push_str(namespace);
        text.push(',');
    }
    text
}

fn append_array<'a>(mut text: String, values: impl Iterator<Item = &'a Value>) -> String {
    text.push('[');
    for (n, value) in values.enumerate() {
        if n > 0 {
            text.push(',');
        }
        text.push_str(&value.to_string());
    }
    text.push(']');
    text
}

fn append_object(mut text: String, key: &str, value: &str) -> String {
    text.push_str(&serde_json::json!({ key: value }).to_string());
    text
}

#[cfg(test)]
mod tests;
