//! One peer's secure pipe: datagrams in, plain RTP and RTCP out, and the keys to send the same
//! way. It knows nothing of producers, consumers or its worker.
//!
//! The security states are passed in one order, and each is held by the type that only the one
//! before it can make: an authentic STUN check makes a path ([`ice`]), a path lets DTLS begin
//! ([`dtls`]), a verified fingerprint makes keys, and keys make [`srtp`]. A packet that does not
//! fit the state reached is counted and dropped; it never causes a write that belongs to a later
//! state.
//!
//! RFC 7983 §7 (telling protocols apart), RFC 5761 §4 (RTP from RTCP), RFC 8445, RFC 5764.

pub mod discard;
pub mod dtls;
pub mod ice;
pub mod srtp;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use watersmeet_wire::params::{
    CandidateType, DtlsParameters, DtlsRole, IceCandidate, IceParameters, IceProtocol, TcpType,
};
use watersmeet_wire::rtp::RtpHeader;
use watersmeet_wire::units::{Bitrate, Rng, Time};

use self::discard::{Discard, Discards};
use self::dtls::{Dtls, DtlsCertificate, DtlsPeer, DtlsVersion};
use self::ice::{Ice, IceEvent};
use self::srtp::{RtpPrefix, SrtpProfile, SrtpReceiver, SrtpSender};
use crate::command::{
    CloseReason, DtlsState, IceState, ListenAddress, Path, Protocol, Refusal, TransportOptions,
};
use crate::rate::RateWindow;

/// STUN answers waiting to be sent; a request that would make one more is not answered.
pub const ANSWERS_MAX: usize = 64;

/// How long a transport without a packet from its peer is believed, by default (RFC 7675 §5.1
/// allows 30 s; mediasoup's default and ours).
pub const CONSENT_TIMEOUT: Duration = Duration::from_secs(15);

/// What all transports of a worker share.
#[derive(Debug, Clone)]
pub struct TransportSettings {
    /// What peers see in the handshake.
    pub certificate: DtlsCertificate,
    /// Which DTLS is spoken.
    pub dtls_version: DtlsVersion,
    /// The `Instant` of `Time::ZERO`.
    pub epoch: Instant,
    /// Where peers can reach us, in order of preference.
    pub listen: Vec<ListenAddress>,
    /// Silence after which nothing is sent any more; after twice as much the peer is given up.
    pub consent_timeout: Duration,
}

/// What a datagram turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// Nothing for anybody else.
    Nothing,
    /// A plain RTP packet in the first `len` bytes.
    Rtp {
        /// Its header.
        header: RtpHeader,
        /// Its length.
        len: usize,
    },
    /// A plain compound RTCP packet in the first `len` bytes.
    Rtcp {
        /// Its length.
        len: usize,
    },
    /// Noise, and already counted.
    Discarded(Discard),
}

/// Something a transport reports unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportEvent {
    /// ICE is in another state.
    IceStateChanged(IceState),
    /// DTLS is in another state.
    DtlsStateChanged(DtlsState),
    /// The path's packets are this transport's from now on, whoever had it before.
    PathAdded(Path),
    /// The path's packets are this transport's no more.
    PathRemoved(Path),
    /// The user fragment names this transport no more.
    UfragRetired(String),
    /// Datagrams of its handshake wait for [`Transport::advance`].
    HandshakeWaits,
    /// It is of no use any more and wants to be removed.
    Closed(CloseReason),
}

/// The plain pipe inside the secure one; there only after verification.
struct Srtp {
    /// Opens what comes.
    receiver: SrtpReceiver,
    /// Seals what goes.
    sender: SrtpSender,
}

/// One transport.
pub struct Transport {
    /// Shared with the worker's other transports.
    settings: Arc<TransportSettings>,
    /// What it may use.
    options: TransportOptions,
    /// Where the peer is.
    ice: Ice,
    /// Who the peer is.
    dtls: Dtls,
    /// What the peer sends and gets.
    srtp: Option<Srtp>,
    /// Answers of ICE, oldest first.
    answers: VecDeque<(Path, Vec<u8>)>,
    /// Events of DTLS, oldest first: five in a lifetime, and one while a handshake waits.
    events: VecDeque<TransportEvent>,
    /// Whether it was said that the handshake waits.
    said_waits: bool,
    /// What was thrown away, by reason.
    discards: Discards,
    /// Bytes received, whatever became of them.
    bytes_received: u64,
    /// The same, over the last second.
    receive_rate: RateWindow,
    /// Whether [`Self::close`] was called.
    is_closed: bool,
}

