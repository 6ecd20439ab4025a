//! One received audio stream: what of it came, and when it first did. There is no retransmission;
//! what is lost is lost.

use std::time::Duration;

use watersmeet_wire::units::Time;

use super::ledger::{Arrival, Ledger};
use super::violation::Violation;
use crate::tag::{TAG_LEN, Tag};

/// One received audio stream.
#[derive(Debug)]
pub struct Audio {
    /// What became of each packet.
    pub ledger: Ledger,
    /// When the track was made.
    made: Time,
    /// When the first packet came.
    first: Option<Time>,
    /// Packets of speech.
    pub spoken: u64,
    /// Packets of silence.
    pub silent: u64,
}

impl Audio {
    /// A stream of which nothing came yet.
    pub fn new(now: Time) -> Self {
        Self {
            ledger: Ledger::default(),
            made: now,
            first: None,
            spoken: 0,
            silent: 0,
        }
    }

    /// Time from the making of the track to its first packet.
    pub fn first_packet(&self) -> Option<Duration> {
        self.first.map(|first| first.since(self.made))
    }

    /// Takes a packet; its signature, if it is not silence.
    pub fn receive(
        &mut self,
        now: Time,
        seq: u16,
        payload: &[u8],
    ) -> Result<Option<Tag>, Violation> {
        let seq = match self.ledger.place(now, seq, false) {
            Arrival::Newest(seq) | Arrival::Filling(seq) => seq,
            Arrival::Known => return Ok(None),
            Arrival::Jump => {
                return Err(Violation::SequenceJump {
                    ssrc: Default::default(),
                });
            }
        };
        self.first.get_or_insert(now);
        if payload.len() <= TAG_LEN {
            self.silent += 1;
            return Ok(None);
        }
        self.spoken += 1;
        let tag = payload.get(1..).and_then(Tag::parse);
        tag.map(Some).ok_or(Violation::Damaged { seq })
    }
}
