//! Webhooks: real receivers get each event once it is confirmed, in order and signed as LiveKit's servers sign
//! them; and what must not be reached is not.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::aws_lc_rs::digest::{SHA256, digest};
use base64::prelude::{BASE64_STANDARD, Engine};
use futures_util::FutureExt;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rcgen::CertifiedKey;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use crate::metrics::{scrape, sum};
use crate::native_client::Client;
use crate::program::{Program, command, secret, start_configured};

/// Name of the key in these tests.
const KEY: &str = "app-key";

/// Longest wait for an event that is not delayed.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A receiver that confirms each event, or answers with another status.
struct Receiver {
    address: SocketAddr,
    secret: String,
    /// Status of responses.
    status: watch::Sender<u16>,
    /// Verified bodies, with the status that each was answered with.
    events: mpsc::UnboundedReceiver<(u16, Value)>,
    serving: JoinHandle<()>,
}

#[derive(Deserialize)]
struct Claims {
    sha256: String,
    exp: u64,
}

impl Receiver {
    /// Starts a receiver at a free port.
    async fn start() -> Self {
        Self::start_with(None).await
    }

    async fn start_with(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::serve(listener, secret(), tls)
    }

    fn serve(listener: TcpListener, secret: String, tls: Option<TlsAcceptor>) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let (status, answers) = watch::channel(200);
        let address = listener.local_addr().unwrap();
        let key = DecodingKey::from_secret(secret.as_bytes());
        let state = Arc::new((key, sender, answers));
        let serving = async move {
            // Ends with the receiver.
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (state, tls) = (Arc::clone(&state), tls.clone());
                connections.spawn(async move {
                    let answer = service_fn(|request| {
                        let state = Arc::clone(&state);
                        async move {
                            let (key, sender, answers) = &*state;
                            let status = *answers.borrow();
                            let event = verify(request, key).await;
                            let _ = sender.send((status, event));
                            let body = Full::new(Bytes::new());
                            let response = Response::builder().status(status);
                            // Target of a redirect, which must not be followed.
                            response.header(LOCATION, "/elsewhere").body(body)
                        }
                    });
                    let http = http1::Builder::new();
                    // The client may close the connection at any time.
                    match tls {
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else {
                                return;
                            };
                            let _ = http.serve_connection(TokioIo::new(stream), answer).await;
                        }
                        None => {
                            let _ = http.serve_connection(TokioIo::new(stream), answer).await;
                        }
                    }
                });
            }
        };
        Self {
            address,
            secret,
            status,
            events,
            serving: tokio::spawn(serving),
        }
    }

    /// Returns the settings of a webhook that sends to this receiver.
    fn settings(&self) -> String {
        let (address, secret) = (self.address, &self.secret);
        format!(
            "shutdown_notice_s = 0\n[[webhooks]]\nurl = \"http://{address}/hooks?a=b\"\n\
             key = \"{KEY}\"\nsecret = \"{secret}\"\nprivate_targets = true\n"
        )
    }

    /// Waits for the next request, and returns its body.
    async fn next(&mut self) -> Value {
        let received = timeout(TIMEOUT, self.events.recv()).await;
        received.expect("an event arrives").unwrap().1
    }

    /// Waits for events up to one of this name, and returns the names of all.
    async fn names_until(&mut self, name: &str) -> Vec<String> {
        let mut names = Vec::new();
        while names.last().is_none_or(|last| last != name) {
            names.push(self.next().await["event"].as_str().unwrap().to_owned());
        }
        names
    }
}

