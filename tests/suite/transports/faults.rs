//! What goes wrong on each layer: the error names the layer, comes within its time, and the exit code is 3 where there was
//! no session.

use super::{Endpoints, SCHEMES, dump};
use crate::common::flvcmp::Flv;
use crate::common::flvcmp::expect_equal;
use crate::common::relay::{Cut, Faults, Relay};
use crate::common::script_server::{Peer, ScriptServer, clip};
use crate::common::{Dice, Finished, PATIENCE, Running, rtmpcat_with, run};
use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// A server that sends these bytes to whoever says something, and closes.
fn answering(bytes: impl Into<Vec<u8>>) -> u16 {
    let bytes = bytes.into();
    serving(move |mut socket| {
        let _ = socket.read(&mut [0; 4096]);
        let _ = socket.write_all(&bytes);
        let _ = socket.shutdown(Shutdown::Write);
        // Unread bytes would make a reset of the end.
        let _ = std::io::copy(&mut socket, &mut std::io::sink());
    })
}

/// A server that takes connections and says nothing.
fn silent() -> u16 {
    serving(|mut socket| drop(std::io::copy(&mut socket, &mut std::io::sink())))
}

/// A server for as long as the test lasts.
fn serving(with: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let with = with.clone();
            std::thread::spawn(move || with(socket));
        }
    });
    port
}

#[track_caller]
fn at(scheme: &str, port: u16, args: &[&str]) -> Finished {
    let got = dump(&format!("{scheme}://127.0.0.1:{port}/app/stream"), args);
    assert!(got.stdout.is_empty());
    got
}

fn http(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A server that passes connections on to `port`, each only once it is told to. It says when a client has sent something.
/// With `answer`, that is asked of a proxy, and this what the proxy answers.
fn gate(port: u16, answer: Option<&'static [u8]>) -> (u16, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (said, hear) = mpsc::channel();
    let (open, opened) = mpsc::channel();
    let opened = Arc::new(Mutex::new(opened));
    let own = serving(move |mut client| {
        let mut first = vec![0; 4096];
        let count = client.read(&mut first).unwrap();
        said.send(()).unwrap();
        opened.lock().unwrap().recv().unwrap();
        let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
        match answer {
            Some(answer) => client.write_all(answer).unwrap(),
            None => server.write_all(&first[..count]).unwrap(),
        }
        let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
        let _ = std::io::copy(&mut server, &mut client);
        let _ = client.shutdown(Shutdown::Both);
    });
    (own, hear, open)
}

/// While the program does not run, its time limits do not: what came meanwhile is looked at first.
#[test]
fn a_program_that_was_stopped_does_not_blame_the_server() {
    let endpoints = Endpoints::new();
    for (scheme, proxy) in [("rtmps", false), ("rtmpt", false), ("rtmpts", false), ("rtmp", true)] {
        let answer = proxy.then_some(&b"HTTP/1.1 200 OK\r\n\r\n"[..]);
        let (port, hear, open) = gate(endpoints.port(scheme), answer);
        let port_in_url = if proxy { endpoints.port(scheme) } else { port };
        let url = format!("{scheme}://127.0.0.1:{port_in_url}/vod/{}", endpoints.name);
        let proxy = format!("http://127.0.0.1:{port}");
        let args = if answer.is_some() { vec!["--proxy", &proxy] } else { vec![] };
        let cafile = endpoints.cafile();
        let args = [&[url.as_str(), "-o", "-", "--connect-timeout", "1", "--cafile", &cafile], &args[..]].concat();
        let client = Running::start(&mut rtmpcat_with(args));
        hear.recv().unwrap();
        client.signal("STOP");
        open.send(()).unwrap();
        // Longer than the limit.
        std::thread::sleep(Duration::from_millis(2500));
        // Whatever connection comes next (a tunnel's) is let through.
        for _ in 0..100 {
            let _ = open.send(());
        }
        client.signal("CONT");
        let got = client.finish(PATIENCE);
        expect_equal(&endpoints.tags, &Flv::parse(&got.expect_code(0).stdout).unwrap().tags);
    }
}

// --- TLS ------------------------------------------------------------------------------------------------------------

#[test]
fn what_answers_is_not_tls() {
    for (answer, words) in [
        (http("400 Bad Request", "plain"), "the answer is plain HTTP (\"HTTP/1.1 400 Bad Request\")"),
        ([&[3][..], &Dice(1).bytes(3072)].concat(), "is not TLS"),
        // An alert: handshake_failure.
        (vec![0x15, 3, 3, 0, 2, 2, 40], "handshake_failure"),
        (vec![0x15, 3, 3, 0, 2, 2, 70], "protocol_version"),
        // A record that is longer than any may be.
        (vec![0x16, 3, 3, 0xff, 0xff, 1, 2, 3], "TLS handshake: "),
        // A cut one.
        (vec![0x16, 3, 3, 0, 100, 2, 0, 0], "TLS handshake"),
        (vec![], "TLS handshake"),
    ] {
        for scheme in ["rtmps", "rtmpts"] {
            let got = at(scheme, answering(answer.clone()), &["--insecure"]);
            got.expect_code(3).expect_stderr("TLS handshake").expect_stderr(words);
        }
    }
}

#[test]
fn tls_that_is_cut_is_a_truncation() {
    let endpoints = Endpoints::new();
    for (scheme, cut) in [("rtmps", Cut::Close), ("rtmps", Cut::Reset), ("rtmpts", Cut::Close)] {
        let faults = Faults { cut_down: Some((150_000, cut)), ..Faults::default() };
        let relay = Relay::start(endpoints.port(scheme), faults);
        let url = format!("{scheme}://127.0.0.1:{}/vod/clip", relay.port);
        let got = dump(&url, &["--cafile", &endpoints.cafile()]);
        got.expect_code(2).expect_stderr("media: ");
        let saved = Flv::parse(&got.stdout).unwrap().tags;
        assert!(saved.len() > 20, "{} tags", saved.len());
        expect_equal(&endpoints.tags[..saved.len()], &saved);
    }
}

#[test]
fn rtmps_cut_at_any_byte_before_media_is_no_session() {
    let endpoints = Endpoints::new();
    for bytes in [0, 1, 5, 100, 500] {
        let relay =
            Relay::start(endpoints.port("rtmps"), Faults { cut_down: Some((bytes, Cut::Close)), ..Faults::default() });
        let got = dump(&format!("rtmps://127.0.0.1:{}/vod/clip", relay.port), &["--cafile", &endpoints.cafile()]);
        got.expect_code(3).expect_stderr("TLS handshake");
    }
}

// --- The tunnel -----------------------------------------------------------------------------------------------------

#[test]
fn a_tunnel_that_is_none() {
    for (answer, words) in [
        (http("500 Internal Server Error", "oops"), "HTTP 500 Internal Server Error"),
        (http("404 Not Found", ""), "HTTP 404 Not Found"),
        (http("302 Found", ""), "HTTP 302 Found"),
        (http("200 OK", "<html>welcome to our captive portal</html>"), "no session ID"),
        (http("200 OK", ""), "no session ID"),
        (b"\x03\0\0\0\0".to_vec(), "HTTP tunnel: "),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec(), "HTTP tunnel: "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec(), "HTTP tunnel: "),
        ([b"HTTP/1.1 200 OK\r\n".to_vec(), vec![b'a'; 200_000]].concat(), "HTTP tunnel: "),
        (vec![], "HTTP tunnel"),
    ] {
        let got = at("rtmpt", answering(answer), &[]);
        got.expect_code(3).expect_stderr(words).expect_stderr("HTTP tunnel");
        assert!(got.took < Duration::from_secs(8), "{:?}", got.took);
    }
}

