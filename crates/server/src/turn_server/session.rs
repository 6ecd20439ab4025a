//! One client of the TURN server: its requests (RFC 8656 §7 to §12) and its allocation. The client's
//! transport passes what it receives, and sends the response.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use stun_types::AddressFamily;
use stun_types::attribute::{ErrorCode, XorMappedAddress};
use stun_types::message::{
    BINDING, Message, MessageClass, MessageHeader, StunWriteError, TransactionId,
};
use stun_types::prelude::AttributeStaticType as _;
use turn_types::attribute::{
    ChannelNumber, Data, EvenPort, Lifetime, RequestedAddressFamily, RequestedTransport,
    ReservationToken, XorPeerAddress, XorRelayedAddress,
};
use turn_types::channel::ChannelData;
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND};

use super::authentication::{Rejection, User};
use super::bindings::{BindError, PERMISSIONS_MAX};
use super::client::ClientSink;
use super::context::TurnContext;
use super::metrics::DropReason;
use super::quota::AllocationPermit;
use super::relay::Relay;
use super::response;
use crate::http::rate_limit::RateLimitedAction;

/// Lifetime of an allocation that is not refreshed: also the longest that is granted, so that those
/// of clients that vanished end soon (RFC 8656 §7.2 allows up to an hour).
const LIFETIME: Duration = Duration::from_secs(600);

/// Upper bound of the length of an answer to an unknown client, in lengths of its request. An attacker
/// with a forged address gains no more than that.
const AMPLIFICATION_MAX: usize = 3;

/// Returned when a response cannot be encoded.
const INTERNAL: u16 = ErrorCode::SERVER_ERROR;

/// A client.
pub struct ClientSession {
    /// Address of the client.
    address: SocketAddr,
    /// Way to the client.
    sink: ClientSink,
    /// Its allocation.
    allocation: Option<Allocation>,
}

/// An allocation.
struct Allocation {
    /// Name of the user that made it.
    user: String,
    /// Transaction that made it, and its response, which is sent again when the request is.
    made_by: TransactionId,
    response: Vec<u8>,
    /// Time at which it ends unless it is refreshed.
    expires_at: Instant,
    /// Whether its peers are IPv4.
    is_ipv4: bool,
    /// Its socket.
    relay: Relay,
    /// Counts it.
    _permit: AllocationPermit,
}

impl ClientSession {
    /// Creates a client without allocation.
    pub const fn new(address: SocketAddr, sink: ClientSink) -> Self {
        Self {
            address,
            sink,
            allocation: None,
        }
    }

    /// Returns when the allocation ends; `None` without one.
    pub fn allocated_until(&self) -> Option<Instant> {
        self.allocation.as_ref().map(|it| it.expires_at)
    }

