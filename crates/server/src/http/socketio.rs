//! Socket.IO's way in: Engine.IO (protocol 4) at `/socket.io/`, by long-polling, by WebSocket, and
//! from the one to the other. The library `engineioxide` speaks it; this stands in front of it and
//! lets through only what is bounded and asked for by an allowed page. It reads addresses and
//! counts packets, and never looks into them.
//!
//! Every request is written anew before the library sees it, so that both can only understand it
//! in one way.

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
use super::throttle::BURST_MAX;
use super::{SiteContext, cors, request_body, websocket};
use crate::hub::HubHandle;
use bounded_stream::Stream;
use engineio_session::{EndReason, EngineIoSession, OUTWARD_LEN_MAX};
use session_task::SessionTask;

mod bounded_stream;
mod byte_window;
mod engineio_session;
mod session_task;

/// Where Engine.IO is.
const PATH: &str = "/socket.io/";

/// The protocol that is spoken: Engine.IO 4, that of Socket.IO 3 and 4.
const PROTOCOL: &str = "4";

/// The largest packet, and the largest payload of packets, in bytes.
const PAYLOAD_LEN_MAX: usize = 64 << 10;

/// The most packets in a payload. The JavaScript client puts into one what has gathered since the
/// one before, however much: a page that enters a room of thirty asks for all of them at once. So
/// it is what any client may send at once, and no more.
const PACKETS_MAX: usize = BURST_MAX as usize;

/// What parts the packets of a payload.
const SEPARATOR: u8 = 0x1e;

/// How often a client is asked for a sign of life, and how long it may take to give it.
const PING_INTERVAL: Duration = Duration::from_secs(25);
/// See `PING_INTERVAL`.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// How long the move from polling to a WebSocket may take.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a payload waits until the packets before it were taken.
const PATIENCE: Duration = Duration::from_secs(10);

/// More packets than fit into the window of what is under way, the shortest of which counts three
/// bytes: it is the window that is full first, never this.
const BUFFER_MAX: usize = OUTWARD_LEN_MAX / 3 + 16;

/// Buffer of an idle connection.
const READ_BUFFER_LEN: usize = 4 << 10;

/// What the route has.
#[derive(Debug, Clone)]
struct SocketIoRoute {
    /// The program around it.
    site: SiteContext,
    /// The library.
    engine: EngineIoService<EngineIoSessions>,
    /// The open sessions.
    carriers: Arc<EngineIoSessions>,
}

/// All open Engine.IO sessions.
#[derive(Debug)]
struct EngineIoSessions {
    /// Where their frames go.
    hub: HubHandle,
    /// Whether nobody may come in without a token.
    token_required: bool,
    /// Each of them, by the name that its client sends with every request.
    open: Mutex<HashMap<Sid, Arc<EngineIoSession>>>,
}

/// The paths of Socket.IO.
pub fn routes(site: &SiteContext) -> Router<SiteContext> {
    let carriers = Arc::new(EngineIoSessions {
        hub: site.hub.clone(),
        token_required: site.token_required,
        open: Mutex::default(),
    });
    let config = EngineIoConfig::builder()
        .req_path(PATH)
        .ping_interval(PING_INTERVAL)
        .ping_timeout(PING_TIMEOUT)
        .upgrade_timeout(UPGRADE_TIMEOUT)
        .max_buffer_size(BUFFER_MAX)
        .max_payload(PAYLOAD_LEN_MAX as u64)
        .ws_read_buffer_size(READ_BUFFER_LEN)
        .ws_max_frame_size(PAYLOAD_LEN_MAX)
        .ws_max_message_size(PAYLOAD_LEN_MAX)
        .build();
    let mount = SocketIoRoute {
        site: site.clone(),
        engine: EngineIoService::with_config(Arc::clone(&carriers), config),
        carriers,
    };
    Router::new()
        .route(PATH, any(answer))
        .route(PATH.trim_end_matches('/'), any(answer))
        .with_state(mount)
}

