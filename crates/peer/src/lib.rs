//! watersmeet-peer
