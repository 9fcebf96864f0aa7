//! Users and passwords, as servers ask for them in refusals of connect (`authmod`).

use super::*;
use crate::common::script_server::Call;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use std::path::Path;

const PASSWORD: &str = "corrêct hörse&=?";

fn rejection(description: &str) -> Amf {
    Amf::obj(&[
        ("level", "error".into()),
        ("code", "NetConnection.Connect.Rejected".into()),
        ("description", description.into()),
    ])
}

fn md5(text: &str) -> Vec<u8> {
    Md5::digest(text.as_bytes()).to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn property(call: &Call, name: &str) -> String {
    call.args[0].get(name).and_then(Amf::text).unwrap_or_default().to_string()
}

/// A value of the query after `app`.
fn value(app: &str, name: &str) -> Option<String> {
    let query = app.split_once('?')?.1;
    query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).map(str::to_string)
}

const NEED_AUTH: &str = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ";

/// What Adobe's access manager answers to an app; `None` lets it in.
fn adobe(app: &str, password: &str) -> Option<String> {
    const BEGIN: &str = "[ AccessManager.Reject ] : [ authmod=adobe ] : ";
    let Some(user) = value(app, "user").filter(|_| value(app, "authmod").as_deref() == Some("adobe")) else {
        return Some(NEED_AUTH.to_string());
    };
    if user != "Al%26ice" {
        return Some(format!("{BEGIN}?reason=nosuchuser"));
    }
    let Some(response) = value(app, "response") else {
        return Some(format!("{BEGIN}?reason=needauth&user={user}&salt=SALTsalt&challenge=c0ffee==&opaque=0pa9ue=="));
    };
    assert_eq!(value(app, "opaque").as_deref(), Some("0pa9ue=="));
    let secret = BASE64.encode(md5(&format!("Al&iceSALTsalt{password}")));
    let expected = BASE64.encode(md5(&format!("{secret}0pa9ue=={}", value(app, "challenge").unwrap())));
    (response != expected).then(|| format!("{BEGIN}?reason=authfailed&opaque=xxx"))
}

/// The same of Limelight's.
fn llnw(app: &str, password: &str) -> Option<String> {
    const BEGIN: &str = "[ AccessManager.Reject ] : [ authmod=llnw ] : ";
    if value(app, "authmod").as_deref() != Some("llnw") {
        return Some("[ AccessManager.Reject ] : [ code=403 need auth; authmod=llnw ] : ".to_string());
    }
    let Some(response) = value(app, "response") else {
        return Some(format!("{BEGIN}?reason=needauth&user=x&nonce=n0nce"));
    };
    let (count, cnonce) = (value(app, "nc").unwrap(), value(app, "cnonce").unwrap());
    assert_eq!((value(app, "nonce").as_deref(), count.as_str()), (Some("n0nce"), "00000001"));
    let secret = hex(&md5(&format!("Al&ice:live:{password}")));
    let place = hex(&md5("publish:/app/_definst_"));
    let expected = hex(&md5(&format!("{secret}:n0nce:{count}:{cnonce}:auth:{place}")));
    (response != expected).then(|| format!("{BEGIN}?reason=authfail"))
}

type Ask = fn(&str, &str) -> Option<String>;

/// A script that asks each connection.
fn asks(ask: Ask) -> impl Fn(&mut Peer) -> Result<()> + Send + Sync + 'static {
    move |peer| {
        peer.handshake()?;
        let call = peer.wait_call("connect")?;
        let app = property(&call, "app");
        let suffix = app.strip_prefix("app").expect("the application comes first").to_string();
        assert!(property(&call, "tcUrl").ends_with(&format!("/app{suffix}")), "tcUrl says the same");
        if let Some(description) = ask(&app, PASSWORD) {
            return peer.answer("_error", &call, Amf::Null, rejection(&description));
        }
        peer.set_chunk_size(4096)?;
        peer.answer("_result", &call, connect_properties(), connect_information())?;
        peer.accept_create_stream(1)?;
        peer.accept_play()?;
        peer.media(&clip(10))?;
        peer.end_of_file()?;
        peer.wait_closed()
    }
}

/// Dumps from a server, with words before and after the URL's host, and an environment.
#[track_caller]
fn dump_as(
    userinfo: &str,
    args: &[&str],
    environment: &[(&str, &str)],
    script: impl Fn(&mut Peer) -> Result<()> + Send + Sync + 'static,
) -> Dump {
    let server = ScriptServer::start(script);
    let url = server.url("stream").replace("//", &format!("//{userinfo}"));
    let mut command = rtmpcat_with(["-V", "-z", "-r", &url, "-o", "-"].iter().chain(args));
    let finished = run(command.envs(environment.iter().copied()), PATIENCE);
    let flv = (!finished.stdout.is_empty()).then(|| Flv::parse(&finished.stdout).unwrap());
    assert_eq!(server.garbled(), None);
    for secret in [PASSWORD, "corr%C3%AAct%20h%C3%B6rse%26%3D%3F", "wr0ngpass"] {
        assert!(!finished.stderr.contains(secret), "{}", finished.stderr);
    }
    Dump { finished, flv, server }
}

fn password_file(folder: &Path, text: &str) -> String {
    let file = folder.join("password");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_string()
}

