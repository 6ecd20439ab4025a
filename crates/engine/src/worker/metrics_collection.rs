//! Collects the metrics of a worker from its objects.

use super::Worker;
use super::metrics::{EgressMetrics, WorkerMetrics};
use crate::transport::discard::DiscardReason;

impl Worker {
    /// Returns totals and current states. Visits every object of the worker.
    pub fn metrics(&self) -> WorkerMetrics {
        let mut metrics = WorkerMetrics {
            totals: self.closed_totals,
            routers: self.routers.len() as u64,
            egress: EgressMetrics {
                window: self.send_queue.window(),
                runs: self.egress.run_lengths(),
            },
            ..WorkerMetrics::default()
        };
        let refused = self.network_limit.refused();
        metrics
            .totals
            .record_discards(DiscardReason::Overloaded, refused);
        for entry in self.transports.values() {
            metrics.totals.add_transport(entry);
            *metrics.transports.state_of(&entry.transport) += 1;
        }
        for producer in self.producers.values() {
            if !producer.is_local() {
                continue;
            }
            metrics.totals.add_producer(producer);
            let counts = metrics.kind(producer.kind);
            counts.producers += 1;
            for stream in producer.streams.iter().filter(|it| it.ssrc.is_some()) {
                counts.streams += 1;
                counts.jitter_micros += stream.jitter_micros();
            }
        }
        for consumer in self.consumers.values() {
            metrics.totals.add_consumer(consumer);
            metrics.kind(consumer.kind).consumers += 1;
            if let Some(rtt) = consumer.latest_rtt() {
                metrics.round_trips += 1;
                metrics.round_trips_micros += u64::try_from(rtt.as_micros()).unwrap_or(0);
            }
        }
        metrics
    }
}
