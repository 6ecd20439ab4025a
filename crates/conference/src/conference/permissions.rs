//! Permissions that a token grants in a room.

use std::sync::Arc;

use crate::access::Grant;
use crate::message::{JoinRequest, Refusal, User};
use crate::names::clean_name;

/// Permissions of a participant in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Permissions {
    /// User named by the token.
    pub user: Option<User>,
    /// Display name in the token.
    pub name: Option<String>,
    /// Whether the participant may enter invite-only rooms.
    pub is_invited: bool,
    /// Whether the participant enters without waiting for a host.
    pub is_admitted: bool,
    /// Whether the participant is a host.
    pub is_host: bool,
    /// Whether the participant may send media.
    pub can_publish: bool,
    /// Whether the participant may receive media.
    pub can_subscribe: bool,
    /// Time at which the tokens behind these permissions expire, in seconds since 1970.
    pub expires_unix_s: Option<u64>,
}

impl Permissions {
    /// Returns the name to show. One in a signed token takes precedence over a typed one, and that
    /// over the first part of a user's email address.
    pub(super) fn display_name(&self, request: &JoinRequest) -> Option<Arc<str>> {
        let names = [self.name.as_deref(), request.display_name.as_deref()];
        let mut names = names.into_iter().flatten().map(clean_name);
        let named = names.find(|it| !it.is_empty()).map(Arc::from);
        named.or_else(|| self.user.as_ref().and_then(User::email_local_part))
    }

    /// Permissions without a token.
    const DEFAULT: Self = Self {
        user: None,
        name: None,
        is_invited: false,
        is_admitted: false,
        is_host: false,
        can_publish: true,
        can_subscribe: true,
        expires_unix_s: None,
    };

    /// Returns the permissions that a token grants in a room.
    ///
    /// # Errors
    /// The token is for another room.
    pub(super) fn for_grant(grant: Option<&Grant>, room: &str) -> Result<Self, Refusal> {
        match grant {
            None => Ok(Self::DEFAULT),
            Some(Grant::User { id, email }) => Ok(Self {
                user: Some(User {
                    id: id.as_str().into(),
                    email: Some(email.as_str().into()),
                }),
                ..Self::DEFAULT
            }),
            Some(Grant::Invite { room: own }) if own == room => Ok(Self {
                is_invited: true,
                ..Self::DEFAULT
            }),
            Some(Grant::Room(grant)) if grant.room == room => Ok(Self {
                user: grant.identity.as_deref().map(|id| User {
                    id: id.into(),
                    email: None,
                }),
                name: grant.name.clone(),
                is_invited: true,
                is_admitted: true,
                is_host: grant.room_admin,
                can_publish: grant.can_publish,
                can_subscribe: grant.can_subscribe,
                expires_unix_s: None,
            }),
            Some(Grant::Invite { .. } | Grant::Room(_)) => Err(Refusal::InvalidToken),
        }
    }
}
