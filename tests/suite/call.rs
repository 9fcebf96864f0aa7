//! `rtmpcat call`: every value through `serve`'s `echo` and back, and what a server may answer otherwise.

use crate::common::rtmp_bytes::{Amf, Msg, amf};
use crate::common::script_server::{Peer, ScriptServer};
use crate::common::{Finished, PATIENCE, rtmpcat_with, run};
use rtmpcat::serve::{ServeOptions, Server};

const AMF0: &str = include_str!("../data/amf0-values.ndjson");
const AMF3: &str = include_str!("../data/amf3-values.ndjson");

fn serve() -> (Server, String) {
    let server = Server::start(ServeOptions::default()).unwrap();
    let url = server.url();
    (server, url)
}

#[track_caller]
fn call(args: &[&str]) -> Finished {
    run(&mut rtmpcat_with(["call"].iter().chain(args)), PATIENCE)
}

#[test]
fn every_value_comes_back_from_echo() {
    let (_server, url) = serve();
    let long = format!("\"{}\"", "x".repeat(70_000));
    for (options, lines) in [(&[][..], format!("{AMF0}{long}\n")), (&["--amf3"][..], AMF3.to_owned())] {
        let values: Vec<&str> = lines.lines().collect();
        let args = [options, &[&url, "echo", "--"], &values[..]].concat();
        let finished = call(&args);
        finished.expect_code(0);
        assert_eq!(finished.out().lines().count(), values.len());
        for (got, sent) in finished.out().lines().zip(values) {
            assert!(got == sent, "{:.80} became {:.80}", sent, got);
        }
    }
}

#[test]
fn values_in_rtmpdumps_notation() {
    let (_server, url) = serve();
    for option in [&[][..], &["--amf3"]] {
        let args = ["S:text", "N:1.5", "B:1", "Z:", "O:1", "NS:a:b", "NO:in:1", "NN:n:2", "O:0", "O:0", "-3"];
        let finished = call(&[option, &[&url, "echo"], &args].concat());
        finished.expect_code(0);
        let lines = "\"text\"\n1.5\ntrue\nnull\n{\"a\":\"b\",\"in\":{\"n\":2}}\n-3\n";
        assert_eq!(finished.out(), lines);
    }
}

#[test]
fn methods_of_the_server() {
    let (_server, url) = serve();
    assert_eq!(call(&[&url, "sum", "1", "2.5", "-1"]).expect_code(0).out(), "2.5\n");
    assert!(call(&[&url, "version"]).out().starts_with("\"rtmpcat "));
    let whole = call(&["--full", &url, "sum", "1"]);
    let reply = "{\"name\":\"_result\",\"transaction\":2,\"commandObject\":null,\"arguments\":[1]}\n";
    assert_eq!(whole.expect_code(0).out(), reply);
    let connect = call(&["--amf3", "--app", "other", "--pageUrl", "http://page", &url, "connectObject"]).out();
    for part in ["\"app\":\"other\"", "\"pageUrl\":\"http://page\"", "\"objectEncoding\":3"] {
        assert!(connect.contains(part), "{connect}");
    }
}

#[test]
fn errors_and_statuses_go_to_standard_error() {
    let (_server, url) = serve();
    let refused = call(&[&url, "no.such.method"]);
    refused.expect_code(1).expect_stderr("no.such.method failed: NetConnection.Call.Failed: Method not found");
    assert_eq!(refused.out(), "");
    call(&[&url, "fail", "S:the reason"]).expect_code(1).expect_stderr("NetConnection.Call.Failed: the reason");
    let status = call(&[&url, "status", "S:hello"]);
    status.expect_code(0).expect_stderr("NetConnection.Call.Status: hello (status)");
    assert_eq!(status.out(), "{\"$undefined\":true}\n");
}

#[test]
fn what_cannot_be_sent_is_said_before_anything_is() {
    let url = "rtmp://127.0.0.1:1/app";
    call(&[url]).expect_code(1).expect_stderr("<METHOD>");
    call(&[url, "echo", "text"]).expect_code(1).expect_stderr("prefix strings with S:");
    call(&[url, "echo", "{\"$bytes\": \"\"}"]).expect_code(1).expect_stderr("--amf3");
    let externalizable = "{\"$externalizable\": \"flex.messaging.io.ArrayCollection\"}";
    call(&["--amf3", url, "echo", externalizable]).expect_code(1).expect_stderr("only their class knows");
    call(&[url, "echo"]).expect_code(3).expect_stderr("cannot connect to ");
}

/// A server that answers the call with bytes.
fn answering(reply: impl Fn(f64) -> Vec<u8> + Send + Sync + 'static, kind: u8) -> ScriptServer {
    ScriptServer::start(move |peer: &mut Peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        let call = peer.wait_call("method")?;
        peer.send(&Msg::new(3, kind, 0, 0, reply(call.transaction)))?;
        peer.wait_closed()
    })
}

#[test]
fn a_reply_that_cannot_be_read_to_its_end_is_an_error() {
    let server = answering(
        |transaction| {
            let result = amf(&[Amf::Str("_result".into()), Amf::Num(transaction), Amf::Null, Amf::Num(1.0)]);
            [&[0], &result[..], b"\x11\x0a\x07\x03x\x05"].concat()
        },
        17,
    );
    let finished = call(&["--amf3", &server.url(""), "method"]);
    finished.expect_code(1).expect_stderr("the rest of the reply cannot be read").expect_stderr("externalizable \"x\"");
    assert_eq!(finished.out(), "1\n");
}

#[test]
fn an_error_without_a_code_is_shown_as_it_is() {
    let server =
        answering(|transaction| amf(&[Amf::Str("_error".into()), Amf::Num(transaction), Amf::Null, Amf::Num(7.0)]), 20);
    call(&[&server.url(""), "method"]).expect_code(1).expect_stderr("method failed: _error 7");
}

#[test]
fn arguments_in_amf3_go_as_type_17_and_others_as_20() {
    for (option, kind) in [(&["--amf3"][..], 17), (&[][..], 20)] {
        let server = answering(
            |transaction| amf(&[Amf::Str("_result".into()), Amf::Num(transaction), Amf::Null, Amf::Null]),
            20,
        );
        let url = server.url("");
        assert_eq!(call(&[option, &[&url, "method", "1"]].concat()).expect_code(0).out(), "null\n");
        let heard = server.all_heard();
        let message = heard.messages.iter().find(|m| m.payload.windows(6).any(|w| w == b"method")).unwrap();
        assert_eq!(message.kind, kind);
    }
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let server = ScriptServer::start(|peer: &mut Peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.wait_closed()
    });
    let finished = call(&["--connect-timeout", "0.5", &server.url(""), "method"]);
    finished.expect_code(1).expect_stderr("method was not answered within 0.5 s");
}

#[test]
fn a_server_that_hangs_up_on_a_call_did_so_during_the_call() {
    let server = ScriptServer::start(|peer: &mut Peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.wait_call("method")?;
        peer.close()
    });
    call(&[&server.url(""), "method"]).expect_code(1).expect_stderr("call: server closed the connection");
}
