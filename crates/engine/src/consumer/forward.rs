//! Forwarding of one packet: what a consumer sends for it, with which numbers.

use watersmeet_wire::codec::{Codec, PictureId};
use watersmeet_wire::units::Time;

use super::Consumer;
use super::queued_packet::{PacketPatch, QueuedPacket, SendPriority, Transmission, low_32_bits};
use super::selection::Selection;
use crate::packet::Arrival;
use crate::packet_cache::KEPT_FOR;

/// Rate at which frames of the past follow one another by their timestamps, so that a receiver shows them
/// without delay: in frames per second.
const CATCH_UP_FRAME_RATE: u32 = 1_000;

/// Decision of a consumer about a packet of its producer.
#[derive(Debug, Clone, Copy)]
pub enum Forwarding {
    /// Nothing is sent.
    Nothing,
    /// Nothing is sent before a keyframe: the stream was interrupted for longer than losses can be
    /// repaired.
    Interrupted,
    /// The packet continues the stream being sent.
    Packet(QueuedPacket),
    /// As `Packet`, and with it the first picture of other layers ends.
    Changed(QueuedPacket),
    /// The packet is the first of the stream, or of another stream than before.
    First(QueuedPacket),
}

impl Consumer {
    /// Returns what to send for a packet of the producer.
    #[inline]
    pub fn forward(&mut self, now: Time, arrival: &Arrival) -> Forwarding {
        if !self.is_open() {
            return Forwarding::Nothing;
        }
        let keyframe = arrival.descriptor.keyframe;
        if (arrival.pt != self.pt || self.lacks_codec) && !self.accepts_codec(arrival) {
            return Forwarding::Nothing;
        }
        let Some(selection) = self.select(arrival) else {
            return Forwarding::Interrupted;
        };
        match selection {
            Selection::Skip => {
                if self.has_shared_stream {
                    self.sequence.omit(arrival.seq);
                }
                return Forwarding::Nothing;
            }
            // The number of a packet that comes late is kept for it.
            Selection::Omit if self.sequence.is_newest(arrival.seq) => {
                self.omit(arrival);
                return Forwarding::Nothing;
            }
            Selection::Switch if self.was_sent(now, arrival) => return Forwarding::Nothing,
            Selection::Switch => self.switch_to(arrival),
            Selection::Omit | Selection::Forward | Selection::Change => {}
        }
        if !arrival.has_payload {
            self.sequence.omit(arrival.seq);
            return Forwarding::Nothing;
        }
        let is_newest = self.sequence.is_newest(arrival.seq);
        let Some(seq) = self.sequence.map(arrival.seq) else {
            return Forwarding::Nothing;
        };
        let timestamp = self.timestamps.map(arrival.at, arrival.timestamp);
        if keyframe {
            self.keyframe_sent = self.keyframe_sent.max(Some(seq));
            if let Some(screen) = &mut self.screen {
                screen.record_keyframe(timestamp);
            }
        }
        let Some(patch) = self.patch(arrival, is_newest) else {
            return Forwarding::Nothing;
        };
        self.clock = arrival.clock;
        if self.rtx.is_some() || self.repeats {
            self.sent
                .insert(now, seq, arrival.stream, arrival.seq, timestamp, patch);
            let temporal_layer = arrival.descriptor.temporal_layer;
            self.sent.set_temporal_layer(seq, temporal_layer);
        }
        let queued = QueuedPacket {
            consumer: self.key,
            stream: arrival.stream,
            origin: arrival.seq,
            seq,
            transmission: Transmission::First,
            priority: SendPriority::of(self.kind, Transmission::First, self.screen.is_some()),
            queued_millis: low_32_bits(now.as_millis()),
            timestamp,
            patch,
        };
        match selection {
            Selection::Switch => Forwarding::First(queued),
            Selection::Change => Forwarding::Changed(queued),
            _ => Forwarding::Packet(queued),
        }
    }

    /// Decides about a packet. `None` when the stream was interrupted, and this packet does not start it
    /// anew.
    #[inline]
    fn select(&mut self, arrival: &Arrival) -> Option<Selection> {
        let descriptor = &arrival.descriptor;
        let selection = self.layers.select(arrival.layer, descriptor);
        if !selection.continues() || !self.is_discontinuous(arrival) {
            return Some(selection);
        }
        if self.sequence.is_next(arrival.seq) {
            // Only the media clock has jumped. Packets that are missing keep their numbers, as their pictures do.
            self.follow_clock(arrival);
            return Some(selection);
        }
        self.layers.restart();
        let selection = self.layers.select(arrival.layer, descriptor);
        (selection != Selection::Skip).then_some(selection)
    }

    /// Leaves out a packet of the stream being sent, newer than all others, without a gap.
    fn omit(&mut self, arrival: &Arrival) {
        self.sequence.omit(arrival.seq);
        if self.codec == Some(Codec::Vp8)
            && let Some(id) = arrival.descriptor.picture_id
        {
            self.picture_ids.omit(id.value(), bits_of(id));
        }
    }

    /// Returns whether a packet of the stream being sent does not continue it: its number or its
    /// timestamp has jumped. Late packets are not concerned.
    #[inline]
    fn is_discontinuous(&self, arrival: &Arrival) -> bool {
        self.sequence.is_jump(arrival.seq)
            || (self.sequence.is_newest(arrival.seq)
                && self
                    .timestamps
                    .is_jump(arrival.at, arrival.timestamp, self.clock_rate))
    }

