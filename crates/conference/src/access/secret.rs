//! Tells a secret from a text that everybody knows. Whoever guesses the secret can make any token,
//! offline and unseen, so a server that has none must not start. It must never repeat a secret.

use thiserror::Error;

/// Fewest bytes of a secret: as many as HMAC-SHA-256 puts out (RFC 7518 §3.2).
pub const SECRET_LEN_MIN: usize = 32;

/// Fewest different bytes of a secret, once known words are taken out of it. 32 random bytes have
/// about 30, 32 random hexadecimal digits about 14; a padded word has one or two.
const DISTINCT_MIN: usize = 8;

/// What secrets in examples are made of, the longer before what they contain. A random secret
/// holds one of them now and then, and enough is left.
const KNOWN_WORDS: [&str; 58] = [
    "abcdefghijklmnopqrstuvwxyz",
    "thequickbrownfox",
    "loremipsumdolor",
    "0123456789abcdef",
    "1234567890",
    "0123456789",
    "development",
    "placeholder",
    "watersmeet",
    "production",
    "characters",
    "qwertyuiop",
    "mediasoup",
    "123456789",
    "asdfghjkl",
    "asecretkey",
    "passphrase",
    "changeit",
    "password",
    "signature",
    "minimum",
    "invites",
    "default",
    "letters",
    "example",
    "generate",
    "livekit",
    "replace",
    "private",
    "12345678",
    "invite",
    "please",
    "qwerty",
    "string",
    "random",
    "256bit",
    "512bit",
    "secure",
    "sample",
    "secret",
    "signing",
    "change",
    "server",
    "123456",
    "bytes",
    "token",
    "chars",
    "least",
    "super",
    "admin",
    "test",
    "must",
    "this",
    "your",
    "long",
    "with",
    "jwt",
    "key",
];

/// Which secret is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretRole {
    /// The one that signs.
    Current,
    /// The one before it.
    Previous,
}

/// What is wrong with a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SecretWeakness {
    /// There is none.
    #[error("is missing")]
    Missing,
    /// Fewer than `SECRET_LEN_MIN` bytes.
    #[error("has {len} bytes and needs {SECRET_LEN_MIN}")]
    Short {
        /// How many it has.
        len: usize,
    },
    /// Made of words that stand in every example.
    #[error("is one that stands in examples, or made like them")]
    Sample,
    /// The same few characters over and over.
    #[error("repeats the same few characters")]
    Repetitive,
}

/// A secret that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the {} secret {weakness}", match which { SecretRole::Current => "current", SecretRole::Previous => "previous" })]
pub struct WeakSecret {
    /// Which.
    pub which: SecretRole,
    /// What is wrong with it.
    pub weakness: SecretWeakness,
}

/// Checks a secret.
pub(super) fn check(which: SecretRole, secret: &[u8]) -> Result<(), WeakSecret> {
    match weakness(secret) {
        Some(weakness) => Err(WeakSecret { which, weakness }),
        None => Ok(()),
    }
}

/// What is wrong with a secret, if anything.
fn weakness(secret: &[u8]) -> Option<SecretWeakness> {
    if secret.is_empty() {
        return Some(SecretWeakness::Missing);
    }
    if secret.len() < SECRET_LEN_MIN {
        return Some(SecretWeakness::Short { len: secret.len() });
    }
    let plain = plain(secret);
    let rest = without_known_words(&plain);
    if distinct(&rest) >= DISTINCT_MIN {
        None
    } else if rest.len() < plain.len() {
        Some(SecretWeakness::Sample)
    } else {
        Some(SecretWeakness::Repetitive)
    }
}

/// How many different bytes there are.
fn distinct(bytes: &[u8]) -> usize {
    let mut bytes = bytes.to_vec();
    bytes.sort_unstable();
    bytes.dedup();
    bytes.len()
}

/// A secret without capitals and what people put between words.
fn plain(secret: &[u8]) -> Vec<u8> {
    let is_between = |byte: &u8| byte.is_ascii_whitespace() || b"-_.:,;!?/+=".contains(byte);
    let bytes = secret.iter().filter(|byte| !is_between(byte));
    bytes.map(u8::to_ascii_lowercase).collect()
}

/// What is left when known words are taken out.
fn without_known_words(plain: &[u8]) -> Vec<u8> {
    let mut rest = plain.to_vec();
    for word in KNOWN_WORDS {
        let word = word.as_bytes();
        let mut start = 0;
        while let Some(found) = find(&rest, word, start) {
            rest.drain(found..found + word.len());
            start = found;
        }
    }
    rest
}

/// Where `word` stands in `bytes`, not before `start`.
fn find(bytes: &[u8], word: &[u8], start: usize) -> Option<usize> {
    let mut windows = bytes.windows(word.len()).skip(start);
    windows
        .position(|window| window == word)
        .map(|at| start + at)
}
