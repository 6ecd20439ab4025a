//! Cached counts of the conference for pages that anybody may read, and the pages made from them. The
//! conference is one task and has to visit every room to count, and a page names every room, so that
//! strangers must not decide how often that happens.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::Mutex;
use tokio::time::Instant;
use watersmeet_conference::ConferenceGauges;
use watersmeet_conference::conference::{
    AdminRequest, AdminResponse, ROOMS_LISTED_MAX, RoomSummary,
};

use crate::hub::HubHandle;

/// Age at which counts are read anew.
const AGE_MAX: Duration = Duration::from_secs(1);

/// Counts of the conference at one time.
#[derive(Debug)]
pub struct StatsSnapshot {
    /// Totals of all rooms.
    pub gauges: ConferenceGauges,
    /// The first rooms by name.
    pub rooms: Vec<RoomSummary>,
    /// Page for operators.
    operator_page: OnceLock<Bytes>,
    /// Page for everybody else.
    public_page: OnceLock<Bytes>,
}

/// The latest counts, shared by all requests.
#[derive(Debug, Default)]
pub struct StatsCache {
    /// Counts with the time at which they were read. Locked while they are read, so that requests
    /// which come meanwhile wait for the same answer.
    latest: Mutex<Option<(Instant, Arc<StatsSnapshot>)>>,
}

impl StatsCache {
    /// Returns the latest counts, at most a second old; `None` when the conference does not
    /// respond.
    pub async fn read(&self, hub: &HubHandle) -> Option<Arc<StatsSnapshot>> {
        let mut latest = self.latest.lock().await;
        if let Some((read_at, snapshot)) = &*latest
            && read_at.elapsed() < AGE_MAX
        {
            return Some(Arc::clone(snapshot));
        }
        let snapshot = Arc::new(StatsSnapshot::read(hub).await?);
        *latest = Some((Instant::now(), Arc::clone(&snapshot)));
        Some(snapshot)
    }
}

impl StatsSnapshot {
    fn new(gauges: ConferenceGauges, rooms: Vec<RoomSummary>) -> Self {
        Self {
            gauges,
            rooms,
            operator_page: OnceLock::new(),
            public_page: OnceLock::new(),
        }
    }

    /// Returns the page for operators or for everybody else, which is rendered once.
    pub fn page(&self, is_operator: bool, render: impl FnOnce() -> Bytes) -> Bytes {
        let page = match is_operator {
            true => &self.operator_page,
            false => &self.public_page,
        };
        page.get_or_init(render).clone()
    }

    /// Reads the counts from the conference.
    async fn read(hub: &HubHandle) -> Option<Self> {
        let gauges = hub.gauges().await?;
        let request = AdminRequest::Rooms {
            after: None,
            limit: ROOMS_LISTED_MAX,
        };
        match hub.admin_request(request).await? {
            Ok(AdminResponse::Rooms(rooms)) => Some(Self::new(gauges, rooms)),
            Ok(_) | Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_for_operators_and_others_are_rendered_once_each() {
        let snapshot = StatsSnapshot::new(ConferenceGauges::default(), Vec::new());
        let page = |is_operator, text: &'static str| {
            let page = snapshot.page(is_operator, || Bytes::from_static(text.as_bytes()));
            String::from_utf8(page.to_vec()).unwrap()
        };
        assert_eq!(page(false, "public"), "public");
        assert_eq!(page(true, "named"), "named");
        assert_eq!(page(false, "public again"), "public");
        assert_eq!(page(true, "named again"), "named");
    }
}
