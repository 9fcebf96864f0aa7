//! RTMFP over UDP: joins the protocol in [`crate::proto::rtmfp`], which has no sockets, to the sockets of
//! [`crate::transport`], which know no protocol.

use std::net::SocketAddr;

use crate::proto::rtmfp::packet::unscramble;
use crate::proto::rtmfp::{Connection, Random, Responder};
use crate::transport::{DatagramConnector, DatagramProtocol, DatagramResponder, Error, Routed, Step};

/// How sessions with the server of `uri` are opened; with a fingerprint (SHA-256 of the server's certificate) only with the
/// server that has it.
pub fn connector(uri: &str, fingerprint: Option<[u8; 32]>) -> DatagramConnector {
    let uri = uri.to_owned();
    DatagramConnector::new(move |addresses| {
        let random = Random::from_bytes(&random_bytes()?);
        Ok(Box::new(Connection::connect(&uri, fingerprint, addresses, &random, 0)))
    })
}

/// What opens sessions for clients.
///
/// # Errors
/// The system has no random bytes.
pub fn responder() -> Result<Box<dyn DatagramResponder>, Error> {
    Ok(Box::new(Listening(Responder::new(&random_bytes()?))))
}

fn random_bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::Io { step: Step::Session, source: std::io::Error::other(e.to_string()) })?;
    Ok(bytes)
}

/// A responder, with random bytes for its sessions.
#[derive(Debug)]
struct Listening(Responder);

impl DatagramResponder for Listening {
    fn receive(&mut self, datagram: &[u8], from: SocketAddr, now_ms: u64) -> Routed {
        let sealed = match unscramble(datagram) {
            Some((0, sealed)) => sealed,
            Some((session_id, _)) => return Routed::Session(session_id),
            None => return Routed::Ignored,
        };
        let Ok(random) = random_bytes() else { return Routed::Ignored };
        let Some(answer) = self.0.receive(sealed, from, now_ms, &mut || random) else { return Routed::Ignored };
        match answer.opened {
            None => Routed::Answered(answer.datagram),
            Some(opened) => Routed::Opened {
                session_id: opened.session_id,
                protocol: Box::new(Connection::accept(opened, now_ms)),
                answer: answer.datagram,
            },
        }
    }

    fn forget(&mut self, session_id: u32) {
        self.0.forget(session_id);
    }
}

impl DatagramProtocol for Connection {
    fn receive(&mut self, datagram: &[u8], from: SocketAddr, now_ms: u64) {
        Connection::receive(self, datagram, from, now_ms);
    }

    fn transmit(&mut self, now_ms: u64) -> Option<(SocketAddr, Vec<u8>)> {
        Connection::transmit(self, now_ms)
    }

    fn wake_at_ms(&self) -> Option<u64> {
        Connection::wake_at_ms(self)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        Connection::write(self, bytes).map_err(|error| error.to_string())
    }

    fn read(&mut self, buffer: &mut [u8]) -> usize {
        Connection::read(self, buffer)
    }

    fn unsent(&self) -> usize {
        Connection::unsent(self)
    }

    fn is_open(&self) -> bool {
        Connection::is_open(self)
    }

    fn is_closed(&self) -> bool {
        Connection::is_closed(self)
    }

    fn peer(&self) -> Option<SocketAddr> {
        Connection::peer(self)
    }

    fn failure(&self, now_ms: u64) -> Option<String> {
        self.error(now_ms).map(|error| error.to_string())
    }

    fn close(&mut self, now_ms: u64) {
        Connection::close(self, now_ms);
    }
}