    /// Ends an allocation that was not refreshed in time.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.allocation.take_if(|it| it.expires_at <= now);
    }

    /// Handles a message or data of the client. Returns the response.
    pub fn handle(
        &mut self,
        server: &Arc<TurnContext>,
        now: Instant,
        bytes: &[u8],
    ) -> Option<Vec<u8>> {
        self.handle_timeout(now);
        if let Ok(data) = ChannelData::parse(bytes) {
            match &self.allocation {
                Some(it) => it.relay.send_on_channel(now, data.id(), data.data()),
                None => server.metrics.record_drop(DropReason::NoPermission),
            }
            return None;
        }
        let message = Message::from_bytes(bytes).ok();
        let Some(message) = message.filter(|it| has_exact_length(it, bytes)) else {
            server.metrics.record_drop(DropReason::Malformed);
            return None;
        };
        match (message.class(), message.method()) {
            (MessageClass::Request, BINDING) => self
                .is_allowed(server)
                .then(|| response::binding(&message, self.address).ok())?,
            (MessageClass::Request, _) => self.handle_request(server, now, &message),
            (MessageClass::Indication, SEND) => {
                self.handle_send(server, now, &message);
                None
            }
            _ => None,
        }
    }

    /// Returns whether the client's network may send another request without valid credentials.
    fn is_allowed(&self, server: &TurnContext) -> bool {
        let (action, ip) = (RateLimitedAction::TurnRequest, self.address.ip());
        server.rates.take(action, ip).is_ok()
    }

    fn handle_request(
        &mut self,
        server: &Arc<TurnContext>,
        now: Instant,
        request: &Message<'_>,
    ) -> Option<Vec<u8>> {
        let unix_s = server.unix_s();
        let user = server
            .authenticator
            .authenticate(request, self.address, unix_s);
        let user = match user {
            Ok(user) => user,
            Err(rejection) => return self.reject(server, request, rejection),
        };
        if let Some(response) = response::unknown_attributes(request, &user.key) {
            server.metrics.record_refusal(ErrorCode::UNKNOWN_ATTRIBUTE);
            return Some(response);
        }
        let outcome = match request.method() {
            ALLOCATE => self.allocate(server, now, request, &user),
            REFRESH => self.refresh(now, request, &user),
            CREATE_PERMISSION => self.create_permission(server, now, request, &user),
            CHANNEL_BIND => self.bind_channel(server, now, request, &user),
            _ => Err(ErrorCode::BAD_REQUEST),
        };
        outcome.map_or_else(
            |code| {
                server.metrics.record_refusal(code);
                response::error(request, &user.key, code).ok()
            },
            Some,
        )
    }

    /// Returns the response to a request whose credentials are not accepted, unless its client sends too
    /// many of them.
    fn reject(
        &self,
        server: &TurnContext,
        request: &Message<'_>,
        rejection: Rejection,
    ) -> Option<Vec<u8>> {
        server.metrics.record_refusal(rejection.code());
        if !self.is_allowed(server) {
            return None;
        }
        let nonce = rejection.has_challenge().then(|| {
            let unix_s = server.unix_s();
            server.authenticator.issue_nonce(self.address, unix_s)
        });
        let response = response::challenge(request, rejection.code(), nonce.as_deref()).ok()?;
        if response.len() > request.as_bytes().len() * AMPLIFICATION_MAX {
            server.metrics.record_drop(DropReason::Amplification);
            return None;
        }
        Some(response)
    }

    /// Allocates a relay socket (RFC 8656 §7.2).
    fn allocate(
        &mut self,
        server: &Arc<TurnContext>,
        now: Instant,
        request: &Message<'_>,
        user: &User,
    ) -> Result<Vec<u8>, u16> {
        if let Some(allocation) = &self.allocation {
            let is_repeated = allocation.made_by == request.transaction_id();
            return match is_repeated && allocation.user == user.name {
                true => Ok(allocation.response.clone()),
                false => Err(ErrorCode::ALLOCATION_MISMATCH),
            };
        }
        let transport = request.attribute::<RequestedTransport>();
        let transport = transport.map_err(|_| ErrorCode::BAD_REQUEST)?;
        if transport.protocol() != RequestedTransport::UDP {
            return Err(ErrorCode::UNSUPPORTED_TRANSPORT_PROTOCOL);
        }
        // Pairs of ports are for RTP without multiplexing, which no browser has.
        if request.has_attribute(EvenPort::TYPE) || request.has_attribute(ReservationToken::TYPE) {
            return Err(ErrorCode::INSUFFICIENT_CAPACITY);
        }
        let is_ipv4 = requested_family(request)?.is_none_or(|it| it == AddressFamily::IPV4);
        let address = server.peers().relay_address(is_ipv4);
        let address = address.ok_or(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED)?;
        let permit = server.quota.acquire(&user.name, self.address.ip())?;
        let relay = Relay::open(server, address, self.sink.clone()).map_err(|error| {
            tracing::warn!(%error, "TURN relay socket failed: too many open files or ports");
            ErrorCode::INSUFFICIENT_CAPACITY
        })?;
        let lifetime = granted_lifetime(request);
        let id = request.transaction_id();
        let response = response::success(
            request,
            &user.key,
            &[
                &XorRelayedAddress::new(relay.address(), id),
                &lifetime_attribute(lifetime),
                &XorMappedAddress::new(self.address, id),
            ],
        );
        let response = response.map_err(|_| INTERNAL)?;
        self.allocation = Some(Allocation {
            user: user.name.clone(),
            made_by: id,
            response: response.clone(),
            expires_at: now + lifetime.max(Duration::from_secs(1)),
            is_ipv4,
            relay,
            _permit: permit,
        });
        server.metrics.record_allocation();
        Ok(response)
    }

    /// Extends or ends the allocation (RFC 8656 §8.2).
    fn refresh(
        &mut self,
        now: Instant,
        request: &Message<'_>,
        user: &User,
    ) -> Result<Vec<u8>, u16> {
        let allocation = owned(&mut self.allocation, user)?;
        let family = requested_family(request)?;
        if family.is_some_and(|it| (it == AddressFamily::IPV4) != allocation.is_ipv4) {
            return Err(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH);
        }
        let lifetime = granted_lifetime(request);
        allocation.expires_at = now + lifetime;
        if lifetime.is_zero() {
            self.allocation = None;
        }
        sign(request, user, &[&lifetime_attribute(lifetime)])
    }

    /// Permits peers (RFC 8656 §10.2). Their ports do not matter, as the RFC requires; data is relayed to
    /// media ports only.
    fn create_permission(
        &mut self,
        server: &TurnContext,
        now: Instant,
        request: &Message<'_>,
        user: &User,
    ) -> Result<Vec<u8>, u16> {
        let allocation = owned(&mut self.allocation, user)?;
        let mut peers = Vec::new();
        while let Ok(peer) = request.nth_attribute::<XorPeerAddress>(peers.len()) {
            peers.push(peer.addr(request.transaction_id()).ip());
            if peers.len() > PERMISSIONS_MAX {
                return Err(ErrorCode::INSUFFICIENT_CAPACITY);
            }
        }
        if peers.is_empty() {
            return Err(ErrorCode::BAD_REQUEST);
        }
        if peers.iter().any(|ip| ip.is_ipv4() != allocation.is_ipv4) {
            return Err(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH);
        }
        let table = server.peers();
        if !peers.iter().all(|ip: &IpAddr| table.has_address(*ip)) {
            return Err(ErrorCode::FORBIDDEN);
        }
        let permitted = allocation.relay.bindings().permit(now, &peers);
        permitted.map_err(code_of)?;
        sign(request, user, &[])
    }

    /// Binds a channel to a peer (RFC 8656 §12.2).
    fn bind_channel(
        &mut self,
        server: &TurnContext,
        now: Instant,
        request: &Message<'_>,
        user: &User,
    ) -> Result<Vec<u8>, u16> {
        let allocation = owned(&mut self.allocation, user)?;
        let number = request.attribute::<ChannelNumber>();
        let peer = request.attribute::<XorPeerAddress>();
        let (Ok(number), Ok(peer)) = (number, peer) else {
            return Err(ErrorCode::BAD_REQUEST);
        };
        let peer = peer.addr(request.transaction_id());
        if peer.is_ipv4() != allocation.is_ipv4 {
            return Err(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH);
        }
        if server.peers().target_of(peer).is_none() {
            return Err(ErrorCode::FORBIDDEN);
        }
        let mut bindings = allocation.relay.bindings();
        let bound = bindings.bind(now, number.channel(), peer);
        bound.map_err(code_of)?;
        sign(request, user, &[])
    }

    /// Relays the data of a Send indication (RFC 8656 §11.2), which has no response.
    fn handle_send(&self, server: &TurnContext, now: Instant, indication: &Message<'_>) {
        let peer = indication.attribute::<XorPeerAddress>();
        let data = indication.attribute::<Data<'_>>();
        let reason = match (&self.allocation, peer, data) {
            (Some(allocation), Ok(peer), Ok(data)) => {
                let peer = peer.addr(indication.transaction_id());
                return allocation.relay.send(now, peer, data.data());
            }
            (None, ..) => DropReason::NoPermission,
            _ => DropReason::Malformed,
        };
        server.metrics.record_drop(reason);
    }
}

