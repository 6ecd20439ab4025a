//! Participants who send more than they may: who is charged, who stays, and how connections close.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::engineio_client::EngineIoSocket;
use crate::native_client::{Client, close_code};
use crate::program::{Program, start_configured};

/// Messages of a flood: with six bytes for each character three times what a queue holds.
const FLOOD_LEN: u64 = 150;

/// Messages above the limits of `start_strict`, even when a slow machine takes seconds to send them.
const STRICT_FLOOD_LEN: usize = 20;

/// Longest time in which the server must close a connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Joins a room as a client that knows chat.
async fn join(client: &mut Client, room: &str) {
    client
        .send_with_id(1, "joinRoom", json!({ "roomId": room }))
        .await;
    client.expect("roomJoined").await;
}

#[tokio::test]
async fn flood_of_chat_costs_its_sender_and_not_a_slow_reader() {
    let program = Program::start(&[]);
    let mut victim = Client::connect_slowly(&program).await;
    join(&mut victim, "standup").await;
    let mut flooder = Client::connect(&program).await;
    join(&mut flooder, "standup").await;
    // The victim reads nothing until the flood is over.
    let text = "\u{1}".repeat(4_096);
    for id in 2..2 + FLOOD_LEN {
        flooder
            .send_with_id(id, "chat", json!({ "text": text }))
            .await;
    }
    let mut refused = 0;
    for _ in 0..FLOOD_LEN {
        let reply = flooder.next().await;
        if reply["type"] == "error" {
            assert_eq!(reply["payload"]["code"], "rate-limited");
            refused += 1;
        }
    }
    assert!(refused > 0, "the sender is charged");
    flooder.request("leaveRoom", json!({}), "roomLeft").await;

    let left = victim.expect("peerLeft").await;
    assert_eq!(left["peerId"], flooder.peer.as_str());
    let chat = victim.expect("chat").await;
    assert_eq!(chat["text"], text.as_str(), "some messages arrive");
    victim.request("leaveRoom", json!({}), "roomLeft").await;
}

/// Starts a program that closes a connection at its third message above a burst of five.
fn start_strict(name: &str) -> Program {
    start_configured(
        name,
        "[caps]\nmessages_per_second = 1\nmessages_burst = 5\nstrikes_max = 3",
    )
}

/// Sends a message more often than the limits allow, and returns the close code.
async fn close_code_after_flood(
    mut socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    message: &str,
) -> Option<u16> {
    for _ in 0..STRICT_FLOOD_LEN {
        if socket.send(Message::text(message)).await.is_err() {
            break;
        }
    }
    close_code(&mut socket, CLOSE_TIMEOUT).await
}

#[tokio::test]
async fn native_connection_above_the_message_rate_is_closed_with_1008() {
    let program = start_strict("strict-native");
    let client = Client::connect(&program).await;
    let message = json!({ "type": "getRouterRtpCapabilities", "payload": {} });
    let code = close_code_after_flood(client.socket, &message.to_string()).await;
    assert_eq!(code, Some(1008));
}

#[tokio::test]
async fn protoo_connection_above_the_message_rate_is_closed_with_1008() {
    let program = start_strict("strict-protoo");
    let url = format!("ws://{}/?roomId=standup&peerId=ana", program.address);
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("Sec-WebSocket-Protocol", "protoo".parse().unwrap());
    let (socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let message = json!({
        "request": true, "id": 1, "method": "getRouterRtpCapabilities", "data": {},
    });
    let code = close_code_after_flood(socket, &message.to_string()).await;
    assert_eq!(code, Some(1008));
}

#[tokio::test]
async fn socketio_connection_above_the_message_rate_is_closed_with_1008() {
    let program = start_strict("strict-socketio");
    // The first event of the main namespace decides between its dialects.
    let dialects = [
        ("", "join-room"),
        ("", "join"),
        ("/call,", "joinRoom"),
        ("/mediasoup,", "createRoom"),
    ];
    for (namespace, event) in dialects {
        let mut socket = EngineIoSocket::open(&program, "").await;
        socket.next().await;
        socket.send(&format!("40{namespace}")).await;
        socket.next().await;
        let message = format!("42{namespace}1{}", json!([event, {}]));
        let code = close_code_after_flood(socket.socket, &message).await;
        assert_eq!(code, Some(1008), "{namespace}{event}");
    }
}
