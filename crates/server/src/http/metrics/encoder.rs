//! Writes figures down, one family after the other.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use watersmeet_wire::units::Histogram;

/// What is written to.
pub struct FamilyEncoder<'a>(DescriptorEncoder<'a>);

/// One family: figures of one name that differ in their labels.
pub struct Family<'a>(MetricEncoder<'a>);

impl<'a> FamilyEncoder<'a> {
    /// Begins with nothing.
    pub const fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self(encoder)
    }

    /// A family of what only grows. The name ends in `_total` when it is read.
    pub fn counters<'s>(&'s mut self, name: &'s str, help: &str) -> Result<Family<'s>, fmt::Error> {
        self.family(name, help, MetricType::Counter)
    }

    /// A family of what rises and falls.
    pub fn gauges<'s>(&'s mut self, name: &'s str, help: &str) -> Result<Family<'s>, fmt::Error> {
        self.family(name, help, MetricType::Gauge)
    }

    /// A family of durations.
    pub fn histograms<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
    ) -> Result<Family<'s>, fmt::Error> {
        self.family(name, help, MetricType::Histogram)
    }

    /// One figure that only grows.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut family = self.counters(name, help)?;
        family.0.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// One figure that rises and falls.
    pub fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.gauges(name, help)?.0.encode_gauge(&value)
    }

    /// The durations of one thing.
    pub fn histogram<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        histogram: &Histogram<N>,
    ) -> fmt::Result {
        encode(&mut self.histograms(name, help)?.0, histogram)
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
    /// A figure that only grows.
    pub fn count(&mut self, labels: &impl EncodeLabelSet, value: u64) -> fmt::Result {
        let mut encoder = self.0.encode_family(labels)?;
        encoder.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// A figure that only grows, in fractions.
    pub fn count_seconds(&mut self, labels: &impl EncodeLabelSet, value: f64) -> fmt::Result {
        let mut encoder = self.0.encode_family(labels)?;
        encoder.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// A figure that rises and falls.
    pub fn set(&mut self, labels: &impl EncodeLabelSet, value: u64) -> fmt::Result {
        self.0.encode_family(labels)?.encode_gauge(&value)
    }

    /// A figure that rises and falls, in fractions.
    pub fn set_seconds(&mut self, labels: &impl EncodeLabelSet, value: f64) -> fmt::Result {
        self.0.encode_family(labels)?.encode_gauge(&value)
    }

    /// Durations.
    pub fn spread<const N: usize>(
        &mut self,
        labels: &impl EncodeLabelSet,
        histogram: &Histogram<N>,
    ) -> fmt::Result {
        encode(&mut self.0.encode_family(labels)?, histogram)
    }
}

impl Family<'_> {
    /// Sizes: how many were at most each bound and above the one before, and all of them together.
    pub fn sizes(
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
        #[expect(clippy::cast_precision_loss, reason = "packets of ages are exact")]
        let sum = sum as f64;
        let mut encoder = self.0.encode_family(labels)?;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }
}

fn encode<const N: usize>(
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

/// Microseconds as seconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of 285 years are exact"
)]
pub fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
