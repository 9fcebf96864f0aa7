//! SWF verification: what the client answers, and how it comes to know the file.

use super::*;
use crate::common::proxy::{Proxy, Rules};
use crate::common::web::Web;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::io::Write;
use std::path::Path;

const REQUEST: u16 = 26;
const RESPONSE: u16 = 27;

/// A player, unpacked: 8 bytes of header with its size, and something after it.
fn player() -> Vec<u8> {
    let body = b"the movie, the movie, the movie and nothing else".repeat(40);
    [&b"FWS\x0a"[..], &(body.len() as u32 + 8).to_le_bytes(), &body].concat()
}

fn packed_by_zlib() -> Vec<u8> {
    let file = player();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(&file[8..]).unwrap();
    [&b"CWS\x0a"[..], &file[4..8], &zlib.finish().unwrap()].concat()
}

fn packed_by_lzma() -> Vec<u8> {
    let file = player();
    let mut lzma = Vec::new();
    lzma_rs::lzma_compress(&mut &file[8..], &mut lzma).unwrap();
    // LZMA's own header is 5 bytes of properties and 8 of size; here the size stands elsewhere.
    let stream = &lzma[13..];
    [&b"ZWS\x0a"[..], &file[4..8], &(stream.len() as u32).to_le_bytes(), &lzma[..5], stream].concat()
}

fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    hmac.update(data);
    hmac.finalize().into_bytes().into()
}

