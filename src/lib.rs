//! x
pub mod error;
pub mod proto;
