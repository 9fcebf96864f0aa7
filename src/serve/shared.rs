//! What the threads of all clients use.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use crate::transport::Interrupt;

use super::catalogue::Catalogue;
use super::file::Index;
use super::types::{LogEntry, ServeOptions};

/// What the threads of all clients use.
pub(super) struct Shared {
    pub(super) options: ServeOptions,
    pub(super) catalogue: Catalogue,
    pub(super) began: Instant,
    pub(super) stop: Interrupt,
    /// Clients that are connected.
    pub(super) clients: AtomicUsize,
    /// Clients whose `connect` was accepted so far, over all endpoints.
    accepted: AtomicUsize,
    indexes: Mutex<HashMap<PathBuf, CachedIndex>>,
}

/// An index, and the state of the file that it was made from.
#[derive(Debug)]
struct CachedIndex {
    length: u64,
    modified: Option<SystemTime>,
    index: Arc<Index>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(options: ServeOptions, catalogue: Catalogue, stop: Interrupt) -> Self {
        Self {
            options,
            catalogue,
            began: Instant::now(),
            stop,
            clients: AtomicUsize::new(0),
            accepted: AtomicUsize::new(0),
            indexes: Mutex::default(),
        }
    }

    /// Milliseconds since the live stream began.
    pub(super) fn stream_time_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// Whether a name that no file has means the test stream: always where there are no files.
    pub(super) fn is_live(&self, app: &str, name: &str) -> bool {
        self.catalogue.is_empty() || app.split('/').next() == Some("live") || name.starts_with("live/")
    }

    /// The index of a file, cached until the file changes.
    pub(super) fn index(&self, path: &Path) -> io::Result<Arc<Index>> {
        let metadata = std::fs::metadata(path)?;
        let (length, modified) = (metadata.len(), metadata.modified().ok());
        let cached =
            self.indexes.lock().unwrap_or_else(PoisonError::into_inner).get(path).and_then(|cached| {
                (cached.length == length && cached.modified == modified).then(|| cached.index.clone())
            });
        if let Some(index) = cached {
            return Ok(index);
        }
        let index = Index::of(path)?;
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        if indexes.len() >= MAX_INDEXES {
            indexes.clear();
        }
        indexes.insert(path.to_owned(), CachedIndex { length, modified, index: index.clone() });
        Ok(index)
    }

    /// Counts a client whose `connect` was accepted. A port scan, or the refusals that belong to a login, are not counted.
    pub(super) fn count_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether as many clients have connected as are wanted.
    pub(super) fn has_served_all(&self) -> bool {
        self.options.stop_after.is_some_and(|limit| self.accepted.load(Ordering::Relaxed) >= limit)
    }

    pub(super) fn log(&self, entry: LogEntry) {
        if let Some(log) = &self.options.log {
            log(&entry);
        }
    }
}

/// Counts a client for as long as its thread lives, whatever ends it.
pub(super) struct Counted(Arc<Shared>);

impl Counted {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        shared.clients.fetch_add(1, Ordering::Relaxed);
        Self(shared.clone())
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Files whose indexes are cached.
const MAX_INDEXES: usize = 64;