#[test]
fn both_schemes_are_answered_wherever_the_password_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = password_file(folder.path(), &format!("{PASSWORD}\r\nsecond line"));
    for ask in [adobe as Ask, llnw] {
        let (in_url, in_file, in_environment) = (
            dump_as("Al%26ice:corr%C3%AAct%20h%C3%B6rse%26%3D%3F@", &[], &[], asks(ask)),
            dump_as("", &["--user", "Al&ice", "--password-file", &file], &[], asks(ask)),
            dump_as("", &[], &[("RTMPCAT_USER", "Al&ice"), ("RTMPCAT_PASSWORD", PASSWORD)], asks(ask)),
        );
        for dump in [in_url, in_file, in_environment] {
            dump.expect(0, &clip(10));
            assert_eq!((dump.server.connections(), dump.server.trouble()), (3, vec![]));
        }
        // What stands nearer goes before what stands farther away.
        let environment = [("RTMPCAT_USER", "nobody"), ("RTMPCAT_PASSWORD", "wr0ngpass")];
        dump_as("nobody:wr0ngpass@", &["--user", "Al&ice", "--password-file", &file], &environment, asks(ask))
            .expect(0, &clip(10));
    }
}

#[test]
fn refusals_say_what_is_wrong() {
    let wrong = ("RTMPCAT_PASSWORD", "wr0ngpass");
    for ask in [adobe as Ask, llnw] {
        let dump = dump_as("", &["--user", "Al&ice"], &[wrong], asks(ask));
        dump.expect_nothing(1).expect_stderr("ERROR: the server refused the password");
        assert_eq!(dump.server.connections(), 3);
        let dump = dump_as("", &["--user", "Al&ice"], &[], asks(ask));
        dump.expect_nothing(1)
            .expect_stderr("the server asks for the password of Al&ice")
            .expect_stderr("--password-file");
        assert_eq!(dump.server.connections(), 1);
        let dump = dump_as("", &[], &[], asks(ask));
        dump.expect_nothing(1).expect_stderr("the server asks for a user and a password").expect_stderr("RTMPCAT_USER");
        assert_eq!(dump.server.connections(), 1);
    }
    let dump = dump_as("nobody:x@", &[], &[], asks(adobe));
    dump.expect_nothing(1).expect_stderr("the server knows no user \"nobody\"");
}

#[test]
fn a_server_that_never_has_enough_is_left() {
    for description in [
        NEED_AUTH,
        "authmod=adobe : ?reason=needauth&user=x&salt=s&challenge=c&opaque=o",
        "authmod=llnw : ?reason=needauth&nonce=n",
    ] {
        let dump = dump_as("u:wr0ngpass@", &[], &[], move |peer| {
            peer.handshake()?;
            let call = peer.wait_call("connect")?;
            peer.answer("_error", &call, Amf::Null, rejection(description))
        });
        dump.expect_nothing(1).expect_stderr("credentials rejected repeatedly");
        assert_eq!(dump.server.connections(), 3);
    }
}

#[test]
fn a_password_file_that_has_none_is_told_before_anything_is_connected_to() {
    let folder = tempfile::tempdir().unwrap();
    let empty = password_file(folder.path(), "\nsecond line");
    for file in [&empty, "/nonexistent/file"] {
        let dump = dump_as("", &["--password-file", file], &[], |peer| peer.begin());
        dump.expect_nothing(1).expect_stderr(file);
        assert_eq!(dump.server.connections(), 0);
    }
}

#[test]
fn who_is_let_in_elsewhere_proves_it_there_anew() {
    let there = ScriptServer::start(asks(adobe));
    let target = format!("rtmp://127.0.0.1:{}/app", there.port);
    let dump = dump_as("Al%26ice@", &[], &[("RTMPCAT_PASSWORD", PASSWORD)], move |peer| {
        peer.handshake()?;
        let call = peer.wait_call("connect")?;
        let description = adobe(&property(&call, "app"), PASSWORD);
        let mut information = rejection(description.as_deref().unwrap_or("elsewhere"));
        if let (None, Amf::Obj(properties)) = (description, &mut information) {
            properties.push(("ex".into(), Amf::obj(&[("code", 302.0.into()), ("redirect", target.as_str().into())])));
        }
        peer.answer("_error", &call, Amf::Null, information)
    });
    dump.expect(0, &clip(10));
    assert_eq!((dump.server.connections(), there.connections(), there.trouble()), (3, 3, vec![]));
}

#[test]
fn a_restart_in_the_strict_order_asks_to_be_asked_again() {
    // The answer to a challenge counts once; this server closes when play comes before createStream was answered.
    let dump = dump_as("Al%26ice@", &[], &[("RTMPCAT_PASSWORD", PASSWORD)], |peer| {
        if peer.number != 2 {
            return asks(adobe)(peer);
        }
        peer.handshake()?;
        peer.accept_connect()?;
        peer.wait_call("play")?;
        Ok(())
    });
    dump.expect(0, &clip(10));
    assert_eq!((dump.server.connections(), dump.server.trouble()), (6, vec![]));
}

#[test]
fn tokens_are_not_shown() {
    let args = ["-T", "sEcretKey", "-u", "aUthString", "-j", "{\"sig\":\"jTvSecret\"}", "-y", "name?token=tOken&id=12"];
    let dump = dump_as("", &args, &[], |peer| {
        peer.handshake()?;
        let call = peer.wait_call("connect")?;
        let words = "not with sEcretKey, aUthString, {\"sig\":\"jTvSecret\"} or name?token=tOken&id=12";
        peer.answer("_error", &call, Amf::Null, rejection(words))
    });
    dump.expect_nothing(1).expect_stderr("not with ***, ***, *** or name?token=***&id=12");
    for secret in ["sEcretKey", "aUthString", "jTvSecret", "tOken"] {
        assert!(!dump.stderr.contains(secret), "{}", dump.stderr);
    }
}
