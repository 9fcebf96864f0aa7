//! Whether all of an on-demand stream was received: what came is counted on the timeline of the file, whatever the clock of
//! the server says.

use super::*;

/// A server that sends so many of 100 frames (4 s) with its clock at `begin`, one of them `wild`, and then closes.
fn breaks_off(begin: u32, frames: usize, wild: Option<(usize, u32)>) -> Dump {
    dump(&["-m", "2"], move |peer| {
        peer.begin()?;
        let mut tags = later(&clip(100), begin);
        if let Some((frame, time)) = wild {
            tags[3 + 2 * frame].time = time;
        }
        peer.media(&tags[..3 + 2 * frames])
    })
}

#[test]
fn a_clock_that_begins_late_makes_nothing_complete() {
    for begin in [0, 30_000, 7_200_000, 4_294_000_000] {
        breaks_off(begin, 50, None).expect_code(2).expect_stderr("of 4.00 s");
        breaks_off(begin, 100, None).expect_code(0);
    }
}

#[test]
fn one_wild_frame_makes_nothing_complete() {
    for wild in [4_000, 60_000, 4_000_000_000] {
        for at in [5, 20, 49] {
            breaks_off(0, 50, Some((at, wild))).expect_code(2);
            breaks_off(0, 100, Some((at, wild))).expect_code(0);
        }
    }
}

#[test]
fn a_notice_and_a_stall_are_no_better_than_a_close() {
    for begin in [0, 30_000] {
        let notice = dump(&["-m", "2"], move |peer| {
            peer.begin()?;
            peer.media(&later(&clip(100), begin)[..103])?;
            peer.user_control(4, 1)?;
            peer.play_stop()?;
            peer.wait_closed()
        });
        notice.expect_code(2);
        let stall = dump(&["-m", "1"], move |peer| {
            peer.begin()?;
            peer.media(&later(&clip(100), begin)[..103])?;
            peer.wait_closed()
        });
        stall.expect_code(2).expect_stderr("stalled");
    }
}

#[test]
fn empty_messages_do_not_hide_a_stall() {
    let empty = |kind| Msg::new(4, kind, 1, 40, Vec::new());
    let cut = || Msg::new(4, 22, 1, 40, vec![9, 0, 0]);
    for message in [empty(8), empty(9), cut()] {
        let finished = dump(&["-v", "-m", "1"], move |peer| {
            peer.begin()?;
            peer.media(&clip_with(10, None))?;
            // Until the client has had enough.
            while peer.send(&message).is_ok() && !peer.has_closed() {
                std::thread::sleep(Duration::from_millis(50));
            }
            Ok(())
        });
        finished.expect(2, &clip_with(10, None)).expect_stderr("stalled");
    }
}

#[test]
fn sequence_headers_alone_are_no_stream() {
    let finished = dump(&["-v", "--first-media-timeout", "1"], move |peer| {
        peer.begin()?;
        while peer.media(&clip(1)[1..3]).is_ok() && !peer.has_closed() {
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    });
    // The headers are saved, and they are no success.
    finished.expect_code(2).expect_stderr("no media came");
}

#[test]
fn a_live_stream_is_asked_for_no_length_and_may_end_a_frame_early() {
    let finished = dump(&["-v", "--stop", "2"], |peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        let play = peer.accept_play()?;
        assert_eq!(play.args.len(), 3, "no length: {:?}", play.args);
        // Two frames are missing.
        peer.media(&clip_with(49, None)[..101])?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    finished.expect_code(0);
    assert_eq!(finished.server.trouble(), Vec::<String>::new());
    // A close at the stop is the stop; long before it, it is not.
    for (frames, code) in [(49, 0), (25, 2)] {
        let finished = dump(&["-v", "--stop", "2"], move |peer| {
            peer.begin()?;
            peer.media(&clip_with(frames, None))
        });
        finished.expect_code(code);
    }
}

#[test]
fn a_part_of_a_file_is_asked_for_with_its_length() {
    let finished = dump(&["--start", "2", "--stop", "4"], |peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        let play = peer.accept_play()?;
        assert_eq!([play.args[2].num(), play.args[3].num()], [Some(2_000.0), Some(2_000.0)]);
        peer.media(&later(&clip(50), 2_000))?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    finished.expect_code(0);
    assert_eq!(finished.server.trouble(), Vec::<String>::new());
}
