//! From a listening socket to requests: accepts, counts, speaks TLS where configured, and serves
//! HTTP/1.1 (RFC 9112) with bounds on headers and time. With TLS the port takes plain HTTP too:
//! this machine is served, others are sent to `https`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use super::client_address::{IsTls, PeerAddress};
use super::connection_limit::{ConnectionLimit, ConnectionPermit};

/// How long a client may take to send the header of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection is reused that became no session; a browser just opens another.
const CONNECTION_TIMEOUT: Duration = Duration::from_mins(2);

/// How long the request may still take that is answered when its connection had its time: a poll
/// waits for up to one ping (25 s), and what it brings has to be read.
const LAST_ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// The largest header of a request, in bytes.
const HEADER_LEN_MAX: usize = 16 << 10;

/// The most fields in the header of a request.
const HEADER_FIELDS_MAX: usize = 64;

/// What the kernel may hold for a client that does not read. Left to itself it holds 4 MiB.
const SEND_BUFFER_LEN: usize = 256 << 10;

/// How long to wait after an `accept` that failed: out of file descriptors, mostly.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// The first byte of every TLS connection: a handshake record (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 22;

/// The front door.
#[derive(Clone)]
pub struct HttpServer {
    /// Answers requests.
    router: Router,
    /// Speaks TLS, if the page is to be served so.
    tls: Option<TlsAcceptor>,
    /// Counts connections.
    seats: Arc<ConnectionLimit>,
    /// Becomes true when the program ends.
    stop: watch::Receiver<bool>,
}

impl HttpServer {
    /// A door that is still closed.
    pub fn new(router: Router, tls: Option<TlsAcceptor>, stop: watch::Receiver<bool>) -> Self {
        Self {
            router,
            tls,
            seats: ConnectionLimit::new(),
            stop,
        }
    }

    /// Accepts connections until the program ends.
    pub async fn open(self, listener: TcpListener) {
        let mut stop = self.stop.clone();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|&stop| stop) => return,
            };
            match accepted {
                Ok((stream, peer)) => self.admit(stream, peer),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_BACKOFF).await;
                }
            }
        }
    }

    /// Waits until every connection and every session has ended.
    pub async fn emptied(&self) {
        self.seats.all_free().await;
    }

    /// Serves a connection, or drops it when there are too many.
    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        let Some(seat) = self.seats.take(peer.ip()) else {
            tracing::debug!("too many connections: one was turned away");
            return;
        };
        let door = self.clone();
        tokio::spawn(async move {
            if let Err(error) = door
                .serve(stream, peer.ip().to_canonical(), Arc::new(seat))
                .await
            {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }

    async fn serve(
        self,
        stream: TcpStream,
        ip: IpAddr,
        seat: Arc<ConnectionPermit>,
    ) -> io::Result<()> {
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_LEN)?;
        let Some(tls) = &self.tls else {
            return self.requests(stream, ip, seat, IsTls(false)).await;
        };
        let mut first = [0];
        timeout(HEADER_TIMEOUT, stream.peek(&mut first)).await??;
        if first == [TLS_HANDSHAKE] {
            let stream = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await??;
            return self.requests(stream, ip, seat, IsTls(true)).await;
        }
        if ip.is_loopback() {
            return self.requests(stream, ip, seat, IsTls(false)).await;
        }
        let router = Router::new().fallback(to_https);
        Self {
            router,
            ..self.clone()
        }
        .requests(stream, ip, seat, IsTls(false))
        .await
    }

    /// Answers requests until the connection ends, becomes a session, or had its time.
    async fn requests<S>(
        &self,
        stream: S,
        ip: IpAddr,
        seat: Arc<ConnectionPermit>,
        secured: IsTls,
    ) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = self.router.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Arc::clone(&seat));
            request.extensions_mut().insert(PeerAddress(ip));
            request.extensions_mut().insert(secured);
            router.clone().call(request)
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
        tokio::select! {
            outcome = connection.as_mut() => return outcome.map_err(io::Error::other),
            () = sleep(CONNECTION_TIMEOUT) => {}
            _ = stop.wait_for(|&stop| stop) => {}
        }
        connection.as_mut().graceful_shutdown();
        let outcome = timeout(LAST_ANSWER_TIMEOUT, connection).await;
        outcome.unwrap_or(Ok(())).map_err(io::Error::other)
    }
}

/// Where a page on this port is to be asked for.
async fn to_https(request: Request) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let Some(host) = host else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    Redirect::permanent(&format!("https://{host}{path}")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn plain_http_from_elsewhere_is_sent_to_the_same_page_by_tls() {
        let request = Request::builder()
            .uri("/room/standup?a=b")
            .header(header::HOST, "meet.example:3000")
            .body(Body::empty())
            .unwrap();
        let response = to_https(request).await;
        assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
        let location = response.headers().get(header::LOCATION).unwrap();
        assert_eq!(location, "https://meet.example:3000/room/standup?a=b");
        let nameless = to_https(Request::new(Body::empty())).await;
        assert_eq!(nameless.status(), StatusCode::BAD_REQUEST);
    }
}
