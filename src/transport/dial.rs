//! From a name to a connected socket: happy eyeballs (RFC 8305).

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use super::error::{Error, Step};
use super::options::DialOptions;
use super::proxy;
use super::resolve::resolve;
use super::tcp::TcpLink;
use super::types::{Deadline, Timings};
use crate::util::text::os_words;

/// Resolves and connects as the options say, through the proxy if there is one: to the proxy only where `negotiate` is
/// false.
pub(crate) fn dial(
    options: &DialOptions,
    negotiate: bool,
    deadline: &Deadline,
    timings: &mut Timings,
) -> Result<TcpLink, Error> {
    let began = Instant::now();
    let (host, port) = match &options.proxy {
        Some(proxy) => (proxy.host.as_str(), proxy.port),
        None => (options.host.as_str(), options.port),
    };
    let addresses = resolve(host, port, options.family, deadline)?;
    timings.resolve = began.elapsed();
    let began = Instant::now();
    let socket = race(&addresses, options.bind, HEAD_START, deadline)?;
    timings.connect = began.elapsed();
    let mut link = TcpLink::new(socket, options.write_timeout, deadline.interrupt())
        .map_err(|source| Error::Io { step: Step::Connect, source })?;
    if let (Some(proxy), true) = (&options.proxy, negotiate) {
        let began = Instant::now();
        let target = proxy::Target { host: &options.host, port: options.port, family: options.family };
        proxy.negotiate(&mut link, &target, deadline)?;
        timings.proxy = Some(began.elapsed());
    }
    Ok(link)
}

/// Delay before the next address is tried in parallel (RFC 8305 §5 recommends 250 ms).
const HEAD_START: Duration = Duration::from_millis(250);

/// Added to an attempt's own timeout, so that the deadline ends the wait and the error names it.
const GRACE: Duration = Duration::from_secs(1);

/// Stack of a connecting thread: it makes only a few system calls.
const ATTEMPT_STACK: usize = 64 * 1024;

/// Idle time before the first keepalive probe, and between probes: a dead peer is detected even in a session
/// without a stall timeout, and NAT entries do not expire.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Tries the addresses in turn, each after its predecessor's head start or failure; the first success wins.
///
/// Each attempt blocks in a thread of its own; losers end by themselves at the deadline at the latest and their sockets
/// are closed unused.
fn race(
    addresses: &[SocketAddr],
    bind: Option<IpAddr>,
    head_start: Duration,
    deadline: &Deadline,
) -> Result<TcpStream, Error> {
    let candidates: Vec<SocketAddr> =
        addresses.iter().copied().filter(|a| bind.is_none_or(|ip| ip.is_ipv4() == a.is_ipv4())).collect();
    if let (Some(ip), [], [first, ..]) = (bind, &candidates[..], addresses) {
        let reason = format!("cannot reach {first} from {ip}: one is an IPv4 address, the other an IPv6 address");
        return Err(Error::Refused { step: Step::Connect, reason });
    }

    let (sender, results) = mpsc::channel::<(SocketAddr, io::Result<TcpStream>)>();
    let mut waiting = candidates.into_iter().peekable();
    let mut running = 0usize;
    let mut failures = Vec::new();
    let mut next_start = Instant::now();
    loop {
        deadline.check(Step::Connect)?;
        let now = Instant::now();
        if now >= next_start
            && let Some(address) = waiting.next()
        {
            let (sender, timeout) = (sender.clone(), deadline.remaining() + GRACE);
            let spawned =
                thread::Builder::new().name("connect".to_owned()).stack_size(ATTEMPT_STACK).spawn(move || {
                    // A closed channel means that another attempt has won; the socket is dropped and so closed.
                    let _ = sender.send((address, attempt(address, bind, timeout)));
                });
            match spawned {
                Ok(_) => {
                    running += 1;
                    next_start = now + head_start;
                }
                Err(error) => failures.push((address, error)),
            }
        }
        if running == 0 && waiting.peek().is_none() {
            return Err(summary(failures));
        }
        let mut patience = deadline.wait_slice();
        if waiting.peek().is_some() {
            patience = patience.min(next_start.saturating_duration_since(now));
        }
        match results.recv_timeout(patience) {
            Ok((_, Ok(stream))) => return Ok(stream),
            Ok((address, Err(error))) => {
                running -= 1;
                failures.push((address, error));
                next_start = Instant::now();
            }
            // The channel cannot disconnect: this function holds a sender itself.
            Err(_) => {}
        }
    }
}

