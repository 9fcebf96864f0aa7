//! Whom TLS trusts: each way in which a certificate can be wrong has a sentence that says so and what to do.

use super::{Endpoints, Identity, dump};
use crate::common::{PATIENCE, have, rtmpcat_with, run};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::PublicKeyData;
use sha2::{Digest, Sha256};

const TLS: [&str; 2] = ["rtmps", "rtmpts"];

/// The endpoints, and the pin of its key.
fn pinned() -> (Endpoints, String) {
    let endpoints = Endpoints::new();
    let pin = BASE64.encode(Sha256::digest(endpoints.identity.pair.subject_public_key_info()));
    (endpoints, format!("sha256//{pin}"))
}

#[test]
fn a_self_signed_certificate_is_refused_and_named_trusted() {
    let endpoints = Endpoints::new();
    for scheme in TLS {
        let url = endpoints.url(scheme, "127.0.0.1");
        let refused = dump::<&str>(&url, &[]);
        refused.expect_code(3).expect_stderr("TLS handshake: ").expect_stderr("self-signed");
        refused.expect_stderr("--cafile").expect_stderr("--insecure");
        dump(&url, &["--cafile", &endpoints.cafile()]).expect_code(0);
    }
}

#[test]
fn insecure_is_said_loudly_and_only_where_there_is_tls() {
    let endpoints = Endpoints::new();
    for scheme in TLS {
        let got = dump(&endpoints.url(scheme, "127.0.0.1"), &["--insecure"]);
        got.expect_code(0).expect_stderr("WARNING: --insecure: 127.0.0.1 is not authenticated");
    }
    assert!(!dump(&endpoints.url("rtmp", "127.0.0.1"), &["--insecure"]).expect_code(0).stderr.contains("WARNING"));
}

#[test]
fn a_certificate_for_another_name() {
    let endpoints = Endpoints::with(Identity::new(&["elsewhere.test"], |_| {}));
    for host in ["127.0.0.1", "localhost"] {
        let got = dump(&endpoints.url("rtmps", host), &["--cafile", &endpoints.cafile()]);
        got.expect_code(3).expect_stderr(&format!(", not for {host} (")).expect_stderr("elsewhere.test");
    }
    dump(&endpoints.url("rtmps", "localhost"), &["--insecure"]).expect_code(0);
}

#[test]
fn an_expired_certificate_and_one_of_the_future() {
    for (from, to, words) in [(2001, 2002, "expired on 2002-01-01"), (2090, 2091, "not valid before 2090-01-01")] {
        let identity = Identity::new(&["localhost"], |params| {
            params.not_before = rcgen::date_time_ymd(from, 1, 1);
            params.not_after = rcgen::date_time_ymd(to, 1, 1);
        });
        let endpoints = Endpoints::with(identity);
        let got = dump(&endpoints.url("rtmps", "localhost"), &["--cafile", &endpoints.cafile()]);
        got.expect_code(3).expect_stderr(words).expect_stderr("clock");
    }
}

#[test]
fn pins_count_besides_trust_and_without_it() {
    let (endpoints, pin) = pinned();
    let other = format!("sha256//{}", BASE64.encode([7; 32]));
    let both = format!("{other};{pin}");
    let cafile = endpoints.cafile();
    for scheme in TLS {
        let url = endpoints.url(scheme, "localhost");
        for right in [&pin, &both] {
            dump(&url, &["--pin", right, "--cafile", &cafile]).expect_code(0);
            dump(&url, &["--pin", right, "--insecure"]).expect_code(0).expect_stderr("nothing but the pinned key");
        }
        let wrong = dump(&url, &["--pin", &other, "--cafile", &cafile]);
        wrong.expect_code(3).expect_stderr("is not pinned").expect_stderr(&pin);
        dump(&url, &["--pin", &other, "--insecure"]).expect_code(3).expect_stderr("is not pinned");
        // A pin alone does not make a stranger trusted.
        dump(&url, &["--pin", &pin]).expect_code(3).expect_stderr("self-signed");
    }
}

#[test]
fn a_pin_as_openssl_makes_it() {
    if !have(&["openssl"]) {
        return;
    }
    let (endpoints, pin) = pinned();
    let words = "openssl x509 -in \"$1\" -pubkey -noout | openssl pkey -pubin -outform der \
                 | openssl dgst -sha256 -binary | openssl enc -base64";
    let mut command = std::process::Command::new("sh");
    let made = run(command.args(["-c", words, "sh", &endpoints.cafile()]), PATIENCE).expect_code(0).out();
    assert_eq!(format!("sha256//{}", made.trim()), pin);
}

#[test]
fn files_and_pins_that_make_no_sense_are_wrong_usage() {
    let url = "rtmps://127.0.0.1:1/a/b";
    for option in [["--cafile", "/no/such/file"], ["--cert", "/no/such/file"], ["--pin", "sha256//short"]] {
        let got = run(&mut rtmpcat_with(["-r", url].iter().chain(&option)), PATIENCE);
        got.expect_code(1).expect_stderr(option[0]).expect_stderr(option[1]);
    }
    let got = run(&mut rtmpcat_with(["-r", url, "--key", "k"]), PATIENCE);
    got.expect_code(1).expect_stderr("--cert");
}

#[test]
fn options_of_tls_do_nothing_to_plain_rtmp_but_are_warned_about() {
    let (endpoints, pin) = pinned();
    let url = endpoints.url("rtmp", "127.0.0.1");
    dump(&url, &["--pin", &pin]).expect_code(0).expect_stderr("WARNING: rtmp has no TLS");
    dump(&url, &["--cafile", "/no/such/file"]).expect_code(0).expect_stderr("WARNING: rtmp has no TLS");
}

/// What strace sees of the files that are opened.
#[test]
fn no_trust_store_is_looked_at_for_plain_rtmp() {
    if !have(&["strace"]) {
        return;
    }
    let endpoints = Endpoints::new();
    let opened = |scheme: &str| {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("strace");
        let mut command = std::process::Command::new("strace");
        command.args(["-f", "-e", "trace=openat", "-o"]).arg(&log).arg(env!("CARGO_BIN_EXE_rtmpcat"));
        command.args(["-r", &endpoints.url(scheme, "127.0.0.1"), "-o", "-"]);
        run(&mut command, PATIENCE);
        std::fs::read_to_string(log).unwrap()
    };
    let is_store = |text: &str| text.contains("/ssl/") || text.contains("ca-certificates");
    for scheme in ["rtmp", "rtmpe", "rtmpt"] {
        assert!(!is_store(&opened(scheme)), "{scheme}");
    }
    assert!(is_store(&opened("rtmps")), "the test sees nothing");
}
