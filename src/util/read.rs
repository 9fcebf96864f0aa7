//! Files of others, read whole and no further than makes sense.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// All of a file.
///
/// # Errors
/// Those of the file system; `FileTooLarge` if it has more than `limit` bytes, as a device may have.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {limit} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_limit() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"12345").unwrap();
        assert_eq!(read_bounded(file.path(), 5).unwrap(), b"12345");
        assert_eq!(read_bounded(file.path(), 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert!(read_bounded(Path::new("/dev/zero"), 1 << 16).is_err());
    }
}
