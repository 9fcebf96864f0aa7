//! x
pub mod client;
pub mod error;
pub mod flv;
pub mod proto;
pub mod swf;
pub mod transport;
