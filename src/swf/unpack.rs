//! The three packings of SWF files (SWF file format specification, version 19, "The SWF header").
//!
//! ```text
//! FWS │ version │ 4 bytes length │ body                                              length: of all, unpacked, little-endian
//! CWS │ version │ 4 bytes length │ zlib stream
//! ZWS │ version │ 4 bytes length │ 4 bytes packed length │ 5 bytes LZMA properties │ LZMA stream
//! ```

use super::types::{MAX_FILE, UnpackError};
use crate::proto::swfv::Hasher;
use flate2::read::ZlibDecoder;
use lzma_rs::decompress::{Options, UnpackedSize};
use std::io::{self, Write};

/// Hash and size (in bytes) of a SWF file once unpacked, as SWF verification wants them: the signature is FWS then. Holds no
/// more of the unpacked file than its packing needs.
///
/// # Errors
/// `bytes` are no SWF file, a damaged one, or one that is too large.
pub fn hash_of(bytes: &[u8]) -> Result<([u8; 32], u32), UnpackError> {
    if bytes.len() as u64 > MAX_FILE {
        return Err(UnpackError::TooLarge { limit: MAX_FILE });
    }
    let not_swf = || UnpackError::NotSwf { begin: bytes.iter().take(16).copied().collect() };
    let (header, body) = bytes.split_first_chunk::<8>().ok_or_else(not_swf)?;
    let [packing, b'W', b'S', version, l0, l1, l2, l3] = *header else { return Err(not_swf()) };
    let mut sink = Sink { hasher: Hasher::new(), size: 0, full: false };
    sink.take(&[b'F', b'W', b'S', version, l0, l1, l2, l3]);
    let done = match packing {
        b'F' => sink.write_all(body),
        b'C' => io::copy(&mut ZlibDecoder::new(body), &mut sink).map(drop),
        b'Z' => unpack_lzma(body, u32::from_le_bytes([l0, l1, l2, l3]), &mut sink),
        _ => return Err(not_swf()),
    };
    match done {
        _ if sink.full => Err(UnpackError::TooLarge { limit: MAX_UNPACKED }),
        Err(error) => Err(UnpackError::Damaged(error.to_string())),
        Ok(()) => Ok((sink.hasher.finish(), u32::try_from(sink.size).unwrap_or(u32::MAX))),
    }
}

fn unpack_lzma(body: &[u8], length: u32, sink: &mut Sink) -> io::Result<()> {
    let damaged = |reason: &str| io::Error::new(io::ErrorKind::InvalidData, reason);
    let (_, stream) = body.split_first_chunk::<4>().ok_or_else(|| damaged("it ends in its header"))?;
    let unpacked = u64::from(length).checked_sub(8).ok_or_else(|| damaged("its length is shorter than its header"))?;
    if unpacked > MAX_UNPACKED {
        sink.full = true;
        return Ok(());
    }
    let options = Options {
        unpacked_size: UnpackedSize::UseProvided(Some(unpacked)),
        memlimit: Some(MAX_DICTIONARY),
        ..Options::default()
    };
    let mut stream = stream;
    lzma_rs::lzma_decompress_with_options(&mut stream, sink, &options).map_err(|error| match error {
        lzma_rs::error::Error::IoError(error) => error,
        other => damaged(&other.to_string()),
    })
}

/// Hashes what it is given, up to a limit.
struct Sink {
    hasher: Hasher,
    size: u64,
    full: bool,
}