/// Checks the form and the signature of a request, and returns its body.
async fn verify(request: Request<Incoming>, key: &DecodingKey) -> Value {
    assert_eq!(request.uri(), "/hooks?a=b");
    let (parts, body) = request.into_parts();
    assert_eq!(parts.headers[CONTENT_TYPE], "application/webhook+json");
    let token = parts.headers[AUTHORIZATION].to_str().unwrap();
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[KEY]);
    let claims = jsonwebtoken::decode::<Claims>(token, key, &validation).unwrap();
    let body = body.collect().await.unwrap().to_bytes();
    assert_eq!(
        claims.claims.sha256,
        BASE64_STANDARD.encode(digest(&SHA256, &body))
    );
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!((now..=now + 300).contains(&claims.claims.exp));
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn a_call_is_told_in_order_with_people_and_tracks() {
    let mut receiver = Receiver::start().await;
    let program = start_configured("webhooks-call", &receiver.settings());
    let mut ana = Client::connect(&program).await;
    let join = json!({ "roomId": "standup", "displayName": "Ana" });
    ana.request("joinRoom", join, "roomJoined").await;
    let microphone = ana.produce_audio().await;
    let started = receiver.next().await;
    let joined = receiver.next().await;
    let published = receiver.next().await;
    ana.request("leaveRoom", json!({}), "roomLeft").await;
    let rest = receiver.names_until("room_finished").await;
    assert_eq!(
        rest,
        ["track_unpublished", "participant_left", "room_finished"]
    );

    assert_eq!(started["event"], "room_started");
    assert_eq!(started["room"]["name"], "standup");
    assert_eq!(started.get("participant"), None);
    assert_eq!(started.get("numDropped"), None);
    // Protocol buffers' JSON mapping has 64-bit integers as text.
    let created_at: u64 = started["createdAt"].as_str().unwrap().parse().unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!((now - 60..=now).contains(&created_at), "{created_at} {now}");
    assert_eq!(joined["event"], "participant_joined");
    assert_eq!(joined["participant"]["name"], "Ana");
    assert_eq!(joined["participant"]["identity"], ana.peer);
    assert_eq!(joined["participant"]["attributes"]["role"], "host");
    assert_eq!(joined["room"]["sid"], started["room"]["sid"]);
    assert_ne!(joined["id"], started["id"]);
    assert_eq!(published["track"]["sid"], microphone);
    assert_eq!(published["track"]["type"], "AUDIO");
    assert_eq!(published["track"]["mimeType"], "audio/opus");
    assert_eq!(
        published["participant"]["sid"],
        joined["participant"]["sid"]
    );

    let metrics = scrape(&program);
    let delivered = [("webhook", "1"), ("outcome", "delivered")];
    let name = "watersmeet_webhook_events_total";
    let start = std::time::Instant::now();
    while sum(&scrape(&program), name, &delivered) < 6.0 {
        assert!(start.elapsed() < TIMEOUT, "confirmed events are counted");
    }
    assert_eq!(sum(&metrics, "watersmeet_room_events_lost_total", &[]), 0.0);
}

