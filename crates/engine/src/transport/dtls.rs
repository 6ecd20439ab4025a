//! The DTLS handshake of one transport: from the first ClientHello to SRTP keys that belong to the
//! peer whom signalling announced, and no key before that.
//!
//! 1. `New`: waits for the peer's fingerprints and for an authenticated path. A ClientHello that
//!    comes before the fingerprints is held.
//! 2. `Connecting`: the handshake runs, for 15 s at most. Its datagrams wait in their order until
//!    [`Dtls::handle_pending`] takes them one by one: one may cost 0.1 ms, and the worker shares out how
//!    many of those a turn of its loop has.
//! 3. `Verified`: the certificate has an announced fingerprint and keys were exported.
//! 4. `Failed`, `Closed`: the end.
//!
//! Anyone who can forge the peer's address can send us records, so a record that is not
//! authenticated never ends anything by itself: plain alerts are dropped (RFC 6347 §4.1.2.7 allows
//! it), and an endpoint that refused a packet before it answered any is replaced by a fresh one,
//! [`ENDPOINT_RESTARTS_MAX`] times. Once we answered, the endpoint's secrets are bound to that handshake; an
//! error then is final, because a fresh endpoint could not go on with it. After verification an
//! error of the endpoint costs only the endpoint: media has its own keys.
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

use self::endpoint::{Endpoint, EndpointError, Outputs};
use self::peer_verification::VerifiedPeer;
use self::record::DatagramSummary;
use crate::command::DtlsState;

pub use self::certificate::{CertificateError, DtlsCertificate, DtlsVersion};
pub use self::peer_verification::{ExpectedPeer, SrtpKeys};

/// How long a handshake may take, from its first packet.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// Datagrams that wait: ClientHellos for the fingerprints, and all of a handshake for their turn.
pub const PENDING_DATAGRAMS_MAX: usize = 16;

/// Bytes of them.
pub const PENDING_BYTES_MAX: usize = 64 * 1024;

/// Datagrams waiting to be sent. A flight of ours has one or two, and seven times at most it is
/// sent again.
pub const OUTGOING_DATAGRAMS_MAX: usize = 16;

/// Fresh endpoints after packets that no handshake can begin with. One costs about 30 µs, so a
/// peer can burn 8 ms with them, once.
pub const ENDPOINT_RESTARTS_MAX: u16 = 256;

/// A timeout of `dimpl` farther away than this means never.
const TIMEOUT_HORIZON: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a DTLS datagram was thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DtlsError {
    /// There is no handshake to which it could belong, or too much waits for it already.
    NotReady,
    /// It is not DTLS, or of a kind that could only do harm.
    Malformed,
}

/// One transport's DTLS.
pub struct Dtls {
    /// What we show.
    certificate: DtlsCertificate,
    /// What we speak.
    version: DtlsVersion,
    /// The `Instant` of `Time::ZERO`.
    epoch: Instant,
    /// Whom we expect, once known; shared with the handshake.
    peer: Option<Arc<ExpectedPeer>>,
    /// Where the handshake stands.
    state: State,
    /// What came and was not taken yet.
    waiting: Waiting,
    /// Waiting to be sent, oldest first.
    datagrams: VecDeque<Vec<u8>>,
    /// When the endpoint wants to be called.
    retry_at: Time,
}

/// In the order in which they are passed.
enum State {
    New {
        /// Whether ICE has an authenticated path.
        has_path: bool,
    },
    Connecting(Box<Handshake>),
    Verified(Box<Session>),
    Failed,
    Closed,
}

/// Datagrams of the peer, oldest first.
#[derive(Default)]
struct Waiting {
    packets: VecDeque<Vec<u8>>,
    /// Bytes of them.
    bytes: usize,
}

/// A handshake on its way.
struct Handshake {
    /// The machine that runs it.
    endpoint: Endpoint,
    /// Whom it must turn out to be.
    peer: Arc<ExpectedPeer>,
    /// That it is the one.
    proof: Option<VerifiedPeer>,
    /// Exported, since the proof was there.
    keys: Option<SrtpKeys>,
    /// Whether a flight of ours was made; the endpoint cannot be replaced after that.
    has_answered: bool,
    /// Fresh endpoints so far.
    restarts: u16,
    /// When it fails; set by the first packet either way.
    deadline: Time,
}

