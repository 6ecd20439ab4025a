//! Two workers that serve one room: what crosses between them, how often, and what remains when
//! one side goes.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "the rig is test code"
)]

#[path = "rig/stage.rs"]
#[expect(dead_code, reason = "each user of the rig uses a part of it")]
mod stage;

use std::time::Duration;

use stage::{Stage, Viewer};
use watersmeet_engine::command::{Command, Event, Refusal, Reply};
use watersmeet_engine::shard_message::ShardMessage;
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_engine::worker::{SHARD_MESSAGES_MAX, WorkerTotals};
use watersmeet_wire::params::MediaKind;
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::units::Ssrc;

/// The shard of the publisher, and another.
const HERE: u8 = 0;
const THERE: u8 = 1;

struct Pair {
    here: Stage,
    there: Stage,
}

impl Pair {
    /// Two workers; the producer of one is known on the other.
    fn new() -> Self {
        let mut pair = Self {
            here: Stage::on_shard(SrtpProfile::AeadAes128Gcm, HERE),
            there: Stage::on_shard(SrtpProfile::AeadAes128Gcm, THERE),
        };
        pair.accept_pipe();
        pair
    }

    fn accept_pipe(&mut self) {
        let command = self.pipe();
        self.there.tell(command);
    }

    fn pipe(&self) -> Command {
        Command::CreatePipedProducer {
            router: self.there.router,
            producer: self.here.producer,
            kind: MediaKind::Video,
            consumable: Box::new(self.here.consumable.clone()),
            paused: false,
            origin: HERE,
        }
    }

    /// Lets everything cross until nothing more does; what crossed to the other shard.
    fn cross(&mut self) -> Vec<ShardMessage> {
        let mut crossed = Vec::new();
        loop {
            let mut moved = false;
            while let Some((shard, crossing)) = self.here.worker.poll_shard_message() {
                assert_eq!(shard, THERE);
                crossed.push(crossing.clone());
                let now = self.there.now;
                self.there.worker.handle_shard_message(now, HERE, crossing);
                moved = true;
            }
            while let Some((shard, crossing)) = self.there.worker.poll_shard_message() {
                assert_eq!(shard, HERE);
                let now = self.here.now;
                self.here.worker.handle_shard_message(now, THERE, crossing);
                moved = true;
            }
            if !moved {
                return crossed;
            }
        }
    }

    /// A viewer on the other shard.
    fn add_viewer(&mut self) -> Viewer {
        let viewer = self.there.add_viewer_of(self.here.producer);
        self.cross();
        viewer
    }

    /// The publisher sends a packet; what leaves here and there.
    fn publish(&mut self, keyframe: bool) -> [Vec<(watersmeet_engine::command::Path, Vec<u8>)>; 2] {
        let here = self.here.publish(keyframe, 700);
        self.cross();
        [here, self.there.drain()]
    }

    fn pass(&mut self, span: Duration) {
        for stage in [&mut self.here, &mut self.there] {
            stage.now = stage.now + span;
            stage.worker.handle_timeout(stage.now);
        }
        self.cross();
    }

    /// How many keyframes the publisher was asked for.
    fn plis(&mut self) -> u64 {
        let producer = self.here.producer;
        let Reply::ProducerStats(stats) = self.here.tell(Command::ProducerStats { producer })
        else {
            panic!("statistics are answered with statistics");
        };
        stats.iter().map(|it| it.pli_count).sum()
    }
}

fn totals(stage: &Stage) -> WorkerTotals {
    stage.worker.metrics().totals
}

fn events(stage: &mut Stage) -> Vec<Event> {
    std::iter::from_fn(|| stage.worker.poll_event()).collect()
}

#[test]
fn a_packet_crosses_once_however_many_consume_it() {
    let mut pair = Pair::new();
    let mut local = pair.here.add_viewer();
    let mut viewers: Vec<_> = (0..5).map(|_| pair.add_viewer()).collect();
    for index in 0..20 {
        let [here, there] = pair.publish(index == 0);
        let reference = local.received(&here);
        for viewer in &mut viewers {
            let received = viewer.received(&there);
            assert_eq!(received.len(), 1);
            let payload = |it: &[(watersmeet_wire::rtp::RtpHeader, Vec<u8>)]| {
                let (header, packet) = &it[0];
                header.payload(packet).expect("no padding").to_vec()
            };
            assert_eq!(payload(&received), payload(&reference));
        }
    }
    assert_eq!(
        (
            totals(&pair.here).shard_packets_sent,
            totals(&pair.there).shard_packets_received
        ),
        (20, 20)
    );
}

#[test]
fn nothing_crosses_where_nobody_listens() {
    let mut pair = Pair::new();
    pair.publish(true);
    let viewer = pair.add_viewer();
    pair.publish(true);
    let consumer = viewer.consumer;
    pair.there.tell(Command::CloseConsumer { consumer });
    pair.cross();
    pair.publish(true);
    pair.pass(Duration::from_secs(3));
    pair.publish(true);
    assert_eq!(totals(&pair.here).shard_packets_sent, 1);
    // The pipe is still there for the next.
    let mut viewer = pair.add_viewer();
    let [_, sent] = pair.publish(true);
    assert_eq!(viewer.received(&sent).len(), 1);
}

