//! Shutdown: readiness, notice, close codes and the time until the program has ended.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::native_client::{Client, close_code};
use crate::program::{Program, start_configured};

/// Waits until `/readyz` fails.
fn wait_until_unready(program: &Program) {
    let start = Instant::now();
    while program.get("/readyz", "").0 != 503 {
        assert!(start.elapsed() < Duration::from_secs(5), "still ready");
    }
}

/// Starts a program with a long notice and a participant, and sends it the first signal.
async fn start_and_terminate(name: &str) -> (Program, Client) {
    let program = start_configured(name, "shutdown_notice_s = 600");
    let ana = Client::join(&program, "standup").await;
    program.terminate();
    wait_until_unready(&program);
    (program, ana)
}

#[tokio::test]
async fn sigterm_fails_readiness_and_leaves_meetings_their_time() {
    let mut program = start_configured("shutdown-notice", "shutdown_notice_s = 4");
    let mut ana = Client::join(&program, "standup").await;
    let mut late = Client::connect(&program).await;
    assert_eq!(program.get("/readyz", "").0, 200);
    let told = Instant::now();
    program.terminate();
    wait_until_unready(&program);
    assert_eq!(program.get("/livez", "").0, 200);
    let refused = late.request("joinRoom", json!({ "roomId": "other" }), "error");
    assert_eq!(refused.await["code"], "shutting-down");
    let body = program.post("/api/rooms", "{\"hostName\":\"Ana\"}");
    assert_eq!(body.0, 503, "{body:?}");
    // A meeting that runs can still be entered.
    let joined = late.request("joinRoom", json!({ "roomId": "standup" }), "roomJoined");
    assert_eq!(joined.await["roomId"], "standup");
    assert_eq!(ana.close_code(Duration::from_secs(10)).await, Some(1001));
    assert!(
        told.elapsed() >= Duration::from_secs(4),
        "{:?}",
        told.elapsed()
    );
    assert_eq!(late.close_code(Duration::from_secs(5)).await, Some(1001));
    assert!(program.wait().success());
}

/// Opens a WebSocket of a dialect and lets its client join a room, or connect.
async fn open_dialect(
    program: &Program,
    path: &str,
    protocol: Option<&'static str>,
    frames: &[&str],
) -> WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>> {
    let url = format!("ws://{}{path}", program.address);
    let mut request = url.into_client_request().unwrap();
    if let Some(protocol) = protocol {
        let protocol = HeaderValue::from_static(protocol);
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", protocol);
    }
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    for frame in frames {
        socket.send(Message::text(*frame)).await.unwrap();
    }
    // Whatever it is, the first answer shows that the frames were read.
    let first = timeout(Duration::from_secs(5), socket.next()).await;
    first.unwrap().unwrap().unwrap();
    socket
}

#[tokio::test]
async fn clients_of_every_dialect_see_the_close_code_of_a_shutdown() {
    let mut program = start_configured("shutdown-dialects", "shutdown_notice_s = 1");
    let socketio = "/socket.io/?EIO=4&transport=websocket";
    let join = r#"{"type":"joinRoom","payload":{"roomId":"standup"}}"#;
    let protoo = r#"{"request":true,"id":1,"method":"getRouterRtpCapabilities","data":{}}"#;
    let mut sockets = vec![
        open_dialect(&program, "/ws", None, &[join]).await,
        open_dialect(&program, "/?roomId=a&peerId=b", Some("protoo"), &[protoo]).await,
    ];
    for namespace in ["40", "40/sfu,", "40/mediasoup,", "40/call,", "40/meetlite,"] {
        sockets.push(open_dialect(&program, socketio, None, &[namespace]).await);
    }
    program.terminate();
    for (number, mut socket) in sockets.into_iter().enumerate() {
        let code = close_code(&mut socket, Duration::from_secs(10)).await;
        assert_eq!(code, Some(1001), "socket {number}");
    }
    assert!(program.wait().success());
}

#[tokio::test]
async fn program_ends_when_the_last_participant_has_left() {
    let (mut program, mut ana) = start_and_terminate("shutdown-empty").await;
    ana.request("leaveRoom", json!({}), "roomLeft").await;
    assert_eq!(ana.close_code(Duration::from_secs(10)).await, Some(1001));
    assert!(program.wait().success());
}

#[tokio::test]
async fn second_signal_ends_the_program_at_once() {
    let (mut program, mut ana) = start_and_terminate("shutdown-twice").await;
    let start = Instant::now();
    program.terminate();
    assert!(program.wait().success());
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    // The close frame may not have been sent in time.
    let code = ana.close_code(Duration::from_secs(5)).await;
    assert!(matches!(code, None | Some(1001)), "{code:?}");
}

#[test]
fn incomplete_requests_do_not_delay_the_exit() {
    let mut program = Program::start(&[]);
    let open = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(program.address).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    };
    let partial = [
        open(b""),
        open(b"GET /health HTTP/1.1\r\nHost: a"),
        open(b"POST /api/rooms HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"),
    ];
    // The server has accepted the connections before it answers this request.
    assert_eq!(program.get("/readyz", "").0, 200);
    let start = Instant::now();
    program.terminate();
    assert!(program.wait().success());
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    drop(partial);
}
