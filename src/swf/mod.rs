//! The SWF file of a player: fetched, unpacked and hashed, so that [`crate::proto::swfv`] can prove that it is known.
//!
//! ```text
//! hash_for ─► cache: young enough? ─ yes ──────────────────────────────► hash, size
//!                │ no, or nothing there
//!                ▼
//!             fetch, if modified since ─► 304 ─► cache: checked now ───► hash, size
//!                │ 200
//!                ▼
//!             unpack FWS, CWS, ZWS ─► hash ─► cache ───────────────────► hash, size
//! ```
//!
//! What is kept is the hash, not the file. Local files are read each time. Does not run or understand the file.

mod cache;
mod fetch;
mod lookup;
mod types;
mod unpack;

pub use fetch::{HttpOptions, WebProxy};
pub use lookup::hash_for;
pub use types::{Origin, SwfError, SwfHash, UnpackError};
pub use unpack::hash_of;

#[cfg(test)]
mod tests;
