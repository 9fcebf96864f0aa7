//! A request to stop, raised by signals and seen by every wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts requests to stop. Clones share the count.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicUsize>);

impl Interrupt {
    /// Whether a stop was asked for.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// Asks to stop. Returns how many times that was done before.
    pub fn raise(&self) -> usize {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}