#[test]
fn the_wishes_of_all_shards_are_one_request() {
    let mut pair = Pair::new();
    let _viewers: Vec<_> = (0..5).map(|_| pair.add_viewer()).collect();
    let _local = pair.here.add_viewer();
    pair.publish(false);
    assert_eq!(pair.plis(), 1);
    for _ in 0..20 {
        pair.pass(Duration::from_millis(40));
        let _one_more = pair.add_viewer();
    }
    assert_eq!(pair.plis(), 1, "within a second");
    pair.pass(Duration::from_millis(250));
    assert_eq!(pair.plis(), 2);
    pair.publish(true);
    pair.pass(Duration::from_secs(3));
    assert_eq!(pair.plis(), 2, "a keyframe ends every wish");
}

#[test]
fn a_silent_publisher_is_asked_no_longer_than_on_one_shard() {
    let mut pair = Pair::new();
    let _viewer = pair.add_viewer();
    pair.publish(false);
    for _ in 0..60 {
        pair.pass(Duration::from_secs(1));
    }
    assert_eq!(pair.plis(), 6);
}

#[test]
fn what_a_peer_misses_is_sent_again_from_where_it_was_sent() {
    let mut pair = Pair::new();
    let mut viewer = pair.add_viewer();
    let [_, sent] = pair.publish(true);
    let (header, packet) = viewer.received(&sent).remove(0);
    let mut compound = Vec::new();
    let asked = CompoundWriter::new(&mut compound).write_nack(Ssrc(1), header.ssrc, &[header.seq]);
    assert_eq!(asked, 1);
    let plain_len = compound.len();
    compound.resize(plain_len + 64, 0);
    let len = viewer.sealer.protect_rtcp(&mut compound, plain_len);
    let len = len.expect("it fits");
    let now = pair.there.now;
    pair.there
        .worker
        .handle_datagram(now, viewer.path, &mut compound[..len]);
    assert!(pair.cross().is_empty());
    let sent = pair.there.drain();
    let (again, resent) = viewer.received(&sent).remove(0);
    assert_ne!(again.ssrc, header.ssrc);
    let payload = header.payload(&packet).expect("no padding");
    assert!(resent.ends_with(payload));
}

#[test]
fn a_keyframe_whose_beginning_comes_late_is_sent_whole_elsewhere() {
    let mut pair = Pair::new();
    let mut viewer = pair.add_viewer();
    pair.publish(false);
    let mut beginning = [0; 1_500];
    let len = pair.here.seal_packet(true, 100, &mut beginning);
    let [_, rest] = pair.publish(false);
    assert!(viewer.received(&rest).is_empty());
    let (now, path) = (pair.here.now, pair.here.publisher_path);
    pair.here
        .worker
        .handle_datagram(now, path, &mut beginning[..len]);
    pair.cross();
    let sent = pair.there.drain();
    assert_eq!(viewer.received(&sent).len(), 2);
}

#[test]
fn a_pause_is_told_everywhere_and_ends_with_a_keyframe() {
    let mut pair = Pair::new();
    let mut viewer = pair.add_viewer();
    pair.publish(true);
    let producer = pair.here.producer;
    events(&mut pair.there);
    for paused in [true, false] {
        let command = match paused {
            true => Command::PauseProducer { producer },
            false => Command::ResumeProducer { producer },
        };
        pair.here.tell(command);
        pair.cross();
        let consumer = viewer.consumer;
        let told = Event::ConsumerProducerPaused { consumer, paused };
        assert_eq!(events(&mut pair.there), [told]);
        let [_, sent] = pair.publish(false);
        assert!(viewer.received(&sent).is_empty());
    }
    let [_, sent] = pair.publish(true);
    assert_eq!(viewer.received(&sent).len(), 1);
}

#[test]
fn the_end_of_a_producer_ends_it_everywhere() {
    let mut pair = Pair::new();
    let viewer = pair.add_viewer();
    let producer = pair.here.producer;
    events(&mut pair.there);
    pair.here.tell(Command::CloseProducer { producer });
    pair.cross();
    let consumer = viewer.consumer;
    assert_eq!(
        events(&mut pair.there),
        [
            Event::ConsumerClosed { consumer },
            Event::PipedProducerClosed { producer }
        ]
    );
    // Its own publisher's is left.
    assert_eq!(pair.there.worker.object_counts().producers, 1);
}

#[test]
fn a_worker_that_was_made_anew_is_sent_nothing_for_long() {
    let mut pair = Pair::new();
    pair.add_viewer();
    pair.publish(true);
    pair.there = Stage::on_shard(SrtpProfile::AeadAes128Gcm, THERE);
    pair.publish(false);
    pair.publish(false);
    assert_eq!(totals(&pair.there).shard_packets_unwanted, 1);
    assert_eq!(totals(&pair.here).shard_packets_sent, 2);
}

