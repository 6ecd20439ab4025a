//! The few messages of STUN (RFC 8489 §5) and TURN (RFC 8656 §17) that a client needs to ask for a
//! relay and to give it back. It writes and reads bytes and knows no socket.

use aws_lc_rs::hmac;
use md5::{Digest as _, Md5};

const BINDING: u16 = 0x0001;
const ALLOCATE: u16 = 0x0003;
const REFRESH: u16 = 0x0004;

/// The class bits of an answer (RFC 8489 §5).
const SUCCESS: u16 = 0x0100;
/// See `SUCCESS`.
const ERROR: u16 = 0x0110;

const MAGIC_COOKIE: u32 = 0x2112_A442;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const LIFETIME: u16 = 0x000D;
const REALM: u16 = 0x0014;
const NONCE: u16 = 0x0015;
const REQUESTED_TRANSPORT: u16 = 0x0019;

/// UDP, as REQUESTED-TRANSPORT has it.
const UDP: [u8; 4] = [17, 0, 0, 0];

/// Bytes of the header.
pub const HEADER_LEN: usize = 20;

/// Bytes of MESSAGE-INTEGRITY with its header.
const INTEGRITY_LEN: usize = 24;

/// What an allocation is asked with.
pub struct Allocation<'a> {
    /// Who asks.
    pub username: &'a str,
    /// What proves it.
    pub credential: &'a str,
    /// As the server said.
    pub realm: Vec<u8>,
    /// As the server said.
    pub nonce: Vec<u8>,
}

/// How a server answers.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// It does as it was asked.
    Success,
    /// It wants credentials, or others than these (401, 438).
    Challenge {
        /// For which realm.
        realm: Vec<u8>,
        /// To be repeated.
        nonce: Vec<u8>,
    },
    /// It does not, with this code.
    Refused(u16),
}

/// A request, and what its answer must repeat.
pub struct Request {
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Asks who we are.
pub fn binding() -> Request {
    Builder::new(BINDING).end()
}

/// Asks for a relay; without credentials, to be told the realm.
pub fn allocate(with: Option<&Allocation<'_>>) -> Request {
    let builder = Builder::new(ALLOCATE).attribute(REQUESTED_TRANSPORT, &UDP);
    match with {
        Some(with) => builder.sign(with),
        None => builder.end(),
    }
}

/// Gives a relay back.
pub fn release(with: &Allocation<'_>) -> Request {
    Builder::new(REFRESH)
        .attribute(LIFETIME, &[0; 4])
        .sign(with)
}

impl Request {
    /// Reads an answer; none when it answers something else.
    pub fn answer(&self, bytes: &[u8]) -> Option<Answer> {
        let (header, body) = bytes.split_at_checked(HEADER_LEN)?;
        if header.get(4..) != self.bytes.get(4..HEADER_LEN) {
            return None;
        }
        let kind = number(header, 0)?;
        let asked = number(&self.bytes, 0)?;
        if kind == asked | SUCCESS {
            return Some(Answer::Success);
        }
        if kind != asked | ERROR {
            return None;
        }
        let code = attribute(body, ERROR_CODE)?;
        let class = u16::from(code.get(2)? & 7);
        let code = class * 100 + u16::from(*code.get(3)?);
        match (code, attribute(body, REALM), attribute(body, NONCE)) {
            (401 | 438, Some(realm), Some(nonce)) => Some(Answer::Challenge {
                realm: realm.to_vec(),
                nonce: nonce.to_vec(),
            }),
            _ => Some(Answer::Refused(code)),
        }
    }
}

/// A message in the making.
struct Builder(Vec<u8>);

impl Builder {
    fn new(kind: u16) -> Self {
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend([0, 0]);
        bytes.extend(MAGIC_COOKIE.to_be_bytes());
        let mut transaction = [0; 12];
        // Without randomness the number is a constant, which one request at a time can bear.
        let _ = getrandom::fill(&mut transaction);
        bytes.extend(transaction);
        Self(bytes)
    }

    fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.0.extend(kind.to_be_bytes());
        self.0.extend(len.to_be_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Long-term credentials (RFC 8489 §9.2.2): the key is the MD5 of the three, and the length in
    /// the header counts MESSAGE-INTEGRITY.
    fn sign(self, with: &Allocation<'_>) -> Request {
        let mut builder = self
            .attribute(USERNAME, with.username.as_bytes())
            .attribute(REALM, &with.realm)
            .attribute(NONCE, &with.nonce);
        let mut key = Md5::new();
        key.update(with.username);
        key.update(":");
        key.update(&with.realm);
        key.update(":");
        key.update(with.credential);
        builder.write_len(INTEGRITY_LEN);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key.finalize());
        let tag = hmac::sign(&key, &builder.0);
        builder.attribute(MESSAGE_INTEGRITY, tag.as_ref()).end()
    }

    fn end(mut self) -> Request {
        self.write_len(0);
        Request { bytes: self.0 }
    }

    /// Writes the length of the body, with as many bytes as are still to come.
    fn write_len(&mut self, more: usize) {
        let len = self.0.len().saturating_sub(HEADER_LEN) + more;
        let len = u16::try_from(len).unwrap_or(u16::MAX);
        if let Some(field) = self.0.get_mut(2..4) {
            field.copy_from_slice(&len.to_be_bytes());
        }
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    let (number, _) = bytes.get(at..)?.split_first_chunk::<2>()?;
    Some(u16::from_be_bytes(*number))
}

/// The value of the first attribute of a kind.
fn attribute(mut body: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let kind = number(body, 0)?;
        let len = usize::from(number(body, 2)?);
        let value = body.get(4..4 + len)?;
        if kind == wanted {
            return Some(value);
        }
        body = body.get(4 + len.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_and_a_strangers_is_not() {
        let request = allocate(None);
        let mut answer = Builder(request.bytes[..HEADER_LEN].to_vec())
            .attribute(ERROR_CODE, &[0, 0, 4, 1])
            .attribute(REALM, b"here")
            .attribute(NONCE, b"once")
            .end()
            .bytes;
        answer[..2].copy_from_slice(&(ALLOCATE | ERROR).to_be_bytes());
        let (realm, nonce) = (b"here".to_vec(), b"once".to_vec());
        let challenge = Answer::Challenge { realm, nonce };
        assert_eq!(request.answer(&answer), Some(challenge));
        assert_eq!(allocate(None).answer(&answer), None);
        for len in 0..answer.len() {
            let part = request.answer(&answer[..len]);
            assert!(!matches!(
                part,
                Some(Answer::Success | Answer::Challenge { .. })
            ));
        }
    }

    #[test]
    fn a_signed_request_counts_its_own_length() {
        let with = Allocation {
            username: "ana",
            credential: "secret",
            realm: b"here".to_vec(),
            nonce: b"once".to_vec(),
        };
        let bytes = allocate(Some(&with)).bytes;
        assert_eq!(
            usize::from(number(&bytes, 2).unwrap()),
            bytes.len() - HEADER_LEN
        );
        assert_eq!(attribute(&bytes[HEADER_LEN..], USERNAME), Some(&b"ana"[..]));
        assert_eq!(
            attribute(&bytes[HEADER_LEN..], MESSAGE_INTEGRITY)
                .unwrap()
                .len(),
            20
        );
    }
}
