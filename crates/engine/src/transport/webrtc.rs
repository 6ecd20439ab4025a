//! A WebRTC transport: ICE-lite, DTLS and SRTP between this worker and one peer. Decrypts what the
//! peer sends and encrypts what is sent to it. Knows nothing of producers, consumers or its worker.
//!
//! The security states follow one order, and each is a type that only the previous state can make:
//! an authentic STUN check makes a path ([`super::ice`]), a path lets DTLS begin ([`super::dtls`]),
//! a verified fingerprint makes keys, and keys make [`super::srtp`]. A packet that does not fit the
//! state reached is counted and dropped; it never causes a write that belongs to a later state.
//!
//! RFC 7983 §7 (telling protocols apart), RFC 5761 §4 (RTP from RTCP), RFC 8445, RFC 5764.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use watersmeet_wire::params::{
    CandidateType, DtlsParameters, DtlsRole, IceCandidate, IceParameters, IceProtocol, TcpType,
};
use watersmeet_wire::rtp::RtpHeader;
use watersmeet_wire::units::{Bitrate, Rng, Time};

use super::discard::{DiscardCounts, DiscardReason};
use super::dtls::{DtlsCertificate, DtlsSession, DtlsVersion, ExpectedPeer};
use super::event::{Received, TransportEvent};
use super::ice::{IceAgent, IceEvent};
use super::srtp::{SrtpHeader, SrtpProfile, SrtpReceiver, SrtpSender, is_rtcp};
use crate::command::{
    CloseReason, DtlsState, IceState, ListenAddress, Path, Protocol, Refusal, TransportOptions,
};
use crate::rate::RateWindow;

/// Capacity of the queue of STUN responses. A request that arrives when it is full gets none.
pub const RESPONSES_MAX: usize = 64;

/// Default time without a packet from the peer after which nothing is sent to it any more. RFC 7675
/// §5.1 allows 30 s; this is half of it.
pub const CONSENT_TIMEOUT: Duration = Duration::from_secs(15);

/// Settings that all WebRTC transports of a worker share.
#[derive(Debug, Clone)]
pub struct TransportSettings {
    /// Certificate presented in the DTLS handshake.
    pub certificate: DtlsCertificate,
    /// Accepted DTLS versions.
    pub dtls_version: DtlsVersion,
    /// The `Instant` of `Time::ZERO`.
    pub epoch: Instant,
    /// Addresses offered as ICE candidates, in order of preference.
    pub listen: Vec<ListenAddress>,
    /// Time without a packet from the peer after which sending stops; after twice that the transport
    /// closes.
    pub consent_timeout: Duration,
}

/// SRTP contexts of both directions. They exist only after the peer's fingerprint was verified.
struct Srtp {
    /// Decrypts received packets.
    receiver: SrtpReceiver,
    /// Encrypts sent packets.
    sender: SrtpSender,
}

/// Paths that the datagrams of a handshake were sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DtlsPaths {
    /// None was sent.
    None,
    /// All were sent on this path. A peer that completes the handshake receives there.
    One(Path),
    /// They were sent on several.
    Several,
}

/// A WebRTC transport.
pub struct WebRtcTransport {
    /// Shared with the worker's other transports.
    settings: Arc<TransportSettings>,
    /// Options it was created with.
    options: TransportOptions,
    /// Paths to the peer and consent.
    ice: IceAgent,
    /// Handshake and the peer's identity.
    dtls: DtlsSession,
    /// Absent until DTLS has verified the peer, and after closing.
    srtp: Option<Srtp>,
    /// STUN responses to send, oldest first.
    responses: VecDeque<(Path, Vec<u8>)>,
    /// Paths that DTLS datagrams were sent on.
    dtls_paths: DtlsPaths,
    /// DTLS events, oldest first: at most five in a lifetime and one per pending handshake.
    events: VecDeque<TransportEvent>,
    /// Whether [`TransportEvent::HandshakePending`] was reported and not yet followed by `advance`.
    is_handshake_reported: bool,
    /// Discarded packets, by reason.
    discards: DiscardCounts,
    /// Bytes of all received datagrams, discarded ones included.
    bytes_received: u64,
    /// The same, over the last second.
    receive_rate: RateWindow,
    /// Whether [`Self::close`] was called.
    is_closed: bool,
}

