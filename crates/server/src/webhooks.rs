//! Webhooks: tells programs of operators what happens in rooms, in the form of LiveKit's webhooks
//! (docs/decisions/0051-webhooks.md). Each has a queue and a task of its own. None of them delays another one,
//! the conference or media.

mod delivery;
mod error;
mod event;
mod http_sender;
mod queue;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use rand_chacha::rand_core::Rng as _;
use tokio::task::JoinSet;
use tokio::time::timeout;
use watersmeet_wire::units::Rng;

pub use self::error::WebhookError;
pub use self::queue::{EventQueue, QueueMetrics};

use self::delivery::Delivery;
use self::http_sender::HttpSender;
use crate::clock::Clock;
use crate::config::WebhookConfig;
use crate::room_events::{RoomEventReceiver, RoomEventSender};

/// Time limit for delivering what is left when the program ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The webhooks of the program.
#[derive(Debug, Default)]
pub struct Webhooks {
    /// Queues, in the order of the configuration.
    queues: Vec<Arc<EventQueue>>,
    /// Tasks that fill and empty them.
    tasks: JoinSet<()>,
    /// Number of events that parts of the program have lost.
    events_lost: Arc<AtomicU64>,
}

impl Webhooks {
    /// Starts to deliver events to all webhooks. `rng` makes ids, which must not repeat after a restart.
    ///
    /// # Errors
    /// The number of the webhook that cannot be used, and why.
    pub fn start(
        configured: &[WebhookConfig],
        events: &RoomEventSender,
        clock: Clock,
        mut rng: Rng,
    ) -> Result<Self, (usize, WebhookError)> {
        let mut webhooks = Self {
            events_lost: events.lost(),
            ..Self::default()
        };
        if configured.is_empty() {
            return Ok(webhooks);
        }
        for (number, webhook) in (1..).zip(configured) {
            let sender = HttpSender::new(webhook, clock).map_err(|error| (number, error))?;
            let queue = Arc::<EventQueue>::default();
            let mut jitter = rng.clone();
            jitter.set_stream(number as u64);
            let delivery = Delivery::new(number, Arc::clone(&queue), sender, jitter);
            webhooks.tasks.spawn(delivery.run());
            webhooks.queues.push(queue);
        }
        let queues = webhooks.queues.clone();
        let events = events.subscribe();
        webhooks.tasks.spawn(async move {
            distribute(events, &queues, clock, &mut rng).await;
        });
        Ok(webhooks)
    }

    /// Returns the queues, in the order of the configuration.
    pub fn queues(&self) -> &[Arc<EventQueue>] {
        &self.queues
    }

    /// Returns the counter of events that parts of the program have lost.
    pub fn events_lost(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.events_lost)
    }

    /// Delivers what is left, after the hub has ended, as far as receivers answer within two seconds.
    pub async fn flush(mut self) {
        let delivered = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(FLUSH_TIMEOUT, delivered).await.is_err() {
            let left: u64 = self.queues.iter().map(|it| it.metrics().events).sum();
            tracing::warn!(left, "webhooks too slow: events lost at the end");
        }
    }
}

/// Passes events to the queues of all webhooks, until the hub has ended.
async fn distribute(
    mut events: RoomEventReceiver,
    queues: &[Arc<EventQueue>],
    clock: Clock,
    rng: &mut Rng,
) {
    while let Some(event) = events.recv().await {
        let id = format!("EV_{:016x}{:016x}", rng.next_u64(), rng.next_u64());
        let Some(json) = event::to_json(&event, &id, clock.unix_epoch()) else {
            continue;
        };
        let json: Arc<str> = json.into();
        for queue in queues {
            queue.push(Arc::clone(&json));
        }
    }
    for queue in queues {
        queue.close();
    }
}