impl Transport {
    /// A transport that waits for its peer. The worker chooses the user fragment, by which it
    /// finds the transport again.
    pub fn new(
        settings: &Arc<TransportSettings>,
        options: &TransportOptions,
        ufrag: String,
        rng: &mut Rng,
    ) -> Self {
        let TransportSettings {
            certificate,
            dtls_version,
            epoch,
            ..
        } = settings.as_ref();
        Self {
            settings: Arc::clone(settings),
            options: options.clone(),
            ice: Ice::new(ufrag, settings.consent_timeout, rng),
            dtls: Dtls::new(certificate.clone(), *dtls_version, *epoch),
            srtp: None,
            answers: VecDeque::new(),
            events: VecDeque::new(),
            said_waits: false,
            discards: Discards::default(),
            bytes_received: 0,
            receive_rate: RateWindow::default(),
            is_closed: false,
        }
    }

    /// Our ICE credentials.
    pub fn ice_parameters(&self) -> IceParameters {
        self.ice.parameters()
    }

    /// Where the peer can reach us, best first.
    pub fn candidates(&self) -> Vec<IceCandidate> {
        let options = &self.options;
        let allowed = |listen: &&ListenAddress| match listen.protocol {
            Protocol::Udp => options.enable_udp,
            Protocol::Tcp => options.enable_tcp,
        };
        let mut candidates: Vec<IceCandidate> = self
            .settings
            .listen
            .iter()
            .filter(allowed)
            .zip(0_u32..)
            .map(|(listen, rank)| candidate(*listen, rank, options.prefer_udp))
            .collect();
        candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.priority));
        candidates
    }

    /// Our fingerprints.
    pub fn dtls_parameters(&self) -> DtlsParameters {
        DtlsParameters {
            role: DtlsRole::Auto,
            fingerprints: self.settings.certificate.fingerprints().to_vec(),
        }
    }

    /// Learns whom to expect. The same again is fine.
    ///
    /// # Errors
    /// `BadParameters` without a fingerprint of SHA-256 or better, `AlreadyConnected` when others
    /// were given before.
    pub fn connect(&mut self, now: Time, dtls: &DtlsParameters) -> Result<(), Refusal> {
        let peer = DtlsPeer::from_parameters(dtls)
            .map_err(|why| Refusal::BadParameters(why.to_owned()))?;
        match self.dtls.peer() {
            Some(known) if *known == peer => Ok(()),
            Some(_) => Err(Refusal::AlreadyConnected),
            None => {
                self.drive_dtls(|dtls| dtls.handle_peer(now, peer));
                Ok(())
            }
        }
    }

    /// Draws new ICE credentials; the old ones hold until the new ones are seen.
    pub fn restart_ice(&mut self, ufrag: String, rng: &mut Rng) -> IceParameters {
        self.ice.restart(ufrag, rng)
    }

    /// Takes one datagram, or one frame of a TCP path, and opens it in place.
    pub fn receive(&mut self, now: Time, path: Path, packet: &mut [u8]) -> Received {
        self.bytes_received = self.bytes_received.saturating_add(packet.len() as u64);
        self.receive_rate.add(now, packet.len() as u64);
        let received = self.sort(now, path, packet);
        received.unwrap_or_else(|discard| {
            self.discards.count(discard);
            tracing::trace!(?discard, "packet discarded");
            Received::Discarded(discard)
        })
    }

    /// Takes the oldest datagram of the handshake that waits, which may cost 0.1 ms. Says whether
    /// another one waits; until then it is not reported again that one does.
    pub fn advance(&mut self, now: Time) -> bool {
        self.drive_dtls(|dtls| dtls.advance(now));
        self.said_waits = self.dtls.has_work();
        self.said_waits
    }

    /// A TCP path's connection ended.
    pub fn handle_path_closed(&mut self, now: Time, path: Path) {
        self.ice.handle_path_closed(now, path);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        if !self.is_closed {
            self.ice.handle_timeout(now);
            self.drive_dtls(|dtls| dtls.handle_timeout(now));
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Time {
        if self.is_closed {
            return Time::FAR_FUTURE;
        }
        self.ice.poll_timeout().min(self.dtls.poll_timeout())
    }

    /// The next STUN answer or DTLS datagram. DTLS waits until there is a path for it.
    pub fn poll_transmit(&mut self) -> Option<(Path, Vec<u8>)> {
        if let Some(answer) = self.answers.pop_front() {
            return Some(answer);
        }
        let path = self.ice.selected()?;
        Some((path, self.dtls.poll_transmit()?))
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<TransportEvent> {
        let Some(event) = self.ice.poll_event() else {
            return self.events.pop_front();
        };
        Some(match event {
            IceEvent::StateChanged(state) => TransportEvent::IceStateChanged(state),
            IceEvent::PathAdded(path) => TransportEvent::PathAdded(path),
            IceEvent::PathRemoved(path) => TransportEvent::PathRemoved(path),
            IceEvent::UfragRetired(ufrag) => TransportEvent::UfragRetired(ufrag),
            IceEvent::ConsentLost => TransportEvent::Closed(CloseReason::ConsentLost),
        })
    }

    /// Says goodbye to the peer; what [`Self::poll_transmit`] has then is the last of it.
    pub fn close(&mut self, now: Time) {
        self.is_closed = true;
        self.dtls.close(now);
        self.srtp = None;
    }

    /// Where media goes now. None before verification and without consent.
    pub fn path(&self) -> Option<Path> {
        self.srtp.as_ref().and_then(|_| self.ice.selected())
    }

    /// Seals what is sent. None before verification.
    pub fn sender(&mut self) -> Option<&mut SrtpSender> {
        self.srtp.as_mut().map(|srtp| &mut srtp.sender)
    }

    /// The profile agreed on.
    pub fn srtp_profile(&self) -> Option<SrtpProfile> {
        self.srtp.as_ref().map(|srtp| srtp.receiver.profile())
    }

    /// The path in use, whether or not media may go there yet.
    pub const fn selected_path(&self) -> Option<Path> {
        self.ice.selected()
    }

    /// All paths whose packets are this transport's.
    pub fn paths(&self) -> impl Iterator<Item = Path> + '_ {
        self.ice.paths()
    }

    /// The user fragments that name this transport.
    pub fn ufrags(&self) -> impl Iterator<Item = &str> {
        self.ice.ufrags()
    }

    /// The state of ICE.
    pub const fn ice_state(&self) -> IceState {
        self.ice.state()
    }

    /// The state of DTLS.
    pub const fn dtls_state(&self) -> DtlsState {
        self.dtls.state()
    }

    /// What was thrown away, by reason.
    pub const fn discards(&self) -> &Discards {
        &self.discards
    }

    /// Bytes received, whatever became of them.
    pub const fn bytes_received(&self) -> u64 {
        self.bytes_received
    }

    /// The rate at which bytes were received over the last second.
    pub fn receive_bitrate(&self, now: Time) -> Bitrate {
        self.receive_rate.bitrate(now)
    }

    /// What it was made with.
    pub const fn options(&self) -> &TransportOptions {
        &self.options
    }

    /// Begins where the handshakes end: `path` is nominated, and `local` and `remote` are the
    /// master keys. Consent does not run out. False when the keys do not fit the profile.
    #[cfg(feature = "sim")]
    pub fn assume_connected(
        &mut self,
        now: Time,
        path: Path,
        profile: SrtpProfile,
        local: &[u8],
        remote: &[u8],
    ) -> bool {
        let (Ok(sender), Ok(receiver)) = (
            SrtpSender::new(profile, local),
            SrtpReceiver::new(profile, remote),
        ) else {
            return false;
        };
        self.srtp = Some(Srtp { receiver, sender });
        self.ice.assume_connected(now, path);
        self.drive_dtls(Dtls::assume_connected);
        true
    }

    /// Tells protocols apart (RFC 7983 §7) and hands the packet to its own.
    fn sort(&mut self, now: Time, path: Path, packet: &mut [u8]) -> Result<Received, Discard> {
        let first = *packet.first().ok_or(Discard::Malformed)?;
        if self.is_closed {
            return Err(Discard::Closed);
        }
        if first <= 3 {
            return self.receive_stun(now, path, packet);
        }
        if !self.ice.is_authenticated(path) {
            return Err(Discard::UnknownPath);
        }
        match first {
            20..=63 => self.receive_dtls(now, packet),
            128..=191 => self.receive_srtp(packet),
            _ => Err(Discard::Malformed),
        }
    }

    fn receive_stun(&mut self, now: Time, path: Path, packet: &[u8]) -> Result<Received, Discard> {
        if self.answers.len() >= ANSWERS_MAX {
            return Err(Discard::Overloaded);
        }
        let answer = self.ice.handle_packet(now, path, packet)?;
        self.answers.push_back((path, answer));
        if self.ice.is_authenticated(path) {
            self.drive_dtls(|dtls| dtls.handle_path(now));
        }
        Ok(Received::Nothing)
    }

    fn receive_dtls(&mut self, now: Time, packet: &[u8]) -> Result<Received, Discard> {
        self.drive_dtls(|dtls| dtls.handle_packet(now, packet))?;
        Ok(Received::Nothing)
    }

    fn receive_srtp(&mut self, packet: &mut [u8]) -> Result<Received, Discard> {
        let Srtp { receiver, .. } = self.srtp.as_mut().ok_or(Discard::NotVerified)?;
        // RFC 5761 §4: RTCP packet types 192 to 223 stand where RTP has marker and payload type.
        if matches!(packet, [_, 192..=223, ..]) {
            let len = receiver.unprotect_rtcp(packet)?;
            return Ok(Received::Rtcp { len });
        }
        let header = RtpHeader::parse(packet).map_err(|_| Discard::Malformed)?;
        let RtpHeader {
            ssrc,
            seq,
            header_len,
            ..
        } = header;
        let len = receiver.unprotect_rtp(
            RtpPrefix {
                ssrc,
                seq,
                header_len,
            },
            packet,
        )?;
        Ok(Received::Rtp { header, len })
    }

    /// Lets DTLS work, and carries out what its new state means.
    fn drive_dtls<T>(&mut self, work: impl FnOnce(&mut Dtls) -> T) -> T {
        let before = self.dtls.state();
        let result = work(&mut self.dtls);
        let state = self.dtls.state();
        if self.dtls.has_work() && !self.said_waits {
            self.said_waits = true;
            self.events.push_back(TransportEvent::HandshakeWaits);
        }
        if state == before {
            return result;
        }
        self.install_keys();
        self.events
            .push_back(TransportEvent::DtlsStateChanged(state));
        let reason = match state {
            DtlsState::Failed => Some(CloseReason::DtlsFailed),
            DtlsState::Closed => Some(CloseReason::DtlsClosed),
            DtlsState::New | DtlsState::Connecting | DtlsState::Connected => None,
        };
        if let Some(reason) = reason {
            self.srtp = None;
            self.events.push_back(TransportEvent::Closed(reason));
        }
        result
    }

    /// Makes the plain pipe out of the keys, if DTLS just brought them.
    fn install_keys(&mut self) {
        let Some(keys) = self.dtls.take_keys() else {
            return;
        };
        // Keys that were cut for the profile fit it.
        if let (Ok(sender), Ok(receiver)) = (
            SrtpSender::new(keys.profile, &keys.local),
            SrtpReceiver::new(keys.profile, &keys.remote),
        ) {
            self.srtp = Some(Srtp { receiver, sender });
        }
    }
}

/// A candidate with mediasoup's priorities: its formula is RFC 8445 §5.1.2.1 with type preference
/// 64; earlier addresses are preferred by 100 each, and UDP by 1,000 when asked for.
fn candidate(listen: ListenAddress, rank: u32, prefer_udp: bool) -> IceCandidate {
    const TYPE_PREFERENCE: u32 = 64;
    const LOCAL_PREFERENCE: u32 = 10_000;
    const COMPONENT: u32 = 1;
    let (protocol, tcp_type, bonus) = match listen.protocol {
        Protocol::Udp => (IceProtocol::Udp, None, if prefer_udp { 1_000 } else { 0 }),
        Protocol::Tcp => (IceProtocol::Tcp, Some(TcpType::Passive), 0),
    };
    let preference = LOCAL_PREFERENCE.saturating_sub(rank.saturating_mul(100)) + bonus;
    let ip = listen.ip.to_string();
    IceCandidate {
        foundation: match listen.protocol {
            Protocol::Udp => format!("udp{rank}"),
            Protocol::Tcp => format!("tcp{rank}"),
        },
        priority: (TYPE_PREFERENCE << 24) + (preference << 8) + (256 - COMPONENT),
        ip: ip.clone(),
        address: ip,
        protocol,
        port: listen.port,
        kind: CandidateType::Host,
        tcp_type,
    }
}
