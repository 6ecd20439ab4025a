//! A small certificate authority (RFC 8555) that checks what it is sent: signatures and nonces of requests,
//! and answers to TLS-ALPN-01 (RFC 8737) and HTTP-01 by connecting to the server.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use ::aws_lc_rs::digest::{SHA256, digest};
use ::aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PublicKeyData,
    SignatureAlgorithm,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::request::CertReq;

use crate::presented_certificate::handshake;

/// Extension of a certificate that answers TLS-ALPN-01 (RFC 8737 §3).
const ACME_IDENTIFIER: &str = "1.3.6.1.5.5.7.1.31";

/// An authority that runs until it is stopped.
pub struct Authority {
    /// Accounts, orders and keys, which an authority that is started again still has.
    shared: Arc<Shared>,
    address: SocketAddr,
    serving: JoinHandle<()>,
    /// PEM file with its root certificate.
    pub ca_file: PathBuf,
}

struct Shared {
    issuer: CertifiedIssuer<'static, KeyPair>,
    tls: TlsAcceptor,
    /// Origin of its URLs.
    origin: String,
    /// Validity of certificates.
    lifetime: Duration,
    /// Challenges it offers.
    offers: Vec<&'static str>,
    /// Addresses for TLS-ALPN-01 and HTTP-01, once they are known.
    validates_at: watch::Sender<Option<(SocketAddr, SocketAddr)>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    nonces: HashSet<String>,
    accounts: Vec<Account>,
    orders: Vec<Order>,
}

#[derive(Clone)]
struct Account {
    /// Public key as a point.
    key: Vec<u8>,
    thumbprint: String,
}

struct Order {
    account: usize,
    names: Vec<String>,
    /// Result of each name's validation; `None` while it is pending.
    validated: Vec<Option<Validation>>,
    chain: Option<String>,
}

#[derive(Clone)]
struct Validation {
    /// Challenge that was answered.
    kind: String,
    result: Result<(), &'static str>,
}

impl Order {
    fn status(&self) -> &'static str {
        match () {
            () if self.chain.is_some() => "valid",
            () if self.validated.iter().flatten().any(|it| it.result.is_err()) => "invalid",
            () if self.validated.iter().all(Option::is_some) => "ready",
            () => "pending",
        }
    }
}

impl Authority {
    /// Starts an authority that offers these challenges and issues certificates of this validity.
    pub async fn start(name: &str, offers: &[&'static str], lifetime: Duration) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let ca_file = folder.join(format!("{name}-authority.pem"));
        std::fs::write(&ca_file, issuer.as_ref().pem()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            tls: acceptor(&issuer),
            issuer,
            origin: format!("https://{address}"),
            lifetime,
            offers: offers.to_vec(),
            validates_at: watch::Sender::new(None),
            state: Mutex::default(),
        });
        Self {
            serving: tokio::spawn(Arc::clone(&shared).serve(listener)),
            shared,
            address,
            ca_file,
        }
    }

