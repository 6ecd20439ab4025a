//! State of the HTTP handlers: handles to hub and shards, and settings of the listener.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::extract::Request;
use watersmeet_conference::access::TokenKeys;
use watersmeet_conference::{ConferenceGauges, ConferenceLimits};

use super::api_context::ApiContext;
use super::base_path::BasePath;
use super::client_address::{IsTls, PeerAddress};
use super::cors::AllowedOrigins;
use super::forwarded;
use super::frame_policy::FramePolicy;
use super::log_once::LogOnce;
use super::operators_context::OperatorsContext;
use super::rate_limit::RateLimiter;
use super::request_host::{KnownNames, RequestHost};
use super::request_metrics::RequestMetrics;
use super::room_pseudonyms::RoomPseudonyms;
use super::site_folder::SiteFolder;
use super::stats_cache::StatsCache;
use super::whip::sessions::WhipSessions;
use crate::call_history::CallHistory;
use crate::capacity::Capacity;
use crate::clock::Clock;
use crate::config::{Config, ListenerConfig, Mount, Network, PrivateFiles};
use crate::heartbeat::Heartbeat;
use crate::hub::HubHandle;
use crate::process_metrics;
use crate::shard_metrics::SharedMetrics;
use crate::turn_server::{RelayedAddresses, TurnMetrics};
use crate::webhooks::{EventQueue, Webhooks};

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
    /// Names under which this server is reached.
    pub names: Arc<KnownNames>,
    /// Unknown names whose refusal was logged.
    pub refused_names: Arc<LogOnce>,
    /// Reasons why clients of proxies are not known, which were logged.
    pub unknown_clients: Arc<LogOnce>,
    /// Rule about the pages that may show ours in a frame.
    pub frame_policy: FramePolicy,
    /// Path of the page behind a proxy.
    pub base_path: BasePath,
    /// Folder that is served instead of the web client.
    pub folder: Option<SiteFolder>,
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
    /// Metrics of the embedded TURN server.
    pub turn_metrics: Arc<TurnMetrics>,
    /// Upper bounds of connections and rooms.
    caps: Arc<ConferenceLimits>,
    /// Queues of the webhooks, in the order of the configuration.
    pub webhook_queues: Arc<[Arc<EventQueue>]>,
    /// Number of events of rooms that parts of the program have lost.
    pub room_events_lost: Arc<AtomicU64>,
    /// History of calls, where it is kept.
    pub history: Option<CallHistory>,
    /// Addresses from which the embedded TURN server relays.
    pub relayed: Arc<RelayedAddresses>,
    /// Pseudonyms of rooms on public pages.
    pub pseudonyms: Arc<RoomPseudonyms>,
    /// Counts of the conference for `/stats`, shared by all listeners.
    pub stats_cache: Arc<StatsCache>,
    /// State of the operators' page.
    pub operators: Arc<OperatorsContext>,
    /// Publishers that use WHIP, shared by all listeners.
    pub whip: Arc<WhipSessions>,
    /// Whether the program is about to end.
    is_shutting_down: Arc<AtomicBool>,
    /// Whether operators drain the program.
    is_draining: Arc<AtomicBool>,
}

impl SiteContext {
    /// Creates the state shared by all listeners, without mounts.
    ///
    /// # Errors
    /// The system has no randomness, or an origin of `embed_origins` has characters that headers cannot have.
    pub fn new(
        hub: HubHandle,
        shards: (Vec<Heartbeat>, Vec<SharedMetrics>),
        clock: Clock,
        config: &Config,
        keys: Arc<TokenKeys>,
        operators: OperatorsContext,
    ) -> io::Result<Self> {
        let (heartbeats, shard_metrics) = shards;
        Ok(Self {
            hub,
            heartbeats,
            shard_metrics,
            clock,
            api: Arc::new(ApiContext::new(config, keys)),
            request_metrics: Arc::default(),
            turn_metrics: Arc::default(),
            caps: Arc::new(config.caps.clone()),
            webhook_queues: Arc::default(),
            room_events_lost: Arc::default(),
            history: None,
            relayed: Arc::default(),
            pseudonyms: Arc::new(RoomPseudonyms::generate()?),
            origins: Arc::new(AllowedOrigins::new(config)),
            names: Arc::new(KnownNames::new(config)),
            refused_names: Arc::default(),
            unknown_clients: Arc::default(),
            frame_policy: FramePolicy::new(config).map_err(io::Error::other)?,
            base_path: BasePath::new(config.base_url.as_deref()),
            folder: config
                .site
                .as_deref()
                .map(|folder| SiteFolder::new(folder, PrivateFiles::of(config))),
            stats_cache: Arc::default(),
            whip: Arc::default(),
            rates: Arc::new(RateLimiter::new(&config.limits)),
            trusted_proxies: config.trusted_proxies.as_slice().into(),
            token_required: false,
            mounts: Arc::default(),
            operators: Arc::new(operators),
            is_shutting_down: Arc::default(),
            is_draining: Arc::default(),
        })
    }

