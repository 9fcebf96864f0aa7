//! The commands, a page each.

pub mod call;
pub mod completions;
pub mod inspect;
pub mod record;
pub mod repair;
pub mod serve;
pub mod trace;
