//! Every scheme through every kind of proxy.

use super::{Endpoints, SCHEMES, dump};
use crate::common::flvcmp::{Flv, expect_equal};
use crate::common::proxy::{Proxy, Rules};
use crate::common::{PATIENCE, rtmpcat_with, run};
use std::time::Duration;

const LOGIN: (&str, &str) = ("us er", "p:ss@w");
/// The same in a URL.
const WRITTEN: &str = "us%20er:p%3Ass%40w@";

#[test]
fn every_scheme_through_every_proxy() {
    let endpoints = Endpoints::new();
    let proxy = Proxy::start(Rules { login: Some(LOGIN), ..Rules::default() });
    let mut asked = Vec::new();
    for scheme in SCHEMES {
        let port = endpoints.port(scheme);
        for (kind, host, how) in [
            ("socks4", "127.0.0.1", format!("socks4 127.0.0.1:{port}")),
            // No other machine knows this name: only the proxy does.
            ("socks4a", "server.test", format!("socks4 server.test:{port}")),
            ("socks5", "127.0.0.1", format!("socks5 127.0.0.1:{port}")),
            ("socks5h", "server.test", format!("socks5 server.test:{port}")),
            // What is HTTP already is not tunnelled once more, unless it is in TLS.
            (
                "http",
                "server.test",
                match scheme {
                    "rtmpt" | "rtmpte" => format!("POST server.test:{port}"),
                    _ => format!("CONNECT server.test:{port}"),
                },
            ),
        ] {
            let at = format!("{kind}://{WRITTEN}127.0.0.1:{}", proxy.port);
            let got = dump(&endpoints.url(scheme, host), &["--proxy", &at, "--cafile", &endpoints.cafile()]);
            let tags = Flv::parse(&got.expect_code(0).stdout).unwrap().tags;
            println!("{scheme} through {kind}");
            expect_equal(&endpoints.tags, &tags);
            asked.push(how);
        }
    }
    assert_eq!(proxy.asked(), asked);
}

#[test]
fn a_name_is_looked_up_here_for_socks4_and_socks5() {
    let endpoints = Endpoints::new();
    let proxy = Proxy::start(Rules::default());
    for kind in ["socks4", "socks5"] {
        let at = format!("{kind}://127.0.0.1:{}", proxy.port);
        dump(&endpoints.url("rtmp", "localhost"), &["--proxy", &at, "--ipv4"]).expect_code(0);
        dump(&endpoints.url("rtmp", "server.test"), &["--proxy", &at, "--ipv4"])
            .expect_code(3)
            .expect_stderr("server.test");
    }
    let port = endpoints.port("rtmp");
    assert_eq!(proxy.asked(), [format!("socks4 127.0.0.1:{port}"), format!("socks5 127.0.0.1:{port}")]);
}

#[test]
fn rtmpdumps_option_and_librtmps_key_mean_socks4() {
    let endpoints = Endpoints::new();
    let proxy = Proxy::start(Rules::default());
    let (url, place) = (endpoints.url("rtmp", "127.0.0.1"), format!("127.0.0.1:{}", proxy.port));
    dump(&url, &["-S", &place]).expect_code(0);
    dump(&url, &["--socks", &place]).expect_code(0);
    dump::<&str>(&format!("{url} socks={place}"), &[]).expect_code(0);
    assert_eq!(proxy.asked(), vec![format!("socks4 127.0.0.1:{}", endpoints.port("rtmp")); 3]);
}

#[test]
fn the_environment_names_a_proxy() {
    let endpoints = Endpoints::new();
    let proxy = Proxy::start(Rules::default());
    let (url, place) = (endpoints.url("rtmp", "127.0.0.1"), format!("socks5h://127.0.0.1:{}", proxy.port));
    let with = |environment: &[(&str, &str)], args: &[&str]| {
        let before = proxy.asked().len();
        let mut command = rtmpcat_with(["-r", &url, "-o", "-"].iter().chain(args));
        run(command.envs(environment.iter().copied()), PATIENCE).expect_code(0);
        proxy.asked().len() - before
    };
    assert_eq!(with(&[("ALL_PROXY", &place)], &[]), 1);
    assert_eq!(with(&[("all_proxy", &place)], &[]), 1);
    assert_eq!(with(&[("ALL_PROXY", &place), ("NO_PROXY", "example.org,127.0.0.1")], &[]), 0);
    assert_eq!(with(&[("ALL_PROXY", &place), ("no_proxy", "*")], &[]), 0);
    assert_eq!(with(&[("ALL_PROXY", &place)], &["--proxy", ""]), 0);
    assert_eq!(with(&[("ALL_PROXY", "socks5h://127.0.0.1:1")], &["--proxy", &place]), 1);
}

