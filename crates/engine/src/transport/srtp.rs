//! SRTP and SRTCP (RFC 3711, RFC 7714), with keys from DTLS (RFC 5764 §4.2).
//!
//! A [`SrtpReceiver`] authenticates and decrypts packets in place and refuses replays. A
//! [`SrtpSender`] encrypts packets in place, in the buffer that they are sent from. The sender
//! never estimates an index: the caller passes the extended sequence number. A packet that fails
//! changes no state. Unencrypted SRTCP is refused, as RFC 8827 §6.5 requires.
//!
//! Protecting a packet allocates nothing and takes 10 ns more than the cipher. At 1,200 B the
//! counter mode profile takes 3 to 5 times as long as GCM (0.2 to 0.3 µs on an x86-64 core with
//! VAES), so that GCM is preferred.

mod error;
mod profile;
mod replay;
mod session_key;

#[cfg(test)]
mod tests;

use watersmeet_wire::rtp::RtpHeader;
use watersmeet_wire::units::{SeqNo, Ssrc};

use self::replay::{CheckedPacket, ReplayTable};
use self::session_key::{KeyPurpose, RTCP_CLEAR_LEN, RTCP_E_FLAG, SessionKey};

pub use self::error::{SrtpError, SrtpKeyError};
pub use self::profile::{MASTER_KEY_LEN_MAX, MasterKey, SrtpProfile};
pub use self::replay::{RETIRED_STREAMS_MAX, STREAMS_MAX};
pub use crate::replay_window::REPLAY_WINDOW;

/// Length of the fixed RTP header (RFC 3550 §5.1).
const RTP_HEADER_LEN_MIN: usize = 12;

/// Greatest RTP packet index per SSRC and key: 48 bits (RFC 3711 §9.2).
const RTP_INDEX_MAX: u64 = (1 << 48) - 1;

/// Fields of a parsed RTP header that SRTP needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SrtpHeader {
    /// SSRC of the packet.
    pub ssrc: Ssrc,
    /// Sequence number in the packet.
    pub seq: u16,
    /// Length of the unencrypted part in bytes: fixed header, CSRCs and extensions.
    pub header_len: usize,
}

impl SrtpHeader {
    /// Returns the fields of a parsed header.
    pub const fn of(header: &RtpHeader) -> Self {
        Self {
            ssrc: header.ssrc,
            seq: header.seq,
            header_len: header.header_len,
        }
    }
}

/// Authenticates and decrypts the packets of one peer.
pub struct SrtpReceiver {
    /// Negotiated protection profile.
    profile: SrtpProfile,
    /// Session key of RTP.
    rtp_key: SessionKey,
    /// Session key of RTCP.
    rtcp_key: SessionKey,
    /// RTP packets received.
    rtp_replay: ReplayTable,
    /// RTCP packets received.
    rtcp_replay: ReplayTable,
}

impl SrtpReceiver {
    /// Creates a receiver from `master`, the peer's master key followed by its salt.
    ///
    /// # Errors
    /// Fails when `master` does not have the length of the profile.
    pub fn new(profile: SrtpProfile, master: &[u8]) -> Result<Self, SrtpKeyError> {
        Ok(Self {
            profile,
            rtp_key: SessionKey::derive(profile, KeyPurpose::Rtp, master)?,
            rtcp_key: SessionKey::derive(profile, KeyPurpose::Rtcp, master)?,
            rtp_replay: ReplayTable::default(),
            rtcp_replay: ReplayTable::default(),
        })
    }

    /// Returns the negotiated protection profile.
    pub const fn profile(&self) -> SrtpProfile {
        self.profile
    }

    /// Authenticates and decrypts an RTP packet in place. Returns the length of the plain packet.
    ///
    /// # Errors
    /// Returns the reason the packet is refused. The bytes behind the header are unspecified then.
    pub fn unprotect_rtp(
        &mut self,
        header: SrtpHeader,
        packet: &mut [u8],
    ) -> Result<usize, SrtpError> {
        let (checked, plain_len) = self.open_rtp(header, packet)?;
        self.rtp_replay.mark(checked);
        Ok(plain_len)
    }

