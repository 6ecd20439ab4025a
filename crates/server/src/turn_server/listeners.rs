//! Ports of the TURN server: UDP and TCP on one, TLS on another. They are bound before anything
//! starts, so that a port in use ends the program early.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use watersmeet_net::udp::{UdpOptions, UdpSocket};

use super::TurnServer;
use super::client::ClientSocket;
use super::udp;
use crate::app_error::AppError;
use crate::config::Config;
use crate::http::connection_limit::{ConnectionLimit, ConnectionPermit};
use crate::http::log_once::LogThrottle;
use crate::listeners::{self, BoundListener};

/// Longest duration of a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause after `accept` failed, usually for lack of file descriptors.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Send buffer of the kernel for each connection, in bytes. What waits there is late: a third of a
/// second at 2 Mbit/s.
const SEND_BUFFER_LEN: usize = 64 << 10;

/// Name of TURN in TLS connections of clients that state a protocol (RFC 7443).
const ALPN: &[u8] = b"stun.turn";

/// Bound ports of the TURN server.
pub struct BoundTurnListeners {
    /// UDP sockets.
    udp: Vec<ClientSocket>,
    /// TCP listeners; those with an acceptor use TLS.
    tcp: Vec<(TcpListener, Option<TlsAcceptor>)>,
}

impl BoundTurnListeners {
    /// Binds the configured ports. `pages` are the listeners of the page, of which the first with TLS
    /// has the certificate.
    ///
    /// # Errors
    /// A port is in use, or the first address is not available.
    pub fn bind(config: &Config, pages: &[BoundListener]) -> Result<Self, AppError> {
        let mut bound = Self {
            udp: Vec::new(),
            tcp: Vec::new(),
        };
        if let Some(port) = config.turn_port {
            bound.udp = bind_all(config, port, |address| bind_udp(config, address))?;
            let listeners = bind_all(config, port, listeners::listen)?;
            bound.tcp.extend(listeners.into_iter().map(|it| (it, None)));
        }
        let acceptor = pages.iter().find_map(|page| page.tls.as_ref());
        if let (Some(port), Some(acceptor)) = (config.turn_tls_port, acceptor) {
            let acceptor = turn_acceptor(acceptor);
            let listeners = bind_all(config, port, listeners::listen)?.into_iter();
            bound
                .tcp
                .extend(listeners.map(|it| (it, Some(acceptor.clone()))));
        }
        Ok(bound)
    }

    /// Serves all ports in tasks, for as long as the program runs.
    pub(super) fn spawn(self, server: &TurnServer, connections: &Arc<ConnectionLimit>) {
        for socket in self.udp {
            tokio::spawn(udp::serve(Arc::clone(&server.0), socket));
        }
        for (listener, tls) in self.tcp {
            let connections = Arc::clone(connections);
            tokio::spawn(accept_from(server.clone(), listener, tls, connections));
        }
    }
}

/// Binds a port on all addresses of the TURN server. An address that fails is skipped as long as
/// another works, except when its port is in use.
fn bind_all<T>(
    config: &Config,
    port: u16,
    bind: impl Fn(SocketAddr) -> io::Result<T>,
) -> Result<Vec<T>, AppError> {
    let mut bound = Vec::new();
    for ip in config.turn_listen_ips() {
        let address = SocketAddr::new(ip, port);
        match bind(address) {
            Ok(socket) => bound.push(socket),
            Err(error) if bound.is_empty() || error.kind() == io::ErrorKind::AddrInUse => {
                return Err(AppError::TurnListen { address, error });
            }
            Err(error) => tracing::debug!(%error, "TURN listens on fewer addresses"),
        }
    }
    Ok(bound)
}

fn bind_udp(config: &Config, address: SocketAddr) -> io::Result<ClientSocket> {
    let options = UdpOptions {
        receive_buffer: config.media_receive_buffer,
        send_buffer: config.media_send_buffer,
        gro: false,
        ..UdpOptions::default()
    };
    ClientSocket::new(UdpSocket::bind(address, options)?)
}

/// Returns an acceptor with the certificate of another, which is loaded again with it.
fn turn_acceptor(page: &TlsAcceptor) -> TlsAcceptor {
    let mut config = page.config().as_ref().clone();
    config.alpn_protocols = vec![ALPN.to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// Accepts connections and serves each in a task.
async fn accept_from(
    server: TurnServer,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    connections: Arc<ConnectionLimit>,
) {
    let failures = LogThrottle::default();
    loop {
        match listener.accept().await {
            Ok((stream, client)) => {
                // A connection over the limit is closed.
                if let Some(permit) = connections.acquire(client.ip(), false) {
                    let serving = serve(server.clone(), stream, client, tls.clone(), permit);
                    tokio::spawn(serving);
                }
            }
            Err(error) => {
                if failures.is_due(Instant::now()) {
                    tracing::warn!(
                        %error,
                        "TURN connections cannot be accepted: if there are too many open files, raise \
                         LimitNOFILE"
                    );
                }
                sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

/// Serves a connection, after its TLS handshake where TLS is used.
async fn serve(
    server: TurnServer,
    stream: TcpStream,
    client: SocketAddr,
    tls: Option<TlsAcceptor>,
    _permit: ConnectionPermit,
) {
    let options = SockRef::from(&stream);
    let is_set = options.set_tcp_nodelay(true).is_ok()
        && options.set_send_buffer_size(SEND_BUFFER_LEN).is_ok();
    if !is_set {
        return;
    }
    let Some(tls) = tls else {
        return server.serve_stream(stream, client).await;
    };
    if let Ok(Ok(stream)) = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
        server.serve_stream(stream, client).await;
    }
}
