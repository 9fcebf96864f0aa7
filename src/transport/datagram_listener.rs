//! The server's side of protocols over UDP: one socket, one thread that hands each datagram to its session.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::time::{Duration, Instant};

use super::datagram::{DatagramLink, MAX_DATAGRAM, RECEIVE_BUFFER, SharedSocket, is_harmless};
use super::datagram_protocol::{DatagramProtocol, DatagramResponder, Routed};
use super::interrupt::Interrupt;
use crate::util::time::POLL_INTERVAL;

/// Binds a socket for [`DatagramAcceptor`].
pub(super) fn bind(address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    // Where it fails, fewer datagrams may come at once.
    let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER);
    socket.set_read_timeout(Some(POLL_INTERVAL))?;
    Ok(socket)
}

/// Reads the socket of a listener.
#[derive(Debug)]
pub(super) struct DatagramAcceptor {
    pub(super) socket: Arc<UdpSocket>,
    pub(super) responder: Box<dyn DatagramResponder>,
    pub(super) write_timeout: Duration,
    pub(super) interrupt: Interrupt,
    pub(super) stop: Arc<AtomicBool>,
    /// The sessions that are open: where their datagrams go.
    pub(super) sessions: BTreeMap<u32, SyncSender<(Vec<u8>, SocketAddr)>>,
    pub(super) clock: Instant,
}

impl DatagramAcceptor {
    /// Runs until it is stopped, or `arrived` takes no session any more.
    pub(super) fn run(mut self, arrived: impl Fn(DatagramLink) -> bool) {
        let mut buffer = [0; MAX_DATAGRAM];
        while !self.stop.load(Ordering::Relaxed) {
            match self.socket.recv_from(&mut buffer) {
                Ok((count, from)) => {
                    if !self.take(buffer.get(..count).unwrap_or_default(), from, &arrived) {
                        return;
                    }
                }
                Err(error) if is_harmless(&error) => {}
                Err(_) => return,
            }
        }
    }

    fn take(&mut self, datagram: &[u8], from: SocketAddr, arrived: impl Fn(DatagramLink) -> bool) -> bool {
        let now_ms = self.clock.elapsed().as_millis() as u64;
        match self.responder.receive(datagram, from, now_ms) {
            Routed::Ignored => {}
            Routed::Session(session_id) => self.pass_on(session_id, datagram, from),
            Routed::Answered(answer) => drop(self.socket.send_to(&answer, from)),
            Routed::Opened { session_id, protocol, answer } => {
                let link = self.begin(session_id, protocol, from);
                let _ = self.socket.send_to(&answer, from);
                return arrived(link);
            }
        }
        true
    }

    /// Hands a datagram to its session. One that comes too fast is lost, as on the way.
    fn pass_on(&mut self, session_id: u32, datagram: &[u8], from: SocketAddr) {
        let Some(session) = self.sessions.get(&session_id) else { return };
        if let Err(TrySendError::Disconnected(_)) = session.try_send((datagram.to_vec(), from)) {
            self.forget(session_id);
        }
    }

    fn begin(&mut self, session_id: u32, protocol: Box<dyn DatagramProtocol>, peer: SocketAddr) -> DatagramLink {
        self.forget_ended();
        let (sender, arrivals) = mpsc::sync_channel(MAX_WAITING);
        self.sessions.insert(session_id, sender);
        let socket = SharedSocket { socket: self.socket.clone(), arrivals, peer };
        DatagramLink::accepted(protocol, socket, self.clock, self.write_timeout, &self.interrupt)
    }

    /// Forgets sessions that have ended and of which nothing has come since: an empty datagram finds them.
    fn forget_ended(&mut self) {
        let has_ended = |session: &SyncSender<(Vec<u8>, SocketAddr)>| {
            let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
            matches!(session.try_send((Vec::new(), nowhere)), Err(TrySendError::Disconnected(_)))
        };
        let ended: Vec<u32> =
            self.sessions.iter().filter(|(_, session)| has_ended(session)).map(|(id, _)| *id).collect();
        ended.into_iter().for_each(|session_id| self.forget(session_id));
    }

    fn forget(&mut self, session_id: u32) {
        self.sessions.remove(&session_id);
        self.responder.forget(session_id);
    }
}

/// Datagrams that wait for a session to look.
const MAX_WAITING: usize = 1024;
