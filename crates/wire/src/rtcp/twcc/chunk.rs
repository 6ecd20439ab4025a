//! Status chunks of transport-wide feedback: sixteen bits that hold several symbols (§3.1.3, §3.1.4
//! of the draft).

/// Most packets that one feedback may cover. The format allows 65,535 in 16 bytes; at 800 Mbit/s a
/// transport sends this many in 100 ms, the longest interval between two feedback packets.
pub const STATUSES_MAX: u16 = 8_192;

/// Unit of the reference time, in microseconds.
pub const REFERENCE_MICROS: i64 = 64_000;

/// Unit of the deltas, in microseconds.
pub const TICK_MICROS: i64 = 250;

/// Most symbols of a run length chunk.
pub const RUN_LEN_MAX: usize = 0x1fff;

/// Symbols of a status vector chunk with one bit each.
pub const ONE_BIT_LEN: usize = 14;

/// Symbols of a status vector chunk with two bits each.
pub const TWO_BIT_LEN: usize = 7;

/// Status of one packet, in the order of the values on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbol {
    /// Not received.
    Lost,
    /// Received 0 to 63.75 ms after the previous one.
    Small,
    /// Received up to 8.19 s before or after the previous one.
    Large,
    /// Reserved; a feedback that uses it is rejected.
    Reserved,
}

impl Symbol {
    pub const fn from_bits(bits: u16) -> Self {
        match bits & 3 {
            0 => Self::Lost,
            1 => Self::Small,
            2 => Self::Large,
            _ => Self::Reserved,
        }
    }

    pub const fn bits(self) -> u16 {
        match self {
            Self::Lost => 0,
            Self::Small => 1,
            Self::Large => 2,
            Self::Reserved => 3,
        }
    }

    /// Returns the length of the delta in bytes; `None` for the reserved symbol.
    pub const fn delta_len(self) -> Option<usize> {
        match self {
            Self::Lost => Some(0),
            Self::Small => Some(1),
            Self::Large => Some(2),
            Self::Reserved => None,
        }
    }
}

/// Chunk of packet statuses.
#[derive(Debug, Clone, Copy)]
pub enum Chunk {
    /// One symbol, repeated.
    Run {
        /// Repeated symbol.
        symbol: Symbol,
        /// Number of repetitions.
        len: usize,
    },
    /// Fourteen symbols, each `Lost` or `Small`.
    OneBit(u16),
    /// Seven symbols.
    TwoBit(u16),
}

impl Chunk {
    pub fn parse(bits: u16) -> Self {
        match bits >> 14 {
            3 => Self::TwoBit(bits),
            2 => Self::OneBit(bits),
            _ => Self::Run {
                symbol: Symbol::from_bits(bits >> 13),
                len: usize::from(bits) & RUN_LEN_MAX,
            },
        }
    }

    /// Returns the number of symbols.
    pub const fn len(self) -> usize {
        match self {
            Self::Run { len, .. } => len,
            Self::OneBit(_) => ONE_BIT_LEN,
            Self::TwoBit(_) => TWO_BIT_LEN,
        }
    }

    /// Returns the symbol at index `at`, which must be below `len`.
    pub const fn symbol(self, at: usize) -> Symbol {
        match self {
            Self::Run { symbol, .. } => symbol,
            Self::OneBit(bits) => Symbol::from_bits(bits >> (ONE_BIT_LEN - 1 - at) & 1),
            Self::TwoBit(bits) => Symbol::from_bits(bits >> ((TWO_BIT_LEN - 1 - at) * 2)),
        }
    }

    /// Returns the length of the deltas of the first `count` symbols, in bytes; `None` when one of
    /// them is reserved.
    pub fn deltas_len(self, count: usize) -> Option<usize> {
        match self {
            Self::Run { symbol, .. } => Some(symbol.delta_len()? * count),
            _ => (0..count).map(|at| self.symbol(at).delta_len()).sum(),
        }
    }
}
