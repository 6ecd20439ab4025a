//! Header that the generator writes into each payload: the packet's origin and send time. It lies
//! behind the codec's headers, which no server may alter, so that a receiver can verify that the
//! packet was meant for it, and compute its latency.

/// Bytes of a test header.
pub const TEST_HEADER_LEN: usize = 36;

/// First bytes of every test header.
const MAGIC: u32 = 0x574c_6f61;

/// Origin and send time of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestHeader {
    /// Number of the run, so that two generators on one server do not mix up their packets.
    pub run: u32,
    /// Number of the sender's room.
    pub room: u32,
    /// Number of the producer: one camera or microphone of the run.
    pub producer: u32,
    /// Simulcast layer, 0 is the lowest.
    pub layer: u32,
    /// Sequence number within the layer.
    pub number: u64,
    /// Send time, in nanoseconds since the Unix epoch.
    pub sent_ns: u64,
}

impl TestHeader {
    /// Returns the bytes of the header.
    pub fn write(&self) -> [u8; TEST_HEADER_LEN] {
        let mut bytes = [0; TEST_HEADER_LEN];
        let words = [MAGIC, self.run, self.room, self.producer, self.layer];
        let words = words.into_iter().flat_map(u32::to_be_bytes);
        let longs = [self.number, self.sent_ns];
        let longs = longs.into_iter().flat_map(u64::to_be_bytes);
        bytes
            .iter_mut()
            .zip(words.chain(longs))
            .for_each(|(out, byte)| *out = byte);
        bytes
    }

    /// Parses the header at the start of `bytes`; `None` if there is none.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (words, longs) = bytes.split_first_chunk::<20>()?;
        let (longs, _) = longs.split_first_chunk::<16>()?;
        let mut words = words.as_chunks::<4>().0.iter();
        let mut word = || words.next().map(|word| u32::from_be_bytes(*word));
        if word()? != MAGIC {
            return None;
        }
        let mut longs = longs.as_chunks::<8>().0.iter();
        let mut long = || longs.next().map(|long| u64::from_be_bytes(*long));
        Some(Self {
            run: word()?,
            room: word()?,
            producer: word()?,
            layer: word()?,
            number: long()?,
            sent_ns: long()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_survives_a_round_trip() {
        let test_header = TestHeader {
            run: 1,
            room: 2,
            producer: 3,
            layer: 2,
            number: 1 << 40,
            sent_ns: u64::MAX - 1,
        };
        let bytes = test_header.write();
        assert_eq!(TestHeader::parse(&bytes), Some(test_header));
        assert_eq!(TestHeader::parse(&bytes[..TEST_HEADER_LEN - 1]), None);
        let mut changed = bytes;
        changed[0] ^= 1;
        assert_eq!(TestHeader::parse(&changed), None);
    }
}
