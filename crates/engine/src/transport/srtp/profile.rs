//! SRTP protection profiles (RFC 5764 §4.1.2, RFC 7714 §14.2), and the lengths of their keys and
//! tags.

use arrayvec::ArrayVec;

/// Longest master key with its salt in bytes: AES-256 with a 96-bit salt.
pub const MASTER_KEY_LEN_MAX: usize = 44;

/// Master key followed by its salt, for one direction.
pub type MasterKey = ArrayVec<u8, MASTER_KEY_LEN_MAX>;

/// A protection profile. Profiles with 32-bit tags are not supported, because no client needs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SrtpProfile {
    /// AES-256-GCM with a 16-byte tag.
    AeadAes256Gcm,
    /// AES-128-GCM with a 16-byte tag.
    AeadAes128Gcm,
    /// AES-128 in counter mode with a 10-byte HMAC-SHA1 tag. Takes up to five times as long at
    /// 1,200 B.
    AesCm128HmacSha1_80,
}

impl SrtpProfile {
    /// All profiles, in order of preference.
    pub const ALL: [Self; 3] = [
        Self::AeadAes256Gcm,
        Self::AeadAes128Gcm,
        Self::AesCm128HmacSha1_80,
    ];

    /// Returns the name used in signalling (mediasoup's `cryptoSuite`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
        }
    }

    /// Returns the profile with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// Returns the length of a master key in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm => 32,
            Self::AeadAes128Gcm | Self::AesCm128HmacSha1_80 => 16,
        }
    }

    /// Returns the length of a master salt in bytes.
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => 12,
            Self::AesCm128HmacSha1_80 => 14,
        }
    }

    /// Returns the length of a master key with its salt in bytes.
    pub const fn master_len(self) -> usize {
        self.key_len() + self.salt_len()
    }

    /// Returns the length of the keying material of both directions in bytes (RFC 5764 §4.2).
    pub const fn keying_material_len(self) -> usize {
        2 * self.master_len()
    }

    /// Returns the length of an authentication tag in bytes.
    pub const fn tag_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => 16,
            Self::AesCm128HmacSha1_80 => 10,
        }
    }

    /// Returns how many bytes protection adds to an RTP packet.
    pub const fn rtp_overhead(self) -> usize {
        self.tag_len()
    }

    /// Returns how many bytes protection adds to an RTCP packet: the tag and the index.
    pub const fn rtcp_overhead(self) -> usize {
        self.tag_len() + 4
    }

    /// Splits the keying material of a DTLS handshake into the master keys of client and server.
    /// RFC 5764 §4.2 puts both keys before both salts. Returns `None` for a wrong length.
    pub fn split_keying_material(self, material: &[u8]) -> Option<(MasterKey, MasterKey)> {
        if material.len() != self.keying_material_len() {
            return None;
        }
        let (client_key, rest) = material.split_at_checked(self.key_len())?;
        let (server_key, rest) = rest.split_at_checked(self.key_len())?;
        let (client_salt, server_salt) = rest.split_at_checked(self.salt_len())?;
        let join = |key: &[u8], salt: &[u8]| key.iter().chain(salt).copied().collect();
        Some((join(client_key, client_salt), join(server_key, server_salt)))
    }
}
