//! Checks that a secret is not guessable. Anyone who guesses it can sign any token, offline and
//! undetected, so a server without a good secret must not start. Errors never repeat the secret.

use thiserror::Error;

/// Minimum length of a secret in bytes: the output size of HMAC-SHA-256 (RFC 7518 §3.2).
pub const SECRET_LEN_MIN: usize = 32;

/// Minimum number of distinct bytes of a secret without known words. 32 random bytes have about 30,
/// 32 random hexadecimal digits about 14, a padded word one or two.
const DISTINCT_MIN: usize = 8;

/// Common words in example secrets. A word comes before all shorter words that it contains. A
/// random secret may contain one by chance; the rest is still long enough.
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

/// Which of the two secrets this is: the current one, or the previous one during a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretGeneration {
    /// Signs and verifies tokens.
    Current,
    /// Only verifies tokens, until its replacement is complete.
    Previous,
}

/// Reason why a secret is too weak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SecretWeakness {
    /// The secret is empty.
    #[error("is missing")]
    Missing,
    /// The secret has fewer than `SECRET_LEN_MIN` bytes.
    #[error("has {len} bytes and needs {SECRET_LEN_MIN}")]
    Short {
        /// Length of the secret in bytes.
        len: usize,
    },
    /// The secret consists of words that are common in examples.
    #[error("is one that stands in examples, or made like them")]
    Sample,
    /// The secret repeats a few characters.
    #[error("repeats the same few characters")]
    Repetitive,
}

/// A secret that is too weak to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the {} secret {weakness}", match which { SecretGeneration::Current => "current", SecretGeneration::Previous => "previous" })]
pub struct WeakSecret {
    /// Secret that is too weak: current or previous.
    pub which: SecretGeneration,
    /// Reason why it is too weak.
    pub weakness: SecretWeakness,
}

/// Checks that a secret is long enough and not guessable.
///
/// # Errors
/// The secret is too weak.
pub(super) fn check(which: SecretGeneration, secret: &[u8]) -> Result<(), WeakSecret> {
    match weakness(secret) {
        Some(weakness) => Err(WeakSecret { which, weakness }),
        None => Ok(()),
    }
}

/// Returns why a secret is too weak, if it is.
fn weakness(secret: &[u8]) -> Option<SecretWeakness> {
    if secret.is_empty() {
        return Some(SecretWeakness::Missing);
    }
    if secret.len() < SECRET_LEN_MIN {
        return Some(SecretWeakness::Short { len: secret.len() });
    }
    let plain = normalize(secret);
    let rest = without_known_words(&plain);
    if distinct(&rest) >= DISTINCT_MIN {
        None
    } else if rest.len() < plain.len() {
        Some(SecretWeakness::Sample)
    } else {
        Some(SecretWeakness::Repetitive)
    }
}

/// Returns the number of distinct bytes.
fn distinct(bytes: &[u8]) -> usize {
    let mut bytes = bytes.to_vec();
    bytes.sort_unstable();
    bytes.dedup();
    bytes.len()
}

/// Returns a secret in lower case without white space and punctuation.
fn normalize(secret: &[u8]) -> Vec<u8> {
    let is_between = |byte: &u8| byte.is_ascii_whitespace() || b"-_.:,;!?/+=".contains(byte);
    let bytes = secret.iter().filter(|byte| !is_between(byte));
    bytes.map(u8::to_ascii_lowercase).collect()
}

/// Returns a secret without known words.
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

/// Returns the position of `word` in `bytes` from `start` on.
fn find(bytes: &[u8], word: &[u8], start: usize) -> Option<usize> {
    let mut windows = bytes.windows(word.len()).skip(start);
    windows
        .position(|window| window == word)
        .map(|at| start + at)
}
