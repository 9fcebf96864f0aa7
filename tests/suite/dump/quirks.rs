//! Servers that deviate from the specification: replies without transaction IDs, statuses in unexpected places, ends that are no
//! ends. Where a known server does so, its name is given.

use super::*;

const CONNECTED: &str = "NetConnection.Connect.Success";

/// A session in which `connect` and `create_stream` are answered as said, and all else is well.
fn answered(
    connect: impl Fn(&mut Peer) -> Result<()> + Send + Sync + 'static,
    create_stream: impl Fn(&mut Peer) -> Result<()> + Send + Sync + 'static,
) -> Dump {
    dump(&["-m", "2"], move |peer| {
        peer.handshake()?;
        connect(peer)?;
        create_stream(peer)?;
        peer.accept_play()?;
        peer.media(&clip(10))?;
        peer.end_of_file()?;
        peer.wait_closed()
    })
}

fn information(level: &str, code: &str) -> Amf {
    Amf::obj(&[("level", level.into()), ("code", code.into()), ("description", "so it is".into())])
}

#[test]
fn answers_without_a_number_are_understood() {
    for id in [Amf::from(0.0), Amf::Null, Amf::from("x")] {
        let (connect_id, create_id) = (id.clone(), id.clone());
        let dump = answered(
            move |peer| {
                peer.wait_call("connect")?;
                peer.command(0, &["_result".into(), connect_id.clone(), Amf::Null, information("status", CONNECTED)])
            },
            move |peer| {
                peer.wait_call("createStream")?;
                peer.command(0, &["_result".into(), create_id.clone(), Amf::Null, 1.0.into()])
            },
        );
        dump.expect(0, &clip(10));
    }
}

#[test]
fn digits_are_a_transaction_id_as_well() {
    let id = |call: &common::script_server::Call| Amf::from(call.transaction.to_string().as_str());
    let dump = answered(
        move |peer| {
            let call = peer.wait_call("connect")?;
            peer.command(0, &["_result".into(), id(&call), Amf::Null, information("status", CONNECTED)])
        },
        move |peer| {
            let call = peer.wait_call("createStream")?;
            peer.command(0, &["_result".into(), id(&call), Amf::Null, 1.0.into()])
        },
    );
    dump.expect(0, &clip(10));
}

#[test]
fn a_result_that_says_rejected_is_a_rejection() {
    for (level, code) in
        [("error", "NetConnection.Connect.Rejected"), ("Error", ""), ("status", "NetConnection.Connect.InvalidApp")]
    {
        let dump = dump(&["-m", "5"], move |peer| {
            peer.handshake()?;
            let call = peer.wait_call("connect")?;
            peer.answer("_result", &call, Amf::Null, information(level, code))?;
            peer.wait_closed()
        });
        dump.expect_nothing(1).expect_stderr("so it is");
        assert!(dump.took < Duration::from_secs(3), "{:?}", dump.took);
    }
}

#[test]
fn an_error_instead_of_play_start_is_a_refusal_whatever_it_is_called() {
    for (level, code) in [("error", ""), ("ERROR", "NetStream.Play.Odd"), ("error", "NetStream.Access.Denied")] {
        for kind in [20, 18] {
            if kind == 18 && !code.starts_with("NetStream.Play") {
                continue;
            }
            let dump = dump(&["-m", "5"], move |peer| {
                peer.handshake()?;
                peer.accept_connect()?;
                peer.accept_create_stream(1)?;
                peer.wait_call("play")?;
                let values = ["onStatus".into(), 0.0.into(), Amf::Null, information(level, code)];
                let values = if kind == 20 { &values[..] } else { &[values[0].clone(), values[3].clone()][..] };
                peer.send(&Msg::new(5, kind, 1, 0, amf(values)))?;
                peer.wait_closed()
            });
            dump.expect_nothing(1).expect_stderr("so it is");
            assert!(dump.took < Duration::from_secs(3), "{:?}", dump.took);
        }
    }
}

#[test]
fn a_method_that_the_server_does_not_know_is_no_refusal() {
    let dump = dump(&["-m", "2"], |peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        peer.send(&Msg::status(0, "error", "NetConnection.Call.Failed", "FCSubscribe"))?;
        peer.accept_play()?;
        peer.media(&clip(10))?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(10));
    assert_eq!(dump.server.connections(), 1);
}

