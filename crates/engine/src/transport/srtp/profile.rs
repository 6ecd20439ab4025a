//! Which ciphers protect a transport's media, and how many bytes each of them needs. Profiles are
//! named as RFC 5764 §4.1.2 and RFC 7714 §14.2 register them.

use arrayvec::ArrayVec;

/// The longest master key followed by its salt: AES-256 with a 96-bit salt.
pub const MASTER_KEY_LEN_MAX: usize = 44;

/// Master key followed by master salt, for one direction.
pub type MasterKey = ArrayVec<u8, MASTER_KEY_LEN_MAX>;

/// A protection profile. The 32-bit-tag profiles are absent on purpose: no client needs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SrtpProfile {
    /// AES-256 in Galois/Counter mode with a 16-byte tag.
    AeadAes256Gcm,
    /// AES-128 in Galois/Counter mode with a 16-byte tag.
    AeadAes128Gcm,
    /// AES-128 in counter mode with a 10-byte HMAC-SHA1 tag: five times dearer at 1,200 B.
    AesCm128HmacSha1_80,
}

impl SrtpProfile {
    /// Every profile, in the order of preference of a server.
    pub const ALL: [Self; 3] = [
        Self::AeadAes256Gcm,
        Self::AeadAes128Gcm,
        Self::AesCm128HmacSha1_80,
    ];

    /// The name used in signalling: mediasoup's `cryptoSuite`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
        }
    }

    /// The profile of that `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// Bytes of a master key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm => 32,
            Self::AeadAes128Gcm | Self::AesCm128HmacSha1_80 => 16,
        }
    }

    /// Bytes of a master salt.
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => 12,
            Self::AesCm128HmacSha1_80 => 14,
        }
    }

    /// Bytes of a master key followed by its salt: what a sender or receiver is made from.
    pub const fn master_len(self) -> usize {
        self.key_len() + self.salt_len()
    }

    /// Bytes that a DTLS handshake exports for both directions (RFC 5764 §4.2).
    pub const fn keying_material_len(self) -> usize {
        2 * self.master_len()
    }

    /// Bytes of an authentication tag.
    pub const fn tag_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => 16,
            Self::AesCm128HmacSha1_80 => 10,
        }
    }

    /// Bytes by which protection lengthens an RTP packet.
    pub const fn rtp_overhead(self) -> usize {
        self.tag_len()
    }

    /// Bytes by which protection lengthens an RTCP packet: the tag and the index.
    pub const fn rtcp_overhead(self) -> usize {
        self.tag_len() + 4
    }

    /// Cuts the keying material of a DTLS handshake into what the client writes with and what the
    /// server writes with. RFC 5764 §4.2 puts both keys before both salts. `None` when the
    /// material is of another length.
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
