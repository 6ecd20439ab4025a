//! Public names of new connections: chosen by the client where its dialect allows that, else generated.

use super::Conference;
use super::permissions::Permissions;
use crate::access::Grant;
use crate::connect_request::{ConnectRequest, DialectKind, Namespace};
use crate::message::PeerId;
use crate::names::is_peer_name;

impl Conference {
    /// Returns the public name of a new connection.
    pub(super) fn choose_peer_id(&mut self, dialect: DialectKind, grant: Option<&Grant>) -> PeerId {
        match (dialect, grant) {
            (DialectKind::SocketIo(Namespace::Main), Some(Grant::User { id, .. })) => {
                PeerId::from_user_id(id)
            }
            (DialectKind::SocketIo(_), _) => PeerId::generate(&mut self.rng, ""),
            _ => PeerId::generate(&mut self.rng, "peer_"),
        }
    }

    /// Returns the public name in the address of a protoo client, whose peers expect to know it by
    /// that. A name that somebody has whom the client does not replace is not granted.
    pub(super) fn claimed_peer_id(
        &self,
        request: &ConnectRequest,
        grant: Option<&Grant>,
    ) -> Option<PeerId> {
        let claimed = request.peer.as_deref();
        let claimed =
            claimed.filter(|it| request.dialect == DialectKind::Protoo && is_peer_name(it))?;
        let peer = PeerId::from_user_id(claimed);
        let room = request.room.as_deref().filter(|it| !it.is_empty());
        let room = room.unwrap_or(&self.config.default_room);
        let user = Permissions::for_grant(grant, room).ok()?.user;
        let present = self.rooms.get(room).and_then(|it| it.anyone_named(&peer));
        let is_free = present.is_none_or(|it| it.has_claimed_id && it.user == user);
        (is_free && claimed.len() <= self.config.limits.name_len_max).then_some(peer)
    }
}
