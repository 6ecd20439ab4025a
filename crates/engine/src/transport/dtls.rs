//! DTLS handshake of one transport. Exports SRTP keys only after the peer's certificate matched a
//! fingerprint from signalling.
//!
//! 1. `New`: waits for the peer's fingerprints and for an authenticated path. A ClientHello that
//!    arrives before the fingerprints is kept.
//! 2. `Connecting`: the handshake runs, for at most 15 s. Its datagrams are queued until
//!    [`DtlsSession::handle_pending`] processes them one by one: each may take 0.1 ms, and the
//!    worker limits how many are processed per loop iteration.
//! 3. `Verified`: the certificate has an announced fingerprint, and keys were exported.
//! 4. `Failed`, `Closed`: final.
//!
//! An attacker who forges the peer's address can send us records. An unauthenticated record
//! therefore never ends a handshake: plaintext alerts are discarded (RFC 6347 §4.1.2.7 allows it),
//! and an endpoint that fails before it sent a flight is replaced, up to [`ENDPOINT_RESTARTS_MAX`]
//! times. Afterwards an error is final, because a new endpoint could not continue the handshake.
//! After verification an error only removes the endpoint: media has its own keys.
//!
//! RFC 6347, RFC 9147, RFC 5764, RFC 8842.

mod certificate;
mod endpoint;
mod peer_verification;
mod record;
mod signing_key;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use watersmeet_wire::units::Time;

use self::endpoint::{Endpoint, EndpointError, EndpointOutputs};
use self::peer_verification::VerifiedPeer;
use self::record::DatagramSummary;
use crate::command::DtlsState;

pub use self::certificate::{CertificateError, DtlsCertificate, DtlsVersion, HANDSHAKE_TIMEOUT};
pub use self::peer_verification::{ExpectedPeer, SrtpKeys};

/// Upper bound of datagrams queued for [`DtlsSession::handle_pending`], including ClientHellos that
/// arrived before the fingerprints.
pub const PENDING_DATAGRAMS_MAX: usize = 16;

/// Upper bound of the bytes in these datagrams.
pub const PENDING_BYTES_MAX: usize = 64 * 1024;

/// Upper bound of datagrams queued for sending. Our flights have one or two datagrams and are sent
/// again at most seven times.
pub const OUTGOING_DATAGRAMS_MAX: usize = 16;

/// Upper bound of endpoints replaced in one handshake. Replacing one takes about 30 µs, so that a
/// peer can waste 8 ms in total.
pub const ENDPOINT_RESTARTS_MAX: u16 = 256;

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
}

/// States in the order in which they are reached.
enum State {
    New {
        /// Whether ICE has an authenticated path.
        has_path: bool,
    },
    Connecting(Box<Handshake>),
    Verified(Box<VerifiedSession>),
    Failed,
    Closed,
}

/// Datagrams received from the peer and not processed yet, oldest first.
#[derive(Default)]
struct PendingDatagrams {
    packets: VecDeque<Vec<u8>>,
    /// Total length in bytes.
    bytes: usize,
}

/// A running handshake.
struct Handshake {
    /// DTLS library endpoint.
    endpoint: Endpoint,
    /// Expected peer.
    peer: Arc<ExpectedPeer>,
    /// Present once the peer's certificate matched a fingerprint.
    verified_peer: Option<VerifiedPeer>,
    /// SRTP keys, exported after verification.
    keys: Option<SrtpKeys>,
    /// Whether we sent a flight; the endpoint cannot be replaced afterwards.
    has_sent_flight: bool,
    /// Endpoints replaced so far.
    restarts: u16,
    /// Time at which it fails; set by the first packet in either direction.
    deadline: Time,
}

/// State after a successful handshake.
struct VerifiedSession {
    /// Answers retransmissions and receives close_notify; removed after an error.
    endpoint: Option<Endpoint>,
    /// SRTP keys, until the transport takes them.
    keys: Option<SrtpKeys>,
}

