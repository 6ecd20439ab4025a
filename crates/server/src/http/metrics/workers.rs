//! Metrics of the workers, as their shards published them within the last second.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use watersmeet_engine::egress::RUN_BOUNDS;
use watersmeet_engine::transport::discard::DiscardReason;
use watersmeet_engine::worker::{MediaKindMetrics, TrafficCounters, WorkerMetrics};
use watersmeet_net::packet_egress::FallbackReason;

use super::encoder::{FamilyEncoder, seconds};
use crate::heartbeat::Heartbeat;
use crate::process_metrics::{self, CpuTime};
use crate::shard_metrics::{ShardMetrics, SharedMetrics};

/// Collects the metrics of the workers.
#[derive(Debug)]
pub struct WorkerCollector(Vec<Worker>);

/// Metrics of one worker.
#[derive(Debug)]
struct Worker {
    /// Number of the worker, as label.
    name: String,
    /// Whether its shard responds.
    is_up: bool,
    /// Metrics published last.
    metrics: ShardMetrics,
    /// CPU time of its thread.
    cpu: CpuTime,
}

/// Direction of media, with the traffic counters of audio and video.
type Direction = (
    &'static str,
    fn(&WorkerMetrics) -> [(&'static str, TrafficCounters); 2],
);

/// Both directions of media.
const DIRECTIONS: [Direction; 2] = [("in", received), ("out", sent)];

/// A counter by direction and kind of media: name, help and value.
type TrafficMetric = (&'static str, &'static str, fn(&TrafficCounters) -> u64);

/// Counters of media packets.
const MEDIA: [TrafficMetric; 4] = [
    (
        "rtp_packets",
        "Media packets, without retransmissions",
        |counters| counters.packets,
    ),
    (
        "rtp_bytes",
        "Bytes of media packets, before encryption",
        |counters| counters.bytes,
    ),
    (
        "rtp_packets_lost",
        "Media packets missing when an RTCP report was due",
        |counters| counters.lost,
    ),
    ("rtx_packets", "Retransmitted media packets", |counters| {
        counters.retransmitted
    }),
];

/// Counters of feedback messages, which travel opposite to their media.
const FEEDBACK: [TrafficMetric; 4] = [
    ("nack_messages", "NACK messages", |counters| counters.nacks),
    (
        "nack_packets",
        "Packets requested by NACK messages",
        |counters| counters.nacked_packets,
    ),
    (
        "pli_messages",
        "Picture loss indications (PLI)",
        |counters| counters.plis,
    ),
    ("fir_messages", "Full intra requests (FIR)", |counters| {
        counters.firs
    }),
];

/// A counter of a worker: name, help and value.
type WorkerCounter = (&'static str, &'static str, fn(&ShardMetrics) -> u64);

/// Counters of each worker.
const WORKER_COUNTERS: [WorkerCounter; 12] = [
    (
        "rtp_packets_repaired",
        "Lost media packets recovered by retransmission",
        |it| it.worker.totals.repaired,
    ),
    (
        "rtp_redundant_packets",
        "Audio packets sent with the payloads of earlier ones",
        |it| it.worker.totals.redundant_packets_sent,
    ),
    (
        "retransmissions_refused",
        "Requested retransmissions above the budget of their transport",
        |it| it.worker.totals.retransmissions_refused,
    ),
    ("rtx_bytes_sent", "Bytes of retransmissions sent", |it| {
        it.worker.totals.rtx_bytes_sent
    }),
    (
        "rtp_padding_bytes",
        "Bytes of padding sent to make packets equally long",
        |it| it.worker.totals.padding_bytes_sent,
    ),
    (
        "audio_packets_omitted",
        "Audio packets not forwarded because others in the room are louder (top_n_audio)",
        |it| it.worker.totals.voices_omitted,
    ),
    (
        "runs_dropped",
        "Runs of datagrams that the kernel refused or had no room for",
        |it| it.traffic.runs_dropped,
    ),
    ("packet_frames", "Datagrams sent by packet egress", |it| {
        it.traffic.packets.frames
    }),
    (
        "packet_frames_dropped",
        "Datagrams of packet egress dropped because the ring of the device was full",
        |it| it.traffic.packets.dropped,
    ),
    (
        "packet_ring_failures",
        "Rings of packet egress that could not be opened or failed",
        |it| it.traffic.packets.ring_failures,
    ),
    (
        "cross_worker_messages_dropped",
        "Messages for other workers dropped because their queue was full",
        |it| it.messages_dropped + it.worker.totals.shard_messages_dropped,
    ),
    (
        "worker_failures",
        "Workers that panicked and were replaced",
        |it| it.failures,
    ),
];

/// A counter of a worker by direction: name, help, and values received and sent.
type DirectionCounter = (&'static str, &'static str, fn(&ShardMetrics) -> [u64; 2]);

/// Counters of each worker by direction.
const DIRECTION_COUNTERS: [DirectionCounter; 5] = [
    (
        "transport_bytes",
        "Bytes of STUN, DTLS, RTP and RTCP on transports",
        |it| [it.worker.totals.bytes_received, it.worker.totals.bytes_sent],
    ),
    ("datagrams", "UDP datagrams", |it| {
        [it.traffic.datagrams_received, it.traffic.datagrams_sent]
    }),
    (
        "datagram_runs",
        "Runs of UDP datagrams, each one pass through the kernel",
        |it| [it.traffic.runs_received, it.traffic.runs_sent],
    ),
    (
        "cross_worker_packets",
        "Media packets forwarded between workers, counted for each receiving worker",
        |it| {
            let totals = &it.worker.totals;
            [totals.shard_packets_received, totals.shard_packets_sent]
        },
    ),
    ("tcp_frames", "Frames on TCP connections", |it| {
        [it.traffic.frames_received, it.traffic.frames_sent]
    }),
];

impl WorkerCollector {
    /// Collects the current values.
    pub fn collect(shards: &[SharedMetrics], heartbeats: &[Heartbeat]) -> Self {
        let is_hung = |shard| {
            heartbeats
                .iter()
                .any(|it| it.shard() == shard && it.is_hung())
        };
        let workers = shards.iter().map(|shard| {
            let metrics = shard.read();
            Worker {
                name: shard.shard().to_string(),
                is_up: !is_hung(shard.shard()),
                cpu: metrics
                    .thread
                    .and_then(process_metrics::thread_cpu_time)
                    .unwrap_or_default(),
                metrics,
            }
        });
        Self(workers.collect())
    }

    /// Writes the states of workers and transports and the counts of objects.
    fn write_states(&self, families: &mut FamilyEncoder<'_>) -> fmt::Result {
        let mut family =
            families.gauges("worker_up", "Whether the shard of the worker responds")?;
        for worker in &self.0 {
            family.gauge(&[("worker", &*worker.name)], u64::from(worker.is_up))?;
        }
        let mut family =
            families.gauges("routers", "Routers: rooms that have media on the worker")?;
        for worker in &self.0 {
            family.gauge(&[("worker", &*worker.name)], worker.metrics.worker.routers)?;
        }
        let mut family = families.gauges("transports", "Transports by state")?;
        for worker in &self.0 {
            let counts = worker.metrics.worker.transports;
            let states = [
                ("new", counts.new),
                ("connecting", counts.connecting),
                ("connected", counts.connected),
                ("disconnected", counts.disconnected),
                ("failed", counts.failed),
            ];
            for (state, count) in states {
                family.gauge(&[("worker", &*worker.name), ("state", state)], count)?;
            }
        }
        self.write_kinds(families, "producers", "Producers", |it| it.producers)?;
        self.write_kinds(families, "consumers", "Consumers", |it| it.consumers)
    }

    fn write_kinds(
        &self,
        families: &mut FamilyEncoder<'_>,
        name: &str,
        help: &str,
        count: fn(&MediaKindMetrics) -> u64,
    ) -> fmt::Result {
        let mut family = families.gauges(name, help)?;
        for worker in &self.0 {
            for (kind, counts) in kinds(&worker.metrics.worker) {
                family.gauge(&[("worker", &*worker.name), ("kind", kind)], count(&counts))?;
            }
        }
        Ok(())
    }

    /// Writes counters by worker, kind and direction.
    fn write_traffic(
        &self,
        families: &mut FamilyEncoder<'_>,
        metrics: &[TrafficMetric],
        is_feedback: bool,
    ) -> fmt::Result {
        for (name, help, count) in metrics {
            let mut family = families.counters(name, help)?;
            for worker in &self.0 {
                for (direction, counters_of) in DIRECTIONS {
                    let direction = match (direction, is_feedback) {
                        ("in", true) => "out",
                        ("out", true) => "in",
                        (direction, _) => direction,
                    };
                    for (kind, counters) in counters_of(&worker.metrics.worker) {
                        let name = &*worker.name;
                        let labels = [("worker", name), ("kind", kind), ("direction", direction)];
                        family.counter(&labels, count(&counters))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn write_counters(&self, families: &mut FamilyEncoder<'_>) -> fmt::Result {
        for (name, help, count) in WORKER_COUNTERS {
            let mut family = families.counters(name, help)?;
            for worker in &self.0 {
                family.counter(&[("worker", &*worker.name)], count(&worker.metrics))?;
            }
        }
        for (name, help, counts) in DIRECTION_COUNTERS {
            let mut family = families.counters(name, help)?;
            for worker in &self.0 {
                let [received, sent] = counts(&worker.metrics);
                for (direction, count) in [("in", received), ("out", sent)] {
                    family.counter(
                        &[("worker", &*worker.name), ("direction", direction)],
                        count,
                    )?;
                }
            }
        }
        Ok(())
    }

    fn write_discards(&self, families: &mut FamilyEncoder<'_>) -> fmt::Result {
        let help = "Packets discarded, by reason";
        let mut family = families.counters("packets_discarded", help)?;
        for worker in &self.0 {
            let totals = &worker.metrics.worker.totals;
            let reasons = DiscardReason::ALL.map(DiscardReason::name);
            let counts = reasons.into_iter().zip(totals.discards);
            let rest = [
                ("unrouted", totals.unrouted),
                ("unsupported-codec", totals.unsupported_codec),
            ];
            for (reason, count) in counts.chain(rest) {
                family.counter(&[("worker", &*worker.name), ("reason", reason)], count)?;
            }
        }
        Ok(())
    }

    /// Writes metrics of the coalescing window and of runs.
    fn write_egress(&self, families: &mut FamilyEncoder<'_>) -> fmt::Result {
        let help = "Coalescing window: how long media is collected before it is sent";
        let mut family = families.gauges("media_window_seconds", help)?;
        for worker in &self.0 {
            let window = worker.metrics.worker.egress.window;
            family.gauge_seconds(&[("worker", &*worker.name)], window.as_secs_f64())?;
        }
        let help = "Media datagrams in a run that passed through the kernel together";
        let mut family = families.histograms("media_run_segments", help)?;
        for worker in &self.0 {
            let runs = worker.metrics.worker.egress.runs;
            let counts = RUN_BOUNDS.into_iter().zip(runs.runs);
            family.size_histogram(&[("worker", &*worker.name)], counts, runs.datagrams)?;
        }
        Ok(())
    }

    fn write_fallbacks(&self, families: &mut FamilyEncoder<'_>) -> fmt::Result {
        let help = "Datagrams sent by UDP although packet egress is enabled, by reason";
        let mut family = families.counters("packet_fallbacks", help)?;
        for worker in &self.0 {
            let counts = worker.metrics.traffic.packets.fallbacks;
            for (reason, count) in FallbackReason::ALL
                .map(FallbackReason::name)
                .into_iter()
                .zip(counts)
            {
                family.counter(&[("worker", &*worker.name), ("reason", reason)], count)?;
            }
        }
        Ok(())
    }

    /// Writes jitter, round-trip times, forwarding times and CPU times.
    fn write_times(&self, families: &mut FamilyEncoder<'_>) -> fmt::Result {
        let help = "Mean jitter of received streams";
        let mut family = families.gauges("jitter_seconds", help)?;
        for worker in &self.0 {
            for (kind, counts) in kinds(&worker.metrics.worker) {
                let mean = counts
                    .jitter_micros
                    .checked_div(counts.streams)
                    .unwrap_or(0);
                let labels = [("worker", &*worker.name), ("kind", kind)];
                family.gauge_seconds(&labels, seconds(mean))?;
            }
        }
        let help = "Mean round-trip time to receiving peers";
        let mut family = families.gauges("round_trip_seconds", help)?;
        for worker in &self.0 {
            let metrics = &worker.metrics.worker;
            let mean = metrics.round_trips_micros.checked_div(metrics.round_trips);
            family.gauge_seconds(&[("worker", &*worker.name)], seconds(mean.unwrap_or(0)))?;
        }
        let help = "Time from the arrival of a batch until the packets it caused were sent";
        let mut family = families.histograms("forward_duration_seconds", help)?;
        for worker in &self.0 {
            family.duration_histogram(&[("worker", &*worker.name)], &worker.metrics.forwarding)?;
        }
        let mut family = families.counters("worker_cpu_seconds", "CPU time of shard threads")?;
        for worker in &self.0 {
            for (mode, time) in [("user", worker.cpu.user), ("system", worker.cpu.system)] {
                let labels = [("worker", &*worker.name), ("mode", mode)];
                family.counter_seconds(&labels, time.as_secs_f64())?;
            }
        }
        Ok(())
    }
}

impl Collector for WorkerCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = FamilyEncoder::new(encoder);
        self.write_states(&mut families)?;
        self.write_traffic(&mut families, &MEDIA, false)?;
        self.write_traffic(&mut families, &FEEDBACK, true)?;
        self.write_counters(&mut families)?;
        self.write_discards(&mut families)?;
        self.write_egress(&mut families)?;
        self.write_fallbacks(&mut families)?;
        self.write_times(&mut families)
    }
}

fn received(metrics: &WorkerMetrics) -> [(&'static str, TrafficCounters); 2] {
    [
        ("audio", metrics.totals.audio_in),
        ("video", metrics.totals.video_in),
    ]
}

fn sent(metrics: &WorkerMetrics) -> [(&'static str, TrafficCounters); 2] {
    [
        ("audio", metrics.totals.audio_out),
        ("video", metrics.totals.video_out),
    ]
}

const fn kinds(metrics: &WorkerMetrics) -> [(&'static str, MediaKindMetrics); 2] {
    [("audio", metrics.audio), ("video", metrics.video)]
}
