//! How a stream ends.

use super::*;

/// A recorded stream of 50 frames (2 s) that ends as `end` says, after `sent` frames.
fn recorded(sent: usize, end: impl Fn(&mut Peer) -> Result<()> + Send + Sync + 'static) -> (Dump, Vec<Tag>) {
    let tags: Vec<Tag> = clip(50).into_iter().take(3 + 2 * sent).collect();
    let script = tags.clone();
    let dump = dump(&["-m", "2"], move |peer| {
        peer.begin()?;
        peer.media(&script)?;
        end(peer)
    });
    (dump, tags)
}

/// A live stream of 50 frames that ends as `end` says.
fn live(end: impl Fn(&mut Peer) -> Result<()> + Send + Sync + 'static) -> (Dump, Vec<Tag>) {
    let tags = || clip_with(50, None);
    let dump = dump(&["-v", "-m", "2"], move |peer| {
        peer.begin()?;
        peer.media(&tags())?;
        end(peer)
    });
    (dump, tags())
}

fn then_wait(
    end: impl Fn(&mut Peer) -> Result<()> + Send + Sync + 'static,
) -> impl Fn(&mut Peer) -> Result<()> + Send + Sync + 'static {
    move |peer| {
        end(peer)?;
        peer.wait_closed()
    }
}

#[test]
fn recorded_play_stop() {
    let (dump, tags) = recorded(50, then_wait(Peer::play_stop));
    dump.expect(0, &tags);
}

#[test]
fn recorded_play_complete() {
    let (dump, tags) = recorded(50, then_wait(Peer::play_complete));
    dump.expect(0, &tags);
}

#[test]
fn recorded_stream_eof() {
    let (dump, tags) = recorded(50, then_wait(|peer| peer.user_control(1, 1)));
    dump.expect(0, &tags);
}

#[test]
fn recorded_all_there_then_a_fin() {
    let (dump, tags) = recorded(50, |_| Ok(()));
    dump.expect(0, &tags);
}

#[test]
fn recorded_half_there_then_a_fin() {
    let (dump, tags) = recorded(25, |_| Ok(()));
    dump.expect(2, &tags);
}

#[test]
fn recorded_half_there_then_a_reset() {
    let (dump, tags) = recorded(25, |peer| {
        // A reset may overtake what the client has not read: it is to have read it.
        peer.user_control(6, 1)?;
        peer.wait_user_control(7)?;
        peer.reset()
    });
    dump.expect(2, &tags);
}

#[test]
fn recorded_half_there_then_silence() {
    let (dump, tags) = recorded(25, Peer::wait_closed);
    dump.expect(2, &tags);
    assert!(dump.took < Duration::from_secs(12), "{:?}", dump.took);
}

#[test]
fn recorded_half_there_then_close() {
    let (dump, tags) = recorded(25, then_wait(|peer| peer.command(0, &["close".into(), 0.0.into(), Amf::Null])));
    dump.expect(2, &tags);
}

#[test]
fn recorded_half_there_then_a_message_cut_off() {
    let (dump, tags) = recorded(25, |peer| {
        let half = Msg::new(6, VIDEO, 1, 1000, vec![0x27; 3000]);
        let bytes = chunks(&half, Shape::plain(4096)).concat();
        peer.raw(&bytes[..1500])
    });
    dump.expect(2, &tags);
}

#[test]
fn what_is_in_flight_after_play_stop_is_saved() {
    let dump = dump(&[], |peer| {
        peer.begin()?;
        let tags = clip(50);
        peer.media(&tags[..80])?;
        peer.end_of_file()?;
        // On other chunk streams, and in pieces that come one after the other.
        for tag in &tags[80..] {
            peer.media(std::slice::from_ref(tag))?;
        }
        peer.wait_closed()
    });
    dump.expect(0, &clip(50));
}

