//! RFC 4571 framing: two bytes of length before each packet. Pure: bytes in, frames out. A stream
//! comes in arbitrary pieces; at most one unfinished frame is remembered.

/// Longest frame accepted. Media fits in 1,500 bytes and a DTLS flight in a few thousand; the
/// format would allow 65,535, which an attacker could make each connection remember.
pub const FRAME_LEN_MAX: usize = 8_192;

/// Bytes of the length before each frame.
pub const LENGTH_LEN: usize = 2;

/// The peer announced a frame longer than [`FRAME_LEN_MAX`]. What follows cannot be read: close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameTooLong;

/// Cuts a stream into frames.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    /// The start of an unfinished frame, its length included; at most `LENGTH_LEN + FRAME_LEN_MAX`.
    partial: Vec<u8>,
}

impl FrameDecoder {
    /// Takes the next piece of the stream and hands out every frame that is complete. The frames
    /// may be changed in slot. Empty frames, which the format allows, are skipped.
    ///
    /// # Errors
    /// When a frame is too long; the frames before it have been handed out.
    pub fn decode(
        &mut self,
        mut input: &mut [u8],
        mut visit: impl FnMut(&mut [u8]),
    ) -> Result<(), FrameTooLong> {
        if !self.partial.is_empty() {
            input = self.complete_partial(input, &mut visit)?;
        }
        while let Some(len) = frame_len(input)? {
            if input.len() < LENGTH_LEN + len {
                break;
            }
            let (frame, rest) = std::mem::take(&mut input).split_at_mut(LENGTH_LEN + len);
            hand_out(frame, &mut visit);
            input = rest;
        }
        self.partial.extend_from_slice(input);
        Ok(())
    }

    /// How many bytes of an unfinished frame are remembered.
    pub fn pending(&self) -> usize {
        self.partial.len()
    }

    /// Moves bytes from `input` to the unfinished frame until it is complete or `input` is empty;
    /// the rest of `input`.
    fn complete_partial<'a>(
        &mut self,
        input: &'a mut [u8],
        visit: &mut impl FnMut(&mut [u8]),
    ) -> Result<&'a mut [u8], FrameTooLong> {
        let input = self.take_up_to(LENGTH_LEN, input);
        let Some(len) = frame_len(&self.partial)? else {
            return Ok(input);
        };
        let input = self.take_up_to(LENGTH_LEN + len, input);
        if self.partial.len() == LENGTH_LEN + len {
            hand_out(&mut self.partial, visit);
            self.partial.clear();
        }
        Ok(input)
    }

    /// Lengthens the unfinished frame to `len`, as far as `input` goes; the rest of `input`.
    fn take_up_to<'a>(&mut self, len: usize, input: &'a mut [u8]) -> &'a mut [u8] {
        let wanted = len.saturating_sub(self.partial.len()).min(input.len());
        let (taken, rest) = input.split_at_mut(wanted);
        self.partial.extend_from_slice(taken);
        rest
    }
}

/// The length of the frame at the start of `input`; none when its length is not there yet.
fn frame_len(input: &[u8]) -> Result<Option<usize>, FrameTooLong> {
    let Some(len) = input.first_chunk() else {
        return Ok(None);
    };
    let len = usize::from(u16::from_be_bytes(*len));
    if len > FRAME_LEN_MAX {
        Err(FrameTooLong)
    } else {
        Ok(Some(len))
    }
}

/// Hands out the frame behind its length.
fn hand_out(frame: &mut [u8], visit: &mut impl FnMut(&mut [u8])) {
    if let Some((_, contents)) = frame.split_at_mut_checked(LENGTH_LEN)
        && !contents.is_empty()
    {
        visit(contents);
    }
}

/// Appends `contents` to `out` as a frame. False, and nothing appended, when it is too long.
pub fn write(out: &mut Vec<u8>, contents: &[u8]) -> bool {
    let Ok(len) = u16::try_from(contents.len()) else {
        return false;
    };
    if contents.len() > FRAME_LEN_MAX {
        return false;
    }
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(contents);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(lengths: &[usize]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        for (number, len) in lengths.iter().enumerate() {
            let contents = vec![u8::try_from(number).unwrap(); *len];
            assert!(write(&mut stream, &contents));
            if *len > 0 {
                expected.push(contents);
            }
        }
        (stream, expected)
    }

    #[test]
    fn frames_survive_any_cutting_of_the_stream() {
        let (stream, expected) = frames(&[1, 0, 20, 300, 2, 0, 0, 1_200, FRAME_LEN_MAX, 5]);
        for piece in (1..40).chain([255, 256, 257, 1_201, 9_000, stream.len()]) {
            let mut decoder = FrameDecoder::default();
            let mut seen = Vec::new();
            for bytes in stream.clone().chunks_mut(piece) {
                decoder
                    .decode(bytes, |frame| seen.push(frame.to_vec()))
                    .unwrap();
                assert!(decoder.pending() <= LENGTH_LEN + FRAME_LEN_MAX);
            }
            assert_eq!(seen, expected, "pieces of {piece}");
            assert_eq!(decoder.pending(), 0);
        }
    }

    #[test]
    fn an_announced_frame_that_is_too_long_is_refused_however_it_arrives() {
        let length = u16::try_from(FRAME_LEN_MAX + 1).unwrap().to_be_bytes();
        let mut decoder = FrameDecoder::default();
        assert_eq!(
            decoder.decode(&mut length.clone(), |_| ()),
            Err(FrameTooLong)
        );
        let mut decoder = FrameDecoder::default();
        assert_eq!(decoder.decode(&mut length[..1].to_vec(), |_| ()), Ok(()));
        assert_eq!(
            decoder.decode(&mut length[1..].to_vec(), |_| ()),
            Err(FrameTooLong)
        );
    }

    #[test]
    fn a_frame_that_is_too_long_is_not_written() {
        let mut out = Vec::new();
        assert!(!write(&mut out, &vec![0; FRAME_LEN_MAX + 1]));
        assert!(!write(&mut out, &vec![0; 70_000]));
        assert!(out.is_empty());
        assert!(write(&mut out, &vec![0; FRAME_LEN_MAX]));
    }
}
