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
fn what_is_in_flight_behind_play_stop_is_saved() {
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
fn live_unpublish_notify() {
    let (dump, tags) = live(then_wait(|peer| peer.status("status", "NetStream.Play.UnpublishNotify")));
    dump.expect(0, &tags);
}

#[test]
fn live_play_stop() {
    let (dump, tags) = live(then_wait(Peer::play_stop));
    dump.expect(0, &tags);
}

#[test]
fn live_stream_eof() {
    let (dump, tags) = live(then_wait(|peer| peer.user_control(1, 1)));
    dump.expect(0, &tags);
}

#[test]
fn live_fin() {
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
fn live_silence() {
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
