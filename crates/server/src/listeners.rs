//! The doors of the configuration: sockets are bound and certificates read before anything else
//! starts, so that a port that is taken ends the program while it holds nothing. What is behind a
//! door is the router's business.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::app::AppError;
use crate::config::{Config, ListenerConfig};
use crate::http::tls;

/// Connections that wait to be accepted.
const ACCEPT_BACKLOG: i32 = 1_024;

/// A door whose sockets are bound.
pub struct BoundListener {
    /// What it was configured to be.
    pub listener: ListenerConfig,
    /// Speaks TLS, if it does.
    pub tls: Option<TlsAcceptor>,
    /// Its sockets, all with one port.
    pub sockets: Vec<TcpListener>,
}

impl BoundListener {
    /// Where it can be knocked at.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let addresses = self.sockets.iter().map(TcpListener::local_addr);
        addresses.filter_map(Result::ok).collect()
    }
}

/// Binds every door of the configuration.
///
/// # Errors
/// A certificate that cannot be used, or a port that cannot be had.
pub fn bind_all(config: &Config) -> Result<Vec<BoundListener>, AppError> {
    let doors = config.doors().into_iter();
    let bound = doors.map(|listener| {
        Ok(BoundListener {
            tls: tls::acceptor(&listener)?,
            sockets: listen(&config.door_addresses(&listener))?,
            listener,
        })
    });
    bound.collect()
}

/// Opens a port on every address. Of several one is enough, unless the port is taken, and all get
/// the same port.
fn listen(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, AppError> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut failure = None;
    for &(mut address) in addresses {
        if let Some(first) = listeners.first() {
            address.set_port(first.local_addr()?.port());
        }
        match bind(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Err(AppError::Listen { address, error });
            }
            Err(error) => failure = Some(AppError::Listen { address, error }),
        }
    }
    match failure {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address)?;
    socket.set_nonblocking(true)?;
    socket.listen(ACCEPT_BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// A socket bound to a door's address, as the program binds it.
///
/// # Errors
/// When the address cannot be had.
pub fn socket(address: SocketAddr) -> io::Result<Socket> {
    let protocol = Some(socket2::Protocol::TCP);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, protocol)?;
    // A restarted program takes its port over from connections that are still fading away.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}
