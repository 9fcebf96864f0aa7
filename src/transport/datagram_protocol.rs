//! What a protocol that carries a stream of bytes in datagrams is to the sockets beneath it. This room does not know one.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::error::Error;

/// A protocol that carries a stream of bytes in datagrams. Times are in milliseconds of a clock that never goes back.
pub trait DatagramProtocol: fmt::Debug + Send {
    /// Takes a datagram.
    fn receive(&mut self, datagram: &[u8], from: SocketAddr, now_ms: u64);
    /// The next datagram that is to be sent now, and where to; to be asked for until there is none.
    fn transmit(&mut self, now_ms: u64) -> Option<(SocketAddr, Vec<u8>)>;
    /// When `transmit` is to be called again, if nothing comes or is written before.
    fn wake_at_ms(&self) -> Option<u64>;
    /// Takes bytes of the stream.
    ///
    /// # Errors
    /// They are not what the protocol can carry.
    fn write(&mut self, bytes: &[u8]) -> Result<(), String>;
    /// Bytes of the stream that came, into the front of `buffer`; how many.
    fn read(&mut self, buffer: &mut [u8]) -> usize;
    /// Bytes that were written and have not arrived yet.
    fn unsent(&self) -> usize;
    /// Whether bytes can be exchanged with the peer, or could before it was closed.
    fn is_open(&self) -> bool;
    /// Whether it was closed, by either end.
    fn is_closed(&self) -> bool;
    /// The peer's address, once it is open.
    fn peer(&self) -> Option<SocketAddr>;
    /// Why it failed, if it did.
    fn failure(&self, now_ms: u64) -> Option<String>;
    /// Closes it, when what was written has arrived.
    fn close(&mut self, now_ms: u64);
}

/// Makes the protocol for a server at certain addresses.
#[derive(Clone)]
pub struct DatagramConnector(Arc<Connect>);

type Connect = dyn Fn(&[SocketAddr]) -> Result<Box<dyn DatagramProtocol>, Error> + Send + Sync;

impl DatagramConnector {
    /// Makes it by this function of the server's addresses.
    pub fn new(
        connect: impl Fn(&[SocketAddr]) -> Result<Box<dyn DatagramProtocol>, Error> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(connect))
    }

    /// The protocol for a server at these addresses, which begins to open a session.
    pub(super) fn connect(&self, addresses: &[SocketAddr]) -> Result<Box<dyn DatagramProtocol>, Error> {
        (self.0)(addresses)
    }
}

impl fmt::Debug for DatagramConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatagramConnector")
    }
}

/// What a responder does about a datagram.
#[derive(Debug)]
pub enum Routed {
    /// Nothing.
    Ignored,
    /// It is for the session with this ID.
    Session(u32),
    /// It is answered by another.
    Answered(Vec<u8>),
    /// A session begins, and this is its first answer.
    Opened {
        /// The session's ID.
        session_id: u32,
        /// What its bytes are carried by.
        protocol: Box<dyn DatagramProtocol>,
        /// The answer.
        answer: Vec<u8>,
    },
}

/// Opens sessions for those who ask for them. Times are in milliseconds of a clock that never goes back.
pub trait DatagramResponder: fmt::Debug + Send {
    /// Looks at a datagram.
    fn receive(&mut self, datagram: &[u8], from: SocketAddr, now_ms: u64) -> Routed;
    /// A session is over.
    fn forget(&mut self, session_id: u32);
}