    /// Returns its root certificate.
    pub fn root(&self) -> CertificateDer<'static> {
        self.shared.issuer.as_ref().der().clone()
    }

    /// Returns the URL of its directory.
    pub fn directory_url(&self) -> String {
        format!("{}/directory", self.shared.origin)
    }

    /// Tells where validations connect, which wait until then.
    pub fn validate_at(&self, tls: SocketAddr, http: SocketAddr) {
        self.shared.validates_at.send_replace(Some((tls, http)));
    }

    /// Returns how many orders were made.
    pub fn orders(&self) -> usize {
        self.shared.state.lock().unwrap().orders.len()
    }

    /// Stops accepting connections.
    pub async fn stop(&mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
    }

    /// Accepts connections again on the same port.
    pub async fn resume(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.serving = tokio::spawn(Arc::clone(&self.shared).serve(listener));
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn acceptor(issuer: &CertifiedIssuer<'static, KeyPair>) -> TlsAcceptor {
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let chain = vec![params.signed_by(&key, issuer).unwrap().der().clone()];
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key.into())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

impl Shared {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let shared = Arc::clone(&self);
            tokio::spawn(async move {
                let Ok(stream) = shared.tls.accept(stream).await else {
                    return;
                };
                let service = service_fn(move |request| {
                    let shared = Arc::clone(&shared);
                    async move { Ok::<_, hyper::Error>(shared.answer(request).await) }
                });
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // The client may have gone.
                let _ = connection.await;
            });
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
        let number = |at: usize| parts[at].parse::<usize>().unwrap();
        let (status, location, answer) = match parts[0] {
            "directory" => (200, None, self.directory()),
            "nonce" => (200, None, json!({})),
            _ => match self.check(&path, &body) {
                Err(problem) => (400, None, json!({ "type": problem, "detail": problem })),
                Ok((account, payload)) => match parts[0] {
                    "account" => (
                        201,
                        Some(format!("account/{account}")),
                        json!({"status": "valid"}),
                    ),
                    "new-order" => {
                        let order = self.add_order(account, &payload);
                        (201, Some(format!("order/{order}")), self.order(order))
                    }
                    "order" => (200, None, self.order(number(1))),
                    "authorization" => (200, None, self.authorization(number(1), number(2))),
                    "challenge" => {
                        let answer = self.validate(number(1), number(2), parts[3]).await;
                        (200, None, answer)
                    }
                    "finalize" => {
                        self.finalize(number(1), &payload);
                        (200, None, self.order(number(1)))
                    }
                    "certificate" => (200, None, Value::Null),
                    other => panic!("request for {other}"),
                },
            },
        };
        let body = match parts[0] {
            "certificate" => self.state.lock().unwrap().orders[number(1)]
                .chain
                .clone()
                .unwrap(),
            _ => answer.to_string(),
        };
        let mut response = Response::builder()
            .status(status)
            .header("Replay-Nonce", self.add_nonce());
        if let Some(location) = location {
            response = response.header("Location", format!("{}/{location}", self.origin));
        }
        response.body(Full::from(body)).unwrap()
    }

    fn directory(&self) -> Value {
        let origin = &self.origin;
        json!({
            "newNonce": format!("{origin}/nonce"),
            "newAccount": format!("{origin}/account"),
            "newOrder": format!("{origin}/new-order"),
        })
    }

    fn add_nonce(&self) -> String {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).unwrap();
        let nonce = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        self.state.lock().unwrap().nonces.insert(nonce.clone());
        nonce
    }

    /// Checks nonce, URL and signature of a request (RFC 8555 §6.2). Returns account and payload.
    fn check(&self, path: &str, body: &[u8]) -> Result<(usize, Value), &'static str> {
        let jws: Value = serde_json::from_slice(body).map_err(|_| "malformed")?;
        let text = |key: &str| jws[key].as_str().unwrap_or_default();
        let decoded = |key: &str| BASE64_URL_SAFE_NO_PAD.decode(text(key)).unwrap();
        let header: Value = serde_json::from_slice(&decoded("protected")).unwrap();
        let mut state = self.state.lock().unwrap();
        if !state.nonces.remove(header["nonce"].as_str().unwrap()) {
            return Err("urn:ietf:params:acme:error:badNonce");
        }
        if header["url"] != format!("{}{path}", self.origin) {
            return Err("urn:ietf:params:acme:error:unauthorized");
        }
        let account = match header["kid"].as_str() {
            Some(id) => id.rsplit('/').next().unwrap().parse().unwrap(),
            None => {
                state.accounts.push(Account::new(&header["jwk"]));
                state.accounts.len() - 1
            }
        };
        let signed = format!("{}.{}", text("protected"), text("payload"));
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &state.accounts[account].key);
        key.verify(signed.as_bytes(), &decoded("signature"))
            .map_err(|_| "urn:ietf:params:acme:error:unauthorized")?;
        let payload = serde_json::from_slice(&decoded("payload")).unwrap_or_default();
        Ok((account, payload))
    }

    fn add_order(&self, account: usize, payload: &Value) -> usize {
        let identifiers = payload["identifiers"].as_array().unwrap().iter();
        let names: Vec<_> = identifiers
            .map(|it| it["value"].as_str().unwrap().to_owned())
            .collect();
        let mut state = self.state.lock().unwrap();
        state.orders.push(Order {
            account,
            validated: vec![None; names.len()],
            names,
            chain: None,
        });
        state.orders.len() - 1
    }

    fn order(&self, number: usize) -> Value {
        let (state, origin) = (self.state.lock().unwrap(), &self.origin);
        let order = &state.orders[number];
        let authorizations: Vec<_> = (0..order.names.len())
            .map(|name| format!("{origin}/authorization/{number}/{name}"))
            .collect();
        let mut answer = json!({
            "status": order.status(),
            "authorizations": authorizations,
            "finalize": format!("{origin}/finalize/{number}"),
        });
        if order.chain.is_some() {
            answer["certificate"] = format!("{origin}/certificate/{number}").into();
        }
        answer
    }

    fn authorization(&self, number: usize, name: usize) -> Value {
        let state = self.state.lock().unwrap();
        let order = &state.orders[number];
        let status = match order.validated[name].as_ref().map(|it| it.result) {
            None => "pending",
            Some(Ok(())) => "valid",
            Some(Err(_)) => "invalid",
        };
        let challenges: Vec<_> = self
            .offers
            .iter()
            .map(|kind| self.challenge(order, number, name, kind))
            .collect();
        json!({
            "identifier": { "type": "dns", "value": order.names[name] },
            "status": status,
            "challenges": challenges,
        })
    }

    fn challenge(&self, order: &Order, number: usize, name: usize, kind: &str) -> Value {
        let mut challenge = json!({
            "type": kind,
            "url": format!("{}/challenge/{number}/{name}/{kind}", self.origin),
            "token": token(number, name),
            "status": "pending",
        });
        let tried = order.validated[name].as_ref().filter(|it| it.kind == kind);
        if let Some(Err(detail)) = tried.map(|it| it.result) {
            challenge["status"] = "invalid".into();
            challenge["error"] = json!({ "detail": detail });
        }
        challenge
    }

    /// Validates a name by a challenge.
    async fn validate(&self, number: usize, name: usize, kind: &str) -> Value {
        let mut validates_at = self.validates_at.subscribe();
        let at = *validates_at.wait_for(Option::is_some).await.unwrap();
        let (tls, http) = at.unwrap();
        let (domain, key) = {
            let state = self.state.lock().unwrap();
            let order = &state.orders[number];
            let thumbprint = &state.accounts[order.account].thumbprint;
            let key = format!("{}.{thumbprint}", token(number, name));
            (order.names[name].clone(), key)
        };
        let result = match kind {
            "http-01" => answers_http(http, &domain, &token(number, name), &key).await,
            _ => answers_tls(tls, &domain, &key).await,
        };
        let mut state = self.state.lock().unwrap();
        let order = &mut state.orders[number];
        order.validated[name] = Some(Validation {
            kind: kind.to_owned(),
            result,
        });
        // The authorisation tells problems: authorities validate after this answer.
        let mut challenge = self.challenge(order, number, name, kind);
        challenge.as_object_mut().unwrap().remove("error");
        challenge
    }

    /// Signs the certificate of an order whose names are validated.
    fn finalize(&self, number: usize, payload: &Value) {
        let mut state = self.state.lock().unwrap();
        let order = &mut state.orders[number];
        assert_eq!(order.status(), "ready");
        let request = BASE64_URL_SAFE_NO_PAD.decode(payload["csr"].as_str().unwrap());
        let request = CertReq::from_der(&request.unwrap()).unwrap();
        let key = RequestedKey(
            request
                .info
                .public_key
                .subject_public_key
                .raw_bytes()
                .to_vec(),
        );
        let mut params = CertificateParams::new(order.names.clone()).unwrap();
        let now = SystemTime::now();
        params.not_before = now.into();
        params.not_after = (now + self.lifetime).into();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        order.chain = Some(signed.pem() + &self.issuer.as_ref().pem());
    }
}

