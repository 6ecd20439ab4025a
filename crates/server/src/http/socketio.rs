//! Socket.IO: Engine.IO (protocol 4) at `/socket.io/`, by long-polling, by WebSocket, and upgraded
//! from one to the other. Implemented by the library `engineioxide`; this module checks the origin
//! and all bounds before a request reaches the library. It parses queries and counts packets, but
//! does not look into packets.
//!
//! Every request is rebuilt from its parsed parts, so that the library cannot parse it differently.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use engineioxide::config::EngineIoConfig;
use engineioxide::handler::EngineIoHandler;
use engineioxide::service::EngineIoService;
use engineioxide::socket::Sid;
use engineioxide::{DisconnectReason, Socket, Str};
use http_body_util::Full;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tower_service::Service;

use super::abuse::AbuseTracker;
use super::connection_limit::ConnectionPermit;
use super::query_params::QueryParams;
use super::rate_limit::RateLimited;
use super::site::SiteContext;
use super::throttle::BURST_MAX;
use super::{cors, request_body, websocket};
use crate::hub::HubHandle;
use bounded_stream::BoundedStream;
use engineio_session::{EndReason, EngineIoSession, SEND_WINDOW_LEN};
use session_task::SessionTask;

mod bounded_stream;
mod byte_window;
mod engineio_session;
mod session_task;

/// Path of Engine.IO.
const PATH: &str = "/socket.io/";

/// Supported version of the Engine.IO protocol, that of Socket.IO 3 and 4.
const PROTOCOL: &str = "4";

/// Longest packet and longest payload of packets, in bytes.
const PAYLOAD_LEN_MAX: usize = 64 << 10;

/// Upper bound of packets in a payload. The JavaScript client puts all packets since the previous
/// payload into one: a page that joins a room of thirty requests all consumers at once. So the bound
/// is the burst that any client may send.
const PACKETS_MAX: usize = BURST_MAX as usize;

/// Separator of the packets in a payload.
const SEPARATOR: u8 = 0x1e;

/// Time limit for the pong of a client. Clients learn it and the interval of pings when they connect. A
/// machine that sleeps is gone from the pages of others within 18 s.
const PING_TIMEOUT: Duration = Duration::from_secs(12);

/// Time limit for the upgrade from polling to a WebSocket.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for which a payload may wait until the packets before it were handled.
const POST_TIMEOUT: Duration = Duration::from_secs(10);

/// Capacity of the library's send buffer, in packets: more than fit into the send window, in which
/// the shortest packet counts three bytes, so that the window is always full first.
const BUFFER_MAX: usize = SEND_WINDOW_LEN / 3 + 16;

/// Read buffer of an idle connection, in bytes.
const READ_BUFFER_LEN: usize = 4 << 10;

/// State of the Socket.IO routes of a listener.
#[derive(Debug, Clone)]
struct SocketIoRoute {
    /// State of the HTTP handlers.
    site: SiteContext,
    /// Engine.IO service of the library.
    engine: EngineIoService<EngineIoSessions>,
    /// Open sessions.
    sessions: Arc<EngineIoSessions>,
}

/// All open Engine.IO sessions of a listener.
#[derive(Debug)]
struct EngineIoSessions {
    /// Handle of the hub.
    hub: HubHandle,
    /// Whether clients of this listener need a token.
    token_required: bool,
    /// Sessions by the id that clients send with every request.
    open: Mutex<HashMap<Sid, Arc<EngineIoSession>>>,
}

/// Returns the routes of Socket.IO.
pub fn routes(site: &SiteContext) -> Router<SiteContext> {
    let sessions = Arc::new(EngineIoSessions {
        hub: site.hub.clone(),
        token_required: site.token_required,
        open: Mutex::default(),
    });
    let config = EngineIoConfig::builder()
        .req_path(PATH)
        .ping_interval(websocket::PING_INTERVAL)
        .ping_timeout(PING_TIMEOUT)
        .upgrade_timeout(UPGRADE_TIMEOUT)
        .max_buffer_size(BUFFER_MAX)
        .max_payload(PAYLOAD_LEN_MAX as u64)
        .ws_read_buffer_size(READ_BUFFER_LEN)
        .ws_max_frame_size(PAYLOAD_LEN_MAX)
        .ws_max_message_size(PAYLOAD_LEN_MAX)
        .build();
    let route = SocketIoRoute {
        site: site.clone(),
        engine: EngineIoService::with_config(Arc::clone(&sessions), config),
        sessions,
    };
    Router::new()
        .route(PATH, any(handle))
        .route(PATH.trim_end_matches('/'), any(handle))
        .with_state(route)
}

