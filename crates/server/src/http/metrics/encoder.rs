//! Encodes metrics, one family after the other.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use watersmeet_wire::units::Histogram;

/// Encodes metric families.
pub struct FamilyEncoder<'a>(DescriptorEncoder<'a>);

/// Encodes one family: metrics of one name that differ in their labels.
pub struct Family<'a>(MetricEncoder<'a>);

impl<'a> FamilyEncoder<'a> {
    /// Wraps the encoder of `prometheus-client`.
    pub const fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self(encoder)
    }

    /// Begins a family of counters. `_total` is appended to the name.
    ///
    /// # Errors
    /// The text cannot be written.
    pub fn counters<'s>(&'s mut self, name: &'s str, help: &str) -> Result<Family<'s>, fmt::Error> {
        self.family(name, help, MetricType::Counter)
    }

    /// Begins a family of gauges.
    ///
    /// # Errors
    /// The text cannot be written.
    pub fn gauges<'s>(&'s mut self, name: &'s str, help: &str) -> Result<Family<'s>, fmt::Error> {
        self.family(name, help, MetricType::Gauge)
    }

    /// Begins a family of histograms.
    ///
    /// # Errors
    /// The text cannot be written.
    pub fn histograms<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
    ) -> Result<Family<'s>, fmt::Error> {
        self.family(name, help, MetricType::Histogram)
    }

    /// Writes a counter without labels.
    ///
    /// # Errors
    /// The text cannot be written.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut family = self.counters(name, help)?;
        family.0.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// Writes a gauge without labels.
    ///
    /// # Errors
    /// The text cannot be written.
    pub fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.gauges(name, help)?.0.encode_gauge(&value)
    }

    /// Writes a gauge of a share without labels.
    ///
    /// # Errors
    /// The text cannot be written.
    pub fn ratio(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.gauges(name, help)?.0.encode_gauge(&value)
    }

    /// Writes a histogram without labels.
    ///
    /// # Errors
    /// The text cannot be written.
    pub fn histogram<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        histogram: &Histogram<N>,
    ) -> fmt::Result {
        encode_durations(&mut self.histograms(name, help)?.0, histogram)
    }

    fn family<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        kind: MetricType,
    ) -> Result<Family<'s>, fmt::Error> {
        Ok(Family(self.0.encode_descriptor(name, help, None, kind)?))
    }
}

impl Family<'_> {
    /// Writes a counter.
    ///
    /// # Errors
    /// The text cannot be written.
    pub fn counter(&mut self, labels: &impl EncodeLabelSet, value: u64) -> fmt::Result {
        let mut encoder = self.0.encode_family(labels)?;
        encoder.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// Writes a counter of seconds.
    ///
    /// # Errors
    /// The text cannot be written.
    pub fn counter_seconds(&mut self, labels: &impl EncodeLabelSet, value: f64) -> fmt::Result {
        let mut encoder = self.0.encode_family(labels)?;
        encoder.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// Writes a gauge.
    ///
    /// # Errors
    /// The text cannot be written.
    pub fn gauge(&mut self, labels: &impl EncodeLabelSet, value: u64) -> fmt::Result {
        self.0.encode_family(labels)?.encode_gauge(&value)
    }

    /// Writes a gauge of seconds.
    ///
    /// # Errors
    /// The text cannot be written.
    pub fn gauge_seconds(&mut self, labels: &impl EncodeLabelSet, value: f64) -> fmt::Result {
        self.0.encode_family(labels)?.encode_gauge(&value)
    }

    /// Writes a gauge of a share.
    ///
    /// # Errors
    /// The text cannot be written.
    pub fn gauge_ratio(&mut self, labels: &impl EncodeLabelSet, value: f64) -> fmt::Result {
        self.0.encode_family(labels)?.encode_gauge(&value)
    }

    /// Writes a histogram of durations.
    ///
    /// # Errors
    /// The text cannot be written.
    pub fn duration_histogram<const N: usize>(
        &mut self,
        labels: &impl EncodeLabelSet,
        histogram: &Histogram<N>,
    ) -> fmt::Result {
        encode_durations(&mut self.0.encode_family(labels)?, histogram)
    }

    /// Writes a histogram of sizes. `counts` has each bound with the number of values up to it and
    /// above the bound before; `sum` is the sum of all values.
    ///
    /// # Errors
    /// The text cannot be written.
    pub fn size_histogram(
        &mut self,
        labels: &impl EncodeLabelSet,
        counts: impl Iterator<Item = (u16, u64)>,
        sum: u64,
    ) -> fmt::Result {
        let mut buckets: Vec<_> = counts
            .map(|(bound, count)| (f64::from(bound), count))
            .collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        buckets.push((f64::INFINITY, 0));
        #[expect(
            clippy::cast_precision_loss,
            reason = "counts of packets stay below 2^53"
        )]
        let sum = sum as f64;
        let mut encoder = self.0.encode_family(labels)?;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }
}

fn encode_durations<const N: usize>(
    encoder: &mut MetricEncoder<'_>,
    histogram: &Histogram<N>,
) -> fmt::Result {
    let buckets: Vec<_> = histogram
        .buckets()
        .map(|(bound, count)| (bound.map_or(f64::INFINITY, seconds), count))
        .collect();
    let sum = seconds(histogram.sum_micros());
    encoder.encode_histogram::<NoLabelSet>(sum, histogram.count(), &buckets, None)
}

/// Converts microseconds to seconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of 285 years are exact"
)]
pub fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
