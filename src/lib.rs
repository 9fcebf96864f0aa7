//! x
pub mod cli;
pub mod client;
pub mod error;
pub mod flv;
pub mod proto;
pub mod target;
pub mod transport;