/// Whether the message ends where the datagram or frame does.
fn has_exact_length(message: &Message<'_>, bytes: &[u8]) -> bool {
    let header = MessageHeader::from_bytes(message.as_bytes());
    header.is_ok_and(|it| usize::from(it.data_length()) + MessageHeader::LENGTH == bytes.len())
}

/// Returns the allocation that a user made.
fn owned<'a>(
    allocation: &'a mut Option<Allocation>,
    user: &User,
) -> Result<&'a mut Allocation, u16> {
    let allocation = allocation.as_mut().ok_or(ErrorCode::ALLOCATION_MISMATCH)?;
    match allocation.user == user.name {
        true => Ok(allocation),
        false => Err(ErrorCode::WRONG_CREDENTIALS),
    }
}

/// Returns the address family that a request names, if it does.
fn requested_family(request: &Message<'_>) -> Result<Option<AddressFamily>, u16> {
    if !request.has_attribute(RequestedAddressFamily::TYPE) {
        return Ok(None);
    }
    let family = request.attribute::<RequestedAddressFamily>();
    let family = family.map_err(|_| ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED)?;
    Ok(Some(family.family()))
}

/// Returns the lifetime to grant: the requested one up to `LIFETIME`.
fn granted_lifetime(request: &Message<'_>) -> Duration {
    let requested = request.attribute::<Lifetime>();
    let requested = requested.map_or(LIFETIME, |it| Duration::from_secs(it.seconds().into()));
    requested.min(LIFETIME)
}

fn lifetime_attribute(lifetime: Duration) -> Lifetime {
    Lifetime::new(u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX))
}

fn sign(
    request: &Message<'_>,
    user: &User,
    attributes: &[&dyn stun_types::prelude::AttributeWrite],
) -> Result<Vec<u8>, u16> {
    let response = response::success(request, &user.key, attributes);
    response.map_err(|_: StunWriteError| INTERNAL)
}

const fn code_of(error: BindError) -> u16 {
    match error {
        BindError::Conflict => ErrorCode::BAD_REQUEST,
        BindError::Full => ErrorCode::INSUFFICIENT_CAPACITY,
    }
}
