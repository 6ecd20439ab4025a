//! Producers piped between two workers of one room: which messages the shards exchange, how many,
//! and what remains when one side closes or is replaced.

use std::time::Duration;

use watersmeet_engine::command::{Command, Event, Refusal, Reply};
use watersmeet_engine::shard_message::ShardMessage;
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_engine::worker::{SHARD_MESSAGES_MAX, WorkerTotals};
use watersmeet_wire::params::MediaKind;

use crate::support::broadcast::{Broadcast, ReceivedRtp, Viewer};
use crate::support::worker_setup::Datagram;

/// Shard that the publisher sends to.
const ORIGIN: u8 = 0;

/// Shard that the producer is piped to.
const TARGET: u8 = 1;

/// Two workers, of which the second knows the first one's producer.
struct ShardPair {
    origin: Broadcast,
    target: Broadcast,
}

impl ShardPair {
    fn new() -> Self {
        let mut pair = Self {
            origin: Broadcast::on_shard(SrtpProfile::AeadAes128Gcm, ORIGIN),
            target: Broadcast::on_shard(SrtpProfile::AeadAes128Gcm, TARGET),
        };
        pair.create_piped_producer();
        pair
    }

    fn create_piped_producer(&mut self) {
        let command = self.piped_producer();
        self.target.command(command);
    }

    fn piped_producer(&self) -> Command {
        Command::CreatePipedProducer {
            router: self.target.router,
            producer: self.origin.producer,
            kind: MediaKind::Video,
            consumable: Box::new(self.origin.consumable.clone()),
            paused: false,
            is_screen: false,
            origin: ORIGIN,
        }
    }

    /// Exchanges messages until none is left. Returns those from the origin to the target.
    fn exchange_messages(&mut self) -> Vec<ShardMessage> {
        let mut to_target = Vec::new();
        loop {
            let mut moved = false;
            while let Some((shard, message)) = self.origin.worker.poll_shard_message() {
                assert_eq!(shard, TARGET);
                to_target.push(message.clone());
                let now = self.target.now;
                self.target
                    .worker
                    .handle_shard_message(now, ORIGIN, message);
                moved = true;
            }
            while let Some((shard, message)) = self.target.worker.poll_shard_message() {
                assert_eq!(shard, ORIGIN);
                let now = self.origin.now;
                self.origin
                    .worker
                    .handle_shard_message(now, TARGET, message);
                moved = true;
            }
            if !moved {
                return to_target;
            }
        }
    }

    /// Adds a viewer on the target shard.
    fn add_viewer(&mut self) -> Viewer {
        let viewer = self.target.add_viewer_of(self.origin.producer);
        self.exchange_messages();
        viewer
    }

    /// Lets the publisher send a packet. Returns the datagrams sent by the origin and the target.
    fn publish(&mut self, keyframe: bool) -> [Vec<Datagram>; 2] {
        let sent = self.origin.publish(keyframe, 700);
        self.exchange_messages();
        [sent, self.target.drain()]
    }

    /// Advances the time of both workers.
    fn advance(&mut self, span: Duration) {
        for broadcast in [&mut self.origin, &mut self.target] {
            broadcast.now = broadcast.now + span;
            broadcast.worker.handle_timeout(broadcast.now);
        }
        self.exchange_messages();
    }

    /// Returns how many keyframes were requested from the publisher.
    fn keyframe_requests(&mut self) -> u64 {
        let producer = self.origin.producer;
        let Reply::ProducerStats(stats) = self.origin.command(Command::ProducerStats { producer })
        else {
            panic!("no producer statistics in the reply");
        };
        stats.iter().map(|it| it.pli_count).sum()
    }
}

fn totals(broadcast: &Broadcast) -> WorkerTotals {
    broadcast.worker.metrics().totals
}

fn events(broadcast: &mut Broadcast) -> Vec<Event> {
    std::iter::from_fn(|| broadcast.worker.poll_event()).collect()
}

