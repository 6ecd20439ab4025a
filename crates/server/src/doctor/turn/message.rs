//! STUN (RFC 8489) and TURN (RFC 8656) messages of a client that requests and releases an
//! allocation. Encoded and parsed by `stun-types`; see `docs/decisions/0016-turn-check.md`.

use stun_types::attribute::{AttributeType, ErrorCode, Nonce, RawAttribute, Realm, Username};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageClass, MessageHeader,
    MessageWrite as _, MessageWriteExt as _, MessageWriteVec, Method, StunWriteError,
};

/// TURN methods and attributes, which `stun-types` does not define (RFC 8656 §17 and §18).
const ALLOCATE: Method = Method::new(0x0003);
const REFRESH: Method = Method::new(0x0004);
const LIFETIME: AttributeType = AttributeType::new(0x000D);
const REQUESTED_TRANSPORT: AttributeType = AttributeType::new(0x0019);

/// REQUESTED-TRANSPORT for UDP: the protocol number and three reserved bytes.
const TRANSPORT_UDP: [u8; 4] = [17, 0, 0, 0];

/// LIFETIME that releases an allocation: zero seconds.
const LIFETIME_ZERO: [u8; 4] = [0; 4];

/// Length of the STUN header, in bytes.
pub const HEADER_LEN: usize = MessageHeader::LENGTH;

/// Long-term credentials with the challenge of a server (RFC 8489 §9.2).
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
    /// Realm of the server.
    pub realm: String,
    /// Nonce of the server.
    pub nonce: String,
}

/// Response of a server.
#[derive(Debug, PartialEq, Eq)]
pub enum Response {
    /// The request succeeded.
    Success,
    /// The server requires credentials, or other ones than those sent (401, 438).
    Challenge {
        /// Realm of the credentials.
        realm: String,
        /// Nonce to send with the credentials.
        nonce: String,
    },
    /// The server refused with this error code.
    Refused(u16),
}

/// An encoded request.
pub struct Request(Vec<u8>);

impl Request {
    /// Creates a Binding request.
    pub fn binding() -> Self {
        Self(Message::builder_request(BINDING, MessageWriteVec::new()).finish())
    }

    /// Creates an Allocate request. Without credentials the server responds with a challenge.
    pub fn allocate(credentials: Option<&Credentials>) -> Self {
        let transport = RawAttribute::new(REQUESTED_TRANSPORT, &TRANSPORT_UDP);
        Self::build(ALLOCATE, &transport, credentials)
    }

    /// Creates a Refresh request that releases the allocation.
    pub fn release(credentials: &Credentials) -> Self {
        let lifetime = RawAttribute::new(LIFETIME, &LIFETIME_ZERO);
        Self::build(REFRESH, &lifetime, Some(credentials))
    }

    fn build(
        method: Method,
        attribute: &RawAttribute<'_>,
        credentials: Option<&Credentials>,
    ) -> Self {
        let mut message = Message::builder_request(method, MessageWriteVec::new());
        // Attributes that are too long are left out, and the server refuses the request.
        let _ = message.add_attribute(attribute);
        if let Some(credentials) = credentials {
            let _ = add_credentials(&mut message, credentials);
        }
        Self(message.finish())
    }

    /// Returns the encoded request.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Parses a response to this request; `None` when it is malformed or belongs to another request.
    pub fn parse_response(&self, bytes: &[u8]) -> Option<Response> {
        let request = Message::from_bytes(&self.0).ok()?;
        let response = Message::from_bytes(bytes).ok()?;
        if response.transaction_id() != request.transaction_id()
            || response.method() != request.method()
        {
            return None;
        }
        match response.class() {
            MessageClass::Success => return Some(Response::Success),
            MessageClass::Error => {}
            MessageClass::Request | MessageClass::Indication => return None,
        }
        let code = response.attribute::<ErrorCode>().ok()?.code();
        let realm = response.attribute::<Realm>();
        let nonce = response.attribute::<Nonce>();
        match (code, realm, nonce) {
            (401 | 438, Ok(realm), Ok(nonce)) => Some(Response::Challenge {
                realm: realm.realm().to_owned(),
                nonce: nonce.nonce().to_owned(),
            }),
            _ => Some(Response::Refused(code)),
        }
    }
}

fn add_credentials(
    message: &mut MessageWriteVec,
    credentials: &Credentials,
) -> Result<(), StunWriteError> {
    message.add_attribute(&Username::new(&credentials.username)?)?;
    message.add_attribute(&Realm::new(&credentials.realm)?)?;
    message.add_attribute(&Nonce::new(&credentials.nonce)?)?;
    let key = LongTermKeyCredentials::new(
        credentials.username.clone(),
        credentials.password.clone(),
        credentials.realm.clone(),
    );
    message.add_message_integrity(&key.into(), IntegrityAlgorithm::Sha1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(request: &Request) -> Vec<u8> {
        let request = Message::from_bytes(request.as_bytes()).unwrap();
        let mut response = Message::builder_error(&request, MessageWriteVec::new());
        let error = ErrorCode::builder(401).build().unwrap();
        response.add_attribute(&error).unwrap();
        response
            .add_attribute(&Realm::new("here").unwrap())
            .unwrap();
        response
            .add_attribute(&Nonce::new("once").unwrap())
            .unwrap();
        response.finish()
    }

    #[test]
    fn response_is_parsed_only_for_its_own_request() {
        let request = Request::allocate(None);
        let response = challenge(&request);
        let (realm, nonce) = ("here".to_owned(), "once".to_owned());
        let expected = Response::Challenge { realm, nonce };
        assert_eq!(request.parse_response(&response), Some(expected));
        assert_eq!(Request::allocate(None).parse_response(&response), None);
        for len in 0..response.len() {
            let parsed = request.parse_response(&response[..len]);
            assert!(!matches!(
                parsed,
                Some(Response::Success | Response::Challenge { .. })
            ));
        }
    }

    #[test]
    fn signed_request_has_username_and_valid_integrity() {
        let credentials = Credentials {
            username: "ana".to_owned(),
            password: "secret".to_owned(),
            realm: "here".to_owned(),
            nonce: "once".to_owned(),
        };
        let request = Request::allocate(Some(&credentials));
        let bytes = request.as_bytes();
        let len = u16::from_be_bytes([bytes[2], bytes[3]]);
        assert_eq!(usize::from(len), bytes.len() - HEADER_LEN);
        let message = Message::from_bytes(bytes).unwrap();
        let username = message.attribute::<Username>().unwrap();
        assert_eq!(username.username(), "ana");
        let key = LongTermKeyCredentials::new(
            credentials.username,
            credentials.password,
            credentials.realm,
        );
        assert!(message.validate_integrity(&key.into()).is_ok());
    }
}
