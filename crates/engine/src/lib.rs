//! The media engine: mediasoup's object model without sockets, threads or a clock. It is told the
//! time, it is consistent after every input, and its outputs wait in bounded queues until they are
//! drained once per loop.

pub mod command;
pub mod ortc;
pub mod rate;
pub mod stats;
pub mod transport;
