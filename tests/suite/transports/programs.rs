//! Other people's programs on the other end, for each scheme that they speak.

use super::{Endpoints, Identity, SCHEMES, dump, text_file};
use crate::common::flvcmp::{Flv, Tag, VIDEO, expect_equal, from_zero};
use crate::common::media::{Media, folder};
use crate::common::nginx::{Config, Nginx};
use crate::common::peers::{recent_ffmpeg, rtmpdump};
use crate::common::{PATIENCE, Running, find_program, free_port, have, run, skip, wait_listening};
use std::path::Path;
use std::process::Command;

// --- They play our server -------------------------------------------------------------------------------------------

#[test]
fn rtmpdump_plays_our_server_over_every_scheme() {
    if !have(&["rtmpdump"]) {
        return;
    }
    let endpoints = Endpoints::new();
    let scratch = tempfile::tempdir().unwrap();
    for scheme in SCHEMES {
        let file = scratch.path().join(format!("{scheme}.flv"));
        let dumped = rtmpdump(&["-r", &endpoints.url(scheme, "127.0.0.1"), "-o", file.to_str().unwrap()]);
        // 2: rtmpdump takes a short clip for incomplete because its last frame begins before the end.
        assert!(matches!(dumped.code, Some(0 | 2)), "{scheme}: {dumped:?}");
        expect_equal(&media(&endpoints.tags), &Flv::read(&file).media());
    }
}

fn media(tags: &[Tag]) -> Vec<Tag> {
    tags.iter().filter(|tag| matches!(tag.kind, 8 | 9)).cloned().collect()
}

#[test]
fn debians_ffmpeg_plays_our_server() {
    if have(&["ffmpeg"]) {
        ffmpeg_plays(Path::new("ffmpeg"), &["rtmp", "rtmps", "rtmpt", "rtmpts"]);
    }
}

/// Its rtmpts cannot work: it opens the tunnel over TLS and goes on without ("Cannot reuse HTTP connection for different
/// protocol https vs http").
#[test]
fn a_recent_ffmpeg_plays_our_server() {
    if have(&["imageio-ffmpeg"]) {
        ffmpeg_plays(&recent_ffmpeg(), &["rtmp", "rtmps", "rtmpt", "rtmpe", "rtmpte"]);
    }
}

/// Every packet, over each scheme.
#[track_caller]
fn ffmpeg_plays(ffmpeg: &Path, schemes: &[&str]) {
    let endpoints = Endpoints::with_film();
    let packets = |input: &mut Command| {
        let output = ["-map", "0", "-dn", "-c", "copy", "-f", "framemd5", "-"];
        let hashed = run(input.args(output), PATIENCE).expect_code(0).out();
        let mut hashes: Vec<String> = hashed
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.rsplit(',').next().unwrap_or_default().trim().to_owned())
            .collect();
        hashes.sort();
        hashes
    };
    let quiet = ["-v", "error", "-nostdin"];
    let expected = packets(Command::new(ffmpeg).args(quiet).arg("-i").arg(Media::BFrames.path()));
    assert!(expected.len() > 100);
    for scheme in schemes {
        let mut command = Command::new(ffmpeg);
        command.args(quiet).env("SSL_CERT_FILE", endpoints.identity.cert());
        if *scheme == "rtmps" {
            command.args(["-tls_verify", "1", "-ca_file", &endpoints.cafile()]);
        }
        assert_eq!(packets(command.args(["-i", &endpoints.url(scheme, "localhost")])), expected, "{scheme}");
    }
}

// --- We play theirs -------------------------------------------------------------------------------------------------

#[test]
fn nginx_with_tls_1_2_and_1_3_in_front_of_nginx_rtmp() {
    if !have(&["nginx-rtmp", "nginx-stream", "ffmpeg"]) {
        return;
    }
    let expected = Flv::read(Media::BFrames.path()).media();
    let inner = Nginx::vod(&folder(), 4096);
    let identity = Identity::new(&["localhost"], |_| {});
    let (cert, key) = (identity.cert(), identity.key());
    for (protocol, number) in [("TLSv1.2", "1.2"), ("TLSv1.3", "1.3")] {
        let port = free_port();
        let main_extra = format!(
            "stream {{ server {{ listen 127.0.0.1:{port} ssl; ssl_protocols {protocol}; ssl_certificate {}; \
             ssl_certificate_key {}; proxy_pass 127.0.0.1:{}; }} }}",
            cert.display(),
            key.display(),
            inner.port
        );
        let _outer = Nginx::start(Config { main_extra, ..Config::default() });
        let url = format!("rtmps://localhost:{port}/vod/{}", Media::BFrames.name());
        println!("TLS {number}");
        let got = dump(&url, &["--cafile", cert.to_str().unwrap()]);
        expect_equal(&expected, &Flv::parse(&got.expect_code(0).stdout).unwrap().media());
    }
}

