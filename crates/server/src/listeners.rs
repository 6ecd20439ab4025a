//! Binds the HTTP listeners of the configuration and loads their certificates before anything else
//! starts, so that a port in use ends the program early. Routing is done in `http`.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::app_error::AppError;
use crate::config::{Config, ListenerConfig};
use crate::http::tls::{self, ReloadingCertificate};

/// Length of the kernel's queue of connections that wait to be accepted.
const ACCEPT_BACKLOG: i32 = 1_024;

/// A configured listener with its bound sockets.
pub struct BoundListener {
    /// Settings of the listener.
    pub config: ListenerConfig,
    /// TLS acceptor; `None` for plain HTTP.
    pub tls: Option<TlsAcceptor>,
    /// Certificate from files, which is loaded again when they change.
    pub certificate: Option<ReloadingCertificate>,
    /// One socket for each address, all on the same port.
    pub sockets: Vec<TcpListener>,
}

impl BoundListener {
    /// Returns the addresses and port that the sockets are bound to.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let addresses = self.sockets.iter().map(TcpListener::local_addr);
        addresses.filter_map(Result::ok).collect()
    }
}

/// Binds every listener of the configuration.
///
/// # Errors
/// A certificate cannot be used, or a port cannot be bound.
pub fn bind_all(config: &Config) -> Result<Vec<BoundListener>, AppError> {
    let listeners = config.effective_listeners().into_iter().enumerate();
    let bound = listeners.map(|(index, listener)| {
        let number = (!config.listeners.is_empty()).then_some(index + 1);
        let tls = tls::load(&listener, config.certified_url())?;
        let (tls, certificate) =
            tls.map_or((None, None), |tls| (Some(tls.acceptor), tls.certificate));
        Ok(BoundListener {
            tls,
            certificate,
            sockets: listen_on(number, &config.listener_addresses(&listener))?,
            config: listener,
        })
    });
    bound.collect()
}

/// Listens on all addresses of a listener with one port. An address that fails is skipped as long as another
/// works, except when its port is in use.
fn listen_on(
    listener: Option<usize>,
    addresses: &[SocketAddr],
) -> Result<Vec<TcpListener>, AppError> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut failure = None;
    for &(mut address) in addresses {
        if let Some(first) = listeners.first() {
            address.set_port(first.local_addr()?.port());
        }
        let failed = |error| AppError::Listen {
            listener,
            address,
            error,
        };
        match listen(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(failed(error)),
            Err(error) => failure = Some(failed(error)),
        }
    }
    match failure {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

/// Listens on an address.
///
/// # Errors
/// The address cannot be bound.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bind(address)?;
    socket.set_nonblocking(true)?;
    socket.listen(ACCEPT_BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Binds a TCP socket with the options that the server uses for its listeners.
///
/// # Errors
/// The socket cannot be created or the address cannot be bound.
pub fn bind(address: SocketAddr) -> io::Result<Socket> {
    let protocol = Some(socket2::Protocol::TCP);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, protocol)?;
    // A restarted program can bind while connections of the previous one are in TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}
