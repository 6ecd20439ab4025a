//! Rooms on several shards: who is served where, what is made known where before it is consumed,
//! and what remains when any part of it ends.

use std::time::Duration;

use serde_json::json;
use watersmeet_conference::{ConferenceConfig, SessionId, ShardId};
use watersmeet_engine::command::{Command, Event, ProducerId};

use super::outcomes::{Belongings, equipped};
use super::world::*;

/// A world in which whoever comes is served by the shard with the least to do.
fn spread(shards: u8) -> World {
    World::with(ConferenceConfig {
        shards,
        spread_above_permille: 0,
        ..config()
    })
}

/// The shards that somebody's transports are on.
fn shards_of(world: &World, belongings: &Belongings) -> [usize; 2] {
    [&belongings.send, &belongings.recv].map(|transport| {
        let has = |it: &Shard| it.transports.keys().any(|it| it.to_string() == *transport);
        world.shards.iter().position(has).unwrap()
    })
}

/// Three people on three shards.
fn trio(world: &mut World) -> [Belongings; 3] {
    let people = std::array::from_fn(|_| equipped(world, "room"));
    for (shard, person) in people.iter().enumerate() {
        assert_eq!(shards_of(world, person), [shard, shard]);
        world.all(person.session);
    }
    people
}

/// How many producers of other shards each shard knows.
fn pipes(world: &World) -> Vec<usize> {
    world.shards.iter().map(|it| it.pipes.len()).collect()
}

fn end(mut world: World, sessions: impl IntoIterator<Item = SessionId>) {
    for session in sessions {
        world.close(session);
    }
    world.assert_empty();
}

#[test]
fn a_room_that_fits_on_one_shard_stays_on_one() {
    let mut world = World::new();
    let people: Vec<_> = (0..10).map(|_| equipped(&mut world, "room")).collect();
    for person in &people {
        assert_eq!(shards_of(&world, person), [0, 0]);
    }
    assert_eq!(pipes(&world), [0, 0]);
    end(world, people.into_iter().map(|it| it.session));
}

#[test]
fn whoever_comes_to_a_busy_shard_is_served_by_another_and_nobody_moves() {
    let mut world = World::new();
    let ana = equipped(&mut world, "room");
    world.conference.handle_shard_load(ShardId(0), 650);
    let ben = equipped(&mut world, "room");
    assert_eq!(shards_of(&world, &ben), [1, 1]);
    // What ana still needs is made where the rest of hers is.
    world.send(
        ana.session,
        "closeTransport",
        json!({"transportId": ana.recv}),
    );
    let recv = world.transport(ana.session, "recv");
    let ana = Belongings { recv, ..ana };
    assert_eq!(shards_of(&world, &ana), [0, 0]);
    // The home has room again.
    world.conference.handle_shard_load(ShardId(0), 100);
    let cleo = equipped(&mut world, "room");
    assert_eq!(shards_of(&world, &cleo), [0, 0]);
    end(world, [ana, ben, cleo].map(|it| it.session));
}

#[test]
fn what_has_come_since_a_shard_was_measured_counts_too() {
    let mut world = World::new();
    let ana = equipped(&mut world, "room");
    // Two transports took 400 of 600, so the next two take as much.
    world.conference.handle_shard_load(ShardId(0), 400);
    let ben = equipped(&mut world, "room");
    assert_eq!(shards_of(&world, &ben), [0, 0]);
    let cleo = equipped(&mut world, "room");
    assert_eq!(shards_of(&world, &cleo), [1, 1]);
    // Half of what was measured has gone.
    world.close(ben.session);
    world.conference.handle_shard_load(ShardId(0), 800);
    let dan = equipped(&mut world, "room");
    assert_eq!(shards_of(&world, &dan), [1, 1]);
    end(world, [ana, cleo, dan].map(|it| it.session));
}

