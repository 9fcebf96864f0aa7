//! x
pub mod cli;
pub mod client;
pub mod error;
pub mod flv;
pub mod pattern;
pub mod proto;
pub mod serve;
pub mod target;
pub mod transport;
