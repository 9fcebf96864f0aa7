//! The handshake (§5.2), the digest that Flash Player 9 added to it, and RTMPE.
//!
//! ```text
//! C0/S0   1 byte     version: 3, or for RTMPE 6 (which a server may answer with 8 or 9)
//! C1/S1   4 bytes    time, milliseconds │ 4 bytes version or zero │ 1528 bytes random, digest and key hidden in them
//! C2/S2   1536 bytes echo of the peer's packet, or 1504 bytes random │ 32 bytes signature
//! ```
//!
//! Both ends are here. A peer that answers with less than it should (no digest, no true echo) is tolerated; does not read
//! what follows S2 (or C2).

mod client;
mod digest;
mod hmac;
mod rtmpe;
mod server;
mod signature_cipher;
mod types;

#[cfg(test)]
mod tests;

pub use client::Client;
pub(super) use hmac::hmac_sha256;
pub use rtmpe::{Cipher, Ciphers};
pub use server::Server;
pub use types::{Kind, Outcome, Random, State};
