//! A connection that is slow, late, cut or silent: every whole tag that came is saved, and the exit code is right.

use super::*;
use crate::common::relay::{Cut, Faults, Relay};
use std::sync::{Arc, Mutex};

/// A server behind a relay, and a client of it; `ends` holds how many bytes had been sent after each tag.
struct Relayed {
    finished: Finished,
    flv: Option<Flv>,
    ends: Vec<u64>,
}

/// Dumps a live clip of 40 frames over a connection with faults; `during` runs while the client does.
fn over(faults: Faults, args: &[&str], during: impl FnOnce(&Relay)) -> Relayed {
    let ends = Arc::new(Mutex::new(Vec::new()));
    let noted = ends.clone();
    let server = ScriptServer::start(move |peer| {
        peer.begin()?;
        for tag in clip_with(40, None) {
            peer.media(&[tag])?;
            noted.lock().unwrap().push(peer.sent);
        }
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    let relay = Relay::start(server.port, faults);
    let url = format!("rtmp://127.0.0.1:{}/app/stream", relay.port);
    let running = common::Running::start(&mut rtmpcat_with(["-v", "-r", &url, "-o", "-"].iter().chain(args)));
    during(&relay);
    let finished = running.finish(PATIENCE);
    let flv = (!finished.stdout.is_empty())
        .then(|| Flv::parse(&finished.stdout).unwrap_or_else(|error| panic!("{error}; stderr:\n{}", finished.stderr)));
    let ends = ends.lock().unwrap().clone();
    Relayed { finished, flv, ends }
}

#[test]
fn slow_and_trickling_lines() {
    let faults = [
        Faults { delay: Duration::from_millis(60), ..Faults::default() },
        Faults { rate_down: Some(60_000), ..Faults::default() },
        Faults { trickle_down: true, ..Faults::default() },
    ];
    for faults in faults {
        let relayed = over(faults, &[], |_| {});
        relayed.finished.expect_code(0);
        expect_equal(&clip_with(40, None), &relayed.flv.expect("media").tags);
    }
}

#[test]
fn cut_anywhere_every_whole_tag_is_saved() {
    let whole = over(Faults::default(), &[], |_| {});
    let (first, last) = (whole.ends[0], *whole.ends.last().unwrap());
    let mut dice = common::Dice(7);
    let mut places = vec![first, first + 1, whole.ends[10], whole.ends[10] - 1, last - 1];
    places.extend((0..12).map(|_| first + dice.roll() % (last - first)));
    for place in places {
        let relayed = over(Faults { cut_down: Some((place, Cut::Close)), ..Faults::default() }, &[], |_| {});
        let came = &clip_with(40, None)[..whole.ends.iter().filter(|end| **end <= place).count()];
        let saved = relayed.flv.map(|flv| flv.tags).unwrap_or_default();
        // Metadata alone is nothing to make a file for.
        if came.iter().any(|tag| tag.kind != SCRIPT) || !saved.is_empty() {
            expect_equal(came, &saved);
        }
        relayed.finished.expect_code(if saved.iter().any(|tag| tag.kind != SCRIPT) { 2 } else { 1 });
    }
}

#[test]
fn cut_before_there_is_media() {
    // S0, in S1, after S1, after S2, in the answer to connect.
    for (place, code) in [(1, 3), (700, 3), (1537, 3), (3072, 3), (3073, 1), (3090, 1)] {
        for cut in [Cut::Close, Cut::Reset] {
            let relayed = over(Faults { cut_down: Some((place, cut)), ..Faults::default() }, &[], |_| {});
            relayed.finished.expect_code(code);
            assert!(relayed.flv.is_none());
        }
    }
}

#[test]
fn a_black_hole_is_left_in_time() {
    let whole = over(Faults::default(), &[], |_| {});
    let place = whole.ends[20] + 100;
    let relayed = over(Faults { cut_down: Some((place, Cut::Silence)), ..Faults::default() }, &["-m", "2"], |_| {});
    relayed.finished.expect_code(2);
    assert!(relayed.finished.took < Duration::from_secs(8), "{:?}", relayed.finished.took);
    expect_equal(&clip_with(40, None)[..21], &relayed.flv.expect("media").tags);
}

#[test]
fn a_reset_in_mid_chunk() {
    let whole = over(Faults::default(), &[], |_| {});
    // A reset may overtake bytes that the client has not read yet, never ones that it has.
    let relayed = over(Faults { cut_down: Some((whole.ends[60] + 9, Cut::Reset)), ..Faults::default() }, &[], |_| {});
    let saved = relayed.flv.map(|flv| flv.tags).unwrap_or_default();
    relayed.finished.expect_code(if saved.iter().any(|tag| tag.kind != SCRIPT) { 2 } else { 1 });
    expect_equal(&clip_with(40, None)[..saved.len()], &saved);
}

#[test]
fn an_outage_of_two_seconds_is_waited_out() {
    let relayed = over(Faults { rate_down: Some(30_000), ..Faults::default() }, &["-m", "10"], |relay| {
        common::wait_until("some media", || relay.bytes_down() > 10_000);
        relay.outage(true);
        // The outage is what this test is about.
        std::thread::sleep(Duration::from_secs(2));
        relay.outage(false);
    });
    relayed.finished.expect_code(0);
    expect_equal(&clip_with(40, None), &relayed.flv.expect("media").tags);
}

#[test]
fn round_trips_to_the_first_media() {
    const WAY: Duration = Duration::from_millis(100);
    // TCP's own handshake is not delayed here: it would be one more.
    for (order, trips) in [("--strict-order", 4), ("-v", 3), ("--fast-start", 2)] {
        let best = (0..3).map(|_| time_to_media(order, WAY)).min().unwrap();
        let (least, most) = (WAY * 2 * trips, WAY * 2 * trips + WAY);
        assert!(best >= least && best < most, "{order}: {best:?}, not {trips} round trips");
    }
}

/// From the start of the program to the first media on its output, over a connection with a delay.
fn time_to_media(order: &str, delay: Duration) -> Duration {
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        peer.media(&clip_with(5, None))?;
        peer.wait_closed()
    });
    let relay = Relay::start(server.port, Faults { delay, ..Faults::default() });
    let url = format!("rtmp://127.0.0.1:{}/app/stream", relay.port);
    let begun = std::time::Instant::now();
    let running = common::Running::start(&mut rtmpcat_with(["-r", &url, "-o", "-", order]));
    running.wait_stdout_bytes(5000);
    begun.elapsed()
}