#[test]
fn a_message_begun_before_play_stop_is_saved() {
    let dump = dump(&[], |peer| {
        peer.begin()?;
        let tags = clip(11);
        let (last_key, others): (Vec<_>, Vec<_>) =
            tags.into_iter().partition(|tag| tag.kind == VIDEO && tag.time == 400);
        let (before, after) = others.split_at(others.len() - 1);
        peer.media(before)?;
        let pieces = chunks(&Msg::tag(1, &last_key[0]), Shape::plain(4096));
        peer.raw(&pieces[0])?;
        peer.end_of_file()?;
        peer.raw(&pieces[1..].concat())?;
        peer.media(after)?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(11));
}

#[test]
fn live_unpublish_notify_as_of_node_media_server_2() {
    let (dump, tags) = live(then_wait(|peer| peer.status("status", "NetStream.Play.UnpublishNotify")));
    dump.expect(0, &tags);
}

#[test]
fn live_play_stop() {
    let (dump, tags) = live(then_wait(Peer::play_stop));
    dump.expect(0, &tags);
}

#[test]
fn live_stream_eof_as_of_nginx() {
    let (dump, tags) = live(then_wait(|peer| peer.user_control(1, 1)));
    dump.expect(0, &tags);
}

#[test]
fn live_fin_as_of_xiu() {
    let (dump, tags) = live(|_| Ok(()));
    dump.expect(2, &tags);
}

#[test]
fn live_reset() {
    let (dump, tags) = live(|peer| {
        peer.user_control(6, 1)?;
        peer.wait_user_control(7)?;
        peer.reset()
    });
    dump.expect(2, &tags);
}

#[test]
fn live_silence_as_of_node_media_server_4() {
    let (dump, tags) = live(Peer::wait_closed);
    dump.expect(2, &tags);
}

#[test]
fn live_pings_do_not_hide_a_stall() {
    let (dump, tags) = live(|peer| {
        // A ping every 100 ms, as long as anyone answers.
        for number in 0..100 {
            peer.user_control(6, number)?;
            std::thread::sleep(Duration::from_millis(100));
        }
        peer.wait_closed()
    });
    dump.expect(2, &tags);
    assert!(dump.took < Duration::from_secs(8), "{:?}", dump.took);
}

#[test]
fn live_broken_framing() {
    let (dump, tags) = live(|peer| {
        // A continuation of a message that was never begun.
        peer.raw(&[0xc0 | 33, 1, 2, 3])?;
        peer.wait_closed()
    });
    dump.expect(2, &tags);
}

#[test]
fn a_refusal_in_mid_stream_is_incomplete() {
    let (dump, tags) =
        live(then_wait(|peer| peer.send(&Msg::status(1, "error", "NetStream.Play.Failed", "the disk is gone"))));
    dump.expect(2, &tags).expect_stderr("the disk is gone");
}

#[test]
fn recorded_play_stop_far_too_early() {
    // That it is a recorded one shows in how fast it comes, or the server says so (Stream Is Recorded).
    for (frames, says_so) in [(125, false), (50, true)] {
        let tags = move || clip_with(frames, Some(10.0));
        let dump = dump(&[], move |peer| {
            peer.begin()?;
            if says_so {
                peer.user_control(4, 1)?;
            }
            peer.media(&tags())?;
            peer.end_of_file()?;
            peer.wait_closed()
        });
        dump.expect(2, &tags());
    }
}

#[test]
fn get_stream_length_tells_the_duration() {
    for (seconds, code) in [(2.0, 0), (4.0, 2)] {
        let tags = || clip_with(50, None);
        let dump = dump(&[], move |peer| {
            peer.handshake()?;
            peer.accept_connect()?;
            peer.accept_create_stream(1)?;
            let call = peer.wait_call("getStreamLength")?;
            peer.answer("_result", &call, Amf::Null, seconds.into())?;
            peer.accept_play()?;
            peer.media(&tags())
        });
        dump.expect(code, &tags());
    }
}

#[test]
fn messages_after_the_end_change_nothing() {
    let live = |farewell: fn(&mut Peer) -> Result<()>| {
        live(then_wait(move |peer| {
            peer.status("status", "NetStream.Play.UnpublishNotify")?;
            farewell(peer)
        }))
    };
    let farewells: [fn(&mut Peer) -> Result<()>; 4] = [
        |peer| peer.command(0, &["close".into(), 0.0.into(), Amf::Null]),
        |peer| peer.send(&Msg::status(0, "status", "NetConnection.Connect.Closed", "")),
        |peer| peer.send(&Msg::status(0, "error", "NetConnection.Connect.AppShutdown", "")),
        // What makes no sense: a continuation of nothing.
        |peer| peer.raw(&[0xc0 | 33, 1, 2, 3]),
    ];
    for farewell in farewells {
        let (dump, tags) = live(farewell);
        dump.expect(0, &tags);
    }
}

#[test]
fn closing_after_all_of_a_file_is_complete() {
    let closed = |peer: &mut Peer| peer.send(&Msg::status(0, "status", "NetConnection.Connect.Closed", ""));
    let (dump, tags) = recorded(50, then_wait(closed));
    dump.expect(0, &tags);
    let (dump, tags) = recorded(25, then_wait(closed));
    dump.expect(2, &tags);
}

#[test]
fn what_is_in_flight_after_close_is_saved() {
    let dump = dump(&[], |peer| {
        peer.begin()?;
        let tags = clip(50);
        peer.media(&tags[..60])?;
        peer.command(0, &["close".into(), 0.0.into(), Amf::Null])?;
        peer.media(&tags[60..])?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(50));
}

#[test]
fn what_is_missing_after_play_stop_is_waited_for() {
    // As long as it takes to send a lost segment once more, and again.
    for (duration, pause) in [(None, 300), (Some(2.0), 1200)] {
        let tags = move || clip_with(50, duration);
        let dump = dump(&[], move |peer| {
            peer.begin()?;
            peer.media(&tags()[..60])?;
            peer.end_of_file()?;
            std::thread::sleep(Duration::from_millis(pause));
            peer.media(&tags()[60..])?;
            peer.wait_closed()
        });
        dump.expect(0, &tags());
    }
}

#[test]
fn a_stream_that_begins_again_has_not_ended() {
    let dump = dump(&["-v"], |peer| {
        peer.begin()?;
        let tags = clip_with(50, None);
        peer.media(&tags[..50])?;
        peer.user_control(1, 1)?;
        peer.user_control(0, 1)?;
        for tag in &tags[50..] {
            std::thread::sleep(Duration::from_millis(if tag.time % 400 == 0 { 700 } else { 0 }));
            peer.media(std::slice::from_ref(tag))?;
        }
        peer.user_control(1, 1)?;
        peer.wait_closed()
    });
    dump.expect(0, &clip_with(50, None));
}

#[test]
fn an_end_of_what_was_before_is_none() {
    let dump = dump(&[], |peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        peer.user_control(1, 1)?;
        std::thread::sleep(Duration::from_millis(700));
        peer.accept_play()?;
        peer.media(&clip(10))?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(10));
}

#[test]
fn a_short_file_that_stops_at_half_is_incomplete() {
    let (dump, tags) = recorded(25, then_wait(Peer::play_stop));
    dump.expect(2, &tags);
}

#[test]
fn a_message_that_takes_longer_than_the_limit_is_no_stall() {
    for args in [&["-m", "1"][..], &["-v", "-m", "1"]] {
        let tags = || clip_with(11, None);
        let dump = dump(args, move |peer| {
            peer.begin()?;
            let tags = tags();
            let (key, others): (Vec<_>, Vec<_>) =
                tags.into_iter().partition(|tag| tag.kind == VIDEO && tag.time == 400);
            let (before, after) = others.split_at(others.len() - 1);
            peer.media(before)?;
            for piece in chunks(&Msg::tag(1, &key[0]), Shape::plain(4096)).concat().chunks(250) {
                std::thread::sleep(Duration::from_millis(100));
                peer.raw(piece)?;
            }
            peer.media(after)?;
            peer.end_of_file()?;
            peer.wait_closed()
        });
        dump.expect(0, &tags());
    }
}

#[test]
fn a_byte_now_and_then_is_a_stall() {
    let (dump, tags) = live(|peer| {
        let half = Msg::new(6, VIDEO, 1, 2000, vec![0x27; 3000]);
        for byte in chunks(&half, Shape::plain(4096)).concat() {
            std::thread::sleep(Duration::from_millis(100));
            peer.raw(&[byte])?;
        }
        Ok(())
    });
    dump.expect(2, &tags);
    assert!(dump.took < Duration::from_secs(8), "{:?}", dump.took);
}

#[test]
fn what_came_before_a_reset_is_read_although_sending_fails() {
    // Acknowledgements are due all the time, and the server does not read them.
    let dump = dump(&[], |peer| {
        peer.begin()?;
        peer.window_ack_size(2000)?;
        let message = |tag: &Tag| chunks(&Msg::tag(1, tag), Shape::plain(4096)).concat();
        let bytes: Vec<u8> = clip(50).iter().flat_map(message).collect();
        peer.raw(&bytes)?;
        peer.reset()
    });
    dump.expect(0, &clip(50));
}

#[test]
fn a_server_that_cannot_be_reached_again_is_judged_by_what_it_did() {
    // Whoever closes before there is media is asked again, one command after the other.
    for (steps, reset) in [(1, false), (2, false), (3, false), (3, true)] {
        let dump = dump(&["-m", "2"], move |peer| {
            if peer.number > 0 {
                return peer.reset();
            }
            peer.handshake()?;
            peer.accept_connect()?;
            if steps > 1 {
                peer.accept_create_stream(1)?;
            }
            if steps > 2 {
                peer.send(&Msg::status(1, "error", "NetStream.Play.Failed", "the first word"))?;
            }
            if reset { peer.reset() } else { Ok(()) }
        });
        dump.expect_nothing(1);
        if steps > 2 && !reset {
            dump.expect_stderr("the first word");
        }
    }
}

#[test]
fn only_media_after_an_end_delays_it() {
    for args in [&["-v"][..], &[]] {
        let dump = dump(args, |peer| {
            peer.begin()?;
            peer.media(&clip(10))?;
            peer.status("status", "NetStream.Play.UnpublishNotify")?;
            // Until the client has had enough.
            for number in 0..400 {
                std::thread::sleep(Duration::from_millis(20));
                let told = peer.user_control(6, number).and_then(|()| peer.window_ack_size(2_500_000));
                if told.is_err() {
                    break;
                }
            }
            Ok(())
        });
        dump.expect(0, &clip(10));
        assert!(dump.took < Duration::from_secs(4), "{:?}", dump.took);
    }
}
