//! Encodes responses of the TURN server (RFC 8489 §6, RFC 8656 §7).

use std::net::SocketAddr;

use stun_types::attribute::{
    AttributeType, ErrorCode, Fingerprint, MessageIntegrity, MessageIntegritySha256, Nonce, Realm,
    Software, Username, XorMappedAddress,
};
use stun_types::message::{
    IntegrityAlgorithm, IntegrityKey, Message, MessageWriteVec, StunWriteError,
};
use stun_types::prelude::{
    AttributeStaticType as _, AttributeWrite, MessageWrite as _, MessageWriteExt as _,
};
use turn_types::attribute::{
    ChannelNumber, Data, EvenPort, Lifetime, RequestedAddressFamily, RequestedTransport,
    ReservationToken, XorPeerAddress,
};

use super::authentication::REALM;

/// Attributes that requests may have. Others that require comprehension are refused with 420.
const KNOWN_ATTRIBUTES: [AttributeType; 15] = [
    Username::TYPE,
    Realm::TYPE,
    Nonce::TYPE,
    MessageIntegrity::TYPE,
    MessageIntegritySha256::TYPE,
    Fingerprint::TYPE,
    Software::TYPE,
    ChannelNumber::TYPE,
    Data::TYPE,
    EvenPort::TYPE,
    Lifetime::TYPE,
    RequestedAddressFamily::TYPE,
    RequestedTransport::TYPE,
    ReservationToken::TYPE,
    XorPeerAddress::TYPE,
];

/// Returns a signed success response.
///
/// # Errors
/// An attribute cannot be encoded.
pub fn success(
    request: &Message<'_>,
    key: &IntegrityKey,
    attributes: &[&dyn AttributeWrite],
) -> Result<Vec<u8>, StunWriteError> {
    let mut response = Message::builder_success(request, MessageWriteVec::new());
    for attribute in attributes {
        response.add_attribute(*attribute)?;
    }
    sign(response, key)
}

/// Returns a signed error response.
///
/// # Errors
/// The code is none of an error.
pub fn error(
    request: &Message<'_>,
    key: &IntegrityKey,
    code: u16,
) -> Result<Vec<u8>, StunWriteError> {
    let mut response = Message::builder_error(request, MessageWriteVec::new());
    response.add_attribute(&ErrorCode::builder(code).build()?)?;
    sign(response, key)
}

/// Returns a signed error response with the attributes that are not known; `None` when all are.
pub fn unknown_attributes(request: &Message<'_>, key: &IntegrityKey) -> Option<Vec<u8>> {
    let writer = MessageWriteVec::new();
    let response = Message::check_attribute_types(request, &KNOWN_ATTRIBUTES, &[], writer)?;
    sign(response, key).ok()
}

/// Returns an unsigned error response, with a challenge where the client may try again. It is short,
/// without the text of the error, because it may go to a forged address.
///
/// # Errors
/// The code is none of an error.
pub fn challenge(
    request: &Message<'_>,
    code: u16,
    nonce: Option<&str>,
) -> Result<Vec<u8>, StunWriteError> {
    let mut response = Message::builder_error(request, MessageWriteVec::new());
    response.add_attribute(&ErrorCode::builder(code).reason("").build()?)?;
    if let Some(nonce) = nonce {
        response.add_attribute(&Realm::new(REALM)?)?;
        response.add_attribute(&Nonce::new(nonce)?)?;
    }
    Ok(response.finish())
}

/// Returns the response to a Binding request (RFC 8489 §12).
///
/// # Errors
/// The address cannot be encoded.
pub fn binding(request: &Message<'_>, client: SocketAddr) -> Result<Vec<u8>, StunWriteError> {
    let mut response = Message::builder_success(request, MessageWriteVec::new());
    let mapped = XorMappedAddress::new(client, request.transaction_id());
    response.add_attribute(&mapped)?;
    Ok(response.finish())
}

fn sign(mut response: MessageWriteVec, key: &IntegrityKey) -> Result<Vec<u8>, StunWriteError> {
    response.add_message_integrity_with_key(key, IntegrityAlgorithm::Sha1)?;
    Ok(response.finish())
}
