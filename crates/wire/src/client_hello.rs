//! ClientHello of DTLS: what a server must know of it before it chooses a version, and the bytes of a
//! stateless HelloRetryRequest.
//!
//! A HelloRetryRequest is part of the transcript that both sides hash, together with the ClientHello that
//! it answers. [`write_hello_retry`] therefore depends on nothing but the cookie, and
//! [`hello_before_retry`] restores the first ClientHello from the second, so that a server keeps neither.
//!
//! RFC 8446 §4.1.2, §4.1.4, §4.2; RFC 9147 §5.1–5.3; RFC 5764 §4.1.1.

mod reassembly;
#[cfg(test)]
mod tests;

pub use reassembly::{HELLO_LEN_MAX, HelloFragment, HelloReassembly, PARTIAL_HELLOS_MAX};

/// Length of a cookie in bytes.
pub const COOKIE_LEN: usize = COOKIE_LEN_BYTE as usize;

/// Length of a cookie as it is sent.
const COOKIE_LEN_BYTE: u8 = 32;

/// Cipher suite that every implementation of TLS 1.3 has: `TLS_AES_128_GCM_SHA256` (RFC 8446 §9.1).
const AES_128_GCM_SHA256: u16 = 0x1301;

/// Groups of which one must have a key share: secp256r1, secp384r1, x25519.
const GROUPS: [u16; 3] = [0x0017, 0x0018, 0x001d];

/// SRTP profiles `SRTP_AEAD_AES_128_GCM` and `SRTP_AEAD_AES_256_GCM` (RFC 7714 §14.2).
const GCM_PROFILES: [u16; 2] = [0x0007, 0x0008];

/// Version numbers.
const DTLS_1_2: [u8; 2] = [0xfe, 0xfd];
const DTLS_1_3: [u8; 2] = [0xfe, 0xfc];

/// Random of a ServerHello that is a HelloRetryRequest (RFC 8446 §4.1.3).
const HELLO_RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// Extension types (RFC 8446 §4.2, RFC 5764 §4.1.1, RFC 7685).
mod extension {
    pub const USE_SRTP: u16 = 14;
    pub const PADDING: u16 = 21;
    pub const SUPPORTED_VERSIONS: u16 = 43;
    pub const COOKIE: u16 = 44;
    pub const KEY_SHARE: u16 = 51;
}

/// Handshake types.
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;

/// Length of type and length before an extension.
const EXTENSION_HEADER_LEN: usize = 4;

/// A complete ClientHello, parsed in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientHello<'a> {
    /// Cipher suites, two bytes each, most preferred first.
    suites: &'a [u8],
    /// Everything before the length of the extensions.
    before_extensions: &'a [u8],
    /// Valid extensions.
    extensions: &'a [u8],
}

impl<'a> ClientHello<'a> {
    /// Parses the body of the message, without its header. Returns `None` when a length is inconsistent.
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        const VERSION_AND_RANDOM_LEN: usize = 2 + 32;
        let (_, rest) = body.split_at_checked(VERSION_AND_RANDOM_LEN)?;
        let (_session_id, rest) = split_u8_prefixed(rest)?;
        let (_legacy_cookie, rest) = split_u8_prefixed(rest)?;
        let (suites, rest) = split_u16_prefixed(rest)?;
        let (_compression, rest) = split_u8_prefixed(rest)?;
        let before_extensions = body.get(..body.len() - rest.len())?;
        let (extensions, rest) = if rest.is_empty() {
            (rest, rest)
        } else {
            split_u16_prefixed(rest)?
        };
        let mut unread = extensions;
        while !unread.is_empty() {
            (_, unread) = split_extension(unread)?;
        }
        rest.is_empty().then_some(Self {
            suites,
            before_extensions,
            extensions,
        })
    }

    /// Returns whether [`write_hello_retry`] is a valid answer: the client offers DTLS 1.3, the cipher
    /// suite of the answer, and a key share that needs no other.
    pub fn accepts_hello_retry(&self) -> bool {
        self.offers_dtls_1_3() && contains(self.suites, AES_128_GCM_SHA256) && self.has_key_share()
    }

    /// Returns whether the first SRTP profile that the client lists uses AES-GCM.
    pub fn prefers_aes_gcm(&self) -> bool {
        let profiles = self
            .extension(extension::USE_SRTP)
            .and_then(split_u16_prefixed);
        let first = profiles.and_then(|(profiles, _)| profiles.first_chunk::<2>());
        first.is_some_and(|first| GCM_PROFILES.contains(&u16::from_be_bytes(*first)))
    }

    /// Returns the cookie of a HelloRetryRequest that it echoes.
    pub fn retry_cookie(&self) -> Option<&'a [u8]> {
        let (cookie, _) = split_u16_prefixed(self.extension(extension::COOKIE)?)?;
        Some(cookie)
    }

    fn offers_dtls_1_3(&self) -> bool {
        let versions = self
            .extension(extension::SUPPORTED_VERSIONS)
            .and_then(split_u8_prefixed);
        versions.is_some_and(|(versions, _)| contains(versions, u16::from_be_bytes(DTLS_1_3)))
    }

    fn has_key_share(&self) -> bool {
        let shares = self
            .extension(extension::KEY_SHARE)
            .and_then(split_u16_prefixed);
        let mut unread = shares.map_or(&[][..], |(shares, _)| shares);
        while let Some((group, rest)) = unread.split_first_chunk::<2>() {
            if GROUPS.contains(&u16::from_be_bytes(*group)) {
                return true;
            }
            let Some((_, after)) = split_u16_prefixed(rest) else {
                return false;
            };
            unread = after;
        }
        false
    }

    /// Returns the contents of the first extension of a type.
    fn extension(&self, wanted: u16) -> Option<&'a [u8]> {
        self.extensions()
            .find(|it| it.kind == wanted)
            .map(|it| it.data)
    }

    fn extensions(&self) -> impl Iterator<Item = Extension<'a>> + use<'a> {
        let mut unread = self.extensions;
        std::iter::from_fn(move || {
            let (extension, rest) = split_extension(unread)?;
            unread = rest;
            Some(extension)
        })
    }
}

