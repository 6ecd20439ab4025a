//! watersmeet-sim