#[test]
fn refusals_name_the_proxy_and_its_reason() {
    let endpoints = Endpoints::new();
    let socks_4 = |code: u8| vec![0, code, 0, 0, 0, 0, 0, 0];
    let socks_5 = |code: u8| vec![5, code, 0, 1, 0, 0, 0, 0, 0, 0];
    let http = |line: &str| format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n").into_bytes();
    for (kind, refusal, words) in [
        ("socks4", socks_4(91), "SOCKS4: rejected or failed"),
        ("socks4a", socks_4(92), "identd"),
        ("socks4", socks_4(93), "identd"),
        ("socks5", socks_5(1), "SOCKS5: "),
        ("socks5", socks_5(2), "SOCKS5: "),
        ("socks5h", socks_5(3), "SOCKS5: "),
        ("socks5h", socks_5(4), "SOCKS5: "),
        ("socks5", socks_5(5), "refused"),
        ("socks5", socks_5(6), "SOCKS5: "),
        ("socks5", socks_5(7), "SOCKS5: "),
        ("socks5", socks_5(8), "SOCKS5: "),
        ("socks5", socks_5(77), "77"),
        ("http", http("403 Forbidden"), "403 Forbidden"),
        ("http", http("502 Bad Gateway"), "502 Bad Gateway"),
        ("http", b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec(), "proxy: "),
        ("socks5", b"HTTP/1.0 400 Bad Request\r\n\r\n".to_vec(), "proxy: "),
        ("socks4", b"HTTP/1.0 400 Bad Request\r\n\r\n".to_vec(), "proxy: "),
        ("socks5", vec![5], "proxy"),
        ("http", b"HTTP/1.1 2".to_vec(), "proxy"),
    ] {
        let proxy = Proxy::start(Rules { refusal: Some(refusal), ..Rules::default() });
        let at = format!("{kind}://127.0.0.1:{}", proxy.port);
        for scheme in ["rtmp", "rtmpts"] {
            let got = dump(&endpoints.url(scheme, "127.0.0.1"), &["--proxy", &at, "--insecure"]);
            got.expect_code(3).expect_stderr(words).expect_stderr("proxy");
            assert!(got.took < Duration::from_secs(10), "{:?}", got.took);
        }
    }
}

#[test]
fn a_login_that_is_missing_or_wrong() {
    let endpoints = Endpoints::new();
    let proxy = Proxy::start(Rules { login: Some(LOGIN), ..Rules::default() });
    let url = endpoints.url("rtmp", "127.0.0.1");
    for (kind, login, words) in [
        ("socks5", "", "requires a user name and password"),
        ("socks5", "u:p@", "proxy: SOCKS5: "),
        ("http", "", "407"),
        ("http", "u:p@", "407"),
    ] {
        let at = format!("{kind}://{login}127.0.0.1:{}", proxy.port);
        let got = dump(&url, &["--proxy", &at]);
        got.expect_code(3).expect_stderr(words);
        assert!(!got.stderr.contains("u:p@"), "{}", got.stderr);
    }
    for (login, words) in [("", "requires a user name and password"), ("u:p@", "wrong user name or password")] {
        let at = format!("http://{login}127.0.0.1:{}", proxy.port);
        let got = dump(&endpoints.url("rtmpt", "127.0.0.1"), &["--proxy", &at]);
        got.expect_code(3).expect_stderr("407").expect_stderr(words);
    }
}

#[test]
fn a_proxy_that_is_not_there_and_one_that_says_nothing() {
    let endpoints = Endpoints::new();
    let url = endpoints.url("rtmp", "127.0.0.1");
    dump(&url, &["--proxy", "socks5://127.0.0.1:1"]).expect_code(3).expect_stderr("127.0.0.1:1");
    let proxy = Proxy::start(Rules { silent: true, ..Rules::default() });
    for kind in ["socks4", "socks5", "http"] {
        let at = format!("{kind}://127.0.0.1:{}", proxy.port);
        let got = dump(&url, &["--proxy", &at, "--connect-timeout", "0.3"]);
        got.expect_code(3).expect_stderr("no answer from the proxy within 0.3 s");
        assert!(got.took < Duration::from_secs(8), "{:?}", got.took);
    }
}

#[test]
fn a_proxy_that_makes_no_sense_is_wrong_usage() {
    for option in [["--proxy", "ftp://127.0.0.1"], ["--proxy", "http://127.0.0.1:x"], ["-S", "127.0.0.1:70000"]] {
        dump("rtmp://127.0.0.1:1/a/b", &option).expect_code(1).expect_stderr("ERROR: ");
    }
    let mut command = rtmpcat_with(["-r", "rtmp://127.0.0.1:1/a/b"]);
    run(command.env("ALL_PROXY", "gopher://x"), PATIENCE).expect_code(1).expect_stderr("ALL_PROXY: ");
}
