//! What the client proves to know of a player's SWF file: given (`-w`, `-x`), or found out (`-W`) before the connection.
//!
//! A file that cannot be had is no reason not to try: most servers never ask for it.

use std::sync::mpsc;
use std::time::Duration;

use crate::cli::log::Log;
use crate::proto::session::SwfVerification;
use crate::swf::{HttpOptions, Origin, SwfError, SwfHash, hash_for};
use crate::transport::Interrupt;
use crate::util::hex;

/// What the user says of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Player {
    /// Where it is; what is found there goes before hash and size.
    pub url: Option<String>,
    /// Days for which what was found out once holds; 0 asks each time.
    pub age_days: Option<u32>,
    /// HMAC-SHA256 of the unpacked file, in hexadecimal digits.
    pub hash: Option<String>,
    /// Length of the unpacked file, in bytes.
    pub size: Option<u32>,
}

impl Player {
    /// Finds out what there is to prove. `None`: nothing was asked for, or it cannot be found out, which the log says.
    ///
    /// # Errors
    /// A signal asked to stop.
    pub fn find(
        &self,
        way: HttpOptions,
        log: &Log,
        interrupt: &Interrupt,
    ) -> Result<Option<SwfVerification>, Interrupted> {
        let found = match &self.url {
            Some(url) => match fetch(url, self.age_days.unwrap_or(DEFAULT_AGE_DAYS), way, interrupt)? {
                Ok(found) => Some(told(&found, log)),
                Err(error) => {
                    log.warning(&format!("{error}; going on without SWF verification"));
                    None
                }
            },
            None => self.given(log),
        };
        if let Some(found) = &found {
            log.debug(&format!("SWFSHA256: {}", hex::encode(&found.hash)));
            log.debug(&format!("SWFSize  : {}", found.size));
        }
        Ok(found)
    }

    fn given(&self, log: &Log) -> Option<SwfVerification> {
        match (&self.hash, self.size) {
            (None, None) => None,
            (Some(hash), Some(size)) => match hex::decode(hash).and_then(|hash| hash.try_into().ok()) {
                Some(hash) => Some(SwfVerification { hash, size }),
                None => {
                    log.warning("--swfhash takes 64 hexadecimal digits; ignoring it and --swfsize");
                    None
                }
            },
            _ => {
                log.warning("--swfhash and --swfsize belong together; ignoring the one that was given");
                None
            }
        }
    }
}

/// A signal came before the connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Interrupted;

/// Has the file fetched by a thread, so that a signal need not wait for a web server.
fn fetch(
    url: &str,
    age_days: u32,
    way: HttpOptions,
    interrupt: &Interrupt,
) -> Result<Result<SwfHash, SwfError>, Interrupted> {
    let (sender, receiver) = mpsc::channel();
    let url = url.to_owned();
    std::thread::spawn(move || sender.send(hash_for(&url, age_days, &way)));
    loop {
        match receiver.recv_timeout(TICK) {
            Ok(found) => return Ok(found),
            // The thread ends with the program; what it keeps is put in place whole or not at all.
            Err(_) if interrupt.is_set() => return Err(Interrupted),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let reason = "the thread that fetched it is gone".to_owned();
                return Ok(Err(SwfError::Fetch { url: String::new(), reason }));
            }
        }
    }
}

fn told(found: &SwfHash, log: &Log) -> SwfVerification {
    match &found.origin {
        Origin::Fresh => log.debug("The SWF file was fetched"),
        Origin::Kept => log.debug("The SWF file is known from an earlier time"),
        Origin::Confirmed => log.debug("The SWF file is known from an earlier time and has not changed"),
        Origin::Stale { reason } => log.warning(&format!("{reason}; using what is known of it from an earlier time")),
    }
    SwfVerification { hash: found.hash, size: found.size }
}

/// rtmpdump's.
const DEFAULT_AGE_DAYS: u32 = 30;

/// How often there is a look at whether a signal came.
const TICK: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::log::Level;

    fn given(hash: Option<&str>, size: Option<u32>) -> Option<SwfVerification> {
        let player = Player { hash: hash.map(str::to_owned), size, ..Player::default() };
        player.find(HttpOptions::default(), &Log::new(Level::Quiet), &Interrupt::default()).unwrap()
    }

    #[test]
    fn hash_and_size_count_together_and_when_they_are_sound() {
        let hash = "00ff".repeat(16);
        let wanted: [u8; 32] = std::array::from_fn(|i| if i % 2 == 0 { 0 } else { 0xff });
        assert_eq!(given(Some(&hash), Some(5)), Some(SwfVerification { hash: wanted, size: 5 }));
        assert_eq!(given(Some(&hash.to_uppercase()), Some(5)).unwrap().hash, wanted);
        for (hash, size) in [
            (Some(&hash[..]), None),
            (None, Some(5)),
            (None, None),
            (Some(&hash[1..]), Some(5)),
            (Some(&hash[2..]), Some(5)),
            (Some(&format!("{hash}00")[..]), Some(5)),
            (Some(&hash.replace('f', "g")[..]), Some(5)),
            (Some(""), Some(5)),
            (Some(&"ü".repeat(32)[..]), Some(5)),
        ] {
            assert_eq!(given(hash, size), None, "{hash:?} {size:?}");
        }
    }

    #[test]
    fn a_signal_does_not_wait_for_a_web_server() {
        // It takes the connection and says nothing.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/p.swf", listener.local_addr().unwrap());
        let interrupt = Interrupt::default();
        interrupt.raise();
        let player = Player { url: Some(url), ..Player::default() };
        assert_eq!(player.find(HttpOptions::default(), &Log::new(Level::Quiet), &interrupt), Err(Interrupted));
    }
}
