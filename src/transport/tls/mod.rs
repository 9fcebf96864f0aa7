//! TLS: both ends over one [`TlsLink`].

mod certificate;
mod client;
mod explain;
mod link;
mod pem;
mod server;

pub use certificate::Certificate;
pub(crate) use client::ClientTls;
pub(crate) use link::TlsLink;
pub(crate) use server::ServerTls;

#[cfg(test)]
mod tests;