/// A handshake that succeeded.
struct Session {
    /// Answers retransmissions and hears the goodbye; gone after an error.
    endpoint: Option<Endpoint>,
    /// Until the transport takes them.
    keys: Option<SrtpKeys>,
}

impl Dtls {
    /// DTLS that waits for its peer. `epoch` is the `Instant` of `Time::ZERO`.
    pub fn new(certificate: DtlsCertificate, version: DtlsVersion, epoch: Instant) -> Self {
        Self {
            certificate,
            version,
            epoch,
            peer: None,
            state: State::New { has_path: false },
            waiting: Waiting::default(),
            datagrams: VecDeque::new(),
            retry_at: Time::FAR_FUTURE,
        }
    }

    /// The state in mediasoup's words.
    pub const fn state(&self) -> DtlsState {
        match self.state {
            State::New { .. } => DtlsState::New,
            State::Connecting(_) => DtlsState::Connecting,
            State::Verified(_) => DtlsState::Connected,
            State::Failed => DtlsState::Failed,
            State::Closed => DtlsState::Closed,
        }
    }

    /// Whom we expect, once known.
    pub fn peer(&self) -> Option<&ExpectedPeer> {
        self.peer.as_deref()
    }

    /// Learns whom to expect, and begins if there is a path. Later calls change nothing.
    pub fn set_expected_peer(&mut self, now: Time, peer: ExpectedPeer) {
        if self.peer.is_none() {
            self.peer = Some(Arc::new(peer));
            self.begin(now);
        }
    }

    /// Learns that ICE has an authenticated path, and begins if the peer is known.
    pub fn handle_authenticated_path(&mut self, now: Time) {
        if let State::New { has_path } = &mut self.state {
            *has_path = true;
            self.begin(now);
        }
    }

    /// Takes a datagram from an authenticated path. What belongs to a handshake waits for
    /// [`Self::handle_pending`].
    ///
    /// # Errors
    /// Why it was thrown away, to be counted.
    pub fn handle_packet(&mut self, now: Time, packet: &[u8]) -> Result<(), DtlsError> {
        let contents = DatagramSummary::parse(packet).ok_or(DtlsError::Malformed)?;
        // A second hello answers a cookie, which 1.2 was never sent; it would wait for ever in the
        // place of the message that should follow the first.
        let is_foreign =
            self.version == DtlsVersion::V12 && (contents.later_hello || contents.needs_1_3);
        if contents.plain_alert || is_foreign {
            return Err(DtlsError::Malformed);
        }
        let at = self.instant(now);
        match &mut self.state {
            State::New { .. } if contents.begins_with_hello => self.waiting.push(packet),
            State::Connecting(_) => self.waiting.push(packet),
            State::Verified(session) => {
                let endpoint = session.endpoint.as_mut().ok_or(DtlsError::NotReady)?;
                if !self.waiting.packets.is_empty() {
                    return self.waiting.push(packet);
                }
                let result = endpoint.handle_packet(at, packet);
                self.settle(now, result);
                Ok(())
            }
            State::New { .. } | State::Failed | State::Closed => Err(DtlsError::NotReady),
        }
    }

    /// Whether [`Self::handle_pending`] has something to do.
    pub fn has_pending(&self) -> bool {
        let can_work = matches!(self.state, State::Connecting(_) | State::Verified(_));
        can_work && !self.waiting.packets.is_empty()
    }

    /// Takes the oldest datagram that waits, if it can be taken yet. This is where a handshake
    /// costs what it costs.
    pub fn handle_pending(&mut self, now: Time) {
        if !self.has_pending() {
            return;
        }
        let Some(packet) = self.waiting.pop() else {
            return;
        };
        let at = self.instant(now);
        let result = match &mut self.state {
            State::Connecting(handshake) => {
                handshake.start_clock(now);
                handshake.endpoint.handle_packet(at, &packet)
            }
            State::Verified(session) => match &mut session.endpoint {
                Some(endpoint) => endpoint.handle_packet(at, &packet),
                None => return,
            },
            State::New { .. } | State::Failed | State::Closed => return,
        };
        self.settle(now, result);
    }

