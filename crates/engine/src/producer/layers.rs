//! Layers of a producer: which are active, what they cost, and of which a consumer can be sent a part.

use std::time::Duration;

use arrayvec::ArrayVec;
use watersmeet_wire::codec::InterLayerPrediction;
use watersmeet_wire::params::ScalabilityMode;
use watersmeet_wire::units::{Bitrate, Time};

use super::Producer;
use super::layer_rates::LayerRate;
use super::temporal_shares::TemporalShares;
use crate::allocation::{LayerStep, TEMPORAL_LAYERS_MAX};
use crate::layer_structure::LayerStructure;
use crate::layers::Layers;
use crate::packet::Arrival;

/// Time for which packets of a shared screen are cached: as long as they may wait to be sent, and can be
/// requested then.
const SCREEN_CACHED_FOR: Duration = Duration::from_secs(17);

impl Producer {
    /// Treats it as a shared screen: its packets may wait for long, and its bitrate is that of a longer time.
    pub fn mark_as_screen(&mut self) {
        self.is_screen = true;
        for stream in &mut self.streams {
            stream.cache.keep_for(SCREEN_CACHED_FOR);
        }
        self.layer_rates.fill_with(LayerRate::of_screen);
    }

    /// Caches packets for this time at least, to retransmit them to a viewer with a long round trip.
    pub fn keep_packets_for(&mut self, span: Duration) {
        for stream in &mut self.streams {
            stream.cache.keep_for_viewer(span);
        }
    }

    /// Returns whether it is a shared screen.
    pub const fn is_screen(&self) -> bool {
        self.is_screen
    }

    /// Returns the number of layers of which a consumer is sent one.
    pub fn layer_count(&self) -> u8 {
        self.structure.count()
    }

    /// Records that the layer of a packet is active, and those that a keyframe announces. Returns whether
    /// the active layers have changed.
    pub fn record_activity(&mut self, now: Time, arrival: &Arrival) -> bool {
        let mut has_changed = false;
        let is_scalable = matches!(self.structure, LayerStructure::Scalable(..));
        if is_scalable && arrival.descriptor.keyframe {
            let announced = arrival.descriptor.spatial_layers.min(self.layer_count());
            for layer in 0..announced {
                has_changed |= self.activity.record_packet(now, layer, arrival.timestamp);
            }
        }
        let activity = &mut self.activity;
        has_changed | activity.record_packet(now, arrival.layer, arrival.timestamp)
    }

    /// Counts a packet towards the bitrate of its layer.
    #[inline]
    pub fn record_bitrate(&mut self, now: Time, arrival: &Arrival) {
        let len = self
            .cached(arrival)
            .map_or(0, |cached| cached.bytes().len());
        let index = usize::from(arrival.layer);
        if let Some(rate) = self.layer_rates.get_mut(index) {
            rate.record(now, len);
        }
        if let Some(shares) = self.temporal_shares.get_mut(index) {
            shares.record(now, &arrival.descriptor, len);
        }
    }

    /// Returns the share of a layer's bitrate that each temporal layer needs together with those below, in
    /// thousandths, lowest first and without the highest one.
    pub fn temporal_permille(&self, layer: u8) -> ArrayVec<u64, TEMPORAL_LAYERS_MAX> {
        let shares = self.temporal_shares.get(usize::from(layer));
        shares.map(TemporalShares::permille).unwrap_or_default()
    }

    /// Returns the bitrate of a layer up to one of its temporal layers, with the lower ones that its
    /// receivers need.
    pub fn step_bitrate(&self, now: Time, step: LayerStep) -> Option<Bitrate> {
        let all = self.layer_bitrate(now, step.spatial)?;
        let shares = self.temporal_permille(step.spatial);
        let permille = shares.get(usize::from(step.temporal)).unwrap_or(&1_000);
        Some(Bitrate::from_bps(all.as_bps() * permille / 1_000))
    }

    /// Returns the bitrate of a layer, with the lower ones that its receivers need; `None` while it is not
    /// measured.
    pub fn layer_bitrate(&self, now: Time, layer: u8) -> Option<Bitrate> {
        let of = |layer| self.layer_rates.get(usize::from(layer))?.get(now);
        if !matches!(
            self.structure,
            LayerStructure::Scalable(_, InterLayerPrediction::Always)
        ) {
            return of(layer);
        }
        let lower = (0..layer).filter_map(of).map(Bitrate::as_bps).sum::<u64>();
        Some(Bitrate::from_bps(of(layer)?.as_bps() + lower))
    }

    /// Returns the peak bitrate of a layer of a shared screen; `None` of a camera's.
    pub fn peak_bitrate(&self, now: Time, layer: u8) -> Option<Bitrate> {
        self.layer_rates.get(usize::from(layer))?.peak(now)
    }

    /// Returns how its layers are carried.
    pub const fn structure(&self) -> LayerStructure {
        self.structure
    }

    /// Returns the index of the stream that carries a layer.
    pub const fn stream_of(&self, layer: u8) -> u8 {
        self.structure.stream_of(layer)
    }

    /// Returns whether a consumer can be limited to these layers. Where packets do not tell theirs, all are
    /// forwarded.
    pub fn can_limit_to(&self, layers: Layers) -> bool {
        let modes = self.consumable.encodings.iter();
        let modes = modes.filter_map(|it| ScalabilityMode::parse(it.scalability_mode.as_deref()?));
        let (spatial, temporal) = modes.fold((1, 1), |(spatial, temporal), mode| {
            (mode.spatial.max(spatial), mode.temporal.max(temporal))
        });
        let is_temporal_kept = self.tells_temporal_layers
            || layers
                .temporal_layer
                .is_none_or(|it| it.saturating_add(1) >= temporal);
        let is_spatial_chosen = self.layer_count() > 1;
        is_temporal_kept && (is_spatial_chosen || layers.spatial_layer.saturating_add(1) >= spatial)
    }
}