#[test]
fn a_packet_is_forwarded_to_another_shard_once_for_five_viewers() {
    let mut pair = ShardPair::new();
    let mut local = pair.origin.add_viewer();
    let mut viewers: Vec<_> = (0..5).map(|_| pair.add_viewer()).collect();
    for index in 0..20 {
        let [sent_by_origin, sent_by_target] = pair.publish(index == 0);
        let reference = local.received(&sent_by_origin);
        for viewer in &mut viewers {
            let received = viewer.received(&sent_by_target);
            assert_eq!(received.len(), 1);
            let payload = |it: &[ReceivedRtp]| {
                let (header, packet) = &it[0];
                header.payload(packet).expect("no padding").to_vec()
            };
            assert_eq!(payload(&received), payload(&reference));
        }
    }
    assert_eq!(
        (
            totals(&pair.origin).shard_packets_sent,
            totals(&pair.target).shard_packets_received
        ),
        (20, 20)
    );
}

#[test]
fn no_packet_is_forwarded_to_a_shard_without_consumers() {
    let mut pair = ShardPair::new();
    pair.publish(true);
    let viewer = pair.add_viewer();
    pair.publish(true);
    let consumer = viewer.consumer;
    pair.target.command(Command::CloseConsumer { consumer });
    pair.exchange_messages();
    pair.publish(true);
    pair.advance(Duration::from_secs(3));
    pair.publish(true);
    assert_eq!(totals(&pair.origin).shard_packets_sent, 1);
    // The piped producer is still there for the next viewer.
    let mut viewer = pair.add_viewer();
    let [_, sent] = pair.publish(true);
    assert_eq!(viewer.received(&sent).len(), 1);
}

#[test]
fn keyframe_requests_of_all_shards_are_merged() {
    let mut pair = ShardPair::new();
    let _viewers: Vec<_> = (0..5).map(|_| pair.add_viewer()).collect();
    let _local = pair.origin.add_viewer();
    pair.publish(false);
    assert_eq!(pair.keyframe_requests(), 1);
    for _ in 0..20 {
        pair.advance(Duration::from_millis(40));
        let _one_more = pair.add_viewer();
    }
    assert_eq!(pair.keyframe_requests(), 1, "within a second");
    pair.advance(Duration::from_millis(250));
    assert_eq!(pair.keyframe_requests(), 2);
    pair.publish(true);
    pair.advance(Duration::from_secs(3));
    assert_eq!(
        pair.keyframe_requests(),
        2,
        "a keyframe answers every request"
    );
}

#[test]
fn keyframe_requests_to_a_silent_publisher_stop_as_on_one_shard() {
    let mut pair = ShardPair::new();
    let _viewer = pair.add_viewer();
    pair.publish(false);
    for _ in 0..60 {
        pair.advance(Duration::from_secs(1));
    }
    assert_eq!(pair.keyframe_requests(), 6);
}

#[test]
fn a_nack_is_answered_by_the_shard_that_sent_the_packet() {
    let mut pair = ShardPair::new();
    let mut viewer = pair.add_viewer();
    let [_, sent] = pair.publish(true);
    let (header, packet) = viewer.received(&sent).remove(0);
    let nack = viewer.nack(header.ssrc, &[header.seq]);
    pair.target.receive_from(&viewer, nack);
    assert!(pair.exchange_messages().is_empty());
    let sent = pair.target.drain();
    let (rtx_header, resent) = viewer.received(&sent).remove(0);
    assert_ne!(rtx_header.ssrc, header.ssrc);
    let payload = header.payload(&packet).expect("no padding");
    assert!(resent.ends_with(payload));
}

#[test]
fn a_keyframe_is_sent_whole_on_another_shard_when_its_first_packet_arrives_late() {
    let mut pair = ShardPair::new();
    let mut viewer = pair.add_viewer();
    pair.publish(false);
    let mut first = [0; 1_500];
    let len = pair.origin.protect_packet(true, 100, &mut first);
    let [_, rest] = pair.publish(false);
    assert!(viewer.received(&rest).is_empty());
    pair.origin.receive_from_publisher(&mut first[..len]);
    pair.exchange_messages();
    let sent = pair.target.drain();
    assert_eq!(viewer.received(&sent).len(), 2);
}

#[test]
fn a_pause_reaches_every_shard_and_ends_with_a_keyframe() {
    let mut pair = ShardPair::new();
    let mut viewer = pair.add_viewer();
    pair.publish(true);
    let producer = pair.origin.producer;
    events(&mut pair.target);
    for paused in [true, false] {
        let command = match paused {
            true => Command::PauseProducer { producer },
            false => Command::ResumeProducer { producer },
        };
        pair.origin.command(command);
        pair.exchange_messages();
        let consumer = viewer.consumer;
        let expected = Event::ConsumerProducerPaused { consumer, paused };
        assert_eq!(events(&mut pair.target), [expected]);
        let [_, sent] = pair.publish(false);
        assert!(viewer.received(&sent).is_empty());
    }
    let [_, sent] = pair.publish(true);
    assert_eq!(viewer.received(&sent).len(), 1);
}

