//! A TCP relay on loopback that is as bad as a test wants: it delays, throttles, trickles, swallows and cuts.
//!
//! The faults are set before and changed while it runs; they apply to every connection through it. "Down" is from the
//! server to the client.

use socket2::SockRef;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How a connection ends that is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Orderly (FIN).
    Close,
    /// With a reset (RST).
    Reset,
    /// It stays open and nothing moves any more, in either direction.
    Silence,
}

/// What is done to the bytes.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    /// Each way takes this long.
    pub delay: Duration,
    /// Bytes a second down, at most.
    pub rate_down: Option<u64>,
    /// Downward bytes go one at a time, each in a segment of its own.
    pub trickle_down: bool,
    /// After so many bytes down, the connection is cut.
    pub cut_down: Option<(u64, Cut)>,
    /// The connection is cut after so many bytes up.
    pub cut_up: Option<(u64, Cut)>,
}

impl Default for Faults {
    fn default() -> Self {
        Faults { delay: Duration::ZERO, rate_down: None, trickle_down: false, cut_down: None, cut_up: None }
    }
}

/// A running relay; it ends, with all its connections, when this is dropped.
pub struct Relay {
    /// Where it listens.
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    target: SocketAddr,
    faults: Mutex<Faults>,
    /// Set: bytes wait in the relay.
    swallowing: Mutex<bool>,
    swallowing_changed: Condvar,
    ended: AtomicBool,
    down: AtomicU64,
    open: Mutex<Vec<Arc<Pair>>>,
}

/// The two ends of one connection. There are no other handles of the sockets, so that dropping the last reference
/// closes them, which is what sends a reset.
struct Pair {
    client: TcpStream,
    server: TcpStream,
    state: AtomicU8,
}

const FLOWING: u8 = 0;
const SILENT: u8 = 1;
const RESET: u8 = 2;

impl Pair {
    /// Closing will send a reset, and is not far: the readers stop, then the writers, then nothing holds the sockets.
    fn reset(&self) {
        self.state.store(RESET, SeqCst);
        for stream in [&self.client, &self.server] {
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
            let _ = stream.shutdown(Shutdown::Read);
        }
    }

