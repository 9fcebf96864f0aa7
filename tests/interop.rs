//! Real servers and players.
mod common;
