//! One WebSocket (RFC 6455), one session: frames go to the hub as they come, letters go out as
//! they are written. It reads no JSON; what a frame means is the conference's business. It speaks
//! the native dialect, or mediasoup's when the client asks for the sub-protocol `protoo`.
//!
//! A client is held to bounds and told which it broke: text only (else 1003), 64 KiB a frame and
//! 128 KiB a message (1009), a pace (1008), reading what it is sent (1013). One that is silent
//! for 45 s is gone. Compression is not offered: a deflate bomb needs it.

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
use tokio::time::{Instant, interval_at, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tracing::Instrument;
use watersmeet_conference::{ConnectRequest, DialectKind, SessionId};

use super::abuse::AbuseTracker;
use super::connection_limit::ConnectionPermit;
use super::query_params::QueryParams;
use super::throttle::{Admission, Throttle};
use super::{SiteContext, cors};
use crate::config::Mount;
use crate::hub::HubHandle;
use crate::session_outbox::{self, Frame, OutboxReceiver};

/// The largest frame a client may send.
const FRAME_LEN_MAX: usize = 64 << 10;

/// The largest message, however many frames it comes in.
const MESSAGE_LEN_MAX: usize = 128 << 10;

/// Buffers of an idle connection; tungstenite's own default of 128 KiB each way is for few.
const BUFFER_LEN: usize = 4 << 10;

/// How often a client is asked for a sign of life.
pub const PING_INTERVAL: Duration = Duration::from_secs(25);

/// How long a client may be silent: one ping and 20 s for its answer.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// How long a letter may take to leave: a client that reads nothing for so long is given up.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the goodbye may take, and how much of what the client still sends is thrown away
/// meanwhile: closing with unread input would reset the connection and lose the goodbye.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);
/// See `GOODBYE_TIMEOUT`.
const GOODBYE_LEN_MAX: u64 = 4 << 20;

/// The sub-protocol of mediasoup's demonstration.
const PROTOO: &str = "protoo";

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// How a session ends, seen from here.
#[derive(Debug)]
enum Ending {
    /// The client said goodbye or is gone.
    Gone,
    /// We say goodbye.
    Close(CloseCode, &'static str),
}

/// Answers the request that opens a WebSocket, and begins the session.
pub async fn upgrade(State(site): State<SiteContext>, mut request: Request) -> Response {
    if !site.origins.allow(request.headers()) {
        return cors::refusal();
    }
    let Some(accept) = accept_key(request.headers()) else {
        return not_asked();
    };
    let (Some(opening), Some(account)) =
        (opening(&site, &request), AbuseTracker::of(&site, &request))
    else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let mount = match opening.dialect {
        DialectKind::Protoo => Mount::Protoo,
        _ => Mount::Native,
    };
    if !site.serves(mount) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let extensions = request.extensions_mut();
    let (Some(upgrading), Some(seat)) = (
        extensions.remove::<OnUpgrade>(),
        extensions.remove::<Arc<ConnectionPermit>>(),
    ) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if let Err(too_often) = account.open() {
        return too_often.into_response();
    }
    let protocol = (opening.dialect == DialectKind::Protoo).then_some(PROTOO);
    tokio::spawn(async move {
        match upgrading.await {
            Ok(upgraded) => session(site.hub, account, opening, upgraded, seat).await,
            Err(error) => tracing::debug!(%error, "a WebSocket was not opened"),
        }
    });
    switching(accept, protocol)
}

/// What the request says of the session it opens. None when it cannot be understood.
fn opening(site: &SiteContext, request: &Request) -> Option<ConnectRequest> {
    let query = QueryParams::read(request.uri(), request.headers())?;
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
    })
}

/// The answer to a request for a WebSocket that is none.
pub fn not_asked() -> Response {
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

/// The answer that opens a WebSocket, in a sub-protocol if one was chosen.
pub fn switching(accept: HeaderValue, protocol: Option<&'static str>) -> Response {
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

/// The answer to the client's key, if the request asks for a WebSocket at all (RFC 6455 §4.2.1).
pub fn accept_key(headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = lists(headers, header::CONNECTION, "upgrade")
        && lists(headers, header::UPGRADE, "websocket")
        && lists(headers, header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asked)?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()
}

/// Whether a header, however often it stands there, lists a word.
fn lists(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|entry| entry.trim().eq_ignore_ascii_case(word))
}

async fn session(
    hub: HubHandle,
    account: AbuseTracker,
    opening: ConnectRequest,
    upgraded: Upgraded,
    seat: Arc<ConnectionPermit>,
) {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_LEN)
        .write_buffer_size(BUFFER_LEN)
        .max_frame_size(Some(FRAME_LEN_MAX))
        .max_message_size(Some(MESSAGE_LEN_MAX));
    let io = TokioIo::new(upgraded);
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let (outbox, mailbox) = session_outbox::pair();
    let Some(session) = hub.open(outbox, opening).await else {
        return goodbye(&mut socket, Ending::Close(CloseCode::Away, "shutting down")).await;
    };
    let span = tracing::info_span!("session", id = session.0);
    converse(hub, &account, session, socket, mailbox)
        .instrument(span)
        .await;
    drop(seat);
}

