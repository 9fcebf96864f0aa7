//! Numbers, options and addresses (RFC 7016 §2.1.2 to §2.1.5).
//!
//! ```text
//! VLU      7 bits per byte, most significant first; bit 7 is set in every byte but the last         128 = 81 00
//! option   VLU length of type and value │ VLU type │ value         a length of 0 is a marker: no type, no value
//! address  UI8: bit 7 IPv6, bits 0–1 origin │ 4 or 16 bytes │ UI16 port
//! ```
//!
//! Does not know what any option means.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Reads bytes from the front. `None` means that too few are left; what was read until then stays read.
#[derive(Debug, Clone, Copy)]
pub struct PacketReader<'a>(pub &'a [u8]);

impl<'a> PacketReader<'a> {
    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (front, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*front)
    }

    /// An unsigned 8-bit integer.
    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// An unsigned 16-bit integer.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// An unsigned 32-bit integer.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A VLU. One that does not fit is taken for the largest number, as §2.1.2 asks for.
    pub fn vlu(&mut self) -> Option<u64> {
        let mut value = 0u64;
        loop {
            let byte = self.u8()?;
            value = match value.checked_mul(1 << 7) {
                Some(shifted) => shifted | u64::from(byte & 0x7f),
                None => u64::MAX,
            };
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
    }

    /// The next `count` bytes.
    pub fn bytes(&mut self, count: u64) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(front)
    }

    /// Bytes that have their length before them, as a VLU.
    pub fn sized(&mut self) -> Option<&'a [u8]> {
        let length = self.vlu()?;
        self.bytes(length)
    }

    /// The next option of a list.
    pub fn option(&mut self) -> Option<RawOption<'a>> {
        let mut inside = PacketReader(self.sized()?);
        if inside.0.is_empty() {
            return Some(RawOption::Marker);
        }
        Some(RawOption::Value(inside.vlu()?, inside.0))
    }

    /// An address with its port.
    pub fn address(&mut self) -> Option<SocketAddr> {
        let ip = match self.u8()? & IPV6 {
            0 => IpAddr::from(Ipv4Addr::from(self.array::<4>()?)),
            _ => IpAddr::from(Ipv6Addr::from(self.array::<16>()?)),
        };
        Some(SocketAddr::new(ip, self.u16()?))
    }
}

/// An entry of an option list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawOption<'a> {
    /// The end of the list.
    Marker,
    /// Type and value.
    Value(u64, &'a [u8]),
}

/// The options of a list up to its marker, its end, or the first that cannot be read.
pub fn options(list: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut cursor = PacketReader(list);
    std::iter::from_fn(move || match cursor.option()? {
        RawOption::Marker => None,
        RawOption::Value(kind, value) => Some((kind, value)),
    })
}

/// Appends a VLU.
pub fn put_vlu(out: &mut Vec<u8>, value: u64) {
    let groups = (64 - value.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let more = if group > 0 { 0x80 } else { 0 };
        out.push((value >> (7 * group)) as u8 & 0x7f | more);
    }
}

/// Appends bytes and their length before them.
pub fn put_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    put_vlu(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends an option. The types of this protocol take a byte.
pub fn put_option(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    put_vlu(out, 1 + value.len() as u64);
    out.push(kind & 0x7f);
    out.extend_from_slice(value);
}

/// Appends an address whose origin is not told.
pub fn put_address(out: &mut Vec<u8>, address: SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => {
            out.push(0);
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(IPV6);
            out.extend_from_slice(&ip.octets());
        }
    }
    out.extend_from_slice(&address.port().to_be_bytes());
}

/// Flag of an address with 16 bytes.
const IPV6: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    fn vlu(value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put_vlu(&mut out, value);
        out
    }

    #[test]
    fn numbers_are_as_in_the_specification() {
        for (value, bytes) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0x81, 0]),
            (1935, &[0x8f, 0x0f]),
            (16383, &[0xff, 0x7f]),
            (u64::MAX, &[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        ] {
            assert_eq!(vlu(value), bytes);
            assert_eq!(PacketReader(bytes).vlu(), Some(value));
            for end in 0..bytes.len() {
                assert_eq!(PacketReader(&bytes[..end]).vlu(), None);
            }
        }
    }

    #[test]
    fn padded_numbers_are_read_and_large_ones_do_not_wrap() {
        assert_eq!(PacketReader(&[0x80, 0x80, 0x80, 5]).vlu(), Some(5));
        assert_eq!(PacketReader(&[0xff; 200]).vlu(), None);
        assert_eq!(PacketReader(&[&[0xff; 200][..], &[0]].concat()).vlu().map(|v| v > 1 << 62), Some(true));
        assert_eq!(PacketReader(&[0x84, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0]).vlu(), Some(u64::MAX));
    }

    #[test]
    fn option_lists_end_at_the_marker_or_where_they_break() {
        let list = [3, 0x1a, 2, 10, 2, 0x1e, 2, 0, 1, 7];
        assert_eq!(options(&list).collect::<Vec<_>>(), [(0x1a, &[2, 10][..]), (0x1e, &[2])]);
        for end in 0..7 {
            assert_eq!(options(&list[..end]).count(), usize::from(end >= 4), "{end}");
        }
        let mut made = Vec::new();
        put_option(&mut made, 0x1a, &[2, 10]);
        assert_eq!(made, list[..4]);
        put_option(&mut made, 0x0d, &[5; 200]);
        assert_eq!(made[4..7], [0x81, 0x49, 0x0d]);
        // An option whose type alone is longer than it.
        assert_eq!(options(&[1, 0x80, 0]).count(), 0);
    }

    #[test]
    fn addresses_of_both_families() {
        for (text, bytes) in
            [("127.0.0.1:19370", "007f0000014baa"), ("[2001:db8::7]:1935", "8020010db8000000000000000000000007078f")]
        {
            let address: SocketAddr = text.parse().unwrap();
            let mut out = Vec::new();
            put_address(&mut out, address);
            assert_eq!(super::super::tests::hex(&out), bytes);
            assert_eq!(PacketReader(&out).address(), Some(address));
            for end in 0..out.len() {
                assert_eq!(PacketReader(&out[..end]).address(), None);
            }
            // Where it is known from makes no difference.
            out[0] |= 2;
            assert_eq!(PacketReader(&out).address(), Some(address));
        }
    }
}
