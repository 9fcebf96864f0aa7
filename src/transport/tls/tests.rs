//! Both ends over loopback: whom a client trusts, how connections end, what hostile or foreign servers answer.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base64::Engine;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::transport::listen::{ListenOptions, Listener, ServerStream};
use crate::transport::{DialOptions, Error, Interrupt, Pins, Recv, ServerTlsOptions, Step, TlsOptions, Transport};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// A certificate with its key in one file, and its pin.
struct Identity {
    dir: TempDir,
    pin: String,
}

impl Identity {
    fn new(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Self {
        let dir = TempDir::new().unwrap();
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let cert = params.self_signed(&key).unwrap();
        std::fs::write(dir.path().join("cert.pem"), cert.pem() + &key.serialize_pem()).unwrap();
        let digest = Sha256::digest(rcgen::PublicKeyData::subject_public_key_info(&key));
        let pin = format!("sha256//{}", base64::engine::general_purpose::STANDARD.encode(digest));
        Identity { dir, pin }
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("cert.pem")
    }

    fn listener(&self) -> Listener {
        let tls = ServerTlsOptions { cert: Some(self.path()), ..ServerTlsOptions::default() };
        listener(tls)
    }

    fn trusted(&self) -> TlsOptions {
        TlsOptions { cafile: Some(self.path()), ..TlsOptions::default() }
    }
}

fn listener(tls: ServerTlsOptions) -> Listener {
    let options = ListenOptions { tls: Some(tls), ..ListenOptions::default() };
    Listener::bind("127.0.0.1:0", &options, &Interrupt::default()).unwrap()
}

fn dial(port: u16, tls: TlsOptions) -> DialOptions {
    DialOptions { host: "127.0.0.1".to_owned(), port, tls: Some(tls), ..DialOptions::default() }
}

/// A server that sends back what it gets and closes in order when its client does.
fn echo(listener: Listener) -> JoinHandle<Result<Vec<u8>, Error>> {
    thread::spawn(move || {
        let mut stream = accept(&listener);
        let mut all = Vec::new();
        let mut buf = vec![0; 70_000];
        loop {
            match stream.recv(&mut buf, soon())? {
                Recv::Bytes(n) => {
                    all.extend_from_slice(&buf[..n]);
                    stream.send(&buf[..n])?;
                }
                Recv::Idle => {}
                Recv::Closed => {
                    stream.shutdown();
                    return Ok(all);
                }
            }
        }
    })
}

fn accept(listener: &Listener) -> ServerStream {
    loop {
        if let Some(stream) = listener.accept(soon()) {
            return stream;
        }
    }
}

/// Serves until the client gives up, and what the client got to know.
fn verdict(identity: &Identity, options: TlsOptions) -> Result<Transport, Error> {
    let listener = identity.listener();
    let port = listener.local_addr().port();
    let server = echo(listener);
    let opened = Transport::open(&dial(port, options), &Interrupt::default());
    if opened.is_err() {
        assert!(server.join().unwrap().is_err(), "the server gets an alert or the end");
    }
    opened
}

fn reason(opened: Result<Transport, Error>) -> String {
    match opened {
        Err(Error::Refused { step: Step::Tls, reason }) => reason,
        other => panic!("{other:?}"),
    }
}

fn receive(client: &mut Transport, want: usize, buf_len: usize) -> Vec<u8> {
    let mut got = Vec::new();
    let mut buf = vec![0; buf_len];
    while got.len() < want {
        match client.recv(&mut buf, soon()).unwrap() {
            Recv::Bytes(n) => got.extend_from_slice(&buf[..n]),
            Recv::Idle => {}
            Recv::Closed => panic!("closed after {} bytes", got.len()),
        }
    }
    got
}

fn ended(client: &mut Transport) -> Result<Recv, Error> {
    loop {
        match client.recv(&mut [0; 100], soon()) {
            Ok(Recv::Idle) => {}
            other => return other,
        }
    }
}

#[test]
fn bytes_go_both_ways_whatever_the_buffers_size() {
    for (buf_len, piece_len) in [(1 << 20, 300_000), (100, 5_000), (20_000, 40_000)] {
        let listener = listener(ServerTlsOptions::default());
        let dir = TempDir::new().unwrap();
        let cafile = dir.path().join("made.pem");
        std::fs::write(&cafile, listener.made_certificate().unwrap()).unwrap();
        let port = listener.local_addr().port();
        let server = echo(listener);
        let options = dial(port, TlsOptions { cafile: Some(cafile), ..TlsOptions::default() });
        let mut client = Transport::open(&options, &Interrupt::default()).unwrap();
        assert!(client.timings().tls.is_some());
        let mut sent = Vec::new();
        let mut got = Vec::new();
        for i in 0..5 {
            let piece: Vec<u8> = (0..piece_len).map(|j: usize| (i * 7 + j * 13) as u8).collect();
            client.send(&piece).unwrap();
            got.extend(receive(&mut client, piece.len(), buf_len));
            sent.extend(piece);
        }
        assert!(got == sent);
        client.shutdown();
        assert!(server.join().unwrap().unwrap() == sent);
        assert_eq!(ended(&mut client).unwrap(), Recv::Closed);
    }
}

#[test]
fn a_self_signed_certificate_is_refused_and_can_be_trusted_by_name() {
    let leaf = Identity::new(&["127.0.0.1"], |_| {});
    // As `openssl req -x509` makes them.
    let authority = Identity::new(&["127.0.0.1"], |p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    for identity in [&leaf, &authority] {
        let reason = reason(verdict(identity, TlsOptions::default()));
        assert!(reason.contains("self-signed") && reason.contains("--cafile"), "{reason}");
        assert!(verdict(identity, identity.trusted()).is_ok());
        assert!(verdict(identity, TlsOptions { insecure: true, ..TlsOptions::default() }).is_ok());
    }
    // Trusting one does not trust another.
    assert!(verdict(&authority, leaf.trusted()).is_err());
}

#[test]
fn a_wrong_name_is_refused_even_when_trusted() {
    for is_ca in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let identity = Identity::new(&["example.org", "192.0.2.1"], |p| p.is_ca = is_ca);
        let reason = reason(verdict(&identity, identity.trusted()));
        assert!(reason.contains(", not for 127.0.0.1 ("), "{reason}");
        assert!(reason.contains("example.org") && reason.contains("192.0.2.1"), "{reason}");
    }
}

#[test]
fn certificates_have_their_time() {
    for is_ca in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let past = Identity::new(&["127.0.0.1"], |p| {
            p.not_after = date_time_ymd(2001, 2, 3);
            p.is_ca = is_ca;
        });
        let reason_past = reason(verdict(&past, past.trusted()));
        assert!(reason_past.contains("expired on 2001-02-03"), "{reason_past}");
        let future = Identity::new(&["127.0.0.1"], |p| {
            p.not_before = date_time_ymd(3001, 2, 3);
            p.is_ca = is_ca;
        });
        let reason_future = reason(verdict(&future, future.trusted()));
        assert!(reason_future.contains("not valid before 3001-02-03"), "{reason_future}");
    }
}

