//! Lifetimes of allocations and connections, at times that the tests choose.

use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use stun_types::attribute::{Nonce, Realm, Username};
use stun_types::message::{
    IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageClass, MessageWriteVec,
};
use stun_types::prelude::{MessageWrite as _, MessageWriteExt as _};
use tokio::sync::mpsc;
use turn_types::attribute::RequestedTransport;
use turn_types::message::ALLOCATE;
use watersmeet_conference::turn;

use super::authentication::{Authenticator, REALM};
use super::client::ClientSink;
use super::context::TurnContext;
use super::metrics::TurnMetrics;
use super::quota::{AllocationLimits, AllocationQuota};
use super::session::ClientSession;
use super::stream;
use crate::clock::Clock;

/// Address of the client.
const CLIENT: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    4_000,
);

fn issuer() -> turn::TurnServer {
    turn::TurnServer::new(Vec::new(), b"secret", 60)
}

/// Returns a server whose media sockets are on loopback.
fn context() -> Arc<TurnContext> {
    let media = SocketAddr::from(([127, 0, 0, 1], 10_000));
    let metrics = Arc::<TurnMetrics>::default();
    let context = TurnContext {
        relayed: Arc::default(),
        authenticator: Authenticator::new(issuer()).unwrap(),
        quota: AllocationQuota::new(AllocationLimits::new(9), Arc::clone(&metrics)),
        rates: Arc::default(),
        metrics,
        clock: Clock::start(),
        media: vec![media],
        peers: RwLock::default(),
    };
    context.set_announced(&[media.ip()]);
    Arc::new(context)
}

/// Returns an Allocate request with valid credentials.
fn allocate(context: &TurnContext) -> Vec<u8> {
    let issued = issuer().issue_credentials("ana", context.unix_s());
    let (username, password) = (issued.username.unwrap(), issued.credential.unwrap());
    let nonce = context.authenticator.issue_nonce(CLIENT, context.unix_s());
    let mut request = Message::builder_request(ALLOCATE, MessageWriteVec::new());
    let transport = RequestedTransport::new(RequestedTransport::UDP);
    request.add_attribute(&transport).unwrap();
    let added = request.add_attribute(&Username::new(&username).unwrap());
    added.unwrap();
    request.add_attribute(&Realm::new(REALM).unwrap()).unwrap();
    request.add_attribute(&Nonce::new(&nonce).unwrap()).unwrap();
    let key = LongTermKeyCredentials::new(username, password, REALM.to_owned());
    let signed = request.add_message_integrity(&key.into(), IntegrityAlgorithm::Sha1);
    signed.unwrap();
    request.finish()
}

#[tokio::test]
async fn allocation_ends_after_ten_minutes_without_a_refresh() {
    let context = context();
    let (queue, _frames) = mpsc::channel(1);
    let mut session = ClientSession::new(CLIENT, ClientSink::Stream(queue));
    let start = Instant::now();
    let request = allocate(&context);
    let response = session.handle(&context, start, &request).unwrap();
    let parsed = Message::from_bytes(&response).unwrap();
    assert_eq!(parsed.class(), MessageClass::Success);
    let end = start + Duration::from_secs(600);
    assert_eq!(session.allocated_until(), Some(end));
    // A repeated request has the same response, and makes nothing.
    let last = end - Duration::from_millis(1);
    assert_eq!(session.handle(&context, last, &request), Some(response));
    session.handle_timeout(last);
    assert_eq!(context.metrics.allocations(), 1);
    session.handle_timeout(end);
    assert_eq!(session.allocated_until(), None);
    assert_eq!(context.metrics.allocations(), 0);
    assert_eq!(context.metrics.allocations_made(), 1);
}

#[tokio::test(start_paused = true)]
async fn connection_without_an_allocation_is_closed() {
    let (_client, connection) = tokio::io::duplex(64);
    let start = tokio::time::Instant::now();
    stream::serve(&context(), connection, CLIENT).await;
    let open = start.elapsed();
    assert!((29..=31).contains(&open.as_secs()), "{open:?}");
}
