//! Proxies played by threads: what is asked of them to the byte, and each way to say no.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::*;
use crate::transport::types::Recv;
use crate::transport::{DialOptions, Interrupt, Transport};

fn proxy(text: &str) -> Proxy {
    text.parse().unwrap()
}

/// A proxy that expects and answers in turn, then sends `hi` as the server behind it would.
fn played(turns: &'static [(&'static [u8], &'static [u8])]) -> (u16, JoinHandle<Result<(), String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        play(&mut stream, turns)
    });
    (port, thread)
}

fn play(stream: &mut TcpStream, turns: &[(&[u8], &[u8])]) -> Result<(), String> {
    for (expected, answer) in turns {
        let mut got = vec![0; expected.len()];
        stream.read_exact(&mut got).map_err(|error| error.to_string())?;
        if got != *expected {
            return Err(format!("got {:?}", String::from_utf8_lossy(&got)));
        }
        // In two pieces, for answers need not come whole.
        let (first, second) = answer.split_at(answer.len() / 2);
        stream.write_all(first).unwrap();
        // Of some answers the beginning is enough, and the client has gone.
        let _ = stream.write_all(second);
    }
    // Not before the peer has gone: a reset would take the answer away.
    let _ = stream.read(&mut [0; 100]);
    Ok(())
}

/// What came of dialling `host`:1935 through the proxy.
fn through(
    url: &str,
    host: &str,
    turns: &'static [(&'static [u8], &'static [u8])],
) -> Result<Result<Transport, Error>, String> {
    let (port, thread) = played(turns);
    let (scheme, rest) = url.split_once("://").unwrap();
    let proxy = proxy(&format!("{scheme}://{rest}127.0.0.1:{port}"));
    let options = DialOptions {
        host: host.to_owned(),
        port: 1935,
        proxy: Some(proxy),
        connect_timeout: Duration::from_secs(20),
        ..DialOptions::default()
    };
    let opened = Transport::open(&options, &Interrupt::default());
    let opened = opened.map(|mut transport| {
        let mut buf = [0; 10];
        assert_eq!(transport.recv(&mut buf, Instant::now() + Duration::from_secs(20)).unwrap(), Recv::Bytes(2));
        assert_eq!(&buf[..2], b"hi", "what follows the proxy's answer is the server's");
        assert!(transport.timings().proxy.is_some());
        transport
    });
    // The proxy waits for this end.
    let kept = opened.map(drop);
    thread.join().unwrap()?;
    match kept {
        Ok(()) => Err("open".to_owned()),
        Err(error) => Ok(Err(error)),
    }
}

fn opens(url: &str, host: &str, turns: &'static [(&'static [u8], &'static [u8])]) {
    match through(url, host, turns) {
        Err(text) if text == "open" => {}
        other => panic!("{url} {host}: {other:?}"),
    }
}

fn fails(url: &str, host: &str, turns: &'static [(&'static [u8], &'static [u8])], want: &str) {
    match through(url, host, turns) {
        Ok(Err(Error::Refused { step: Step::Proxy, reason })) => assert!(reason.contains(want), "{reason}"),
        other => panic!("{url} {host}: {other:?}"),
    }
}

const GRANTED_4: &[u8] = b"\0\x5a\0\0\0\0\0\0hi";

#[test]
fn socks_4() {
    opens("socks4://", "127.0.0.2", &[(b"\x04\x01\x07\x8f\x7f\0\0\x02\0", GRANTED_4)]);
    opens("socks4://me@", "localhost", &[(b"\x04\x01\x07\x8f\x7f\0\0\x01me\0", GRANTED_4)]);
    opens("socks4a://", "127.0.0.2", &[(b"\x04\x01\x07\x8f\x7f\0\0\x02\0", GRANTED_4)]);
    opens("socks4a://", "host.test", &[(b"\x04\x01\x07\x8f\0\0\0\x01\0host.test\0", GRANTED_4)]);
    fails("socks4://", "127.0.0.2", &[(b"\x04", b"\0\x5b\0\0\0\0\0\0")], "rejected or failed");
    fails("socks4://", "127.0.0.2", &[(b"\x04", b"\0\x5c\0\0\0\0\0\0")], "identd");
    fails("socks4://", "127.0.0.2", &[(b"\x04", b"\0\x5d\0\0\0\0\0\0")], "another user");
    fails("socks4://", "127.0.0.2", &[(b"\x04", b"\0\x63\0\0\0\0\0\0")], "code 99");
    fails("socks4://", "127.0.0.2", &[(b"\x04", b"\x05\0\0\0\0\0\0\0")], "not SOCKS4");
    fails("socks4a://", "::1", &[], "IPv6");
}

