//! DTLS handshake of one transport. Exports SRTP keys only after the peer's certificate matched a
//! fingerprint from signalling.
//!
//! 1. `New`: waits for the peer's fingerprints and for an authenticated path. A ClientHello that
//!    arrives before the fingerprints is answered later.
//! 2. `Connecting`: as a server, waits for a ClientHello with a cookie (`hello_exchange`, `cookie`). Then
//!    the handshake runs, for at most 15 s. Its datagrams are queued until
//!    [`DtlsSession::handle_pending`] processes them one by one: each may take 0.1 ms, and the
//!    worker limits how many are processed per loop iteration.
//! 3. `Verified`: the certificate has an announced fingerprint, and keys were exported.
//! 4. `Failed`, `Closed`: final.
//!
//! An attacker who forges the peer's address can send us records. An unauthenticated record
//! therefore never ends a handshake: plaintext alerts are discarded (RFC 6347 §4.1.2.7 allows it), a
//! ClientHello without our cookie only causes an answer that offers one, and after an endpoint of a server
//! has failed before it sent a flight, the peer may return another cookie. Afterwards an error is final,
//! because a new endpoint could not continue the handshake.
//! After verification an error only removes the endpoint: media has its own keys.
//!
//! RFC 6347, RFC 9147, RFC 5764, RFC 8842.

mod certificate;
mod cookie;
mod cookie_hmac;
mod endpoint;
mod handshake;
mod hello_exchange;
mod peer_verification;
mod pending;
mod record;
mod signing_key;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use watersmeet_wire::client_hello::HelloReassembly;
use watersmeet_wire::units::Time;

use self::cookie::HelloAnswer;
use self::endpoint::{Endpoint, EndpointError, EndpointOutputs};
use self::handshake::{Handshake, HandshakeProgress};
use self::pending::PendingDatagrams;
use self::record::DatagramSummary;
use crate::command::DtlsState;

pub use self::certificate::{CertificateError, DtlsCertificate, DtlsVersion, HANDSHAKE_TIMEOUT};
pub use self::peer_verification::{ExpectedPeer, SrtpKeys};
pub use self::pending::{PENDING_BYTES_MAX, PENDING_DATAGRAMS_MAX};

/// Upper bound of datagrams queued for sending. Our flights have one or two datagrams and are sent
/// again at most seven times.
pub const OUTGOING_DATAGRAMS_MAX: usize = 16;

/// A timeout of `dimpl` later than this means never.
const TIMEOUT_HORIZON: Duration = Duration::from_secs(24 * 60 * 60);

/// Reason a DTLS datagram is discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DtlsError {
    /// There is no handshake for it, or the queue of pending datagrams is full.
    NotReady,
    /// It is malformed, or not acceptable unauthenticated.
    Malformed,
}

/// DTLS of one transport.
pub struct DtlsSession {
    /// Our certificate.
    certificate: DtlsCertificate,
    /// Versions that we negotiate.
    version: DtlsVersion,
    /// Whether the peer will get 1.2 whatever it offers.
    expects_1_2: bool,
    /// Incomplete ClientHellos.
    hellos: HelloReassembly,
    /// The `Instant` of `Time::ZERO`.
    epoch: Instant,
    /// Expected peer, once known; shared with the handshake.
    peer: Option<Arc<ExpectedPeer>>,
    /// Current state.
    state: State,
    /// Received datagrams that were not processed yet.
    pending: PendingDatagrams,
    /// Datagrams to send, oldest first.
    outgoing: VecDeque<Vec<u8>>,
    /// Time at which the endpoint has to be called next.
    endpoint_timeout: Time,
    /// Whether the peer has returned a cookie since [`DtlsSession::take_returned_cookie`].
    has_returned_cookie: bool,
}

/// States in the order in which they are reached.
enum State {
    New {
        /// Whether ICE has an authenticated path.
        has_path: bool,
        /// Answer to the ClientHellos that have arrived.
        answer: Option<HelloAnswer>,
    },
    Connecting(Box<Handshake>),
    Verified(Box<VerifiedSession>),
    Failed,
    Closed,
}

/// State after a successful handshake.
struct VerifiedSession {
    /// Answers retransmissions and receives close_notify; removed after an error.
    endpoint: Option<Endpoint>,
    /// Whether the endpoint may receive records of DTLS 1.3.
    speaks_1_3: bool,
    /// SRTP keys, until the transport takes them.
    keys: Option<SrtpKeys>,
}

