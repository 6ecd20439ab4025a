//! HTTP/1.1 server (RFC 9112): accepts and limits connections, does TLS where configured, and bounds
//! headers and time. With TLS the port also accepts plain HTTP: loopback is served, others are
//! redirected to `https`. Where media shares the port, ICE over TCP goes on in the shards.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower_service::Service;

use super::base_path::BasePath;
use super::client_address::{IsTls, PeerAddress};
use super::connection_limit::{ConnectionLimit, ConnectionPermit};
use super::log_once::LogThrottle;
use super::port_sharing::{FirstProtocol, MediaPort, TlsProtocol};
use super::request_body;
use super::requests_in_progress::RequestsInProgress;
use super::site::SiteContext;
use crate::config::Network;
use crate::listeners::accept;
use crate::origin::Authority;
use crate::turn_server::{self, TurnServer};

/// Longest time in which the header of a request must be received.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest duration of a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for which a connection that became no session is reused. Browsers simply open another.
const CONNECTION_TIMEOUT: Duration = Duration::from_mins(2);

/// Time limit of the request in progress after `CONNECTION_TIMEOUT`: a poll waits for up to one
/// ping (6 s), and its response has to be read.
const LAST_RESPONSE_TIMEOUT: Duration = Duration::from_mins(1);

/// Time at shutdown for a connection without a complete request: enough to write a response whose
/// handler has ended.
const INCOMPLETE_REQUEST_TIMEOUT: Duration = Duration::from_millis(250);

/// Longest header of a request, in bytes.
const HEADER_LEN_MAX: usize = 16 << 10;

/// Upper bound of fields in the header of a request.
const HEADER_FIELDS_MAX: usize = 64;

/// Send buffer of the kernel for each connection, in bytes. By default it grows to 4 MiB for a
/// client that does not read.
const SEND_BUFFER_LEN: usize = 256 << 10;

/// Accepts and serves the connections of one listener.
#[derive(Clone)]
pub struct HttpServer {
    /// Router of the listener.
    router: Router,
    /// TLS acceptor; `None` for plain HTTP.
    tls: Option<TlsAcceptor>,
    /// Shards that get ICE over TCP, where media shares the port.
    media: Option<MediaPort>,
    /// TURN server that gets TURN over TLS, where it shares the port.
    turn: Option<TurnServer>,
    /// Limit of connections.
    connection_limit: Arc<ConnectionLimit>,
    /// Proxies whose connections count for the clients of their requests.
    trusted_proxies: Arc<[Network]>,
    /// Path before that of every request.
    base_path: BasePath,
    /// When a failed `accept` was last logged.
    accept_failures: Arc<LogThrottle>,
    /// Becomes true at shutdown.
    stop: watch::Receiver<bool>,
}

impl HttpServer {
    /// Creates a server that accepts no connections yet.
    pub fn new(
        router: Router,
        tls: Option<TlsAcceptor>,
        connection_limit: Arc<ConnectionLimit>,
        site: &SiteContext,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self {
            router,
            tls,
            media: None,
            turn: None,
            connection_limit,
            trusted_proxies: Arc::clone(&site.trusted_proxies),
            base_path: site.base_path.clone(),
            accept_failures: Arc::default(),
            stop,
        }
    }

    /// Hands ICE over TCP to the shards of `media`.
    pub fn with_media(self, media: Option<MediaPort>) -> Self {
        Self { media, ..self }
    }

    /// Hands TURN over TLS to a TURN server. Without one such connections are closed.
    pub fn with_turn(self, turn: Option<TurnServer>) -> Self {
        Self { turn, ..self }
    }

    /// Accepts connections until shutdown.
    pub async fn accept_from(self, listener: TcpListener) {
        let mut stop = self.stop.clone();
        loop {
            let (stream, peer) = tokio::select! {
                accepted = accept(&listener, &self.accept_failures) => accepted,
                _ = stop.wait_for(|&stop| stop) => return,
            };
            self.serve_or_drop(stream, peer);
        }
    }

    /// Waits until every connection and session has ended.
    pub async fn wait_until_idle(&self) {
        self.connection_limit.wait_until_idle().await;
    }

    /// Serves a connection, or drops it when the limit is reached.
    fn serve_or_drop(&self, stream: TcpStream, peer: SocketAddr) {
        let ip = peer.ip().to_canonical();
        let is_proxy = self.trusted_proxies.iter().any(|proxy| proxy.contains(ip));
        let Some(permit) = self.connection_limit.acquire(ip, is_proxy) else {
            return;
        };
        let server = self.clone();
        tokio::spawn(async move {
            if let Err(error) = server
                .serve_connection(stream, peer, Arc::new(permit))
                .await
            {
                tracing::debug!(%error, "connection failed");
            }
        });
    }