/// Answers one request, for a page that may ask.
async fn answer(State(mount): State<SocketIoRoute>, request: Request) -> Response {
    if !mount.site.origins.allow(request.headers()) {
        return cors::refusal();
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = if cors::is_preflight(request.method(), request.headers()) {
        cors::preflight()
    } else {
        mount.serve(request).await.into_response()
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        cors::share(&mut response, origin);
    }
    response
}

impl SocketIoRoute {
    async fn serve(&self, request: Request) -> Result<Response, EngineIoError> {
        let (parts, body) = request.into_parts();
        let query = QueryParams::read(&parts.uri, &parts.headers);
        let query = query.ok_or(EngineIoError::BadRequest)?;
        if query.eio.as_deref() != Some(PROTOCOL) {
            return Err(EngineIoError::Protocol);
        }
        let carrier = match &query.sid {
            Some(sid) => {
                let carrier = self.carriers.find(sid);
                Some(carrier.ok_or(EngineIoError::UnknownSession)?)
            }
            None => None,
        };
        match (query.transport.as_deref(), &parts.method, carrier) {
            (Some("websocket"), &Method::GET, carrier) => self.websocket(parts, query, carrier),
            (Some("polling"), &Method::GET, None) => self.open(parts, query).await,
            (Some("polling"), &Method::GET, Some(carrier)) => self.poll(&query, &carrier).await,
            (Some("polling"), &Method::POST, Some(carrier)) => {
                self.post(&parts, body, &query, &carrier).await
            }
            (Some("polling" | "websocket"), _, _) => Err(EngineIoError::Method),
            _ => Err(EngineIoError::Transport),
        }
    }

    /// Begins a session that is polled. Its seat is its own: polls come and go.
    async fn open(&self, mut parts: Parts, query: QueryParams) -> Result<Response, EngineIoError> {
        let account = self.account(&parts)?;
        let seat = parts.extensions.remove::<Arc<ConnectionPermit>>();
        let seat = seat.and_then(|seat| seat.another());
        let seat = seat.ok_or(EngineIoError::Full)?;
        let mut request = asked(Method::GET, &query, Full::default())?;
        let carrier = EngineIoSession::new(query, account, Arc::new(seat));
        request.extensions_mut().insert(Arc::new(carrier));
        Ok(self.ask(request).await)
    }

    /// Answers a poll with what there is, or once there is something.
    async fn poll(
        &self,
        query: &QueryParams,
        carrier: &EngineIoSession,
    ) -> Result<Response, EngineIoError> {
        let response = self.ask(asked(Method::GET, query, Full::default())?).await;
        let len = response.headers().get(header::CONTENT_LENGTH);
        let len = len.and_then(|len| len.to_str().ok()?.parse::<usize>().ok());
        if let Some(len) = len {
            // One more than was sent: the last packet ends without a separator.
            carrier.outward.give_back(len + 1);
        }
        Ok(response)
    }

    /// Takes a payload of packets.
    async fn post(
        &self,
        parts: &Parts,
        body: Body,
        query: &QueryParams,
        carrier: &EngineIoSession,
    ) -> Result<Response, EngineIoError> {
        let payload = request_body::collect(&parts.headers, body, PAYLOAD_LEN_MAX);
        let payload = payload.await.map_err(EngineIoError::Body)?;
        let separators = payload.iter().filter(|&&byte| byte == SEPARATOR).count();
        if separators >= PACKETS_MAX {
            carrier.end(EndReason::Malformed);
            return Err(EngineIoError::BadRequest);
        }
        let _posting = carrier.posting.lock().await;
        if timeout(PATIENCE, carrier.inward.room()).await.is_err() {
            carrier.end(EndReason::TooFast);
            return Err(EngineIoError::BadRequest);
        }
        let response = self
            .ask(asked(Method::POST, query, Full::new(payload))?)
            .await;
        if !response.status().is_success() {
            carrier.end(EndReason::Malformed);
        }
        Ok(response)
    }

    /// Opens a WebSocket: a new session, or one that was polled until now.
    fn websocket(
        &self,
        mut parts: Parts,
        query: QueryParams,
        carrier: Option<Arc<EngineIoSession>>,
    ) -> Result<Response, EngineIoError> {
        let accept = websocket::accept_key(&parts.headers).ok_or(EngineIoError::NoWebSocket)?;
        let seat = parts.extensions.remove::<Arc<ConnectionPermit>>();
        let upgrading = parts.extensions.remove::<OnUpgrade>();
        let (Some(seat), Some(upgrading)) = (seat, upgrading) else {
            return Err(EngineIoError::BadRequest);
        };
        let account = self.account(&parts)?;
        let mut request = asked(Method::GET, &query, ())?;
        let carrier = match carrier {
            Some(carrier) if !carrier.move_to_websocket() => {
                return Err(EngineIoError::BadRequest);
            }
            Some(carrier) => {
                carrier.sit(seat);
                carrier
            }
            None => {
                let carrier = Arc::new(EngineIoSession::new(query, account, seat));
                request.extensions_mut().insert(Arc::clone(&carrier));
                carrier
            }
        };
        let mut engine = self.engine.clone();
        tokio::spawn(async move {
            match upgrading.await {
                Ok(upgraded) => {
                    let stream = Stream::new(TokioIo::new(upgraded), carrier);
                    // It was read before; the library finds nothing new in it.
                    let _ = engine.call((stream, request)).await;
                }
                Err(error) => {
                    tracing::debug!(%error, "a WebSocket was not opened");
                    carrier.end(EndReason::Gone);
                }
            }
        });
        Ok(websocket::switching(accept, None))
    }

    /// The account of whoever asks, with one connection more.
    fn account(&self, parts: &Parts) -> Result<AbuseTracker, EngineIoError> {
        let account = AbuseTracker::of_parts(&self.site, parts).ok_or(EngineIoError::BadRequest)?;
        account.open().map_err(EngineIoError::RateLimited)?;
        Ok(account)
    }

    /// Lets the library answer.
    async fn ask(&self, request: axum::http::Request<Full<Bytes>>) -> Response {
        let Ok(response) = self.engine.clone().call(request).await;
        response.map(Body::new)
    }
}

impl EngineIoSessions {
    /// The session of this name.
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
        let carrier = carrier_of(&socket).cloned();
        let packets = carrier.as_ref().and_then(|carrier| carrier.packets());
        let (Some(carrier), Some(packets)) = (carrier, packets) else {
            socket.close(DisconnectReason::TransportError);
            return;
        };
        let sid = socket.id;
        self.lock().insert(sid, Arc::clone(&carrier));
        let (hub, token_required) = (self.hub.clone(), self.token_required);
        let conversation = SessionTask::new(hub, socket, carrier, token_required);
        tokio::spawn(async move {
            conversation.run(packets).await;
            self.lock().remove(&sid);
        });
    }

    fn on_disconnect(&self, socket: Arc<Socket<()>>, reason: DisconnectReason) {
        tracing::debug!(?reason, "Engine.IO connection lost");
        if let Some(carrier) = carrier_of(&socket) {
            carrier.end(EndReason::Gone);
        }
    }

    fn on_message(self: &Arc<Self>, text: Str, socket: Arc<Socket<()>>) {
        if let Some(carrier) = carrier_of(&socket) {
            carrier.receive(text);
        }
    }

    fn on_binary(self: &Arc<Self>, _: Bytes, socket: Arc<Socket<()>>) {
        if let Some(carrier) = carrier_of(&socket) {
            carrier.end(EndReason::Malformed);
        }
    }
}

fn carrier_of(socket: &Socket<()>) -> Option<&Arc<EngineIoSession>> {
    socket.req_parts.extensions.get()
}

/// The request as the library is to understand it.
fn asked<B>(
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

/// Why a request is not answered.
#[derive(Debug, Clone, Copy)]
enum EngineIoError {
    /// It asks for neither polling nor a WebSocket.
    Transport,
    /// No open session has its name.
    UnknownSession,
    /// It is not of the method this needs.
    Method,
    /// It cannot be understood, or does not fit its session.
    BadRequest,
    /// It speaks another version of the protocol.
    Protocol,
    /// It asks for a WebSocket and does not say so.
    NoWebSocket,
    /// Its body is too long or too slow.
    Body(request_body::Refused),
    /// There are too many connections.
    Full,
    /// Its client asks too often.
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
            Self::NoWebSocket => return websocket::not_asked(),
            Self::Body(refused) => return refused.into_response(),
            Self::Full => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
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
