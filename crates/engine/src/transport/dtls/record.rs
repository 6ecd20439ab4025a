//! What a DTLS datagram claims to be, read from its record headers before anything is believed.
//! This is the gate before the handshake: what passes may still be wrong, what does not pass could
//! only do harm.
//!
//! RFC 6347 §4.1, §4.2.2; RFC 9147 §4.

/// Record header of DTLS 1.2 and of plaintext in 1.3 (RFC 6347 §4.1).
const HEADER_LEN: usize = 13;

/// Handshake header without the fragment (RFC 6347 §4.2.2).
const HANDSHAKE_HEADER_LEN: usize = 12;

/// Most records in one datagram; a server's whole first flight has five.
const RECORDS_MAX: usize = 16;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// What stands in a datagram whose lengths add up.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct DatagramSummary {
    /// It begins with a ClientHello or a fragment of one.
    pub begins_with_hello: bool,
    /// It holds a ClientHello that is not the first message of its sender.
    pub later_hello: bool,
    /// It holds an alert that nobody authenticated.
    pub plain_alert: bool,
    /// It holds a record that only DTLS 1.3 has.
    pub needs_1_3: bool,
}

impl DatagramSummary {
    /// Reads the headers of `packet`; `None` when they do not add up. That is stricter than the
    /// endpoint behind: it keeps a record with a broken handshake message until the end, and fails
    /// the handshake then.
    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
        let mut contents = Self::default();
        let mut rest = packet;
        for index in 0..RECORDS_MAX {
            let Some(first) = rest.first() else {
                return (index > 0).then_some(contents);
            };
            match first {
                0x20..=0x3f => {
                    // RFC 9147 §4: the rest is encrypted, and nothing can be read.
                    contents.needs_1_3 = true;
                    return Some(contents);
                }
                20..=23 => {}
                25..=26 => contents.needs_1_3 = true,
                _ => return None,
            }
            let (header, after) = rest.split_first_chunk::<HEADER_LEN>()?;
            let &[kind, 0xfe, _, epoch_0, epoch_1, .., len_0, len_1] = header else {
                return None;
            };
            let len = usize::from(u16::from_be_bytes([len_0, len_1]));
            let (body, after) = after.split_at_checked(len)?;
            if epoch_0 == 0 && epoch_1 == 0 {
                contents.plain_alert |= kind == ALERT;
                if kind == HANDSHAKE {
                    contents.read_messages(index == 0, body)?;
                }
            }
            rest = after;
        }
        None
    }

    /// Reads the headers of the handshake messages, or fragments of them, in one plain record.
    fn read_messages(&mut self, is_first_record: bool, body: &[u8]) -> Option<()> {
        let mut rest = body;
        for index in 0..RECORDS_MAX {
            if rest.is_empty() {
                return (index > 0).then_some(());
            }
            let (header, after) = rest.split_first_chunk::<HANDSHAKE_HEADER_LEN>()?;
            let &[kind, l0, l1, l2, seq_0, seq_1, o0, o1, o2, f0, f1, f2] = header;
            let len = u32::from_be_bytes([0, l0, l1, l2]);
            let offset = u32::from_be_bytes([0, o0, o1, o2]);
            let fragment_len = u32::from_be_bytes([0, f0, f1, f2]);
            if offset.checked_add(fragment_len)? > len {
                return None;
            }
            rest = after.get(usize::try_from(fragment_len).ok()?..)?;
            if kind == CLIENT_HELLO {
                self.begins_with_hello |= is_first_record && index == 0;
                self.later_hello |= seq_0 != 0 || seq_1 != 0;
            }
        }
        None
    }
}