impl DtlsSession {
    /// Creates DTLS in state `New`. `epoch` is the `Instant` of `Time::ZERO`.
    pub fn new(certificate: DtlsCertificate, version: DtlsVersion, epoch: Instant) -> Self {
        Self {
            certificate,
            version,
            epoch,
            peer: None,
            state: State::New { has_path: false },
            pending: PendingDatagrams::default(),
            outgoing: VecDeque::new(),
            endpoint_timeout: Time::FAR_FUTURE,
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
    pub fn handle_authenticated_path(&mut self, now: Time) {
        if let State::New { has_path } = &mut self.state {
            *has_path = true;
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
        // A second ClientHello answers a cookie, which we never send with 1.2. The endpoint would
        // keep it in place of the message that must follow the first.
        let is_other_version =
            self.version == DtlsVersion::V12 && (contents.later_hello || contents.needs_1_3);
        if contents.plain_alert || is_other_version {
            return Err(DtlsError::Malformed);
        }
        let at = self.instant(now);
        match &mut self.state {
            State::New { .. } if contents.begins_with_hello => self.pending.push(packet),
            State::Connecting(_) => self.pending.push(packet),
            State::Verified(session) => {
                let endpoint = session.endpoint.as_mut().ok_or(DtlsError::NotReady)?;
                if !self.pending.packets.is_empty() {
                    return self.pending.push(packet);
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
        can_work && !self.pending.packets.is_empty()
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
                handshake.endpoint.handle_packet(at, &packet)
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
            State::Connecting(handshake) => handshake.endpoint.handle_timeout(at),
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
            State::Connecting(handshake) => self.endpoint_timeout.min(handshake.deadline),
            State::Verified(_) => self.endpoint_timeout,
            State::New { .. } | State::Failed | State::Closed => Time::FAR_FUTURE,
        }
    }

    /// Returns the next datagram for the peer.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
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
    }

    /// Treats the peer as verified. The caller provides the keys.
    #[cfg(feature = "sim")]
    pub fn assume_connected(&mut self) {
        self.state = State::Verified(Box::new(VerifiedSession {
            endpoint: None,
            keys: None,
        }));
    }

    /// Starts the handshake when the peer is known and has a path.
    fn start_handshake(&mut self, now: Time) {
        let State::New { has_path: true } = self.state else {
            return;
        };
        let Some(peer) = self.peer.clone() else {
            return;
        };
        let is_client = peer.we_are_client();
        let at = self.instant(now);
        let Ok(endpoint) = Endpoint::new(&self.certificate, self.version, is_client, at) else {
            self.fail();
            return;
        };
        self.state = State::Connecting(Box::new(Handshake {
            endpoint,
            peer,
            verified_peer: None,
            keys: None,
            has_sent_flight: false,
            restarts: 0,
            deadline: if is_client {
                now + HANDSHAKE_TIMEOUT
            } else {
                Time::FAR_FUTURE
            },
        }));
        self.endpoint_timeout = now;
        self.handle_timeout(now);
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
            (Err(error), State::Connecting(_)) => self.replace_endpoint(now, &error),
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

    /// Replaces an endpoint that failed before it sent a flight; otherwise fails the handshake.
    fn replace_endpoint(&mut self, now: Time, error: &EndpointError) {
        let at = self.instant(now);
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
        let may_restart =
            !handshake.has_sent_flight && !is_timeout && handshake.restarts < ENDPOINT_RESTARTS_MAX;
        tracing::debug!(?error, may_restart, "DTLS endpoint failed");
        if !may_restart {
            self.fail();
            return;
        }
        handshake.restarts += 1;
        let is_client = handshake.peer.we_are_client();
        let fresh = Endpoint::new(&self.certificate, self.version, is_client, at);
        match fresh.and_then(|mut endpoint| {
            let outputs = endpoint.handle_timeout(at)?;
            Ok((endpoint, outputs))
        }) {
            Ok((endpoint, outputs)) => {
                handshake.endpoint = endpoint;
                self.set_endpoint_timeout(now, outputs.timeout);
            }
            Err(_) => self.fail(),
        }
    }

    /// Moves to `Verified` with the keys that the handshake has.
    fn finish(&mut self) {
        let State::Connecting(handshake) = std::mem::replace(&mut self.state, State::Failed) else {
            return;
        };
        let Handshake { endpoint, keys, .. } = *handshake;
        if keys.is_some() {
            self.state = State::Verified(Box::new(VerifiedSession {
                endpoint: Some(endpoint),
                keys,
            }));
        }
    }

    /// Fails the handshake, and discards all queued datagrams.
    fn fail(&mut self) {
        self.state = State::Failed;
        self.pending = PendingDatagrams::default();
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

impl PendingDatagrams {
    /// Queues a datagram. When the queue is full the newest is refused, because later datagrams
    /// repeat earlier ones.
    fn push(&mut self, packet: &[u8]) -> Result<(), DtlsError> {
        let has_room = self.packets.len() < PENDING_DATAGRAMS_MAX
            && self.bytes.saturating_add(packet.len()) <= PENDING_BYTES_MAX;
        if !has_room {
            return Err(DtlsError::NotReady);
        }
        self.bytes += packet.len();
        self.packets.push_back(packet.to_vec());
        Ok(())
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let packet = self.packets.pop_front()?;
        self.bytes -= packet.len();
        Some(packet)
    }
}

/// State of a handshake after an input.
enum HandshakeProgress {
    /// The handshake continues.
    Ongoing {
        datagrams: Vec<Vec<u8>>,
        timeout: Option<Instant>,
    },
    /// The handshake is complete and has keys.
    Done {
        datagrams: Vec<Vec<u8>>,
        timeout: Option<Instant>,
    },
    /// The handshake cannot succeed any more.
    Failed(&'static str),
}

impl Handshake {
    /// Starts the deadline with the first packet. A peer may wait before it sends that.
    fn start_deadline(&mut self, now: Time) {
        self.deadline = self.deadline.min(now + HANDSHAKE_TIMEOUT);
    }

    /// Verifies the certificate, exports the keys, and only then releases the datagrams.
    fn apply_outputs(&mut self, outputs: EndpointOutputs) -> HandshakeProgress {
        let EndpointOutputs {
            datagrams,
            certificate,
            keys,
            is_connected,
            is_closed,
            timeout,
        } = outputs;
        if let Some(certificate) = certificate {
            self.verified_peer = self.peer.verify(&certificate);
            if self.verified_peer.is_none() {
                return HandshakeProgress::Failed("the certificate matches no fingerprint");
            }
        }
        if let Some((material, profile)) = keys {
            let Some(verified_peer) = &self.verified_peer else {
                return HandshakeProgress::Failed(
                    "keys were exported before a certificate was verified",
                );
            };
            self.keys =
                SrtpKeys::export(verified_peer, profile, &material, self.peer.we_are_client());
        }
        if is_closed {
            return HandshakeProgress::Failed("the peer sent close_notify");
        }
        self.has_sent_flight |= !datagrams.is_empty();
        match (is_connected, &self.keys) {
            (false, _) => HandshakeProgress::Ongoing { datagrams, timeout },
            (true, Some(_)) => HandshakeProgress::Done { datagrams, timeout },
            (true, None) => HandshakeProgress::Failed("no common SRTP profile"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outgoing_datagrams_are_bounded() {
        #[expect(clippy::disallowed_methods, reason = "the origin of virtual time")]
        let epoch = Instant::now();
        let certificate = DtlsCertificate::generate().unwrap();
        let mut dtls = DtlsSession::new(certificate, DtlsVersion::V12, epoch);
        for _ in 0..=OUTGOING_DATAGRAMS_MAX {
            dtls.queue_outgoing(vec![vec![22]; 2]);
        }
        assert_eq!(
            std::iter::from_fn(|| dtls.poll_transmit()).count(),
            OUTGOING_DATAGRAMS_MAX
        );
    }
}
