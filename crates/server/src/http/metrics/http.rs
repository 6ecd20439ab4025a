//! Metrics of HTTP: rate-limited actions and failed authentications. Requests are counted by
//! `request_metrics`.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::super::rate_limit::RateLimitedAction;
use super::super::site::SiteContext;
use super::encoder::FamilyEncoder;

/// Collects the metrics of HTTP.
#[derive(Debug)]
pub struct HttpCollector {
    /// Refusals by action.
    refused: Vec<(&'static str, u64)>,
    /// Invalid tokens and API keys.
    auth_failures: u64,
}

impl HttpCollector {
    /// Collects the current values.
    pub fn collect(site: &SiteContext) -> Self {
        let refused =
            RateLimitedAction::ALL.map(|action| (action.name(), site.rates.refused(action)));
        Self {
            refused: refused.to_vec(),
            auth_failures: site.request_metrics.auth_failures(),
        }
    }
}

impl Collector for HttpCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = FamilyEncoder::new(encoder);
        families.counter(
            "auth_failures",
            "Invalid tokens and API keys sent over HTTP",
            self.auth_failures,
        )?;
        let mut limited = families.counters(
            "rate_limited",
            "Actions refused because a client network exceeded its rate limit",
        )?;
        for (action, count) in &self.refused {
            limited.counter(&[("deed", *action)], *count)?;
        }
        Ok(())
    }
}