impl DtlsSession {
    /// Creates DTLS in state `New`. `epoch` is the `Instant` of `Time::ZERO`.
    pub fn new(certificate: DtlsCertificate, version: DtlsVersion, epoch: Instant) -> Self {
        Self {
            certificate,
            version,
            expects_1_2: version == DtlsVersion::V12,
            hellos: HelloReassembly::default(),
            epoch,
            peer: None,
            state: State::New {
                has_path: false,
                answer: None,
            },
            pending: PendingDatagrams::default(),
            outgoing: VecDeque::new(),
            endpoint_timeout: Time::FAR_FUTURE,
            has_returned_cookie: false,
        }
    }

    /// Returns the state in mediasoup's terms.
    pub const fn state(&self) -> DtlsState {
        match self.state {
            State::New { .. } => DtlsState::New,
            State::Connecting(_) => DtlsState::Connecting,
            State::Verified(_) => DtlsState::Connected,
            State::Failed => DtlsState::Failed,
            State::Closed => DtlsState::Closed,
        }
    }

    /// Returns the expected peer, once known.
    pub fn peer(&self) -> Option<&ExpectedPeer> {
        self.peer.as_deref()
    }

    /// Sets the expected peer, and starts the handshake if there is a path. Later calls change
    /// nothing.
    pub fn set_expected_peer(&mut self, now: Time, peer: ExpectedPeer) {
        if self.peer.is_none() {
            self.peer = Some(Arc::new(peer));
            self.start_handshake(now);
        }
    }

    /// Records that ICE has an authenticated path, and starts the handshake if the peer is known.
    /// `is_libwebrtc` tells that its checks are those of libwebrtc, which lists an SRTP profile without GCM
    /// first.
    pub fn handle_authenticated_path(&mut self, now: Time, is_libwebrtc: bool) {
        if let State::New { has_path, .. } = &mut self.state {
            *has_path = true;
            self.expects_1_2 |= is_libwebrtc && self.version == DtlsVersion::Auto;
            self.start_handshake(now);
        }
    }

    /// Handles a datagram from an authenticated path. Datagrams of a handshake are queued for
    /// [`Self::handle_pending`].
    ///
    /// # Errors
    /// Returns the reason the datagram is discarded.
    pub fn handle_packet(&mut self, now: Time, packet: &[u8]) -> Result<(), DtlsError> {
        let contents = DatagramSummary::parse(packet).ok_or(DtlsError::Malformed)?;
        // A ClientHello is the first message of a datagram.
        if contents.plain_alert || contents.other_hello {
            return Err(DtlsError::Malformed);
        }
        if let Some(hello) = contents.first_hello {
            return self.handle_hello(now, &hello, packet);
        }
        if contents.needs_1_3 && !self.speaks_1_3() {
            return Err(DtlsError::Malformed);
        }
        let at = self.instant(now);
        match &mut self.state {
            State::Connecting(handshake) if handshake.endpoint.is_none() => {
                Err(DtlsError::NotReady)
            }
            State::Connecting(_) => self.pending.push(packet).ok_or(DtlsError::NotReady),
            State::Verified(session) => {
                let endpoint = session.endpoint.as_mut().ok_or(DtlsError::NotReady)?;
                if !self.pending.is_empty() {
                    return self.pending.push(packet).ok_or(DtlsError::NotReady);
                }
                let result = endpoint.handle_packet(at, packet);
                self.apply_outputs(now, result);
                Ok(())
            }
            State::New { .. } | State::Failed | State::Closed => Err(DtlsError::NotReady),
        }
    }

    /// Returns whether [`Self::handle_pending`] has something to do.
    pub fn has_pending(&self) -> bool {
        let can_work = matches!(self.state, State::Connecting(_) | State::Verified(_));
        can_work && !self.pending.is_empty()
    }

    /// Processes the oldest pending datagram, if the state allows. Most time of a handshake is
    /// spent here.
    pub fn handle_pending(&mut self, now: Time) {
        if !self.has_pending() {
            return;
        }
        let Some(packet) = self.pending.pop() else {
            return;
        };
        let at = self.instant(now);
        let result = match &mut self.state {
            State::Connecting(handshake) => {
                handshake.start_deadline(now);
                let repeats_hello_verify = handshake.repeats_hello_verify();
                match &mut handshake.endpoint {
                    // Its HelloVerifyRequest would be in one datagram with the flight.
                    Some(endpoint) if repeats_hello_verify => endpoint
                        .handle_timeout(at)
                        .and_then(|_| endpoint.handle_packet(at, &packet)),
                    Some(endpoint) => endpoint.handle_packet(at, &packet),
                    None => return,
                }
            }
            State::Verified(session) => match &mut session.endpoint {
                Some(endpoint) => endpoint.handle_packet(at, &packet),
                None => return,
            },
            State::New { .. } | State::Failed | State::Closed => return,
        };
        self.apply_outputs(now, result);
    }