    /// Authenticates and decrypts an RTCP packet in place. Returns the length of the plain packet.
    ///
    /// # Errors
    /// Returns the reason the packet is refused. The bytes behind the first eight are unspecified
    /// then.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let (checked, plain_len) = self.open_rtcp(packet)?;
        self.rtcp_replay.mark(checked);
        Ok(plain_len)
    }

    /// Returns whether a packet of the same SSRC was received. `packet` is RTP or RTCP.
    pub fn knows_source(&self, packet: &[u8]) -> bool {
        if is_rtcp(packet) {
            return rtcp_ssrc(packet).is_some_and(|ssrc| self.rtcp_replay.knows(ssrc));
        }
        let header = RtpHeader::parse(packet);
        header.is_ok_and(|header| self.rtp_replay.knows(header.ssrc))
    }

    /// Returns whether an RTP or RTCP packet is authentic and new, without receiving it. Its bytes are
    /// unspecified afterwards.
    pub fn verifies(&self, packet: &mut [u8]) -> bool {
        if is_rtcp(packet) {
            return self.open_rtcp(packet).is_ok();
        }
        let header = RtpHeader::parse(packet);
        header.is_ok_and(|header| self.open_rtp(SrtpHeader::of(&header), packet).is_ok())
    }

    #[inline]
    fn open_rtp(
        &self,
        header: SrtpHeader,
        packet: &mut [u8],
    ) -> Result<(CheckedPacket, usize), SrtpError> {
        let SrtpHeader {
            ssrc,
            seq,
            header_len,
        } = header;
        let shortest = header_len
            .max(RTP_HEADER_LEN_MIN)
            .checked_add(self.profile.rtp_overhead());
        if shortest.is_none_or(|shortest| packet.len() < shortest) {
            return Err(SrtpError::TooShort);
        }
        let checked = self.rtp_replay.check_rtp(ssrc, seq)?;
        if checked.index > RTP_INDEX_MAX {
            return Err(SrtpError::Replayed);
        }
        let plain_len = self
            .rtp_key
            .open_rtp(ssrc, checked.index, packet, header_len)
            .ok_or(SrtpError::AuthFailed)?;
        Ok((checked, plain_len))
    }

    fn open_rtcp(&self, packet: &mut [u8]) -> Result<(CheckedPacket, usize), SrtpError> {
        if packet.len() < RTCP_CLEAR_LEN + self.profile.rtcp_overhead() {
            return Err(SrtpError::TooShort);
        }
        let ssrc = rtcp_ssrc(packet).ok_or(SrtpError::TooShort)?;
        let trailer = self
            .rtcp_key
            .rtcp_trailer(packet)
            .ok_or(SrtpError::TooShort)?;
        if trailer & RTCP_E_FLAG == 0 {
            return Err(SrtpError::AuthFailed);
        }
        let checked = self.rtcp_replay.check_rtcp(ssrc, trailer & !RTCP_E_FLAG)?;
        let plain_len = self
            .rtcp_key
            .open_rtcp(ssrc, trailer, packet)
            .ok_or(SrtpError::AuthFailed)?;
        Ok((checked, plain_len))
    }
}

/// Encrypts and authenticates the packets for one peer.
///
/// Two different packets with the same key, SSRC and index reveal both plaintexts, and with GCM
/// allow forgery. For RTP the caller must prevent this: it uses each extended sequence number for
/// one packet only, and repeats that packet byte for byte, header included (another send time makes
/// it another packet). For RTCP the sender counts by itself.
pub struct SrtpSender {
    /// Negotiated protection profile.
    profile: SrtpProfile,
    /// Session key of RTP.
    rtp_key: SessionKey,
    /// Session key of RTCP.
    rtcp_key: SessionKey,
    /// Index of the last RTCP packet, shared by all SSRCs.
    rtcp_index: u32,
    /// All RTP packets protected in a unit test, to detect an index used twice.
    #[cfg(test)]
    protected: watersmeet_wire::units::Map<(Ssrc, u64), Vec<u8>>,
}

