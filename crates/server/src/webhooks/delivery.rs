//! Delivers the events of one queue in their order, each until the receiver has confirmed it. Knows nothing of
//! HTTP; decides when an event is sent again, and when it is given up.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::rand_core::Rng as _;
use tokio::time::sleep;
use watersmeet_wire::units::Rng;

use super::queue::{EventQueue, QueuedEvent};

/// Delay after the first failure. It doubles with each further one.
const RETRY_DELAY_MIN: Duration = Duration::from_secs(1);

/// Longest delay: a receiver that is back gets its events within a minute.
const RETRY_DELAY_MAX: Duration = Duration::from_mins(1);

/// Longest delay that a receiver may ask for by `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(10);

/// Requests for an event that the receiver refuses, after which it is given up. More than one, since proxies
/// refuse for the moments in which a receiver is replaced.
const REFUSALS_MAX: u32 = 5;

/// Age at which an event that cannot be delivered is given up.
const EVENT_AGE_MAX: Duration = Duration::from_hours(24);

/// Result of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has confirmed the event.
    Delivered,
    /// The receiver does not want the event: a status of 300 to 499 but 408, 425 and 429.
    Refused(String),
    /// The receiver cannot be reached or has a problem.
    Unavailable {
        /// Why, for the log.
        reason: String,
        /// Delay that the receiver asks for.
        retry_after: Option<Duration>,
    },
}

/// Sends events to a receiver.
pub trait EventSender {
    /// Sends the body of a request, and returns what came of it. Takes a bounded time.
    fn send(&self, body: String) -> impl Future<Output = Outcome> + Send;
}

/// Delivers events until the queue is closed. Then each remaining event is tried once, up to the first failure.
pub struct Delivery<S> {
    /// Number of the webhook in the configuration, for the log.
    number: usize,
    /// Events to deliver.
    queue: Arc<EventQueue>,
    /// Sends the requests.
    sender: S,
    /// Generator of jitter.
    rng: Rng,
    /// Requests that failed since the last success.
    failures: u32,
}

impl<S: EventSender> Delivery<S> {
    /// Creates the delivery of a queue.
    pub const fn new(number: usize, queue: Arc<EventQueue>, sender: S, rng: Rng) -> Self {
        Self {
            number,
            queue,
            sender,
            rng,
            failures: 0,
        }
    }

    /// Delivers events until the queue is closed and empty, or closed and the receiver does not answer.
    pub async fn run(mut self) {
        while let Some(event) = self.queue.next().await {
            if !self.deliver(&event).await {
                let left = self.queue.metrics().events;
                let number = self.number;
                tracing::warn!(
                    webhook = number,
                    left,
                    "webhook unavailable: events lost at the end"
                );
                return;
            }
        }
    }

    /// Sends an event until it is confirmed or given up. Returns false when the queue was closed before that.
    async fn deliver(&mut self, event: &QueuedEvent) -> bool {
        let mut refusals = 0;
        loop {
            let told = self.queue.untold();
            let outcome = self.sender.send(with_dropped(&event.json, told)).await;
            let (reason, retry_after) = match outcome {
                Outcome::Delivered => {
                    self.queue.record_delivery(told);
                    self.record_success();
                    return true;
                }
                Outcome::Refused(reason) => {
                    refusals += 1;
                    (reason, None)
                }
                Outcome::Unavailable {
                    reason,
                    retry_after,
                } => (reason, retry_after),
            };
            self.record_failure(&reason);
            if refusals >= REFUSALS_MAX || event.queued_at.elapsed() >= EVENT_AGE_MAX {
                let number = self.number;
                tracing::warn!(webhook = number, reason, "event given up by a webhook");
                self.queue.give_up();
                return true;
            }
            if self.queue.is_closed() {
                return false;
            }
            let delay = self.retry_delay().max(retry_after.unwrap_or_default());
            tokio::select! {
                () = sleep(delay.min(RETRY_AFTER_MAX)) => {}
                () = self.queue.closed() => {}
            }
        }
    }

    fn record_success(&mut self) {
        if self.failures > 0 {
            let (webhook, failures) = (self.number, self.failures);
            tracing::info!(webhook, failures, "webhook reached again");
        }
        self.failures = 0;
    }