/// Handles a request: checks the origin and adds CORS headers.
async fn handle(State(route): State<SocketIoRoute>, request: Request) -> Response {
    if !route.site.allows_origin(&request) {
        return cors::refusal();
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = if cors::is_preflight(request.method(), request.headers()) {
        cors::preflight()
    } else {
        route.serve(request).await.into_response()
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        cors::add_headers(&mut response, origin);
    }
    response
}

impl SocketIoRoute {
    async fn serve(&self, request: Request) -> Result<Response, EngineIoError> {
        let (parts, body) = request.into_parts();
        let query = QueryParams::parse(&parts.uri, &parts.headers);
        let query = query.ok_or(EngineIoError::BadRequest)?;
        if query.eio.as_deref() != Some(PROTOCOL) {
            return Err(EngineIoError::Protocol);
        }
        let session = match &query.sid {
            Some(sid) => {
                let session = self.sessions.find(sid);
                Some(session.ok_or(EngineIoError::UnknownSession)?)
            }
            None => None,
        };
        match (query.transport.as_deref(), &parts.method, session) {
            (Some("websocket"), &Method::GET, session) => {
                self.open_websocket(parts, query, session)
            }
            (Some("polling"), &Method::GET, None) => self.open(parts, query).await,
            (Some("polling"), &Method::GET, Some(session)) => self.poll(&query, &session).await,
            (Some("polling"), &Method::POST, Some(session)) => {
                self.post(&parts, body, &query, &session).await
            }
            (Some("polling" | "websocket"), _, _) => Err(EngineIoError::Method),
            _ => Err(EngineIoError::Transport),
        }
    }

    /// Opens a session by polling. It gets a permit of its own, since each poll may be another
    /// connection.
    async fn open(&self, mut parts: Parts, query: QueryParams) -> Result<Response, EngineIoError> {
        let abuse = self.record_connection(&parts)?;
        let permit = parts.extensions.remove::<Arc<ConnectionPermit>>();
        let permit = permit.and_then(|permit| permit.acquire_another());
        let permit = permit.ok_or(EngineIoError::ConnectionLimit)?;
        let mut request = engine_request(Method::GET, &query, Full::default())?;
        let session = EngineIoSession::new(query, abuse, Arc::new(permit));
        request.extensions_mut().insert(Arc::new(session));
        Ok(self.call_engine(request).await)
    }

    /// Handles a poll: responds when there are packets.
    async fn poll(
        &self,
        query: &QueryParams,
        session: &EngineIoSession,
    ) -> Result<Response, EngineIoError> {
        let response = self
            .call_engine(engine_request(Method::GET, query, Full::default())?)
            .await;
        let len = response.headers().get(header::CONTENT_LENGTH);
        let len = len.and_then(|len| len.to_str().ok()?.parse::<usize>().ok());
        if let Some(len) = len {
            // One more than was sent: the last packet has no separator.
            session.send_window.release(len + 1);
        }
        Ok(response)
    }

    /// Handles a POST request with a payload of packets.
    async fn post(
        &self,
        parts: &Parts,
        body: Body,
        query: &QueryParams,
        session: &EngineIoSession,
    ) -> Result<Response, EngineIoError> {
        let payload = request_body::collect(&parts.headers, body, PAYLOAD_LEN_MAX);
        let payload = payload.await.map_err(EngineIoError::Body)?;
        let separators = payload.iter().filter(|&&byte| byte == SEPARATOR).count();
        if separators >= PACKETS_MAX {
            session.end(EndReason::Malformed);
            return Err(EngineIoError::BadRequest);
        }
        let _guard = session.post_lock.lock().await;
        if timeout(POST_TIMEOUT, session.receive_window.wait_for_room())
            .await
            .is_err()
        {
            session.end(EndReason::TooFast);
            return Err(EngineIoError::BadRequest);
        }
        let response = self
            .call_engine(engine_request(Method::POST, query, Full::new(payload))?)
            .await;
        if !response.status().is_success() {
            session.end(EndReason::Malformed);
        }
        Ok(response)
    }

    /// Opens a WebSocket, for a new session or for one that used polling until now.
    fn open_websocket(
        &self,
        mut parts: Parts,
        query: QueryParams,
        session: Option<Arc<EngineIoSession>>,
    ) -> Result<Response, EngineIoError> {
        let accept = websocket::accept_key(&parts.headers).ok_or(EngineIoError::UpgradeRequired)?;
        let permit = parts.extensions.remove::<Arc<ConnectionPermit>>();
        let upgrading = parts.extensions.remove::<OnUpgrade>();
        let (Some(permit), Some(upgrading)) = (permit, upgrading) else {
            return Err(EngineIoError::BadRequest);
        };
        let abuse = self.record_connection(&parts)?;
        let mut request = engine_request(Method::GET, &query, ())?;
        let session = match session {
            Some(session) if !session.claim_websocket() => {
                return Err(EngineIoError::BadRequest);
            }
            Some(session) => {
                session.set_permit(permit);
                session
            }
            None => {
                let session = Arc::new(EngineIoSession::new(query, abuse, permit));
                request.extensions_mut().insert(Arc::clone(&session));
                session
            }
        };
        let mut engine = self.engine.clone();
        tokio::spawn(async move {
            match upgrading.await {
                Ok(upgraded) => {
                    let stream = BoundedStream::new(TokioIo::new(upgraded), session);
                    // The request was checked above, so the library has no reason to refuse it.
                    let _ = engine.call((stream, request)).await;
                }
                Err(error) => {
                    tracing::debug!(%error, "WebSocket upgrade failed");
                    session.end(EndReason::Disconnected);
                }
            }
        });
        Ok(websocket::switching_protocols(accept, None))
    }

    /// Counts a signalling connection and returns the tracker of its client.
    fn record_connection(&self, parts: &Parts) -> Result<AbuseTracker, EngineIoError> {
        let abuse = AbuseTracker::for_parts(&self.site, parts).ok_or(EngineIoError::BadRequest)?;
        abuse
            .record_connection()
            .map_err(EngineIoError::RateLimited)?;
        Ok(abuse)
    }

    /// Passes a request to the library.
    async fn call_engine(&self, request: axum::http::Request<Full<Bytes>>) -> Response {
        let Ok(response) = self.engine.clone().call(request).await;
        response.map(Body::new)
    }
}

impl EngineIoSessions {
    /// Returns the session with an id.
    fn find(&self, sid: &str) -> Option<Arc<EngineIoSession>> {
        let sid: Sid = sid.parse().ok()?;
        self.lock().get(&sid).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Sid, Arc<EngineIoSession>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EngineIoHandler for EngineIoSessions {
    type Data = ();

    fn on_connect(self: Arc<Self>, socket: Arc<Socket<()>>) {
        let session = session_of(&socket).cloned();
        let packets = session.as_ref().and_then(|session| session.take_receiver());
        let (Some(session), Some(packets)) = (session, packets) else {
            socket.close(DisconnectReason::TransportError);
            return;
        };
        let sid = socket.id;
        self.lock().insert(sid, Arc::clone(&session));
        let (hub, token_required) = (self.hub.clone(), self.token_required);
        let task = SessionTask::new(hub, socket, session, token_required);
        tokio::spawn(async move {
            task.run(packets).await;
            self.lock().remove(&sid);
        });
    }

    fn on_disconnect(&self, socket: Arc<Socket<()>>, reason: DisconnectReason) {
        tracing::debug!(?reason, "Engine.IO connection lost");
        if let Some(session) = session_of(&socket) {
            session.end(EndReason::Disconnected);
        }
    }

    fn on_message(self: &Arc<Self>, text: Str, socket: Arc<Socket<()>>) {
        if let Some(session) = session_of(&socket) {
            session.queue_packet(text);
        }
    }

    fn on_binary(self: &Arc<Self>, _: Bytes, socket: Arc<Socket<()>>) {
        if let Some(session) = session_of(&socket) {
            session.end(EndReason::Malformed);
        }
    }
}

fn session_of(socket: &Socket<()>) -> Option<&Arc<EngineIoSession>> {
    socket.req_parts.extensions.get()
}

/// Builds the request that the library handles.
fn engine_request<B>(
    method: Method,
    query: &QueryParams,
    body: B,
) -> Result<axum::http::Request<B>, EngineIoError> {
    let transport = query.transport.as_deref().unwrap_or_default();
    let mut uri = format!("{PATH}?EIO={PROTOCOL}&transport={transport}");
    if let Some(sid) = &query.sid {
        uri.push_str("&sid=");
        uri.push_str(sid);
    }
    let request = axum::http::Request::builder().method(method).uri(uri);
    request.body(body).map_err(|_| EngineIoError::BadRequest)
}

/// Reason why a request is refused.
#[derive(Debug, Clone, Copy)]
enum EngineIoError {
    /// Its transport is neither polling nor WebSocket.
    Transport,
    /// No open session has its id.
    UnknownSession,
    /// Its method does not fit its transport.
    Method,
    /// It is malformed, or does not fit its session.
    BadRequest,
    /// It uses another version of the protocol.
    Protocol,
    /// It selects the WebSocket transport but is no WebSocket upgrade.
    UpgradeRequired,
    /// Its body is too long or too slow.
    Body(request_body::BodyError),
    /// The connection limit is reached.
    ConnectionLimit,
    /// The client exceeded its connection rate.
    RateLimited(RateLimited),
}

impl IntoResponse for EngineIoError {
    fn into_response(self) -> Response {
        let (code, message) = match self {
            Self::Transport => (0, "Transport unknown"),
            Self::UnknownSession => (1, "Session ID unknown"),
            Self::Method => (2, "Bad handshake method"),
            Self::BadRequest => (3, "Bad request"),
            Self::Protocol => (5, "Unsupported protocol version"),
            Self::UpgradeRequired => return websocket::upgrade_required(),
            Self::Body(refused) => return refused.into_response(),
            Self::ConnectionLimit => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Self::RateLimited(refused) => return refused.into_response(),
        };
        let body = serde_json::json!({ "code": code, "message": message }).to_string();
        let headers = [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-store"),
        ];
        (StatusCode::BAD_REQUEST, headers, body).into_response()
    }
}
