//! Signals: the first asks to stop, a second one ends the program at once. So does some time after the first, where the
//! program may be waiting for somebody else.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

#[cfg(unix)]
use signal_hook::consts::{SIGHUP, SIGQUIT, SIGXFSZ};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::exit::Code;
use crate::transport::Interrupt;

/// The last signal that came; 0 is none.
static CAUGHT: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// Has signals raise `interrupt`. A hang-up that the caller had ignored (`nohup`) stays so. Others do not: shells without
/// job control ignore SIGINT in what they start with `&`, and scripts end recordings with `kill -INT $!`.
pub fn watch(interrupt: &Interrupt) {
    // A file that has grown to the limit of its size is an error of its write, not a reason to die.
    #[cfg(unix)]
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    let caught = CAUGHT.get_or_init(Arc::default);
    for signal in watched() {
        // Without handlers the signals end the program as they always do.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, Code::Incomplete as i32, interrupt.flag());
        let _ = signal_hook::flag::register_usize(signal, caught.clone(), signal as usize);
        let _ = signal_hook::flag::register(signal, interrupt.flag());
    }
}

/// Has the program end a moment after a signal, whatever it is doing: writing to a pipe that has no reader, or opening one
/// that has none, cannot be interrupted otherwise. Only for output to which nothing can be added at the end.
pub fn insist() {
    #[cfg(unix)]
    {
        let Ok((mut waiting, told)) = std::os::unix::net::UnixStream::pair() else { return };
        for signal in watched() {
            // Without it, it takes a second signal.
            let _ = told.try_clone().and_then(|told| signal_hook::low_level::pipe::register(signal, told));
        }
        std::thread::spawn(move || {
            if std::io::Read::read(&mut waiting, &mut [0]).is_ok_and(|count| count > 0) {
                std::thread::sleep(GRACE);
                std::process::exit(Code::Incomplete as i32);
            }
        });
    }
}

/// The number of the last signal, if one came.
pub fn caught() -> Option<usize> {
    CAUGHT.get().map(|caught| caught.load(Ordering::Relaxed)).filter(|signal| *signal != 0)
}

/// The signals that ask to stop.
fn watched() -> impl Iterator<Item = i32> {
    #[cfg(unix)]
    let signals = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];
    #[cfg(not(unix))]
    let signals = [SIGINT, SIGTERM];
    let ignored = ignores_hangup();
    signals.into_iter().filter(move |signal| *signal != HANGUP || !ignored)
}

/// Whether the caller had hang-ups ignored; where the system does not tell, no.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or_default();
    // Signal 1 is the lowest bit.
    u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 != 0)
}

/// Time for what is left to be written and said.
#[cfg(unix)]
const GRACE: std::time::Duration = std::time::Duration::from_secs(1);
/// SIGHUP, by its number where there is none.
const HANGUP: i32 = 1;
