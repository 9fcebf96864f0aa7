//! `rtmpcat serve` with conditions: rtmpdump, ffmpeg and rtmpcat play through it with the right key, and not without; and
//! rtmpsrv, which says what it understood of what rtmpcat brings.

use crate::common::flvcmp::{Flv, Tag, VIDEO, expect_equal};
use crate::common::media::Media;
use crate::common::peers::rtmpdump;
use crate::common::scratch::Scratch;
use crate::common::serve::Serve;
use crate::common::{self, Finished, PATIENCE, have, rtmpcat_with, run, skip};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A server of one file that lets in who fulfils `conditions`.
#[track_caller]
fn serve(conditions: &[&str]) -> Serve {
    let file = Media::BFrames.path();
    Serve::start(&[&[file.to_str().unwrap()], conditions].concat())
}

/// Writes a file; its path for an argument.
fn written(scratch: &Scratch, name: &str, bytes: &[u8]) -> String {
    scratch.write(name, bytes).to_str().unwrap().to_string()
}

/// What rtmpcat makes of a stream, and the file that it saved.
#[track_caller]
fn ours(scratch: &Scratch, url: &str, args: &[&str]) -> (Finished, PathBuf) {
    let file = scratch.path("ours.flv");
    let _ = std::fs::remove_file(&file);
    let mut command = rtmpcat_with(["-r", url, "-o", file.to_str().unwrap()].iter().chain(args));
    command.env("HOME", scratch.folder()).env_remove("XDG_CACHE_HOME");
    (run(&mut command, PATIENCE), file)
}

/// rtmpcat saves the whole of it.
#[track_caller]
fn expect_ours(scratch: &Scratch, url: &str, args: &[&str]) {
    let (finished, file) = ours(scratch, url, args);
    finished.expect_code(0);
    expect_equal(&Flv::read(Media::BFrames.path()).media(), &Flv::read(file).media());
}

/// rtmpcat saves nothing, ends with 1, and says why.
#[track_caller]
fn expect_refused(scratch: &Scratch, url: &str, args: &[&str], why: &str) {
    let (finished, file) = ours(scratch, url, args);
    finished.expect_code(1).expect_stderr(why);
    assert!(!file.exists());
}

/// rtmpdump saves the whole of it.
#[track_caller]
fn expect_rtmpdump(scratch: &Scratch, url: &str, args: &[&str]) {
    let file = scratch.path("theirs.flv");
    let home = std::iter::once(("HOME", scratch.folder()));
    let mut command = Command::new("rtmpdump");
    command.args(["-r", url, "-o", file.to_str().unwrap()]).args(args).envs(home);
    let dumped = run(&mut command, PATIENCE);
    // 2: it takes a short clip for incomplete because its last frame begins before the end.
    assert!(matches!(dumped.code, Some(0 | 2)), "{dumped:?}");
    expect_equal(&without_end(&Media::BFrames.path()), &Flv::read(file).media());
}

/// What rtmpdump saves of a file: it drops video of 5 bytes or less.
fn without_end(file: &Path) -> Vec<Tag> {
    let small = |tag: &Tag| tag.kind == VIDEO && tag.payload.len() <= 5;
    Flv::read(file).media().into_iter().filter(|tag| !small(tag)).collect()
}

/// Whether ffmpeg gets packets from a URL.
#[track_caller]
fn ffmpeg_plays(url: &str, args: &[&str]) -> bool {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-nostdin"]).args(args).args(["-i", url, "-c", "copy", "-f", "framemd5", "-"]);
    let played = run(&mut ffmpeg, PATIENCE);
    played.code == Some(0) && played.out().lines().filter(|line| !line.starts_with('#')).count() > 100
}

#[test]
fn a_secure_token_opens_to_its_key() {
    if !have(&["rtmpdump", "ffmpeg"]) {
        return;
    }
    let (scratch, serve) = (Scratch::new(), serve(&["--secure-token", "#ed%h0#w@1"]));
    expect_refused(&scratch, &serve.url("bframes"), &[], "SecureToken was not answered");
    expect_refused(&scratch, &serve.url("bframes"), &["-T", "#ed%h0#w@2"], "SecureToken was answered with a wrong key");
    expect_ours(&scratch, &serve.url("bframes"), &["-T", "#ed%h0#w@1"]);
    expect_ours(&scratch, &serve.url("bframes"), &["-T", "#ed%h0#w@1", "--fast-start"]);
    expect_rtmpdump(&scratch, &serve.url("bframes"), &["-T", "#ed%h0#w@1"]);
    let refused = rtmpdump(&["-r", &serve.url("bframes"), "-o", "-", "-T", "#ed%h0#w@2"]);
    refused.expect_code(1).expect_stderr("NetStream.Play.Failed");
}