/// One blocking attempt.
fn attempt(address: SocketAddr, bind: Option<IpAddr>, timeout: Duration) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(ip) = bind {
        socket
            .bind(&local(ip, address).into())
            .map_err(|e| io::Error::new(e.kind(), format!("cannot bind to {ip}: {}", os_words(&e))))?;
    }
    socket.connect_timeout(&address.into(), timeout)?;
    socket.set_tcp_nodelay(true)?;
    // Optional: some systems and sandboxes do not allow it.
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    let _ = socket.set_tcp_keepalive(&keepalive);
    Ok(socket.into())
}

/// The local end; a link-local address is bound on the peer's link.
fn local(ip: IpAddr, peer: SocketAddr) -> SocketAddr {
    match (ip, peer) {
        (IpAddr::V6(ip), SocketAddr::V6(peer)) if ip.is_unicast_link_local() => {
            SocketAddrV6::new(ip, 0, 0, peer.scope_id()).into()
        }
        _ => SocketAddr::new(ip, 0),
    }
}

/// All failures in one error, of the first one's kind (it was the preferred address).
fn summary(failures: Vec<(SocketAddr, io::Error)>) -> Error {
    const SHOWN: usize = 4;
    let kind = failures.first().map_or(io::ErrorKind::AddrNotAvailable, |(_, error)| error.kind());
    let mut words: Vec<String> =
        failures.iter().take(SHOWN).map(|(address, error)| format!("{address}: {}", os_words(error))).collect();
    if failures.len() > SHOWN {
        words.push(format!("and {} more addresses", failures.len() - SHOWN));
    }
    Error::Io { step: Step::Connect, source: io::Error::new(kind, words.join("; ")) }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;
    use crate::transport::Interrupt;

    fn deadline(ms: u64) -> Deadline {
        Deadline::new(Duration::from_millis(ms), &Interrupt::default())
    }

    /// A port without a listener (it was free a moment ago).
    fn dead_address() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    /// A listener whose queue is full, so that further attempts hang, as with a firewall that drops packets.
    pub(crate) fn silent_address() -> (Socket, Vec<Socket>, SocketAddr) {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let fillers = (0..3)
            .map(|_| {
                let filler = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                filler.set_nonblocking(true).unwrap();
                let _ = filler.connect(&address);
                filler
            })
            .collect();
        (listener, fillers, address.as_socket().unwrap())
    }

    #[test]
    fn a_refusing_address_gives_way_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        // With this head start, only failures can make way for the third address in time.
        let hour = Duration::from_secs(3600);
        let stream = race(&[dead_address(), dead_address(), good], None, hour, &deadline(10_000)).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_silent_address_gives_way_after_its_head_start() {
        let (_listener, _fillers, silent) = silent_address();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let began = Instant::now();
        let stream = race(&[silent, good], None, HEAD_START, &deadline(10_000)).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        assert!(began.elapsed() >= HEAD_START);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_silent_address_alone_runs_into_the_timeout() {
        let (_listener, _fillers, silent) = silent_address();
        match race(&[silent], None, HEAD_START, &deadline(100)) {
            Err(Error::Timeout { step: Step::Connect, after }) => assert_eq!(after, Duration::from_millis(100)),
            other => panic!("{other:?}"),
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_interrupt_ends_the_wait() {
        let (_listener, _fillers, silent) = silent_address();
        let interrupt = Interrupt::default();
        let deadline = Deadline::new(Duration::from_secs(60), &interrupt);
        let began = Instant::now();
        let waiter = thread::spawn(move || race(&[silent], None, HEAD_START, &deadline));
        interrupt.raise();
        assert!(matches!(waiter.join().unwrap(), Err(Error::Interrupted)));
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn every_failed_address_is_named() {
        let (one, two) = (dead_address(), dead_address());
        match race(&[one, two], None, HEAD_START, &deadline(10_000)) {
            Err(Error::Io { step: Step::Connect, source }) => {
                assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
                let text = source.to_string();
                assert!(text.contains(&one.to_string()) && text.contains(&two.to_string()), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn bind_chooses_the_local_address_and_the_family() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let v6: SocketAddr = "[::1]:9".parse().unwrap();
        let here: IpAddr = "127.0.0.5".parse().unwrap();
        if cfg!(target_os = "linux") {
            let stream = race(&[v6, good], Some(here), HEAD_START, &deadline(10_000)).unwrap();
            assert_eq!(stream.local_addr().unwrap().ip(), here);
        }
        assert!(matches!(
            race(&[v6], Some(here), HEAD_START, &deadline(10_000)),
            Err(Error::Refused { step: Step::Connect, .. })
        ));
        match race(&[good], Some("192.0.2.77".parse().unwrap()), HEAD_START, &deadline(10_000)) {
            Err(Error::Io { source, .. }) => {
                assert!(source.to_string().contains("cannot bind to 192.0.2.77"), "{source}")
            }
            other => panic!("{other:?}"),
        }
    }
}