impl Sink {
    fn take(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.hasher.update(bytes);
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.size + bytes.len() as u64 > MAX_UNPACKED {
            self.full = true;
            return Err(io::Error::other("too large"));
        }
        self.take(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Most that is unpacked, in bytes: zlib packs up to a thousandfold, and what is hashed takes time.
const MAX_UNPACKED: u64 = 256 << 20;

/// Most that LZMA may look back, in bytes: it is held in memory.
const MAX_DICTIONARY: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::hex;

    /// What is packed below, unpacked: the header and "rtmpcat " sixteen times.
    fn plain() -> Vec<u8> {
        let mut file = b"FWS\x0b\x88\0\0\0".to_vec();
        file.extend(b"rtmpcat ".repeat(16));
        file
    }

    /// Packed by Python's zlib and lzma.
    const ZLIB: &str = "78da2b2ac92d484e2c51281a201a00998431b1";
    const LZMA_PROPERTIES: &str = "5d00008000";
    const LZMA: &str = "00391d09deb22d03c08b448c67a32fffffe37d0000";

    fn zws(length: u32) -> Vec<u8> {
        let stream = hex::decode(LZMA).unwrap();
        let packed = (stream.len() as u32).to_le_bytes();
        [b"ZWS\x0b", &length.to_le_bytes()[..], &packed, &hex::decode(LZMA_PROPERTIES).unwrap(), &stream].concat()
    }

    fn cws() -> Vec<u8> {
        [&b"CWS\x0b\x88\0\0\0"[..], &hex::decode(ZLIB).unwrap()].concat()
    }

    #[test]
    fn the_three_packings_have_one_hash() {
        // Python's hmac.
        let hash: [u8; 32] = hex::decode("8828627d414d3eced7dd34a8fe4105c9ccf8fb0c6c35078601bc7452f45ded1c")
            .unwrap()
            .try_into()
            .unwrap();
        for file in [plain(), cws(), zws(136)] {
            assert_eq!(hash_of(&file), Ok((hash, 136)), "{}", file[..3].escape_ascii());
        }
    }

    #[test]
    fn every_truncation_of_a_packed_file_is_noticed() {
        for length in 0..cws().len() {
            assert!(hash_of(&cws()[..length]).is_err(), "{length}");
        }
        // The last bytes of LZMA are only its end mark.
        for length in 0..zws(136).len() - 8 {
            assert!(hash_of(&zws(136)[..length]).is_err(), "{length}");
        }
        assert!(matches!(hash_of(&plain()[..7]), Err(UnpackError::NotSwf { .. })));
        assert!(hash_of(&plain()[..8]).is_ok());
    }

    #[test]
    fn damage_is_an_error_and_nothing_worse() {
        let mut bad = cws();
        *bad.last_mut().unwrap() ^= 1;
        assert!(matches!(hash_of(&bad), Err(UnpackError::Damaged(_))));
        for file in [cws(), zws(136)] {
            for at in 8..file.len() {
                for value in [0, 0x55, 0xff] {
                    let mut bad = file.clone();
                    bad[at] = value;
                    let _ = hash_of(&bad);
                }
            }
        }
        assert!(matches!(hash_of(&zws(7)), Err(UnpackError::Damaged(_))));
        assert!(matches!(hash_of(&zws(137)), Err(UnpackError::Damaged(_))));
    }

    #[test]
    fn what_is_no_swf_is_shown() {
        let error = hash_of(b"<!DOCTYPE html>\x1b<html>").unwrap_err().to_string();
        assert_eq!(error, "not a SWF file: it begins with \"<!DOCTYPE html>\\x1b\"");
        assert!(matches!(hash_of(b""), Err(UnpackError::NotSwf { .. })));
        assert!(matches!(hash_of(b"XWS\x0b\0\0\0\0"), Err(UnpackError::NotSwf { .. })));
    }

    #[test]
    fn bombs_do_not_go_off() {
        let mut packed = b"CWS\x0b\0\0\0\0".to_vec();
        let mut encoder = flate2::write::ZlibEncoder::new(&mut packed, flate2::Compression::fast());
        let block = vec![0; 1 << 20];
        (0..257).for_each(|_| encoder.write_all(&block).unwrap());
        encoder.finish().unwrap();
        assert_eq!(hash_of(&packed), Err(UnpackError::TooLarge { limit: MAX_UNPACKED }));
        assert_eq!(hash_of(&zws(u32::MAX)), Err(UnpackError::TooLarge { limit: MAX_UNPACKED }));
        let huge = vec![b'F'; MAX_FILE as usize + 1];
        assert_eq!(hash_of(&huge), Err(UnpackError::TooLarge { limit: MAX_FILE }));
    }
}
