//! The client against servers played by a script, and both ends together.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use super::*;
use crate::transport::listen::{ListenOptions, Listener, ServerStream};
use crate::transport::{DialOptions, Proxy, ServerTlsOptions, TlsOptions, Transport, TunnelOptions};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn options(port: u16) -> DialOptions {
    DialOptions { host: "127.0.0.1".to_owned(), port, tunnel: Some(TunnelOptions::default()), ..DialOptions::default() }
}

fn open(port: u16) -> Result<Transport, Error> {
    Transport::open(&options(port), &Interrupt::default())
}

/// Waits through ticks for something other than silence.
fn recv(transport: &mut Transport, buf: &mut [u8]) -> Result<Recv, Error> {
    let until = soon();
    while Instant::now() < until {
        match transport.recv(buf, until) {
            Ok(Recv::Idle) => {}
            other => return other,
        }
    }
    panic!("nothing came");
}

/// Receives so many bytes.
fn take(transport: &mut Transport, count: usize) -> Vec<u8> {
    let mut got = Vec::new();
    let mut buf = [0; 5000];
    while got.len() < count {
        match recv(transport, &mut buf).unwrap() {
            Recv::Bytes(n) => got.extend_from_slice(&buf[..n]),
            other => panic!("{other:?} after {} bytes", got.len()),
        }
    }
    got
}

