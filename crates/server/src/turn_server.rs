//! Embedded TURN server (RFC 8656) over UDP, TCP and TLS, for browsers that reach the media ports
//! neither by UDP nor by TCP. It relays to the media sockets of this program and to nothing else, so
//! that it gives access to no other machine or port.
//!
//! Messages are encoded and parsed by `stun-types` and `turn-types`; the rules of allocations are here
//! ([decision 50](../../../docs/decisions/0050-embedded-turn.md)). Memory is bounded: nothing is kept
//! for a client without valid credentials, and every table of an allocation has an upper bound.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::app_error::AppError;
use crate::clock::Clock;
use crate::conference_setup;
use crate::config::Config;
use crate::http::connection_limit::ConnectionLimit;
use crate::http::rate_limit::RateLimiter;
use crate::ip_addresses;
use crate::listeners::BoundListener;
use authentication::Authenticator;
pub use metrics::TurnMetrics;
use peers::PeerTable;
use quota::{AllocationLimits, AllocationQuota};

mod authentication;
mod bindings;
mod client;
mod listeners;
mod metrics;
mod peers;
mod quota;
mod relay;
mod response;
mod session;
mod stream;
mod udp;
pub mod urls;

pub use listeners::BoundTurnListeners;

/// The TURN server, shared by its listeners and clients.
#[derive(Clone)]
pub struct TurnServer(Arc<Shared>);

/// State that all clients share.
struct Shared {
    /// Verifies credentials.
    authenticator: Authenticator,
    /// Upper bounds of allocations.
    quota: Arc<AllocationQuota>,
    /// Peers to which is relayed; replaced when the announced addresses change.
    peers: RwLock<Arc<PeerTable>>,
    /// Limits requests without valid credentials, for each client network.
    rates: Arc<RateLimiter>,
    /// Counters.
    metrics: Arc<TurnMetrics>,
    /// Wall clock for the expiry of credentials and nonces.
    clock: Clock,
}

impl Shared {
    /// Returns the peers to which is relayed.
    fn peers(&self) -> Arc<PeerTable> {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&peers)
    }

    /// Returns the wall clock time, in seconds since 1970.
    fn unix_s(&self) -> u64 {
        self.clock.unix_ms() / 1_000
    }
}

/// What the TURN server needs of the rest of the program.
pub struct TurnSetup {
    /// UDP addresses that the media sockets are bound to.
    pub media: Vec<SocketAddr>,
    /// Addresses announced to browsers for media.
    pub announced: watch::Receiver<Vec<IpAddr>>,
    /// Rate limits of all clients.
    pub rates: Arc<RateLimiter>,
    /// Counters.
    pub metrics: Arc<TurnMetrics>,
    /// Clock of the program.
    pub clock: Clock,
}

impl TurnServer {
    /// Creates a server without listeners; `None` when it is not configured.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn new(config: &Config, setup: TurnSetup) -> Result<Option<Self>, AppError> {
        let credentials = conference_setup::ice_servers(config).turn;
        let Some(credentials) = credentials.filter(|_| config.has_turn_server()) else {
            return Ok(None);
        };
        let TurnSetup {
            media,
            mut announced,
            rates,
            metrics,
            clock,
        } = setup;
        let table = move |announced: &[IpAddr]| {
            let table = PeerTable::new(announced, &media, &ip_addresses::local_ips());
            Arc::new(table)
        };
        let limits = AllocationLimits::new(config.turn_allocations_max);
        let peers = table(&announced.borrow_and_update());
        let server = Self(Arc::new(Shared {
            authenticator: Authenticator::new(credentials)?,
            quota: AllocationQuota::new(limits, Arc::clone(&metrics)),
            peers: RwLock::new(peers),
            rates,
            metrics,
            clock,
        }));
        let shared = Arc::clone(&server.0);
        tokio::spawn(async move {
            while announced.changed().await.is_ok() {
                let peers = table(&announced.borrow_and_update());
                *shared.peers.write().unwrap_or_else(PoisonError::into_inner) = peers;
            }
        });
        Ok(Some(server))
    }

    /// Starts to serve the clients of all listeners.
    pub fn start(&self, bound: BoundTurnListeners, config: &Config) {
        let connections = ConnectionLimit::new(&config.limits);
        bound.spawn(self, &connections);
    }

    /// Serves a client on a connection that was accepted already, and whose TLS is terminated. Returns
    /// when the client closes it, sends what is no TURN, does not read, or has no allocation for long.
    pub async fn serve_stream<S>(&self, stream: S, client: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        stream::serve(&self.0, stream, client).await;
    }
}

/// Binds the configured listeners; `None` when the TURN server is off. `pages` are the listeners of the
/// page, whose certificate is used for TLS.
///
/// # Errors
/// A port is in use, or the first address is not available.
pub fn bind(
    config: &Config,
    pages: &[BoundListener],
) -> Result<Option<BoundTurnListeners>, AppError> {
    let is_on = config.has_turn_server();
    is_on
        .then(|| BoundTurnListeners::bind(config, pages))
        .transpose()
}
