//! The media engine: mediasoup's object model without sockets, threads or a clock. It is told the
//! time, it is consistent after every input, and its outputs wait in bounded queues until the
//! caller drains them, once per loop iteration.

mod arrival_log;
pub mod command;
mod consumer;
mod demux;
pub mod egress;
mod ids;
mod layers;
pub mod ortc;
mod packet;
mod packet_cache;
mod path;
mod producer;
pub mod rate;
mod remb;
mod router;
mod rtp_listener;
pub mod shard_message;
mod slots;
pub mod stats;
mod ticket_queue;
mod timers;
pub mod transport;
mod transport_state;
pub mod worker;
