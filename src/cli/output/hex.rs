//! What shows the bytes of a connection: `--trace`, `--log-messages`, and `-z`, with the user's secrets taken out.

use crate::cli::log::{Level, Log};
use crate::cli::trace::Tracing;
use crate::connect::{Tap, Taps};

/// Has what goes over each connection kept and shown, as far as that was asked for.
pub fn taps(tracing: Tracing, log: &Log) -> Taps {
    let log = log.clone();
    Taps::new(move |client, url| {
        tracing.attach(client, url, &log);
        // Messages bring their own bytes.
        if let Some(tap) = HexTap::new(&log).filter(|_| !tracing.shows_messages()) {
            client.add_tap(Box::new(tap));
        }
    })
}

/// Writes what goes over the wire to the log.
#[derive(Debug)]
struct HexTap(Log);

impl HexTap {
    /// A tap, if the log shows that much.
    fn new(log: &Log) -> Option<Self> {
        log.shows(Level::All).then(|| Self(log.clone()))
    }

    fn show(&self, what: &str, bytes: &[u8]) {
        self.0.say(Level::All, &format!("{what} {} bytes", bytes.len()));
        let mut bytes = bytes.to_vec();
        self.0.secrets().hide_bytes(&mut bytes);
        self.0.hex(&bytes);
    }
}

impl Tap for HexTap {
    fn sending(&mut self, bytes: &[u8]) {
        self.show("Sending", bytes);
    }

    fn received(&mut self, bytes: &[u8]) {
        self.show("Received", bytes);
    }
}
