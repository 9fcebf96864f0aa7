//! Host names to addresses, within a time limit, and the order in which to try them (RFC 8305 §4).

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;

use super::error::{Error, Step};
use super::host::normalise;
use super::options::Family;
use super::types::Deadline;
use crate::util::text::os_words;

/// Addresses of `host`, in the order in which to try them.
///
/// # Errors
/// `Refused` when the name does not exist or has no address of the wanted family; `Timeout`; `Interrupted`.
pub(crate) fn resolve(
    host: &str,
    port: u16,
    family: Option<Family>,
    deadline: &Deadline,
) -> Result<Vec<SocketAddr>, Error> {
    let host = normalise(host);
    deadline.check(Step::Resolve)?;
    let found = match host.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => look_up(&host, port, deadline)?,
    };
    let found: Vec<_> = found.into_iter().filter(|address| fits(address, family)).collect();
    if found.is_empty() {
        let wanted = match family {
            None => "",
            Some(Family::V4) => "IPv4 ",
            Some(Family::V6) => "IPv6 ",
        };
        return Err(refused(format!("{host} has no {wanted}address")));
    }
    Ok(interleave(found))
}

fn fits(address: &SocketAddr, family: Option<Family>) -> bool {
    match family {
        Some(Family::V4) => address.is_ipv4(),
        Some(Family::V6) => address.is_ipv6(),
        None => true,
    }
}

/// Calls `getaddrinfo`. It has neither interrupt nor timeout, so it runs in a thread of its own, which is abandoned when
/// the wait ends early.
fn look_up(host: &str, port: u16, deadline: &Deadline) -> Result<Vec<SocketAddr>, Error> {
    if host.is_empty() {
        return Err(refused("missing host name".to_owned()));
    }
    let (sender, answers) = mpsc::sync_channel(1);
    let name = host.to_owned();
    thread::Builder::new()
        .name("resolve".to_owned())
        .spawn(move || {
            let answer = (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            // Fails when the wait ended early.
            let _ = sender.send(answer);
        })
        .map_err(|source| Error::Io { step: Step::Resolve, source })?;
    loop {
        match answers.recv_timeout(deadline.wait_slice()) {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(error)) => return Err(refused(format!("cannot resolve {host}: {}", plain(&error)))),
            Err(mpsc::RecvTimeoutError::Timeout) => deadline.check(Step::Resolve)?,
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(refused(format!("cannot resolve {host}: the resolver failed")));
            }
        }
    }
}

/// The system's error text without the standard library's prefix.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.strip_prefix("failed to lookup address information: ") {
        Some(rest) => os_words(&io::Error::other(rest)),
        None => os_words(error),
    }
}

/// Alternates the families, beginning with that of the first address, and keeps the system's order within each.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, other): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|a| a.is_ipv6() == first_is_v6);
    let mut ordered: Vec<SocketAddr> = Vec::with_capacity(preferred.len() + other.len());
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    loop {
        let pair = [preferred.next(), other.next()];
        if pair == [None, None] {
            return ordered;
        }
        for address in pair.into_iter().flatten() {
            if !ordered.contains(&address) {
                ordered.push(address);
            }
        }
    }
}

fn refused(reason: String) -> Error {
    Error::Refused { step: Step::Resolve, reason }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::transport::Interrupt;

    fn deadline() -> Deadline {
        Deadline::new(Duration::from_secs(10), &Interrupt::default())
    }

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_alternate_in_the_systems_order() {
        let got = interleave(addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.0.0.1:1", "1.0.0.2:1"]));
        assert_eq!(got, addresses(&["[::1]:1", "1.0.0.1:1", "[::2]:1", "1.0.0.2:1", "[::3]:1"]));
        let got = interleave(addresses(&["1.0.0.1:1", "1.0.0.1:1", "[::1]:1", "1.0.0.2:1"]));
        assert_eq!(got, addresses(&["1.0.0.1:1", "[::1]:1", "1.0.0.2:1"]));
        assert_eq!(interleave(vec![]), vec![]);
    }

    #[test]
    fn literals_need_no_resolver() {
        for (host, want) in [
            ("127.0.0.1", "127.0.0.1:19"),
            ("::1", "[::1]:19"),
            ("[::1]", "[::1]:19"),
            ("[2001:db8::7]", "[2001:db8::7]:19"),
        ] {
            assert_eq!(resolve(host, 19, None, &deadline()).unwrap(), addresses(&[want]), "{host}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_zone_becomes_a_scope() {
        for host in ["[fe80::1%25lo]", "fe80::1%lo", "fe80::1%1"] {
            match resolve(host, 19, None, &deadline()).unwrap()[..] {
                [SocketAddr::V6(address)] => assert_eq!(address.scope_id(), 1, "{host}"),
                ref other => panic!("{host}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_other_family_is_refused() {
        let error = resolve("127.0.0.1", 19, Some(Family::V6), &deadline()).unwrap_err();
        assert_eq!(error.to_string(), "name resolution: 127.0.0.1 has no IPv6 address");
        assert!(resolve("::1", 19, Some(Family::V4), &deadline()).is_err());
    }

    #[test]
    fn an_impossible_name_is_refused() {
        for host in ["", "no such host", "a\0b"] {
            match resolve(host, 19, None, &deadline()) {
                Err(Error::Refused { step: Step::Resolve, .. }) => {}
                other => panic!("{host:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn interrupt_and_timeout_come_first() {
        let interrupt = Interrupt::default();
        interrupt.raise();
        let deadline = Deadline::new(Duration::from_secs(10), &interrupt);
        assert!(matches!(resolve("localhost", 19, None, &deadline), Err(Error::Interrupted)));
        let deadline = Deadline::new(Duration::ZERO, &Interrupt::default());
        assert!(matches!(resolve("localhost", 19, None, &deadline), Err(Error::Timeout { step: Step::Resolve, .. })));
    }
}
