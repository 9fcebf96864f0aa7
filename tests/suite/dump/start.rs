//! A stream from some point on, at servers that do not quite send it.

use super::*;

/// What `--start 2 --stop 4` saves of a file of 8 s, if `serve` gets start and tags for each connection.
fn part(serve: impl Fn(&mut Peer, f64, &[Tag]) -> Result<()> + Send + Sync + 'static) -> Dump {
    dump(&["--start", "2", "--stop", "4"], move |peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        let start = peer.accept_play()?.args[2].num().unwrap_or_default();
        serve(peer, start, &clip(200))?;
        peer.end_of_file()?;
        peer.wait_closed()
    })
}

/// The frames from 2 s to 4 s (a keyframe is at 2 s), as they are to be saved.
fn wanted() -> Vec<Tag> {
    let tags = clip(200);
    let frames = tags[3..].iter().filter(|tag| (2_000..4_000).contains(&tag.time));
    tags[1..3].iter().cloned().chain(frames.map(|tag| Tag { time: tag.time - 2_000, ..tag.clone() })).collect()
}

#[track_caller]
fn expect_wanted(dump: &Dump) {
    dump.expect_code(0);
    let saved: Vec<Tag> =
        dump.flv.as_ref().expect("media").tags.iter().filter(|tag| tag.kind != SCRIPT).cloned().collect();
    let payloads = |tags: &[Tag]| tags.iter().map(|tag| (tag.kind, tag.payload.clone())).collect::<Vec<_>>();
    let (mut saved, mut wanted) = (payloads(&saved), payloads(&wanted()));
    saved.sort_unstable();
    wanted.sort_unstable();
    assert!(saved == wanted, "{} tags, not {}; stderr:\n{}", saved.len(), wanted.len(), dump.stderr);
}

#[test]
fn sequence_headers_that_are_missing_are_fetched() {
    let finished = part(|peer, start, tags| {
        peer.media(&tags[..1])?;
        if start == 0.0 {
            return peer.media(&tags[1..40]);
        }
        let later: Vec<Tag> = tags[3..].iter().filter(|tag| tag.time >= 2_000).cloned().collect();
        peer.media(&later)
    });
    expect_wanted(&finished);
    assert_eq!(finished.server.connections(), 2);
}

#[test]
fn sequence_headers_that_are_nowhere_are_said() {
    let finished = part(|peer, _, tags| {
        let later: Vec<Tag> = tags[3..].iter().filter(|tag| tag.time >= 2_000).cloned().collect();
        peer.media(&later)
    });
    finished.expect_nothing(1).expect_stderr("sequence header");
}

#[test]
fn a_server_that_ignores_the_start_does_not_shift_the_part() {
    expect_wanted(&part(|peer, _, tags| peer.media(tags)));
}

#[test]
fn a_server_that_counts_from_the_start_is_believed() {
    let finished = part(|peer, start, tags| {
        peer.media(&tags[..3])?;
        let frames = tags[3..].iter().filter(|tag| f64::from(tag.time) >= start);
        let shifted: Vec<Tag> = frames.map(|tag| Tag { time: tag.time - start as u32, ..tag.clone() }).collect();
        peer.media(&shifted)
    });
    expect_wanted(&finished);
}
