//! Sends events of a webhook by HTTP, signed as LiveKit's servers sign them: a JSON Web Token whose claim
//! `sha256` is the hash of the body. Follows no redirect. Only the status and `Retry-After` of a response count.

use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Bytes;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use tokio::time::timeout;

use super::delivery::{EventSender, Outcome};
use super::error::WebhookError;
use crate::clock::Clock;
use crate::config::{Secret, WebhookConfig};
use crate::https_client::{self, Connector};

/// Content type of events: not that of JSON, so that frameworks do not parse it before the signature is verified.
const CONTENT: &str = "application/webhook+json";

/// Name of the program in requests.
const AGENT: &str = concat!("watersmeet/", env!("CARGO_PKG_VERSION"));

/// Time limit of a request, until the header of its response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Time limit for the body of a response, after which the connection is closed.
const BODY_TIMEOUT: Duration = Duration::from_secs(1);

/// Time for which a connection without requests stays open.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest response body that is read so that the connection can be used again, in bytes.
const RESPONSE_LEN_MAX: usize = 16 << 10;

/// Validity of a signature, in seconds.
const SIGNATURE_LIFETIME_S: u64 = 300;

/// Sends events to one URL.
pub struct HttpSender {
    /// Client with the connection to the receiver.
    client: Client<Connector, Full<Bytes>>,
    /// URL of the receiver.
    url: Uri,
    /// Name of the key.
    key: String,
    /// The key that signs.
    signing: EncodingKey,
    /// Clock of the program.
    clock: Clock,
}

/// Claims of a signature.
#[derive(Serialize)]
struct Claims<'a> {
    /// Name of the key.
    iss: &'a str,
    /// Time until which it is valid, in seconds since 1970.
    exp: u64,
    /// SHA-256 of the body, in Base64.
    sha256: &'a str,
}

impl HttpSender {
    /// Creates the sender of a webhook.
    ///
    /// # Errors
    /// The file with root certificates cannot be used, or the URL is not allowed.
    pub fn new(webhook: &WebhookConfig, clock: Clock) -> Result<Self, WebhookError> {
        let rule = webhook.target_rule();
        let url: Uri = webhook.url.parse().map_err(|_| WebhookError::Url)?;
        let host = url.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.parse::<IpAddr>().is_ok_and(|ip| !rule.allows(ip)) {
            return Err(WebhookError::Url);
        }
        let connector = https_client::connector(webhook.ca_file.as_deref(), rule)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(1)
            .build(connector);
        let secret = webhook.secret.as_ref().map_or("", Secret::expose);
        Ok(Self {
            client,
            url,
            key: webhook.key.clone(),
            signing: EncodingKey::from_secret(secret.as_bytes()),
            clock,
        })
    }

    /// Returns the signature of a body.
    fn sign(&self, body: &[u8]) -> Result<String, jsonwebtoken::errors::Error> {
        let hash = BASE64_STANDARD.encode(digest(&SHA256, body));
        let claims = Claims {
            iss: &self.key,
            exp: self.clock.unix_ms() / 1_000 + SIGNATURE_LIFETIME_S,
            sha256: &hash,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
    }
}

impl EventSender for HttpSender {
    async fn send(&self, body: String) -> Outcome {
        let request = self.sign(body.as_bytes()).ok().and_then(|signature| {
            let request = Request::post(&self.url)
                .header(CONTENT_TYPE, CONTENT)
                .header(AUTHORIZATION, signature)
                .header(USER_AGENT, AGENT);
            request.body(Full::from(body)).ok()
        });
        let Some(request) = request else {
            return Outcome::Refused("the request cannot be made".to_owned());
        };
        match timeout(REQUEST_TIMEOUT, self.client.request(request)).await {
            Ok(Ok(response)) => {
                let outcome = outcome(&response);
                discard(response.into_body()).await;
                outcome
            }
            Ok(Err(error)) => unavailable(causes(&error)),
            Err(_) => unavailable("no response within 10 s".to_owned()),
        }
    }
}

/// Reads the body of a response, so that its connection can be used again. One that is too long or too slow closes
/// the connection.
async fn discard(body: Incoming) {
    let body = Limited::new(body, RESPONSE_LEN_MAX);
    let _ = timeout(BODY_TIMEOUT, body.collect()).await;
}

/// Returns what a response means.
fn outcome<B>(response: &Response<B>) -> Outcome {
    let status = response.status();
    let is_temporary = [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_EARLY,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    if status.is_success() {
        return Outcome::Delivered;
    }
    let reason = format!("status {}", status.as_u16());
    if status.is_server_error() || is_temporary.contains(&status) {
        let seconds = response.headers().get(RETRY_AFTER);
        let seconds = seconds.and_then(|it| it.to_str().ok()?.trim().parse().ok());
        return Outcome::Unavailable {
            reason,
            retry_after: seconds.map(Duration::from_secs),
        };
    }
    Outcome::Refused(reason)
}

const fn unavailable(reason: String) -> Outcome {
    Outcome::Unavailable {
        reason,
        retry_after: None,
    }
}

/// Returns an error with its causes.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn status_counts_also_when_the_body_of_the_response_does_not_arrive() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let webhook = WebhookConfig {
            url: format!("http://{}/", listener.local_addr().unwrap()),
            key: "app".to_owned(),
            secret: Some(Secret::new("k9wPZr3vQmT7xLcB2nHs5yUe8aGd4fJ6".to_owned())),
            private_targets: true,
            ..WebhookConfig::default()
        };
        let sender = HttpSender::new(&webhook, Clock::start()).unwrap();
        let respond = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4_096]).await.unwrap() > 0);
            let header = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
            stream.write_all(header).await.unwrap();
            // Ends when the client has closed the connection.
            while stream.read(&mut [0; 4_096]).await.is_ok_and(|it| it > 0) {}
        };
        let (outcome, ()) = tokio::join!(sender.send("{}".to_owned()), respond);
        assert_eq!(outcome, Outcome::Delivered);
    }

    #[test]
    fn status_decides_whether_an_event_is_sent_again() {
        let of = |status: u16, retry_after: Option<&str>| {
            let mut response = Response::builder().status(status);
            if let Some(value) = retry_after {
                response = response.header(RETRY_AFTER, value);
            }
            outcome(&response.body(()).unwrap())
        };
        for status in [200, 202, 204] {
            assert_eq!(of(status, None), Outcome::Delivered);
        }
        for status in [301, 302, 307, 400, 401, 404, 410, 413] {
            assert!(matches!(of(status, None), Outcome::Refused(_)), "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            let outcome = of(status, Some("7"));
            let Outcome::Unavailable { retry_after, .. } = outcome else {
                panic!("{status}: {outcome:?}");
            };
            assert_eq!(retry_after, Some(Duration::from_secs(7)));
        }
        let date = of(503, Some("Tue, 01 Dec 2026 10:00:00 GMT"));
        assert_eq!(date, unavailable("status 503".to_owned()));
    }
}
