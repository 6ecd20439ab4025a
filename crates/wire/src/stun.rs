//! STUN messages of ICE: binding requests, responses and indications (RFC 8489 §5, §14;
//! RFC 8445 §7, §16.1).
//!
//! Messages are parsed in place. Attributes before MESSAGE-INTEGRITY can be trusted once
//! [`StunMessage::verify`] returns true; attributes after it are ignored except FINGERPRINT
//! (RFC 8489 §14.5). This module keeps no transactions and does not decide what to answer.

mod format;
mod integrity;
mod message;
#[cfg(test)]
mod tests;
mod write;

pub use format::{BINDING, Class, HEADER_LEN, IceRole, TransactionId, UNKNOWN_ATTRIBUTES_MAX};
pub use integrity::IntegrityKey;
pub use message::{ATTRIBUTES_MAX, StunError, StunMessage, is_stun};
pub use write::{BindingRequest, ErrorCode, write_error, write_indication, write_success};
