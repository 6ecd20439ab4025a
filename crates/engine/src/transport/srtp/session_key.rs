//! SRTP session keys: derivation, encryption and decryption in place, without allocation. Key
//! schedules are computed once per direction. Replay protection is in `replay`.
//!
//! RFC 3711 §3.4, §4.1.1, §4.2, §4.3 (counter mode, HMAC-SHA1, key derivation) and RFC 7714 §8,
//! §9, §11 (GCM, and its key derivation).

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};
use watersmeet_wire::units::Ssrc;

use super::error::SrtpKeyError;
use super::profile::SrtpProfile;

/// Length of the unencrypted part of an SRTCP packet: the first header and the sender's SSRC.
pub(super) const RTCP_CLEAR_LEN: usize = 8;

/// Length of the word with the E flag and the index of an SRTCP packet.
pub(super) const RTCP_TRAILER_LEN: usize = 4;

/// E flag of the trailer: the packet is encrypted.
pub(super) const RTCP_E_FLAG: u32 = 0x8000_0000;

/// Length of an HMAC-SHA1 tag, truncated to 80 bits.
const SHA1_TAG_LEN: usize = 10;

/// Length of a GCM tag.
const GCM_TAG_LEN: usize = 16;

/// Purpose of session keys. The value is the first of three derivation labels (RFC 3711 §4.3.1):
/// encryption, authentication, salt.
#[derive(Debug, Clone, Copy)]
pub(super) enum KeyPurpose {
    /// Labels 0 to 2.
    Rtp = 0,
    /// Labels 3 to 5.
    Rtcp = 3,
}

/// Session keys of one direction and purpose.
pub(super) enum SessionKey {
    /// AES-128-GCM or AES-256-GCM.
    Gcm(Box<GcmKey>),
    /// AES in counter mode and HMAC-SHA1.
    Cm(Box<CmKey>),
}

/// Session keys of the GCM profiles.
pub(super) struct GcmKey {
    /// Cipher with its key schedule.
    cipher: LessSafeKey,
    /// Session salt, combined with every nonce.
    salt: [u8; 12],
}

/// Session keys of the counter mode profile.
pub(super) struct CmKey {
    /// Cipher with its key schedule.
    cipher: EncryptingKey,
    /// HMAC-SHA1 with the padded key hashed in advance.
    auth: hmac::Key,
    /// Session salt, combined with every counter block.
    salt: [u8; 14],
}

impl SessionKey {
    /// Derives the session keys of one purpose from `master`, a master key followed by its salt.
    ///
    /// # Errors
    /// Fails when `master` does not have the length of the profile.
    pub(super) fn derive(
        profile: SrtpProfile,
        purpose: KeyPurpose,
        master: &[u8],
    ) -> Result<Self, SrtpKeyError> {
        if master.len() != profile.master_len() {
            return Err(SrtpKeyError);
        }
        let (key, salt) = master
            .split_at_checked(profile.key_len())
            .ok_or(SrtpKeyError)?;
        let derivation = KeyDerivation::new(key, salt)?;
        let label = purpose as u8;
        let mut session_key = [0; 32];
        let session_key = session_key
            .get_mut(..profile.key_len())
            .ok_or(SrtpKeyError)?;
        derivation.fill(label, session_key)?;
        if matches!(profile, SrtpProfile::AesCm128HmacSha1_80) {
            let mut auth = [0; 20];
            derivation.fill(label + 1, &mut auth)?;
            let mut salt = [0; 14];
            derivation.fill(label + 2, &mut salt)?;
            Self::cm(session_key, &auth, salt)
        } else {
            let mut salt = [0; 12];
            derivation.fill(label + 2, &mut salt)?;
            Self::gcm(session_key, salt)
        }
    }

