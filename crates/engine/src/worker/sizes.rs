//! How large the things are of which a worker has many; for the account of its memory.

use std::mem::size_of;

use super::{Worker, line::Line};
use crate::consumer::{Consumer, departure::Departure, resend::Sent};
use crate::history::Stored;
use crate::listener::Listener;
use crate::producer::{Producer, stream::Stream};
use crate::rate::RateWindow;
use crate::transport::{Transport, dtls::Dtls, ice::Ice};

impl Worker {
    /// Bytes of one of each, without what it points to.
    pub fn sizes() -> [(&'static str, usize); 13] {
        [
            ("transport with what hangs on it", size_of::<Line>()),
            ("  transport", size_of::<Transport>()),
            ("    ICE", size_of::<Ice>()),
            ("    DTLS", size_of::<Dtls>()),
            ("  endpoint of dimpl", size_of::<dimpl::Dtls>()),
            ("  listener", size_of::<Listener>()),
            ("  rate", size_of::<RateWindow>()),
            ("producer", size_of::<Producer>()),
            ("  stream", size_of::<Stream>()),
            ("    kept packet", size_of::<Stored>()),
            ("consumer", size_of::<Consumer>()),
            ("  sent packet", size_of::<Sent>()),
            ("departure", size_of::<Departure>()),
        ]
    }
}
