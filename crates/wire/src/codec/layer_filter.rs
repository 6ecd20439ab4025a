//! Selection among the layers of one stream (RFC 9628 §3 for VP9, RFC 7741 §4.2 for the temporal layers of
//! VP8, the dependency descriptor for AV1): which packets a receiver of some layers needs, where it can be
//! switched to others, and which packet ends its pictures.
//!
//! Nothing here keeps state: the caller decides which layers are wanted, and changes the filter where a
//! switch is possible. A receiver starts at a keyframe.

use std::cmp::Ordering;

use super::payload_descriptor::PayloadDescriptor;

/// How the spatial layers of a stream depend on one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InterLayerPrediction {
    /// Every layer frame can refer to the spatial layer below (modes such as `L3T3`).
    Always,
    /// Only those of key pictures do (K-SVC, modes such as `L3T3_KEY`).
    KeyPictures,
    /// None does (modes such as `S3T3`).
    Never,
}

impl InterLayerPrediction {
    /// Returns the prediction of a scalability mode, in the names of W3C's Scalable Video Coding
    /// extension.
    pub fn of_mode(mode: &str) -> Self {
        if mode.starts_with('S') {
            Self::Never
        } else if mode.contains("_KEY") {
            Self::KeyPictures
        } else {
            Self::Always
        }
    }
}

/// Layers that a receiver is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerFilter {
    /// Highest spatial layer.
    pub spatial_layer: u8,
    /// Highest temporal layer.
    pub temporal_layer: u8,
    /// Dependencies between spatial layers.
    pub prediction: InterLayerPrediction,
}

impl LayerFilter {
    /// Returns whether a receiver of these layers needs the packet.
    ///
    /// Of lower spatial layers it needs what higher ones refer to: everything, or in K-SVC the key
    /// pictures, which are predicted from no earlier picture.
    pub fn includes(&self, packet: &PayloadDescriptor) -> bool {
        if packet.temporal_layer > self.temporal_layer {
            return false;
        }
        match self.compare(packet) {
            Ordering::Greater => false,
            Ordering::Equal => true,
            Ordering::Less => match self.prediction {
                InterLayerPrediction::Always => true,
                InterLayerPrediction::KeyPictures => !packet.inter_picture,
                InterLayerPrediction::Never => false,
            },
        }
    }

    /// Returns whether the packet ends the picture for a receiver of these layers, so that it needs
    /// the RTP marker bit. `marker` is the bit that the packet came with.
    ///
    /// Without the bit, a receiver takes a picture for complete only when the next one starts. In a
    /// picture without the highest of these layers it stays where it was.
    pub fn ends_picture(&self, packet: &PayloadDescriptor, marker: bool) -> bool {
        marker || (packet.ends_frame && self.compare(packet) == Ordering::Equal)
    }

    /// Returns whether the spatial layer of the packet can be the highest one of the receiver from
    /// here on.
    ///
    /// One layer more is possible where it starts without reference to an earlier picture: in a
    /// keyframe, or where the encoder adds a layer on top that is at first predicted from the one
    /// below alone. A receiver that is to skip a layer is switched twice in the same picture. Lower
    /// layers are possible at any picture if they were sent all the time, and otherwise at key
    /// pictures.
    pub fn can_switch_spatial(&self, packet: &PayloadDescriptor) -> bool {
        let starts_anew = packet.starts_frame && !packet.inter_picture;
        match (self.prediction, self.compare(packet)) {
            (_, Ordering::Equal) => true,
            (InterLayerPrediction::Never, _) => starts_anew && !packet.inter_layer,
            (InterLayerPrediction::Always, Ordering::Less) => packet.starts_frame,
            (InterLayerPrediction::KeyPictures, Ordering::Less) => starts_anew,
            (_, Ordering::Greater) => {
                let next = self.spatial_layer.saturating_add(1);
                starts_anew && packet.spatial_layer == next
            }
        }
    }

    /// Returns the highest temporal layer that the receiver can be sent from this packet on, when at most
    /// `wanted` is.
    /// Lower ones are possible at any picture. All are possible at a keyframe, and at a picture with the U
    /// bit that the receiver is sent in any case: no later picture of a higher layer refers to an earlier
    /// one that it was not sent. One with the Y bit itself refers to the lowest layer alone.
    pub fn temporal_layer_from(&self, packet: &PayloadDescriptor, wanted: u8) -> u8 {
        let current = self.temporal_layer;
        if !packet.starts_frame || wanted == current {
            return current;
        }
        if wanted < current {
            let is_picture_start = packet.spatial_layer == 0;
            return if is_picture_start { wanted } else { current };
        }
        let is_sent = packet.temporal_layer <= current;
        if is_sent && (!packet.inter_picture || packet.switching_up) {
            wanted
        } else if packet.layer_sync && packet.temporal_layer <= wanted {
            current.max(packet.temporal_layer)
        } else {
            current
        }
    }

    /// Compares the spatial layer of a packet with the highest one.
    fn compare(&self, packet: &PayloadDescriptor) -> Ordering {
        packet.spatial_layer.cmp(&self.spatial_layer)
    }
}

#[cfg(test)]
mod tests;
