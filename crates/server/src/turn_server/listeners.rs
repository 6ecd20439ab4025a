//! Ports of the TURN server: UDP and TCP on one, TLS on another. They are bound before anything
//! starts, so that a port in use ends the program early.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use watersmeet_net::udp::{UdpOptions, UdpSocket};

use super::client::ClientSocket;
use crate::app_error::AppError;
use crate::config::Config;
use crate::http::port_sharing::TURN_ALPN;
use crate::listeners::{self, BoundListener};

/// Bound ports of the TURN server.
pub struct BoundTurnListeners {
    /// UDP sockets.
    pub udp: Vec<ClientSocket>,
    /// TCP listeners; those with an acceptor use TLS.
    pub tcp: Vec<(TcpListener, Option<TlsAcceptor>)>,
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
    config.alpn_protocols = vec![TURN_ALPN.to_vec()];
    TlsAcceptor::from(Arc::new(config))
}