#[test]
fn a_room_comes_back_to_a_shard_it_is_on_before_it_takes_another() {
    let mut world = World::with(ConferenceConfig {
        shards: 3,
        ..config()
    });
    let ana = equipped(&mut world, "room");
    world.conference.handle_shard_load(ShardId(0), 900);
    world.conference.handle_shard_load(ShardId(2), 10);
    let ben = equipped(&mut world, "room");
    assert_eq!(shards_of(&world, &ben), [1, 1]);
    world.conference.handle_shard_load(ShardId(1), 500);
    let cleo = equipped(&mut world, "room");
    assert_eq!(shards_of(&world, &cleo), [1, 1]);
    world.conference.handle_shard_load(ShardId(1), 900);
    let dan = equipped(&mut world, "room");
    assert_eq!(shards_of(&world, &dan), [2, 2]);
    end(world, [ana, ben, cleo, dan].map(|it| it.session));
}

#[test]
fn a_producer_is_made_known_before_it_is_consumed_and_once() {
    let mut world = spread(3);
    let [ana, ben, cleo] = trio(&mut world);
    world.prompt = false;
    world.request(ben.session, "consume", consume(&ana.producer));
    world.request(ben.session, "consume", consume(&ana.producer));
    let commands: Vec<_> = world
        .commands
        .iter()
        .map(|(shard, _, command)| match command {
            Command::CreatePipedProducer { producer, .. } => {
                (shard.0, "pipe", producer.to_string())
            }
            Command::Consume { producer, .. } => (shard.0, "consume", producer.to_string()),
            other => panic!("{other:?}"),
        })
        .collect();
    let producer = &ana.producer;
    assert_eq!(
        commands,
        [
            (1, "pipe", producer.clone()),
            (1, "consume", producer.clone()),
            (1, "consume", producer.clone()),
        ]
    );
    world.prompt = true;
    world.settle();
    world.consume(cleo.session, producer);
    world.consume(ana.session, &cleo.producer);
    assert_eq!(pipes(&world), [1, 1, 1]);
    let (_, _, origin) = world.shards[0].pipes.values().next().unwrap();
    assert_eq!(*origin, 2);
    end(world, [ana, ben, cleo].map(|it| it.session));
}

#[test]
fn whatever_ends_a_producer_ends_it_on_all_shards() {
    let ends: [fn(&mut World, &Belongings); 5] = [
        |world, ana| {
            let payload = json!({"producerId": ana.producer});
            world.get(ana.session, "closeProducer", payload, "closedProducer");
        },
        |world, ana| {
            let payload = json!({"transportId": ana.send});
            world.get(ana.session, "closeTransport", payload, "closedTransport");
        },
        |world, ana| world.engine_closes(&ana.send),
        |world, ana| {
            world.get(ana.session, "leaveRoom", json!({}), "roomLeft");
        },
        |world, ana| world.close(ana.session),
    ];
    for (number, ends) in ends.into_iter().enumerate() {
        let mut world = spread(3);
        let [ana, ben, cleo] = trio(&mut world);
        for session in [ben.session, cleo.session] {
            world.consume(session, &ana.producer);
        }
        let own = world.consume(ben.session, &cleo.producer);
        world.all(ben.session);
        ends(&mut world, &ana);
        assert_eq!(pipes(&world), [0, 1, 0], "end {number}");
        let told = world.types(ben.session);
        let is_end = |it: &String| it == "producerClosed" || it == "peerLeft";
        assert_eq!(told.iter().filter(|it| is_end(it)).count(), 1, "{told:?}");
        // The rest goes on.
        world.get(
            ben.session,
            "pauseConsumer",
            json!({"consumerId": own}),
            "consumerPaused",
        );
        end(world, [ana, ben, cleo].map(|it| it.session));
    }
}

#[test]
fn a_consumer_that_ends_leaves_the_producer_known_for_the_next() {
    let mut world = spread(2);
    let ana = equipped(&mut world, "room");
    let ben = equipped(&mut world, "room");
    let consumer = world.consume(ben.session, &ana.producer);
    let payload = json!({"consumerId": consumer});
    world.get(ben.session, "closeConsumer", payload, "closedConsumer");
    assert_eq!(pipes(&world), [0, 1]);
    world.consume(ben.session, &ana.producer);
    end(world, [ana, ben].map(|it| it.session));
}

