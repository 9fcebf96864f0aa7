//! One stream over every scheme.

use super::{Endpoints, all_schemes, dump};
use crate::common::flvcmp::{Flv, expect_equal};
use crate::common::rtmp_bytes::Amf;
use crate::common::script_server::ScriptServer;
use crate::common::{PATIENCE, Running, rtmpcat_with, run};

#[test]
fn one_stream_over_every_scheme() {
    let endpoints = Endpoints::new();
    let plain = dump::<&str>(&endpoints.url("rtmp", "127.0.0.1"), &[]);
    expect_equal(&endpoints.tags, &Flv::parse(&plain.expect_code(0).stdout).unwrap().tags);
    for scheme in all_schemes() {
        for host in ["127.0.0.1", "localhost"] {
            let got = dump(&endpoints.url(scheme, host), &["--cafile", &endpoints.cafile()]);
            got.expect_code(0);
            assert!(got.stdout == plain.stdout, "{scheme}: not the bytes of plain RTMP");
        }
    }
}

#[test]
fn every_order_and_handshake_over_every_scheme() {
    let endpoints = Endpoints::new();
    for scheme in all_schemes() {
        for option in ["--strict-order", "--fast-start", "--digest"] {
            let got = dump(&endpoints.url(scheme, "127.0.0.1"), &["--cafile", &endpoints.cafile(), option]);
            expect_equal(&endpoints.tags, &Flv::parse(&got.expect_code(0).stdout).unwrap().tags);
        }
    }
}

#[test]
fn the_scheme_can_be_given_as_rtmpdumps_number() {
    let endpoints = Endpoints::new();
    for (number, scheme) in [("1", "rtmpt"), ("2", "rtmpe"), ("3", "rtmpte"), ("4", "rtmps"), ("5", "rtmpts")] {
        let url = endpoints.url(scheme, "127.0.0.1").replace(scheme, "rtmp");
        let got = dump(&url, &["--protocol", number, "--cafile", &endpoints.cafile(), "-V"]);
        got.expect_code(0).expect_stderr(&format!("Protocol : {}\n", scheme.to_uppercase()));
    }
}

#[test]
fn a_redirect_to_another_scheme_changes_every_layer() {
    for to in all_schemes() {
        let endpoints = Endpoints::new();
        let elsewhere = endpoints.url(to, "127.0.0.1");
        let first = ScriptServer::start(move |peer| {
            peer.handshake()?;
            let call = peer.wait_call("connect")?;
            let ex = Amf::obj(&[("code", 302.0.into()), ("redirect", elsewhere.trim_end_matches("/clip").into())]);
            let code = ("code", "NetConnection.Connect.Rejected".into());
            peer.answer("_error", &call, Amf::Null, Amf::obj(&[("level", "error".into()), code, ("ex", ex)]))
        });
        let got = dump(&first.url("clip"), &["--cafile", &endpoints.cafile()]);
        expect_equal(&endpoints.tags, &Flv::parse(&got.expect_code(0).stdout).unwrap().tags);
    }
}

#[test]
fn addresses_of_both_families() {
    let endpoints = Endpoints::new();
    // Nobody listens at ::1, which localhost is as well, on most machines.
    dump::<&str>(&endpoints.url("rtmp", "localhost"), &[]).expect_code(0);
    dump(&endpoints.url("rtmp", "localhost"), &["--ipv4", "--bind", "127.0.0.1"]).expect_code(0);
    dump(&endpoints.url("rtmp", "127.0.0.1"), &["--ipv6"]).expect_code(3).expect_stderr("has no IPv6 address");
    dump(&endpoints.url("rtmp", "127.0.0.1"), &["--bind", "::1"]).expect_code(3).expect_stderr("IPv6");
}

#[test]
fn ipv6_literals_with_and_without_a_zone() {
    let mut command = rtmpcat_with(["serve", "--listen", "[::1]:0", "--listen-tls", "[::1]:0"]);
    let server = Running::start(&mut command);
    let said = server.wait_stderr("rtmps://");
    let port = |scheme: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(&format!("Serving {scheme}://[::1]:")));
        line.and_then(|rest| rest.split('/').next()).unwrap_or_else(|| panic!("{said}")).to_string()
    };
    for host in ["[::1]", "[::1%1]", "[::1%251]"] {
        let url = format!("rtmp://{host}:{}/live/test", port("rtmp"));
        dump(&url, &["-v", "--stop", "0.2"]).expect_code(0);
        let url = format!("rtmps://{host}:{}/live/test", port("rtmps"));
        dump(&url, &["-v", "--stop", "0.2", "--insecure"]).expect_code(0);
    }
}

#[test]
fn serve_says_where_each_scheme_is_spoken() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = folder.path().join("made.pem");
    let mut words = vec!["serve"];
    for option in ["--listen", "--listen-tls", "--listen-tunnel", "--listen-tunnel-tls"] {
        words.extend([option, "127.0.0.1:0"]);
    }
    words.extend(["--write-cert", certificates.to_str().unwrap()]);
    let server = Running::start(&mut rtmpcat_with(words));
    let said = server.wait_stderr("rtmpts://");
    for scheme in ["rtmp", "rtmps", "rtmpt", "rtmpts"] {
        let start = format!("Serving {scheme}://");
        let url = said.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("{said}"));
        let url = format!("{scheme}://{url}");
        let mut dump =
            rtmpcat_with(["-v", "--stop", "0.2", "--cafile", certificates.to_str().unwrap(), "-r", &url, "-o", "-"]);
        assert!(run(&mut dump, PATIENCE).expect_code(0).stdout.starts_with(b"FLV"), "{url}");
    }
}
