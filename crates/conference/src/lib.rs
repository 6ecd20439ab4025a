//! watersmeet-conference
