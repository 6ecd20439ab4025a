//! Verification of tokens, and STUN and TURN servers for clients. Both depend on the wall clock.

use std::sync::Arc;
use std::time::Duration;

use watersmeet_wire::units::Time;

use super::Conference;
use super::permissions::Permissions;
use super::timers::Timer;
use crate::access::Grant;
use crate::connect_request::ConnectRequest;
use crate::message::{JoinRequest, PeerId, Refusal, SessionId};
use crate::turn::IceServer;

impl Conference {
    /// Verifies the token of a connect request. Native and rmm clients may send theirs with the
    /// join request instead.
    ///
    /// # Errors
    /// The token is invalid.
    pub(super) fn grant_on_connect(
        &self,
        request: &ConnectRequest,
    ) -> Result<Option<Grant>, Refusal> {
        let token = request.token.as_deref();
        let verified = token.map(|token| self.verify(token)).transpose()?;
        Ok(verified.map(|(grant, _)| grant))
    }

    /// Returns the permissions of a session in a room. The token of the join request takes
    /// precedence over that of the connect request.
    ///
    /// # Errors
    /// A token is invalid, is for another room, or is required and missing.
    pub(super) fn permissions(
        &self,
        id: SessionId,
        request: &JoinRequest,
    ) -> Result<Permissions, Refusal> {
        let session = self.sessions.get(id).ok_or(Refusal::Internal)?;
        let brought = request.token.as_deref();
        let brought = brought.map(|token| self.verify(token)).transpose()?;
        // Verified again, because it may have expired since the connect request.
        let on_connect = session.token().map(|token| self.verify(token)).transpose();
        let used = match &brought {
            Some(used) => Some(used),
            None => on_connect.as_ref().map_err(Clone::clone)?.as_ref(),
        };
        if used.is_none() && session.token_required() {
            return Err(Refusal::InvalidToken);
        }
        let grant = used.map(|(grant, _)| grant);
        let mut permissions = Permissions::for_grant(grant, &request.room)?;
        permissions.expires_unix_s = used.map(|(_, expires_s)| *expires_s);
        if permissions.user.is_none()
            && let Ok(Some((user @ Grant::User { .. }, expires_s))) = &on_connect
        {
            permissions.user = Permissions::for_grant(Some(user), &request.room)?.user;
            let expiries = permissions.expires_unix_s.into_iter().chain([*expires_s]);
            permissions.expires_unix_s = expiries.min();
        }
        Ok(permissions)
    }

    /// Starts the timer that closes a connection when the tokens expire with which it joined.
    pub(super) fn watch_token_expiry(&mut self, id: SessionId, permissions: &Permissions) {
        let Some(expires_s) = permissions.expires_unix_s else {
            return;
        };
        if !self.config.expired_tokens_disconnect {
            return;
        }
        let since_origin = Duration::from_secs(expires_s).checked_sub(self.config.unix_epoch);
        let at = Time::ZERO + since_origin.unwrap_or_default();
        self.set_token_expiry(id, Some(at));
    }

    /// Sets or cancels the timer that closes a connection when its tokens expire.
    pub(super) fn set_token_expiry(&mut self, id: SessionId, at: Option<Time>) {
        let session = self.sessions.get_mut(id);
        let before = session.and_then(|it| it.set_token_expiry(at));
        if let Some(before) = before {
            self.timers.cancel(before, Timer::TokenExpiry(id));
        }
        if let Some(at) = at {
            self.timers.schedule(at, Timer::TokenExpiry(id));
        }
    }

    /// Returns the STUN and TURN servers for a participant.
    pub(super) fn ice_servers(&self, peer: &PeerId) -> Arc<[IceServer]> {
        let servers = &self.config.ice_servers;
        servers.for_client(peer.as_str(), self.unix_s()).into()
    }

    /// Returns the STUN and TURN servers for a session.
    pub(super) fn ice_servers_for(&self, id: SessionId) -> Arc<[IceServer]> {
        let peer = self.sessions.peer(id);
        peer.map_or_else(|| Arc::from([]), |peer| self.ice_servers(&peer))
    }

    /// Verifies a token at the current time. Returns its grant and its expiry.
    fn verify(&self, token: &str) -> Result<(Grant, u64), Refusal> {
        let keys = self.config.keys.as_ref().ok_or(Refusal::InvalidToken)?;
        keys.verify_with_expiry(token, self.unix_s())
            .map_err(|_| Refusal::InvalidToken)
    }

    /// Returns the wall clock time, in seconds since 1970.
    fn unix_s(&self) -> u64 {
        (self.config.unix_epoch + self.now.since_origin()).as_secs()
    }
}
