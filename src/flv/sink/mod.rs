//! Where an FLV goes: a regular file, which can be patched, or a pipe, which only takes bytes.
//!
//! `types` has the trait that `file`, `pipe` and `memory` implement; `output` writes to one of them straight and hands it to
//! `thread` once it has stood still; `open` opens paths and standard output.

mod file;
mod memory;
mod open;
mod output;
mod pipe;
mod thread;
mod types;

pub use file::{FileSink, lock};
pub use memory::Memory;
pub use open::{create, raw_stdout, reopen, stdout};
pub use output::Output;
pub use pipe::{PipeSink, StreamSink};
pub use types::{RawSink, ReadSeek, StopCheck, is_stopped};
