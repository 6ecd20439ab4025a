//! Parses Socket.IO events of clients, and writes acknowledgements and events. Shared by all
//! Socket.IO dialects.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::effect::{DecodeError, Effect, RequestTag};
use super::media_json::{bad_request, read_value};
use super::socketio::{self, PacketKind};
use crate::connect_request::Namespace;
use crate::message::Refusal;

/// A Socket.IO event of a client.
#[derive(Debug)]
pub(crate) struct SocketIoEvent {
    /// Name of the event.
    pub name: String,
    /// First argument; `Null` when there is none.
    pub argument: Value,
    /// Number of the acknowledgement that the client waits for.
    pub ack: Option<u64>,
}

impl SocketIoEvent {
    /// Parses a packet as an event. Returns `None` for packets that need no answer.
    ///
    /// # Errors
    /// Returns `BadRequest` when the text is not a packet, or its data not an event.
    pub(super) fn parse(frame: &str) -> Result<Option<Self>, DecodeError> {
        let error = |ack: Option<u64>, what: &str| DecodeError {
            tag: RequestTag {
                id: ack.map(Value::from),
                event: "",
            },
            refusal: bad_request(what),
        };
        let packet = socketio::parse(frame).map_err(|it| error(None, &it.to_string()))?;
        if packet.kind != PacketKind::Event {
            return Ok(None);
        }
        let arguments =
            socketio::parse_arguments(packet.data).map_err(|it| error(packet.ack, &it))?;
        let mut arguments = arguments.into_iter();
        let Some(Value::String(name)) = arguments.next() else {
            return Err(error(packet.ack, "an event needs a name"));
        };
        Ok(Some(Self {
            name,
            argument: arguments.next().unwrap_or_default(),
            ack: packet.ack,
        }))
    }

    /// Returns the number of the acknowledgement as the id of a request.
    pub(super) fn id(&self) -> Option<Value> {
        self.ack.map(Value::from)
    }

    /// Returns the tag of the request that this event makes.
    pub(super) fn tag(&self, event: &'static str) -> RequestTag {
        RequestTag {
            id: self.id(),
            event,
        }
    }

    /// Returns the name of this event from the list `names`.
    ///
    /// # Errors
    /// Returns `UnknownType` when the list does not contain it.
    pub(super) fn known_name(&self, names: &[&'static str]) -> Result<&'static str, Refusal> {
        let mut names = names.iter().copied();
        names
            .find(|it| *it == self.name)
            .ok_or(Refusal::UnknownType)
    }

    /// Reads the argument as `T`; a missing one counts as an empty object.
    ///
    /// # Errors
    /// Returns `BadRequest` when it has another shape.
    pub(super) fn read<T: DeserializeOwned>(self) -> Result<T, Refusal> {
        match self.argument {
            Value::Null => read_value(Value::Object(Map::new())),
            argument => read_value(argument),
        }
    }
}

/// Writes the acknowledgement of a request, if the client waits for one.
pub(super) fn acknowledge(namespace: Namespace, tag: &RequestTag, answer: Value) -> Vec<Effect> {
    let ack = tag.id.as_ref().and_then(Value::as_u64);
    ack.map(|ack| Effect::SendFrame(socketio::write_ack(namespace.name(), ack, &[answer])))
        .into_iter()
        .collect()
}

/// Writes the acknowledgement `{error}` of a refused request, if the client waits for one.
pub(super) fn acknowledge_refusal(
    namespace: Namespace,
    tag: &RequestTag,
    refusal: &Refusal,
) -> Vec<Effect> {
    acknowledge(namespace, tag, json!({ "error": refusal.to_string() }))
}

/// Writes an event for the client.
pub(super) fn emit(namespace: Namespace, name: &str, payload: Value) -> Effect {
    Effect::SendFrame(socketio::write_event(namespace.name(), name, &[payload]))
}
