//! Reassembly of ClientHellos. Those of browsers have 1,400 to 1,500 bytes, because of a key share of
//! ML-KEM, and come in two fragments.

use std::collections::VecDeque;

/// Longest ClientHello, in bytes.
pub const HELLO_LEN_MAX: usize = 4_096;

/// Upper bound of ClientHellos that are incomplete at the same time. A peer sends one; an attacker who
/// forges its address may send others.
pub const PARTIAL_HELLOS_MAX: usize = 4;

/// A ClientHello, or a fragment of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HelloFragment<'a> {
    /// Number of the message: zero before the server answered.
    pub seq: u16,
    /// Length of the whole message.
    pub message_len: usize,
    /// Offset of the fragment.
    pub offset: usize,
    /// Bytes of the fragment.
    pub bytes: &'a [u8],
}

/// Reassembles ClientHellos from fragments in order.
///
/// Fragments do not tell to which ClientHello they belong. One that fits several is added to each, and a
/// complete ClientHello does not replace its beginning, so that a forged last fragment does not keep the
/// true one from being read.
#[derive(Debug, Default)]
pub struct HelloReassembly {
    /// Beginnings, oldest first.
    partial: VecDeque<PartialHello>,
}

/// Beginning of a ClientHello.
#[derive(Debug)]
struct PartialHello {
    seq: u16,
    message_len: usize,
    bytes: Vec<u8>,
}

impl HelloReassembly {
    /// Adds a fragment. Returns the body of the newest ClientHello that it completes.
    pub fn add(&mut self, fragment: &HelloFragment<'_>) -> Option<Vec<u8>> {
        let HelloFragment {
            seq,
            message_len,
            offset,
            bytes,
        } = *fragment;
        let end = offset.checked_add(bytes.len())?;
        if message_len > HELLO_LEN_MAX || end > message_len || bytes.is_empty() {
            return None;
        }
        if bytes.len() == message_len {
            return Some(bytes.to_vec());
        }
        if offset == 0 {
            self.start(fragment);
            return None;
        }
        let continued = self.partial.iter_mut().filter(|it| {
            it.seq == seq && it.message_len == message_len && it.bytes.len() == offset
        });
        let mut complete = None;
        for partial in continued {
            if end == message_len {
                complete = Some([&partial.bytes, bytes].concat());
            } else {
                partial.bytes.extend(bytes);
            }
        }
        complete
    }

    /// Returns whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.partial.is_empty()
    }

    /// Keeps a first fragment instead of the oldest one, or of what is known of the same ClientHello.
    fn start(&mut self, fragment: &HelloFragment<'_>) {
        let is_same = |it: &PartialHello| {
            it.seq == fragment.seq
                && it.message_len == fragment.message_len
                && it.bytes.starts_with(fragment.bytes)
        };
        self.partial.retain(|it| !is_same(it));
        if self.partial.len() == PARTIAL_HELLOS_MAX {
            self.partial.pop_front();
        }
        self.partial.push_back(PartialHello {
            seq: fragment.seq,
            message_len: fragment.message_len,
            bytes: fragment.bytes.to_vec(),
        });
    }
}
