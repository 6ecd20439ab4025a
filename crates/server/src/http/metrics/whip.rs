//! Metrics of publishers that use WHIP. Their requests are counted with all others.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::super::site::SiteContext;
use super::super::whip::sessions::WhipSessions;
use super::encoder::FamilyEncoder;

/// Collects the metrics of WHIP.
#[derive(Debug)]
pub struct WhipCollector {
    /// The sessions.
    sessions: Arc<WhipSessions>,
}

impl WhipCollector {
    /// Takes the sessions of a site.
    pub fn new(site: &SiteContext) -> Self {
        Self {
            sessions: Arc::clone(&site.whip),
        }
    }
}

impl Collector for WhipCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = FamilyEncoder::new(encoder);
        families.gauge(
            "whip_sessions",
            "Publishers that use WHIP",
            u64::try_from(self.sessions.len()).unwrap_or(u64::MAX),
        )?;
        families.counter(
            "whip_sessions_opened",
            "Publications by WHIP that were requested, refused ones included",
            self.sessions.opened(),
        )
    }
}
