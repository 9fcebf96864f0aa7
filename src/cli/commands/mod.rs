//! The commands, a page each.

pub mod call;
pub mod completions;
mod file_type;
pub mod inspect;
pub mod probe;
pub mod record;
pub mod repair;
pub mod serve;
mod table;
pub mod trace;