    /// Returns how full the server is. `gauges` are those of its conference.
    pub fn capacity(&self, gauges: &ConferenceGauges) -> Capacity {
        let shards: Vec<_> = self.shard_metrics.iter().map(SharedMetrics::read).collect();
        Capacity::new(&shards, gauges, &self.caps, process_metrics::read())
    }

    /// Returns the state with the webhooks that its metrics are about.
    #[must_use]
    pub fn with_webhooks(self, webhooks: &Webhooks) -> Self {
        Self {
            webhook_queues: webhooks.queues().into(),
            room_events_lost: webhooks.events_lost(),
            ..self
        }
    }

    /// Adds the history of calls, where it is kept, and the addresses by which it tells relayed media.
    pub fn with_history(
        self,
        history: Option<CallHistory>,
        relayed: Arc<RelayedAddresses>,
    ) -> Self {
        Self {
            history,
            relayed,
            ..self
        }
    }

    /// Records that the program is about to end: it is not ready any more.
    pub fn record_shutdown(&self) {
        self.is_shutting_down.store(true, Ordering::Relaxed);
    }

    /// Returns whether the program is about to end.
    pub fn is_shutting_down(&self) -> bool {
        self.is_shutting_down.load(Ordering::Relaxed)
    }

    /// Records whether operators drain the program.
    pub fn record_draining(&self, is_draining: bool) {
        self.is_draining.store(is_draining, Ordering::Relaxed);
    }

    /// Returns whether operators drain the program, so that no further rooms are opened.
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Returns the state with the settings of a listener. No page of another site shows the operators' page.
    pub fn for_listener(&self, listener: &ListenerConfig) -> Self {
        let frame_policy = match listener.serves(Mount::Operators) {
            true => FramePolicy::forbidding(),
            false => self.frame_policy.clone(),
        };
        Self {
            frame_policy,
            token_required: listener.token_required,
            mounts: listener.mounts.as_slice().into(),
            ..self.clone()
        }
    }

    /// Returns whether the client's connection uses TLS, to us or to a trusted proxy that says so.
    pub fn is_secure(&self, request: &Request) -> bool {
        let is_tls = request.extensions().get::<IsTls>();
        self.proxy_scheme(request).map_or_else(
            || is_tls.is_some_and(|it| it.0),
            |scheme| scheme.eq_ignore_ascii_case("https"),
        )
    }

    /// Returns the origin under which a client asked, such as `https://meet.example.org`; empty when it named no host.
    pub fn page_origin(&self, request: &Request) -> String {
        let host = request.extensions().get::<RequestHost>();
        let Some(authority) = host.and_then(|host| host.authority.as_ref()) else {
            return String::new();
        };
        let scheme = if self.is_secure(request) {
            "https"
        } else {
            "http"
        };
        let host = &authority.host;
        match authority.port {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        }
    }

    /// Returns the scheme that the client used, as a trusted proxy reports it.
    pub fn proxy_scheme<'a>(&self, request: &'a Request) -> Option<&'a str> {
        let peer = request.extensions().get::<PeerAddress>();
        let is_proxy = peer.is_some_and(|peer| self.is_trusted_proxy(peer.0));
        forwarded::scheme(request.headers()).filter(|_| is_proxy)
    }

    /// Returns whether the `X-Forwarded-*` headers of a peer are trusted.
    pub fn is_trusted_proxy(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.trusted_proxies.iter().any(|proxy| proxy.contains(ip))
    }

    /// Returns whether the page that sent a request may use this server.
    pub fn allows_origin(&self, request: &Request) -> bool {
        let host = request.extensions().get::<RequestHost>();
        host.is_some_and(|host| self.origins.allows(request.headers(), host))
    }

    /// Returns whether this listener serves `mount`.
    pub fn serves(&self, mount: Mount) -> bool {
        self.mounts.contains(&mount)
    }
}
