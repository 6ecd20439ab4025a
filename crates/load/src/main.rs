//! `watersmeet-load`: thousands of scripted peers over real sockets against any server that speaks
//! the native protocol, and one table of what they saw and what serving them cost.
//!
//! It measures the server, never itself: a run in which its own threads had more than 85 % of
//! their cores is said to be invalid.

mod cost;
mod latency;
mod runs;
mod table;

fn main() {}
