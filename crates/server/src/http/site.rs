//! State of the HTTP handlers: handles to hub and shards, and settings of the listener.

use std::io;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::HeaderName;
use watersmeet_conference::access::TokenKeys;

use super::api_context::ApiContext;
use super::client_address::{IsTls, PeerAddress};
use super::cors::AllowedOrigins;
use super::rate_limit::RateLimiter;
use super::request_metrics::RequestMetrics;
use super::room_pseudonyms::RoomPseudonyms;
use crate::clock::Clock;
use crate::config::{Config, ListenerConfig, Mount, Network};
use crate::heartbeat::Heartbeat;
use crate::hub::HubHandle;
use crate::shard_metrics::SharedMetrics;

/// Header in which a proxy names the scheme that the client used.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// State of the handlers of one listener.
#[derive(Debug, Clone)]
pub struct SiteContext {
    /// Handle of the hub.
    pub hub: HubHandle,
    /// Heartbeats of the shards.
    pub heartbeats: Vec<Heartbeat>,
    /// Clock of the program.
    pub clock: Clock,
    /// Origins of pages that may use this server.
    pub origins: Arc<AllowedOrigins>,
    /// Rate limits of all clients, shared by all listeners.
    pub rates: Arc<RateLimiter>,
    /// Proxies whose `X-Forwarded-*` headers are trusted.
    pub trusted_proxies: Arc<[Network]>,
    /// Whether clients of this listener need a token.
    pub token_required: bool,
    /// Parts of the site that this listener serves.
    pub mounts: Arc<[Mount]>,
    /// Metrics of the shards.
    pub shard_metrics: Vec<SharedMetrics>,
    /// Settings and keys of the REST interface.
    pub api: Arc<ApiContext>,
    /// Metrics of HTTP requests.
    pub request_metrics: Arc<RequestMetrics>,
    /// Pseudonyms of rooms on public pages.
    pub pseudonyms: Arc<RoomPseudonyms>,
}

impl SiteContext {
    /// Creates the state shared by all listeners, without mounts.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn new(
        hub: HubHandle,
        shards: (Vec<Heartbeat>, Vec<SharedMetrics>),
        clock: Clock,
        config: &Config,
        keys: Arc<TokenKeys>,
    ) -> io::Result<Self> {
        let (heartbeats, shard_metrics) = shards;
        Ok(Self {
            hub,
            heartbeats,
            shard_metrics,
            clock,
            api: Arc::new(ApiContext::new(config, keys)),
            request_metrics: Arc::default(),
            pseudonyms: Arc::new(RoomPseudonyms::generate()?),
            origins: Arc::new(AllowedOrigins::new(&config.cors_origins)),
            rates: Arc::new(RateLimiter::new(&config.limits)),
            trusted_proxies: config.trusted_proxies.as_slice().into(),
            token_required: false,
            mounts: Arc::default(),
        })
    }

    /// Returns the state with the settings of a listener.
    pub fn for_listener(&self, listener: &ListenerConfig) -> Self {
        Self {
            token_required: listener.token_required,
            mounts: listener.mounts.as_slice().into(),
            ..self.clone()
        }
    }

    /// Returns whether the client's connection uses TLS, to us or to a trusted proxy that says so.
    pub fn is_secure(&self, request: &Request) -> bool {
        let extensions = request.extensions();
        let is_proxy = extensions.get::<PeerAddress>().is_some_and(|peer| {
            let ip = peer.0.to_canonical();
            self.trusted_proxies.iter().any(|it| it.contains(ip))
        });
        let forwarded = request.headers().get(FORWARDED_PROTO).filter(|_| is_proxy);
        match forwarded {
            Some(scheme) => scheme == "https",
            None => extensions.get::<IsTls>().is_some_and(|it| it.0),
        }
    }

    /// Returns whether this listener serves `mount`.
    pub fn serves(&self, mount: Mount) -> bool {
        self.mounts.contains(&mount)
    }
}