#[test]
fn the_loss_of_a_shard_ends_what_was_there_and_nothing_else() {
    let mut world = spread(3);
    let [ana, ben, cleo] = trio(&mut world);
    for (viewer, publisher) in [(&ana, &ben), (&ana, &cleo), (&ben, &ana), (&cleo, &ana)] {
        world.consume(viewer.session, &publisher.producer);
    }
    for person in [&ana, &ben, &cleo] {
        world.all(person.session);
    }
    world.lose(ShardId(1));
    assert_eq!(world.types(ben.session).last().unwrap(), "workerLost");
    let closed = json!({"peerId": ben.peer, "producerId": ben.producer});
    let notice = json!({"type": "producerClosed", "payload": closed});
    assert_eq!(world.all(ana.session), std::slice::from_ref(&notice));
    assert_eq!(world.all(cleo.session), [notice]);
    // Of ben's nothing is known anywhere; what ben was sent is no longer known on the new worker.
    assert_eq!(pipes(&world), [1, 0, 1]);
    let send = world.transport(ben.session, "send");
    let recv = world.transport(ben.session, "recv");
    let producer = world.produce(ben.session, &send, "video");
    let ben = Belongings {
        send,
        recv,
        producer,
        ..ben
    };
    assert_eq!(shards_of(&world, &ben), [1, 1]);
    world.consume(ben.session, &ana.producer);
    world.consume(ana.session, &ben.producer);
    assert_eq!(pipes(&world), [2, 1, 1]);
    end(world, [ana, ben, cleo].map(|it| it.session));
}

#[test]
fn a_pipe_that_is_refused_refuses_the_consumer_and_is_tried_again() {
    let mut world = spread(2);
    let ana = equipped(&mut world, "room");
    let ben = equipped(&mut world, "room");
    let routers = std::mem::take(&mut world.shards[1].routers);
    let code = world.refused(ben.session, "consume", consume(&ana.producer));
    assert_eq!(code, "producer-not-found");
    world.shards[1].routers = routers;
    world.consume(ben.session, &ana.producer);
    end(world, [ana, ben].map(|it| it.session));
}

#[test]
fn a_pipe_that_a_worker_gave_up_is_made_anew_for_the_next() {
    let mut world = spread(2);
    let ana = equipped(&mut world, "room");
    let ben = equipped(&mut world, "room");
    world.consume(ben.session, &ana.producer);
    let producer = ProducerId::parse(&ana.producer).unwrap();
    let mut events = Vec::new();
    let close = Command::CloseProducer { producer };
    world.shards[1].execute(close, &mut events).unwrap();
    events.push(Event::PipedProducerClosed { producer });
    world.all(ben.session);
    for event in events {
        world.event(ShardId(1), event);
    }
    assert_eq!(world.types(ben.session), ["consumerClosed"]);
    world.consume(ben.session, &ana.producer);
    assert_eq!(pipes(&world), [0, 1]);
    end(world, [ana, ben].map(|it| it.session));
}

#[test]
fn a_shard_that_does_not_answer_leaves_no_pipe_behind() {
    let mut world = spread(2);
    let ana = equipped(&mut world, "room");
    let ben = equipped(&mut world, "room");
    world.prompt = false;
    let id = world.request(ben.session, "consume", consume(&ana.producer));
    world.pass(Duration::from_secs(10));
    let answer = world.answer(ben.session, id).unwrap();
    assert_eq!(answer["payload"]["code"], "timed-out");
    world.prompt = true;
    world.settle();
    assert_eq!(pipes(&world), [0, 0]);
    world.consume(ben.session, &ana.producer);
    end(world, [ana, ben].map(|it| it.session));
}

#[test]
fn a_room_of_many_uses_every_shard_alike() {
    let mut world = spread(4);
    let people: Vec<_> = (0..12).map(|_| equipped(&mut world, "room")).collect();
    let transports: Vec<_> = world.shards.iter().map(|it| it.transports.len()).collect();
    assert_eq!(transports, [6; 4]);
    for viewer in &people {
        for publisher in people.iter().filter(|it| it.peer != viewer.peer) {
            world.consume(viewer.session, &publisher.producer);
        }
    }
    // Every producer is known once on each of the three other shards.
    assert_eq!(pipes(&world), [9; 4]);
    end(world, people.into_iter().map(|it| it.session));
}