#[test]
fn a_user_gets_in_with_the_password() {
    if !have(&["ffmpeg"]) {
        return;
    }
    let scratch = Scratch::new();
    let (right, wrong) = (written(&scratch, "password", b"pass word=1\n"), written(&scratch, "wrong", b"pass word=2"));
    for scheme in ["adobe", "llnw"] {
        let serve = serve(&["--user", "alice", "--password-file", &right, "--authmod", scheme]);
        expect_refused(&scratch, &serve.url("bframes"), &[], "the server asks for a user and a password");
        expect_refused(&scratch, &serve.url_as("alice@", "bframes"), &[], "the server asks for the password of alice");
        expect_refused(
            &scratch,
            &serve.url("bframes"),
            &["--user", "bob", "--password-file", &right],
            "knows no user \"bob\"",
        );
        let refused = ["--user", "alice", "--password-file", &wrong];
        expect_refused(&scratch, &serve.url("bframes"), &refused, "the server refused the password");
        for args in [&[][..], &["--strict-order"], &["--fast-start"], &["--digest"]] {
            expect_ours(&scratch, &serve.url_as("alice@", "bframes"), &[&["--password-file", &right], args].concat());
        }
        expect_ours(&scratch, &serve.url_as("alice:pass%20word=1@", "bframes"), &[]);
    }
}

#[test]
fn ffmpeg_gets_in_with_the_password() {
    if !have(&["ffmpeg"]) {
        return;
    }
    // rtmpdump cannot: librtmp gives a password to servers that it publishes to, and only to those.
    let scratch = Scratch::new();
    let password = written(&scratch, "password", b"passw0rd");
    for scheme in ["adobe", "llnw"] {
        let serve = serve(&["--user", "alice", "--password-file", &password, "--authmod", scheme]);
        assert!(
            ffmpeg_plays(&serve.url_as("alice:passw0rd@", "bframes"), &[]),
            "{scheme}: {}",
            serve.process.stderr_so_far()
        );
        assert!(!ffmpeg_plays(&serve.url_as("alice:Passw0rd@", "bframes"), &[]), "{scheme}");
    }
}

/// A SWF file, packed by zlib as most are: header, and a body that no player would understand.
fn player(body: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    zlib.write_all(body).unwrap();
    [&b"CWS\x0a"[..], &(body.len() as u32 + 8).to_le_bytes(), &zlib.finish().unwrap()].concat()
}

/// HMAC-SHA256 and size of the same file, unpacked.
fn hash_and_size(body: &[u8]) -> (String, String) {
    use hmac::{Hmac, KeyInit, Mac};
    let mut hmac = Hmac::<sha2::Sha256>::new_from_slice(b"Genuine Adobe Flash Player 001").unwrap();
    hmac.update(b"FWS\x0a");
    hmac.update(&(body.len() as u32 + 8).to_le_bytes());
    hmac.update(body);
    let hash = hmac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    (hash, (body.len() + 8).to_string())
}

#[test]
fn a_swf_file_is_proved() {
    if !have(&["rtmpdump", "ffmpeg"]) {
        return;
    }
    let scratch = Scratch::new();
    let body = b"stage, scene, shape ".repeat(300);
    let (file, other) = (written(&scratch, "player.swf", &player(&body)), player(&b"some other movie".repeat(300)));
    let serve = serve(&["--swf-verify", &file]);
    let web = common::web::Web::with_file(&player(&body));
    let wrong_web = common::web::Web::with_file(&other);
    let (hash, size) = hash_and_size(&body);
    let wrong_hash = hash.replace(['0', '1', '2'], "3");

    expect_refused(&scratch, &serve.url("bframes"), &[], "SWF verification was not answered");
    expect_refused(
        &scratch,
        &serve.url("bframes"),
        &["-w", &wrong_hash, "-x", &size],
        "SWF verification failed: another file",
    );
    expect_refused(
        &scratch,
        &serve.url("bframes"),
        &["-w", &hash, "-x", "7"],
        "SWF verification failed: a file of another size",
    );
    expect_refused(&scratch, &serve.url("bframes"), &["-W", &wrong_web.url()], "SWF verification failed");
    for args in [&["-w", &hash, "-x", &size][..], &["-W", &web.url()], &["-W", &file]] {
        expect_ours(&scratch, &serve.url("bframes"), args);
        expect_ours(&scratch, &serve.url("bframes"), &[args, &["--fast-start"]].concat());
    }
    // The same where all of it is enciphered.
    expect_ours(&scratch, &serve.url("bframes").replace("rtmp:", "rtmpe:"), &["-w", &hash, "-x", &size]);

    for args in [&["-w", &hash, "-x", &size][..], &["-W", &web.url()]] {
        expect_rtmpdump(&scratch, &serve.url("bframes"), args);
        expect_rtmpdump(&scratch, &serve.url("bframes").replace("rtmp:", "rtmpe:"), args);
    }
    let refused = rtmpdump(&["-r", &serve.url("bframes"), "-o", "-", "-w", &wrong_hash, "-x", &size]);
    refused.expect_code(1).expect_stderr("NetStream.Play.Failed");

    // What rtmpdump has kept of the file is good for us, with the web server gone.
    let kept = std::fs::read_to_string(scratch.path(".swfinfo")).unwrap();
    assert!(kept.contains(&hash), "{kept}");
    std::fs::remove_dir_all(scratch.path(".cache")).unwrap();
    expect_ours(&scratch, &serve.url("bframes"), &["-W", &web.url()]);
    assert_eq!(web.requests().len(), 2, "once by rtmpcat, once by rtmpdump");

    assert!(ffmpeg_plays(&serve.url("bframes"), &["-rtmp_swfverify", &web.url(), "-rtmp_live", "recorded"]));
    assert!(!ffmpeg_plays(&serve.url("bframes"), &["-rtmp_swfverify", &wrong_web.url(), "-rtmp_live", "recorded"]));
}

