//! A request to stop, raised by signals or by the clock, and seen by every wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A flag that asks to stop; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    raised: Arc<AtomicBool>,
    until: Option<Instant>,
}

impl Interrupt {
    /// A clone that also counts as set from a point of time on, if one is given; the original is unaffected.
    pub fn until(&self, at: Option<Instant>) -> Self {
        Self { raised: self.raised.clone(), until: at }
    }

    /// Whether to stop: requested, or the time limit has passed.
    pub fn is_set(&self) -> bool {
        self.is_raised() || self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Whether a stop was requested.
    pub fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed)
    }

    /// Asks to stop.
    pub fn raise(&self) {
        self.raised.store(true, Ordering::Relaxed);
    }

    /// The flag for a signal handler to set.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.raised.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_it() {
        let interrupt = Interrupt::default();
        let other = interrupt.clone();
        assert!(!other.is_set());
        interrupt.raise();
        assert!(other.is_set() && other.flag().load(Ordering::Relaxed));
    }

    #[test]
    fn time_sets_it_for_those_who_asked() {
        let interrupt = Interrupt::default();
        let (over, later) = (Instant::now(), Instant::now() + std::time::Duration::from_secs(3600));
        assert!(interrupt.until(Some(over)).is_set() && !interrupt.until(Some(over)).is_raised());
        assert!(!interrupt.until(Some(later)).is_set() && !interrupt.until(None).is_set() && !interrupt.is_set());
        interrupt.raise();
        assert!(interrupt.until(Some(later)).is_set() && interrupt.until(None).is_raised());
    }
}