#[test]
fn statuses_in_data_messages_and_commands_count() {
    let stop = || information("status", "NetStream.Play.Stop");
    let complete = || information("status", "NetStream.Play.Complete");
    let notices: [(u8, Vec<Amf>); 3] = [
        (18, vec!["onStatus".into(), stop()]),
        (15, vec!["onPlayStatus".into(), Amf::Null, complete()]),
        (20, vec!["onPlayStatus".into(), 0.0.into(), Amf::Null, complete()]),
    ];
    for (kind, values) in notices {
        let dump = dump(&["-v", "-m", "5"], move |peer| {
            peer.begin()?;
            peer.media(&clip_with(10, None))?;
            peer.send(&Msg::new(5, kind, 1, 0, amf(&values)))?;
            peer.wait_closed()
        });
        dump.expect(0, &clip_with(10, None));
        assert!(dump.took < Duration::from_secs(3), "{:?}", dump.took);
    }
}

#[test]
fn a_status_that_says_nothing_of_the_stream_stays_data() {
    let data = || Tag::new(SCRIPT, 0, amf(&["onStatus".into(), Amf::obj(&[("code", "NetStream.Data.Start".into())])]));
    let tags = move || [vec![data()], clip(10)].concat();
    let dump = dump(&[], move |peer| peer.plays(&tags()));
    dump.expect(0, &tags());
}

#[test]
fn a_stream_length_within_an_object_is_one() {
    let dump = dump(&[], |peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        let call = peer.wait_call("getStreamLength")?;
        peer.answer("_result", &call, Amf::Null, Amf::obj(&[("duration", 2.0.into())]))?;
        peer.accept_play()?;
        peer.media(&clip_with(50, None))
    });
    dump.expect(0, &clip_with(50, None));
}

#[test]
fn a_server_that_does_not_look_at_stream_ids_plays_once() {
    for (id, live) in [(5, false), (0, false), (1000, true)] {
        let dump = dump(if live { &["-v", "-m", "2"] } else { &["-m", "2"] }, move |peer| {
            peer.handshake()?;
            peer.accept_connect()?;
            peer.accept_create_stream(id)?;
            // Whichever comes first, and then whatever comes.
            let mut call = peer.wait_call("play")?;
            loop {
                peer.status("status", "NetStream.Play.Start")?;
                peer.media(&clip_with(10, None))?;
                peer.end_of_file()?;
                let first = call;
                call = match peer.wait_call("play") {
                    Ok(call) if call != first => call,
                    _ => return Ok(()),
                };
            }
        });
        dump.expect(0, &clip_with(10, None));
    }
}

#[test]
fn an_answer_with_a_wrong_number_that_speaks_of_connect_is_its_answer() {
    let dump = answered(
        |peer| {
            peer.wait_call("connect")?;
            peer.command(0, &["_result".into(), 77.0.into(), Amf::Null, information("status", CONNECTED)])
        },
        |peer| peer.accept_create_stream(1).map(drop),
    );
    dump.expect(0, &clip(10));
    let dump = answered(
        |peer| {
            peer.wait_call("connect")?;
            peer.send(&Msg::status(0, "status", CONNECTED, ""))
        },
        |peer| peer.accept_create_stream(1).map(drop),
    );
    dump.expect(0, &clip(10));
    let dump = self::dump(&["-m", "5"], |peer| {
        peer.handshake()?;
        peer.wait_call("connect")?;
        let rejected = information("error", "NetConnection.Connect.Rejected");
        peer.command(0, &["_error".into(), 77.0.into(), Amf::Null, rejected])?;
        peer.wait_closed()
    });
    dump.expect_nothing(1).expect_stderr("so it is");
    assert!(dump.took < Duration::from_secs(3), "{:?}", dump.took);
}

