//! One peer's secure pipe.

pub mod dtls;
pub mod ice;
pub mod srtp;
