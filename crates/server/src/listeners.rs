//! Binds the HTTP listeners of the configuration and loads their certificates before anything else
//! starts, so that a port in use ends the program early. Routing is done in `http`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

use crate::acme::AcmeCertificate;
use crate::app_error::AppError;
use crate::config::{Config, ListenerConfig, Mount};
use crate::http::log_once::LogThrottle;
use crate::http::tls::current_certificate::CurrentCertificate;
use crate::http::tls::{self, ReloadingCertificate};

/// Pause after `accept` failed, usually for lack of file descriptors.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

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
    /// Certificate that new connections get; `None` for plain HTTP.
    pub current: Option<Arc<CurrentCertificate>>,
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

/// All listeners of the configuration.
pub struct BoundListeners {
    /// Listeners of page and signalling.
    pub listeners: Vec<BoundListener>,
    /// Sockets of the port on which plain HTTP is redirected; none without such a port.
    pub redirect: Vec<TcpListener>,
    /// Certificate of `domains`, if there are any.
    pub acme: Option<AcmeCertificate>,
}

impl BoundListeners {
    /// Returns the addresses of the listener whose port media over TCP may share, and to which plain HTTP is
    /// redirected: the first one with HTTPS, else the first one.
    pub fn page_addresses(&self) -> Vec<SocketAddr> {
        self.page()
            .map(BoundListener::addresses)
            .unwrap_or_default()
    }

    fn page(&self) -> Option<&BoundListener> {
        let public = || {
            let listeners = self.listeners.iter();
            listeners.filter(|it| !it.config.serves(Mount::Operators))
        };
        public()
            .find(|it| it.tls.is_some())
            .or_else(|| public().next())
    }
}

/// Binds every listener of the configuration.
///
/// # Errors
/// A certificate or the state directory cannot be used, or a port cannot be bound.
pub fn bind_all(config: &Config) -> Result<BoundListeners, AppError> {
    let mut acme = None;
    if !config.domains.is_empty() {
        config.state_directory().create()?;
        acme = Some(AcmeCertificate::load(config)?);
    }
    let listeners = config.effective_listeners().into_iter().enumerate();
    let bound = listeners.map(|(index, listener)| {
        let tls = tls::load(&listener, config.certified_url(), acme.as_ref())?;
        let current = tls.as_ref().map(|tls| Arc::clone(&tls.current));
        let (tls, certificate) =
            tls.map_or((None, None), |tls| (Some(tls.acceptor), tls.certificate));
        let setting = config.listener_setting(index);
        Ok(BoundListener {
            tls,
            certificate,
            current,
            sockets: listen_on(setting.as_deref(), &config.listener_addresses(&listener))?,
            config: listener,
        })
    });
    Ok(BoundListeners {
        listeners: bound.collect::<Result<_, AppError>>()?,
        redirect: bind_redirect(config)?,
        acme,
    })
}

/// Binds the port on which plain HTTP is redirected. The default port may be in use or not permitted.
fn bind_redirect(config: &Config) -> Result<Vec<TcpListener>, AppError> {
    let Some(port) = config.effective_redirect_port() else {
        return Ok(Vec::new());
    };
    match listen_on(None, &config.redirect_addresses(port)) {
        Ok(sockets) => Ok(sockets),
        Err(AppError::Listen { address, error, .. }) if config.redirect_port.is_none() => {
            tracing::warn!(
                %address,
                %error,
                "plain HTTP is not redirected to HTTPS: its port cannot be bound"
            );
            Ok(Vec::new())
        }
        Err(AppError::Listen { address, error, .. }) => Err(AppError::Redirect { address, error }),
        Err(error) => Err(error),
    }
}

/// Accepts the next connection. Tries again after a failure, which `failures` lets be logged now and then.
pub async fn accept(listener: &TcpListener, failures: &LogThrottle) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                if failures.is_due(Instant::now()) {
                    tracing::warn!(
                        %error,
                        "connections cannot be accepted: if there are too many open files, raise \
                         LimitNOFILE"
                    );
                }
                sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

/// Listens on all addresses of a listener with one port. An address that fails is skipped as long as another
/// works, except when its port is in use.
fn listen_on(
    port_setting: Option<&str>,
    addresses: &[SocketAddr],
) -> Result<Vec<TcpListener>, AppError> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut failure = None;
    for &(mut address) in addresses {
        if let Some(first) = listeners.first() {
            address.set_port(first.local_addr()?.port());
        }
        let failed = |error| AppError::Listen {
            port_setting: port_setting.map(str::to_owned),
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
