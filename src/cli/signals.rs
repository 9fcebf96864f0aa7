//! Signals: the first asks to stop, a second one ends the program at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

#[cfg(unix)]
use signal_hook::consts::{SIGHUP, SIGQUIT, SIGXFSZ};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::dump::Code;
use crate::transport::Interrupt;

/// The last signal that came; 0 is none.
static CAUGHT: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// Has signals raise `interrupt`. A hang-up that the caller had ignored (`nohup`) stays so. Others do not: shells without
/// job control ignore SIGINT in what they start with `&`, and scripts end recordings with `kill -INT $!`.
pub fn watch(interrupt: &Interrupt) {
    #[cfg(unix)]
    let signals = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];
    #[cfg(not(unix))]
    let signals = [SIGINT, SIGTERM];
    // A file that has grown to the limit of its size is an error of its write, not a reason to die.
    #[cfg(unix)]
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    let ignored = ignores_hangup();
    let caught = CAUGHT.get_or_init(Arc::default);
    for signal in signals.into_iter().filter(|signal| *signal != HANGUP || !ignored) {
        // Without handlers the signals end the program as they always do.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, Code::Incomplete as i32, interrupt.flag());
        let _ = signal_hook::flag::register_usize(signal, caught.clone(), signal as usize);
        let _ = signal_hook::flag::register(signal, interrupt.flag());
    }
}

/// The number of the last signal, if one came.
pub fn caught() -> Option<usize> {
    CAUGHT.get().map(|caught| caught.load(Ordering::Relaxed)).filter(|signal| *signal != 0)
}

/// Whether the caller had hang-ups ignored; where the system does not tell, no.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or_default();
    // Signal 1 is the lowest bit.
    u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 != 0)
}

/// SIGHUP, by its number where there is none.
const HANGUP: i32 = 1;
