//! Secret text. Implements neither `Display` nor `Serialize`, and its `Debug` output is constant, so
//! that it cannot reach a log.

use std::fmt;

use serde::Deserialize;

/// A secret, such as a key or password.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text, to sign or compare with it.
    pub const fn expose(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