#[test]
fn pins_are_checked_in_addition_to_the_chain() {
    let identity = Identity::new(&["127.0.0.1"], |_| {});
    let other = Identity::new(&["127.0.0.1"], |_| {});
    let pins = |text: &str| Some(text.parse::<Pins>().unwrap());
    let both = format!("{};{}", other.pin, identity.pin);
    for pin in [identity.pin.as_str(), &both] {
        assert!(verdict(&identity, TlsOptions { pins: pins(pin), ..identity.trusted() }).is_ok());
        assert!(verdict(&identity, TlsOptions { pins: pins(pin), insecure: true, ..TlsOptions::default() }).is_ok());
        // A pin alone does not replace trust.
        let reason = reason(verdict(&identity, TlsOptions { pins: pins(pin), ..TlsOptions::default() }));
        assert!(reason.contains("self-signed"), "{reason}");
    }
    for options in [identity.trusted(), TlsOptions { insecure: true, ..TlsOptions::default() }] {
        let reason = reason(verdict(&identity, TlsOptions { pins: pins(&other.pin), ..options }));
        assert!(reason.contains(&identity.pin) && reason.contains("--pin"), "{reason}");
    }
}

#[test]
fn an_end_without_close_notify_is_not_a_close() {
    let identity = Identity::new(&["127.0.0.1"], |_| {});
    let listener = identity.listener();
    let port = listener.local_addr().port();
    let server = thread::spawn(move || {
        let mut stream = accept(&listener);
        while stream.recv(&mut [0; 100], soon()).unwrap() == Recv::Idle {}
        stream.send(b"half a").unwrap();
        // Dropped: a FIN, and nothing said in TLS.
    });
    let mut client = Transport::open(&dial(port, identity.trusted()), &Interrupt::default()).unwrap();
    client.send(b"go").unwrap();
    assert_eq!(receive(&mut client, 6, 100), b"half a");
    match ended(&mut client) {
        Err(Error::Io { step: Step::Exchange, source }) => assert_eq!(source.kind(), io::ErrorKind::UnexpectedEof),
        other => panic!("{other:?}"),
    }
    server.join().unwrap();
}