fn hash() -> [u8; 32] {
    hmac(b"Genuine Adobe Flash Player 001", &player())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Plays ten frames to those who answer the request (event 26 with `data`), or to everyone.
fn asks(data: &'static [u8], must_answer: bool) -> impl Fn(&mut Peer) -> Result<()> + Send + Sync + 'static {
    move |peer| {
        let mut s1 = Vec::new();
        let mut version = [0; 4];
        let look = |answer: &mut Vec<u8>| {
            s1 = answer[1..1537].to_vec();
            version.copy_from_slice(&answer[1537 + 4..][..4]);
        };
        peer.handshake_with(look, usize::MAX)?;
        peer.accept_connect()?;
        peer.send(&Msg::control(4, [&REQUEST.to_be_bytes()[..], data].concat()))?;
        if must_answer {
            assert_eq!(version, [10, 0, 45, 2], "a C1 with a digest");
            let size = (player().len() as u32).to_be_bytes();
            let expected = [&[1, 1][..], &size, &size, &hmac(&s1[1504..], &hash())].concat();
            assert_eq!(hex(&peer.wait_user_control(RESPONSE)?), hex(&expected));
        }
        peer.accept_create_stream(1)?;
        peer.accept_play()?;
        peer.media(&clip(10))?;
        peer.end_of_file()?;
        peer.wait_closed()
    }
}

/// Dumps in a home of its own.
#[track_caller]
fn dump_at(home: &Path, url: &str, args: &[&str]) -> Finished {
    let mut command = rtmpcat_with(["-V", "-i", url].iter().chain(args));
    run(command.env("HOME", home).env_remove("XDG_CACHE_HOME"), PATIENCE)
}

#[test]
fn a_given_hash_proves_the_file_by_type_1_whatever_the_server_calls_its_type() {
    let size = player().len().to_string();
    for data in [&[][..], &[1], &[1, 0, 0, 0], &[2], &[2, 0]] {
        let dump = dump(&["-w", &hex(&hash()), "-x", &size, "-V"], asks(data, true));
        dump.expect(0, &clip(10));
        assert_eq!(dump.server.trouble(), Vec::<String>::new());
        assert_eq!(dump.stderr.contains("of type 2; answering by type 1"), data.first() == Some(&2), "{}", dump.stderr);
        assert!(dump.stderr.contains(&format!("SWFSHA256: {}", hex(&hash()))), "{}", dump.stderr);
    }
}

#[test]
fn who_knows_a_file_shakes_hands_with_a_digest() {
    for (args, version) in [(&[][..], [0; 4]), (&["-w", &"0".repeat(64), "-x", "9"], [10, 0, 45, 2])] {
        let dump = dump(args, move |peer| {
            peer.handshake_with(|answer| assert_eq!(answer[1537 + 4..][..4], version, "C1"), usize::MAX)?;
            peer.accept_connect()?;
            peer.accept_create_stream(1)?;
            peer.accept_play()?;
            peer.media(&clip(10))?;
            peer.end_of_file()?;
            peer.wait_closed()
        });
        dump.expect(0, &clip(10));
        assert_eq!(dump.server.trouble(), Vec::<String>::new());
    }
}

#[test]
fn a_request_without_an_answer_is_told_and_borne() {
    let dump = dump(&[], asks(&[], false));
    dump.expect(0, &clip(10)).expect_stderr("ERROR: Ignoring SWFVerification request, use --swfVfy!");
    assert!(dump.server.all_heard().user_control().iter().all(|(event, _)| *event != RESPONSE));
}

#[test]
fn half_a_hash_is_ignored_with_a_warning() {
    // A script that has always been told so goes on.
    for args in [&["-w", "00"][..], &["-x", "5"], &["-w", "zz", "-x", "5"]] {
        let dump = dump(args, asks(&[], false));
        dump.expect(0, &clip(10)).expect_stderr("WARNING: --swfhash").expect_stderr("Ignoring SWFVerification request");
    }
}

#[test]
fn a_players_file_is_fetched_unpacked_and_its_url_sent() {
    for file in [player(), packed_by_zlib(), packed_by_lzma()] {
        let (home, web) = (tempfile::tempdir().unwrap(), Web::with_file(&file));
        let server = ScriptServer::start(asks(&[], true));
        dump_at(home.path(), &server.url("stream"), &["-W", &web.url(), "-s", "http://other/x.swf"]).expect_code(0);
        assert_eq!(server.trouble(), Vec::<String>::new());
        let connect = server.all_heard().call("connect");
        assert_eq!(connect.args[0].get("swfUrl").and_then(Amf::text), Some(web.url().as_str()));
        let requests = web.requests();
        assert_eq!(requests.len(), 1);
        assert!(requests[0].starts_with("GET /a/player.swf HTTP/1.1\r\n"), "{requests:?}");
        let referer = format!("referer: http://127.0.0.1:{}/\r\n", web.port);
        assert!(requests[0].to_ascii_lowercase().contains(&referer), "{requests:?}");
    }
}

#[test]
fn what_was_fetched_is_kept_as_long_as_the_user_likes() {
    let (home, web) = (tempfile::tempdir().unwrap(), Web::with_file(&packed_by_zlib()));
    // By the option, by librtmp's keys, and asking each time.
    let keyed = format!(" swfUrl={} swfVfy=1", web.url());
    for (words, args, requests) in [
        ("", &["-W", &web.url()][..], 1),
        ("", &["-W", &web.url()], 1),
        (&keyed, &[], 1),
        (&format!("{keyed} swfAge=0"), &[], 2),
        ("", &["-W", &web.url(), "-X", "0"], 3),
        (&format!("{keyed} swfAge=0"), &["-X", "1"], 3),
    ] {
        let server = ScriptServer::start(asks(&[], true));
        dump_at(home.path(), &format!("{}{words}", server.url("stream")), args).expect_code(0);
        assert_eq!(server.trouble(), Vec::<String>::new(), "{words} {args:?}");
        assert_eq!(web.requests().len(), requests, "{words} {args:?}");
    }
    let asked_again = &web.requests()[1].to_ascii_lowercase();
    assert!(asked_again.contains("if-modified-since: sat, 21 nov 2026 04:01:04 gmt\r\n"), "{asked_again}");
    let kept: Vec<_> = std::fs::read_dir(home.path().join(".cache/rtmpcat/swf")).unwrap().collect();
    assert_eq!(kept.len(), 1, "one entry and nothing half-written");
}

#[test]
fn what_rtmpdump_kept_is_known() {
    let (home, web) = (tempfile::tempdir().unwrap(), Web::start(|_| ("500 No".into(), Vec::new())));
    let entry = |ctim: &str| {
        let (size, hash) = (player().len(), hex(&hash()));
        format!("url: {}\nctim: {ctim}\ndate: {ctim}\nsize: {size:08x}\nhash: {hash}\n", web.url())
    };
    for (ctim, requests, words) in [
        // Kept for thirty days; this is old, and there is no server to ask: better than nothing.
        ("Sat, 21 Nov 2020 04:01:05 GMT", 1, "using cached SWF hash"),
        (&now(), 1, "Using cached SWF hash"),
    ] {
        std::fs::write(home.path().join(".swfinfo"), entry(ctim)).unwrap();
        let server = ScriptServer::start(asks(&[], true));
        let dump = dump_at(home.path(), &server.url("stream"), &["-W", &format!("{}?token=x", web.url())]);
        dump.expect_code(0).expect_stderr(words);
        assert_eq!((server.trouble(), web.requests().len()), (vec![], requests), "{ctim}");
    }
}

/// Now, as HTTP writes it.
fn now() -> String {
    jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[test]
fn a_file_that_cannot_be_had_is_a_warning() {
    let home = tempfile::tempdir().unwrap();
    let closed = format!("http://127.0.0.1:{}/p.swf?auth=s3cret", common::free_port());
    let not_there = Web::start(|_| ("404 Not Found".into(), b"no".to_vec()));
    let page = Web::start(|_| ("200 OK".into(), b"<html>a page</html>".to_vec()));
    for (url, words) in [
        (closed.as_str(), "cannot fetch"),
        (&not_there.url(), "404"),
        (&page.url(), "not a SWF file"),
        ("/nonexistent/player.swf", "cannot read"),
        ("gopher://127.0.0.1/p.swf", "only http: and https: are fetched"),
    ] {
        let server = ScriptServer::start(asks(&[], false));
        let dump = dump_at(home.path(), &server.url("stream"), &["-W", url]);
        dump.expect_code(0).expect_stderr("going on without SWF verification").expect_stderr(words);
        assert!(!dump.stderr.contains("s3cret"), "{}", dump.stderr);
        assert_eq!(server.trouble(), Vec::<String>::new());
    }
}

#[test]
fn a_signal_ends_the_wait_for_a_web_server() {
    let home = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/p.swf", listener.local_addr().unwrap());
    let mut command = rtmpcat_with(["-r", "rtmp://127.0.0.1:1/app/stream", "-o", "-", "-W", &url]);
    let client = common::Running::start(command.env("HOME", home.path()).env_remove("XDG_CACHE_HOME"));
    let _request = listener.accept().unwrap();
    client.signal("INT");
    let finished = client.finish(Duration::from_secs(10));
    finished.expect_code(1);
    assert!(!finished.stderr.contains("Connecting"), "{}", finished.stderr);
}

#[test]
fn who_is_sent_elsewhere_proves_it_there_too() {
    let there = ScriptServer::start(asks(&[], true));
    let target = format!("rtmp://127.0.0.1:{}/app", there.port);
    let size = player().len().to_string();
    let dump = dump(&["-w", &hex(&hash()), "-x", &size], move |peer| {
        peer.handshake_with(|answer| assert_eq!(answer[1537 + 4..][..4], [10, 0, 45, 2], "C1"), usize::MAX)?;
        let call = peer.wait_call("connect")?;
        let ex = Amf::obj(&[("code", 302.0.into()), ("redirect", target.as_str().into())]);
        let rejected = ("code", "NetConnection.Connect.Rejected".into());
        peer.answer("_error", &call, Amf::Null, Amf::obj(&[("level", "error".into()), rejected, ("ex", ex)]))
    });
    dump.expect(0, &clip(10));
    assert_eq!((dump.server.trouble(), there.trouble()), (vec![], vec![]));
    assert_eq!(there.all_heard().user_control().iter().filter(|(event, _)| *event == RESPONSE).count(), 1);
}

#[test]
fn a_file_is_fetched_through_the_proxy_that_is_given() {
    let login = Rules { login: Some(("user", "p@ss")), ..Rules::default() };
    for (scheme, rules, asked) in [
        ("socks4://", Rules::default(), "socks4 127.0.0.1:"),
        ("socks4a://", Rules::default(), "socks4 127.0.0.1:"),
        ("socks5://", Rules::default(), "socks5 127.0.0.1:"),
        ("socks5h://user:p%40ss@", login.clone(), "socks5 127.0.0.1:"),
        ("http://user:p%40ss@", login, "127.0.0.1:"),
    ] {
        let (home, web, proxy) = (tempfile::tempdir().unwrap(), Web::with_file(&player()), Proxy::start(rules));
        let server = ScriptServer::start(asks(&[], true));
        let way = format!("{scheme}127.0.0.1:{}", proxy.port);
        dump_at(home.path(), &server.url("stream"), &["-W", &web.url(), "--proxy", &way]).expect_code(0);
        assert_eq!((server.trouble(), web.requests().len()), (vec![], 1), "{scheme}");
        let asked = format!("{asked}{}", web.port);
        assert!(proxy.asked()[0].ends_with(&asked), "{scheme}: {:?}", proxy.asked());
    }
    // Through the proxy or not at all, and through none where none is wanted.
    let (home, web) = (tempfile::tempdir().unwrap(), Web::with_file(&player()));
    let server = ScriptServer::start(asks(&[], true));
    let silent = Proxy::start(Rules { refusal: Some(b"\0[\0\0\0\0\0\0".to_vec()), ..Rules::default() });
    let way = format!("127.0.0.1:{}", silent.port);
    let refused = dump_at(home.path(), &server.url("stream"), &["-W", &web.url(), "-S", &way]);
    refused.expect_code(3).expect_stderr("cannot fetch");
    assert_eq!(web.requests().len(), 0);
    let mut command = rtmpcat_with(["-i", &server.url("stream"), "--proxy", "", "-W", &web.url()]);
    command.env("HOME", home.path()).env_remove("XDG_CACHE_HOME").env("ALL_PROXY", &way).env("HTTP_PROXY", &way);
    run(&mut command, PATIENCE).expect_code(0);
    assert_eq!((server.trouble(), web.requests().len()), (vec![], 1));
}

#[test]
fn the_certificate_of_a_web_server_is_checked_as_the_user_says() {
    let home = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = home.path().join("ca.pem");
    std::fs::write(&pem, made.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config =
        rustls::ServerConfig::builder_with_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
    let config = std::sync::Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/p.swf", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let mut tls = rustls::StreamOwned::new(rustls::ServerConnection::new(config.clone()).unwrap(), socket);
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && std::io::Read::read_exact(&mut tls, &mut byte).is_ok() {
                request.push(byte[0]);
            }
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", player().len());
            // Who does not trust the certificate has gone.
            let _ = tls.write_all(&[head.as_bytes(), &player()].concat());
        }
    });
    let (no, pem) = (home.path().join("no.pem"), pem.to_str().unwrap());
    for (args, proves) in [
        (&[][..], false),
        (&["--cafile", no.to_str().unwrap()], false),
        (&["--cafile", pem], true),
        (&["--insecure"], true),
    ] {
        let server = ScriptServer::start(asks(&[], proves));
        let args = [&["-W", &url, "-X", "0"], args].concat();
        let dump = dump_at(home.path(), &server.url("stream"), &args);
        dump.expect_code(0);
        assert_eq!(dump.stderr.contains("cannot "), !proves, "{args:?}: {}", dump.stderr);
        assert_eq!(server.trouble(), Vec::<String>::new(), "{args:?}");
        let _ = std::fs::remove_dir_all(home.path().join(".cache"));
    }
}