#[test]
fn closing_a_producer_closes_it_on_every_shard() {
    let mut pair = ShardPair::new();
    let viewer = pair.add_viewer();
    let producer = pair.origin.producer;
    events(&mut pair.target);
    pair.origin.command(Command::CloseProducer { producer });
    pair.exchange_messages();
    let consumer = viewer.consumer;
    assert_eq!(
        events(&mut pair.target),
        [
            Event::ConsumerClosed { consumer },
            Event::PipedProducerClosed { producer }
        ]
    );
    // The target's own publisher remains.
    assert_eq!(pair.target.worker.object_counts().producers, 1);
}

#[test]
fn a_replaced_target_worker_unsubscribes_after_one_packet() {
    let mut pair = ShardPair::new();
    pair.add_viewer();
    pair.publish(true);
    pair.target = Broadcast::on_shard(SrtpProfile::AeadAes128Gcm, TARGET);
    pair.publish(false);
    pair.publish(false);
    assert_eq!(totals(&pair.target).shard_packets_unwanted, 1);
    assert_eq!(totals(&pair.origin).shard_packets_sent, 2);
}

#[test]
fn piped_producers_close_when_the_origin_worker_is_replaced() {
    let mut pair = ShardPair::new();
    let viewer = pair.add_viewer();
    let producer = pair.origin.producer;
    pair.origin = Broadcast::on_shard(SrtpProfile::AeadAes128Gcm, 2);
    pair.advance(Duration::from_millis(1_100));
    let consumer = viewer.consumer;
    let events = events(&mut pair.target);
    assert!(events.contains(&Event::ConsumerClosed { consumer }));
    assert!(events.contains(&Event::PipedProducerClosed { producer }));
}

#[test]
fn lost_subscriptions_and_keyframe_requests_are_repeated() {
    let mut pair = ShardPair::new();
    let mut viewer = pair.target.add_viewer_of(pair.origin.producer);
    while pair.target.worker.poll_shard_message().is_some() {}
    pair.publish(true);
    assert_eq!(totals(&pair.origin).shard_packets_sent, 0);
    pair.advance(Duration::from_secs(1));
    // The keyframe request was lost too; it comes with the repeated subscription.
    pair.publish(false);
    let [_, sent] = pair.publish(true);
    assert_eq!(viewer.received(&sent).len(), 1);
}

#[test]
fn a_full_message_queue_drops_the_newest_messages() {
    let mut pair = ShardPair::new();
    pair.add_viewer();
    for index in 0..SHARD_MESSAGES_MAX + 10 {
        pair.origin.publish(index == 0, 20);
    }
    let totals = totals(&pair.origin);
    // The message about the first packet takes a place of the queue.
    let queued_max = u64::try_from(SHARD_MESSAGES_MAX).expect("small") - 1;
    assert_eq!(totals.shard_packets_sent, queued_max);
    assert_eq!(totals.shard_messages_dropped, 11);
}

#[test]
fn closing_a_router_closes_its_piped_producers() {
    let mut pair = ShardPair::new();
    pair.add_viewer();
    let router = pair.target.router;
    pair.target.command(Command::CloseRouter { router });
    pair.exchange_messages();
    assert_eq!(pair.target.worker.object_counts(), Default::default());
    pair.publish(true);
    assert_eq!(totals(&pair.origin).shard_packets_sent, 0);
}

