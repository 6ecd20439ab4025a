//! Cached counts of the conference for pages that anybody may read. The conference is one task and
//! has to visit every room to count, so that strangers must not decide how often it does.

use std::sync::Arc;
use std::time::Duration;

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
    /// Reads the counts from the conference.
    async fn read(hub: &HubHandle) -> Option<Self> {
        let gauges = hub.gauges().await?;
        let request = AdminRequest::Rooms {
            after: None,
            limit: ROOMS_LISTED_MAX,
        };
        match hub.admin_request(request).await? {
            Ok(AdminResponse::Rooms(rooms)) => Some(Self { gauges, rooms }),
            Ok(_) | Err(_) => None,
        }
    }
}
