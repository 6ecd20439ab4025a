//! Changing the extension elements of a packet that exists already: the payload moves as the
//! header grows or shrinks (RFC 8285 §4).
//!
//! This is for packets that are built once and kept (probes, recordings, test peers). The
//! forwarding path writes whole headers with `write_header` instead and never moves a payload.

use arrayvec::ArrayVec;

use super::{
    ExtensionForm, Extensions, FIXED_HEADER_LEN, RtpError, RtpHeader, write_extension_block,
};

/// Most elements an edited packet may have. Parameters negotiate at most 15 or so.
pub const ELEMENTS_MAX: usize = 32;

/// Longest extension block an edited packet may have: no datagram of ours is longer.
pub const BLOCK_LEN_MAX: usize = 1_500;

/// Gives the element `id` this value, whether it had another or none, and returns the new header.
/// A value of the same length is overwritten in place; otherwise the block is rewritten.
///
/// # Errors
/// What `RtpHeader::parse` says of the packet; `UnknownExtensionProfile` when its extension is not of
/// RFC 8285; `Element` when id or value fit neither form; `TooManyElements` beyond the limits.
/// The packet is unchanged then.
pub fn set_extension(packet: &mut Vec<u8>, id: u8, value: &[u8]) -> Result<RtpHeader, RtpError> {
    if id == 0 || value.len() > usize::from(u8::MAX) {
        return Err(RtpError::Element);
    }
    let header = editable(packet)?;
    let found = header
        .extension_ranges(packet)
        .find(|(found, _)| *found == id);
    if let Some((_, range)) = found
        && range.len() == value.len()
        && let Some(place) = packet.get_mut(range)
    {
        place.copy_from_slice(value);
        return Ok(header);
    }
    rewrite(packet, &header, id, Some(value))
}

/// Removes every element `id` and returns the new header; nothing changes when there is none. The
/// last element takes the whole extension with it.
///
/// # Errors
/// As `set_extension`.
pub fn remove_extension(packet: &mut Vec<u8>, id: u8) -> Result<RtpHeader, RtpError> {
    let header = editable(packet)?;
    if header.extension(packet, id).is_none() {
        return Ok(header);
    }
    rewrite(packet, &header, id, None)
}

fn editable(packet: &[u8]) -> Result<RtpHeader, RtpError> {
    let header = RtpHeader::parse(packet)?;
    match header.extension_form {
        ExtensionForm::Other(_) => Err(RtpError::UnknownExtensionProfile),
        _ => Ok(header),
    }
}

/// Writes the block again with `id` holding `value`, at its old place in the order or at the end.
fn rewrite(
    packet: &mut Vec<u8>,
    header: &RtpHeader,
    id: u8,
    value: Option<&[u8]>,
) -> Result<RtpHeader, RtpError> {
    let mut block = [0; BLOCK_LEN_MAX];
    let block_len = write_edited(&mut block, header.extensions(packet), id, value)?;
    let has_extension = block_len > 0;
    let first = packet.first_mut().ok_or(RtpError::Truncated)?;
    *first = *first & !0x10 | u8::from(has_extension) << 4;
    let block_start = FIXED_HEADER_LEN + usize::from(*first & 0x0f) * 4;
    packet.splice(
        block_start..header.header_len,
        block.into_iter().take(block_len),
    );
    RtpHeader::parse(packet)
}

/// Writes the block of `elements` after the change into `out`; returns its length, 0 when no
/// element is left.
fn write_edited<'a>(
    out: &mut [u8],
    elements: Extensions<'a>,
    id: u8,
    mut value: Option<&'a [u8]>,
) -> Result<usize, RtpError> {
    let mut edited = ArrayVec::<(u8, &[u8]), ELEMENTS_MAX>::new();
    for (found, old) in elements {
        let kept = if found == id { value.take() } else { Some(old) };
        if let Some(kept) = kept {
            edited
                .try_push((found, kept))
                .map_err(|_| RtpError::TooManyElements)?;
        }
    }
    if let Some(value) = value {
        edited
            .try_push((id, value))
            .map_err(|_| RtpError::TooManyElements)?;
    }
    if edited.is_empty() {
        return Ok(0);
    }
    write_extension_block(out, &edited).ok_or(RtpError::TooManyElements)
}