/// What a played server does with a request.
#[derive(Clone, Copy)]
enum Act {
    /// Answers with these bytes.
    Say(&'static [u8]),
    /// Answers with these bytes, one at a time.
    Spell(&'static [u8]),
    /// Answers with these bytes and closes the connection.
    SayAndClose(&'static [u8]),
    /// Says nothing until the client goes.
    Wait,
}

/// A request as it came.
#[derive(Clone, Debug)]
struct Seen {
    at: Instant,
    head: String,
    body: Vec<u8>,
}

impl Seen {
    fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }
}

struct Played {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    thread: JoinHandle<()>,
}

/// A server that acts so on each request in turn, then waits for the client to go.
fn play(acts: &'static [Act]) -> Played {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = seen.clone();
    let thread = thread::spawn(move || {
        let mut acts = acts.iter();
        let mut stream: Option<TcpStream> = None;
        while acts.len() > 0 {
            let connection = stream.get_or_insert_with(|| listener.accept().unwrap().0);
            let Some(request) = request(connection) else {
                stream = None;
                continue;
            };
            record.lock().unwrap().push(request);
            match acts.next().unwrap() {
                Act::Say(bytes) => connection.write_all(bytes).unwrap(),
                Act::Spell(bytes) => bytes.iter().for_each(|byte| connection.write_all(&[*byte]).unwrap()),
                Act::SayAndClose(bytes) => {
                    connection.write_all(bytes).unwrap();
                    stream = None;
                }
                Act::Wait => drop(connection.read(&mut [0])),
            }
        }
        while stream.as_mut().and_then(request).is_some() {}
    });
    Played { port, seen, thread }
}

impl Played {
    fn paths(self) -> Vec<String> {
        self.seen().iter().map(|seen| seen.path().to_owned()).collect()
    }

    fn seen(self) -> Vec<Seen> {
        self.thread.join().unwrap();
        self.seen.lock().unwrap().clone()
    }
}

/// Reads a request; nothing at the connection's end.
fn request(stream: &mut TcpStream) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    Some(Seen { at: Instant::now(), head, body })
}

const OPENED: Act = Act::Say(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-fcs\r\nContent-Length: 5\r\n\r\nab12\n");
const EMPTY: Act = Act::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\x01");
const OVER: Act = Act::Say(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");

#[test]
fn a_session_as_it_is_meant_to_be() {
    let server = play(&[
        OPENED,
        Act::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n\x01hello"),
        EMPTY,
        Act::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\x01abc"),
        OVER,
    ]);
    let mut client = open(server.port).unwrap();
    assert!(client.timings().tunnel.is_some());
    client.send(b"first").unwrap();
    // Waits for the answer to the first.
    client.send(b"sec").unwrap();
    client.send(b"ond").unwrap();
    assert_eq!(take(&mut client, 5), b"hello");
    assert_eq!(take(&mut client, 3), b"abc");
    assert_eq!(recv(&mut client, &mut [0; 9]).unwrap(), Recv::Closed);
    assert_eq!(recv(&mut client, &mut [0; 9]).unwrap(), Recv::Closed);
    drop(client);
    let seen = server.seen();
    let paths: Vec<_> = seen.iter().map(Seen::path).collect();
    assert_eq!(paths, ["/open/1", "/send/ab12/0", "/send/ab12/1", "/idle/ab12/2", "/idle/ab12/3"]);
    let bodies: Vec<_> = seen.iter().map(|seen| seen.body.as_slice()).collect();
    assert_eq!(bodies, [&b"\0"[..], b"first", b"second", b"\0", b"\0"]);
    for line in ["POST ", "Content-Type: application/x-fcs\r\n", "Connection: Keep-Alive\r\n", "Host: 127.0.0.1:"] {
        assert!(seen[1].head.contains(line), "{}", seen[1].head);
    }
}

#[test]
fn closing_sends_what_is_queued() {
    let server = play(&[OPENED, Act::Spell(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\x01xyz"), EMPTY, EMPTY]);
    let mut client = open(server.port).unwrap();
    client.send(b"play").unwrap();
    client.send(b"deleteStream").unwrap();
    client.shutdown();
    assert_eq!(client.recv(&mut [0; 9], soon()).unwrap(), Recv::Closed);
    let seen = server.seen();
    let paths: Vec<_> = seen.iter().map(Seen::path).collect();
    assert_eq!(paths, ["/open/1", "/send/ab12/0", "/send/ab12/1", "/close/ab12/2"]);
    assert_eq!(seen[2].body, b"deleteStream");
}

#[test]
fn answers_of_every_shape() {
    let server = play(&[
        Act::Spell(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab12\r\n0\r\n\r\n"),
        Act::Spell(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\x01\r\n2;x\r\nhe\r\n3\r\nllo\r\n0\r\nT: x\r\n\r\n"),
        Act::Spell(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n\x01world"),
        // HTTP/1.0: the end of the body is the end of the connection.
        Act::SayAndClose(b"HTTP/1.0 200 OK\r\n\r\n\x01until the end"),
        Act::SayAndClose(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\n\x01ab"),
        Act::Say(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n\x01cd"),
        Act::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        Act::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\x01ef"),
        OVER,
    ]);
    let mut client = open(server.port).unwrap();
    let text = b"helloworlduntil the endabcdef";
    assert_eq!(take(&mut client, text.len()), text);
    assert_eq!(recv(&mut client, &mut [0; 9]).unwrap(), Recv::Closed);
    drop(client);
    let paths = server.paths();
    assert_eq!(paths.len(), 9);
    assert_eq!(paths[8], "/idle/ab12/7");
}

#[test]
fn a_dropped_connection_is_replaced_and_the_request_repeated() {
    let server = play(&[
        // Dropped after the answer although it said otherwise, as timeouts do.
        Act::SayAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab12\n"),
        EMPTY,
        // Dropped instead of an answer.
        Act::SayAndClose(b""),
        Act::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n\x01hello"),
        OVER,
    ]);
    let mut client = open(server.port).unwrap();
    client.send(b"one").unwrap();
    client.send(b"two").unwrap();
    assert_eq!(take(&mut client, 5), b"hello");
    assert_eq!(recv(&mut client, &mut [0; 9]).unwrap(), Recv::Closed);
    drop(client);
    let seen = server.seen();
    let requests: Vec<_> = seen.iter().map(|seen| (seen.path(), seen.body.as_slice())).collect();
    assert_eq!(
        requests,
        [
            ("/open/1", &b"\0"[..]),
            ("/send/ab12/0", b"one"),
            ("/send/ab12/1", b"two"),
            ("/send/ab12/1", b"two"),
            ("/idle/ab12/2", b"\0"),
        ]
    );
}

#[test]
fn a_server_that_never_answers_is_not_asked_for_ever() {
    let server = play(&[OPENED, Act::SayAndClose(b""), Act::SayAndClose(b"")]);
    let mut client = open(server.port).unwrap();
    client.send(b"x").unwrap();
    match recv(&mut client, &mut [0; 9]) {
        Err(Error::Closed { step: Step::Exchange } | Error::Io { step: Step::Exchange, .. }) => {}
        other => panic!("{other:?}"),
    }
    drop(client);
    assert_eq!(server.paths(), ["/open/1", "/send/ab12/0", "/send/ab12/0"]);
}

#[test]
fn an_answer_cut_short_is_an_error() {
    for acts in [
        &[OPENED, Act::SayAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\x01abc")],
        &[OPENED, Act::SayAndClose(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n\x01abc\r\n")],
    ] {
        let server = play(acts);
        let mut client = open(server.port).unwrap();
        assert_eq!(take(&mut client, 3), b"abc");
        match recv(&mut client, &mut [0; 9]) {
            Err(Error::Io { source, .. }) => assert_eq!(source.kind(), io::ErrorKind::UnexpectedEof),
            other => panic!("{other:?}"),
        }
        server.thread.join().unwrap();
    }
}

fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Refused { step: Step::Tunnel, reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn refusals() {
    for (acts, want) in [
        (
            &[Act::Say(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno")],
            "HTTP 500 Internal Server Error",
        ),
        (
            &[Act::Say(b"HTTP/1.1 404 Not Found\r\n\r\n<html> that does not end")],
            "HTTP 404 Not Found: the server refused to open a tunnel",
        ),
        (
            &[Act::Say(b"HTTP/1.1 407\r\nContent-Length: 0\r\n\r\n")],
            "HTTP 407: the server refused to open a tunnel (the proxy requires",
        ),
        (&[Act::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html> </html>")], "no session ID"),
        (&[Act::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\n")], "no session ID"),
        (&[Act::Say(b"\x03\0\0\0\n\n")], "not HTTP"),
        (&[Act::Say(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n")], "Content-Length"),
    ] {
        let server = play(acts);
        let reason = reason(open(server.port));
        assert!(reason.contains(want), "{reason}");
        server.thread.join().unwrap();
    }
    for (acts, want) in [
        (&[OPENED, Act::Say(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")], "HTTP 503 Busy"),
        // The first request of all: there never was a session.
        (&[OPENED, OVER], "HTTP 404"),
        (&[OPENED, Act::Say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")], "chunk"),
    ] {
        let server = play(acts);
        let mut client = open(server.port).unwrap();
        let reason = reason(recv(&mut client, &mut [0; 9]));
        assert!(reason.contains(want), "{reason}");
        drop(client);
        server.thread.join().unwrap();
    }
}

#[test]
fn ident_is_asked_and_its_answer_ignored() {
    let ident = DialOptions { tunnel: Some(TunnelOptions { ident: true }), ..options(0) };
    for acts in [
        &[Act::Say(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone"), OPENED][..],
        &[Act::SayAndClose(b"HTTP/1.0 200 OK\r\n\r\n127.0.0.1"), OPENED],
    ] {
        let server = play(acts);
        let options = DialOptions { port: server.port, ..ident.clone() };
        Transport::open(&options, &Interrupt::default()).unwrap();
        assert_eq!(server.paths(), ["/fcs/ident2", "/open/1"]);
    }
}

#[test]
fn the_polling_interval_is_obeyed() {
    assert_eq!(delay(1, true), Duration::ZERO);
    assert_eq!(delay(0, false), delay(1, false), "never without a pause");
    assert_eq!(delay(1, false), Duration::from_micros(15_625));
    assert_eq!(delay(0x21, false).as_millis(), 515);
    assert_eq!(delay(5, true), delay(5, false));
    assert_eq!(delay(255, true), MAX_DELAY);

    let server = play(&[OPENED, Act::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\x21"), EMPTY, OVER]);
    let mut client = open(server.port).unwrap();
    assert_eq!(recv(&mut client, &mut [0; 9]).unwrap(), Recv::Closed);
    drop(client);
    let seen = server.seen();
    assert!(seen[2].at - seen[1].at >= Duration::from_millis(500), "{:?}", seen[2].at - seen[1].at);

    // But what is to be sent is sent at once.
    let server = play(&[OPENED, Act::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\xff"), EMPTY]);
    let mut client = open(server.port).unwrap();
    while server.seen.lock().unwrap().len() < 2 {
        client.recv(&mut [0; 9], Instant::now()).unwrap();
    }
    while client.recv(&mut [0; 9], Instant::now() + POLL_INTERVAL).unwrap() != Recv::Idle {}
    client.send(b"now").unwrap();
    drop(client);
    assert_eq!(server.paths().last().unwrap(), "/send/ab12/1");
}

#[test]
fn an_http_proxy_takes_the_requests_themselves() {
    let server = play(&[OPENED, OVER]);
    let proxy: Proxy = format!("http://me:secret@127.0.0.1:{}", server.port).parse().unwrap();
    let options = DialOptions { host: "media.test".to_owned(), port: 80, proxy: Some(proxy), ..options(0) };
    let client = Transport::open(&options, &Interrupt::default()).unwrap();
    drop(client);
    let seen = server.seen.lock().unwrap().clone();
    assert_eq!(seen[0].path(), "http://media.test:80/open/1");
    assert!(seen[0].head.contains("Host: media.test:80\r\n"));
    assert!(seen[0].head.contains("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n"));
}

#[test]
fn silence_and_interrupts() {
    // At open.
    let server = play(&[Act::Wait]);
    let quick = DialOptions { connect_timeout: Duration::from_millis(100), ..options(server.port) };
    match Transport::open(&quick, &Interrupt::default()) {
        Err(Error::Timeout { step: Step::Tunnel, after }) => assert_eq!(after, quick.connect_timeout),
        other => panic!("{other:?}"),
    }
    server.thread.join().unwrap();

    let server = play(&[Act::Wait]);
    let interrupt = Interrupt::default();
    let waiter = thread::spawn({
        let (options, interrupt) = (options(server.port), interrupt.clone());
        move || Transport::open(&options, &interrupt)
    });
    while server.seen.lock().unwrap().is_empty() {
        thread::yield_now();
    }
    interrupt.raise();
    assert!(matches!(waiter.join().unwrap(), Err(Error::Interrupted)));
    server.thread.join().unwrap();

    // In a session: the caller gets its turn.
    let server = play(&[OPENED, Act::Wait]);
    let mut client = open(server.port).unwrap();
    for wait in [Duration::ZERO, Duration::from_millis(20), Duration::from_secs(60)] {
        let began = Instant::now();
        assert_eq!(client.recv(&mut [0; 9], began + wait).unwrap(), Recv::Idle);
        assert!(began.elapsed() < Duration::from_secs(10));
    }
    drop(client);
    server.thread.join().unwrap();
}

fn accept(listener: &Listener) -> ServerStream {
    loop {
        if let Some(stream) = listener.accept(soon()) {
            return stream;
        }
    }
}

#[test]
fn both_ends_with_and_without_tls() {
    for tls in [None, Some(ServerTlsOptions::default())] {
        let listen = ListenOptions { tunnel: true, tls: tls.clone(), ..ListenOptions::default() };
        let listener = Listener::bind("127.0.0.1:0", &listen, &Interrupt::default()).unwrap();
        let options = DialOptions {
            tls: tls.map(|_| TlsOptions { insecure: true, ..TlsOptions::default() }),
            ..options(listener.local_addr().port())
        };
        let sent: Vec<u8> = (0..3_000_000u32).map(|i| ((i * 31) >> 3) as u8).collect();
        let server = thread::spawn(move || {
            let mut stream = accept(&listener);
            // Sessions outlive the listener.
            drop(listener);
            let mut buf = vec![0; 4096];
            let mut heard = 0;
            while heard < 9 {
                match stream.recv(&mut buf, soon()).unwrap() {
                    Recv::Bytes(count) => heard += count,
                    Recv::Idle => {}
                    Recv::Closed => panic!("closed"),
                }
            }
            for piece in sent.chunks(100_000) {
                stream.send(piece).unwrap();
            }
            stream.shutdown();
            sent
        });
        let mut client = Transport::open(&options, &Interrupt::default()).unwrap();
        client.send(b"some").unwrap();
        client.send(b" more").unwrap();
        let mut got = Vec::new();
        let mut buf = vec![0; 50_000];
        while let Recv::Bytes(count) = recv(&mut client, &mut buf).unwrap() {
            got.extend_from_slice(&buf[..count]);
        }
        assert!(got == server.join().unwrap());
    }
}

#[test]
fn the_server_sees_a_client_close() {
    let listen = ListenOptions { tunnel: true, ..ListenOptions::default() };
    let listener = Listener::bind("127.0.0.1:0", &listen, &Interrupt::default()).unwrap();
    let mut client = open(listener.local_addr().port()).unwrap();
    let mut stream = accept(&listener);
    client.send(b"bye").unwrap();
    client.shutdown();
    let mut buf = [0; 9];
    let mut heard = Vec::new();
    loop {
        match stream.recv(&mut buf, soon()).unwrap() {
            Recv::Bytes(count) => heard.extend_from_slice(&buf[..count]),
            Recv::Idle => {}
            Recv::Closed => break,
        }
    }
    assert_eq!(heard, b"bye");
    assert!(matches!(stream.send(b"x"), Err(Error::Closed { .. })));
}

#[test]
fn what_is_no_tunnel_request_is_answered_as_http() {
    let listen = ListenOptions { tunnel: true, ..ListenOptions::default() };
    let listener = Listener::bind("127.0.0.1:0", &listen, &Interrupt::default()).unwrap();
    for (request, want) in [
        ("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 405 "),
        ("POST /x HTTP/1.1\r\n\r\n", "HTTP/1.1 404 "),
        ("POST /idle/unknown/1 HTTP/1.1\r\nContent-Length: 1\r\n\r\n\0", "HTTP/1.1 404 "),
        ("POST /send/unknown/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 404 "),
        ("POST http://host/fcs/ident2 HTTP/1.0\r\n\r\n", "HTTP/1.1 404 "),
        ("\x03\0\0\0\n\n", "HTTP/1.1 400 "),
        ("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 400 "),
    ] {
        let mut stream = TcpStream::connect(listener.local_addr()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(want), "{request:?}: {answer}");
    }
    let mut stream = TcpStream::connect(listener.local_addr()).unwrap();
    stream.write_all(b"POST /open/1 HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n").unwrap();
    let chunk = vec![0; 1 << 20];
    let mut answer = [0; 13];
    for _ in 0..20 {
        let _ = stream.write_all(&chunk);
    }
    // The refusal may be lost to the reset that unread bytes make of the end; nothing was kept of them in any case.
    if stream.read_exact(&mut answer).is_ok() {
        assert_eq!(&answer, b"HTTP/1.1 413 ");
    }
    assert!(listener.accept(Instant::now()).is_none());
}

#[test]
fn endless_heads_block_neither_a_wait_nor_closing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let Act::Say(opened) = OPENED else { unreachable!() };
        request(&mut stream).unwrap();
        stream.write_all(opened).unwrap();
        request(&mut stream).unwrap();
        while stream.write_all(&b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100)).is_ok() {}
    });
    let interrupt = Interrupt::default();
    let mut client = Transport::open(&options(port), &interrupt).unwrap();
    for _ in 0..3 {
        assert_eq!(client.recv(&mut [0; 100], soon()).unwrap(), Recv::Idle);
    }
    interrupt.raise();
    assert_eq!(client.recv(&mut [0; 100], soon()).unwrap(), Recv::Idle);
    client.shutdown();
    assert_eq!(client.recv(&mut [0; 100], soon()).unwrap(), Recv::Closed);
    server.join().unwrap();
}

#[test]
fn answers_without_data_come_back_to_the_caller() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (Act::Say(opened), Act::Say(empty)) = (OPENED, EMPTY) else { unreachable!() };
        let mut answer = opened;
        while request(&mut stream).is_some() && stream.write_all(answer).is_ok() {
            answer = empty;
        }
    });
    let mut client = open(port).unwrap();
    for _ in 0..3 {
        assert_eq!(client.recv(&mut [0; 100], soon()).unwrap(), Recv::Idle);
    }
    drop(client);
    server.join().unwrap();
}

/// What a server of ours answers to these bytes: the status line.
fn answered(stream: &mut TcpStream, request: &[u8]) -> String {
    // The server may have had enough before the end.
    let _ = stream.write_all(request);
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap().lines().next().unwrap().to_owned()
}

#[test]
fn a_server_takes_no_bodies_of_strangers() {
    let listen = ListenOptions { tunnel: true, ..ListenOptions::default() };
    let listener = Listener::bind("127.0.0.1:0", &listen, &Interrupt::default()).unwrap();
    let connect = || TcpStream::connect(listener.local_addr()).unwrap();
    let post = |path: &str, body: usize| {
        let head = format!("POST {path} HTTP/1.1\r\nContent-Length: {body}\r\n\r\n");
        [head.as_bytes(), &vec![0; body]].concat()
    };
    let mut stream = connect();
    for _ in 0..2 {
        assert_eq!(answered(&mut stream, &post("/send/none/1", 1000)), "HTTP/1.1 404 Not Found", "and stays open");
    }
    for path in ["/send/none/1", "/open/1"] {
        assert_eq!(answered(&mut connect(), &post(path, 300_000)), "HTTP/1.1 413 Content Too Large");
    }
    assert_eq!(answered(&mut connect(), b"GET /open/1 HTTP/1.1\r\n\r\n"), "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(answered(&mut connect(), &[b'\n'; 70_000]), "HTTP/1.1 400 Bad Request");
}
