//! WebSocket sessions (RFC 6455): passes received frames to the hub and sends frames of the outbox.
//! Does not parse frames; that is done by the conference. The dialect is the native one, or protoo
//! when the client requests the sub-protocol `protoo`.
//!
//! Close codes tell a client which bound it exceeded: text only (else 1003), 64 KiB a frame and
//! 128 KiB a message (1009), the message rate (1008), reading what it is sent (1013). A client that
//! is silent for 16 s is disconnected. Compression is not offered, which rules out deflate bombs.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, Interval, interval_at, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tracing::Instrument;
use watersmeet_conference::{ConnectRequest, DialectKind, SessionId};

use super::abuse::AbuseTracker;
use super::connection_limit::ConnectionPermit;
use super::cors;
use super::query_params::QueryParams;
use super::site::SiteContext;
use super::throttle::{Admission, Throttle};
use crate::clock::Clock;
use crate::config::Mount;
use crate::hub::HubHandle;
use crate::session_outbox::{self, Frame, OutboxReceiver};

/// Longest frame of a client, in bytes.
const FRAME_LEN_MAX: usize = 64 << 10;

/// Longest message of a client, in bytes, over all its frames.
const MESSAGE_LEN_MAX: usize = 128 << 10;

/// Buffers of an idle connection, in bytes. The default of tungstenite, 128 KiB each way, is too
/// much for thousands of connections.
const BUFFER_LEN: usize = 4 << 10;

/// Interval of pings to a client.
pub const PING_INTERVAL: Duration = Duration::from_secs(6);

/// Distance of the times at which pings are sent. All connections share these times, so that pings of
/// many wake the program together.
const PING_TICK: Duration = Duration::from_millis(250);

/// Time for which a client may be silent: two pings, and 4 s for the second pong. A machine that
/// sleeps is gone from the pages of others within 20 s.
const SILENCE_MAX: Duration = Duration::from_secs(16);

/// Time limit for sending a frame, after which a client that does not read is disconnected.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time limit for closing a connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes of the client that are discarded while closing. Closing with unread input would reset the
/// connection and lose the close frame.
const CLOSE_DISCARD_LEN_MAX: u64 = 4 << 20;

/// Close code of a client that gives up a connection on which nothing arrives, and means to resume its session
/// over another one. Other close frames end the session: the page is closed, or has left.
const CLOSE_TO_RESUME: u16 = 4000;

