//! Embedded TURN server (RFC 8656) over UDP, TCP and TLS, for browsers that reach the media ports
//! neither by UDP nor by TCP. It relays to the media sockets of this program and to nothing else, so
//! that it gives access to no other machine or port.
//!
//! Messages are encoded and parsed by `stun-types` and `turn-types`; the rules of allocations are here
//! ([decision 50](../../../docs/decisions/0050-embedded-turn.md)). Memory is bounded: nothing is kept
//! for a client without valid credentials, and every table of an allocation has an upper bound.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::app_error::AppError;
use crate::clock::Clock;
use crate::conference_setup;
use crate::config::Config;
use crate::http::connection_limit::{ConnectionLimit, ConnectionPermit};
use crate::http::log_once::LogThrottle;
use crate::http::rate_limit::RateLimiter;
use crate::listeners::{BoundListener, accept};
use authentication::Authenticator;
use context::TurnContext;
pub use metrics::TurnMetrics;
use quota::{AllocationLimits, AllocationQuota};

mod authentication;
mod bindings;
mod client;
mod context;
mod listeners;
mod metrics;
mod peers;
mod quota;
mod relay;
mod relay_addresses;
mod response;
mod session;
mod stream;
#[cfg(test)]
mod tests;
mod udp;

pub use listeners::BoundTurnListeners;

/// Longest duration of a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Send buffer of the kernel for each connection, in bytes. What waits there is late: a quarter of a
/// second at 2 Mbit/s.
const SEND_BUFFER_LEN: usize = 64 << 10;

/// The TURN server, shared by its listeners and clients.
#[derive(Clone)]
pub struct TurnServer(Arc<TurnContext>);

/// Addresses, limits and counters that the TURN server shares with the rest of the program.
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
        let limits = AllocationLimits::new(config.turn_allocations_max);
        let context = Arc::new(TurnContext {
            authenticator: Authenticator::new(credentials)?,
            quota: AllocationQuota::new(limits, Arc::clone(&metrics)),
            rates,
            metrics,
            clock,
            media,
            peers: RwLock::default(),
        });
        context.set_announced(&announced.borrow_and_update());
        let server = Self(Arc::clone(&context));
        tokio::spawn(async move {
            while announced.changed().await.is_ok() {
                context.set_announced(&announced.borrow_and_update());
            }
        });
        Ok(Some(server))
    }

    /// Starts to serve the clients of all listeners, in tasks that run as long as the program.
    pub fn start(&self, bound: BoundTurnListeners, config: &Config) {
        let connections = ConnectionLimit::new(&config.limits);
        for socket in bound.udp {
            tokio::spawn(udp::serve(Arc::clone(&self.0), socket));
        }
        for (listener, tls) in bound.tcp {
            let connections = Arc::clone(&connections);
            tokio::spawn(self.clone().accept_from(listener, tls, connections));
        }
    }

    /// Accepts connections and serves each in a task.
    async fn accept_from(
        self,
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        connections: Arc<ConnectionLimit>,
    ) {
        let failures = LogThrottle::default();
        loop {
            let (stream, client) = accept(&listener, &failures).await;
            // A connection over the limit is closed.
            if let Some(permit) = connections.acquire(client.ip(), false) {
                let serving = self.clone().serve(stream, client, tls.clone(), permit);
                tokio::spawn(serving);
            }
        }
    }

    /// Serves a connection, after its TLS handshake where TLS is used.
    async fn serve(
        self,
        stream: TcpStream,
        client: SocketAddr,
        tls: Option<TlsAcceptor>,
        _permit: ConnectionPermit,
    ) {
        if prepare(&stream).is_err() {
            return;
        }
        let Some(tls) = tls else {
            return self.serve_stream(stream, client).await;
        };
        if let Ok(Ok(stream)) = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
            self.serve_stream(stream, client).await;
        }
    }

    /// Serves a client on a connection that was accepted already, and whose TLS is terminated. Returns
    /// when the client closes it, sends what is no TURN, does not read, or has no allocation for long.
    /// The caller limits connections, and [`prepare`]s them.
    pub async fn serve_stream<S>(&self, stream: S, client: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        stream::serve(&self.0, stream, client).await;
    }
}

/// Sets the options of a client's connection: packets leave at once, and few wait in the kernel.
///
/// # Errors
/// The connection failed.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    let options = SockRef::from(stream);
    options.set_tcp_nodelay(true)?;
    options.set_send_buffer_size(SEND_BUFFER_LEN)
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
