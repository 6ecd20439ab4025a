//! Facts about a connection that its dialect needs.

use std::sync::Arc;

use crate::message::PeerId;
use crate::turn::IceServer;

/// Facts about a connection, known when it opens and constant afterwards.
#[derive(Debug, Clone)]
pub(crate) struct SessionContext {
    /// Public id of the participant.
    pub peer: PeerId,
    /// Room for clients that send no room name.
    pub room: Arc<str>,
    /// Peer name in the client's address, not verified.
    pub claimed_peer: Option<Arc<str>>,
    /// Whether a token names the user.
    pub is_user: bool,
    /// Whether anybody sends in that room, as far as everybody may know.
    pub somebody_sends: bool,
    /// STUN and TURN servers for the client.
    pub ice_servers: Arc<[IceServer]>,
}
