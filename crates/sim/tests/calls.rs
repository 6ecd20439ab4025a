//! Calls through the whole server, judged against the quality bars.

use watersmeet_sim::profiles::{cable, ideal};
use watersmeet_sim::scenario::{camera, secs};
use watersmeet_sim::seeds;
use watersmeet_sim::world::World;

#[test]
fn two_people_see_and_hear_each_other() {
    for seed in seeds::some(1) {
        let mut world = World::new(seed)
            .room("standup")
            .meets("ana", camera().simulcast(3).over(cable()))
            .meets("ben", camera().simulcast(3).over(ideal()))
            .run_for(secs(10));
        for (one, other) in [("ana", "ben"), ("ben", "ana")] {
            println!("{} {:?}", world.expect(one).sees(other).report, world.sent_by(other));
            println!("{}", world.expect(one).hears(other).report);
            world.expect(one).sees(other).at_least(28.0).without_freezes().losing_at_most(0.0);
            world.expect(one).hears(other).losing_at_most(0.0);
        }
        world.end();
    }
}
