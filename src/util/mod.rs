//! Small helpers that every room may use and that know no room: each exists once.
//!
//! Texts and bytes ([`hex`], [`percent`], [`text`]) are pure, so that `proto` may use them; [`read`] and [`replace`] touch files,
//! [`time`] holds what all waits have in common.

pub mod hex;
pub mod percent;
pub mod read;
pub mod replace;
pub mod text;
pub mod time;