    /// Continues the outgoing numbers and timestamps with this packet.
    fn rejoin(&mut self, arrival: &Arrival) {
        self.sequence.join(arrival.seq);
        self.follow_clock(arrival);
    }

    /// Continues the outgoing timestamps with this packet, though its clock has jumped.
    fn follow_clock(&mut self, arrival: &Arrival) {
        let reference = self.timestamp_by_clock(arrival);
        self.timestamps
            .join(arrival.at, arrival.timestamp, self.clock_rate, reference);
    }

    /// Returns the step, in RTP timestamp units, between frames of the past that are sent at once: they
    /// fit between what was sent before and `newest`, the frame that follows them. `None` when there is no
    /// room for so many.
    pub fn catch_up_step(&self, newest: &Arrival, frames: u32) -> Option<u32> {
        let reference = self.timestamp_by_clock(newest);
        let room = self.timestamps.room(newest.at, self.clock_rate, reference);
        let step = room / frames.saturating_add(1);
        (step > 0).then_some(step.min(self.clock_rate / CATCH_UP_FRAME_RATE))
    }

    /// Returns whether a keyframe is of a layer that was sent before, and not newer than what was sent of it. After a
    /// pause one that is still cached is better than none.
    fn was_sent(&self, now: Time, arrival: &Arrival) -> bool {
        let has_picture = self.layers.current().is_some();
        let is_recent = now.since(arrival.at) < KEPT_FOR;
        let newest = self.sequence.newest();
        (has_picture || !is_recent)
            && self
                .left_layers
                .contains(arrival.layer, arrival.seq, newest)
    }

    /// Continues with another stream, of which this packet is the first.
    fn switch_to(&mut self, arrival: &Arrival) {
        self.left_layers
            .record_switch(arrival.layer, self.sequence.newest());
        if let Some(format) = self.format(arrival.pt).filter(|it| it.pt != self.pt) {
            self.use_format(format);
        }
        self.format_since = arrival.seq;
        self.lacks_codec = false;
        self.take_back_counters();
        self.rejoin(arrival);
        if let Some(picture_id) = arrival.descriptor.picture_id {
            self.picture_ids.join(picture_id.value());
        }
        if let Some(index) = arrival.descriptor.tl0_pic_idx {
            self.tl0_pic_idxs.join(u16::from(index));
        }
        self.layers.switched_to(arrival.layer);
    }

    /// Takes back the picture numbers of the latest frames, where none of their packets was sent.
    fn take_back_counters(&mut self) {
        let highest = self.sequence.highest();
        let withdrawn = self.sent.take_withdrawn();
        if let Some(withdrawn) = withdrawn.filter(|it| highest < it.first) {
            self.picture_ids.take_back(withdrawn.frames);
            self.tl0_pic_idxs.take_back(withdrawn.base_frames);
        }
    }

    /// Returns the outgoing timestamp of the moment at which `arrival` was captured, by the clock of
    /// the stream sent so far; `None` when one of the clocks is unknown.
    fn timestamp_by_clock(&self, arrival: &Arrival) -> Option<u32> {
        let wall = arrival.clock?.wall_at(arrival.timestamp, self.clock_rate);
        let timestamp = self.clock?.timestamp_at(wall, self.clock_rate);
        Some(timestamp.wrapping_add(self.timestamps.offset()))
    }

    /// Returns the changes that keep the picture counters continuous, end the pictures, and add redundancy. A
    /// keyframe with other counters starts them anew only if it is newer than all others: a late one is behind. `None`
    /// for a packet so late that its counters are forgotten.
    fn patch(&mut self, arrival: &Arrival, is_newest: bool) -> Option<PacketPatch> {
        let descriptor = &arrival.descriptor;
        if self.codec != Some(Codec::Vp8) {
            let ends_picture = self.layers.ends_picture(descriptor, arrival.marker);
            return Some(PacketPatch {
                sets_marker: ends_picture && !arrival.marker,
                redundancy: self.redundancy_for(arrival),
                ..PacketPatch::default()
            });
        }
        let may_start_anew = descriptor.keyframe && is_newest;
        let mut patch = PacketPatch::default();
        if let Some(id) = descriptor.picture_id {
            let bits = bits_of(id);
            if may_start_anew && self.picture_ids.is_jump(id.value(), bits) {
                self.picture_ids.join(id.value());
            }
            let mapped = self.picture_ids.map(id.value(), bits)?;
            patch.picture_id = (mapped != id.value()).then_some(mapped);
        }
        if let Some(index) = descriptor.tl0_pic_idx {
            if may_start_anew && self.tl0_pic_idxs.is_jump(u16::from(index), 8) {
                self.tl0_pic_idxs.join(u16::from(index));
            }
            let mapped = u8::try_from(self.tl0_pic_idxs.map(u16::from(index), 8)?).ok();
            patch.tl0_pic_idx = mapped.filter(|mapped| *mapped != index);
        }
        Some(patch)
    }
}

/// Returns the width of a picture id, in bits.
const fn bits_of(id: PictureId) -> u32 {
    if id.is_extended() { 15 } else { 7 }
}
