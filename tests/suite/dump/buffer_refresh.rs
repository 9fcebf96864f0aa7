//! Servers that send a buffer's worth and then wait, and servers that stall: the client makes them go on.

use super::*;
use crate::common::script_server::{Call, Heard};

const BUFFER_EMPTY: u16 = 31;
const STREAM_IS_RECORDED: u16 = 4;

/// Where `clip` has been played up to this frame.
fn split(frames: u32, at: u32) -> (Vec<Tag>, Vec<Tag>) {
    clip(frames).into_iter().partition(|tag| tag.time < at * 40)
}

/// The pauses of the client: on or off, and where.
fn pauses(heard: &Heard) -> Vec<(bool, f64)> {
    let pauses = heard.calls().into_iter().filter(|call| call.name == "pause");
    pauses.map(|call| (call.args[1] == Amf::Bool(true), call.args[2].num().unwrap())).collect()
}

/// The message with the `pause` in it.
fn pause_bytes(heard: &Heard, place: usize) -> Msg {
    let begin = amf(&["pause".into()]);
    heard.messages.iter().filter(|message| message.payload.starts_with(&begin)).nth(place).unwrap().clone()
}

/// Flash Media Server's part: its buffer notice, and what it does when it is paused and unpaused.
fn full_buffer(peer: &mut Peer) -> Result<(Call, Call)> {
    peer.user_control(BUFFER_EMPTY, peer.stream)?;
    let paused = peer.wait_call_on("pause", Some(peer.stream))?;
    peer.user_control(1, peer.stream)?;
    peer.status("status", "NetStream.Pause.Notify")?;
    let unpaused = peer.wait_call_on("pause", Some(peer.stream))?;
    peer.user_control(0, peer.stream)?;
    peer.status("status", "NetStream.Unpause.Notify")?;
    Ok((paused, unpaused))
}

