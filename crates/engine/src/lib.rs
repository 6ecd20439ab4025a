//! watersmeet-engine