impl Account {
    fn new(jwk: &Value) -> Self {
        let (x, y) = (jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap());
        let mut key = vec![4];
        for coordinate in [x, y] {
            key.extend(BASE64_URL_SAFE_NO_PAD.decode(coordinate).unwrap());
        }
        // RFC 7638 §3: the required members, in their order.
        let text = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()));
        Self { key, thumbprint }
    }
}

/// Public key of a certificate signing request (ECDSA P-256).
struct RequestedKey(Vec<u8>);

impl PublicKeyData for RequestedKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

fn token(order: usize, name: usize) -> String {
    format!("token-{order}-{name}")
}

/// Fetches the key authorisation by HTTP (RFC 8555 §8.3).
async fn answers_http(
    address: SocketAddr,
    domain: &str,
    token: &str,
    key: &str,
) -> Result<(), &'static str> {
    let stream = TcpStream::connect(address).await;
    let mut stream = stream.map_err(|_| "connection refused")?;
    let request = format!(
        "GET /.well-known/acme-challenge/{token} HTTP/1.1\r\nHost: {domain}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let is_answer =
        answer.starts_with("HTTP/1.1 200") && answer.ends_with(&format!("\r\n\r\n{key}"));
    is_answer.then_some(()).ok_or("wrong key authorisation")
}

/// Fetches the certificate that answers TLS-ALPN-01 (RFC 8737 §3).
async fn answers_tls(address: SocketAddr, domain: &str, key: &str) -> Result<(), &'static str> {
    let answered = handshake(address, domain, &["acme-tls/1"]).await;
    let (certificate, protocol) = answered.ok_or("connection refused")?;
    if protocol.as_deref() != Some(b"acme-tls/1") {
        return Err("the protocol was not negotiated");
    }
    let certificate = Certificate::from_der(&certificate).map_err(|_| "malformed")?;
    let fields = certificate.tbs_certificate();
    let mut expected = vec![4, 32];
    expected.extend(digest(&SHA256, key.as_bytes()).as_ref());
    let extensions = fields.extensions().ok_or("no extensions")?;
    let identifier = extensions
        .iter()
        .find(|it| it.extn_id.to_string() == ACME_IDENTIFIER);
    let identifier = identifier.ok_or("no acmeIdentifier")?;
    if !identifier.critical || identifier.extn_value.as_bytes() != expected {
        return Err("wrong acmeIdentifier");
    }
    let names = extensions
        .iter()
        .find(|it| it.extn_id.to_string() == "2.5.29.17");
    let names = names.ok_or("no names")?.extn_value.as_bytes();
    // A sequence of one dNSName (RFC 5280 §4.2.1.6).
    let len = u8::try_from(domain.len()).unwrap();
    let mut only = vec![0x30, len + 2, 0x82, len];
    only.extend(domain.as_bytes());
    (names == only).then_some(()).ok_or("wrong name")
}
