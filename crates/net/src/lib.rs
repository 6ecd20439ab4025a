//! watersmeet-net