#[tokio::test]
async fn events_wait_for_a_receiver_that_is_down_and_keep_id_and_order() {
    let mut receiver = Receiver::start().await;
    receiver.status.send_replace(503);
    let program = start_configured("webhooks-outage", &receiver.settings());
    let mut ana = Client::join(&program, "standup").await;
    let first = receiver.next().await;
    // The port is closed for a while: connections are refused.
    receiver.serving.abort();
    let address = receiver.address;
    let closed = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(TIMEOUT, closed).await.unwrap();
    for room in ["second", "third"] {
        ana.request("joinRoom", json!({ "roomId": room }), "roomJoined")
            .await;
    }
    let failures = async {
        while sum(&scrape(&program), "watersmeet_webhook_failures_total", &[]) < 3.0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(TIMEOUT, failures).await.unwrap();
    let listener = TcpListener::bind(address).await.unwrap();
    let mut receiver = Receiver::serve(listener, receiver.secret.clone(), None);
    let again = receiver.next().await;
    assert_eq!(again, first);
    let mut told = vec![again];
    for _ in 0..9 {
        told.push(receiver.next().await);
    }
    let told: Vec<_> = told
        .iter()
        .map(|it| format!("{} {}", it["room"]["name"], it["event"]).replace('"', ""))
        .collect();
    let life = |room| {
        [
            "room_started",
            "participant_joined",
            "participant_left",
            "room_finished",
        ]
        .map(|event| format!("{room} {event}"))
    };
    let expected: Vec<_> = ["standup", "second", "third"]
        .into_iter()
        .flat_map(life)
        .collect();
    assert_eq!(told, expected[..10]);
}

#[tokio::test]
async fn redirects_are_not_followed_and_refused_events_are_told_as_dropped() {
    let mut receiver = Receiver::start().await;
    receiver.status.send_replace(302);
    let program = start_configured("webhooks-redirect", &receiver.settings());
    let _ana = Client::join(&program, "standup").await;
    // Each request is checked to have the path of the webhook.
    let first = receiver.next().await;
    for _ in 0..4 {
        assert_eq!(receiver.next().await, first);
    }
    receiver.status.send_replace(200);
    let next = receiver.next().await;
    assert_eq!(next["event"], "participant_joined");
    assert_eq!(next["numDropped"], 1);
}

#[tokio::test]
async fn everybody_leaves_when_the_program_stops() {
    let mut receiver = Receiver::start().await;
    let mut program = start_configured("webhooks-stop", &receiver.settings());
    let _ana = Client::join(&program, "standup").await;
    receiver.names_until("participant_joined").await;
    program.terminate();
    let left = receiver.next().await;
    assert_eq!(left["event"], "participant_left");
    assert_eq!(left["participant"]["disconnectReason"], "SERVER_SHUTDOWN");
    assert_eq!(
        left["participant"]["attributes"]["reason"],
        "server-stopped"
    );
    assert_eq!(receiver.next().await["event"], "room_finished");
    assert!(program.wait().success());
}

#[tokio::test]
async fn receiver_with_tls_is_trusted_by_its_authority_only() {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let ca_file = folder.join("webhooks-ca.pem");
    std::fs::write(&ca_file, cert.pem()).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    let mut receiver = Receiver::start_with(Some(TlsAcceptor::from(Arc::new(config)))).await;
    let port = receiver.address.port();
    let plain = format!("http://{}", receiver.address);
    let settings = receiver
        .settings()
        .replace(&plain, &format!("https://localhost:{port}"));
    let trusted = format!("{settings}ca_file = \"{}\"\n", ca_file.display());
    let program = start_configured("webhooks-tls", &trusted);
    let _ana = Client::join(&program, "standup").await;
    receiver.names_until("participant_joined").await;

    let program = start_configured("webhooks-untrusted", &settings);
    let _ana = Client::join(&program, "standup").await;
    wait_for_failure(&program).await;
    assert!(receiver.events.recv().now_or_never().is_none());
}

#[tokio::test]
async fn private_addresses_are_not_reached_by_names_unless_allowed() {
    let sink = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, secret) = (sink.local_addr().unwrap().port(), secret());
    let settings = format!(
        "[[webhooks]]\nurl = \"https://localhost:{port}/hooks\"\nkey = \"{KEY}\"\n\
         secret = \"{secret}\"\n"
    );
    let program = start_configured("webhooks-private", &settings);
    let _ana = Client::join(&program, "standup").await;
    wait_for_failure(&program).await;
    assert!(sink.accept().now_or_never().is_none(), "nothing connects");
}

/// Waits until a request to a webhook has failed.
async fn wait_for_failure(program: &Program) {
    let failed = async {
        while sum(&scrape(program), "watersmeet_webhook_failures_total", &[]) < 1.0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(TIMEOUT, failed).await.unwrap();
}

#[test]
fn webhook_that_cannot_be_used_is_refused_at_start_with_its_fix() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let secret = secret();
    let webhook = |url: &str, more: &str| {
        json!([{ "url": url, "key": KEY, "secret": secret }])
            .to_string()
            .replace("}]", &format!("{more}}}]"))
    };
    let missing = folder.join("missing.pem");
    let ca_file = format!(",\"ca_file\":\"{}\"", missing.display());
    for (webhooks, words) in [
        (
            webhook("https://10.0.0.1/", ""),
            ["`url`: 10.0.0.1", "WATERSMEET_WEBHOOKS"],
        ),
        (
            webhook("http://example.org/", ""),
            ["`https://`", "private_targets"],
        ),
        (
            webhook("https://example.org/", &ca_file),
            ["number 1", "missing.pem"],
        ),
    ] {
        let mut program = command();
        program.env("WATERSMEET_WEBHOOKS", webhooks);
        program.args([
            "--dev",
            "--port",
            "0",
            "--rtc-port",
            "0",
            "--listen-ip",
            "127.0.0.1",
        ]);
        let output = program.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{text}");
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        assert!(!text.contains(&secret), "{text}");
    }
}
