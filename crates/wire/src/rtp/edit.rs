//! Editor of the extension elements of an existing packet; the payload moves when the header grows
//! or shrinks (RFC 8285 §4).
//!
//! For packets that are built once and kept (probes, recordings, test peers). The forwarding path
//! writes complete headers with `write_header` instead and never moves a payload.

use arrayvec::ArrayVec;

use super::{
    ExtensionForm, Extensions, FIXED_HEADER_LEN, RtpError, RtpHeader, write_extension_block,
};

/// Most elements of an edited packet. Clients negotiate about 15 at most.
pub const ELEMENTS_MAX: usize = 32;

/// Longest extension block of an edited packet, in bytes: the length of the longest datagram.
pub const BLOCK_LEN_MAX: usize = 1_500;

/// Sets the value of the element `id`, adding the element if it is absent, and returns the new
/// header. A value of the same length is overwritten in place; otherwise the block is rewritten.
///
/// # Errors
/// Errors of [`RtpHeader::parse`]; `UnknownExtensionProfile` when the extension has no RFC 8285
/// elements; `InvalidElement` when id or value fit neither form; `TooManyElements` above the
/// limits. The packet is unchanged on errors.
pub fn set_extension(packet: &mut Vec<u8>, id: u8, value: &[u8]) -> Result<RtpHeader, RtpError> {
    if id == 0 || value.len() > usize::from(u8::MAX) {
        return Err(RtpError::InvalidElement);
    }
    let header = parse_editable(packet)?;
    let existing = header
        .extension_ranges(packet)
        .find(|(found, _)| *found == id);
    if let Some((_, range)) = existing
        && range.len() == value.len()
        && let Some(old_value) = packet.get_mut(range)
    {
        old_value.copy_from_slice(value);
        return Ok(header);
    }
    rewrite(packet, &header, id, Some(value))
}

/// Removes every element `id` and returns the new header; the packet is unchanged when there is
/// none. Removing the last element removes the extension block.
///
/// # Errors
/// As for [`set_extension`].
pub fn remove_extension(packet: &mut Vec<u8>, id: u8) -> Result<RtpHeader, RtpError> {
    let header = parse_editable(packet)?;
    if header.extension(packet, id).is_none() {
        return Ok(header);
    }
    rewrite(packet, &header, id, None)
}

fn parse_editable(packet: &[u8]) -> Result<RtpHeader, RtpError> {
    let header = RtpHeader::parse(packet)?;
    match header.extension_form {
        ExtensionForm::Other(_) => Err(RtpError::UnknownExtensionProfile),
        _ => Ok(header),
    }
}

/// Rewrites the block with `id` set to `value`, at its old position or at the end.
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

/// Writes the block of `elements` after the change to `out` and returns its length, 0 when no
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
