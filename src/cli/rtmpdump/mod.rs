//! In place of rtmpdump: its grammar, its defaults, its messages. Entered only by a program of that name.

pub mod atof;
mod definition;
pub mod getopt;
pub mod grammar;
pub mod help;
pub mod run;

pub use help::NAMES;
pub use run::{is_rtmpdump, run};
