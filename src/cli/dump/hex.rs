//! `-z`: the bytes of a connection, with the user's secrets taken out.

use crate::cli::log::{Level, Log};
use crate::client::Tap;

/// Writes what goes over the wire to the log.
#[derive(Debug)]
pub struct HexTap(Log);

impl HexTap {
    /// A tap, if the log shows that much.
    pub fn new(log: &Log) -> Option<Self> {
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
