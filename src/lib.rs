//! x
pub mod client; pub mod error; pub mod proto; pub mod transport;
