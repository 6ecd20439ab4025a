//! The WebSocket sub-protocol `protoo`.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::program::Program;

#[tokio::test]
async fn protoo_is_negotiated_when_requested() {
    let program = Program::start(&[]);
    let url = format!("ws://{}/?roomId=standup&peerId=ana", program.address);
    let mut request = url.into_client_request().unwrap();
    let name = "Sec-WebSocket-Protocol";
    request
        .headers_mut()
        .insert(name, "protoo".parse().unwrap());
    let (mut socket, response) = tokio_tungstenite::connect_async(request).await.unwrap();
    assert_eq!(response.headers()[name], "protoo");
    let request = json!({
        "request": true, "id": 1, "method": "getRouterRtpCapabilities", "data": {},
    });
    let request = Message::text(request.to_string());
    socket.send(request).await.unwrap();
    let response = timeout(Duration::from_secs(5), socket.next()).await;
    let response = response.unwrap().unwrap().unwrap();
    let response: Value = serde_json::from_str(response.to_text().unwrap()).unwrap();
    assert_eq!(
        (&response["response"], &response["id"]),
        (&json!(true), &json!(1))
    );
    assert_eq!(response["ok"], true, "{response}");
}
