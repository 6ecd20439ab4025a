//! The media engine: mediasoup's object model without sockets, threads or a clock. It is told the
//! time, it is consistent after every input, and its outputs wait in bounded queues until they are
//! drained once per loop.

mod arrival_log;
pub mod command;
mod consumer;
mod demux;
pub mod egress;
pub mod ortc;
mod packet;
mod packet_cache;
mod producer;
pub mod rate;
mod remb;
mod router;
mod rtp_listener;
pub mod shard_message;
pub mod stats;
mod timers;
pub mod transport;
pub mod worker;
