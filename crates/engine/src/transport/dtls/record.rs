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

/// What stands in a datagram whose record lengths add up.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Contents {
    /// It begins with a ClientHello or a fragment of one.
    pub begins_with_hello: bool,
    /// It holds a ClientHello that is not the first message of its sender.
    pub later_hello: bool,
    /// It holds an alert that nobody authenticated.
    pub plain_alert: bool,
}

impl Contents {
    /// Reads the headers of `packet`; `None` when they do not add up.
    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
        let mut contents = Self::default();
        let mut rest = packet;
        for index in 0..RECORDS_MAX {
            let Some(first) = rest.first() else {
                return (index > 0).then_some(contents);
            };
            match first {
                // RFC 9147 §4: the rest is encrypted, and nothing can be read.
                0x20..=0x3f => return Some(contents),
                20..=23 | 25..=26 => {}
                _ => return None,
            }
            let (header, after) = rest.split_first_chunk::<HEADER_LEN>()?;
            let &[kind, 0xfe, _, epoch_0, epoch_1, .., len_0, len_1] = header else {
                return None;
            };
            let len = usize::from(u16::from_be_bytes([len_0, len_1]));
            let (body, after) = after.split_at_checked(len)?;
            if epoch_0 == 0 && epoch_1 == 0 {
                contents.note_plain(index, kind, body);
            }
            rest = after;
        }
        None
    }

    /// Notes one record that is not encrypted.
    fn note_plain(&mut self, index: usize, kind: u8, body: &[u8]) {
        if kind == ALERT {
            self.plain_alert = true;
        }
        let Some(header) = body.first_chunk::<HANDSHAKE_HEADER_LEN>() else {
            return;
        };
        let &[message, _, _, _, seq_0, seq_1, ..] = header;
        if kind == HANDSHAKE && message == CLIENT_HELLO {
            self.begins_with_hello |= index == 0;
            self.later_hello |= seq_0 != 0 || seq_1 != 0;
        }
    }
}