    /// Retransmits a flight that is due, or fails at the deadline.
    pub fn handle_timeout(&mut self, now: Time) {
        if now < self.poll_timeout() {
            return;
        }
        let at = self.instant(now);
        let result = match &mut self.state {
            State::Connecting(handshake) if now >= handshake.deadline => {
                tracing::debug!("DTLS handshake timed out");
                self.fail();
                return;
            }
            State::Connecting(handshake) if now >= handshake.offer_due => {
                self.send_answer(now, HelloAnswer::HelloVerify);
                return;
            }
            State::Connecting(handshake) => {
                handshake.offer.take_if(|offer| offer.is_expired(now));
                match &mut handshake.endpoint {
                    Some(endpoint) if now >= self.endpoint_timeout => endpoint.handle_timeout(at),
                    _ => return,
                }
            }
            State::Verified(session) => match &mut session.endpoint {
                Some(endpoint) => endpoint.handle_timeout(at),
                None => return,
            },
            State::New { .. } | State::Failed | State::Closed => return,
        };
        self.apply_outputs(now, result);
    }

    /// Returns when to call [`Self::handle_timeout`].
    pub fn poll_timeout(&self) -> Time {
        match &self.state {
            State::Connecting(handshake) => {
                let offer = handshake.offer.as_ref();
                let expiry = offer.map_or(Time::FAR_FUTURE, |it| it.expires_at());
                let handshake_timeout = handshake.deadline.min(handshake.offer_due);
                self.endpoint_timeout.min(handshake_timeout).min(expiry)
            }
            State::Verified(_) => self.endpoint_timeout,
            State::New { .. } | State::Failed | State::Closed => Time::FAR_FUTURE,
        }
    }

    /// Returns the length of the next datagram for the peer.
    pub fn next_datagram_len(&self) -> Option<usize> {
        self.outgoing.front().map(Vec::len)
    }

    /// Returns the length of all datagrams for the peer.
    pub fn outgoing_len(&self) -> usize {
        self.outgoing.iter().map(Vec::len).sum()
    }

