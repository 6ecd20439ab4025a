//! Samples of all transports: what happened on each since the last time. Visits every object of the worker, so it
//! is called every few seconds.

use std::time::Duration;

use watersmeet_wire::params::MediaKind;
use watersmeet_wire::units::Time;

use super::super::Worker;
use super::super::transport_entry::TransportEntry;
use crate::consumer::Consumer;
use crate::consumer::layer_limit::LayerLimit;
use crate::producer::Producer;
use crate::producer::stream::Stream;
use crate::sample::{FlowSample, PictureCounts, ProducerSample, SampledCounts, TransportSample};
use crate::slots::{ConsumerKey, ProducerKey, Slots};

impl Worker {
    /// Returns what happened on every transport since the last call.
    pub fn take_samples(&mut self, now: Time) -> Vec<TransportSample> {
        let (producers, consumers) = (&mut self.producers, &mut self.consumers);
        let transports = self.transports.values();
        let samples = transports.map(|entry| sample_transport(now, entry, producers, consumers));
        samples.collect()
    }
}

fn sample_transport(
    now: Time,
    entry: &TransportEntry,
    producers: &mut Slots<ProducerKey, Producer>,
    consumers: &mut Slots<ConsumerKey, Consumer>,
) -> TransportSample {
    let TransportEntry {
        transport,
        inbound,
        outbound,
        ..
    } = entry;
    let mut sample = TransportSample {
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
        producers: Vec::with_capacity(inbound.producers.len()),
    };
    let mut jitter: Option<Duration> = None;
    for &key in &outbound.consumers {
        let Some(consumer) = consumers.get_mut(key) else {
            continue;
        };
        sample.down.add(consumer.take_sample());
        if consumer.kind == MediaKind::Audio {
            let added = added_jitter(consumer, producers.get(consumer.producer));
            jitter = Some(jitter.map_or(added, |it| it.min(added)));
        }
        sample.round_trip = sample.round_trip.max(consumer.measured_rtt(now));
        let producer = producers.get(consumer.producer);
        if let Some(producer) = producer.filter(|_| consumer.kind == MediaKind::Video) {
            count_picture(&mut sample.pictures, consumer, producer);
        }
    }
    sample.down.jitter = jitter.unwrap_or_default();
    for &key in &inbound.producers {
        if let Some(producer) = producers.get_mut(key) {
            sample.producers.push(producer.take_sample());
        }
    }
    sample
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
