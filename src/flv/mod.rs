//! FLV files: tags, not sockets. `tag` knows the bytes, `reader` and `writer` move them, `timeline` decides on timestamps.

pub mod output;
pub mod reader;
pub mod tag;
pub mod timeline;
pub mod writer;

pub use output::Output;
pub use reader::{Fault, FaultKind, Item, Reader, Tag};
pub use tag::{FileHeader, TagHeader};
pub use writer::Writer;
