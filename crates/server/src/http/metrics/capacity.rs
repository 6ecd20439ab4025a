//! The metric of how full the server is, with its parts.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::encoder::FamilyEncoder;
use crate::capacity::Capacity;

/// Writes how full the server is.
#[derive(Debug)]
pub struct CapacityCollector(pub Capacity);

impl Collector for CapacityCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = FamilyEncoder::new(encoder);
        let help = "How full the server is: the largest of its parts, where 1 is full";
        families.ratio("capacity_used_ratio", help, self.0.used)?;
        let help = "How much of each part of the capacity is used";
        let mut parts = families.gauges("capacity_part_ratio", help)?;
        for (part, share) in self.0.parts {
            parts.gauge_ratio(&[("part", part)], share)?;
        }
        Ok(())
    }
}