#[test]
fn invalid_piped_producers_are_refused() {
    let mut pair = ShardPair::new();
    let refused = |pair: &mut ShardPair, command| {
        let now = pair.target.now;
        pair.target.worker.handle_command(now, command).err()
    };
    let again = pair.piped_producer();
    assert_eq!(refused(&mut pair, again), Some(Refusal::IdInUse));
    let producer = pair.origin.producer;
    pair.target.command(Command::CloseProducer { producer });
    let Command::CreatePipedProducer {
        router,
        kind,
        consumable,
        ..
    } = pair.piped_producer()
    else {
        panic!("not a piped producer");
    };
    let to_itself = Command::CreatePipedProducer {
        router,
        producer,
        kind,
        consumable: consumable.clone(),
        paused: false,
        is_screen: false,
        origin: TARGET,
    };
    assert!(matches!(
        refused(&mut pair, to_itself),
        Some(Refusal::BadParameters(_))
    ));
    let elsewhere = Command::CreatePipedProducer {
        router: pair.origin.router,
        producer,
        kind,
        consumable,
        paused: false,
        is_screen: false,
        origin: ORIGIN,
    };
    assert_eq!(refused(&mut pair, elsewhere), Some(Refusal::RouterNotFound));
    pair.create_piped_producer();
}

#[test]
fn forwarding_between_shards_allocates_nothing_after_warm_up() {
    let mut pair = ShardPair::new();
    let viewers: Vec<_> = (0..4).map(|_| pair.add_viewer()).collect();
    let publish = |pair: &mut ShardPair, packets: usize| {
        let mut packet = [0; 1_500];
        let mut datagrams = 0;
        for index in 0..packets {
            for broadcast in [&mut pair.origin, &mut pair.target] {
                broadcast.now = broadcast.now + Duration::from_millis(2);
            }
            let len = pair
                .origin
                .protect_packet(index % 300 == 0, 1_100, &mut packet);
            pair.origin.receive_from_publisher(&mut packet[..len]);
            let now = pair.origin.now;
            while let Some((_, message)) = pair.origin.worker.poll_shard_message() {
                pair.target
                    .worker
                    .handle_shard_message(now, ORIGIN, message);
            }
            while let Some((_, message)) = pair.target.worker.poll_shard_message() {
                pair.origin
                    .worker
                    .handle_shard_message(now, TARGET, message);
            }
            for broadcast in [&mut pair.origin, &mut pair.target] {
                broadcast.worker.handle_timeout(broadcast.now);
                while let Some(batch) = broadcast.worker.poll_transmit(broadcast.now) {
                    datagrams += batch.transmits.len();
                }
                while broadcast.worker.poll_event().is_some() {}
            }
        }
        datagrams
    };
    publish(&mut pair, 3_000);
    let mut datagrams = 0;
    let info = allocation_counter::measure(|| datagrams = publish(&mut pair, 400));
    assert!(
        datagrams >= 400 * viewers.len(),
        "{datagrams} datagrams were sent"
    );
    assert_eq!(info.count_total, 0, "for {datagrams} datagrams");
}

#[test]
fn numbers_of_viewers_on_another_shard_go_on_by_one_after_a_jump() {
    for jump in [600, 3_500, 31_000] {
        let mut pair = ShardPair::new();
        let mut viewer = pair.add_viewer();
        let [_, sent] = pair.publish(true);
        let mut received = viewer.received(&sent);
        for keyframe in [true, false] {
            pair.origin.skip_numbers(jump);
            let [_, sent] = pair.publish(keyframe);
            received.extend(viewer.received(&sent));
        }
        let [_, sent] = pair.publish(true);
        received.extend(viewer.received(&sent));
        let numbers: Vec<u16> = received.iter().map(|(header, _)| header.seq).collect();
        let first = numbers[0];
        assert_eq!(numbers, [first, first + 1, first + 2], "jump {jump}");
    }
}

#[test]
fn keyframe_is_requested_when_many_packets_were_dropped_between_shards() {
    let mut pair = ShardPair::new();
    let mut viewer = pair.add_viewer();
    let [_, sent] = pair.publish(true);
    let mut received = viewer.received(&sent);
    pair.advance(Duration::from_millis(1_500));
    let before = pair.keyframe_requests();
    // The queue to the target shard is full for a while: it never gets these.
    for _ in 0..600 {
        pair.origin.publish(false, 100);
    }
    while pair.origin.worker.poll_shard_message().is_some() {}
    let [_, sent] = pair.publish(false);
    assert!(viewer.received(&sent).is_empty());
    pair.advance(Duration::from_millis(900));
    assert_eq!(pair.keyframe_requests() - before, 1);
    let [_, sent] = pair.publish(true);
    received.extend(viewer.received(&sent));
    assert_eq!(received[1].0.seq, received[0].0.seq + 1);
}
