//! Enhanced RTMP: the server asks for another connection.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

fn reconnect_request(peer: &mut Peer, tc_url: Option<&str>) -> Result<()> {
    let mut information = vec![("level", "status".into()), ("code", "NetConnection.Connect.ReconnectRequest".into())];
    information.extend(tc_url.map(|url| ("tcUrl", url.into())));
    peer.command(0, &["onStatus".into(), 0.0.into(), Amf::Null, Amf::obj(&information)])
}

/// A live source of 100 frames, at ten times the pace of life, that every connection of a server sees alike: from the last
/// keyframe before the present on.
fn live_source(
    peer: &mut Peer,
    began: Instant,
    shift: u32,
    at_frame: impl FnMut(&mut Peer, u32) -> Result<bool>,
) -> Result<()> {
    live_source_of(&clip_with(100, None), peer, began, shift, at_frame)
}

/// The same with the clip in another form.
fn live_source_of(
    tags: &[Tag],
    peer: &mut Peer,
    began: Instant,
    shift: u32,
    mut at_frame: impl FnMut(&mut Peer, u32) -> Result<bool>,
) -> Result<()> {
    let now = || (began.elapsed().as_millis() / 4) as u32;
    peer.media(&tags[..3])?;
    let first = (now() / 10 * 10).min(90);
    for frame in first..100 {
        if !at_frame(peer, frame)? {
            return Ok(());
        }
        while now() < frame {
            std::thread::sleep(Duration::from_millis(1));
        }
        let at = 3 + 2 * frame as usize;
        let shifted = |tag: &Tag| Tag { time: tag.time + shift, ..tag.clone() };
        peer.media(&tags[at..at + 2].iter().map(shifted).collect::<Vec<_>>())?;
    }
    peer.status("status", "NetStream.Play.UnpublishNotify")?;
    peer.wait_closed()
}

#[test]
fn a_reconnect_request_is_followed_without_losing_a_frame() {
    for with_url in [false, true] {
        let began = Instant::now() + Duration::from_millis(1000);
        let other = ScriptServer::start(move |peer| {
            peer.begin()?;
            live_source(peer, began, 0, |_, _| Ok(true))
        });
        let url = other.url("stream").replace("/stream", "");
        let server = ScriptServer::start(move |peer| {
            peer.begin()?;
            let request = peer.number == 0;
            live_source(peer, began, 0, |peer, frame| {
                if request && frame == 25 {
                    reconnect_request(peer, with_url.then_some(url.as_str()))?;
                }
                Ok(true)
            })
        });
        let scratch = Scratch::new();
        let finished = scratch.record(&server.url("stream"), &["-v"]);
        finished.expect_code(0).expect_stderr("The new connection takes over");
        expect_equal(&clip_with(100, None)[1..], &scratch.flv().media());
        let expected = if with_url { (1, 1) } else { (2, 0) };
        assert_eq!((server.connections(), other.connections()), expected);
    }
}

#[test]
fn the_new_connection_is_rewritten_and_traced_as_the_first_one() {
    // H.264 and AAC with the headers of Enhanced RTMP.
    let enhanced = |tag: &Tag| {
        let payload = match (tag.kind, &tag.payload[..]) {
            (VIDEO, [first, kind, time @ ..]) => {
                let (time, data) = time.split_at(3);
                let time = if *kind == 1 { time } else { &[] };
                [&[0x80 | first & 0x70 | kind], &b"avc1"[..], time, data].concat()
            }
            (AUDIO, [_, kind, data @ ..]) => [&[0x90 | kind], &b"mp4a"[..], data].concat(),
            (_, other) => other.to_vec(),
        };
        Tag { payload, ..tag.clone() }
    };
    let began = Instant::now() + Duration::from_millis(1000);
    let server = ScriptServer::start(move |peer| {
        peer.begin()?;
        let tags: Vec<Tag> = clip_with(100, None).iter().map(enhanced).collect();
        let first = peer.number == 0;
        live_source_of(&tags, peer, began, 0, |peer, frame| {
            if first && frame == 25 {
                reconnect_request(peer, None)?;
            }
            Ok(true)
        })
    });
    let scratch = Scratch::new();
    let trace = scratch.file().with_extension("pcapng");
    let args = ["-v", "--legacy-tags", "--trace", trace.to_str().unwrap()];
    scratch.record(&server.url("stream"), &args).expect_code(0).expect_stderr("The new connection takes over");
    expect_equal(&clip_with(100, None)[1..], &scratch.flv().media());
    let list = run(&mut rtmpcat_with(["trace", trace.to_str().unwrap()]), PATIENCE).expect_code(0).out();
    assert_eq!((list.matches("connect 1 {").count(), list.matches(" - closed").count()), (2, 2), "{list}");
    assert!(list.contains("NetConnection.Connect.ReconnectRequest"));
}

