//! Transports, which connect a worker to one peer. [`Transport`] has exactly the methods that the
//! worker calls, so that kinds other than WebRTC can be added. Knows no producers or consumers.

pub mod discard;
pub mod dtls;
pub mod event;
pub mod ice;
pub mod srtp;
pub mod webrtc;

use watersmeet_wire::params::{DtlsParameters, IceParameters};
use watersmeet_wire::units::{Bitrate, Rng, Time};

use self::discard::DiscardCounts;
use self::srtp::{SrtpProfile, SrtpSender};
use crate::command::{DtlsState, IceState, Path, Refusal, TransportOptions};

pub use self::event::{Received, TransportEvent};
pub use self::webrtc::{CONSENT_TIMEOUT, RESPONSES_MAX, TransportSettings, WebRtcTransport};

/// A transport of any kind.
pub enum Transport {
    /// ICE-lite, DTLS and SRTP.
    WebRtc(WebRtcTransport),
}

impl Transport {
    /// Sets the peer's DTLS parameters, see [`WebRtcTransport::connect`].
    ///
    /// # Errors
    /// `BadParameters` or `AlreadyConnected`.
    pub fn connect(&mut self, now: Time, dtls: &DtlsParameters) -> Result<(), Refusal> {
        let Self::WebRtc(transport) = self;
        transport.connect(now, dtls)
    }

    /// Generates new ICE credentials. The old ones stay valid until a check uses the new ones.
    pub fn restart_ice(&mut self, ufrag: String, rng: &mut Rng) -> IceParameters {
        let Self::WebRtc(transport) = self;
        transport.restart_ice(ufrag, rng)
    }

    /// Handles one datagram, or one frame of a TCP path, and decrypts it in place.
    #[inline]
    pub fn receive(&mut self, now: Time, path: Path, packet: &mut [u8]) -> Received {
        let Self::WebRtc(transport) = self;
        transport.receive(now, path, packet)
    }

    /// Returns whether the peer may have sent this SRTP or SRTCP packet, by its SSRC.
    pub fn knows_source(&self, packet: &[u8]) -> bool {
        let Self::WebRtc(transport) = self;
        transport.knows_source(packet)
    }

    /// Returns whether an SRTP or SRTCP packet comes from the peer and is new, without receiving it. Its
    /// bytes are unspecified afterwards.
    pub fn verifies(&self, packet: &mut [u8]) -> bool {
        let Self::WebRtc(transport) = self;
        transport.verifies(packet)
    }

    /// Adds the unknown path of a packet that [`Self::verifies`] and [`Self::receive`] then takes. A check
    /// of ours is due afterwards.
    pub fn add_media_path(&mut self, now: Time, path: Path) {
        let Self::WebRtc(transport) = self;
        transport.add_media_path(now, path);
    }

    /// Returns whether the peer's DTLS parameters are known, so that it should connect.
    pub fn is_awaited(&self) -> bool {
        let Self::WebRtc(transport) = self;
        transport.is_awaited()
    }

    /// Returns when the last datagram arrived, to a tenth of a second.
    pub fn last_received_at(&self) -> Time {
        let Self::WebRtc(transport) = self;
        transport.last_received_at()
    }

    /// Processes the oldest waiting handshake datagram. Returns whether another one waits.
    pub fn advance(&mut self, now: Time) -> bool {
        let Self::WebRtc(transport) = self;
        transport.advance(now)
    }

    /// Handles the end of a TCP path's connection.
    pub fn handle_path_closed(&mut self, now: Time, path: Path) {
        let Self::WebRtc(transport) = self;
        transport.handle_path_closed(now, path);
    }

    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, now: Time) {
        let Self::WebRtc(transport) = self;
        transport.handle_timeout(now);
    }

    /// Returns when [`Self::handle_timeout`] is next due.
    pub fn poll_timeout(&self) -> Time {
        let Self::WebRtc(transport) = self;
        transport.poll_timeout()
    }

    /// Returns the next STUN response or DTLS datagram.
    pub fn poll_transmit(&mut self) -> Option<(Path, Vec<u8>)> {
        let Self::WebRtc(transport) = self;
        transport.poll_transmit()
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<TransportEvent> {
        let Self::WebRtc(transport) = self;
        transport.poll_event()
    }

    /// Closes the transport. [`Self::poll_transmit`] then returns its last datagrams.
    pub fn close(&mut self, now: Time) {
        let Self::WebRtc(transport) = self;
        transport.close(now);
    }

    /// Returns the path for media; `None` while media may not be sent.
    #[inline]
    pub fn path(&self) -> Option<Path> {
        let Self::WebRtc(transport) = self;
        transport.path()
    }

    /// Returns whether it is proven that the peer receives at `path`.
    pub fn is_proven(&self, path: Path) -> bool {
        let Self::WebRtc(transport) = self;
        transport.is_proven(path)
    }

    /// Returns the context that encrypts sent packets; `None` while media may not be sent.
    #[inline]
    pub fn sender(&mut self) -> Option<&mut SrtpSender> {
        let Self::WebRtc(transport) = self;
        transport.sender()
    }

    /// Returns the negotiated SRTP profile.
    pub fn srtp_profile(&self) -> Option<SrtpProfile> {
        let Self::WebRtc(transport) = self;
        transport.srtp_profile()
    }

    /// Returns the selected path, whether or not media may be sent on it yet.
    pub const fn selected_path(&self) -> Option<Path> {
        let Self::WebRtc(transport) = self;
        transport.selected_path()
    }

    /// Returns the ICE state.
    pub const fn ice_state(&self) -> IceState {
        let Self::WebRtc(transport) = self;
        transport.ice_state()
    }

    /// Returns the DTLS state.
    pub const fn dtls_state(&self) -> DtlsState {
        let Self::WebRtc(transport) = self;
        transport.dtls_state()
    }

    /// Returns the discarded packets, by reason.
    pub const fn discards(&self) -> &DiscardCounts {
        let Self::WebRtc(transport) = self;
        transport.discards()
    }

    /// Returns the bytes of all received datagrams, discarded ones included.
    pub const fn bytes_received(&self) -> u64 {
        let Self::WebRtc(transport) = self;
        transport.bytes_received()
    }

    /// Returns the receive bitrate over the last second.
    pub fn receive_bitrate(&self, now: Time) -> Bitrate {
        let Self::WebRtc(transport) = self;
        transport.receive_bitrate(now)
    }

    /// Returns the options it was created with.
    pub const fn options(&self) -> &TransportOptions {
        let Self::WebRtc(transport) = self;
        transport.options()
    }

    /// Enters the connected state without handshakes, see [`WebRtcTransport::assume_connected`].
    #[cfg(feature = "sim")]
    pub fn assume_connected(
        &mut self,
        now: Time,
        path: Path,
        profile: SrtpProfile,
        local: &[u8],
        remote: &[u8],
    ) -> bool {
        let Self::WebRtc(transport) = self;
        transport.assume_connected(now, path, profile, local, remote)
    }
}