#[test]
fn nginx_that_wants_a_client_certificate() {
    if !have(&["nginx-rtmp", "nginx-stream", "ffmpeg"]) {
        return;
    }
    let expected = Flv::read(Media::BFrames.path()).media();
    let inner = Nginx::vod(&folder(), 4096);
    let (server, ours, stranger) = (
        Identity::new(&["localhost"], |_| {}),
        Identity::new(&["player"], |_| {}),
        Identity::new(&["stranger"], |params| {
            params.distinguished_name = rcgen::DistinguishedName::new();
        }),
    );
    for protocol in ["TLSv1.2", "TLSv1.3"] {
        let port = free_port();
        let main_extra = format!(
            "stream {{ server {{ listen 127.0.0.1:{port} ssl; ssl_protocols {protocol}; ssl_certificate {}; \
             ssl_certificate_key {}; ssl_verify_client on; ssl_client_certificate {}; proxy_pass 127.0.0.1:{}; }} }}",
            server.cert().display(),
            server.key().display(),
            ours.cert().display(),
            inner.port
        );
        let _outer = Nginx::start(Config { main_extra, ..Config::default() });
        let url = format!("rtmps://localhost:{port}/vod/{}", Media::BFrames.name());
        let cafile = server.cert().display().to_string();
        let with = |identity: Option<&Identity>| {
            let mut args = vec!["--cafile".to_owned(), cafile.clone()];
            if let Some(identity) = identity {
                let (cert, key) = (identity.cert().display().to_string(), identity.key().display().to_string());
                args.extend(["--cert".to_owned(), cert, "--key".to_owned(), key]);
            }
            dump(&url, &args)
        };
        let got = with(Some(&ours));
        expect_equal(&expected, &Flv::parse(&got.expect_code(0).stdout).unwrap().media());
        // nginx closes without a TLS alert; some versions say "certificate required".
        with(None).expect_code(3);
        with(Some(&stranger)).expect_code(3);
    }
}

#[test]
fn stunnel_in_front_of_nginx_rtmp() {
    if !have(&["nginx-rtmp", "stunnel4", "ffmpeg"]) {
        return;
    }
    let expected = Flv::read(Media::BFrames.path()).media();
    let inner = Nginx::vod(&folder(), 4096);
    let identity = Identity::new(&["localhost"], |_| {});
    let (scratch, port) = (tempfile::tempdir().unwrap(), free_port());
    let text = format!(
        "foreground = yes\npid =\n[rtmps]\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{}\ncert = {}\nkey = {}\n",
        inner.port,
        identity.cert().display(),
        identity.key().display()
    );
    let file = text_file(scratch.path(), "stunnel.conf", &text);
    let mut stunnel = Running::start(Command::new("stunnel4").arg(file));
    wait_listening(port, Some(&mut stunnel));
    let url = format!("rtmps://localhost:{port}/vod/{}", Media::BFrames.name());
    let got = dump(&url, &["--cafile", identity.cert().to_str().unwrap()]);
    expect_equal(&expected, &Flv::parse(&got.expect_code(0).stdout).unwrap().media());
    dump::<&str>(&url, &[]).expect_code(3).expect_stderr("self-signed");
}

/// ffmpeg's own server, which plays to one client.
#[test]
fn ffmpeg_that_listens() {
    if !have(&["ffmpeg"]) {
        return;
    }
    let port = free_port();
    let url = format!("rtmp://127.0.0.1:{port}/app/stream");
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-loglevel", "info", "-i"]).arg(Media::BFrames.path());
    command.args(["-c", "copy", "-f", "flv", "-flvflags", "no_duration_filesize", "-listen", "1", &url]);
    let mut ffmpeg = Running::start(&mut command);
    // A connection to see whether it listens would be the one that it serves.
    let listens = format!(":{port:04X} 00000000:0000 0A");
    crate::common::wait_until("ffmpeg to listen", || {
        assert!(ffmpeg.is_running(), "{}", ffmpeg.stderr_so_far());
        std::fs::read_to_string("/proc/net/tcp").is_ok_and(|table| table.contains(&listens))
    });
    let got = dump(&url, &["-v", "-m", "5"]);
    let saved = Flv::parse(&got.stdout).unwrap_or_else(|error| panic!("{error}: {}", got.stderr));
    let expected = Flv::read(Media::BFrames.path());
    let frames = |flv: &Flv, kind| {
        let of: Vec<Tag> = flv.of(kind).into_iter().filter(|tag| tag.payload != [0x17, 2, 0, 0, 0]).collect();
        from_zero(&of)
    };
    for kind in [8, VIDEO] {
        expect_equal(&frames(&expected, kind), &frames(&saved, kind));
    }
}

/// rtmpsrv listens on port 1935 of every address, and runs rtmpdump with what it has heard: it gets a network of its own,
/// and nothing to run.
#[test]
fn rtmpsrv_answers_rtmpe() {
    if !have(&["rtmpsrv", "unshare", "nsenter", "ip"]) {
        return;
    }
    if run(Command::new("unshare").args(["-n", "true"]), PATIENCE).code != Some(0) {
        return skip("no right to make a network namespace");
    }
    let mut command = Command::new("unshare");
    let (rtmpsrv, scratch) = (find_program("rtmpsrv").unwrap(), tempfile::tempdir().unwrap());
    text_file(scratch.path(), "rtmpdump", "#!/bin/sh\n");
    let script = "chmod +x rtmpdump && ip link set lo up && PATH=\"$PWD:$PATH\" exec \"$0\" -z";
    command.args(["-n", "sh", "-c", script]).arg(rtmpsrv).current_dir(scratch.path());
    // It ends with its standard input.
    let mut server = Running::start_with_stdin(&mut command);
    let _stdin = server.stdin();
    server.wait_stderr("Streaming on");
    let play = |scheme: &str| {
        let mut command = Command::new("nsenter");
        command.args(["-t", &server.id().to_string(), "-n", env!("CARGO_BIN_EXE_rtmpcat")]);
        command.args(["-V", "-r", &format!("{scheme}://127.0.0.1/app/stream"), "-o", "-"]);
        run(&mut command, PATIENCE)
    };
    for (scheme, asked) in [("rtmpe", "Type Requested : 06"), ("rtmp", "Type Requested : 03")] {
        // It has nothing to play and says so, enciphered.
        play(scheme).expect_code(1).expect_stderr("NetStream.Play.Stop");
        server.wait_stderr(asked);
    }
    server.wait_stderr("ServeInvoke, client invoking <play>");
}
