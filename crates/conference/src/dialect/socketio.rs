//! The packets of Socket.IO (protocol 5, the one of its versions 3 and 4) between texts and their
//! parts: `2/call,5["joinRoom",{…}]` is an event of the namespace `/call` that wants an
//! acknowledgement by the number 5. The Engine.IO digit in front of them is gone already.
//!
//! Attachments do not exist here: a packet that announces any is an error, so that nothing ever
//! waits for them. Reading allocates nothing and looks at no more than the head of a packet; what
//! stands in its JSON is read by `arguments`, within the bounds of every other message.

use serde_json::Value;
use thiserror::Error;

use super::json;

/// The namespace that is not written.
pub const NAMESPACE_MAIN: &str = "/";

/// Longest name of a namespace, in bytes. Ours have at most ten.
pub const NAMESPACE_LEN_MAX: usize = 64;

/// Most digits of the number of an acknowledgement: what a JavaScript client can count to.
const ACK_DIGITS_MAX: usize = 15;

/// Most arguments of an event, its name included. No client of ours sends more than four.
pub const ARGUMENTS_MAX: usize = 16;

/// Longest token in a CONNECT packet, in bytes.
const TOKEN_LEN_MAX: usize = 4 << 10;

/// What a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketKind {
    /// Opens a namespace, or says that it is open.
    Connect,
    /// Closes a namespace.
    Disconnect,
    /// Something happened: a name and its arguments.
    Event,
    /// The answer to an event that asked for one.
    Ack,
    /// A namespace was not opened.
    ConnectError,
}

/// A packet, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is for.
    pub kind: PacketKind,
    /// Its namespace, `/` when none was written.
    pub namespace: &'a str,
    /// The number of the acknowledgement it wants, or is.
    pub ack: Option<u64>,
    /// Its JSON, unread: an array for events and acknowledgements, else an object or nothing.
    pub data: &'a str,
}

/// Why a text is no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PacketError {
    /// The first character is no packet type.
    #[error("an unknown packet type")]
    Kind,
    /// It announces attachments.
    #[error("binary packets are not taken")]
    Binary,
    /// The name of the namespace is too long.
    #[error("the namespace is too long")]
    Namespace,
    /// The number of the acknowledgement is missing, out of place, too long or padded.
    #[error("the number of the acknowledgement is wrong")]
    Ack,
    /// The JSON is missing, out of place or of the wrong type.
    #[error("the data is wrong")]
    Data,
}

/// Takes a text apart.
///
/// # Errors
/// When it is no packet, or one with attachments.
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
    let (namespace, rest) = namespace(rest.as_str())?;
    let (ack, data) = ack_number(rest)?;
    let wanted = match kind {
        PacketKind::Event => true,
        PacketKind::Ack => ack.is_some(),
        PacketKind::Connect | PacketKind::Disconnect | PacketKind::ConnectError => ack.is_none(),
    };
    if !wanted {
        return Err(PacketError::Ack);
    }
    let fits = match kind {
        PacketKind::Event | PacketKind::Ack => data.starts_with('['),
        PacketKind::Connect => data.is_empty() || data.starts_with('{'),
        PacketKind::Disconnect => data.is_empty(),
        PacketKind::ConnectError => data.starts_with('{'),
    };
    if !fits {
        return Err(PacketError::Data);
    }
    Ok(Packet {
        kind,
        namespace,
        ack,
        data,
    })
}

/// The namespace at the head of a text, and what follows it. Its name ends with a comma, or with
/// the text.
fn namespace(text: &str) -> Result<(&str, &str), PacketError> {
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

/// The number at the head of a text, if there is one, and what follows it.
fn ack_number(text: &str) -> Result<(Option<u64>, &str), PacketError> {
    let digits = text
        .bytes()
        .take(ACK_DIGITS_MAX + 1)
        .take_while(u8::is_ascii_digit)
        .count();
    let (number, rest) = text.split_at_checked(digits).ok_or(PacketError::Ack)?;
    match digits {
        0 => Ok((None, rest)),
        // One number has one form, so that an answer carries what the client wrote.
        2.. if number.starts_with('0') => Err(PacketError::Ack),
        1..=ACK_DIGITS_MAX => Ok((Some(number.parse().map_err(|_| PacketError::Ack)?), rest)),
        _ => Err(PacketError::Ack),
    }
}

/// Reads the data of an event or of an acknowledgement.
///
/// # Errors
/// What is wrong with it, in words for the one who sent it.
pub fn parse_arguments(data: &str) -> Result<Vec<Value>, String> {
    match json::parse(data)? {
        Value::Array(arguments) if arguments.len() <= ARGUMENTS_MAX => Ok(arguments),
        Value::Array(_) => Err("too many arguments".to_owned()),
        _ => Err("the arguments are no array".to_owned()),
    }
}

/// Reads the token in the data of a CONNECT packet. A client that has none leaves it out or says
/// `null`.
///
/// # Errors
/// What is wrong with the data, in words for the one who sent it.
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
    with_array(head('2', namespace), all)
}

/// Writes the answer to the event that asked for one by this number.
pub fn write_ack(namespace: &str, id: u64, arguments: &[Value]) -> String {
    let mut text = head('3', namespace);
    text.push_str(&id.to_string());
    with_array(text, arguments.iter())
}

/// Writes that a namespace is open, and what this connection is called in it.
pub fn write_connect(namespace: &str, sid: &str) -> String {
    with_text(head('0', namespace), "sid", sid)
}

/// Writes that a namespace was not opened, and why.
pub fn write_connect_error(namespace: &str, message: &str) -> String {
    with_text(head('4', namespace), "message", message)
}

/// Writes that a namespace is closed.
pub fn write_disconnect(namespace: &str) -> String {
    head('1', namespace)
}

/// The type and the namespace, with which every packet begins.
fn head(kind: char, namespace: &str) -> String {
    let mut text = String::from(kind);
    if namespace != NAMESPACE_MAIN {
        text.push_str(namespace);
        text.push(',');
    }
    text
}

fn with_array<'a>(mut text: String, values: impl Iterator<Item = &'a Value>) -> String {
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

fn with_text(mut text: String, key: &str, value: &str) -> String {
    text.push_str(&serde_json::json!({ key: value }).to_string());
    text
}

#[cfg(test)]
mod tests;
