//! What tokens grant, their limits, and why they are refused.

use thiserror::Error;

/// Maximum length of a token in bytes. Tokens issued here have about 200, room grants 400.
pub const TOKEN_LEN_MAX: usize = 4096;

/// Tolerated difference of two machines' clocks, in seconds.
pub const LEEWAY_S: u64 = 30;

/// Maximum lifetime of a token, in seconds: a link that leaks must not open a room for ever.
pub const LIFETIME_S_MAX: u64 = 7 * 24 * 60 * 60;

/// Lifetime of tokens issued here, in seconds.
pub const LIFETIME_S: u64 = 24 * 60 * 60;

/// Maximum length of a text claim, in bytes.
pub const TEXT_LEN_MAX: usize = 256;

/// What a token grants to its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Entry to a room.
    Invite {
        /// Name of the room.
        room: String,
    },
    /// An identity.
    User {
        /// Permanent identifier of the person.
        id: String,
        /// Address for mail, shown to others.
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
    /// Display name.
    pub name: Option<String>,
    /// Whether the bearer may send media.
    pub can_publish: bool,
    /// Whether the bearer may receive media.
    pub can_subscribe: bool,
    /// Whether the bearer is a host.
    pub room_admin: bool,
}

/// Reason why a token is refused, for logs and tests. Its bearer is only told that it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenRefusal {
    /// Longer than `TOKEN_LEN_MAX`.
    #[error("longer than {TOKEN_LEN_MAX} bytes")]
    TooLong,
    /// Not three base64url parts.
    #[error("not a token")]
    Malformed,
    /// The header asks for something else than HS256.
    #[error("its header is not one of ours")]
    Header,
    /// Signed with another key, or modified.
    #[error("its signature is wrong")]
    Signature,
    /// The claims are not one strict JSON object.
    #[error("its claims are not one JSON object")]
    Claims,
    /// A claim is missing, of the wrong type, empty or too long.
    #[error("its claim `{0}` is missing or wrong")]
    Claim(&'static str),
    /// Past its `exp`.
    #[error("it has expired")]
    Expired,
    /// Before its `nbf` or `iat`.
    #[error("it is not valid yet")]
    NotYetValid,
    /// Valid for longer than `LIFETIME_S_MAX`.
    #[error("it is valid for too long")]
    Lifetime,
    /// No known grant.
    #[error("it grants nothing")]
    NoGrant,
    /// Several grants, or a restriction that cannot be honoured.
    #[error("what it grants is not clear")]
    Ambiguous,
}
