//! Which servers a client trusts: options, pins, the verifier.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConnection, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};

use super::explain::PinMismatch;
use super::link::TlsLink;
use super::pem::{certificates, private_key, refused};
use crate::transport::error::Error;
use crate::transport::options::{Pins, TlsOptions};
use crate::transport::tcp::TcpLink;
use crate::transport::types::Deadline;

/// The TLS configuration for one server; made once, used for each connection.
#[derive(Debug, Clone)]
pub(crate) struct ClientTls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl ClientTls {
    /// Reads the files that the options name, or the platform's trust store, for connections to `host`.
    ///
    /// # Errors
    /// `Refused` when a file cannot be used or the host's name is not valid in a certificate.
    pub(crate) fn new(options: &TlsOptions, host: &str) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Verifier::new(options, provider.clone())?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refused(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match &options.cert {
            None => builder.with_no_client_auth(),
            Some(cert) => {
                let key = options.key.as_ref().unwrap_or(cert);
                builder
                    .with_client_auth_cert(certificates(cert)?, private_key(key)?)
                    .map_err(|error| refused(format!("the client certificate {}: {error}", cert.display())))?
            }
        };
        Ok(ClientTls { config: Arc::new(config), name: server_name(host)? })
    }

    /// Makes a connection secure.
    ///
    /// # Errors
    /// `Refused` with the fault of the certificate or the server's alert, `Closed`, `Timeout`,
    /// `Interrupted`, `Io`.
    pub(crate) fn connect(&self, tcp: TcpLink, deadline: &Deadline) -> Result<TlsLink, Error> {
        let tls = ClientConnection::new(self.config.clone(), self.name.clone())
            .map_err(|error| refused(error.to_string()))?;
        let mut link = TlsLink::new(tcp, tls.into());
        link.handshake(deadline)?;
        Ok(link)
    }
}

/// The name to be found in the certificate and, unless it is an address, to be sent as SNI.
fn server_name(host: &str) -> Result<ServerName<'static>, Error> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    // A zone is local to this machine; certificates do not contain it.
    let bare = bare.split_once('%').map_or(bare, |(address, _)| address);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(ServerName::from(ip));
    }
    ServerName::try_from(bare.trim_end_matches('.').to_owned())
        .map_err(|_| refused(format!("\"{host}\" is not a name that a certificate could have")))
}

/// Checks a server's certificate.
#[derive(Debug)]
struct Verifier {
    /// Checks chain, time and name; none with `insecure`.
    chain: Option<Arc<dyn ServerCertVerifier>>,
    /// Certificates that the user trusts by name.
    trusted: Vec<CertificateDer<'static>>,
    pins: Option<Pins>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(options: &TlsOptions, provider: Arc<CryptoProvider>) -> Result<Self, Error> {
        let mut trusted = Vec::new();
        let chain: Option<Arc<dyn ServerCertVerifier>> = match &options.cafile {
            _ if options.insecure => None,
            Some(path) => {
                trusted = certificates(path)?;
                let mut roots = RootCertStore::empty();
                let (usable, _) = roots.add_parsable_certificates(trusted.iter().cloned());
                if usable == 0 {
                    return Err(refused(format!("no certificate in {} can be used", path.display())));
                }
                Some(webpki(roots, &provider)?)
            }
            None => Some(platform(&provider)?),
        };
        Ok(Verifier { chain, trusted, pins: options.pins.clone(), provider })
    }
}

/// The platform's trust store, or Mozilla's where there is none (a bare container, a static build).
fn platform(provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    match rustls_platform_verifier::Verifier::new(provider.clone()) {
        Ok(verifier) => Ok(Arc::new(verifier)),
        Err(_) => webpki(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }, provider),
    }
}

fn webpki(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    match WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build() {
        Ok(verifier) => Ok(verifier),
        Err(error) => Err(refused(error.to_string())),
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(chain) = &self.chain {
            match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
                Ok(_) => {}
                // Self-signed certificates are made as authorities by most tools, and an authority's certificate is
                // refused as a server's. Its time was checked before that; the user has
                // named this very certificate as trusted.
                Err(rustls::Error::InvalidCertificate(CertificateError::Other(_)))
                    if self.trusted.iter().any(|certificate| certificate == end_entity) =>
                {
                    verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(Pins(pins)) = &self.pins {
            let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
            let digest: [u8; 32] = Sha256::digest(&key).into();
            if !pins.contains(&digest) {
                let found = format!("sha256//{}", BASE64.encode(digest));
                return Err(CertificateError::Other(OtherError(Arc::new(PinMismatch { found }))).into());
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.anything_goes() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.anything_goes() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl Verifier {
    /// Without any trust, a signature proves nothing, and it may be of a certificate that cannot be parsed. With a pin it
    /// proves that the server has the key.
    fn anything_goes(&self) -> bool {
        self.chain.is_none() && self.pins.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::error::Step;

    #[test]
    fn names_and_addresses() {
        for (host, want) in [
            ("example.org", "example.org"),
            ("example.org.", "example.org"),
            ("[::1]", "::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(server_name(host).unwrap().to_str(), want);
        }
        assert!(server_name("").is_err());
        assert!(server_name("two words").is_err());
    }

    #[test]
    fn files_that_cannot_be_used_are_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_owned();
        for options in [
            TlsOptions { cafile: Some("/no/such/file".into()), ..TlsOptions::default() },
            TlsOptions { cafile: Some(path.clone()), ..TlsOptions::default() },
            TlsOptions { cert: Some(path.clone()), insecure: true, ..TlsOptions::default() },
        ] {
            match ClientTls::new(&options, "example.org") {
                Err(Error::Refused { step: Step::Tls, reason }) => {
                    assert!(reason.contains("/no/such/file") || reason.contains(path.to_str().unwrap()), "{reason}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
