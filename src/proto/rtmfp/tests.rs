//! Two ends in memory, on a path that loses, repeats, delays and swaps datagrams as a seed says.

mod connection;
mod ends;
mod hostile;
mod opening;
mod transfer;

pub(super) use crate::util::hex::encode as hex;

/// Bytes of their hexadecimal digits.
pub(super) fn bytes(digits: &str) -> Vec<u8> {
    crate::util::hex::decode(digits).unwrap()
}
