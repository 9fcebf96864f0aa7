//! What the enhanced headers of audio and video have in common: packet types, ModEx and Multitrack.

/// Packet type ModEx, the same for audio and video.
pub(super) const MOD_EX: u8 = 7;

/// ModEx entries in one payload. One kind is defined (of two bytes more than its data), so this is generous.
pub const MAX_MOD_EX: usize = 16;

/// The packet type of an enhanced payload behind its ModEx entries, in a multitrack payload that of the tracks. `multitrack`
/// is the number of the packet type Multitrack, which is not the same for audio and video. None: the payload ends before, it
/// is of a kind of multitrack that is not defined, or it has more ModEx entries than [`MAX_MOD_EX`].
#[inline]
pub(super) fn packet_type(payload: &[u8], multitrack: u8) -> Option<u8> {
    let kind = payload.first()? & 15;
    if kind == MOD_EX || kind == multitrack { nested_packet_type(payload, multitrack) } else { Some(kind) }
}

#[inline(never)]
fn nested_packet_type(payload: &[u8], multitrack: u8) -> Option<u8> {
    let (first, mut rest) = payload.split_first()?;
    let mut kind = first & 15;
    let mut entries = 0;
    while kind == MOD_EX {
        let (_, last, behind) = split_mod_ex(rest)?;
        entries += 1;
        if entries > MAX_MOD_EX {
            return None;
        }
        kind = last & 15;
        rest = behind;
    }
    if kind != multitrack {
        return Some(kind);
    }
    let byte = rest.first()?;
    let inner = byte & 15;
    (byte >> 4 <= 2 && inner != multitrack && inner != MOD_EX).then_some(inner)
}

/// Splits a ModEx entry off: its data, the byte with its kind and the next packet type, and what follows.
pub(super) fn split_mod_ex(bytes: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let (size, rest) = match *bytes {
        [0xff, high, low, ref rest @ ..] => (usize::from(u16::from_be_bytes([high, low])) + 1, rest),
        [0xff, ..] | [] => return None,
        [size, ref rest @ ..] => (usize::from(size) + 1, rest),
    };
    let (data, rest) = rest.split_at_checked(size)?;
    let (last, rest) = rest.split_first()?;
    Some((data, *last, rest))
}
