//! Layers that a consumer was sent and changed from: up to where. A keyframe of such a layer that is repaired late
//! starts nothing that was sent before, which the viewer would see again.

use watersmeet_wire::units::SeqNo;

use crate::allocation::LAYERS_MAX;

/// Packets by which a repaired keyframe is behind at most. What is further behind belongs to a publisher whose numbers
/// have started anew.
const BEHIND_MAX: u64 = 1_024;

/// Newest packet of each layer when another one was changed to.
#[derive(Debug, Default)]
pub struct LeftLayers {
    /// Layer that was changed to last, though nothing may have been sent since a pause.
    latest: Option<u8>,
    newest: Option<Box<[SeqNo; LAYERS_MAX]>>,
}

impl LeftLayers {
    /// Records that `layer` is sent from now on; `newest` is the newest packet of the one before.
    pub fn record_switch(&mut self, layer: u8, newest: SeqNo) {
        let Some(former) = self.latest.replace(layer) else {
            return;
        };
        let layers = self.newest.get_or_insert_default();
        if let Some(entry) = layers.get_mut(usize::from(former)) {
            *entry = newest;
        }
    }

    /// Returns whether a packet of a layer is not newer than what was sent of it. `newest` is the newest packet of the
    /// layer that was changed to last.
    pub fn contains(&self, layer: u8, seq: SeqNo, newest: SeqNo) -> bool {
        let of_former = || self.newest.as_deref()?.get(usize::from(layer)).copied();
        let newest = match self.latest {
            Some(latest) if latest == layer => Some(newest),
            _ => of_former(),
        };
        newest.is_some_and(|newest| seq <= newest && newest.0 - seq.0 < BEHIND_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layer_that_was_left_goes_on_behind_its_newest_packet() {
        let mut left = LeftLayers::default();
        assert!(!left.contains(2, SeqNo(5_000), SeqNo(5_001)));
        left.record_switch(2, SeqNo(0));
        assert!(left.contains(2, SeqNo(3_000), SeqNo(3_001)));
        left.record_switch(1, SeqNo(5_000));
        assert!(left.contains(2, SeqNo(4_990), SeqNo(0)));
        assert!(left.contains(2, SeqNo(5_000), SeqNo(0)));
        assert!(!left.contains(2, SeqNo(5_001), SeqNo(0)));
        assert!(!left.contains(1, SeqNo(4_990), SeqNo(0)));
    }

    #[test]
    fn numbers_that_start_anew_are_followed() {
        let mut left = LeftLayers::default();
        left.record_switch(0, SeqNo(0));
        left.record_switch(u8::MAX, SeqNo(5_000));
        assert!(!left.contains(0, SeqNo(100), SeqNo(0)));
        left.record_switch(0, SeqNo(5_000));
        assert!(!left.contains(u8::MAX, SeqNo(4_999), SeqNo(0)));
    }
}
