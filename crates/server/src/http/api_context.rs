//! Settings and keys that the REST interface needs.

use std::sync::Arc;

use watersmeet_conference::access::TokenKeys;
use watersmeet_conference::turn::IceServers;

use crate::conference_setup;
use crate::config::{Config, RoomCreation, Secret};

/// Settings and keys that the REST interface needs.
#[derive(Debug)]
pub struct ApiContext {
    /// Keys that sign invitations and verify tokens.
    pub keys: Arc<TokenKeys>,
    /// API key of operators; `None` when nobody may manage rooms.
    pub api_key: Option<Secret>,
    /// Configured base URL for invitation links.
    pub base_url: Option<String>,
    /// Callers that may create rooms.
    pub room_creation: RoomCreation,
    /// STUN and TURN servers announced to clients.
    pub ice_servers: IceServers,
}

impl ApiContext {
    /// Takes the settings from the configuration.
    pub fn new(config: &Config, keys: Arc<TokenKeys>) -> Self {
        Self {
            keys,
            api_key: config.api_key.clone(),
            base_url: config.base_url.clone(),
            room_creation: config.room_creation,
            ice_servers: conference_setup::ice_servers(config),
        }
    }
}
