//! The media engine: mediasoup's object model without sockets, threads or a clock. It is told the
//! time, it is consistent after every input, and its outputs wait in bounded queues until they are
//! drained once per loop.

mod arrivals;
pub mod command;
mod consumer;
pub mod crossing;
mod demux;
pub mod egress;
mod history;
mod listener;
pub mod ortc;
mod packet;
mod producer;
pub mod rate;
mod remb;
mod router;
pub mod stats;
mod timers;
pub mod transport;
pub mod worker;