/// A server that answers every first read with these bytes and then hangs up, or stays silent.
fn foreigner(answer: &'static [u8], hang_up: bool) -> (u16, JoinHandle<Option<TcpStream>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 5]).unwrap();
        stream.write_all(answer).unwrap();
        (!hang_up).then_some(stream)
    });
    (port, server)
}

#[test]
fn what_is_not_tls_is_named() {
    for (answer, want) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "the answer is plain HTTP"),
        (&b"\x03\0\0\0\0\0\0\0\0\0"[..], "not TLS (it begins 03 00"),
        (&b"\x16\x03\x03\xff\xff\x02"[..], "not TLS (it begins 16 03 03 ff ff"),
        (&b"\x15\x03\x03\0\x02\x02\x28"[..], "handshake_failure"),
        (&b"\x15\x03\x03\0\x02\x02\x70"[..], "unrecognized_name"),
        (&b"\x15\x03\x03\0\x02\x02\x46"[..], "neither TLS 1.2 nor 1.3"),
    ] {
        let (port, server) = foreigner(answer, false);
        let reason = reason(Transport::open(&dial(port, TlsOptions::default()), &Interrupt::default()));
        assert!(reason.contains(want), "{reason}");
        drop(server.join().unwrap());
    }
}

#[test]
fn a_hang_up_a_silence_and_an_interrupt_in_the_handshake() {
    let (port, server) = foreigner(b"", true);
    match Transport::open(&dial(port, TlsOptions::default()), &Interrupt::default()) {
        Err(Error::Closed { step: Step::Tls }) => {}
        // Unread bytes make a reset of it.
        Err(Error::Io { step: Step::Tls, source }) => assert_eq!(source.kind(), io::ErrorKind::ConnectionReset),
        other => panic!("{other:?}"),
    }
    drop(server.join().unwrap());

    // Half a record, then nothing.
    let (port, server) = foreigner(b"\x16\x03\x03\0\x50\x02", false);
    let options = DialOptions { connect_timeout: Duration::from_millis(150), ..dial(port, TlsOptions::default()) };
    match Transport::open(&options, &Interrupt::default()) {
        Err(Error::Timeout { step: Step::Tls, after }) => assert_eq!(after, options.connect_timeout),
        other => panic!("{other:?}"),
    }
    drop(server.join().unwrap());

    let (port, server) = foreigner(b"\x16\x03\x03\0\x50\x02", false);
    let interrupt = Interrupt::default();
    let raised = interrupt.clone();
    let waiter = thread::spawn(move || Transport::open(&dial(port, TlsOptions::default()), &interrupt));
    let open = server.join().unwrap();
    raised.raise();
    assert!(matches!(waiter.join().unwrap(), Err(Error::Interrupted)));
    drop(open);
}

/// Stands between client and server: passes the server's bytes on one at a time, and flips one when asked to.
fn relay(server: u16, flip: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut server = TcpStream::connect(("127.0.0.1", server)).unwrap();
        client.set_nodelay(true).unwrap();
        let (mut up_from, mut up_to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || {
            let _ = std::io::copy(&mut up_from, &mut up_to);
            let _ = up_to.shutdown(std::net::Shutdown::Write);
        });
        let mut seen = 0;
        let mut byte = [0];
        while let Ok(1) = server.read(&mut byte) {
            // The header stays whole: it is the ciphertext that is damaged.
            if flip.load(Ordering::SeqCst) {
                seen += 1;
                byte[0] ^= u8::from(seen == 9);
            }
            if client.write_all(&byte).is_err() {
                return;
            }
        }
    });
    port
}

#[test]
fn byte_by_byte_it_works_and_a_flipped_bit_is_noticed() {
    let identity = Identity::new(&["127.0.0.1"], |_| {});
    let listener = identity.listener();
    let flip = Arc::new(AtomicBool::new(false));
    let port = relay(listener.local_addr().port(), flip.clone());
    let server = echo(listener);
    let mut client = Transport::open(&dial(port, identity.trusted()), &Interrupt::default()).unwrap();
    client.send(&[7; 3000]).unwrap();
    assert!(receive(&mut client, 3000, 1 << 16) == [7; 3000]);
    flip.store(true, Ordering::SeqCst);
    client.send(b"once more").unwrap();
    match ended(&mut client) {
        Err(Error::Io { source, .. }) => {
            assert_eq!(source.kind(), io::ErrorKind::InvalidData);
            assert!(source.to_string().contains("TLS"), "{source}");
        }
        other => panic!("{other:?}"),
    }
    // The server receives an alert, or the reset that follows it.
    drop(client);
    assert!(server.join().unwrap().is_err());
}
