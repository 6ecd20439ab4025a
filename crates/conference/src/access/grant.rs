//! Grants of tokens, limits of tokens, and reasons for refusing them.

use thiserror::Error;

/// Maximum length of a token in bytes. Tokens issued here have about 200, room grants 400.
pub const TOKEN_LEN_MAX: usize = 4096;

/// Tolerated difference between the clocks of two machines, in seconds.
pub const LEEWAY_S: u64 = 30;

/// Maximum lifetime of a token, in seconds, so that a leaked link does not work for ever.
pub const LIFETIME_S_MAX: u64 = 7 * 24 * 60 * 60;

/// Lifetime of tokens issued here, in seconds.
pub const LIFETIME_S: u64 = 24 * 60 * 60;

/// Maximum length of a text claim, in bytes.
pub const TEXT_LEN_MAX: usize = 256;

/// Grant of a token to its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Entry to a room.
    Invite {
        /// Name of the room.
        room: String,
    },
    /// Identity of a user.
    User {
        /// Permanent identifier of the person.
        id: String,
        /// Email address, shown to others.
        email: String,
    },
    /// Permissions in a room.
    Room(RoomGrant),
}

/// Permissions in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomGrant {
    /// Name of the room.
    pub room: String,
    /// Permanent identifier of the person.
    pub identity: Option<String>,
    /// Display name of the bearer.
    pub name: Option<String>,
    /// Whether the bearer may send media.
    pub can_publish: bool,
    /// Whether the bearer may receive media.
    pub can_subscribe: bool,
    /// Whether the bearer is a host.
    pub room_admin: bool,
}

/// Reason why a token is refused, for logs and tests. Clients only learn that it was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenRefusal {
    /// The token is longer than `TOKEN_LEN_MAX`.
    #[error("longer than {TOKEN_LEN_MAX} bytes")]
    TooLong,
    /// The token does not consist of three base64url parts.
    #[error("not a token")]
    Malformed,
    /// The header names another algorithm than HS256, or has a field that is not accepted.
    #[error("its header is not one of ours")]
    Header,
    /// The token was signed with another key, or modified.
    #[error("its signature is wrong")]
    Signature,
    /// The claims are not one strict JSON object.
    #[error("its claims are not one JSON object")]
    Claims,
    /// A claim is missing, of the wrong type, empty or too long.
    #[error("its claim `{0}` is missing or wrong")]
    Claim(&'static str),
    /// The token has expired (`exp`).
    #[error("it has expired")]
    Expired,
    /// The token is not valid yet (`nbf` or `iat`).
    #[error("it is not valid yet")]
    NotYetValid,
    /// The token is valid for longer than `LIFETIME_S_MAX`.
    #[error("it is valid for too long")]
    Lifetime,
    /// The claims contain no known grant.
    #[error("it grants nothing")]
    NoGrant,
    /// The claims contain several grants, or a restriction that cannot be honoured.
    #[error("what it grants is not clear")]
    Ambiguous,
}
