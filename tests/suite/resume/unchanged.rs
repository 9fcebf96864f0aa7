//! What must not be touched: files that the stream does not match, and attempts that fail.

use super::*;

/// Fails unless going on with `bytes` ends with `code` and leaves the file as it was.
#[track_caller]
fn untouched(server: &ScriptServer, bytes: &[u8], args: &[&str], code: i32) -> Finished {
    let scratch = Scratch::new();
    let file = scratch.write("saved.flv", bytes);
    let finished = save(&server.url("stream"), &file, &[&["-e"], args].concat());
    assert!(std::fs::read(&file).unwrap() == bytes, "the file has changed:\n{}", finished.stderr);
    finished.expect_code(code);
    finished
}

#[test]
fn another_stream() {
    // Its first number makes every byte another one.
    for kind in KINDS {
        let server = server(kind, clip(199));
        let finished = untouched(&server, &half(), &[], 1);
        finished.expect_stderr("the stream does not match the file");
        let starts = starts(&server);
        assert!(starts.len() <= 4 && starts.last() == Some(&0.0), "{kind:?}: {starts:?}");
        assert!(starts.windows(2).all(|pair| pair[1] < pair[0]), "{kind:?}: {starts:?}");
    }
}

#[test]
fn a_server_that_begins_after_the_end_whatever_it_is_asked_for() {
    let server = ScriptServer::start(|peer| {
        begin(peer)?;
        peer.media(&Kind::Late.stream(&clip(200), 6000))?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    untouched(&server, &half(), &[], 1).expect_stderr("asking for an earlier point");
}

#[test]
fn a_hole_is_never_left() {
    let tags = clip(200);
    let server = server(Kind::Sparse, tags.clone());
    let bytes = common::flvcmp::write(true, true, &tags);
    let scratch = Scratch::new();
    // The keyframes that this server begins at are 1.6 s apart; the file ends between two of them.
    let first = tags.iter().take_while(|tag| tag.time < 3000);
    let cut = first.map(|tag| tag.payload.len() + 15);
    let file = scratch.write("saved.flv", &bytes[..13 + cut.sum::<usize>()]);
    let finished = save(&server.url("stream"), &file, &["-e"]);
    finished.expect_code(0).expect_stderr("asking for an earlier point");
    expect_equal(&tags, &Flv::read(&file).tags);
    assert!(starts(&server).len() == 2, "{:?}", starts(&server));
}

#[test]
fn a_connection_that_breaks_before_there_is_anything_new() {
    let server = ScriptServer::start(|peer| {
        let start = begin(peer)?;
        let stream = Kind::Absolute.stream(&clip(200), start);
        peer.media(&stream[..stream.iter().position(is_keyframe).unwrap() + 5])
    });
    untouched(&server, &half(), &[], 1);
    assert_eq!(server.connections(), 1, "it is the right stream");
}

#[test]
fn a_stream_that_is_not_there() {
    let server = ScriptServer::start(|peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        peer.wait_call("play")?;
        peer.status("error", "NetStream.Play.StreamNotFound")?;
        peer.wait_closed()
    });
    untouched(&server, &half(), &[], 1).expect_stderr("NetStream.Play.StreamNotFound");
}

#[test]
fn what_is_no_flv() {
    let server = server(Kind::Absolute, clip(50));
    untouched(&server, b"# Not to be lost\n", &[], 1).expect_stderr("not an FLV file");
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_server_that_is_down() {
    let scratch = Scratch::new();
    let file = scratch.write("saved.flv", half());
    save("rtmp://127.0.0.1:1/app/stream", &file, &["-e"]).expect_code(3);
    assert!(std::fs::read(&file).unwrap() == half());
}
