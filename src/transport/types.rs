//! Results and time limits shared by the layers of a connection.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::error::{Error, Step};
use super::interrupt::Interrupt;
use crate::util::time::{POLL_INTERVAL, Stopwatch};

/// Result of [`super::Transport::recv`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recv {
    /// The number of bytes written to the start of the buffer; never 0.
    Bytes(usize),
    /// Nothing was received before the tick (200 ms at most), the deadline or a signal; not an error.
    Idle,
    /// The peer has closed its sending side: a FIN, with TLS a close_notify before it.
    Closed,
}

/// How long each step of [`super::Transport::open`] took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// Looking up the host name (the proxy's name, when there is a proxy).
    pub resolve: Duration,
    /// TCP connection set-up, from the first attempt to the first success.
    pub connect: Duration,
    /// Proxy negotiation, if there is a proxy.
    pub proxy: Option<Duration>,
    /// TLS handshake, with TLS.
    pub tls: Option<Duration>,
    /// Opening the HTTP tunnel, with RTMPT.
    pub tunnel: Option<Duration>,
}

/// The time limit and the interrupt of a connection set-up, passed through its layers. Time in which this program was
/// suspended does not count: the peer may have answered in it.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    limit: Duration,
    used: Cell<Stopwatch>,
    interrupt: Interrupt,
}

impl Deadline {
    /// Begins now and ends after `limit`.
    pub(crate) fn new(limit: Duration, interrupt: &Interrupt) -> Self {
        Deadline { limit, used: Cell::new(Stopwatch::start()), interrupt: interrupt.clone() }
    }

    /// Fails when interrupted or when the limit has passed.
    pub(crate) fn check(&self, step: Step) -> Result<(), Error> {
        if self.interrupt.is_set() {
            Err(Error::Interrupted)
        } else if self.remaining().is_zero() {
            Err(Error::Timeout { step, after: self.limit })
        } else {
            Ok(())
        }
    }

    /// Time that is left.
    pub(crate) fn remaining(&self) -> Duration {
        let mut used = self.used.get();
        let left = self.limit.saturating_sub(used.elapsed());
        self.used.set(used);
        left
    }

    /// How long one wait may last before [`Deadline::check`] is due again.
    pub(crate) fn wait_slice(&self) -> Duration {
        self.remaining().min(POLL_INTERVAL).max(Duration::from_millis(1))
    }

    /// The end of such a wait that begins now.
    pub(crate) fn wait_until(&self) -> Instant {
        Instant::now() + self.wait_slice()
    }

    /// The interrupt it checks.
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_beyond_the_clock_is_no_deadline() {
        let deadline = Deadline::new(Duration::MAX, &Interrupt::default());
        assert!(deadline.check(Step::Connect).is_ok());
    }

    #[test]
    fn a_deadline_names_step_and_limit() {
        let deadline = Deadline::new(Duration::ZERO, &Interrupt::default());
        match deadline.check(Step::Proxy) {
            Err(Error::Timeout { step: Step::Proxy, after }) => assert_eq!(after, Duration::ZERO),
            other => panic!("{other:?}"),
        }
    }
}
