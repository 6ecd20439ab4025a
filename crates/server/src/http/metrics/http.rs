//! Figures of the front door: who was held up, and whose credentials were not valid. The requests
//! themselves are counted in `instruments`.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::super::SiteContext;
use super::super::rate_limit::RateLimitedAction;
use super::encoder::FamilyEncoder;

/// What the door counts.
#[derive(Debug)]
pub struct HttpCollector {
    /// How many of each deed were refused.
    refused: Vec<(&'static str, u64)>,
    /// Tokens and keys that were not valid.
    auth_failures: u64,
}

impl HttpCollector {
    /// The figures at this moment.
    pub fn read(site: &SiteContext) -> Self {
        let refused = RateLimitedAction::ALL.map(|deed| (deed.name(), site.rates.refused(deed)));
        Self {
            refused: refused.to_vec(),
            auth_failures: site.instruments.auth_failures(),
        }
    }
}

impl Collector for HttpCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = FamilyEncoder::new(encoder);
        page.counter(
            "auth_failures",
            "Tokens and keys shown over HTTP that were not valid",
            self.auth_failures,
        )?;
        let mut limited = page.counters(
            "rate_limited",
            "What was refused because one network did it too often",
        )?;
        for (deed, count) in &self.refused {
            limited.count(&[("deed", *deed)], *count)?;
        }
        Ok(())
    }
}