#[test]
fn a_tunnel_that_breaks_after_it_was_opened() {
    for (answer, words) in [
        (http("500 Internal Server Error", ""), "HTTP 500 Internal Server Error"),
        (http("404 Not Found", ""), "404"),
        (http("200 OK", "\x01\x05garbage"), "RTMP handshake"),
    ] {
        let port = serving(move |mut socket| {
            let mut buf = [0; 8192];
            while let Ok(count @ 1..) = socket.read(&mut buf) {
                let request = String::from_utf8_lossy(&buf[..count]).into_owned();
                let said = if request.starts_with("POST /open/") { http("200 OK", "abc\n") } else { answer.clone() };
                if request.starts_with("POST ") && socket.write_all(&said).is_err() {
                    return;
                }
            }
        });
        let got = at("rtmpt", port, &["--connect-timeout", "2"]);
        got.expect_code(3).expect_stderr(words);
    }
}

/// A gateway in front of a tunnel: it passes on requests and answers, one at a time. After so many bytes of answers, over
/// all connections together, one request is answered with `answer` instead.
fn gateway(server: u16, after: usize, answer: &'static [u8]) -> u16 {
    let (down, is_lost) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    serving(move |client| {
        let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
        let (mut from_client, mut from_server) = (BufReader::new(&client), BufReader::new(&server));
        while let Some(request) = http_message(&mut from_client) {
            if down.load(SeqCst) >= after && !is_lost.swap(true, SeqCst) {
                let _ = (&client).write_all(answer);
                return;
            }
            if (&server).write_all(&request).is_err() {
                return;
            }
            let Some(answer) = http_message(&mut from_server) else { return };
            down.fetch_add(answer.len(), SeqCst);
            if (&client).write_all(&answer).is_err() {
                return;
            }
        }
    })
}

