//! Samples of all transports: what happened on each since the last time. Visits every object of the worker, so it
//! is called every few seconds.

use std::time::Duration;

use watersmeet_wire::params::MediaKind;
use watersmeet_wire::units::{Map, Time};

use super::super::Worker;
use super::super::transport_entry::TransportEntry;
use crate::consumer::Consumer;
use crate::consumer::layer_limit::LayerLimit;
use crate::producer::Producer;
use crate::producer::stream::Stream;
use crate::sample::{FlowSample, PictureCounts, ProducerSample, SampledCounts, TransportSample};
use crate::slots::{ConsumerKey, ProducerKey, Slots};

/// Share of packets, in thousandths, from which on the losses of a producer also show in the reports of those who
/// receive it: their lines are judged without it.
const MISSING_PERMILLE_MAX: u32 = 10;

/// Samples of all producers that arrive here.
type ProducerSamples = Map<ProducerKey, ProducerSample>;

impl Worker {
    /// Returns what happened on every transport since the last call.
    pub fn take_samples(&mut self, now: Time) -> Vec<TransportSample> {
        let mut produced = ProducerSamples::new();
        let inbound = self.transports.values().map(|it| &it.inbound.producers);
        for &key in inbound.flatten() {
            if let Some(producer) = self.producers.get_mut(key) {
                produced.insert(key, producer.take_sample());
            }
        }
        let (producers, consumers) = (&self.producers, &mut self.consumers);
        let transports = self.transports.values();
        let samples = transports.map(|entry| {
            let mut sample = sample_transport(now, entry);
            add_consumers(now, &mut sample, entry, producers, consumers, &produced);
            let own = entry.inbound.producers.iter();
            sample.producers = own.filter_map(|it| produced.get(it).copied()).collect();
            sample
        });
        samples.collect()
    }
}

/// Returns the sample of a transport without its media.
fn sample_transport(now: Time, entry: &TransportEntry) -> TransportSample {
    let TransportEntry {
        transport,
        outbound,
        ..
    } = entry;
    TransportSample {
        transport: entry.id,
        ice: transport.ice_state(),
        dtls: transport.dtls_state(),
        is_awaited: transport.is_awaited(),
        path: transport.selected_path().map(|it| (it.protocol, it.remote)),
        silence: now.since(transport.last_received_at()),
        available: outbound.available_bitrate(now),
        sent: outbound.traffic.rate.bitrate(now),
        received: transport.receive_bitrate(now),
        round_trip: None,
        down: FlowSample::default(),
        pictures: PictureCounts::default(),
        producers: Vec::new(),
    }
}

/// Adds what was sent to the peer. Streams that arrived with gaps say nothing of the way to the peer.
fn add_consumers(
    now: Time,
    sample: &mut TransportSample,
    entry: &TransportEntry,
    producers: &Slots<ProducerKey, Producer>,
    consumers: &mut Slots<ConsumerKey, Consumer>,
    produced: &ProducerSamples,
) {
    let mut jitter: Option<Duration> = None;
    for &key in &entry.outbound.consumers {
        let Some(consumer) = consumers.get_mut(key) else {
            continue;
        };
        let flow = consumer.take_sample();
        if !produced.get(&consumer.producer).is_some_and(has_gaps) {
            sample.down.add(flow);
        }
        let producer = producers.get(consumer.producer);
        if consumer.kind == MediaKind::Audio {
            let added = added_jitter(consumer, producer);
            jitter = Some(jitter.map_or(added, |it| it.min(added)));
        }
        sample.round_trip = sample.round_trip.max(consumer.measured_rtt(now));
        if let Some(producer) = producer.filter(|_| consumer.kind == MediaKind::Video) {
            count_picture(&mut sample.pictures, consumer, producer);
        }
    }
    sample.down.jitter = jitter.unwrap_or_default();
}

/// Returns whether so much of a producer is missing for good that its receivers report it too.
fn has_gaps(sample: &ProducerSample) -> bool {
    let FlowSample {
        packets, missing, ..
    } = sample.flow;
    let all = packets.saturating_add(missing);
    u64::from(missing) * 1_000 > u64::from(all) * u64::from(MISSING_PERMILLE_MAX)
}

/// Returns the jitter that a sound gets on the way from the server to the peer: without that which it arrives with.
fn added_jitter(consumer: &Consumer, producer: Option<&Producer>) -> Duration {
    let streams = producer.map(|it| it.streams.as_slice());
    let streams = streams.unwrap_or_default().iter();
    let micros = streams.map(Stream::jitter_micros).max().unwrap_or(0);
    let reported = consumer.reported_jitter();
    reported.saturating_sub(Duration::from_micros(micros))
}

/// Counts a picture that a peer should be sent.
fn count_picture(pictures: &mut PictureCounts, consumer: &Consumer, producer: &Producer) {
    if consumer.paused || producer.paused || producer.activity.active() == 0 {
        return;
    }
    pictures.wanted += 1;
    if consumer.held {
        pictures.held_by_last_n += 1;
    } else if consumer.layers.limit() == LayerLimit::Paused {
        pictures.withheld += 1;
    } else if consumer.share.is_less_than_wanted() {
        pictures.reduced += 1;
    }
}

impl Consumer {
    /// Returns what was sent since the last sample.
    #[expect(clippy::cast_possible_truncation, reason = "samples count modulo 2^32")]
    fn take_sample(&mut self) -> FlowSample {
        let counters = &self.counters;
        self.sampled.advance(SampledCounts {
            packets: counters.packets as u32,
            lost: counters.lost as u32,
            missing: counters.lost as u32,
            requested: counters.nacked_packets as u32,
            keyframe_requests: (counters.plis + counters.firs) as u32,
        })
    }
}

impl Producer {
    /// Returns what arrived since the last sample.
    #[expect(clippy::cast_possible_truncation, reason = "samples count modulo 2^32")]
    fn take_sample(&mut self) -> ProducerSample {
        let mut flow = FlowSample::default();
        let is_audio = self.kind == MediaKind::Audio;
        for stream in &mut self.streams {
            let counters = &stream.counters;
            let counts = SampledCounts {
                packets: counters.packets as u32,
                // Those still missing when they were counted, and those that were repaired before.
                lost: (counters.lost + counters.repaired + counters.recovered) as u32,
                missing: counters.lost as u32,
                requested: counters.nacked_packets as u32,
                keyframe_requests: (counters.plis + counters.firs) as u32,
            };
            let micros = if is_audio { stream.jitter_micros() } else { 0 };
            let jitter = Duration::from_micros(micros);
            flow.add(FlowSample {
                jitter,
                ..stream.sampled.advance(counts)
            });
        }
        ProducerSample {
            producer: self.id,
            kind: self.kind,
            is_paused: self.paused,
            flow,
            layers: self.layer_count(),
            active_layers: u8::try_from(self.activity.active().count_ones()).unwrap_or(u8::MAX),
            loudest: self.loudest.take(),
        }
    }
}
