//! rtmpcat: an RTMP client that saves streams as FLV.

pub mod cli;
pub mod client;
pub mod error;
pub mod flv;
pub mod pattern;
pub mod proto;
pub mod target;
pub mod transport;