#[test]
fn errors_that_media_follows_are_reported_and_end_nothing() {
    for (code, kind) in [("NetStream.Play.InsufficientBW", 20), ("NetStream.Play.Odd", 20), ("NetStream.Play.Odd", 18)]
    {
        let dump = dump(&["-m", "5"], move |peer| {
            peer.begin()?;
            let tags = clip(10);
            if code.ends_with("BW") {
                peer.status("error", code)?;
            }
            peer.media(&tags[..8])?;
            let values = ["onStatus".into(), 0.0.into(), Amf::Null, information("error", code)];
            let values = if kind == 20 { values.to_vec() } else { vec!["onPlayStatus".into(), values[3].clone()] };
            peer.send(&Msg::new(5, kind, 1, 0, amf(&values)))?;
            peer.media(&tags[8..])?;
            peer.end_of_file()?;
            peer.wait_closed()
        });
        dump.expect(0, &clip(10)).expect_stderr("so it is");
    }
}

#[test]
fn the_answer_to_a_subscription_is_told_where_it_is_no() {
    let dump = dump(&["-v", "-m", "2", "--strict-order"], |peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.wait_call("FCSubscribe")?;
        let no = information("error", "NetStream.Play.StreamNotFound");
        peer.command(0, &["onFCSubscribe".into(), 0.0.into(), Amf::Null, no])?;
        peer.wait_closed()
    });
    dump.expect_nothing(1).expect_stderr("NetStream.Play.StreamNotFound: so it is");
}

#[test]
fn statuses_in_amf3_are_understood() {
    fn status(code: &str) -> Amf {
        let word = |text: &str| [&[(text.len() * 2 + 1) as u8], text.as_bytes()].concat();
        let members = [word("level"), vec![6], word("status"), word("code"), vec![6], word(code)];
        Amf::Raw([&[0x11, 0x0a, 0x0b, 1][..], &members.concat(), &[1]].concat())
    }
    let dump = dump(&["-m", "5"], |peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        peer.wait_call("play")?;
        let mut say = |tags: &[Tag], code: &str| {
            let values = ["onStatus".into(), 0.0.into(), Amf::Null, status(code)];
            peer.media(tags)?;
            peer.send(&Msg::new(5, 17, 1, 0, [&[0][..], &amf(&values)].concat()))
        };
        say(&[], "NetStream.Play.Start")?;
        say(&clip(10), "NetStream.Play.Stop")?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(10));
    assert!(dump.took < Duration::from_secs(3), "{:?}", dump.took);
}

#[test]
fn metadata_in_the_amf3_message_is_metadata() {
    let dump = dump(&[], |peer| {
        peer.begin()?;
        let tags = clip(10);
        peer.send(&Msg::new(5, 15, 1, 0, [&[0][..], &tags[0].payload].concat()))?;
        peer.media(&tags[1..])?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(10));
}

#[test]
fn a_duration_that_is_none_says_nothing() {
    for duration in [f64::INFINITY, f64::NAN, -1.0, 1e300] {
        let tags = move || [vec![metadata(Some(duration))], clip(10)[1..].to_vec()].concat();
        let dump = dump(&[], move |peer| {
            peer.begin()?;
            peer.media(&tags())?;
            peer.play_stop()?;
            peer.wait_closed()
        });
        dump.expect(0, &tags());
        assert!(dump.took < Duration::from_secs(2), "{duration}: {:?}", dump.took);
    }
}

#[test]
fn a_publisher_that_returns_after_a_moment_is_stitched_on() {
    // By notice, and, as SRS does it, by nothing but headers that come again.
    for is_told in [true, false] {
        let dump = dump(if is_told { &[] } else { &["-v"] }, move |peer| {
            peer.begin()?;
            peer.media(&clip_with(20, None))?;
            if is_told {
                peer.status("status", "NetStream.Play.UnpublishNotify")?;
                peer.status("status", "NetStream.Play.PublishNotify")?;
            }
            peer.media(&clip_with(20, None))?;
            peer.status("status", "NetStream.Play.UnpublishNotify")?;
            peer.wait_closed()
        });
        let flv = dump.flv.as_ref().expect("media");
        let frames = |tags: &[Tag]| -> Vec<Tag> {
            tags.iter().filter(|tag| tag.kind != SCRIPT && tag.payload[1] == 1).cloned().collect()
        };
        let first = frames(&clip_with(20, None));
        let again = later(&first, 767 + 40);
        expect_equal(&[first, again].concat(), &frames(&flv.tags));
        let second = flv.tags.iter().skip(clip(20).len());
        assert!(second.clone().all(|tag| tag.time >= 760), "told: {is_told}");
        dump.expect_code(0);
    }
}
