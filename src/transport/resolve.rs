//! Host name → addresses, in the order in which they are to be tried.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::error::{Error, Phase};

use super::{DialOptions, Family, Interrupt};

/// The addresses of the host, families alternating (RFC 8305 §4), the resolver's first choice first.
pub(super) fn resolve(options: &DialOptions, interrupt: &Interrupt) -> Result<Vec<SocketAddr>, Error> {
    let addresses = match literal(&options.host, options.port) {
        Some(address) => vec![address],
        None => look_up(options, interrupt)?,
    };
    let wanted: Vec<SocketAddr> = addresses.into_iter().filter(|a| fits(a, options)).collect();
    if wanted.is_empty() {
        let reason = format!("{} has no address that may be used here", options.host);
        return Err(Error::Refused { phase: Phase::Resolve, reason });
    }
    Ok(interleave(wanted))
}

/// getaddrinfo cannot be interrupted: it runs in a thread of its own, which is left behind if it takes too long.
fn look_up(options: &DialOptions, interrupt: &Interrupt) -> Result<Vec<SocketAddr>, Error> {
    let (sender, receiver) = mpsc::channel();
    let host = (options.host.clone(), options.port);
    let lookup = move || {
        let _ = sender.send(host.to_socket_addrs().map(Iterator::collect::<Vec<_>>));
    };
    std::thread::Builder::new()
        .name("resolve".to_owned())
        .spawn(lookup)
        .map_err(|source| Error::Io { phase: Phase::Resolve, source })?;
    let deadline = Instant::now() + options.connect_timeout;
    loop {
        match receiver.recv_timeout(POLL.min(deadline.saturating_duration_since(Instant::now()))) {
            Ok(Ok(addresses)) => return Ok(addresses),
            Ok(Err(source)) => {
                let reason = format!("{} cannot be found: {source}", options.host);
                return Err(Error::Refused { phase: Phase::Resolve, reason });
            }
            Err(_) if interrupt.is_set() => return Err(Error::Interrupted),
            Err(_) if Instant::now() >= deadline => {
                return Err(Error::Timeout { phase: Phase::Resolve, after: options.connect_timeout });
            }
            Err(_) => {}
        }
    }
}

/// An address given as such, an IPv6 one possibly with a zone (a number or the name of an interface).
fn literal(host: &str, port: u16) -> Option<SocketAddr> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, port));
    }
    let (address, zone) = host.split_once('%')?;
    let address: Ipv6Addr = address.parse().ok()?;
    let scope = zone.parse().ok().or_else(|| {
        let index = std::fs::read_to_string(format!("/sys/class/net/{zone}/ifindex")).ok()?;
        index.trim().parse().ok()
    })?;
    Some(SocketAddrV6::new(address, port, 0, scope).into())
}

fn fits(address: &SocketAddr, options: &DialOptions) -> bool {
    let family = match options.family {
        Some(Family::V4) => address.is_ipv4(),
        Some(Family::V6) => address.is_ipv6(),
        None => true,
    };
    family && options.bind.is_none_or(|bind| bind.is_ipv4() == address.is_ipv4())
}

fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|a| a.is_ipv6() == first_is_v6);
    let mut second = second.into_iter();
    let mut all: Vec<SocketAddr> = first.into_iter().flat_map(|a| [Some(a), second.next()]).flatten().collect();
    all.extend(second);
    all
}

/// How often a wait looks at the interrupt.
const POLL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn families_alternate() {
        let all = ["[::1]:1", "[::2]:1", "[::3]:1", "1.0.0.1:1", "1.0.0.2:1"].map(addr).to_vec();
        let expected = ["[::1]:1", "1.0.0.1:1", "[::2]:1", "1.0.0.2:1", "[::3]:1"].map(addr).to_vec();
        assert_eq!(interleave(all), expected);
    }

    #[test]
    fn literals_with_and_without_a_zone() {
        assert_eq!(literal("127.0.0.1", 5), Some(addr("127.0.0.1:5")));
        assert_eq!(literal("::1", 5), Some(addr("[::1]:5")));
        let Some(SocketAddr::V6(address)) = literal("fe80::1%7", 5) else { panic!() };
        assert_eq!(address.scope_id(), 7);
        assert_eq!(literal("fe80::1%nosuchinterface", 5), None);
        assert_eq!(literal("host", 5), None);
    }
}
