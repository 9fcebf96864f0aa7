//! What the client proves to know of a player's SWF file: given as hash and size, or found out from the file before the
//! connection.
//!
//! A file that cannot be fetched is no reason to give up: most servers never ask for it.

use std::sync::mpsc;
use std::time::Duration;

use super::event::ConnectEvent;
use crate::proto::session::SwfVerification;
use crate::swf::{HttpOptions, SwfError, SwfHash, hash_for};
use crate::transport::Interrupt;

/// How to get the proof for SWF verification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SwfProof {
    /// There is none.
    #[default]
    None,
    /// It is known.
    Known(SwfVerification),
    /// It is made from the file.
    File {
        /// `http:`, `https:`, `file:` or a path.
        url: String,
        /// Days for which a cached hash is used without asking the web server; 0 asks each time.
        age_days: u32,
    },
}

/// A signal came while the file was fetched.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Interrupted;

impl SwfProof {
    /// Gets the proof. `None`: there is none to be had, which `listener` is told.
    pub(super) fn get(
        &self,
        way: HttpOptions,
        listener: &mut dyn FnMut(ConnectEvent<'_>),
        interrupt: &Interrupt,
    ) -> Result<Option<SwfVerification>, Interrupted> {
        match self {
            SwfProof::None => Ok(None),
            SwfProof::Known(proof) => Ok(Some(*proof)),
            SwfProof::File { url, age_days } => match fetch(url, *age_days, way, interrupt)? {
                Ok(found) => {
                    listener(ConnectEvent::SwfFound(&found));
                    Ok(Some(SwfVerification { hash: found.hash, size: found.size }))
                }
                Err(error) => {
                    listener(ConnectEvent::SwfUnavailable(&error));
                    Ok(None)
                }
            },
        }
    }
}

/// Fetches the file on a thread, so that a signal need not wait for a web server.
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
            // The thread ends with the program; its cache file is replaced as a whole or not at all.
            Err(_) if interrupt.is_set() => return Err(Interrupted),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let reason = "the thread that fetched it is gone".to_owned();
                return Ok(Err(SwfError::Fetch { url: String::new(), reason }));
            }
        }
    }
}

/// How often the interrupt is looked at.
const TICK: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_does_not_wait_for_a_web_server() {
        // It accepts the connection and never answers.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/p.swf", listener.local_addr().unwrap());
        let interrupt = Interrupt::default();
        interrupt.raise();
        let proof = SwfProof::File { url, age_days: 0 };
        assert_eq!(proof.get(HttpOptions::default(), &mut |_| {}, &interrupt), Err(Interrupted));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_no_reason_to_give_up() {
        let mut told = 0;
        let mut listener =
            |event: ConnectEvent<'_>| told += u32::from(matches!(event, ConnectEvent::SwfUnavailable(_)));
        let proof = SwfProof::File { url: "/no/such/file.swf".to_owned(), age_days: 0 };
        assert_eq!(proof.get(HttpOptions::default(), &mut listener, &Interrupt::default()), Ok(None));
        assert_eq!(told, 1);
        let known = SwfVerification { hash: [1; 32], size: 5 };
        let proof = SwfProof::Known(known);
        assert_eq!(proof.get(HttpOptions::default(), &mut |_| {}, &Interrupt::default()), Ok(Some(known)));
    }
}