impl WebRtcTransport {
    /// Creates a transport that waits for its peer. `ufrag` is chosen by the worker, which finds the
    /// transport by it.
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
            ice: IceAgent::new(ufrag, settings.consent_timeout, rng),
            dtls: DtlsSession::new(certificate.clone(), *dtls_version, *epoch),
            srtp: None,
            responses: VecDeque::new(),
            dtls_paths: DtlsPaths::None,
            events: VecDeque::new(),
            is_handshake_reported: false,
            discards: DiscardCounts::default(),
            bytes_received: 0,
            receive_rate: RateWindow::default(),
            is_closed: false,
        }
    }

    /// Returns our ICE credentials.
    pub fn ice_parameters(&self) -> IceParameters {
        self.ice.parameters()
    }

    /// Returns our candidates, highest priority first.
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

    /// Returns our fingerprints; the role is `auto`.
    pub fn dtls_parameters(&self) -> DtlsParameters {
        DtlsParameters {
            role: DtlsRole::Auto,
            fingerprints: self.settings.certificate.fingerprints().to_vec(),
        }
    }

    /// Sets the peer's DTLS parameters. Setting equal parameters again has no effect.
    ///
    /// # Errors
    /// `BadParameters` without a fingerprint of SHA-256 or better, `AlreadyConnected` when different
    /// parameters were set before.
    pub fn connect(&mut self, now: Time, dtls: &DtlsParameters) -> Result<(), Refusal> {
        let peer = ExpectedPeer::from_parameters(dtls)
            .map_err(|why| Refusal::BadParameters(why.to_owned()))?;
        match self.dtls.peer() {
            Some(known) if *known == peer => Ok(()),
            Some(_) => Err(Refusal::AlreadyConnected),
            None => {
                self.drive_dtls(|dtls| dtls.set_expected_peer(now, peer));
                Ok(())
            }
        }
    }

    /// Returns whether the peer's DTLS parameters are known, so that it should connect.
    pub fn is_awaited(&self) -> bool {
        self.dtls.peer().is_some()
    }

    /// Generates new ICE credentials. The old ones stay valid until a check uses the new ones.
    pub fn restart_ice(&mut self, ufrag: String, rng: &mut Rng) -> IceParameters {
        self.ice.restart(ufrag, rng)
    }

    /// Handles one datagram, or one frame of a TCP path, and decrypts it in place.
    pub fn receive(&mut self, now: Time, path: Path, packet: &mut [u8]) -> Received {
        self.bytes_received = self.bytes_received.saturating_add(packet.len() as u64);
        self.receive_rate.add(now, packet.len() as u64);
        self.ice.record_received(path, packet.len());
        let received = self.dispatch(now, path, packet);
        received.unwrap_or_else(|discard| {
            self.discards.record(discard);
            tracing::trace!(?discard, "packet discarded");
            Received::Discarded(discard)
        })
    }

    /// Returns whether the peer may have sent this SRTP or SRTCP packet, by its SSRC.
    pub fn knows_source(&self, packet: &[u8]) -> bool {
        let srtp = self.srtp.as_ref();
        srtp.is_some_and(|srtp| srtp.receiver.knows_source(packet))
    }

    /// Returns whether an SRTP or SRTCP packet comes from the peer and is new, without receiving it. Its
    /// bytes are unspecified afterwards.
    pub fn verifies(&self, packet: &mut [u8]) -> bool {
        let srtp = self.srtp.as_ref();
        srtp.is_some_and(|srtp| srtp.receiver.verifies(packet))
    }

    /// Adds the unknown path of a packet that [`Self::verifies`] and [`Self::receive`] then takes. A check
    /// of ours is due afterwards.
    pub fn add_media_path(&mut self, now: Time, path: Path) {
        self.ice.add_media_path(now, path);
    }

    /// Processes the oldest waiting handshake datagram, which may take 0.1 ms. Returns whether another
    /// one waits; `HandshakePending` is not reported again while that is so.
    pub fn advance(&mut self, now: Time) -> bool {
        self.drive_dtls(|dtls| dtls.handle_pending(now));
        self.update_proof(now);
        self.is_handshake_reported = self.dtls.has_pending();
        self.is_handshake_reported
    }

    /// Handles the end of a TCP path's connection.
    pub fn handle_path_closed(&mut self, now: Time, path: Path) {
        self.ice.handle_path_closed(now, path);
    }

    /// Runs the timers of ICE and DTLS that are due.
    pub fn handle_timeout(&mut self, now: Time) {
        if !self.is_closed {
            self.ice.handle_timeout(now);
            self.drive_dtls(|dtls| dtls.handle_timeout(now));
            self.update_proof(now);
        }
    }

    /// Returns when [`Self::handle_timeout`] is next due.
    pub fn poll_timeout(&self) -> Time {
        if self.is_closed {
            return Time::FAR_FUTURE;
        }
        self.ice.poll_timeout().min(self.dtls.poll_timeout())
    }

    /// Returns the next STUN message or DTLS datagram. DTLS waits until a path is selected, and may get
    /// as many bytes if it is not proven.
    pub fn poll_transmit(&mut self) -> Option<(Path, Vec<u8>)> {
        let stun = self.responses.pop_front();
        let (path, datagram) = match stun.or_else(|| self.ice.poll_transmit()) {
            Some(stun) => stun,
            None => self.poll_dtls()?,
        };
        self.ice.record_sent(path, datagram.len());
        Some((path, datagram))
    }

    fn poll_dtls(&mut self) -> Option<(Path, Vec<u8>)> {
        let path = self.ice.selected_path()?;
        if !self.ice.allows(path, self.dtls.next_datagram_len()?) {
            return None;
        }
        let datagram = self.dtls.poll_transmit()?;
        self.dtls_paths = match self.dtls_paths {
            DtlsPaths::None => DtlsPaths::One(path),
            DtlsPaths::One(known) if known == path => DtlsPaths::One(path),
            DtlsPaths::One(_) | DtlsPaths::Several => DtlsPaths::Several,
        };
        Some((path, datagram))
    }

    /// Returns the next event.
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

    /// Closes the transport and queues a DTLS close alert, the last datagram that
    /// [`Self::poll_transmit`] returns.
    pub fn close(&mut self, now: Time) {
        self.is_closed = true;
        self.dtls.close(now);
        self.srtp = None;
    }

    /// Returns the path for media; `None` before the peer is verified, without consent, and until it
    /// is proven that the peer receives there.
    pub fn path(&self) -> Option<Path> {
        let path = self.srtp.as_ref().and_then(|_| self.ice.selected_path());
        path.filter(|&path| self.ice.is_proven(path))
    }

    /// Returns whether it is proven that the peer receives at `path`.
    pub fn is_proven(&self, path: Path) -> bool {
        self.ice.is_proven(path)
    }

    /// Returns the context that encrypts sent packets; `None` before the peer is verified.
    pub fn sender(&mut self) -> Option<&mut SrtpSender> {
        self.srtp.as_mut().map(|srtp| &mut srtp.sender)
    }

    /// Returns the negotiated SRTP profile.
    pub fn srtp_profile(&self) -> Option<SrtpProfile> {
        self.srtp.as_ref().map(|srtp| srtp.receiver.profile())
    }

    /// Returns the selected path, whether or not media may be sent on it yet.
    pub const fn selected_path(&self) -> Option<Path> {
        self.ice.selected_path()
    }

    /// Returns all paths whose packets belong to this transport.
    pub fn paths(&self) -> impl Iterator<Item = Path> + '_ {
        self.ice.paths()
    }

    /// Returns the local user fragments of this transport: two while ICE restarts.
    pub fn ufrags(&self) -> impl Iterator<Item = &str> {
        self.ice.ufrags()
    }

    /// Returns the ICE state.
    pub const fn ice_state(&self) -> IceState {
        self.ice.state()
    }

    /// Returns the DTLS state.
    pub const fn dtls_state(&self) -> DtlsState {
        self.dtls.state()
    }

    /// Returns the discarded packets, by reason.
    pub const fn discards(&self) -> &DiscardCounts {
        &self.discards
    }

    /// Returns the bytes of all received datagrams, discarded ones included.
    pub const fn bytes_received(&self) -> u64 {
        self.bytes_received
    }

    /// Returns when the last datagram arrived, to a tenth of a second.
    pub fn last_received_at(&self) -> Time {
        self.receive_rate.last_at()
    }

    /// Returns the receive bitrate over the last second.
    pub fn receive_bitrate(&self, now: Time) -> Bitrate {
        self.receive_rate.bitrate(now)
    }

    /// Returns the options it was created with.
    pub const fn options(&self) -> &TransportOptions {
        &self.options
    }

    /// Enters the connected state without handshakes: `path` is nominated, `local` and `remote` are
    /// the master keys. Consent never expires. Returns false when the keys do not fit the profile.
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
        self.drive_dtls(DtlsSession::assume_connected);
        true
    }

    /// Dispatches a packet by its first byte (RFC 7983 §7).
    fn dispatch(
        &mut self,
        now: Time,
        path: Path,
        packet: &mut [u8],
    ) -> Result<Received, DiscardReason> {
        let first = *packet.first().ok_or(DiscardReason::Malformed)?;
        if self.is_closed {
            return Err(DiscardReason::Closed);
        }
        if first <= 3 {
            return self.receive_stun(now, path, packet);
        }
        if !self.ice.is_authenticated(path) {
            return Err(DiscardReason::UnknownPath);
        }
        match first {
            20..=63 => self.receive_dtls(now, path, packet),
            128..=191 => self.receive_srtp(packet),
            _ => Err(DiscardReason::Malformed),
        }
    }

    fn receive_stun(
        &mut self,
        now: Time,
        path: Path,
        packet: &[u8],
    ) -> Result<Received, DiscardReason> {
        if self.responses.len() >= RESPONSES_MAX {
            return Err(DiscardReason::Overloaded);
        }
        if let Some(response) = self.ice.handle_packet(now, path, packet)? {
            self.responses.push_back((path, response));
        }
        if self.ice.is_authenticated(path) {
            let is_libwebrtc = self.ice.peer_is_libwebrtc();
            self.drive_dtls(|dtls| dtls.handle_authenticated_path(now, is_libwebrtc));
        }
        self.update_proof(now);
        Ok(Received::Nothing)
    }

    fn receive_dtls(
        &mut self,
        now: Time,
        path: Path,
        packet: &[u8],
    ) -> Result<Received, DiscardReason> {
        self.drive_dtls(|dtls| dtls.handle_packet(now, packet))?;
        if self.dtls.take_returned_cookie() && self.dtls_paths == DtlsPaths::One(path) {
            self.ice.prove(now, path);
        }
        self.update_proof(now);
        Ok(Received::Nothing)
    }

    fn receive_srtp(&mut self, packet: &mut [u8]) -> Result<Received, DiscardReason> {
        let Srtp { receiver, .. } = self.srtp.as_mut().ok_or(DiscardReason::NotVerified)?;
        if is_rtcp(packet) {
            let len = receiver.unprotect_rtcp(packet)?;
            return Ok(Received::Rtcp { len });
        }
        let header = RtpHeader::parse(packet).map_err(|_| DiscardReason::Malformed)?;
        let len = receiver.unprotect_rtp(SrtpHeader::of(&header), packet)?;
        Ok(Received::Rtp { header, len })
    }

    /// Records that the peer receives on the path of a handshake that has just completed, and requires
    /// a proof of the selected path where media or the handshake waits for one.
    fn update_proof(&mut self, now: Time) {
        if self.srtp.is_some()
            && let DtlsPaths::One(path) = self.dtls_paths
        {
            self.ice.prove(now, path);
            self.dtls_paths = DtlsPaths::Several;
        }
        let Some(path) = self.ice.selected_path() else {
            return;
        };
        let responses: usize = self.responses.iter().map(|(_, it)| it.len()).sum();
        let is_held = !self.ice.allows(path, responses + self.dtls.outgoing_len());
        if self.srtp.is_some() || is_held {
            self.ice.require_proof(now);
        }
    }

    /// Runs `work` on DTLS, then reports state changes and installs or removes keys accordingly.
    fn drive_dtls<T>(&mut self, work: impl FnOnce(&mut DtlsSession) -> T) -> T {
        let before = self.dtls.state();
        let result = work(&mut self.dtls);
        let state = self.dtls.state();
        if self.dtls.has_pending() && !self.is_handshake_reported {
            self.is_handshake_reported = true;
            self.events.push_back(TransportEvent::HandshakePending);
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

    /// Creates the SRTP contexts when DTLS has just exported keys.
    fn install_keys(&mut self) {
        let Some(keys) = self.dtls.take_keys() else {
            return;
        };
        // DTLS exports keys of the length that the profile needs, so neither call fails.
        if let (Ok(sender), Ok(receiver)) = (
            SrtpSender::new(keys.profile, &keys.local),
            SrtpReceiver::new(keys.profile, &keys.remote),
        ) {
            self.srtp = Some(Srtp { receiver, sender });
        }
    }
}

/// Returns a candidate with mediasoup's priority: RFC 8445 §5.1.2.1 with type preference 64. The
/// local preference falls by 100 per address and rises by 1,000 for UDP when `prefer_udp` is set.
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
