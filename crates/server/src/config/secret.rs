//! Text that nobody but its user may see. It has no `Display` and no `Serialize`, and its `Debug`
//! says nothing, so that it cannot slip into a log.

use std::fmt;

use serde::Deserialize;

/// Text that nobody but its user may see.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one who signs or compares with it.
    pub const fn expose(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
