//! Why nothing was recorded, before anything was connected.

use std::io;
use std::path::PathBuf;

use crate::connect::RouteError;

/// Why a recording cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The output cannot be opened.
    #[error("cannot write to {}", .0.display())]
    Output(PathBuf),
    /// The file that is to be resumed cannot be read.
    #[error("{}: {source}", path.display())]
    Resume {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file that is to be resumed is something else.
    #[error("{}: not an FLV file; cannot resume", .0.display())]
    NotFlv(PathBuf),
    /// There is no route to the server.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// A signal came first.
    #[error("interrupted")]
    Interrupted,
}
