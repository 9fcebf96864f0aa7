//! What is done differently in the next connection, because the last one failed.

use super::*;

/// What a server does that does not bear something.
#[derive(Debug, Clone, Copy)]
enum Reaction {
    Close,
    Reset,
    Error,
    Silence,
}

fn react(peer: &mut Peer, to: &common::script_server::Call, reaction: Reaction) -> Result<()> {
    match reaction {
        Reaction::Close => Ok(()),
        Reaction::Reset => {
            peer.wait_received()?;
            peer.reset()
        }
        Reaction::Error => {
            let information = Amf::obj(&[
                ("level", "error".into()),
                ("code", "NetConnection.Connect.Rejected".into()),
                ("description", "unexpected property".into()),
            ]);
            peer.answer("_error", to, Amf::Null, information)?;
            peer.wait_closed()
        }
        Reaction::Silence => peer.wait_closed(),
    }
}

#[test]
fn a_server_that_does_not_bear_the_announcement_is_connected_to_without() {
    for reaction in [Reaction::Close, Reaction::Reset, Reaction::Error] {
        let finished = dump(&["-V"], move |peer| {
            peer.handshake()?;
            let connect = peer.wait_call("connect")?;
            if connect.args[0].get("capsEx").is_some() {
                return react(peer, &connect, reaction);
            }
            peer.answer("_result", &connect, connect_properties(), connect_information())?;
            peer.accept_create_stream(1)?;
            peer.accept_play()?;
            peer.media(&clip(50))?;
            peer.end_of_file()?;
            peer.wait_closed()
        });
        finished.expect(0, &clip(50)).expect_stderr("--legacy");
        assert_eq!(finished.server.connections(), 2, "{reaction:?}");
    }
}

#[test]
fn a_server_that_rejects_anyway_is_asked_twice_and_not_more() {
    let finished = dump(&[], |peer| {
        peer.handshake()?;
        let connect = peer.wait_call("connect")?;
        react(peer, &connect, Reaction::Error)
    });
    finished.expect_nothing(1).expect_stderr("unexpected property");
    assert_eq!(finished.server.connections(), 2);
    let legacy = dump(&["--legacy"], |peer| {
        peer.handshake()?;
        let connect = peer.wait_call("connect")?;
        react(peer, &connect, Reaction::Error)
    });
    legacy.expect_nothing(1);
    assert_eq!(legacy.server.connections(), 1);
}

#[test]
fn a_server_that_does_not_bear_get_stream_length_is_asked_without() {
    for reaction in [Reaction::Close, Reaction::Reset, Reaction::Silence] {
        let finished = dump(&["-m", "1"], move |peer| {
            peer.handshake()?;
            peer.accept_connect()?;
            peer.accept_create_stream(1)?;
            let play = peer.wait_call_on("play", Some(1))?;
            if peer.has_heard("getStreamLength") {
                return react(peer, &play, reaction);
            }
            peer.user_control(0, 1)?;
            peer.status("status", "NetStream.Play.Start")?;
            peer.media(&clip(50))?;
            peer.end_of_file()?;
            peer.wait_closed()
        });
        finished.expect(0, &clip(50));
        assert!(finished.server.connections() <= 3, "{reaction:?}: {}", finished.server.connections());
    }
}

#[test]
fn the_same_first_frames_again_and_again_end_the_attempts() {
    for live in [&["-v"][..], &[]] {
        let args: Vec<&str> = live.iter().chain(&["--retry", "3", "--retry-delay", "0"]).copied().collect();
        let finished = dump(&args, |peer| {
            peer.begin()?;
            peer.media(&clip_with(5, None))
        });
        finished.expect_code(2);
        assert_eq!(finished.server.connections(), 4, "{args:?}");
    }
}

#[test]
fn play_may_be_held_back_longer_than_other_answers() {
    // Not the default of ten seconds, so that nobody waits for it.
    let finished = dump(&["--first-media-timeout", "3", "-m", "1"], |peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        peer.wait_call_on("play", Some(1))?;
        std::thread::sleep(Duration::from_millis(1_500));
        peer.status("error", "NetStream.Play.StreamNotFound")?;
        peer.wait_closed()
    });
    finished.expect_nothing(1).expect_stderr("NetStream.Play.StreamNotFound");
    assert_eq!(finished.server.connections(), 1);
}
