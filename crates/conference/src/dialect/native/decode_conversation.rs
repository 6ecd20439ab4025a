//! Decodes requests about chat, raised hands, reactions, captions and polls.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::payloads::*;
use crate::dialect::media_json::read_value;
use crate::message::{CaptionRequest, ChatRequest, PollRequest, Refusal, Request};

/// Reads the payload of a frame of type `kind`.
///
/// # Errors
/// The type is unknown, or the payload is not valid.
pub(super) fn conversation_request(
    kind: &str,
    payload: Map<String, Value>,
) -> Result<Request, Refusal> {
    Ok(match kind {
        "chat" => {
            let Chat { text, to, key } = read(payload)?;
            Request::Chat(ChatRequest { text, to, key })
        }
        "getConversation" => Request::ReadConversation {
            after: read::<GetConversation>(payload)?.after.unwrap_or(0),
        },
        "setHand" => {
            let SetHand { raised, peer_id } = read(payload)?;
            Request::RaiseHand {
                raised,
                peer: peer_id,
            }
        }
        "react" => Request::React {
            reaction: read::<React>(payload)?.reaction,
        },
        "caption" => {
            let SendCaption {
                text,
                is_final,
                peer_id,
            } = read(payload)?;
            Request::Caption(CaptionRequest {
                text,
                is_final: is_final.unwrap_or(false),
                speaker: peer_id,
            })
        }
        "openPoll" => {
            let OpenPoll { question, options } = read(payload)?;
            Request::Poll(PollRequest::Open { question, options })
        }
        "vote" => {
            let Vote { poll_id, option } = read(payload)?;
            let poll = poll_id;
            Request::Poll(PollRequest::Vote { poll, option })
        }
        "closePoll" => Request::Poll(PollRequest::Close {
            poll: read::<ClosePoll>(payload)?.poll_id,
        }),
        _ => return Err(Refusal::UnknownType),
    })
}

/// Reads a payload as `T`.
fn read<T: DeserializeOwned>(payload: Map<String, Value>) -> Result<T, Refusal> {
    read_value(Value::Object(payload))
}