    /// Creates session keys of a GCM profile, which follows from the length of `key`.
    ///
    /// # Errors
    /// Fails when the cipher refuses the key.
    pub(super) fn gcm(key: &[u8], salt: [u8; 12]) -> Result<Self, SrtpKeyError> {
        let algorithm = if key.len() == 32 {
            &AES_256_GCM
        } else {
            &AES_128_GCM
        };
        let cipher = UnboundKey::new(algorithm, key).map_err(|_| SrtpKeyError)?;
        Ok(Self::Gcm(Box::new(GcmKey {
            cipher: LessSafeKey::new(cipher),
            salt,
        })))
    }

    /// Creates session keys of the counter mode profile.
    ///
    /// # Errors
    /// Fails when the cipher refuses the key.
    pub(super) fn cm(key: &[u8], auth: &[u8], salt: [u8; 14]) -> Result<Self, SrtpKeyError> {
        let cipher = counter_mode(key)?;
        let auth = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, auth);
        Ok(Self::Cm(Box::new(CmKey { cipher, auth, salt })))
    }

    /// Encrypts the `plain_len` bytes of RTP at the start of `slot`. Returns the length with tag,
    /// or `None` when the lengths do not fit; `slot` must not be sent then.
    pub(super) fn seal_rtp(
        &self,
        ssrc: Ssrc,
        index: u64,
        slot: &mut [u8],
        header_len: usize,
        plain_len: usize,
    ) -> Option<usize> {
        let (header, rest) = slot.split_at_mut_checked(header_len)?;
        let (payload, rest) = rest.split_at_mut_checked(plain_len.checked_sub(header_len)?)?;
        match self {
            Self::Gcm(key) => {
                let tag_slot = rest.get_mut(..GCM_TAG_LEN)?;
                let tag = key.seal(ssrc, index, header, payload)?;
                tag_slot.copy_from_slice(tag.as_ref());
                plain_len.checked_add(GCM_TAG_LEN)
            }
            Self::Cm(key) => {
                let tag_slot = rest.get_mut(..SHA1_TAG_LEN)?;
                key.apply_key_stream(ssrc, index, payload)?;
                let tag = key.tag(&[header, payload, &rollover(index)]);
                tag_slot.copy_from_slice(&tag);
                plain_len.checked_add(SHA1_TAG_LEN)
            }
        }
    }

    /// Decrypts an SRTP packet. Returns the length of the plain packet, or `None` and unspecified
    /// content when it is not authentic.
    pub(super) fn open_rtp(
        &self,
        ssrc: Ssrc,
        index: u64,
        packet: &mut [u8],
        header_len: usize,
    ) -> Option<usize> {
        let plain_len = packet.len().checked_sub(self.tag_len())?;
        let (plain, tag) = packet.split_at_mut_checked(plain_len)?;
        let (header, payload) = plain.split_at_mut_checked(header_len)?;
        match self {
            Self::Gcm(key) => {
                key.open(ssrc, index, header, payload, tag)?;
            }
            Self::Cm(key) => {
                let expected = key.tag(&[header, payload, &rollover(index)]);
                verify_slices_are_equal(&expected, tag).ok()?;
                key.apply_key_stream(ssrc, index, payload)?;
            }
        }
        Some(plain_len)
    }

    /// Encrypts the `plain_len` bytes of RTCP at the start of `slot`. Returns the length with
    /// trailer and tag, or `None` when the lengths do not fit; `slot` must not be sent then.
    pub(super) fn seal_rtcp(
        &self,
        ssrc: Ssrc,
        index: u32,
        slot: &mut [u8],
        plain_len: usize,
    ) -> Option<usize> {
        let trailer = (RTCP_E_FLAG | index).to_be_bytes();
        let (header, rest) = slot.split_at_mut_checked(RTCP_CLEAR_LEN)?;
        let (payload, rest) = rest.split_at_mut_checked(plain_len.checked_sub(RTCP_CLEAR_LEN)?)?;
        match self {
            Self::Gcm(key) => {
                let (tag_slot, rest) = rest.split_at_mut_checked(GCM_TAG_LEN)?;
                rest.get_mut(..RTCP_TRAILER_LEN)?.copy_from_slice(&trailer);
                let aad = rtcp_aad(header, trailer)?;
                let tag = key.seal(ssrc, u64::from(index), &aad, payload)?;
                tag_slot.copy_from_slice(tag.as_ref());
            }
            Self::Cm(key) => {
                let (trailer_slot, rest) = rest.split_at_mut_checked(RTCP_TRAILER_LEN)?;
                let tag_slot = rest.get_mut(..SHA1_TAG_LEN)?;
                key.apply_key_stream(ssrc, u64::from(index), payload)?;
                trailer_slot.copy_from_slice(&trailer);
                tag_slot.copy_from_slice(&key.tag(&[header, payload, &trailer]));
            }
        }
        plain_len.checked_add(RTCP_TRAILER_LEN + self.tag_len())
    }

    /// Returns the trailer of an SRTCP packet: the E flag and the index. It is before the tag in
    /// counter mode and after it in GCM.
    pub(super) fn rtcp_trailer(&self, packet: &[u8]) -> Option<u32> {
        let end = match self {
            Self::Gcm(_) => packet.len(),
            Self::Cm(_) => packet.len().checked_sub(SHA1_TAG_LEN)?,
        };
        let (_, trailer) = packet.get(..end)?.split_last_chunk()?;
        Some(u32::from_be_bytes(*trailer))
    }

    /// Decrypts an SRTCP packet with this trailer. Returns the length of the plain packet, or
    /// `None` and unspecified content when it is not authentic.
    pub(super) fn open_rtcp(&self, ssrc: Ssrc, trailer: u32, packet: &mut [u8]) -> Option<usize> {
        let plain_len = packet
            .len()
            .checked_sub(self.tag_len() + RTCP_TRAILER_LEN)?;
        let index = u64::from(trailer & !RTCP_E_FLAG);
        let trailer = trailer.to_be_bytes();
        let (plain, rest) = packet.split_at_mut_checked(plain_len)?;
        let (header, payload) = plain.split_at_mut_checked(RTCP_CLEAR_LEN)?;
        match self {
            Self::Gcm(key) => {
                let tag = rest.get(..GCM_TAG_LEN)?;
                key.open(ssrc, index, &rtcp_aad(header, trailer)?, payload, tag)?;
            }
            Self::Cm(key) => {
                let tag = rest.get(RTCP_TRAILER_LEN..)?;
                let expected = key.tag(&[header, payload, &trailer]);
                verify_slices_are_equal(&expected, tag).ok()?;
                key.apply_key_stream(ssrc, index, payload)?;
            }
        }
        Some(plain_len)
    }

    /// Returns the length of a tag.
    pub(super) const fn tag_len(&self) -> usize {
        match self {
            Self::Gcm(_) => GCM_TAG_LEN,
            Self::Cm(_) => SHA1_TAG_LEN,
        }
    }
}

