//! Bottleneck that several participants and TCP flows share on their way from the server, as behind
//! the access link of an office.

use std::time::Duration;

use watersmeet_wire::units::Time;

use super::{InFlight, World};
use crate::cross_traffic::{SEGMENT_LEN, TcpFlow, Transfers};
use crate::network::capacity::RateStep;
use crate::network::{Link, LinkProfile};
use crate::seeds;

/// Round-trip time of TCP flows outside of the bottleneck.
const TCP_ROUND_TRIP: Duration = Duration::from_millis(100);

/// Most TCP flows in a world.
pub const TCP_FLOWS_MAX: usize = 64;

impl World {
    /// Adds the bottleneck, with its bitrates over time. Participants are behind it when
    /// [`World::place_behind_bottleneck`] says so.
    pub fn add_bottleneck(&mut self, profile: LinkProfile, rates: Vec<RateStep>) {
        let mut link = Link::new(profile, seeds::generator(self.seed, "bottleneck"));
        link.schedule_rates(rates);
        self.bottleneck = Some(link);
    }

    /// Sends what a participant receives through the bottleneck, before its own link.
    pub fn place_behind_bottleneck(&mut self, name: &str) {
        if let Some(participant) = self.participant_mut(name) {
            participant.is_behind_bottleneck = true;
        }
    }

    /// Adds a TCP flow through the bottleneck.
    pub fn add_tcp_flow(&mut self, transfers: Transfers, start: Time) {
        let index = self.tcp_flows.len();
        if index < TCP_FLOWS_MAX {
            let rng = seeds::generator(self.seed, &format!("tcp{index}"));
            self.tcp_flows.push(TcpFlow::new(transfers, start, rng));
        }
    }

    /// Returns the bottleneck.
    pub const fn bottleneck(&self) -> Option<&Link> {
        self.bottleneck.as_ref()
    }

    /// Returns when a packet of a participant leaves the bottleneck; `None` when it is dropped there.
    pub(super) fn pass_bottleneck(&mut self, index: usize, len: usize) -> Option<Time> {
        let is_behind = |it: &crate::participant::Participant| it.is_behind_bottleneck;
        match &mut self.bottleneck {
            Some(link) if self.participants.get(index).is_some_and(is_behind) => {
                link.transmit(self.now, len)[0]
            }
            _ => Some(self.now),
        }
    }

    /// Sends the due segments of all TCP flows; returns whether there were any.
    pub(super) fn send_tcp_segments(&mut self) -> bool {
        let now = self.now;
        let mut acks = Vec::new();
        let mut progressed = false;
        for (flow, tcp_flow) in self.tcp_flows.iter_mut().enumerate() {
            while let Some(number) = tcp_flow.poll_segment(now) {
                progressed = true;
                let link = self.bottleneck.as_mut();
                let arrival = link.and_then(|link| link.transmit(now, SEGMENT_LEN)[0]);
                acks.extend(arrival.map(|at| (at + TCP_ROUND_TRIP, flow, number)));
            }
        }
        for (at, flow, number) in acks {
            self.schedule(at, InFlight::TcpAck { flow, number });
        }
        progressed
    }
}
