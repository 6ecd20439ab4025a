//! The sub-protocol `protoo` on the wire: who asks for it gets it, by name.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::program::Program;

#[tokio::test]
async fn who_asks_for_protoo_speaks_it_and_is_told_so() {
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
    let answer = timeout(Duration::from_secs(5), socket.next()).await;
    let answer = answer.unwrap().unwrap().unwrap();
    let answer: Value = serde_json::from_str(answer.to_text().unwrap()).unwrap();
    assert_eq!(
        (&answer["response"], &answer["id"]),
        (&json!(true), &json!(1))
    );
    assert_eq!(answer["ok"], true, "{answer}");
}