impl SrtpSender {
    /// Creates a sender from `master`, our master key followed by its salt.
    ///
    /// # Errors
    /// Fails when `master` does not have the length of the profile.
    pub fn new(profile: SrtpProfile, master: &[u8]) -> Result<Self, SrtpKeyError> {
        Ok(Self {
            profile,
            rtp_key: SessionKey::derive(profile, KeyPurpose::Rtp, master)?,
            rtcp_key: SessionKey::derive(profile, KeyPurpose::Rtcp, master)?,
            rtcp_index: 0,
            #[cfg(test)]
            protected: watersmeet_wire::units::Map::new(),
        })
    }

    /// Returns the negotiated protection profile.
    pub const fn profile(&self) -> SrtpProfile {
        self.profile
    }

    /// Returns how many bytes protection adds to an RTP packet.
    pub const fn overhead(&self) -> usize {
        self.profile.rtp_overhead()
    }

    /// Returns how many bytes protection adds to an RTCP packet.
    pub const fn rtcp_overhead(&self) -> usize {
        self.profile.rtcp_overhead()
    }

    /// Protects in place the RTP packet in the first `plain_len` bytes of `slot`, of which the
    /// first `header_len` stay unencrypted. Returns the length to send.
    ///
    /// `seq` counts from [`SeqNo::first`], so that the rollover counter of the first packet is
    /// zero. Returns `None` when the lengths do not fit or `seq` is before the first; `slot` must
    /// not be sent then.
    pub fn protect_rtp(
        &mut self,
        ssrc: Ssrc,
        seq: SeqNo,
        slot: &mut [u8],
        header_len: usize,
        plain_len: usize,
    ) -> Option<usize> {
        let index = seq.0.checked_sub(SeqNo::first(0).0)?;
        if index > RTP_INDEX_MAX {
            return None;
        }
        #[cfg(test)]
        self.assert_unused(ssrc, index, slot.get(..plain_len)?);
        self.rtp_key
            .seal_rtp(ssrc, index, slot, header_len, plain_len)
    }

    /// Protects in place the RTCP packet in the first `plain_len` bytes of `slot`. Returns the
    /// length to send.
    ///
    /// Returns `None` when the lengths do not fit or the key has protected 2³¹ packets; `slot` must
    /// not be sent then.
    pub fn protect_rtcp(&mut self, slot: &mut [u8], plain_len: usize) -> Option<usize> {
        let index = self
            .rtcp_index
            .checked_add(1)
            .filter(|index| index & RTCP_E_FLAG == 0)?;
        let ssrc = rtcp_ssrc(slot)?;
        self.rtcp_index = index;
        self.rtcp_key.seal_rtcp(ssrc, index, slot, plain_len)
    }

    /// Fails a test that protects two packets with the same index.
    #[cfg(test)]
    fn assert_unused(&mut self, ssrc: Ssrc, index: u64, plain: &[u8]) {
        let first = self
            .protected
            .entry((ssrc, index))
            .or_insert_with(|| plain.to_vec());
        assert_eq!(
            first, plain,
            "two packets with index {index} of SSRC {ssrc}"
        );
    }
}

/// Returns whether a packet is RTCP: its types 192 to 223 stand where RTP has marker and payload type
/// (RFC 5761 §4).
pub const fn is_rtcp(packet: &[u8]) -> bool {
    matches!(packet, [_, 192..=223, ..])
}

/// Returns the SSRC in the first header of an RTCP packet.
fn rtcp_ssrc(packet: &[u8]) -> Option<Ssrc> {
    let bytes = packet.get(4..RTCP_CLEAR_LEN)?.first_chunk()?;
    Some(Ssrc(u32::from_be_bytes(*bytes)))
}
