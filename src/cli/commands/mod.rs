//! The commands, a page each.

pub mod record;
