//! Certificates and keys in PEM files.

use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::transport::error::{Error, Step};
use crate::util::read::read_bounded;
use crate::util::text::os_words;

/// All certificates of a file.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(refused(format!("no certificate in {} (expected PEM)", path.display()))),
        Err(error) => Err(refused(format!("cannot read certificates from {}: {error}", path.display()))),
    }
}

/// The first private key of a file.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(&read(path)?)
        .map_err(|error| refused(format!("cannot read a private key from {}: {error}", path.display())))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    read_bounded(path, MAX_BYTES)
        .map_err(|error| refused(format!("cannot read {}: {}", path.display(), os_words(&error))))
}

pub(super) fn refused(reason: String) -> Error {
    Error::Refused { step: Step::Tls, reason }
}

/// Largest file read: all the authorities of a system have less than 1 MiB.
const MAX_BYTES: u64 = 16 << 20;