    /// Sends again what is due, or gives up.
    pub fn handle_timeout(&mut self, now: Time) {
        if now < self.poll_timeout() {
            return;
        }
        let at = self.instant(now);
        let result = match &mut self.state {
            State::Connecting(handshake) if now >= handshake.deadline => {
                tracing::debug!("DTLS handshake took too long");
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
        self.settle(now, result);
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Time {
        match &self.state {
            State::Connecting(handshake) => self.retry_at.min(handshake.deadline),
            State::Verified(_) => self.retry_at,
            State::New { .. } | State::Failed | State::Closed => Time::FAR_FUTURE,
        }
    }

    /// The next datagram for the peer.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.datagrams.pop_front()
    }

    /// The keys, once, after verification.
    pub fn take_keys(&mut self) -> Option<SrtpKeys> {
        match &mut self.state {
            State::Verified(session) => session.keys.take(),
            _ => None,
        }
    }

    /// Says goodbye where there is a secure way to, and ends.
    pub fn close(&mut self, now: Time) {
        let at = self.instant(now);
        if let State::Verified(session) = &mut self.state
            && let Some(endpoint) = &mut session.endpoint
            && let Ok(outputs) = endpoint.close(at)
        {
            self.queue(outputs.datagrams);
        }
        self.state = State::Closed;
        self.waiting = Waiting::default();
    }

    /// Takes the peer for verified; its keys are somebody else's business.
    #[cfg(feature = "sim")]
    pub fn assume_connected(&mut self) {
        self.state = State::Verified(Box::new(Session {
            endpoint: None,
            keys: None,
        }));
    }

    /// Begins when the peer is known and there is a path to it.
    fn begin(&mut self, now: Time) {
        let State::New { has_path: true } = self.state else {
            return;
        };
        let Some(peer) = self.peer.clone() else {
            return;
        };
        let opens = peer.we_open();
        let at = self.instant(now);
        let Ok(endpoint) = Endpoint::new(&self.certificate, self.version, opens, at) else {
            self.fail();
            return;
        };
        self.state = State::Connecting(Box::new(Handshake {
            endpoint,
            peer,
            proof: None,
            keys: None,
            has_answered: false,
            restarts: 0,
            deadline: if opens {
                now + HANDSHAKE_TIMEOUT
            } else {
                Time::FAR_FUTURE
            },
        }));
        self.retry_at = now;
        self.handle_timeout(now);
    }

    /// Carries out what an input brought about.
    fn settle(&mut self, now: Time, result: Result<Outputs, EndpointError>) {
        match (result, &mut self.state) {
            (Ok(outputs), State::Connecting(handshake)) => match handshake.apply(outputs) {
                Progress::Going { datagrams, timeout } => {
                    self.queue(datagrams);
                    self.arm(now, timeout);
                }
                Progress::Done { datagrams, timeout } => {
                    self.queue(datagrams);
                    self.arm(now, timeout);
                    self.finish();
                }
                Progress::Broken(why) => {
                    tracing::debug!(why, "DTLS handshake failed");
                    self.fail();
                }
            },
            (Ok(outputs), State::Verified(_)) => {
                let is_closed = outputs.is_closed;
                self.queue(outputs.datagrams);
                self.arm(now, outputs.timeout);
                if is_closed {
                    self.state = State::Closed;
                }
            }
            (Err(fault), State::Connecting(_)) => self.recover(now, &fault),
            (Err(fault), State::Verified(session)) => {
                session.endpoint = None;
                self.retry_at = Time::FAR_FUTURE;
                if matches!(
                    fault,
                    EndpointError::Refused(dimpl::Error::SecurityError(
                        dimpl::SecurityError::FatalAlert { .. }
                    ))
                ) {
                    // Plain alerts never get this far: the peer itself gave up.
                    self.state = State::Closed;
                }
            }
            (_, State::New { .. } | State::Failed | State::Closed) => {}
        }
    }

    /// Replaces an endpoint that broke before it answered anything; otherwise fails.
    fn recover(&mut self, now: Time, fault: &EndpointError) {
        let at = self.instant(now);
        let State::Connecting(handshake) = &mut self.state else {
            return;
        };
        if let EndpointError::Refused(dimpl::Error::UnexpectedMessage(
            dimpl::UnexpectedMessageError::UnrecognizedAutoServerResponse,
        )) = fault
        {
            // The only error after which an endpoint goes on: it has not chosen a version yet.
            return;
        }
        let is_late = matches!(fault, EndpointError::Refused(dimpl::Error::Timeout(_)));
        let may_restart =
            !handshake.has_answered && !is_late && handshake.restarts < ENDPOINT_RESTARTS_MAX;
        tracing::debug!(?fault, may_restart, "DTLS endpoint refused a packet");
        if !may_restart {
            self.fail();
            return;
        }
        handshake.restarts += 1;
        let opens = handshake.peer.we_open();
        let fresh = Endpoint::new(&self.certificate, self.version, opens, at);
        match fresh.and_then(|mut endpoint| {
            let outputs = endpoint.handle_timeout(at)?;
            Ok((endpoint, outputs))
        }) {
            Ok((endpoint, outputs)) => {
                handshake.endpoint = endpoint;
                self.arm(now, outputs.timeout);
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
            self.state = State::Verified(Box::new(Session {
                endpoint: Some(endpoint),
                keys,
            }));
        }
    }

    /// Gives up, and everything with it.
    fn fail(&mut self) {
        self.state = State::Failed;
        self.waiting = Waiting::default();
        self.datagrams.clear();
        self.retry_at = Time::FAR_FUTURE;
    }

    /// Queues datagrams; one over the cap is lost, as on the way, and its flight is sent again.
    fn queue(&mut self, datagrams: Vec<Vec<u8>>) {
        for datagram in datagrams {
            if self.datagrams.len() < OUTGOING_DATAGRAMS_MAX {
                self.datagrams.push_back(datagram);
            }
        }
    }

    /// Notes when the endpoint wants to be called. It counts nanoseconds and we microseconds: one
    /// more, or it would be called too early for ever.
    fn arm(&mut self, now: Time, timeout: Option<Instant>) {
        let wait = timeout.map_or(Duration::MAX, |at| {
            at.saturating_duration_since(self.instant(now))
        });
        self.retry_at = if wait > TIMEOUT_HORIZON {
            Time::FAR_FUTURE
        } else {
            now + wait + Duration::from_micros(1)
        };
    }

    /// `dimpl` counts in `Instant`s.
    fn instant(&self, now: Time) -> Instant {
        self.epoch
            .checked_add(now.since_origin())
            .unwrap_or(self.epoch)
    }
}

impl Waiting {
    /// Keeps a datagram; the first ones count, because later ones repeat them.
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

/// What became of a handshake after an input.
enum Progress {
    /// It goes on.
    Going {
        datagrams: Vec<Vec<u8>>,
        timeout: Option<Instant>,
    },
    /// It is complete, and has keys.
    Done {
        datagrams: Vec<Vec<u8>>,
        timeout: Option<Instant>,
    },
    /// It cannot succeed any more.
    Broken(&'static str),
}

impl Handshake {
    /// The deadline runs from the first packet: a peer may take its time before that.
    fn start_clock(&mut self, now: Time) {
        self.deadline = self.deadline.min(now + HANDSHAKE_TIMEOUT);
    }

    /// Judges what the endpoint brought: first the certificate, then the keys, and only then are
    /// its datagrams fit to be sent.
    fn apply(&mut self, outputs: Outputs) -> Progress {
        let Outputs {
            datagrams,
            certificate,
            keys,
            is_connected,
            is_closed,
            timeout,
        } = outputs;
        if let Some(certificate) = certificate {
            self.proof = self.peer.verify(&certificate);
            if self.proof.is_none() {
                return Progress::Broken("the certificate has none of the fingerprints");
            }
        }
        if let Some((material, profile)) = keys {
            let Some(proof) = &self.proof else {
                return Progress::Broken("keys before a certificate");
            };
            self.keys = SrtpKeys::export(proof, profile, &material, self.peer.we_open());
        }
        if is_closed {
            return Progress::Broken("the peer closed it");
        }
        self.has_answered |= !datagrams.is_empty();
        match (is_connected, &self.keys) {
            (false, _) => Progress::Going { datagrams, timeout },
            (true, Some(_)) => Progress::Done { datagrams, timeout },
            (true, None) => Progress::Broken("no common SRTP profile"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_that_nobody_fetches_are_bounded() {
        #[expect(clippy::disallowed_methods, reason = "the origin of virtual time")]
        let epoch = Instant::now();
        let certificate = DtlsCertificate::generate().unwrap();
        let mut dtls = Dtls::new(certificate, DtlsVersion::V12, epoch);
        for _ in 0..=OUTGOING_DATAGRAMS_MAX {
            dtls.queue(vec![vec![22]; 2]);
        }
        assert_eq!(
            std::iter::from_fn(|| dtls.poll_transmit()).count(),
            OUTGOING_DATAGRAMS_MAX
        );
    }
}