#[test]
fn socks_5() {
    const HELLO: (&[u8], &[u8]) = (b"\x05\x01\0", b"\x05\0");
    opens("socks5://", "127.0.0.2", &[HELLO, (b"\x05\x01\0\x01\x7f\0\0\x02\x07\x8f", b"\x05\0\0\x01\0\0\0\0\0\0hi")]);
    opens(
        "socks5h://",
        "host.test",
        &[HELLO, (b"\x05\x01\0\x03\x09host.test\x07\x8f", b"\x05\0\0\x03\x05abcde\0\0hi")],
    );
    opens(
        "socks5h://",
        "[::1]",
        &[
            HELLO,
            (
                b"\x05\x01\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x07\x8f",
                b"\x05\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0hi",
            ),
        ],
    );
    opens(
        "socks5://me:secret@",
        "127.0.0.2",
        &[
            (b"\x05\x02\0\x02", b"\x05\x02"),
            (b"\x01\x02me\x06secret", b"\x01\0"),
            (b"\x05\x01\0\x01\x7f\0\0\x02\x07\x8f", b"\x05\0\0\x01\0\0\0\0\0\0hi"),
        ],
    );
    fails("socks5://", "127.0.0.2", &[(b"\x05", b"\x05\xff")], "requires a user name");
    fails(
        "socks5://me:x@",
        "127.0.0.2",
        &[(b"\x05\x02\0\x02", b"\x05\x02"), (b"\x01\x02me\x01x", b"\x01\x01")],
        "wrong user",
    );
    fails("socks5://me:x@", "127.0.0.2", &[(b"\x05", b"\x05\xff")], "takes no user");
    fails("socks5://", "127.0.0.2", &[(b"\x05", b"\x05\x01")], "method 1");
    fails("socks5://", "127.0.0.2", &[(b"\x05", b"HT")], "not SOCKS5");
    fails("socks5://", "127.0.0.2", &[HELLO, (b"\x05", b"\x05\x05\0\x01")], "connection refused");
    fails("socks5://", "127.0.0.2", &[HELLO, (b"\x05", b"\x05\x02\0\x01")], "rules");
    fails("socks5://", "127.0.0.2", &[HELLO, (b"\x05", b"\x05\x63\0\x01")], "code 99");
    fails("socks5://", "127.0.0.2", &[HELLO, (b"\x05", b"\x05\0\0\x07")], "address type 7");
}

#[test]
fn every_socks_5_code_has_words() {
    for code in 1..=8 {
        assert!(!socks_5_words(code).contains("code"), "{code}");
    }
}

#[test]
fn http_connect() {
    const PLAIN: &[u8] = b"CONNECT host.test:1935 HTTP/1.1\r\nHost: host.test:1935\r\n\r\n";
    opens("http://", "host.test", &[(PLAIN, b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nhi")]);
    opens("http://", "host.test", &[(PLAIN, b"HTTP/1.0 200 ok\n\nhi")]);
    opens(
        "http://me:secret@",
        "::1",
        &[(
            b"CONNECT [::1]:1935 HTTP/1.1\r\nHost: [::1]:1935\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nhi",
        )],
    );
    fails("http://", "host.test", &[(PLAIN, b"HTTP/1.1 403 Forbidden\r\n\r\n")], "HTTP 403 Forbidden");
    fails("http://", "host.test", &[(PLAIN, b"HTTP/1.1 407 x\r\n\r\n")], "requires a user name");
    fails("http://a:b@", "host.test", &[(b"CONNECT", b"HTTP/1.1 407 x\r\n\r\n")], "wrong user");
    fails("http://", "host.test", &[(PLAIN, b"SSH-2.0-x\n\n")], "not HTTP");
    opens("http://", "host.test", &[(PLAIN, b"HTTP/1.1 200 OK\r\nno colon\r\n\r\nhi")]);
}

#[test]
fn a_silent_proxy_a_gone_one_and_an_interrupt() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for kind in ["socks4", "socks5", "http"] {
        let options = DialOptions {
            host: "127.0.0.2".to_owned(),
            proxy: Some(proxy(&format!("{kind}://127.0.0.1:{port}"))),
            connect_timeout: Duration::from_millis(100),
            ..DialOptions::default()
        };
        match Transport::open(&options, &Interrupt::default()) {
            Err(Error::Timeout { step: Step::Proxy, after }) => assert_eq!(after, options.connect_timeout),
            other => panic!("{other:?}"),
        }
        drop(listener.accept().unwrap());

        let options = DialOptions { connect_timeout: Duration::from_secs(60), ..options };
        let interrupt = Interrupt::default();
        let waiter = thread::spawn({
            let (options, interrupt) = (options.clone(), interrupt.clone());
            move || Transport::open(&options, &interrupt)
        });
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 3]).unwrap();
        interrupt.raise();
        assert!(matches!(waiter.join().unwrap(), Err(Error::Interrupted)));

        let waiter = thread::spawn(move || Transport::open(&options, &Interrupt::default()));
        let (stream, _) = listener.accept().unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        match waiter.join().unwrap() {
            Err(Error::Refused { step: Step::Proxy, reason }) => assert!(reason.contains("closed"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}