/// Sub-protocol of mediasoup's demonstration application.
const PROTOO: &str = "protoo";

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Reason why a session ends.
#[derive(Debug)]
enum SessionEnd {
    /// The client closed the connection.
    Disconnected,
    /// The connection was lost: the client did not close it, or did so in order to resume its session.
    Lost,
    /// The server closes the connection with a code and a reason.
    Close(CloseCode, &'static str),
}

/// Handles the request that opens a WebSocket, and starts the session.
pub async fn upgrade(State(site): State<SiteContext>, mut request: Request) -> Response {
    if !site.allows_origin(&request) {
        return cors::refusal();
    }
    let Some(accept) = accept_key(request.headers()) else {
        return upgrade_required();
    };
    let (Some(mut connect), Some(abuse)) = (
        connect_request(&site, &request),
        AbuseTracker::for_request(&site, &request),
    ) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    connect.client = abuse.client_key();
    let mount = match connect.dialect {
        DialectKind::Protoo => Mount::Protoo,
        _ => Mount::Native,
    };
    if !site.serves(mount) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let extensions = request.extensions_mut();
    let (Some(upgrading), Some(permit)) = (
        extensions.remove::<OnUpgrade>(),
        extensions.remove::<Arc<ConnectionPermit>>(),
    ) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if let Err(rate_limited) = abuse.record_connection() {
        return rate_limited.into_response();
    }
    let protocol = (connect.dialect == DialectKind::Protoo).then_some(PROTOO);
    tokio::spawn(async move {
        match upgrading.await {
            Ok(upgraded) => open_session(&site, abuse, connect, upgraded, permit).await,
            Err(error) => tracing::debug!(%error, "WebSocket upgrade failed"),
        }
    });
    switching_protocols(accept, protocol)
}

/// Returns the session parameters of a request; `None` when its query is malformed.
fn connect_request(site: &SiteContext, request: &Request) -> Option<ConnectRequest> {
    let query = QueryParams::parse(request.uri(), request.headers())?;
    let protoo = lists(request.headers(), header::SEC_WEBSOCKET_PROTOCOL, PROTOO);
    Some(ConnectRequest {
        dialect: if protoo {
            DialectKind::Protoo
        } else {
            DialectKind::Native
        },
        room: query.room,
        peer: query.peer,
        token: query.token,
        token_required: site.token_required,
        client: None,
    })
}

/// Returns the response to a request that is no WebSocket upgrade.
pub fn upgrade_required() -> Response {
    let headers = [
        (header::UPGRADE, "websocket"),
        (header::SEC_WEBSOCKET_VERSION, "13"),
    ];
    (
        StatusCode::UPGRADE_REQUIRED,
        headers,
        "A WebSocket is needed\n",
    )
        .into_response()
}

/// Returns the response that opens a WebSocket, with the sub-protocol if one was chosen.
pub fn switching_protocols(accept: HeaderValue, protocol: Option<&'static str>) -> Response {
    let headers = [
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    let mut response = (StatusCode::SWITCHING_PROTOCOLS, headers).into_response();
    if let Some(protocol) = protocol {
        let protocol = HeaderValue::from_static(protocol);
        let headers = response.headers_mut();
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    response
}

/// Returns `Sec-WebSocket-Accept`; `None` when the request is no upgrade (RFC 6455 §4.2.1).
pub fn accept_key(headers: &HeaderMap) -> Option<HeaderValue> {
    let is_upgrade = lists(headers, header::CONNECTION, "upgrade")
        && lists(headers, header::UPGRADE, "websocket")
        && lists(headers, header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .filter(|_| is_upgrade)?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()
}

/// Returns whether a header, in any of its occurrences, lists a token.
fn lists(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|entry| entry.trim().eq_ignore_ascii_case(token))
}

async fn open_session(
    site: &SiteContext,
    abuse: AbuseTracker,
    connect: ConnectRequest,
    upgraded: Upgraded,
    permit: Arc<ConnectionPermit>,
) {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_LEN)
        .write_buffer_size(BUFFER_LEN)
        .max_frame_size(Some(FRAME_LEN_MAX))
        .max_message_size(Some(MESSAGE_LEN_MAX));
    let io = TokioIo::new(upgraded);
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let (outbox, receiver) = session_outbox::channel();
    let Some(session) = site.hub.open_session(outbox, connect).await else {
        return close(
            &mut socket,
            SessionEnd::Close(CloseCode::Away, "shutting down"),
        )
        .await;
    };
    let span = tracing::info_span!("session", id = session.0);
    run_session(site, &abuse, session, socket, receiver)
        .instrument(span)
        .await;
    drop(permit);
}

async fn run_session(
    site: &SiteContext,
    abuse: &AbuseTracker,
    session: SessionId,
    socket: Socket,
    mut frames: OutboxReceiver,
) {
    tracing::info!("session opened");
    let pings = ping_interval(site.clock);
    let (mut sink, mut stream) = socket.split();
    let end = tokio::select! {
        end = receive_frames(&site.hub, session, &mut stream) => end,
        end = send_frames(abuse, &mut frames, &mut sink, pings) => end,
    };
    match end {
        SessionEnd::Lost => site.hub.lose_connection(session).await,
        SessionEnd::Disconnected | SessionEnd::Close(..) => site.hub.close_session(session).await,
    }
    drop(frames);
    tracing::info!(?end, "session closed");
    if let Ok(mut socket) = stream.reunite(sink) {
        close(&mut socket, end).await;
    }
}

/// Returns the times at which a new connection is pinged.
fn ping_interval(clock: Clock) -> Interval {
    let first = first_ping(clock.now().since_origin());
    interval_at(Instant::from_std(clock.epoch()) + first, PING_INTERVAL)
}

/// Returns when a connection that opens now is pinged first, since the start of the program.
fn first_ping(now: Duration) -> Duration {
    let due = now + PING_INTERVAL;
    let since_tick = due.as_nanos() % PING_TICK.as_nanos();
    due.saturating_sub(Duration::from_nanos(
        u64::try_from(since_tick).unwrap_or_default(),
    ))
}

/// Passes the client's frames to the hub until the connection ends.
async fn receive_frames(
    hub: &HubHandle,
    session: SessionId,
    stream: &mut SplitStream<Socket>,
) -> SessionEnd {
    let mut throttle = Throttle::new(Instant::now());
    loop {
        let Ok(next) = timeout(SILENCE_MAX, stream.next()).await else {
            return SessionEnd::Lost;
        };
        let text = match next {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
            Some(Ok(Message::Binary(_))) => {
                return SessionEnd::Close(CloseCode::Unsupported, "text only");
            }
            Some(Ok(Message::Close(frame))) => return end_for_close(frame.as_ref()),
            None => return SessionEnd::Lost,
            Some(Err(error)) => return end_for_error(&error),
        };
        match throttle.admit(Instant::now()) {
            Admission::Now => {}
            Admission::After(delay) => sleep(delay).await,
        }
        if !hub.send_frame(session, text).await {
            return SessionEnd::Close(CloseCode::Away, "shutting down");
        }
    }
}

/// Returns how the close frame of a client ends the session.
fn end_for_close(frame: Option<&CloseFrame>) -> SessionEnd {
    match frame.map(|it| u16::from(it.code)) {
        Some(CLOSE_TO_RESUME) => SessionEnd::Lost,
        _ => SessionEnd::Disconnected,
    }
}

/// Returns how a protocol error ends the session.
fn end_for_error(error: &tungstenite::Error) -> SessionEnd {
    match error {
        tungstenite::Error::Capacity(_) => SessionEnd::Close(CloseCode::Size, "message too long"),
        tungstenite::Error::Utf8(_) => SessionEnd::Close(CloseCode::Invalid, "text must be UTF-8"),
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            SessionEnd::Lost
        }
        tungstenite::Error::Protocol(_) => SessionEnd::Close(CloseCode::Protocol, "protocol error"),
        _ => SessionEnd::Lost,
    }
}

/// Sends frames of the outbox and pings until the session ends or the client does not read.
async fn send_frames(
    abuse: &AbuseTracker,
    frames: &mut OutboxReceiver,
    sink: &mut SplitSink<Socket, Message>,
    mut pings: Interval,
) -> SessionEnd {
    let overflow = frames.overflow();
    loop {
        let message = tokio::select! {
            biased;
            () = overflow.wait() => return NOT_READING,
            frame = frames.next() => match frame {
                Some(Frame::Text(text) | Frame::DroppableText(text)) => Message::text(text),
                Some(Frame::LimitedAction(action)) if abuse.record_action(action).is_err() => {
                    return SessionEnd::Close(CloseCode::Again, "too often");
                }
                Some(Frame::LimitedAction(_)) => continue,
                Some(Frame::Close { code, reason }) => {
                    return SessionEnd::Close(CloseCode::from(code), reason);
                }
                None => return SessionEnd::Close(CloseCode::Away, "session ended"),
            },
            _ = pings.tick() => Message::Ping(Default::default()),
        };
        // Frames that are queued already are written together with this one.
        let mut len = if message.is_text() { message.len() } else { 0 };
        let written = async {
            sink.feed(message).await?;
            while len < BUFFER_LEN
                && let Some(text) = frames.take_text()
            {
                len += text.len();
                sink.feed(Message::text(text)).await?;
            }
            sink.flush().await
        };
        let outcome = tokio::select! {
            outcome = timeout(WRITE_TIMEOUT, written) => outcome,
            () = overflow.wait() => return NOT_READING,
        };
        frames.release(len);
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return SessionEnd::Lost,
            Err(_) => return NOT_READING,
        }
    }
}

