//! Translates the configuration into that of the conference: codecs, limits, room policy, STUN and
//! TURN servers.

use std::sync::Arc;

use watersmeet_conference::access::TokenKeys;
use watersmeet_conference::dialect::native::{self, ClientOptions};
use watersmeet_conference::message::Policy;
use watersmeet_conference::turn::{IceServer, IceServers, TurnServer};
use watersmeet_conference::{ConferenceConfig, ForwardingLimits};
use watersmeet_engine::command::TransportOptions;
use watersmeet_engine::ortc::{self, NegotiationError};
use watersmeet_wire::params::{MediaKind, ParameterValue, RtpCapabilities, RtpCodecCapability};
use watersmeet_wire::units::Bitrate;

use crate::clock::Clock;
use crate::config::{
    Codec, CodecChoice, CodecParameter, Config, ExpiredTokens, RoomCreation, RoomPolicy, Secret,
};
use crate::turn_urls;

/// Returns the configuration of the conference.
///
/// # Errors
/// A configured codec cannot be forwarded by routers.
pub fn conference_config(
    config: &Config,
    keys: Arc<TokenKeys>,
    clock: Clock,
) -> Result<ConferenceConfig, NegotiationError> {
    Ok(ConferenceConfig {
        capabilities: router_capabilities(config)?,
        media_codecs: media_codecs(config),
        transport_options: TransportOptions {
            enable_udp: config.udp,
            enable_tcp: config.tcp,
            initial_outgoing_bitrate: Bitrate::from_bps(config.initial_outgoing_bitrate),
            max_incoming_bitrate: config.max_incoming_bitrate.map(Bitrate::from_bps),
            adapts_to_bandwidth: config.bandwidth_adaptation,
            ..TransportOptions::default()
        },
        shards: config.shard_count(),
        spread_above_permille: u16::from(config.spread_above_percent) * 10,
        limits: config.caps.clone(),
        forwarding: ForwardingLimits {
            last_n_video: config.last_n_video,
            top_n_audio: config.top_n_audio,
        },
        native: native::Config {
            client: client_options(config),
        },
        keys: Some(keys),
        expired_tokens_disconnect: config.expired_tokens == ExpiredTokens::Disconnect,
        policy: policy(config.room_policy),
        rooms_need_token: config.room_creation == RoomCreation::Token,
        default_room: config.default_room.as_str().into(),
        ice_servers: ice_servers(config),
        unix_epoch: clock.unix_epoch(),
    })
}

/// Returns the options that clients of the native dialect are sent.
fn client_options(config: &Config) -> Option<ClientOptions> {
    let options = ClientOptions {
        force_video_codec: config.video_codec.map(|codec| codec.mime_type().to_owned()),
        report_interval_s: config.history.then_some(config.history_interval_s),
    };
    (options != ClientOptions::default()).then_some(options)
}

/// Returns the RTP capabilities that rooms offer.
///
/// # Errors
/// A configured codec cannot be forwarded by routers.
pub fn router_capabilities(config: &Config) -> Result<RtpCapabilities, NegotiationError> {
    ortc::router_capabilities(&media_codecs(config))
}

const fn policy(policy: RoomPolicy) -> Policy {
    match policy {
        RoomPolicy::Open => Policy::Open,
        RoomPolicy::InviteOnly => Policy::InviteOnly,
        RoomPolicy::Approval => Policy::Approval,
        RoomPolicy::Locked => Policy::Locked,
    }
}

/// Returns the STUN and TURN servers announced to clients.
pub fn ice_servers(config: &Config) -> IceServers {
    let fixed = config.ice_servers.iter().map(|server| IceServer {
        urls: server.urls.clone(),
        username: server.username.clone(),
        credential: server.credential.as_ref().map(|it| it.expose().to_owned()),
    });
    let secret = config.turn_secret.as_ref().map(Secret::expose);
    let urls: Vec<_> = turn_urls::embedded(config)
        .into_iter()
        .chain(config.turn_urls.clone())
        .collect();
    let secret = secret.filter(|_| !urls.is_empty());
    IceServers {
        fixed: fixed.collect(),
        turn: secret
            .map(|secret| TurnServer::new(urls, secret.as_bytes(), config.turn_ttl_s.into())),
    }
}

/// Returns the codecs of rooms, best first: the configured ones, and if `video_codec` is set, no
/// other video codec.
fn media_codecs(config: &Config) -> Vec<RtpCodecCapability> {
    let mut codecs = Vec::new();
    for choice in &config.codecs {
        codecs.extend(offered_codecs(choice));
    }
    if let Some(only) = config.video_codec {
        codecs.retain(|codec| {
            codec.kind == MediaKind::Audio || codec.mime_type.eq_ignore_ascii_case(only.mime_type())
        });
    }
    let has_opus = config.codecs.iter().any(|it| it.codec == Codec::Opus);
    if config.redundant_audio && has_opus {
        // Last, so that other codecs have the payload types that they have without it.
        codecs.push(ortc::redundant_audio_codec());
    }
    codecs
}

/// Returns a codec as routers offer it: with the usual parameters, or with configured ones.
fn offered_codecs(choice: &CodecChoice) -> Vec<RtpCodecCapability> {
    let mime_type = choice.codec.mime_type();
    let matches_type = |codec: &RtpCodecCapability| codec.mime_type.eq_ignore_ascii_case(mime_type);
    let usual: Vec<_> = ortc::default_codecs()
        .into_iter()
        .filter(matches_type)
        .collect();
    let Some(parameters) = &choice.parameters else {
        return match usual.is_empty() {
            true => ortc::supported_capabilities()
                .codecs
                .into_iter()
                .filter(matches_type)
                .take(1)
                .collect(),
            false => usual,
        };
    };
    let mut codecs = ortc::supported_capabilities()
        .codecs
        .into_iter()
        .filter(matches_type);
    let Some(mut codec) = codecs.next() else {
        return Vec::new();
    };
    codec.parameters = parameters
        .iter()
        .map(|(name, value)| (name.clone(), value.into()))
        .collect();
    vec![codec]
}

impl From<&CodecParameter> for ParameterValue {
    fn from(parameter: &CodecParameter) -> Self {
        match parameter {
            CodecParameter::Number(number) => Self::from(*number),
            CodecParameter::Text(text) => Self::from(text.as_str()),
        }
    }
}
