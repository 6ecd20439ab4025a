//! Fields of sent packets that the packet cache does not hold, for peers without an RTX stream: a packet
//! is sent again to them byte for byte, because an SRTP key must not encrypt two packets with one
//! index (RFC 3711 §9.1).
//!
//! A checksum of the whole packet is compared before a repetition is encrypted. So it is never sent
//! when anything in it has changed, whatever the reason.

use watersmeet_wire::rtp::extension::AbsSendTime;

use crate::consumer::queued_packet::WireFields;

/// Fields of one packet as it was sent first.
#[derive(Debug, Clone, Copy)]
struct WrittenPacket {
    /// Its sequence number.
    seq: u16,
    /// Its transport-wide sequence number.
    transport_seq: u16,
    /// Bytes of padding.
    padding: u8,
    /// Time of sending.
    abs_send_time: AbsSendTime,
    /// Checksum of the packet before encryption.
    checksum: u32,
}

/// Ring of the packets sent last.
#[derive(Debug, Default)]
pub struct WrittenPackets {
    /// A packet is in the slot with its sequence number modulo the length, a power of two.
    slots: Vec<Option<WrittenPacket>>,
}

impl WrittenPackets {
    /// Remembers a packet that is sent first, in a ring of `capacity` slots.
    pub fn record(&mut self, capacity: usize, seq: u16, fields: &WireFields, packet: &[u8]) {
        if self.slots.len() < capacity {
            self.grow(capacity);
        }
        let written = WrittenPacket {
            seq,
            transport_seq: fields.transport_seq,
            padding: fields.padding,
            abs_send_time: fields.abs_send_time,
            checksum: checksum(packet),
        };
        let index = self.index(seq);
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some(written);
        }
    }

    /// Returns the fields of a packet as it was sent first.
    pub fn fields(&self, seq: u16) -> Option<WireFields> {
        self.get(seq).map(|written| WireFields {
            abs_send_time: written.abs_send_time,
            transport_seq: written.transport_seq,
            padding: written.padding,
        })
    }

    /// Returns whether this is the packet that was sent first under this number.
    pub fn is_same(&self, seq: u16, packet: &[u8]) -> bool {
        self.get(seq)
            .is_some_and(|written| written.checksum == checksum(packet))
    }

    fn get(&self, seq: u16) -> Option<&WrittenPacket> {
        let slot = self.slots.get(self.index(seq))?.as_ref();
        slot.filter(|written| written.seq == seq)
    }

    fn index(&self, seq: u16) -> usize {
        usize::from(seq) & self.slots.len().wrapping_sub(1)
    }

    fn grow(&mut self, capacity: usize) {
        let old = std::mem::take(&mut self.slots);
        self.slots.resize(capacity, None);
        for written in old.into_iter().flatten() {
            let index = self.index(written.seq);
            if let Some(slot) = self.slots.get_mut(index) {
                *slot = Some(written);
            }
        }
    }
}

/// Returns a checksum of a packet: fast, and different for any change that could be made by mistake.
fn checksum(packet: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |sum: u64, word: u64| (sum.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let (words, rest) = packet.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    let sum = words.fold(packet.len() as u64, mix);
    let tail = rest
        .iter()
        .fold(0, |tail, byte| tail << 8 | u64::from(*byte));
    (mix(sum, tail) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(transport_seq: u16) -> WireFields {
        WireFields {
            abs_send_time: AbsSendTime::from_micros(1_000),
            transport_seq,
            padding: 3,
        }
    }

    #[test]
    fn packet_is_found_until_its_slot_is_used_again() {
        let mut written = WrittenPackets::default();
        for seq in 65_530..=65_535 {
            written.record(64, seq, &fields(seq), &[1; 40]);
        }
        written.record(128, 0, &fields(7), &[2; 40]);
        assert_eq!(
            written.fields(65_530).map(|it| it.transport_seq),
            Some(65_530)
        );
        assert_eq!(
            written.fields(0).map(|it| (it.transport_seq, it.padding)),
            Some((7, 3))
        );
        assert!(written.fields(1).is_none());
        written.record(128, 128, &fields(8), &[2; 40]);
        assert!(written.fields(0).is_none());
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let mut written = WrittenPackets::default();
        let packet: Vec<u8> = (0..99).collect();
        written.record(64, 5, &fields(1), &packet);
        assert!(written.is_same(5, &packet));
        assert!(!written.is_same(5, &packet[..98]));
        for index in 0..packet.len() {
            let mut changed = packet.clone();
            changed[index] ^= 1;
            assert!(!written.is_same(5, &changed), "byte {index}");
        }
    }
}