    /// Returns the next datagram for the peer.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
    }

    /// Returns whether the peer has returned a cookie since the last call.
    pub const fn take_returned_cookie(&mut self) -> bool {
        std::mem::replace(&mut self.has_returned_cookie, false)
    }

    /// Returns the SRTP keys once, after verification.
    pub fn take_keys(&mut self) -> Option<SrtpKeys> {
        match &mut self.state {
            State::Verified(session) => session.keys.take(),
            _ => None,
        }
    }

    /// Queues close_notify if the handshake is complete, and closes.
    pub fn close(&mut self, now: Time) {
        let at = self.instant(now);
        if let State::Verified(session) = &mut self.state
            && let Some(endpoint) = &mut session.endpoint
            && let Ok(outputs) = endpoint.close(at)
        {
            self.queue_outgoing(outputs.datagrams);
        }
        self.state = State::Closed;
        self.pending = PendingDatagrams::default();
        self.hellos = HelloReassembly::default();
    }

    /// Treats the peer as verified. The caller provides the keys.
    #[cfg(feature = "sim")]
    pub fn assume_connected(&mut self) {
        self.state = State::Verified(Box::new(VerifiedSession {
            endpoint: None,
            speaks_1_3: false,
            keys: None,
        }));
    }

    /// Returns whether records of DTLS 1.3 are accepted.
    const fn speaks_1_3(&self) -> bool {
        match &self.state {
            State::Connecting(handshake) => handshake.speaks_1_3,
            State::Verified(session) => session.speaks_1_3,
            State::New { .. } | State::Failed | State::Closed => false,
        }
    }

    /// Starts the handshake when the peer is known and has a path.
    fn start_handshake(&mut self, now: Time) {
        let State::New {
            has_path: true,
            answer,
        } = self.state
        else {
            return;
        };
        let Some(peer) = self.peer.clone() else {
            return;
        };
        let is_client = peer.we_are_client();
        let at = self.instant(now);
        let endpoint = if is_client {
            match Endpoint::new(&self.certificate, self.version, is_client, at) {
                Ok(endpoint) => Some(endpoint),
                Err(_) => {
                    self.fail();
                    return;
                }
            }
        } else {
            None
        };
        self.state = State::Connecting(Box::new(Handshake {
            endpoint,
            requires_cookie: !is_client,
            speaks_1_3: is_client && self.version != DtlsVersion::V12,
            offer: None,
            offer_due: if is_client {
                Time::FAR_FUTURE
            } else {
                self.first_offer_due(now)
            },
            accepted_cookie: None,
            peer,
            verified_peer: None,
            keys: None,
            has_sent_flight: false,
            deadline: if is_client {
                now + HANDSHAKE_TIMEOUT
            } else {
                Time::FAR_FUTURE
            },
        }));
        if is_client {
            self.endpoint_timeout = now;
            self.handle_timeout(now);
        } else if let Some(answer) = answer {
            self.send_answer(now, answer);
        }
    }

    /// Applies the outputs or the error of an endpoint.
    fn apply_outputs(&mut self, now: Time, result: Result<EndpointOutputs, EndpointError>) {
        match (result, &mut self.state) {
            (Ok(outputs), State::Connecting(handshake)) => match handshake.apply_outputs(outputs) {
                HandshakeProgress::Ongoing { datagrams, timeout } => {
                    self.queue_outgoing(datagrams);
                    self.set_endpoint_timeout(now, timeout);
                }
                HandshakeProgress::Done { datagrams, timeout } => {
                    self.queue_outgoing(datagrams);
                    self.set_endpoint_timeout(now, timeout);
                    self.finish();
                }
                HandshakeProgress::Failed(why) => {
                    tracing::debug!(why, "DTLS handshake failed");
                    self.fail();
                }
            },
            (Ok(outputs), State::Verified(_)) => {
                let is_closed = outputs.is_closed;
                self.queue_outgoing(outputs.datagrams);
                self.set_endpoint_timeout(now, outputs.timeout);
                if is_closed {
                    self.state = State::Closed;
                }
            }
            (Err(error), State::Connecting(_)) => self.handle_endpoint_error(&error),
            (Err(error), State::Verified(session)) => {
                session.endpoint = None;
                self.endpoint_timeout = Time::FAR_FUTURE;
                if matches!(
                    error,
                    EndpointError::Library(dimpl::Error::SecurityError(
                        dimpl::SecurityError::FatalAlert { .. }
                    ))
                ) {
                    // Plaintext alerts were discarded before, so that this one is from the peer.
                    self.state = State::Closed;
                }
            }
            (_, State::New { .. } | State::Failed | State::Closed) => {}
        }
    }

    /// Removes an endpoint of a server that failed before it sent a flight, so that the peer may start
    /// again with another cookie; otherwise fails the handshake.
    fn handle_endpoint_error(&mut self, error: &EndpointError) {
        let State::Connecting(handshake) = &mut self.state else {
            return;
        };
        if let EndpointError::Library(dimpl::Error::UnexpectedMessage(
            dimpl::UnexpectedMessageError::UnrecognizedAutoServerResponse,
        )) = error
        {
            // The endpoint has not chosen a version yet, and continues after this error.
            return;
        }
        let is_timeout = matches!(error, EndpointError::Library(dimpl::Error::Timeout(_)));
        let may_restart = handshake.requires_cookie && !handshake.has_sent_flight && !is_timeout;
        tracing::debug!(?error, may_restart, "DTLS endpoint failed");
        if may_restart {
            handshake.endpoint = None;
            handshake.accepted_cookie = None;
            self.endpoint_timeout = Time::FAR_FUTURE;
        } else {
            self.fail();
        }
    }

    /// Moves to `Verified` with the keys that the handshake has.
    fn finish(&mut self) {
        let State::Connecting(handshake) = std::mem::replace(&mut self.state, State::Failed) else {
            return;
        };
        let Handshake {
            endpoint,
            speaks_1_3,
            keys,
            ..
        } = *handshake;
        self.hellos = HelloReassembly::default();
        if keys.is_some() {
            self.state = State::Verified(Box::new(VerifiedSession {
                endpoint,
                speaks_1_3,
                keys,
            }));
        }
    }

    /// Fails the handshake, and discards all queued datagrams.
    fn fail(&mut self) {
        self.state = State::Failed;
        self.pending = PendingDatagrams::default();
        self.hellos = HelloReassembly::default();
        self.outgoing.clear();
        self.endpoint_timeout = Time::FAR_FUTURE;
    }

    /// Queues datagrams for sending. One beyond the bound is dropped, as if lost on the network.
    fn queue_outgoing(&mut self, datagrams: Vec<Vec<u8>>) {
        for datagram in datagrams {
            if self.outgoing.len() < OUTGOING_DATAGRAMS_MAX {
                self.outgoing.push_back(datagram);
            }
        }
    }

    /// Sets when the endpoint has to be called. It counts nanoseconds and we microseconds: one
    /// microsecond is added, or it would be called too early again and again.
    fn set_endpoint_timeout(&mut self, now: Time, timeout: Option<Instant>) {
        let wait = timeout.map_or(Duration::MAX, |at| {
            at.saturating_duration_since(self.instant(now))
        });
        self.endpoint_timeout = if wait > TIMEOUT_HORIZON {
            Time::FAR_FUTURE
        } else {
            now + wait + Duration::from_micros(1)
        };
    }

    /// Returns `now` as an `Instant`, as `dimpl` needs it.
    fn instant(&self, now: Time) -> Instant {
        self.epoch
            .checked_add(now.since_origin())
            .unwrap_or(self.epoch)
    }
}
