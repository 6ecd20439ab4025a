//! Figures of the media threads, as they laid them down within the last second.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use watersmeet_engine::egress::RUN_BOUNDS;
use watersmeet_engine::transport::discard::DiscardReason;
use watersmeet_engine::worker::{MediaKindMetrics, TrafficCounters, WorkerMetrics};
use watersmeet_net::packet_egress::FallbackReason;

use super::encoder::{FamilyEncoder, seconds};
use crate::process_metrics::{self, Cpu};
use crate::shard::Heartbeat;
use crate::shard_metrics::{ShardMetrics, SharedMetrics};

/// What the workers count.
#[derive(Debug)]
pub struct WorkerCollector(Vec<Worker>);

/// One of them.
#[derive(Debug)]
struct Worker {
    /// Its number.
    name: String,
    /// Whether it answers.
    is_up: bool,
    /// Its last figures.
    reading: ShardMetrics,
    /// What its thread costs.
    cpu: Cpu,
}

/// Which way media goes, with what was counted of it.
type Direction = (
    &'static str,
    fn(&WorkerMetrics) -> [(&'static str, TrafficCounters); 2],
);

/// MediaSockets comes in and goes out. Of what comes in we ask again, so our messages go out.
const DIRECTIONS: [Direction; 2] = [("in", coming), ("out", going)];

/// What is counted of each kind in each direction: name, words, and where it stands.
type Count = (&'static str, &'static str, fn(&TrafficCounters) -> u64);

/// What is counted of media.
const MEDIA: [Count; 4] = [
    (
        "rtp_packets",
        "MediaSockets packets, without retransmissions",
        |flow| flow.packets,
    ),
    (
        "rtp_bytes",
        "Bytes of media packets, before encryption",
        |flow| flow.bytes,
    ),
    (
        "rtp_packets_lost",
        "MediaSockets packets missing when a report was due",
        |flow| flow.lost,
    ),
    ("rtx_packets", "Retransmissions", |flow| flow.retransmitted),
];

/// What is counted of feedback; it goes the other way than the media.
const FEEDBACK: [Count; 4] = [
    (
        "nack_messages",
        "Messages that ask for packets again",
        |flow| flow.nacks,
    ),
    ("nack_packets", "Packets asked for again", |flow| {
        flow.nacked_packets
    }),
    ("pli_messages", "Picture loss indications", |flow| flow.plis),
    ("fir_messages", "Full intra requests", |flow| flow.firs),
];

/// What is counted of each worker as a whole.
type WorkerCount = (&'static str, &'static str, fn(&ShardMetrics) -> u64);

/// What is counted of each worker as a whole.
const WHOLES: [WorkerCount; 9] = [
    (
        "rtp_packets_repaired",
        "Packets that a retransmission brought back",
        |it| it.figures.totals.repaired,
    ),
    ("rtx_bytes_sent", "Bytes of retransmissions sent", |it| {
        it.figures.totals.rtx_bytes_sent
    }),
    (
        "rtp_padding_bytes",
        "Bytes of padding sent, to make packets equally long",
        |it| it.figures.totals.padding_bytes_sent,
    ),
    (
        "runs_dropped",
        "Datagrams, and runs of them, that the kernel did not take",
        |it| it.traffic.runs_dropped,
    ),
    (
        "packet_frames",
        "Datagrams sent past the network stack",
        |it| it.traffic.packets.frames,
    ),
    (
        "packet_frames_dropped",
        "Datagrams for which a device's ring had no room",
        |it| it.traffic.packets.dropped,
    ),
    (
        "packet_ring_failures",
        "Rings of devices that could not be opened, or broke",
        |it| it.traffic.packets.ring_failures,
    ),
    (
        "cross_worker_messages_dropped",
        "Values for other workers that found no room there",
        |it| it.crossings_dropped + it.figures.totals.shard_messages_dropped,
    ),
    (
        "worker_failures",
        "WorkerCollector that failed and were replaced",
        |it| it.failures,
    ),
];

/// What each worker counts in both directions: in, then out.
type WorkerPair = (&'static str, &'static str, fn(&ShardMetrics) -> [u64; 2]);

/// What each worker counts in both directions.
const PAIRS: [WorkerPair; 5] = [
    (
        "transport_bytes",
        "Bytes of all kinds on transports",
        |it| {
            [
                it.figures.totals.bytes_received,
                it.figures.totals.bytes_sent,
            ]
        },
    ),
    ("datagrams", "UDP datagrams", |it| {
        [it.traffic.datagrams_received, it.traffic.datagrams_sent]
    }),
    (
        "datagram_runs",
        "Trips of UDP datagrams through the kernel",
        |it| [it.traffic.runs_received, it.traffic.runs_sent],
    ),
    (
        "cross_worker_packets",
        "MediaSockets packets handed from worker to worker, once for each that wants them",
        |it| {
            let totals = &it.figures.totals;
            [totals.shard_packets_received, totals.shard_packets_sent]
        },
    ),
    ("tcp_frames", "Frames of TCP connections", |it| {
        [it.traffic.frames_received, it.traffic.frames_sent]
    }),
];

impl WorkerCollector {
    /// The figures at this moment.
    pub fn read(meters: &[SharedMetrics], pulses: &[Heartbeat]) -> Self {
        let is_hung = |shard| pulses.iter().any(|it| it.shard() == shard && it.hung());
        let read = meters.iter().map(|meter| {
            let reading = meter.read();
            Worker {
                name: meter.shard().to_string(),
                is_up: !is_hung(meter.shard()),
                cpu: reading
                    .thread
                    .and_then(process_metrics::thread)
                    .unwrap_or_default(),
                reading,
            }
        });
        Self(read.collect())
    }

    /// What there is now.
    fn write_states(&self, page: &mut FamilyEncoder<'_>) -> fmt::Result {
        let mut family = page.gauges("worker_up", "Whether a media thread answers")?;
        for worker in &self.0 {
            family.set(&[("worker", &*worker.name)], u64::from(worker.is_up))?;
        }
        let mut family = page.gauges("routers", "Rooms that have media, by worker")?;
        for worker in &self.0 {
            family.set(&[("worker", &*worker.name)], worker.reading.figures.routers)?;
        }
        let mut family = page.gauges("transports", "Transports, by what they can do now")?;
        for worker in &self.0 {
            let counts = worker.reading.figures.transports;
            let states = [
                ("new", counts.new),
                ("connecting", counts.connecting),
                ("connected", counts.connected),
                ("disconnected", counts.disconnected),
                ("failed", counts.failed),
            ];
            for (state, count) in states {
                family.set(&[("worker", &*worker.name), ("state", state)], count)?;
            }
        }
        self.write_kinds(page, "producers", "MediaSockets that is sent in", |it| {
            it.producers
        })?;
        self.write_kinds(page, "consumers", "MediaSockets that is sent out", |it| {
            it.consumers
        })
    }

    fn write_kinds(
        &self,
        page: &mut FamilyEncoder<'_>,
        name: &str,
        help: &str,
        count: fn(&MediaKindMetrics) -> u64,
    ) -> fmt::Result {
        let mut family = page.gauges(name, help)?;
        for worker in &self.0 {
            for (kind, counts) in kinds(&worker.reading.figures) {
                family.set(&[("worker", &*worker.name), ("kind", kind)], count(&counts))?;
            }
        }
        Ok(())
    }

    /// What went through.
    fn write_flows(
        &self,
        page: &mut FamilyEncoder<'_>,
        counts: &[Count],
        is_feedback: bool,
    ) -> fmt::Result {
        for (name, help, count) in counts {
            let mut family = page.counters(name, help)?;
            for worker in &self.0 {
                for (direction, flows) in DIRECTIONS {
                    let direction = match (direction, is_feedback) {
                        ("in", true) => "out",
                        ("out", true) => "in",
                        (direction, _) => direction,
                    };
                    for (kind, flow) in flows(&worker.reading.figures) {
                        let name = &*worker.name;
                        let labels = [("worker", name), ("kind", kind), ("direction", direction)];
                        family.count(&labels, count(&flow))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn write_wholes(&self, page: &mut FamilyEncoder<'_>) -> fmt::Result {
        for (name, help, count) in WHOLES {
            let mut family = page.counters(name, help)?;
            for worker in &self.0 {
                family.count(&[("worker", &*worker.name)], count(&worker.reading))?;
            }
        }
        for (name, help, counts) in PAIRS {
            let mut family = page.counters(name, help)?;
            for worker in &self.0 {
                let [received, sent] = counts(&worker.reading);
                for (direction, count) in [("in", received), ("out", sent)] {
                    family.count(
                        &[("worker", &*worker.name), ("direction", direction)],
                        count,
                    )?;
                }
            }
        }
        Ok(())
    }

    fn write_discards(&self, page: &mut FamilyEncoder<'_>) -> fmt::Result {
        let help = "Packets thrown away, by reason";
        let mut family = page.counters("packets_discarded", help)?;
        for worker in &self.0 {
            let totals = &worker.reading.figures.totals;
            let reasons = DiscardReason::ALL.map(DiscardReason::name);
            let counts = reasons.into_iter().zip(totals.discards);
            for (reason, count) in counts.chain([("unrouted", totals.unrouted)]) {
                family.count(&[("worker", &*worker.name), ("reason", reason)], count)?;
            }
        }
        Ok(())
    }

    /// How media is gathered before it leaves.
    fn write_egress(&self, page: &mut FamilyEncoder<'_>) -> fmt::Result {
        let help = "How long media is gathered now before it leaves";
        let mut family = page.gauges("media_window_seconds", help)?;
        for worker in &self.0 {
            let window = worker.reading.figures.egress.window;
            family.set_seconds(&[("worker", &*worker.name)], window.as_secs_f64())?;
        }
        let help = "Datagrams of media that went through the kernel together";
        let mut family = page.histograms("media_run_segments", help)?;
        for worker in &self.0 {
            let runs = worker.reading.figures.egress.runs;
            let counts = RUN_BOUNDS.into_iter().zip(runs.runs);
            family.sizes(&[("worker", &*worker.name)], counts, runs.datagrams)?;
        }
        Ok(())
    }

    fn write_fallbacks(&self, page: &mut FamilyEncoder<'_>) -> fmt::Result {
        let help =
            "Datagrams that took the network stack though they were to go past it, by reason";
        let mut family = page.counters("packet_fallbacks", help)?;
        for worker in &self.0 {
            let counts = worker.reading.traffic.packets.fallbacks;
            for (reason, count) in FallbackReason::ALL
                .map(FallbackReason::name)
                .into_iter()
                .zip(counts)
            {
                family.count(&[("worker", &*worker.name), ("reason", reason)], count)?;
            }
        }
        Ok(())
    }

    /// How long things take.
    fn write_times(&self, page: &mut FamilyEncoder<'_>) -> fmt::Result {
        let help = "Mean jitter of the streams that come in";
        let mut family = page.gauges("jitter_seconds", help)?;
        for worker in &self.0 {
            for (kind, counts) in kinds(&worker.reading.figures) {
                let mean = counts
                    .jitter_micros
                    .checked_div(counts.streams)
                    .unwrap_or(0);
                let labels = [("worker", &*worker.name), ("kind", kind)];
                family.set_seconds(&labels, seconds(mean))?;
            }
        }
        let help = "Mean round trip to peers that receive";
        let mut family = page.gauges("round_trip_seconds", help)?;
        for worker in &self.0 {
            let figures = &worker.reading.figures;
            let mean = figures.round_trips_micros.checked_div(figures.round_trips);
            family.set_seconds(&[("worker", &*worker.name)], seconds(mean.unwrap_or(0)))?;
        }
        let help = "Time from the arrival of a batch until what it caused has left";
        let mut family = page.histograms("forward_duration_seconds", help)?;
        for worker in &self.0 {
            family.spread(&[("worker", &*worker.name)], &worker.reading.forwarding)?;
        }
        let mut family =
            page.counters("worker_cpu_seconds", "Time of media threads on processors")?;
        for worker in &self.0 {
            for (mode, time) in [("user", worker.cpu.user), ("system", worker.cpu.system)] {
                let labels = [("worker", &*worker.name), ("mode", mode)];
                family.count_seconds(&labels, time.as_secs_f64())?;
            }
        }
        Ok(())
    }
}

impl Collector for WorkerCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = FamilyEncoder::new(encoder);
        self.write_states(&mut page)?;
        self.write_flows(&mut page, &MEDIA, false)?;
        self.write_flows(&mut page, &FEEDBACK, true)?;
        self.write_wholes(&mut page)?;
        self.write_discards(&mut page)?;
        self.write_egress(&mut page)?;
        self.write_fallbacks(&mut page)?;
        self.write_times(&mut page)
    }
}

fn coming(figures: &WorkerMetrics) -> [(&'static str, TrafficCounters); 2] {
    [
        ("audio", figures.totals.audio_in),
        ("video", figures.totals.video_in),
    ]
}

fn going(figures: &WorkerMetrics) -> [(&'static str, TrafficCounters); 2] {
    [
        ("audio", figures.totals.audio_out),
        ("video", figures.totals.video_out),
    ]
}

const fn kinds(figures: &WorkerMetrics) -> [(&'static str, MediaKindMetrics); 2] {
    [("audio", figures.audio), ("video", figures.video)]
}