#[test]
fn a_publisher_s_worker_that_was_made_anew_is_noticed() {
    let mut pair = Pair::new();
    let viewer = pair.add_viewer();
    let producer = pair.here.producer;
    pair.here = Stage::on_shard(SrtpProfile::AeadAes128Gcm, 2);
    pair.pass(Duration::from_millis(1_100));
    let consumer = viewer.consumer;
    let told = events(&mut pair.there);
    assert!(told.contains(&Event::ConsumerClosed { consumer }));
    assert!(told.contains(&Event::PipedProducerClosed { producer }));
}

#[test]
fn words_that_were_lost_are_said_again() {
    let mut pair = Pair::new();
    let mut viewer = pair.there.add_viewer_of(pair.here.producer);
    while pair.there.worker.poll_shard_message().is_some() {}
    pair.publish(true);
    assert_eq!(totals(&pair.here).shard_packets_sent, 0);
    pair.pass(Duration::from_secs(1));
    // The wish for a keyframe is lost too, and comes with the next word.
    pair.publish(false);
    let [_, sent] = pair.publish(true);
    assert_eq!(viewer.received(&sent).len(), 1);
}

#[test]
fn a_queue_that_nobody_empties_forgets_the_newest() {
    let mut pair = Pair::new();
    pair.add_viewer();
    for index in 0..SHARD_MESSAGES_MAX + 10 {
        pair.here.publish(index == 0, 20);
    }
    let totals = totals(&pair.here);
    // News of the first packet waits with the packets.
    let waiting = u64::try_from(SHARD_MESSAGES_MAX).expect("small") - 1;
    assert_eq!(totals.shard_packets_sent, waiting);
    assert_eq!(totals.shard_messages_dropped, 11);
}

#[test]
fn a_router_takes_what_others_handed_it_along() {
    let mut pair = Pair::new();
    pair.add_viewer();
    let router = pair.there.router;
    pair.there.tell(Command::CloseRouter { router });
    pair.cross();
    assert_eq!(pair.there.worker.object_counts(), Default::default());
    pair.publish(true);
    assert_eq!(totals(&pair.here).shard_packets_sent, 0);
}

#[test]
fn a_pipe_that_makes_no_sense_is_refused() {
    let mut pair = Pair::new();
    let refused = |pair: &mut Pair, command| {
        let now = pair.there.now;
        pair.there.worker.handle_command(now, command).err()
    };
    let again = pair.pipe();
    assert_eq!(refused(&mut pair, again), Some(Refusal::IdInUse));
    let producer = pair.here.producer;
    pair.there.tell(Command::CloseProducer { producer });
    let Command::CreatePipedProducer {
        router,
        kind,
        consumable,
        ..
    } = pair.pipe()
    else {
        panic!("it is one");
    };
    let to_itself = Command::CreatePipedProducer {
        router,
        producer,
        kind,
        consumable: consumable.clone(),
        paused: false,
        origin: THERE,
    };
    assert!(matches!(
        refused(&mut pair, to_itself),
        Some(Refusal::BadParameters(_))
    ));
    let elsewhere = Command::CreatePipedProducer {
        router: pair.here.router,
        producer,
        kind,
        consumable,
        paused: false,
        origin: HERE,
    };
    assert_eq!(refused(&mut pair, elsewhere), Some(Refusal::RouterNotFound));
    pair.accept_pipe();
}

#[test]
fn what_crosses_allocates_nothing_once_it_is_warm() {
    let mut pair = Pair::new();
    let viewers: Vec<_> = (0..4).map(|_| pair.add_viewer()).collect();
    let run = |pair: &mut Pair, packets: usize| {
        let mut packet = [0; 1_500];
        let mut datagrams = 0;
        for index in 0..packets {
            for stage in [&mut pair.here, &mut pair.there] {
                stage.now = stage.now + Duration::from_millis(2);
            }
            let len = pair.here.seal_packet(index % 300 == 0, 1_100, &mut packet);
            let (now, path) = (pair.here.now, pair.here.publisher_path);
            pair.here
                .worker
                .handle_datagram(now, path, &mut packet[..len]);
            while let Some((_, crossing)) = pair.here.worker.poll_shard_message() {
                pair.there.worker.handle_shard_message(now, HERE, crossing);
            }
            while let Some((_, crossing)) = pair.there.worker.poll_shard_message() {
                pair.here.worker.handle_shard_message(now, THERE, crossing);
            }
            for stage in [&mut pair.here, &mut pair.there] {
                stage.worker.handle_timeout(stage.now);
                while let Some(batch) = stage.worker.poll_transmit(stage.now) {
                    datagrams += batch.transmits.len();
                }
                while stage.worker.poll_event().is_some() {}
            }
        }
        datagrams
    };
    run(&mut pair, 3_000);
    let mut datagrams = 0;
    let info = allocation_counter::measure(|| datagrams = run(&mut pair, 400));
    assert!(
        datagrams >= 400 * viewers.len(),
        "{datagrams} datagrams left"
    );
    assert_eq!(info.count_total, 0, "for {datagrams} datagrams");
}