async fn converse(
    hub: HubHandle,
    account: &AbuseTracker,
    session: SessionId,
    socket: Socket,
    mut mailbox: OutboxReceiver,
) {
    tracing::info!("session opened");
    let (mut sink, mut stream) = socket.split();
    let ending = tokio::select! {
        ending = listen(&hub, session, &mut stream) => ending,
        ending = speak(account, &mut mailbox, &mut sink) => ending,
    };
    hub.close(session).await;
    drop(mailbox);
    tracing::info!(?ending, "session closed");
    if let Ok(mut socket) = stream.reunite(sink) {
        goodbye(&mut socket, ending).await;
    }
}

/// Hands the client's frames to the hub until there are no more.
async fn listen(hub: &HubHandle, session: SessionId, stream: &mut SplitStream<Socket>) -> Ending {
    let mut pace = Throttle::new(Instant::now());
    loop {
        let Ok(next) = timeout(SILENCE_MAX, stream.next()).await else {
            return Ending::Gone;
        };
        let text = match next {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
            Some(Ok(Message::Binary(_))) => {
                return Ending::Close(CloseCode::Unsupported, "text only");
            }
            Some(Ok(Message::Close(_))) | None => return Ending::Gone,
            Some(Err(error)) => return fault(&error),
        };
        match pace.admit(Instant::now()) {
            Admission::Now => {}
            Admission::After(delay) => sleep(delay).await,
            Admission::Never => return Ending::Close(CloseCode::Policy, "too many messages"),
        }
        if !hub.frame(session, text).await {
            return Ending::Close(CloseCode::Away, "shutting down");
        }
    }
}

/// What a client is told that broke the protocol.
fn fault(error: &tungstenite::Error) -> Ending {
    match error {
        tungstenite::Error::Capacity(_) => Ending::Close(CloseCode::Size, "message too long"),
        tungstenite::Error::Utf8(_) => Ending::Close(CloseCode::Invalid, "text must be UTF-8"),
        tungstenite::Error::Protocol(_) => Ending::Close(CloseCode::Protocol, "protocol error"),
        _ => Ending::Gone,
    }
}

/// Sends letters and pings until the hub, or the client's patience with reading, ends it.
async fn speak(
    account: &AbuseTracker,
    mailbox: &mut OutboxReceiver,
    sink: &mut SplitSink<Socket, Message>,
) -> Ending {
    let overflow = mailbox.overflow();
    let mut pings = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
    loop {
        let message = tokio::select! {
            biased;
            () = overflow.rung() => return TOO_SLOW,
            letter = mailbox.next() => match letter {
                Some(Frame::Text(text)) => Message::text(text),
                Some(Frame::LimitedAction(deed)) if account.note(deed).is_err() => {
                    return Ending::Close(CloseCode::Again, "too often");
                }
                Some(Frame::LimitedAction(_)) => continue,
                Some(Frame::Close { code, reason }) => {
                    return Ending::Close(CloseCode::from(code), reason);
                }
                None => return Ending::Close(CloseCode::Away, "session ended"),
            },
            _ = pings.tick() => Message::Ping(Default::default()),
        };
        let len = if message.is_text() { message.len() } else { 0 };
        let outcome = tokio::select! {
            outcome = timeout(WRITE_TIMEOUT, sink.send(message)) => outcome,
            () = overflow.rung() => return TOO_SLOW,
        };
        mailbox.sent(len);
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Ending::Gone,
            Err(_) => return TOO_SLOW,
        }
    }
}

/// What a client is told that does not read what it is sent.
const TOO_SLOW: Ending = Ending::Close(CloseCode::Again, "not reading");

/// Says goodbye, as far as the client lets us, and lets the connection go.
async fn goodbye(socket: &mut Socket, ending: Ending) {
    let frame = match ending {
        Ending::Gone => None,
        Ending::Close(code, reason) => Some(CloseFrame {
            code,
            reason: reason.into(),
        }),
    };
    let said = timeout(GOODBYE_TIMEOUT, async {
        let _ = socket.close(frame).await;
        let stream = socket.get_mut();
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(GOODBYE_LEN_MAX), &mut tokio::io::sink()).await?;
        Ok::<(), io::Error>(())
    });
    if let Ok(Err(error)) = said.await {
        tracing::debug!(%error, "the client left before the goodbye");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_complete_request_opens_a_websocket() {
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
    fn a_sub_protocol_is_found_among_others() {
        let mut headers = HeaderMap::new();
        let name = header::SEC_WEBSOCKET_PROTOCOL;
        headers.insert(&name, HeaderValue::from_static("chat, Protoo"));
        assert!(lists(&headers, name.clone(), PROTOO));
        headers.insert(&name, HeaderValue::from_static("protoo2"));
        assert!(!lists(&headers, name, PROTOO));
    }
}
