//! Arbitrary bytes as a TCP stream of frames, split at arbitrary points: the result must not depend
//! on the split, and at most one frame may be buffered.
#![no_main]

use watersmeet_net::tcp::frame::{FRAME_LEN_MAX, FrameDecoder, FrameTooLong, LENGTH_LEN, write};

/// Decodes `stream` in pieces of the given lengths; the last piece is the rest of the stream.
fn decode(stream: &[u8], pieces: &[usize]) -> (Vec<Vec<u8>>, Result<(), FrameTooLong>) {
    let mut stream = stream.to_vec();
    let mut rest = stream.as_mut_slice();
    let mut decoder = FrameDecoder::default();
    let mut frames = Vec::new();
    let mut pieces = pieces.iter().copied().chain(std::iter::repeat(usize::MAX));
    while !rest.is_empty() {
        let len = pieces.next().unwrap_or(usize::MAX).clamp(1, rest.len());
        let (piece, after) = std::mem::take(&mut rest).split_at_mut(len);
        let result = decoder.decode(piece, |frame| {
            assert!((1..=FRAME_LEN_MAX).contains(&frame.len()));
            frames.push(frame.to_vec());
            frame.fill(0xa5);
        });
        assert!(decoder.pending_len() < LENGTH_LEN + FRAME_LEN_MAX);
        if result.is_err() {
            return (frames, result);
        }
        rest = after;
    }
    (frames, Ok(()))
}

libfuzzer_sys::fuzz_target!(|input: (Vec<u8>, Vec<u8>)| {
    let (cuts, stream) = input;
    let cuts: Vec<usize> = cuts.into_iter().map(usize::from).collect();
    let unsplit = decode(&stream, &[]);
    assert_eq!(decode(&stream, &cuts), unsplit);

    let mut written = Vec::new();
    for frame in &unsplit.0 {
        assert!(write(&mut written, frame));
    }
    assert_eq!(decode(&written, &cuts), (unsplit.0, Ok(())));
});
