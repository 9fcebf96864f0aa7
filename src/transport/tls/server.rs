//! A server's certificate: from files, or self-signed.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};

use super::link::TlsLink;
use super::pem::{certificates, private_key, refused};
use crate::transport::error::Error;
use crate::transport::options::ServerTlsOptions;
use crate::transport::tcp::TcpLink;

/// The TLS configuration of a listener.
#[derive(Debug, Clone)]
pub(crate) struct ServerTls {
    config: Arc<ServerConfig>,
    /// The self-signed certificate as PEM, for clients to trust.
    pub(crate) made_pem: Option<String>,
}

impl ServerTls {
    /// Reads or makes the certificate. `local` is where the listener listens.
    ///
    /// # Errors
    /// `Refused` when a file cannot be used.
    pub(crate) fn new(options: &ServerTlsOptions, local: SocketAddr) -> Result<Self, Error> {
        let (chain, key, made_pem) = match &options.cert {
            Some(cert) => {
                let key = options.key.as_ref().unwrap_or(cert);
                (certificates(cert)?, private_key(key)?, None)
            }
            None => {
                let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
                let own = (!local.ip().is_unspecified()).then(|| local.ip().to_string());
                for name in options.names.iter().cloned().chain(own) {
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
                let failed = |error: rcgen::Error| refused(format!("cannot make a certificate: {error}"));
                let mut params = CertificateParams::new(names).map_err(failed)?;
                // OpenSSL looks for a trusted certificate by its subject: those of several listeners must differ.
                params.distinguished_name = DistinguishedName::new();
                params.distinguished_name.push(DnType::CommonName, format!("rtmpcat at {local}"));
                let pair = KeyPair::generate().map_err(failed)?;
                let made = params.self_signed(&pair).map_err(failed)?;
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pair.serialize_der()));
                (vec![made.der().clone()], key, Some(made.pem()))
            }
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| refused(format!("the server's certificate cannot be used: {error}")))?;
        // Session tickets gain little here, and rtmpdump built with GnuTLS takes those of TLS 1.3, which follow the
        // handshake, for the end of the connection.
        config.send_tls13_tickets = 0;
        Ok(ServerTls { config: Arc::new(config), made_pem })
    }

    /// Starts TLS on a client's connection; the handshake happens in the first `recv`.
    ///
    /// # Errors
    /// `Refused` when rustls cannot.
    pub(crate) fn accept(&self, tcp: TcpLink) -> Result<TlsLink, Error> {
        let tls = ServerConnection::new(self.config.clone()).map_err(|error| refused(error.to_string()))?;
        Ok(TlsLink::new(tcp, tls.into()))
    }
}