/// End of a session whose client does not read what it is sent.
const NOT_READING: SessionEnd = SessionEnd::Close(CloseCode::Again, "not reading");

/// Sends the close frame, or the response to that of the client (RFC 6455 §5.5.1), if the client reads
/// it, and closes the connection.
async fn close(socket: &mut Socket, end: SessionEnd) {
    let closed = timeout(CLOSE_TIMEOUT, async {
        let _ = match end {
            // The response was queued when the client's frame was read.
            SessionEnd::Disconnected | SessionEnd::Lost => socket.flush().await,
            SessionEnd::Close(code, reason) => {
                let reason = reason.into();
                socket.close(Some(CloseFrame { code, reason })).await
            }
        };
        let stream = socket.get_mut();
        stream.shutdown().await?;
        tokio::io::copy(
            &mut stream.take(CLOSE_DISCARD_LEN_MAX),
            &mut tokio::io::sink(),
        )
        .await?;
        Ok::<(), io::Error>(())
    });
    if let Ok(Err(error)) = closed.await {
        tracing::debug!(%error, "client disconnected before the close frame was sent");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_key_is_returned_only_for_a_complete_upgrade_request() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (header::CONNECTION, "keep-alive, Upgrade"),
            (header::UPGRADE, "WebSocket"),
            (header::SEC_WEBSOCKET_VERSION, "13"),
            (header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        // The example of RFC 6455 §1.3.
        assert_eq!(
            accept_key(&headers).unwrap(),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        headers.remove(header::CONNECTION);
        assert_eq!(accept_key(&headers), None);
    }

    #[test]
    fn close_frames_end_the_session_unless_the_client_means_to_resume_it() {
        let end = |code: u16| {
            end_for_close(Some(&CloseFrame {
                code: CloseCode::from(code),
                reason: Default::default(),
            }))
        };
        assert!(matches!(end(CLOSE_TO_RESUME), SessionEnd::Lost));
        for code in [1000, 1001, 1005, 4001] {
            assert!(matches!(end(code), SessionEnd::Disconnected), "{code}");
        }
        assert!(matches!(end_for_close(None), SessionEnd::Disconnected));
    }

    #[test]
    fn connections_are_pinged_at_shared_times_within_the_interval() {
        let opened = [6_000, 6_001, 6_130, 6_249].map(Duration::from_millis);
        let first = opened.map(first_ping);
        assert_eq!(first, [Duration::from_secs(12); 4]);
        for now in (0..2_000_000).step_by(7_919).map(Duration::from_micros) {
            let wait = first_ping(now) - now;
            assert!(wait <= PING_INTERVAL && wait + PING_TICK > PING_INTERVAL);
        }
    }

    #[test]
    fn sub_protocol_is_found_among_others() {
        let mut headers = HeaderMap::new();
        let name = header::SEC_WEBSOCKET_PROTOCOL;
        headers.insert(&name, HeaderValue::from_static("chat, Protoo"));
        assert!(lists(&headers, name.clone(), PROTOO));
        headers.insert(&name, HeaderValue::from_static("protoo2"));
        assert!(!lists(&headers, name, PROTOO));
    }
}