#[test]
fn a_full_buffer_is_answered_by_pause_and_unpause() {
    let dump = dump(&[], |peer| {
        peer.begin()?;
        let (first, rest) = split(40, 20);
        peer.media(&first)?;
        full_buffer(peer)?;
        // From a keyframe on, which is before what was asked for.
        peer.media(&first[first.len() - 20..])?;
        peer.media(&rest)?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(40));
    assert_eq!(dump.server.trouble(), Vec::<String>::new());
    let heard = dump.server.all_heard();
    // The last video was at 760 ms, the last audio at 767.
    assert_eq!(pauses(&heard), [(true, 760.0), (false, 760.0)]);
    for (place, paused) in [(0, true), (1, false)] {
        let message = pause_bytes(&heard, place);
        assert_eq!((message.csid, message.kind, message.msid), (8, 20, 1));
        assert!(message.payload.ends_with(&amf(&[Amf::Null, paused.into(), 760.0.into()])), "{message:?}");
    }
}

#[test]
fn a_server_that_waits_half_a_second_to_unpause_is_not_at_its_end() {
    // Longer than an announced end is waited for; nothing but time passes here.
    let dump = dump(&[], |peer| {
        peer.begin()?;
        let (first, rest) = split(40, 20);
        peer.media(&first)?;
        peer.user_control(BUFFER_EMPTY, peer.stream)?;
        peer.wait_call("pause")?;
        peer.user_control(1, peer.stream)?;
        std::thread::sleep(Duration::from_millis(500));
        peer.status("status", "NetStream.Pause.Notify")?;
        peer.wait_call("pause")?;
        peer.media(&rest)?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(40));
}

#[test]
fn every_full_buffer_is_answered() {
    let dump = dump(&[], |peer| {
        peer.begin()?;
        let mut tags = clip(100);
        let rest = tags.split_off(23);
        peer.media(&tags)?;
        for part in rest.chunks(20) {
            full_buffer(peer)?;
            peer.media(part)?;
        }
        peer.end_of_file()?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(100));
    assert_eq!(pauses(&dump.server.all_heard()).len(), 18);
}

#[test]
fn what_is_realtime_or_live_is_not_paused() {
    for args in [&["-R"][..], &["--realtime"], &["-v"]] {
        let dump = dump(args, |peer| {
            peer.begin()?;
            let (first, rest) = split(20, 10);
            peer.media(&first)?;
            peer.user_control(BUFFER_EMPTY, peer.stream)?;
            peer.media(&rest)?;
            peer.end_of_file()?;
            peer.wait_closed()
        });
        dump.expect(0, &clip(20));
        assert_eq!(pauses(&dump.server.all_heard()), [], "{args:?}");
    }
}

// --- Stalls

#[test]
fn a_stalled_file_is_paused_and_unpaused() {
    let dump = dump(&["-m", "2"], |peer| {
        peer.begin()?;
        let (first, rest) = split(40, 20);
        peer.media(&first)?;
        peer.wait_call("pause")?;
        peer.status("status", "NetStream.Pause.Notify")?;
        peer.wait_call("pause")?;
        peer.media(&first[3..])?;
        peer.media(&rest)?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(40)).expect_stderr("trying to resume: pausing and unpausing");
    assert_eq!(pauses(&dump.server.all_heard()), [(true, 760.0), (false, 760.0)]);
}

#[test]
fn a_stalled_file_is_sought_in_where_a_pause_does_not_help() {
    for answers_pause in [false, true] {
        let dump = dump(&["-m", "2"], move |peer| {
            peer.begin()?;
            let (first, rest) = split(40, 20);
            peer.media(&first)?;
            peer.wait_call("pause")?;
            if answers_pause {
                peer.status("status", "NetStream.Pause.Notify")?;
                peer.wait_call("pause")?;
            }
            let seek = peer.wait_call_on("seek", Some(1))?;
            assert_eq!(seek.args, [Amf::Null, 760.0.into()]);
            peer.status("status", "NetStream.Seek.Notify")?;
            peer.media(&first[3..])?;
            peer.media(&rest)?;
            peer.end_of_file()?;
            peer.wait_closed()
        });
        dump.expect(0, &clip(40)).expect_stderr("trying to resume: seeking");
        assert_eq!(dump.server.trouble(), Vec::<String>::new());
        // Never left in a pause.
        assert_eq!(pauses(&dump.server.all_heard()), [(true, 760.0), (false, 760.0)]);
    }
}

#[test]
fn a_file_that_does_not_go_on_is_given_up_in_time() {
    let dump = dump(&["-m", "1"], |peer| {
        peer.begin()?;
        peer.media(&split(40, 20).0)?;
        peer.wait_closed()
    });
    dump.expect(2, &split(40, 20).0);
    assert!(dump.took < Duration::from_secs(6), "{:?}", dump.took);
    let names = dump.server.all_heard().names();
    let tried: Vec<&String> = names.iter().filter(|name| ["pause", "seek"].contains(&name.as_str())).collect();
    assert_eq!(tried, ["pause", "pause", "seek"], "{names:?}");
}

#[test]
fn each_stall_is_dealt_with_anew() {
    let dump = dump(&["-m", "1"], |peer| {
        peer.begin()?;
        let mut tags = clip(60);
        let rest = tags.split_off(23);
        peer.media(&tags)?;
        for part in rest.chunks(50) {
            peer.wait_call("pause")?;
            peer.status("status", "NetStream.Pause.Notify")?;
            peer.wait_call("pause")?;
            peer.media(part)?;
        }
        peer.end_of_file()?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(60));
    assert_eq!(pauses(&dump.server.all_heard()).len(), 4);
}

#[test]
fn what_is_live_or_of_unknown_kind_is_not_paused_when_it_stalls() {
    for (args, duration, recorded, tries) in [
        (&["-m", "1"][..], None, true, true),
        (&["-m", "1"], None, false, false),
        (&["-m", "1", "-v"], Some(4.0), true, false),
    ] {
        let dump = dump(args, move |peer| {
            peer.begin()?;
            if recorded {
                peer.user_control(STREAM_IS_RECORDED, 1)?;
            }
            peer.media(&clip_with(10, duration))?;
            peer.wait_closed()
        });
        dump.expect(2, &clip_with(10, duration));
        assert_eq!(!pauses(&dump.server.all_heard()).is_empty(), tries, "{args:?} {recorded}");
    }
}
