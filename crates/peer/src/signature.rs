//! Signature in every packet of a scripted peer: its room and source, the frame it belongs to and
//! the frames that one references. A receiver verifies with it that it got the right packets,
//! complete and in order. It follows the headers of the codec, where no server may write. It is a
//! checksum, not a cryptographic signature.

use watersmeet_wire::units::Time;

/// Length of a signature, in bytes.
pub const SIGNATURE_LEN: usize = 44;

/// First bytes of every signature.
const MAGIC: u32 = 0x5754_4d54;

/// Length of the signature before its checksum, in bytes.
const SIGNED_LEN: usize = SIGNATURE_LEN - 4;

/// Identity of one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketSignature {
    /// Number of the room of the sender.
    pub room: u32,
    /// Number of the media source.
    pub source: u32,
    /// Simulcast encoding, from 0 for the lowest.
    pub layer: u8,
    /// Temporal layer.
    pub temporal: u8,
    /// Whether the frame is a keyframe.
    pub keyframe: bool,
    /// Distances to the referenced frames, in frames; zero means no reference.
    pub reference_distances: [u8; 2],
    /// Number of the frame, counted per encoding from 0.
    pub frame: u32,
    /// Index of the packet within its frame.
    pub index: u16,
    /// Number of packets of the frame.
    pub count: u16,
    /// Capture time of the frame.
    pub captured: Time,
}

impl PacketSignature {
    /// Appends the signature and padding up to `len` bytes in total, at least the signature.
    pub fn write(&self, out: &mut Vec<u8>, len: usize) {
        let start = out.len();
        out.extend_from_slice(&MAGIC.to_be_bytes());
        out.extend_from_slice(&self.room.to_be_bytes());
        out.extend_from_slice(&self.source.to_be_bytes());
        let [near, far] = self.reference_distances;
        out.extend_from_slice(&[self.layer, self.temporal, u8::from(self.keyframe), 0]);
        out.extend_from_slice(&[near, far, 0, 0]);
        out.extend_from_slice(&self.frame.to_be_bytes());
        out.extend_from_slice(&self.index.to_be_bytes());
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(&self.captured.as_micros().to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        let sum = checksum(out.get(start..).unwrap_or_default());
        out.extend_from_slice(&sum.to_be_bytes());
        out.resize(start + len.max(SIGNATURE_LEN), self.padding());
    }

    /// Parses the signature at the start of `bytes`. Returns `None` when there is none, or when a
    /// byte of it or of the padding after it was changed.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (signed, rest) = bytes.split_at_checked(SIGNED_LEN)?;
        let (sum, padding) = rest.split_first_chunk::<4>()?;
        if checksum(signed) != u32::from_be_bytes(*sum) {
            return None;
        }
        let mut words = signed
            .as_chunks::<4>()
            .0
            .iter()
            .map(|word| u32::from_be_bytes(*word));
        if words.next()? != MAGIC {
            return None;
        }
        let (room, source) = (words.next()?, words.next()?);
        let [layer, temporal, keyframe, _] = words.next()?.to_be_bytes();
        let [near, far, _, _] = words.next()?.to_be_bytes();
        let frame = words.next()?;
        let [i0, i1, c0, c1] = words.next()?.to_be_bytes();
        let captured = u64::from(words.next()?) << 32 | u64::from(words.next()?);
        let signature = Self {
            room,
            source,
            layer,
            temporal,
            keyframe: keyframe == 1,
            reference_distances: [near, far],
            frame,
            index: u16::from_be_bytes([i0, i1]),
            count: u16::from_be_bytes([c0, c1]),
            captured: Time::from_micros(captured),
        };
        let expected = signature.padding();
        padding
            .iter()
            .all(|byte| *byte == expected)
            .then_some(signature)
    }

    /// Returns whether both packets belong to the same frame.
    pub fn same_frame(&self, other: &Self) -> bool {
        Self { index: 0, ..*self } == Self { index: 0, ..*other }
    }

    /// Returns the padding byte; consecutive packets have different ones.
    fn padding(&self) -> u8 {
        let [.., frame] = self.frame.to_be_bytes();
        let [.., index] = self.index.to_be_bytes();
        frame.wrapping_mul(31) ^ index
    }
}

/// Returns the FNV-1a hash, which detects accidental changes, not attacks.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| {
        (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature() -> PacketSignature {
        PacketSignature {
            room: 7,
            source: 3,
            layer: 2,
            temporal: 1,
            keyframe: false,
            reference_distances: [1, 4],
            frame: 90_000,
            index: 5,
            count: 9,
            captured: Time::from_micros(0x1_0000_0001),
        }
    }

    #[test]
    fn signature_reads_back() {
        let mut bytes = Vec::new();
        signature().write(&mut bytes, 200);
        assert_eq!(bytes.len(), 200);
        assert_eq!(PacketSignature::parse(&bytes), Some(signature()));
    }

    #[test]
    fn any_changed_byte_is_detected() {
        let mut bytes = Vec::new();
        signature().write(&mut bytes, 60);
        for at in 0..bytes.len() {
            bytes[at] ^= 0x10;
            assert_eq!(PacketSignature::parse(&bytes), None, "byte {at}");
            bytes[at] ^= 0x10;
        }
    }

    #[test]
    fn truncated_packet_has_no_signature() {
        let mut bytes = Vec::new();
        signature().write(&mut bytes, 0);
        assert_eq!(bytes.len(), SIGNATURE_LEN);
        assert_eq!(PacketSignature::parse(&bytes[..SIGNATURE_LEN - 1]), None);
    }
}