/// An extension.
struct Extension<'a> {
    kind: u16,
    data: &'a [u8],
}

/// Restores the first ClientHello from the one with a cookie that follows a HelloRetryRequest.
///
/// A client repeats its ClientHello with the cookie added (RFC 8446 §4.1.2); other permitted changes have
/// reasons that [`write_hello_retry`] does not give, except padding. A client that pads does so to a
/// certain length (RFC 7685), hence the padding takes the place of the cookie.
pub fn hello_before_retry(body: &[u8]) -> Option<Vec<u8>> {
    let hello = ClientHello::parse(body)?;
    let cookie = hello.extension(extension::COOKIE)?;
    let mut extensions = Vec::with_capacity(hello.extensions.len());
    for Extension { kind, data } in hello.extensions() {
        if kind == extension::COOKIE {
            continue;
        }
        let growth = if kind == extension::PADDING {
            EXTENSION_HEADER_LEN + cookie.len()
        } else {
            0
        };
        extensions.extend(kind.to_be_bytes());
        extensions.extend(u16::try_from(data.len() + growth).ok()?.to_be_bytes());
        extensions.extend(data);
        extensions.resize(extensions.len() + growth, 0);
    }
    let len = u16::try_from(extensions.len()).ok()?.to_be_bytes();
    Some([hello.before_extensions, &len, &extensions].concat())
}

/// Writes a datagram with a HelloRetryRequest that changes nothing but the cookie (RFC 8446 §4.1.4).
pub fn write_hello_retry(cookie: &[u8; COOKIE_LEN]) -> Vec<u8> {
    const VERSION_LEN: u8 = 6;
    const COOKIE_HEADER_LEN: u8 = 6;
    let [suite_0, suite_1] = AES_128_GCM_SHA256.to_be_bytes();
    // An empty session id: DTLS 1.3 does not echo it (RFC 9147 §5.3). No compression.
    let fields: &[u8] = &[0, suite_0, suite_1, 0];
    let extensions_len: &[u8] = &[0, VERSION_LEN + COOKIE_HEADER_LEN + COOKIE_LEN_BYTE];
    let [kind_0, kind_1] = extension::SUPPORTED_VERSIONS.to_be_bytes();
    let [v0, v1] = DTLS_1_3;
    let version: &[u8] = &[kind_0, kind_1, 0, 2, v0, v1];
    let [kind_0, kind_1] = extension::COOKIE.to_be_bytes();
    let cookie_header: &[u8] = &[kind_0, kind_1, 0, COOKIE_LEN_BYTE + 2, 0, COOKIE_LEN_BYTE];
    let body = [
        &DTLS_1_2[..],
        &HELLO_RETRY_RANDOM,
        fields,
        extensions_len,
        version,
        cookie_header,
        cookie,
    ]
    .concat();
    write_message(SERVER_HELLO, 0, &body)
}

/// Writes a datagram with a ClientHello in one record. `seq` is the number of message and record.
pub fn write_client_hello(seq: u16, body: &[u8]) -> Vec<u8> {
    write_message(CLIENT_HELLO, seq, body)
}

/// Writes a plaintext record with one handshake message (RFC 9147 §4, §5.2).
fn write_message(kind: u8, seq: u16, body: &[u8]) -> Vec<u8> {
    const HANDSHAKE_HEADER_LEN: usize = 12;
    let [len_0, len_1] = len_bytes(body.len());
    let [record_0, record_1] = len_bytes(body.len() + HANDSHAKE_HEADER_LEN);
    let [seq_0, seq_1] = seq.to_be_bytes();
    let record: &[u8] = &[
        22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, seq_0, seq_1, record_0, record_1,
    ];
    let header: &[u8] = &[
        kind, 0, len_0, len_1, seq_0, seq_1, 0, 0, 0, 0, len_0, len_1,
    ];
    [record, header, body].concat()
}

/// Returns a length as it is sent. Messages of a handshake are shorter than 64 KiB.
fn len_bytes(len: usize) -> [u8; 2] {
    u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes()
}

/// Returns whether a list of numbers of two bytes has this one.
fn contains(list: &[u8], wanted: u16) -> bool {
    let (numbers, _) = list.as_chunks::<2>();
    numbers.iter().any(|it| u16::from_be_bytes(*it) == wanted)
}

fn split_extension(bytes: &[u8]) -> Option<(Extension<'_>, &[u8])> {
    let (kind, rest) = bytes.split_first_chunk::<2>()?;
    let (data, rest) = split_u16_prefixed(rest)?;
    let kind = u16::from_be_bytes(*kind);
    Some((Extension { kind, data }, rest))
}

/// Splits off bytes that follow their length in one byte.
fn split_u8_prefixed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*len))
}

/// Splits off bytes that follow their length in two bytes.
fn split_u16_prefixed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}