    fn close(&self) {
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

impl Relay {
    /// Starts one in front of a server on `port`.
    pub fn start(port: u16, faults: Faults) -> Relay {
        Self::on(TcpListener::bind("127.0.0.1:0").expect("a port to listen on"), port, faults)
    }

    /// Starts one at a port of the caller's, without faults.
    pub fn start_at(own_port: u16, port: u16) -> Relay {
        Self::on(TcpListener::bind(("127.0.0.1", own_port)).expect("that port"), port, Faults::default())
    }

    fn on(listener: TcpListener, port: u16, faults: Faults) -> Relay {
        let own_port = listener.local_addr().expect("its number").port();
        let shared = Arc::new(Shared {
            target: SocketAddr::from(([127, 0, 0, 1], port)),
            faults: Mutex::new(faults),
            swallowing: Mutex::new(false),
            swallowing_changed: Condvar::new(),
            ended: AtomicBool::new(false),
            down: AtomicU64::new(0),
            open: Mutex::default(),
        });
        let relay = Relay { port: own_port, shared: shared.clone() };
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if shared.ended.load(SeqCst) {
                    return;
                }
                // A server that is down is what the client is to see.
                let Ok(server) = TcpStream::connect(shared.target) else {
                    let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
                    continue;
                };
                connect(&shared, client, server);
            }
        });
        relay
    }

    /// Other faults from now on; cuts count from each connection's beginning.
    pub fn set(&self, faults: Faults) {
        *self.shared.faults.lock().unwrap() = faults;
    }

    /// Begins (or ends) an outage: connections stay, nothing passes. What was sent meanwhile arrives afterwards.
    pub fn outage(&self, on: bool) {
        *self.shared.swallowing.lock().unwrap() = on;
        self.shared.swallowing_changed.notify_all();
    }

    /// Resets every connection now.
    pub fn reset_all(&self) {
        self.shared.open.lock().unwrap().drain(..).for_each(|pair| pair.reset());
    }

    /// Bytes that went down so far, over all connections.
    pub fn bytes_down(&self) -> u64 {
        self.shared.down.load(SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ended.store(true, SeqCst);
        self.outage(false);
        self.shared.open.lock().unwrap().drain(..).for_each(|pair| pair.close());
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn connect(shared: &Arc<Shared>, client: TcpStream, server: TcpStream) {
    for stream in [&client, &server] {
        let _ = stream.set_nodelay(true);
    }
    let pair = Arc::new(Pair { client, server, state: AtomicU8::new(FLOWING) });
    shared.open.lock().unwrap().push(pair.clone());
    pump(shared, &pair, false);
    pump(shared, &pair, true);
}

/// One direction: a thread that reads and one that writes when it is time, with a bounded queue between them.
fn pump(shared: &Arc<Shared>, pair: &Arc<Pair>, down: bool) {
    let (sender, receiver): (SyncSender<(Instant, Vec<u8>)>, _) = sync_channel(4096);
    let (reading, read_pair) = (shared.clone(), pair.clone());
    std::thread::spawn(move || {
        let mut from = if down { &read_pair.server } else { &read_pair.client };
        let mut buffer = [0; 16384];
        loop {
            let count = match from.read(&mut buffer) {
                Ok(count @ 1..) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // An empty piece stands for the end, which is delayed like the rest.
                _ => 0,
            };
            let due = Instant::now() + reading.faults.lock().unwrap().delay;
            if sender.send((due, buffer[..count].to_vec())).is_err() || count == 0 {
                return;
            }
        }
    });
    let (writing, write_pair) = (shared.clone(), pair.clone());
    std::thread::spawn(move || write_out(&writing, &receiver, &write_pair, down));
}

fn write_out(shared: &Shared, pieces: &Receiver<(Instant, Vec<u8>)>, pair: &Arc<Pair>, down: bool) {
    let mut to = if down { &pair.client } else { &pair.server };
    let mut passed = 0;
    while let Ok((due, mut piece)) = pieces.recv() {
        if let Some(wait) = due.checked_duration_since(Instant::now()) {
            // The delay is what this is for.
            std::thread::sleep(wait);
        }
        let guard = shared.swallowing.lock().unwrap();
        drop(shared.swallowing_changed.wait_while(guard, |on| *on && !shared.ended.load(SeqCst)).unwrap());
        match pair.state.load(SeqCst) {
            RESET => return,
            SILENT => continue,
            _ => {}
        }
        if piece.is_empty() {
            let _ = to.shutdown(Shutdown::Write);
            return;
        }
        let faults = *shared.faults.lock().unwrap();
        let cut = if down { faults.cut_down } else { faults.cut_up };
        let left = cut.map_or(u64::MAX, |(after, _)| after.saturating_sub(passed));
        let cut_now = piece.len() as u64 >= left;
        if cut_now {
            piece.truncate(left as usize);
        }
        passed += piece.len() as u64;
        if down {
            shared.down.fetch_add(piece.len() as u64, SeqCst);
        }
        let sent = match (faults.trickle_down && down, faults.rate_down) {
            (true, _) => piece.iter().try_for_each(|byte| to.write_all(&[*byte])),
            (false, Some(rate)) if down => piece.chunks((rate / 50).max(1) as usize).try_for_each(|part| {
                std::thread::sleep(Duration::from_secs_f64(part.len() as f64 / rate as f64));
                to.write_all(part)
            }),
            _ => to.write_all(&piece),
        };
        match cut {
            Some((_, how)) if cut_now => cut_off(shared, pair, how),
            _ if sent.is_err() => pair.close(),
            _ => continue,
        }
        if pair.state.load(SeqCst) != SILENT {
            return;
        }
    }
}

fn cut_off(shared: &Shared, pair: &Arc<Pair>, how: Cut) {
    match how {
        Cut::Close => pair.close(),
        Cut::Reset => {
            shared.open.lock().unwrap().retain(|other| !Arc::ptr_eq(other, pair));
            pair.reset();
        }
        // Both sides are read on, so that neither notices, and kept open as long as the relay lives.
        Cut::Silence => pair.state.store(SILENT, SeqCst),
    }
}