#[test]
fn conditions_that_cannot_be_met_are_refused() {
    let scratch = Scratch::new();
    let (password, page) = (written(&scratch, "password", b"x"), written(&scratch, "page", b"<html>"));
    for (args, why) in [
        (&["--user", "alice"][..], "--password-file"),
        (&["--password-file", &password], "--user"),
        (&["--user", "alice", "--password-file", "/nonexistent"], "/nonexistent"),
        (&["--user", "alice", "--password-file", &password, "--authmod", "basic"], "basic"),
        (&["--swf-verify", "/nonexistent.swf"], "/nonexistent.swf"),
        (&["--swf-verify", &page], "not a SWF file"),
    ] {
        let finished = run(&mut rtmpcat_with(["serve", "--listen", "127.0.0.1:0"].iter().chain(args)), PATIENCE);
        finished.expect_code(1).expect_stderr(why);
    }
}

// --- rtmpsrv --------------------------------------------------------------------------------------------------------

/// Runs rtmpcat against rtmpsrv, and returns the command line that rtmpsrv makes of what it heard. rtmpsrv listens on
/// all addresses and runs that command line: it gets a network of its own, and nothing to run.
#[track_caller]
fn heard_by_rtmpsrv(args: &[&str]) -> Option<String> {
    if !have(&["rtmpsrv", "unshare", "ip"]) {
        return None;
    }
    if !Command::new("unshare").args(["-rn", "ip", "link", "set", "lo", "up"]).status().is_ok_and(|s| s.success()) {
        skip("no network of its own for rtmpsrv");
        return None;
    }
    let scratch = Scratch::new();
    let nothing = written(&scratch, "rtmpdump", b"#!/bin/sh\n");
    run(Command::new("chmod").args(["+x", &nothing]), PATIENCE).expect_code(0);
    // rtmpsrv ends when its standard input says so; until it listens, rtmpcat comes again.
    let script = r#"
        ip link set lo up
        mkfifo words
        PATH="$PWD:$PATH" timeout 25 rtmpsrv < words > heard 2>&1 &
        exec 3> words
        until "$@"; [ $? != 3 ]; do :; done
        echo q >&3
        wait
        cat heard
    "#;
    let mut command = Command::new("unshare");
    command.current_dir(scratch.folder()).args(["-rn", "sh", "-c", script, "sh"]);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command.arg(common::rtmpcat().get_program()).args(["-o", "-"]).args(args);
    let finished = run(&mut command, PATIENCE);
    let line = finished.out().lines().find(|line| line.starts_with("rtmpdump -r")).map(str::to_string);
    Some(line.unwrap_or_else(|| panic!("{finished:?}")))
}

#[test]
fn rtmpsrv_understands_what_rtmpcat_brings() {
    let hash = "0".repeat(64);
    let digest = ["-w", &hash, "-x", "9"];
    for (url, handshake) in
        [("rtmp://127.0.0.1/app", &[][..]), ("rtmp://127.0.0.1/app", &digest), ("rtmpe://127.0.0.1/app", &[])]
    {
        let words = [
            "-r",
            url,
            "-y",
            "mp4:dir/a name",
            "-p",
            "http://page/?a=b",
            "-s",
            "http://page/player.swf",
            "-f",
            "MAC 9,0,0,0",
            "-u",
            "authString",
            "-C",
            "N:1.5",
            "-C",
            "O:1",
            "-C",
            "NS:key:value",
            "-C",
            "NB:flag:1",
            "-C",
            "O:0",
            "-C",
            "Z:",
        ];
        let Some(heard) = heard_by_rtmpsrv(&[&words, handshake].concat()) else { return };
        for part in [
            "-a \"app\"",
            "-y \"mp4:dir/a name\"",
            "-p \"http://page/?a=b\"",
            "-W \"http://page/player.swf\"",
            "-f \"MAC 9,0,0,0\"",
            "-C B:1 -C S:authString -C N:1.5",
            "NS:key:value",
            "NB:flag:1",
        ] {
            assert!(heard.contains(part), "no {part} in {heard}");
        }
    }
}
