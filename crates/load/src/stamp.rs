//! The stamp inside every packet that a scripted peer sends: whose it is and when it left. It lies
//! behind the codec's own headers, where no server may write, so that a receiver can prove that it
//! got what it may get, and how long it took.

/// Bytes of a stamp.
pub const STAMP_LEN: usize = 36;

/// First bytes of every stamp.
const MAGIC: u32 = 0x574c_6f61;

/// What one packet says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The run of the generator, so that two on one server never mistake each other's packets.
    pub run: u32,
    /// The room its sender is in.
    pub room: u32,
    /// The source it comes from: one camera or microphone of the run.
    pub source: u32,
    /// The simulcast encoding, from the lowest at zero.
    pub layer: u32,
    /// Counts the packets of the encoding.
    pub number: u64,
    /// When it was sealed, in nanoseconds of the wall's clock.
    pub sent_ns: u64,
}

impl Stamp {
    /// The bytes of the stamp.
    pub fn write(&self) -> [u8; STAMP_LEN] {
        let mut bytes = [0; STAMP_LEN];
        let words = [MAGIC, self.run, self.room, self.source, self.layer];
        let words = words.into_iter().flat_map(u32::to_be_bytes);
        let longs = [self.number, self.sent_ns];
        let longs = longs.into_iter().flat_map(u64::to_be_bytes);
        bytes
            .iter_mut()
            .zip(words.chain(longs))
            .for_each(|(place, byte)| *place = byte);
        bytes
    }

    /// Reads the stamp at the start of `bytes`. `None` when there is none.
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
            source: word()?,
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
    fn a_stamp_survives_the_way_there_and_back() {
        let stamp = Stamp {
            run: 1,
            room: 2,
            source: 3,
            layer: 2,
            number: 1 << 40,
            sent_ns: u64::MAX - 1,
        };
        let bytes = stamp.write();
        assert_eq!(Stamp::parse(&bytes), Some(stamp));
        assert_eq!(Stamp::parse(&bytes[..STAMP_LEN - 1]), None);
        let mut changed = bytes;
        changed[0] ^= 1;
        assert_eq!(Stamp::parse(&changed), None);
    }
}
