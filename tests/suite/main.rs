//! The program from outside, as users run it: against scripted servers, real servers and real players.
//!
//! One program holds all of it, so that what the tests share is compiled once. A part of it:
//! `cargo test --test suite dump::`.

mod as_rtmpdump;
mod call;
mod common;
mod docs;
mod dump;
mod inspect_repair;
mod interop;
mod network_faults;
mod probe;
mod reliability;
mod resume;
mod robustness;
mod segments;
mod serve_auth;
mod trace;
mod transports;