/// A request or an answer with a Content-Length.
fn http_message(from: &mut impl BufRead) -> Option<Vec<u8>> {
    let (mut message, mut length) = (Vec::new(), 0);
    loop {
        let mut line = Vec::new();
        from.read_until(b'\n', &mut line).ok().filter(|count| *count > 0)?;
        let text = String::from_utf8_lossy(&line).to_lowercase();
        if let Some(value) = text.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        message.extend_from_slice(&line);
        if line == b"\r\n" {
            let mut body = vec![0; length];
            from.read_exact(&mut body).ok()?;
            message.extend_from_slice(&body);
            return Some(message);
        }
    }
}

#[test]
fn a_gateway_that_loses_the_tunnel_is_retried() {
    let endpoints = Endpoints::new();
    let url = |port: u16| format!("rtmpt://127.0.0.1:{port}/vod/clip");
    const SOME: usize = 100_000;
    for (answer, words) in [
        (&b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"[..], "HTTP 502 Bad Gateway"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "HTTP 302 Found"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "closed the connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n\x01", "within an HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP tunnel: "),
        (b"so long\r\n\r\n", "HTTP tunnel: "),
    ] {
        let port = gateway(endpoints.port("rtmpt"), SOME, answer);
        let got = dump(&url(port), &["--retry", "2", "--retry-delay", "0.05"]);
        got.expect_code(0).expect_stderr(words).expect_stderr("trying again");
        expect_equal(&endpoints.tags, &Flv::parse(&got.stdout).unwrap().tags);
        // Without the option it is an incomplete recording.
        let port = gateway(endpoints.port("rtmpt"), SOME, answer);
        dump::<&str>(&url(port), &[]).expect_code(2).expect_stderr(words);
    }
}

// --- RTMPE ----------------------------------------------------------------------------------------------------------

/// A server whose answer to C0 and C1 is this, after which it closes.
fn answers_rtmpe(answer: impl Fn(&mut Peer) -> Result<()> + Send + Sync + 'static) -> Finished {
    let server = ScriptServer::start(move |peer| {
        let c0_c1 = peer.read(1537)?;
        assert_eq!(c0_c1[0], 6, "what is asked for is RTMPE");
        answer(peer)
    });
    let got = at("rtmpe", server.port, &["--connect-timeout", "2"]);
    assert_eq!(server.connections(), 1, "no second attempt without the cipher");
    got
}

#[test]
fn rtmpe_is_not_downgraded() {
    let got = answers_rtmpe(|peer| {
        let answer = [vec![3], Dice(3).bytes(3072)].concat();
        peer.raw(&answer)?;
        peer.wait_closed()
    });
    got.expect_code(3).expect_stderr("RTMP handshake: ").expect_stderr("answered with plain RTMP");
}

#[test]
fn rtmpe_with_a_truncated_or_senseless_key() {
    for answer in [
        // Cut within the part that has the key.
        [vec![6], Dice(3).bytes(700)].concat(),
        [vec![6], Dice(3).bytes(1535)].concat(),
        vec![6],
        vec![],
        // Whole, but without a digest anywhere.
        [vec![6], Dice(3).bytes(3072)].concat(),
        [vec![6], vec![0; 3072]].concat(),
        [vec![8], vec![0xff; 3072]].concat(),
        [vec![0xff], Dice(3).bytes(3072)].concat(),
    ] {
        let got = answers_rtmpe(move |peer| peer.raw(&answer));
        got.expect_code(3).expect_stderr("RTMP handshake");
    }
}

// --- Time -----------------------------------------------------------------------------------------------------------

#[test]
fn each_wait_has_its_limit_and_its_name() {
    let script = |stop_at: u8| {
        ScriptServer::start(move |peer| {
            let steps: [fn(&mut Peer) -> Result<()>; 5] = [
                |peer| peer.handshake(),
                |peer| peer.accept_connect().map(drop),
                |peer| peer.accept_create_stream(1).map(drop),
                |peer| peer.accept_play().map(drop),
                |peer| peer.media(&clip(10)),
            ];
            steps.iter().take(usize::from(stop_at)).try_for_each(|step| step(peer))?;
            peer.wait_closed()
        })
    };
    let limits = ["--connect-timeout", "0.4", "--first-media-timeout", "0.6", "-m", "1"];
    for (steps, code, words) in [
        (0, 3, "no answer in the RTMP handshake within 0.4 s"),
        (1, 1, "no answer to connect within 0.4 s"),
        (2, 1, "no answer to createStream within 0.4 s"),
        (3, 1, "no answer to play within 0.4 s"),
        (4, 1, "the server plays, but no media came within 0.6 s"),
        (5, 2, "stream stalled: no media for 1 s"),
    ] {
        let server = script(steps);
        let got = dump(&server.url("stream"), &[&limits[..], &["-v"]].concat());
        got.expect_code(code).expect_stderr(words);
        assert!(got.took < Duration::from_secs(8), "{:?}", got.took);
    }
    for (scheme, words) in [
        ("rtmp", "no answer in the RTMP handshake within 0.4 s"),
        ("rtmpe", "no answer in the RTMP handshake within 0.4 s"),
        ("rtmps", "no answer in the TLS handshake within 0.4 s"),
        ("rtmpts", "no answer in the TLS handshake within 0.4 s"),
        ("rtmpt", "no answer from the HTTP tunnel within 0.4 s"),
        ("rtmpte", "no answer from the HTTP tunnel within 0.4 s"),
    ] {
        let got = at(scheme, silent(), &[&limits[..], &["--insecure"]].concat());
        got.expect_code(3).expect_stderr(words);
        assert!(got.took < Duration::from_secs(8), "{:?}", got.took);
    }
}

/// A listener with a full queue is as silent as a firewall. It is so as long as the sockets are kept.
#[cfg(target_os = "linux")]
fn unreachable() -> (u16, Vec<socket2::Socket>) {
    use socket2::{Domain, Socket, Type};
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let fillers = (0..3)
        .map(|_| {
            let filler = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            filler.set_nonblocking(true).unwrap();
            let _ = filler.connect(&address);
            filler
        })
        .chain([listener])
        .collect();
    (address.as_socket().unwrap().port(), fillers)
}

#[cfg(target_os = "linux")]
#[test]
fn an_address_that_does_not_answer() {
    let (port, _silence) = unreachable();
    let got = at("rtmp", port, &["--connect-timeout", "0.4"]);
    got.expect_code(3).expect_stderr("no TCP connection within 0.4 s");
    assert!(got.took < Duration::from_secs(8), "{:?}", got.took);
}

/// Every wait ends when the user's time is over, and at Ctrl-C, however long it may last by itself.
#[cfg(target_os = "linux")]
#[test]
fn every_wait_ends_with_the_time_that_was_given_and_at_a_signal() {
    let (unreachable, _silence) = unreachable();
    let proxy = format!("socks5://127.0.0.1:{}", silent());
    let mute = ScriptServer::start(|peer| peer.handshake().and_then(|()| peer.wait_closed()));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let patient = ["--connect-timeout", "25", "--first-media-timeout", "25", "--insecure", "-v"];
    for (scheme, port, more) in [
        ("rtmp", unreachable, &[][..]),
        ("rtmpt", unreachable, &[]),
        ("rtmp", 1, &["--proxy", &proxy]),
        ("rtmps", silent(), &[]),
        ("rtmpts", silent(), &[]),
        ("rtmpt", silent(), &[]),
        ("rtmp", silent(), &[]),
        ("rtmpe", silent(), &[]),
        ("rtmp", mute.port, &[]),
        // Between two attempts.
        ("rtmp", nobody, &["--retry", "inf", "--retry-delay", "1000"]),
        ("rtmp", nobody, &["--wait"]),
    ] {
        let url = format!("{scheme}://127.0.0.1:{port}/app/stream");
        let args = [&["-r", &url], &patient[..], more].concat();
        let got = run(rtmpcat_with(&args).args(["--duration", "0.5"]), PATIENCE);
        got.expect_code(1).expect_stderr("--duration elapsed without media");
        assert!(got.took < Duration::from_secs(6), "{args:?}: {:?}", got.took);
        let running = Running::start(&mut rtmpcat_with(&args));
        running.wait_stderr("Connecting");
        running.signal("INT");
        let got = running.finish(Duration::from_secs(6));
        got.expect_code(1).expect_stderr("Caught signal");
    }
}

/// The same after media has come: what was asked for is there.
#[test]
fn the_time_that_was_given_runs_while_a_connection_is_made_again() {
    let server = ScriptServer::start(|peer| {
        if peer.number > 0 {
            return peer.wait_closed();
        }
        peer.begin()?;
        peer.media(&clip(20))
    });
    let args = ["-v", "--retry", "inf", "--retry-delay", "0.05", "--connect-timeout", "25", "--duration", "1"];
    let got = dump(&server.url("stream"), &args);
    got.expect_code(0).expect_stderr("Download complete");
    assert!(got.took < Duration::from_secs(6), "{:?}", got.took);
    assert_eq!(server.connections(), 2);
    expect_equal(&clip(20), &Flv::parse(&got.stdout).unwrap().tags);
}

#[test]
fn nobody_is_there() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for scheme in SCHEMES {
        let got = at(scheme, port, &[]);
        got.expect_code(3).expect_stderr(&format!("cannot connect to 127.0.0.1:{port}: ")).expect_stderr("refused");
    }
    let got = run(&mut rtmpcat_with(["-r", "rtmp://there-is.invalid/a/b"]), PATIENCE);
    got.expect_code(3).expect_stderr("there-is.invalid");
}
