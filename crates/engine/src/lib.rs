//! Sans-IO media engine with mediasoup's object model. The guide below is the crate's `README.md`.
//!
#![doc = include_str!("../README.md")]

mod active_speaker;
pub mod allocation;
mod arrival_log;
pub mod command;
mod congestion;
mod consumer;
mod demux;
pub mod egress;
mod ids;
pub mod keyframe_index;
mod layer_structure;
mod layers;
mod loudest_voices;
mod numbered_packets;
pub mod ortc;
mod packet;
mod packet_cache;
mod path;
mod probation;
mod producer;
mod publisher_clock;
pub mod rate;
mod redundancy;
mod remb;
mod replay_window;
mod retransmission_budget;
mod retransmissions_in_flight;
mod round_trip;
mod router;
mod rtp_listener;
mod sample;
mod score;
pub mod shard_message;
mod slots;
mod ssrc_allocator;
pub mod stats;
mod ticket_queue;
mod timers;
pub mod transport;
mod transport_state;
pub mod ufrag;
pub mod worker;
