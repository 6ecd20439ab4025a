//! RFC 4571 framing: two bytes of length before each packet. Works on bytes alone. A stream arrives in
//! arbitrary pieces; at most one unfinished frame is buffered.

/// Bytes of the longest accepted frame. Media fits in 1,500 bytes and a DTLS flight in a few thousand.
/// The format allows 65,535, which an attacker could make each connection buffer.
pub const FRAME_LEN_MAX: usize = 8_192;

/// Bytes of the length before each frame.
pub const LENGTH_LEN: usize = 2;

/// The peer announced a frame longer than [`FRAME_LEN_MAX`]. The connection must be closed, because
/// the rest of the stream cannot be framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameTooLong;

/// Splits a stream into frames.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    /// Start of an unfinished frame, including its length; at most `LENGTH_LEN + FRAME_LEN_MAX`.
    partial: Vec<u8>,
}

impl FrameDecoder {
    /// Takes the next piece of the stream and passes every complete frame to `visit`, which may
    /// modify it in place. Empty frames, which the format allows, are skipped.
    ///
    /// # Errors
    /// Fails when a frame is too long; the frames before it have been passed on.
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
            visit_frame(frame, &mut visit);
            input = rest;
        }
        self.partial.extend_from_slice(input);
        Ok(())
    }

    /// Returns the buffered bytes of an unfinished frame.
    pub fn pending_len(&self) -> usize {
        self.partial.len()
    }

    /// Moves bytes from `input` to the unfinished frame until it is complete or `input` is empty,
    /// and returns the rest of `input`.
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
            visit_frame(&mut self.partial, visit);
            self.partial.clear();
        }
        Ok(input)
    }

    /// Extends the unfinished frame to at most `len` bytes from `input`, and returns the rest of
    /// `input`.
    fn take_up_to<'a>(&mut self, len: usize, input: &'a mut [u8]) -> &'a mut [u8] {
        let wanted = len.saturating_sub(self.partial.len()).min(input.len());
        let (taken, rest) = input.split_at_mut(wanted);
        self.partial.extend_from_slice(taken);
        rest
    }
}

/// Returns the length of the frame at the start of `input`; `None` when it is not known yet.
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

/// Passes on the frame behind its length.
fn visit_frame(frame: &mut [u8], visit: &mut impl FnMut(&mut [u8])) {
    if let Some((_, contents)) = frame.split_at_mut_checked(LENGTH_LEN)
        && !contents.is_empty()
    {
        visit(contents);
    }
}

/// Appends `contents` to `out` as a frame. Returns false, and appends nothing, when it is too long.
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
    fn frames_are_decoded_from_pieces_of_any_size() {
        let (stream, expected) = frames(&[1, 0, 20, 300, 2, 0, 0, 1_200, FRAME_LEN_MAX, 5]);
        for piece in (1..40).chain([255, 256, 257, 1_201, 9_000, stream.len()]) {
            let mut decoder = FrameDecoder::default();
            let mut seen = Vec::new();
            for bytes in stream.clone().chunks_mut(piece) {
                decoder
                    .decode(bytes, |frame| seen.push(frame.to_vec()))
                    .unwrap();
                assert!(decoder.pending_len() <= LENGTH_LEN + FRAME_LEN_MAX);
            }
            assert_eq!(seen, expected, "pieces of {piece}");
            assert_eq!(decoder.pending_len(), 0);
        }
    }

    #[test]
    fn announced_length_beyond_the_maximum_is_refused_in_one_piece_or_two() {
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
    fn frame_beyond_the_maximum_is_not_written() {
        let mut out = Vec::new();
        assert!(!write(&mut out, &vec![0; FRAME_LEN_MAX + 1]));
        assert!(!write(&mut out, &vec![0; 70_000]));
        assert!(out.is_empty());
        assert!(write(&mut out, &vec![0; FRAME_LEN_MAX]));
    }
}