    /// Counts a failure. The first one is logged for operators, and the hundredth, and so on.
    fn record_failure(&mut self, reason: &str) {
        self.queue.record_failure();
        let webhook = self.number;
        match self.failures % 100 {
            0 => tracing::warn!(webhook, reason, "webhook failed: its events wait"),
            _ => tracing::debug!(webhook, reason, "webhook failed"),
        }
        self.failures = self.failures.saturating_add(1);
    }

    /// Returns the delay before the next request: exponential, with the upper half at random, so that webhooks
    /// of several servers do not come at once.
    fn retry_delay(&mut self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        let full = RETRY_DELAY_MIN * 2_u32.pow(doublings);
        let half = full.min(RETRY_DELAY_MAX) / 2;
        let random = f64::from(self.rng.next_u32()) / f64::from(u32::MAX);
        half + half.mul_f64(random)
    }
}

/// Returns a JSON object with the number of dropped events, unless it is zero.
fn with_dropped(json: &str, dropped: u64) -> String {
    match (dropped, json.strip_suffix('}')) {
        (0, _) | (_, None) => json.to_owned(),
        (_, Some(fields)) => {
            // The field has 32 bits.
            let dropped = dropped.min(i32::MAX.unsigned_abs().into());
            format!("{fields},\"numDropped\":{dropped}}}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use rand_chacha::rand_core::SeedableRng;
    use tokio::time::Instant;

    use super::*;
    use crate::webhooks::queue::EVENTS_MAX;

    /// A receiver that is down until a time, then answers as scripted, and delivered what it confirmed.
    #[derive(Clone, Default)]
    struct Receiver {
        down_until: Option<Instant>,
        answers: Arc<Mutex<VecDeque<Outcome>>>,
        confirmed: Arc<Mutex<Vec<String>>>,
        requests: Arc<Mutex<Vec<Instant>>>,
    }

    fn unavailable() -> Outcome {
        Outcome::Unavailable {
            reason: "down".to_owned(),
            retry_after: None,
        }
    }

    impl EventSender for Receiver {
        async fn send(&self, body: String) -> Outcome {
            self.requests.lock().unwrap().push(Instant::now());
            sleep(Duration::from_millis(5)).await;
            if self.down_until.is_some_and(|at| Instant::now() < at) {
                return unavailable();
            }
            let scripted = self.answers.lock().unwrap().pop_front();
            let outcome = scripted.unwrap_or(Outcome::Delivered);
            if outcome == Outcome::Delivered {
                self.confirmed.lock().unwrap().push(body);
            }
            outcome
        }
    }

    impl Receiver {
        fn start(&self) -> (Arc<EventQueue>, tokio::task::JoinHandle<()>) {
            let queue = Arc::new(EventQueue::default());
            let rng = Rng::seed_from_u64(1);
            let delivery = Delivery::new(1, Arc::clone(&queue), self.clone(), rng);
            (queue, tokio::spawn(delivery.run()))
        }

        fn confirmed(&self) -> Vec<String> {
            self.confirmed.lock().unwrap().clone()
        }
    }

    /// Waits until no event is left.
    async fn drained(queue: &EventQueue) {
        while queue.metrics().events > 0 {
            sleep(Duration::from_millis(100)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn receiver_that_is_down_for_ten_minutes_gets_all_events_in_order() {
        let outage = Duration::from_mins(10);
        let receiver = Receiver {
            down_until: Some(Instant::now() + outage),
            ..Receiver::default()
        };
        let (queue, _task) = receiver.start();
        let mut sent = Vec::new();
        for n in 0..600 {
            let event = format!("{{\"n\":{n}}}");
            queue.push(event.as_str().into());
            sent.push(event);
            sleep(Duration::from_secs(1)).await;
        }
        drained(&queue).await;
        assert_eq!(receiver.confirmed(), sent);
        let requests = receiver.requests.lock().unwrap();
        let during = requests
            .iter()
            .filter(|at| **at < receiver.down_until.unwrap());
        assert!(during.count() < 30, "{}", requests.len());
        let metrics = queue.metrics();
        assert_eq!((metrics.delivered, metrics.dropped), (600, 0));
        // The next attempt came at most a minute after the receiver was back.
        let back = requests
            .iter()
            .find(|at| **at >= receiver.down_until.unwrap());
        assert!(*back.unwrap() - receiver.down_until.unwrap() <= RETRY_DELAY_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_were_dropped_are_told_with_the_next_one() {
        let receiver = Receiver {
            down_until: Some(Instant::now() + Duration::from_hours(1)),
            ..Receiver::default()
        };
        let (queue, _task) = receiver.start();
        queue.push("{\"n\":\"first\"}".into());
        sleep(Duration::from_secs(1)).await;
        for n in 0..EVENTS_MAX + 3 {
            queue.push(format!("{{\"n\":{n}}}").into());
        }
        drained(&queue).await;
        let confirmed = receiver.confirmed();
        assert_eq!(confirmed.len(), EVENTS_MAX + 1);
        assert_eq!(
            confirmed[..2],
            ["{\"n\":\"first\",\"numDropped\":3}", "{\"n\":3}"]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn refused_events_are_given_up_and_later_ones_follow() {
        let receiver = Receiver::default();
        let refusals = vec![Outcome::Refused("404".to_owned()); REFUSALS_MAX as usize];
        receiver.answers.lock().unwrap().extend(refusals);
        let (queue, _task) = receiver.start();
        queue.push("{\"n\":1}".into());
        queue.push("{\"n\":2}".into());
        drained(&queue).await;
        assert_eq!(receiver.confirmed(), ["{\"n\":2,\"numDropped\":1}"]);
        let metrics = queue.metrics();
        assert_eq!(
            (metrics.dropped, metrics.failures),
            (1, REFUSALS_MAX.into())
        );
    }

    #[tokio::test(start_paused = true)]
    async fn receiver_decides_about_the_delay_within_bounds() {
        let receiver = Receiver::default();
        for retry_after in [30, 1_000_000] {
            receiver
                .answers
                .lock()
                .unwrap()
                .push_back(Outcome::Unavailable {
                    reason: "429".to_owned(),
                    retry_after: Some(Duration::from_secs(retry_after)),
                });
        }
        let (queue, _task) = receiver.start();
        queue.push("{}".into());
        drained(&queue).await;
        let requests = receiver.requests.lock().unwrap();
        let delays: Vec<_> = requests
            .windows(2)
            .map(|it| (it[1] - it[0]).as_secs())
            .collect();
        assert_eq!(delays, [30, RETRY_AFTER_MAX.as_secs()]);
    }

    #[tokio::test(start_paused = true)]
    async fn events_older_than_a_day_are_given_up() {
        let receiver = Receiver {
            down_until: Some(Instant::now() + EVENT_AGE_MAX + Duration::from_hours(1)),
            ..Receiver::default()
        };
        let (queue, _task) = receiver.start();
        queue.push("{\"n\":1}".into());
        sleep(EVENT_AGE_MAX + Duration::from_mins(30)).await;
        queue.push("{\"n\":2}".into());
        drained(&queue).await;
        assert_eq!(receiver.confirmed(), ["{\"n\":2,\"numDropped\":1}"]);
    }

    #[tokio::test(start_paused = true)]
    async fn closed_queue_is_emptied_without_waiting_for_the_receiver() {
        let receiver = Receiver::default();
        receiver.answers.lock().unwrap().push_back(unavailable());
        let (queue, task) = receiver.start();
        queue.push("{\"n\":1}".into());
        sleep(Duration::from_millis(50)).await;
        queue.push("{\"n\":2}".into());
        let closed_at = Instant::now();
        queue.close();
        task.await.unwrap();
        assert_eq!(receiver.confirmed(), ["{\"n\":1}", "{\"n\":2}"]);
        assert!(closed_at.elapsed() < Duration::from_millis(100));

        let down = Receiver {
            down_until: Some(Instant::now() + Duration::from_hours(1)),
            ..Receiver::default()
        };
        let (queue, task) = down.start();
        for n in 0..10 {
            queue.push(n.to_string().into());
        }
        queue.close();
        task.await.unwrap();
        assert_eq!(queue.metrics().failures, 1);
    }
}
