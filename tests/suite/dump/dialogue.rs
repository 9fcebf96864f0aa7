//! Handshake, connect, createStream, play, and what a server may ask meanwhile.

use super::*;

// --- Handshake

#[test]
fn a_trickled_handshake_works() {
    let dump = dump(&[], |peer| {
        peer.handshake_with(|_| {}, 1)?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        peer.accept_play()?;
        peer.media(&clip(10))?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(10));
}

#[test]
fn everything_trickled_byte_by_byte_works() {
    let dump = dump(&[], |peer| {
        peer.handshake_with(|_| {}, 7)?;
        let connect = peer.wait_call("connect")?;
        let result = Msg::command(
            0,
            &["_result".into(), connect.transaction.into(), connect_properties(), connect_information()],
        );
        peer.trickle(&chunks(&result, Shape::plain(128)).concat(), 1)?;
        peer.accept_create_stream(1)?;
        peer.accept_play()?;
        for tag in clip(3) {
            let bytes = chunks(&Msg::tag(1, &tag), Shape::plain(128)).concat();
            peer.trickle(&bytes, 1)?;
        }
        peer.end_of_file()?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(3));
}

#[test]
fn an_s2_that_echoes_nothing_is_tolerated() {
    let dump = dump(&[], |peer| {
        peer.handshake_with(|answer| answer[1537..].fill(0x55), usize::MAX)?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        peer.accept_play()?;
        peer.media(&clip(10))?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(10));
}

#[test]
fn another_version_is_no_session() {
    for version in [0, 6, 31, 255] {
        let dump = dump(&[], move |peer| {
            peer.read(1537)?;
            let mut answer = vec![0; 3073];
            answer[0] = version;
            peer.raw(&answer)?;
            peer.wait_closed()
        });
        dump.expect_nothing(3).expect_stderr(&format!("got 0x{version:02x}"));
    }
}

#[test]
fn an_http_answer_is_called_that() {
    let dump = dump(&[], |peer| {
        peer.read(1537)?;
        peer.raw(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    });
    dump.expect_nothing(3).expect_stderr("HTTP").expect_stderr("400");
}

#[test]
fn a_close_during_the_handshake_is_no_session() {
    for bytes in [0, 1, 2, 1000, 1537, 1538, 3072] {
        let dump = dump(&[], move |peer| {
            let c1 = peer.read(1537)?;
            let answer = [&[3][..], &[0; 1536], &c1[1..]].concat();
            peer.raw(&answer[..bytes])
        });
        dump.expect_nothing(3).expect_stderr("handshake");
    }
}

#[test]
fn a_server_that_says_nothing_is_left_in_time() {
    let dump = dump(&["-m", "1"], |peer| {
        peer.read(1537)?;
        peer.wait_closed()
    });
    dump.expect_nothing(3).expect_stderr("handshake");
    assert!(dump.took < Duration::from_secs(6), "{:?}", dump.took);
}

// --- connect

fn rejection(description: &str) -> Amf {
    Amf::obj(&[
        ("level", "error".into()),
        ("code", "NetConnection.Connect.Rejected".into()),
        ("description", description.into()),
    ])
}

#[test]
fn a_rejection_shows_the_servers_words() {
    let dump = dump(&[], |peer| {
        peer.handshake()?;
        let call = peer.wait_call("connect")?;
        peer.answer("_error", &call, Amf::Null, rejection("no such application here"))?;
        peer.wait_closed()
    });
    dump.expect_nothing(1).expect_stderr("NetConnection.Connect.Rejected").expect_stderr("no such application here");
}

#[test]
fn terminal_escapes_in_a_rejection_are_not_passed_on() {
    let dump = dump(&["-V"], |peer| {
        peer.handshake()?;
        let call = peer.wait_call("connect")?;
        peer.answer("_error", &call, Amf::Null, rejection("\x1b]0;owned\x07\x1b[2J\u{9b}31m\rdone"))?;
        peer.wait_closed()
    });
    dump.expect_nothing(1).expect_stderr("done");
    let bad = dump
        .stderr
        .chars()
        .find(|c| c.is_control() && *c != '\n' && *c != '\t' && *c != '\r' || matches!(*c, '\u{80}'..='\u{9f}'));
    assert_eq!(bad, None, "{:?}", dump.stderr);
}

#[test]
fn a_close_instead_of_an_answer_to_connect_as_of_nginx_is_a_failure() {
    let dump = dump(&[], |peer| {
        peer.handshake()?;
        peer.wait_call("connect")?;
        Ok(())
    });
    dump.expect_nothing(1).expect_stderr("connect");
}

#[test]
fn no_answer_to_connect_is_a_failure_in_time() {
    let dump = dump(&["-m", "1"], |peer| {
        peer.handshake()?;
        peer.wait_closed()
    });
    dump.expect_nothing(1).expect_stderr("connect");
    assert!(dump.took < Duration::from_secs(6), "{:?}", dump.took);
}

#[test]
fn a_late_answer_to_connect_is_waited_for() {
    let dump = dump(&[], |peer| {
        peer.handshake()?;
        // Nothing but time passes here; a second is what a busy server takes.
        std::thread::sleep(Duration::from_secs(1));
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        peer.accept_play()?;
        peer.media(&clip(10))?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(10));
}

// --- createStream, play

#[test]
fn any_stream_id_is_used() {
    for id in [2, 0, 77, 0x0102_0304] {
        let dump = dump(&[], move |peer| {
            peer.handshake()?;
            peer.accept_connect()?;
            peer.accept_create_stream(id)?;
            peer.accept_play()?;
            peer.media(&clip(10))?;
            peer.end_of_file()?;
            peer.wait_closed()
        });
        dump.expect(0, &clip(10));
    }
}

#[test]
fn answers_come_in_any_order() {
    let dump = dump(&["-d", "stream"], |peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        let create = peer.wait_call("createStream")?;
        let subscribe = peer.wait_call("FCSubscribe")?;
        // An answer to nothing, one to a side call that says no, then the one that matters.
        peer.command(0, &["_result".into(), 9999.0.into(), Amf::Null, 55.0.into()])?;
        peer.answer("_error", &subscribe, Amf::Null, rejection("no subscriptions"))?;
        peer.command(0, &["onFCSubscribe".into(), 0.0.into(), Amf::Null, rejection("really not")])?;
        peer.answer("_result", &create, Amf::Null, 1.0.into())?;
        peer.accept_play()?;
        peer.command(0, &["_error".into(), 9998.0.into(), Amf::Null, rejection("late")])?;
        peer.media(&clip(10))?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(10));
}

#[test]
fn create_stream_refused_is_a_failure() {
    let dump = dump(&[], |peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        let call = peer.wait_call("createStream")?;
        let words = Amf::obj(&[
            ("level", "error".into()),
            ("code", "NetStream.Failed".into()),
            ("description", "no more streams".into()),
        ]);
        peer.answer("_error", &call, Amf::Null, words)?;
        peer.wait_closed()
    });
    dump.expect_nothing(1).expect_stderr("no more streams");
}

#[test]
fn stream_not_found_is_a_failure_with_the_servers_words() {
    let dump = dump(&[], |peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        peer.wait_call("play")?;
        peer.send(&Msg::status(1, "error", "NetStream.Play.StreamNotFound", "nobody publishes this"))?;
        peer.wait_closed()
    });
    dump.expect_nothing(1).expect_stderr("NetStream.Play.StreamNotFound").expect_stderr("nobody publishes this");
}

#[test]
fn media_before_play_start_is_kept() {
    let dump = dump(&[], |peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        peer.wait_call("play")?;
        let tags = clip(20);
        peer.media(&tags[..9])?;
        peer.status("status", "NetStream.Play.Start")?;
        peer.media(&tags[9..])?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(20));
}

#[test]
fn a_server_that_never_says_start_works() {
    let dump = dump(&[], |peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        peer.wait_call("play")?;
        peer.media(&clip(20))?;
        peer.play_stop()?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(20));
}

#[test]
fn start_and_then_silence_as_of_nginx_is_a_failure_in_time() {
    let dump = dump(&["-m", "1", "-v"], |peer| {
        peer.begin()?;
        peer.wait_closed()
    });
    dump.expect_nothing(1);
    assert!(dump.took < Duration::from_secs(6), "{:?}", dump.took);
}

#[test]
fn the_servers_calls_are_answered() {
    let dump = dump(&[], |peer| {
        peer.begin()?;
        peer.command(0, &["onBWDone".into(), 0.0.into(), Amf::Null])?;
        peer.wait_call("_checkbw")?;
        peer.command(0, &["_onbwcheck".into(), 7.0.into(), Amf::Null, "x".into()])?;
        assert_eq!(peer.wait_call("_result")?.transaction, 7.0);
        peer.command(0, &["ping".into(), 8.0.into(), Amf::Null])?;
        peer.wait_call("pong")?;
        peer.command(0, &["whatIsThis".into(), 9.0.into(), Amf::Null])?;
        assert_eq!(peer.wait_call("_error")?.transaction, 9.0);
        peer.user_control(6, 0xdead_beef)?;
        assert_eq!(peer.wait_user_control(7)?, [0xde, 0xad, 0xbe, 0xef]);
        peer.media(&clip(10))?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(10));
    assert_eq!(dump.server.trouble(), Vec::<String>::new());
}

#[test]
fn what_is_unknown_is_passed_over() {
    let dump = dump(&[], |peer| {
        peer.begin()?;
        for kind in [0, 7, 10, 16, 19, 21, 99, 255] {
            peer.send(&Msg::new(2, kind, 0, 0, [1, 2, 3]))?;
        }
        for event in [5, 8, 30, 31, 32, 999] {
            peer.user_control(event, 1)?;
        }
        peer.send(&Msg::control(4, [0]))?;
        peer.send(&Msg::control(4, []))?;
        peer.send(&Msg::control(3, [0, 0, 1]))?;
        peer.send(&Msg::new(3, 20, 0, 0, [2, 0, 200, b'x']))?;
        peer.send(&Msg::new(3, 20, 0, 0, []))?;
        peer.media(&clip(10))?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(10));
}

#[test]
fn commands_and_data_in_the_amf3_messages_are_understood() {
    let dump = dump(&[], |peer| {
        peer.handshake()?;
        let connect = peer.wait_call("connect")?;
        let amf3 = |msid: u32, values: &[Amf]| Msg::new(3, 17, msid, 0, [&[0][..], &amf(values)].concat());
        peer.send(&amf3(
            0,
            &["_result".into(), connect.transaction.into(), connect_properties(), connect_information()],
        ))?;
        let create = peer.wait_call("createStream")?;
        peer.send(&amf3(0, &["_result".into(), create.transaction.into(), Amf::Null, 1.0.into()]))?;
        peer.wait_call("play")?;
        let start = Amf::obj(&[("level", "status".into()), ("code", "NetStream.Play.Start".into())]);
        peer.send(&amf3(1, &["onStatus".into(), 0.0.into(), Amf::Null, start]))?;
        peer.media(&clip(10))?;
        let stop = Amf::obj(&[("level", "status".into()), ("code", "NetStream.Play.Stop".into())]);
        peer.send(&amf3(1, &["onStatus".into(), 0.0.into(), Amf::Null, stop]))?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(10));
}

// --- Orders

#[test]
fn every_order_of_commands_saves_the_same() {
    for (order, before_result) in
        [("--strict-order", &[][..]), ("-v", &["connect"]), ("--fast-start", &["connect", "createStream"])]
    {
        let dump = dump(&[order], |peer| peer.plays(&clip(20)));
        dump.expect(0, &clip(20));
        let names = dump.server.all_heard().names();
        assert_eq!(names[..before_result.len()], *before_result, "{order}");
        assert_eq!(names.iter().filter(|name| *name == "play").count(), 1, "{order}: {names:?}");
    }
}

#[test]
fn commands_sent_ahead_do_come_ahead() {
    // The server answers nothing before it has all that the order promises.
    for (order, name) in [("--fast-start", "play"), ("--fast-start", "createStream")] {
        let dump = dump(&[order], move |peer| {
            peer.handshake()?;
            let connect = peer.wait_call("connect")?;
            let ahead = peer.wait_call(name)?;
            peer.set_chunk_size(4096)?;
            peer.answer("_result", &connect, connect_properties(), connect_information())?;
            let create = if name == "play" { peer.wait_call("createStream")? } else { ahead };
            peer.answer("_result", &create, Amf::Null, 1.0.into())?;
            peer.status("status", "NetStream.Play.Start")?;
            peer.media(&clip(5))?;
            peer.end_of_file()?;
            peer.wait_closed()
        });
        dump.expect(0, &clip(5));
    }
}

#[test]
fn a_server_that_wants_one_command_at_a_time_gets_that() {
    // It closes when play comes before createStream was answered.
    for order in [&[][..], &["--fast-start"]] {
        let dump = dump(order, |peer| {
            peer.handshake()?;
            peer.accept_connect()?;
            if peer.number == 0 {
                peer.wait_call("play")?;
                return Ok(());
            }
            peer.accept_create_stream(1)?;
            peer.accept_play()?;
            peer.media(&clip(10))?;
            peer.end_of_file()?;
            peer.wait_closed()
        });
        dump.expect(0, &clip(10));
        assert_eq!(dump.server.connections(), 2);
        let names = dump.server.heard(1).names();
        assert_eq!(names[..2], ["connect", "createStream"]);
    }
}

// --- Redirects

/// A rejection that names another server, as Adobe's and Wowza's do.
fn redirect_to(url: &str) -> Amf {
    let ex = Amf::obj(&[("code", 302.0.into()), ("redirect", url.into())]);
    Amf::obj(&[
        ("level", "error".into()),
        ("code", "NetConnection.Connect.Rejected".into()),
        ("description", "[ Server.Reject ] : (_defaultRoot_, _defaultVHost_) : Application redirected.".into()),
        ("ex", ex),
    ])
}

#[test]
fn a_redirect_is_followed() {
    let there = ScriptServer::start(|peer| peer.plays(&clip(10)));
    let elsewhere = format!("rtmp://127.0.0.1:{}/other", there.port);
    let target = elsewhere.clone();
    let dump = dump(&["-V"], move |peer| {
        peer.handshake()?;
        let call = peer.wait_call("connect")?;
        peer.answer("_error", &call, Amf::Null, redirect_to(&target))?;
        Ok(())
    });
    dump.expect(0, &clip(10));
    let heard = there.all_heard();
    assert_eq!(heard.call("connect").args[0].get("app").and_then(Amf::text), Some("other"));
    assert_eq!(heard.call("play").args[1].text(), Some("stream"), "the stream's name stays");
    // The line that streamlink looks for.
    dump.expect_stderr(&format!("DEBUG: Property: <Name:           redirect, STRING:\t{elsewhere}>"));
}

#[test]
fn redirects_in_a_circle_end() {
    let dump = dump(&[], |peer| {
        peer.handshake()?;
        let call = peer.wait_call("connect")?;
        let own = call.args[0].get("tcUrl").and_then(Amf::text).unwrap_or_default().to_string();
        peer.answer("_error", &call, Amf::Null, redirect_to(&own))?;
        Ok(())
    });
    dump.expect_nothing(1).expect_stderr("redirect");
    assert!(dump.server.connections() <= 12, "{} connections", dump.server.connections());
}

#[test]
fn redirects_to_nonsense_are_rejections() {
    for url in ["", "nonsense", "http://127.0.0.1/", "rtmp://", "rtmp:///app", "file:///etc/passwd", "rtmp://[::1/x"] {
        let dump = dump(&[], move |peer| {
            peer.handshake()?;
            let call = peer.wait_call("connect")?;
            peer.answer("_error", &call, Amf::Null, redirect_to(url))?;
            Ok(())
        });
        dump.expect_nothing(1);
    }
}