impl GcmKey {
    /// Encrypts `payload`. Returns the tag over it and `aad`.
    #[inline]
    fn seal(&self, ssrc: Ssrc, index: u64, aad: &[u8], payload: &mut [u8]) -> Option<Tag> {
        let (nonce, aad) = (self.nonce(ssrc, index), Aad::from(aad));
        let sealed = self.cipher.seal_in_place_separate_tag(nonce, aad, payload);
        sealed.ok()
    }

    /// Decrypts `payload` if `tag` authenticates it and `aad`.
    #[inline]
    fn open(
        &self,
        ssrc: Ssrc,
        index: u64,
        aad: &[u8],
        payload: &mut [u8],
        tag: &[u8],
    ) -> Option<()> {
        let (nonce, aad) = (self.nonce(ssrc, index), Aad::from(aad));
        let tag = Tag::try_from(tag).ok()?;
        let opened = self
            .cipher
            .open_in_place_separate_tag(nonce, aad, tag, payload, 0..);
        opened.ok().map(|_| ())
    }

    /// Returns the nonce of a packet (RFC 7714 §8.1, §9.1): two zero bytes, the SSRC and the 48-bit
    /// index, XORed with the salt. An RTCP index has 31 bits; those above are zero.
    fn nonce(&self, ssrc: Ssrc, index: u64) -> Nonce {
        let value = (u128::from(ssrc.0) << 48) | u128::from(index);
        let mut nonce = [0; 12];
        let bytes = value.to_be_bytes();
        for ((out, byte), salt) in nonce.iter_mut().zip(bytes.iter().skip(4)).zip(&self.salt) {
            *out = byte ^ salt;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

impl CmKey {
    /// Encrypts or decrypts `payload` with the key stream of a packet (RFC 3711 §4.1.1).
    fn apply_key_stream(&self, ssrc: Ssrc, index: u64, payload: &mut [u8]) -> Option<()> {
        let value = (u128::from(ssrc.0) << 64) | (u128::from(index) << 16);
        let mut block = value.to_be_bytes();
        for (byte, salt) in block.iter_mut().zip(&self.salt) {
            *byte ^= salt;
        }
        run_counter_mode(&self.cipher, block, payload)
    }

    /// Returns the truncated tag over `parts`.
    fn tag(&self, parts: &[&[u8]]) -> [u8; SHA1_TAG_LEN] {
        let mut context = hmac::Context::with_key(&self.auth);
        for part in parts {
            context.update(part);
        }
        let tag = context.sign();
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

/// Key derivation function: AES in counter mode over zeros (RFC 3711 §4.3.3).
pub(super) struct KeyDerivation {
    /// AES with the master key.
    cipher: EncryptingKey,
    /// Master salt in the high 112 bits; a 96-bit salt is at the top of them.
    block: [u8; 16],
}

impl KeyDerivation {
    /// Creates the function of one master key and salt.
    ///
    /// # Errors
    /// Fails when the cipher refuses the key.
    pub(super) fn new(key: &[u8], salt: &[u8]) -> Result<Self, SrtpKeyError> {
        let mut block = [0; 16];
        for (byte, salt) in block.iter_mut().take(14).zip(salt) {
            *byte = *salt;
        }
        Ok(Self {
            cipher: counter_mode(key)?,
            block,
        })
    }

    /// Fills `out`, which must hold zeros, with the key of `label`.
    ///
    /// # Errors
    /// Fails when the cipher fails.
    pub(super) fn fill(&self, label: u8, out: &mut [u8]) -> Result<(), SrtpKeyError> {
        let value = u128::from_be_bytes(self.block) ^ (u128::from(label) << 64);
        run_counter_mode(&self.cipher, value.to_be_bytes(), out).ok_or(SrtpKeyError)
    }
}

/// Creates AES in counter mode with a key of 16 or 32 bytes.
fn counter_mode(key: &[u8]) -> Result<EncryptingKey, SrtpKeyError> {
    let algorithm = if key.len() == 32 { &AES_256 } else { &AES_128 };
    let key = UnboundCipherKey::new(algorithm, key).map_err(|_| SrtpKeyError)?;
    EncryptingKey::ctr(key).map_err(|_| SrtpKeyError)
}

/// Encrypts or decrypts `data` with the key stream that starts at `block`.
fn run_counter_mode(cipher: &EncryptingKey, block: [u8; 16], data: &mut [u8]) -> Option<()> {
    let context = EncryptionContext::Iv128(FixedLength::from(block));
    cipher.less_safe_encrypt(data, context).ok().map(|_| ())
}

/// Returns the rollover counter of an index, which is authenticated but not sent.
#[expect(clippy::cast_possible_truncation, reason = "an index has 48 bits")]
const fn rollover(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

/// Returns the additional authenticated data of an encrypted SRTCP packet (RFC 7714 §9.2).
fn rtcp_aad(header: &[u8], trailer: [u8; RTCP_TRAILER_LEN]) -> Option<[u8; 12]> {
    let mut aad = [0; RTCP_CLEAR_LEN + RTCP_TRAILER_LEN];
    let (head, tail) = aad.split_at_mut_checked(RTCP_CLEAR_LEN)?;
    head.copy_from_slice(header.get(..RTCP_CLEAR_LEN)?);
    tail.copy_from_slice(&trailer);
    Some(aad)
}
