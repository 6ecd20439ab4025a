//! The interface of a queue of frames to one network device.

use std::io;

/// A queue of frames to one device. Implemented by the kernel's ring and, in tests, by a fake.
pub(crate) trait FrameRing: Sized {
    /// Opens a ring to the device with this interface index.
    fn open(device: u32) -> io::Result<Self>;

    /// Lets `write` fill the next frame and return its length. Returns false when the ring is full.
    fn push(&mut self, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool;

    /// Sends as many queued frames as the device has room for. Returns whether any were sent.
    fn flush(&mut self) -> io::Result<bool>;
}
