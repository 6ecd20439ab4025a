//! Configuration of a conference.

use std::sync::Arc;
use std::time::Duration;

use watersmeet_engine::command::TransportOptions;
use watersmeet_wire::params::{RtpCapabilities, RtpCodecCapability};

use crate::access::TokenKeys;
use crate::dialect::native;
use crate::limits::{ConferenceLimits, ForwardingLimits};
use crate::message::Policy;
use crate::turn::IceServers;

/// Configuration of a conference.
#[derive(Debug, Clone)]
pub struct ConferenceConfig {
    /// Codecs of every room, in order of preference.
    pub media_codecs: Vec<RtpCodecCapability>,
    /// RTP capabilities that a worker reports for a router with these codecs.
    pub capabilities: RtpCapabilities,
    /// Options of every transport.
    pub transport_options: TransportOptions,
    /// Number of shards, which are numbered from zero. At least one.
    pub shards: u8,
    /// Load of a shard, in thousandths of a core, from which on new participants of its rooms are
    /// served by another shard.
    pub spread_above_permille: u16,
    /// Upper bounds of what connections and participants may use.
    pub limits: ConferenceLimits,
    /// Default numbers of cameras and voices that are forwarded to a participant, for rooms that set none.
    pub forwarding: ForwardingLimits,
    /// Configuration of the native dialect, sent to its clients when they connect.
    pub native: native::Config,
    /// Keys that verify tokens. Without them every token is refused.
    pub keys: Option<Arc<TokenKeys>>,
    /// Whether a connection is closed when the token expires with which it joined. Otherwise the
    /// token only decides about joining.
    pub expired_tokens_disconnect: bool,
    /// Policy of rooms without one of their own.
    pub policy: Policy,
    /// Whether only users and invited participants may create rooms.
    pub rooms_need_token: bool,
    /// Room of clients that send no room name.
    pub default_room: Arc<str>,
    /// STUN and TURN servers for clients.
    pub ice_servers: IceServers,
    /// Wall clock time at `Time::ZERO`, since 1970. Decides when tokens and TURN credentials
    /// expire.
    pub unix_epoch: Duration,
}