    /// Tells the protocol of a connection by its first byte, and serves it.
    async fn serve_connection(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        permit: Arc<ConnectionPermit>,
    ) -> io::Result<()> {
        let ip = peer.ip().to_canonical();
        let first = match self.tls.is_some() || self.media.is_some() {
            true => match self.first_protocol(&stream).await? {
                Some(first) => first,
                None => return Ok(()),
            },
            false => FirstProtocol::Http,
        };
        if let (FirstProtocol::IceTcp, Some(media)) = (first, &self.media) {
            let mut stop = self.stop.clone();
            return tokio::select! {
                accepted = timeout(HEADER_TIMEOUT, media.accept(stream, peer)) => accepted?,
                _ = stop.wait_for(|&stop| stop) => Ok(()),
            };
        }
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_LEN)?;
        let Some(tls) = &self.tls else {
            return self.serve_requests(stream, ip, permit, IsTls(false)).await;
        };
        if first == FirstProtocol::Tls {
            let mut stop = self.stop.clone();
            let stream = tokio::select! {
                stream = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)) => stream??,
                _ = stop.wait_for(|&stop| stop) => return Ok(()),
            };
            return self.serve_tls(stream, peer, permit).await;
        }
        if ip.is_loopback() {
            return self.serve_requests(stream, ip, permit, IsTls(false)).await;
        }
        let router = Router::new().fallback(redirect_to_https);
        Self {
            router,
            ..self.clone()
        }
        .serve_requests(stream, ip, permit, IsTls(false))
        .await
    }

    /// Waits for the first byte of a connection, which stays unread. Returns `None` at shutdown.
    async fn first_protocol(&self, stream: &TcpStream) -> io::Result<Option<FirstProtocol>> {
        let mut first = [0];
        let mut stop = self.stop.clone();
        let len = tokio::select! {
            peeked = timeout(HEADER_TIMEOUT, stream.peek(&mut first)) => peeked??,
            _ = stop.wait_for(|&stop| stop) => return Ok(None),
        };
        match len {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(Some(FirstProtocol::of(first[0]))),
        }
    }

    /// Serves a connection after its TLS handshake, by the protocol inside.
    async fn serve_tls(
        &self,
        mut stream: TlsStream<TcpStream>,
        peer: SocketAddr,
        permit: Arc<ConnectionPermit>,
    ) -> io::Result<()> {
        let mut stop = self.stop.clone();
        let protocol = tokio::select! {
            found = timeout(HEADER_TIMEOUT, TlsProtocol::detect(&mut stream)) => found??,
            _ = stop.wait_for(|&stop| stop) => return Ok(()),
        };
        match (protocol, &self.turn) {
            (TlsProtocol::Http, _) => {
                let ip = peer.ip().to_canonical();
                self.serve_requests(stream, ip, permit, IsTls(true)).await
            }
            (TlsProtocol::Turn, Some(turn)) => {
                turn_server::prepare(stream.get_ref().0)?;
                tokio::select! {
                    () = turn.serve_stream(stream, peer) => {}
                    _ = stop.wait_for(|&stop| stop) => {}
                }
                Ok(())
            }
            // Without data, as RFC 8737 §3 demands of a validation.
            (TlsProtocol::Turn, None) | (TlsProtocol::AcmeValidation, _) => {
                timeout(HEADER_TIMEOUT, stream.shutdown()).await?
            }
        }
    }

    /// Serves requests until the connection ends, becomes a session, or exceeds its time.
    async fn serve_requests<S>(
        &self,
        stream: S,
        ip: IpAddr,
        permit: Arc<ConnectionPermit>,
        secured: IsTls,
    ) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (router, base_path) = (self.router.clone(), self.base_path.clone());
        let requests = RequestsInProgress::default();
        let (started, stopped) = (requests.clone(), self.stop.clone());
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let mut request = request.map(|body| request_body::end_at_shutdown(body, &stopped));
            request.extensions_mut().insert(Arc::clone(&permit));
            request.extensions_mut().insert(PeerAddress(ip));
            request.extensions_mut().insert(secured);
            let (mut router, stripped) = (router.clone(), base_path.strip(request));
            let in_progress = started.start();
            async move {
                let response = match stripped {
                    Ok(request) => router.call(request).await,
                    Err(redirect) => Ok(redirect),
                };
                drop(in_progress);
                response
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(HEADER_LEN_MAX)
            .max_headers(HEADER_FIELDS_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let mut stop = self.stop.clone();
        let is_stopped = tokio::select! {
            outcome = connection.as_mut() => return outcome.map_err(io::Error::other),
            () = sleep(CONNECTION_TIMEOUT) => false,
            _ = stop.wait_for(|&stop| stop) => true,
        };
        connection.as_mut().graceful_shutdown();
        if !is_stopped {
            tokio::select! {
                outcome = timeout(LAST_RESPONSE_TIMEOUT, connection.as_mut()) => {
                    return outcome.unwrap_or(Ok(())).map_err(io::Error::other);
                }
                _ = stop.wait_for(|&stop| stop) => {}
            }
        }
        // A request that is not complete yet never will be; others get their response.
        let limit = match requests.is_idle() {
            true => INCOMPLETE_REQUEST_TIMEOUT,
            false => LAST_RESPONSE_TIMEOUT,
        };
        let outcome = timeout(limit, connection).await;
        outcome.unwrap_or(Ok(())).map_err(io::Error::other)
    }
}

/// Redirects a plain HTTP request on the port of the page to the same page by HTTPS.
async fn redirect_to_https(request: Request) -> Response {
    https_redirect(&request, |host| host.to_owned())
}

/// Redirects a plain HTTP request to the same page by HTTPS. `authority` returns host and port there, given
/// those of the request.
pub fn https_redirect(request: &Request, authority: impl FnOnce(&str) -> String) -> Response {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    let host = host.filter(|host| Authority::parse(host).is_some());
    let (Some(host), None) = (host, hosts.next()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    Redirect::permanent(&format!("https://{}{path}", authority(host))).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[tokio::test]
    async fn plain_http_is_redirected_to_the_same_page_by_https() {
        let request = Request::builder()
            .uri("/room/standup?a=b")
            .header(header::HOST, "meet.example:3000")
            .body(Body::empty())
            .unwrap();
        let response = redirect_to_https(request).await;
        assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
        let location = response.headers().get(header::LOCATION).unwrap();
        assert_eq!(location, "https://meet.example:3000/room/standup?a=b");
        let nameless = redirect_to_https(Request::new(Body::empty())).await;
        assert_eq!(nameless.status(), StatusCode::BAD_REQUEST);
    }
}