#[test]
fn another_clock_is_stitched_on_at_a_keyframe() {
    let began = Instant::now() + Duration::from_millis(1000);
    let server = ScriptServer::start(move |peer| {
        peer.begin()?;
        let number = peer.number as u32;
        live_source(peer, began, number * 1_000_000, |peer, frame| {
            if number == 0 && frame == 25 {
                reconnect_request(peer, None)?;
            }
            Ok(true)
        })
    });
    let scratch = Scratch::new();
    scratch.record(&server.url("stream"), &["-v"]).expect_code(0).expect_stderr("takes over");
    let flv = scratch.flv();
    flv.expect_monotonic();
    let [_, video] = payloads(&flv.tags);
    let [_, all] = payloads(&frames(100, 0));
    let places: Vec<usize> =
        video[1..].iter().map(|payload| all.iter().position(|other| other == payload).unwrap()).collect();
    let seam = places.windows(2).position(|pair| pair[0] + 1 != pair[1]).expect("a group of pictures comes twice");
    assert_eq!(places[seam + 1] % 10, 0, "the seam is at a keyframe: {places:?}");
    assert_eq!((places[0], places.last()), (0, Some(&99)));
}

#[test]
fn the_present_connection_stays_if_the_new_one_fails_and_the_new_one_comes_if_it_ends() {
    let began = Instant::now() + Duration::from_millis(1000);
    let server = ScriptServer::start(move |peer| {
        if peer.number > 0 {
            return Ok(());
        }
        peer.begin()?;
        live_source(peer, began, 0, |peer, frame| {
            if frame == 25 {
                reconnect_request(peer, None)?;
            }
            Ok(true)
        })
    });
    let scratch = Scratch::new();
    scratch.record(&server.url("stream"), &["-v"]).expect_code(0).expect_stderr("keeping the current connection");
    expect_equal(&clip_with(100, None)[1..], &scratch.flv().media());
    // The server does not wait for its player to go.
    let began = Instant::now() + Duration::from_millis(1000);
    let server = ScriptServer::start(move |peer| {
        peer.begin()?;
        let number = peer.number;
        live_source(peer, began, 0, |peer, frame| {
            if number == 0 && frame == 25 {
                reconnect_request(peer, None)?;
            }
            Ok(number > 0 || frame < 25)
        })
    });
    let finished = scratch.record(&server.url("stream"), &["-v"]);
    finished.expect_code(0).expect_stderr("takes over");
    let [_, video] = payloads(&scratch.flv().tags);
    let [_, all] = payloads(&frames(100, 0));
    assert_eq!(video[1..26], all[..25], "all that came");
    assert_eq!(video.last(), all.last());
    scratch.flv().expect_monotonic();
}

/// One that a decoder can begin at nowhere is let go when it has sent all that is kept of it, and what it sent is not saved.
#[test]
fn a_new_connection_that_floods_without_a_keyframe_does_not_take_over() {
    let is_gone = Arc::new(AtomicBool::new(false));
    let began = Instant::now() + Duration::from_millis(1000);
    let flood = is_gone.clone();
    let server = ScriptServer::start(move |peer| {
        peer.begin()?;
        if peer.number > 0 {
            let one_byte = Tag { kind: VIDEO, time: 1000, payload: vec![0x27] };
            let many = vec![one_byte; 1000];
            while peer.media(&many).is_ok() {}
            flood.store(true, Ordering::Relaxed);
            return Ok(());
        }
        live_source(peer, began, 0, |peer, frame| {
            if frame == 25 {
                reconnect_request(peer, None)?;
            }
            if frame == 30 {
                wait_until("the end of the new connection", || flood.load(Ordering::Relaxed));
            }
            Ok(true)
        })
    });
    let scratch = Scratch::new();
    scratch.record(&server.url("stream"), &["-v"]).expect_code(0).expect_stderr("keeping the current connection");
    assert!(is_gone.load(Ordering::Relaxed));
    expect_equal(&clip_with(100, None)[1..], &scratch.flv().media());
}
