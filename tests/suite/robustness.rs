//! Servers that mean harm, or are broken beyond what a client can follow: memory stays bounded, nothing hangs, nothing
//! panics, what was saved is valid, and the reason is reported in words that a terminal survives.

use crate::common::flvcmp::{AUDIO, Flv, SCRIPT, Tag, VIDEO};
use crate::common::rtmp_bytes::{Amf, IdForm, Msg, Shape, amf, basic_header, chunks};
use crate::common::script_server::{Peer, ScriptServer, clip, clip_with, connect_information, connect_properties};
use crate::common::{Dice, Finished, rtmpcat_with, run};
use std::io::Result;
use std::time::Duration;

/// No server makes the client hold more, whatever it announces: 64 MiB of messages in parts, and itself.
const MEMORY: u64 = 96 << 20;

/// What needs no large message needs no large memory.
const LITTLE: u64 = 32 << 20;

/// Runs a client against a script until it ends, within a limit, and checks what holds for every hostile server.
#[track_caller]
fn survive(args: &[&str], memory: u64, script: impl Fn(&mut Peer) -> Result<()> + Send + Sync + 'static) -> Finished {
    let server = ScriptServer::start(script);
    let url = server.url("stream");
    let arguments = ["-r", &url, "-o", "-", "-m", "2"];
    let finished = run(&mut rtmpcat_with(arguments.iter().chain(args)), Duration::from_secs(40));
    let code = finished.code.unwrap_or_else(|| panic!("ended by a signal: {finished:?}"));
    assert!((0..=3).contains(&code), "exit code {code}, stderr:\n{}", finished.stderr);
    assert_eq!(server.garbled(), None, "what the client sends makes sense, whatever it gets");
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    assert!(finished.peak_rss <= memory, "{} MiB of memory; stderr:\n{}", finished.peak_rss >> 20, finished.stderr);
    let control = |c: &char| (c.is_control() && !matches!(c, '\n' | '\r' | '\t')) || ('\u{80}'..='\u{9f}').contains(c);
    assert_eq!(
        finished.stderr.chars().find(control),
        None,
        "control characters on the terminal: {:?}",
        finished.stderr
    );
    assert!(finished.stderr.len() < 1 << 20, "{} bytes on stderr", finished.stderr.len());
    if !finished.stdout.is_empty() {
        Flv::parse(&finished.stdout).unwrap_or_else(|error| panic!("what was saved is no FLV: {error}"));
    }
    finished
}

/// Sends the same again and again, until the client has had enough or `times` are over.
fn flood(peer: &mut Peer, bytes: &[u8], times: usize) -> Result<()> {
    let many = bytes.repeat((1 << 16) / bytes.len().max(1) + 1);
    let rounds = times * bytes.len() / many.len() + 1;
    for _ in 0..rounds {
        if peer.raw(&many).is_err() {
            break;
        }
    }
    Ok(())
}

// --- AMF ------------------------------------------------------------------------------------------------------------

/// AMF values that are small on the wire and large, deep or endless for who believes them.
fn bombs() -> Vec<Vec<u8>> {
    let nested = |open: &[u8], depth: usize| open.repeat(depth);
    vec![
        nested(&[3, 0, 1, b'a'], 100_000),
        nested(&[8, 0, 0, 0, 1, 0, 1, b'a'], 100_000),
        nested(&[10, 0, 0, 0, 1], 100_000),
        nested(&[16, 0, 1, b'c', 0, 1, b'a'], 100_000),
        vec![10, 0xff, 0xff, 0xff, 0xff],
        [&[10, 0x00, 0xff, 0xff, 0xff][..], &vec![5; 100_000]].concat(),
        vec![8, 0xff, 0xff, 0xff, 0xff, 0, 0, 9],
        vec![12, 0xff, 0xff, 0xff, 0xff, b'x'],
        vec![15, 0x7f, 0xff, 0xff, 0xff],
        vec![2, 0xff, 0xff],
        [7, 0, 0].repeat(50_000),
        [&[17, 9, 0xff, 0xff, 0xff, 0xff][..], &[1; 64]].concat(),
        nested(&[17, 10, 11, 1, 3, b'a'], 50_000),
        vec![0xff; 1000],
        vec![3, 0, 0],
    ]
}

#[test]
fn amf_bombs_in_commands_and_data_are_survived() {
    for (number, bomb) in bombs().into_iter().enumerate() {
        let finished = survive(&["-V"], MEMORY, move |peer| {
            peer.begin()?;
            let with = |name: &str| [amf(&[name.into(), 0.0.into(), Amf::Null]), bomb.clone()].concat();
            for kind in [20, 17] {
                let head: &[u8] = if kind == 17 { &[0] } else { &[] };
                peer.send(&Msg::new(3, kind, 0, 0, [head, &with("onStatus")].concat()))?;
                peer.send(&Msg::new(3, kind, 0, 0, [head, &with("_result")].concat()))?;
                peer.send(&Msg::new(3, kind, 0, 0, [head, &bomb].concat()))?;
            }
            peer.send(&Msg::new(5, 18, 1, 0, [amf(&["onPlayStatus".into()]), bomb.clone()].concat()))?;
            peer.media(&clip(5)[1..])?;
            peer.end_of_file()?;
            peer.wait_closed()
        });
        let flv =
            Flv::parse(&finished.stdout).unwrap_or_else(|error| panic!("bomb {number}: {error}\n{}", finished.stderr));
        assert_eq!(flv.media(), clip(5)[1..], "bomb {number}");
    }
}

#[test]
fn amf_bombs_as_metadata_are_survived() {
    for bomb in bombs() {
        survive(&[], MEMORY, move |peer| {
            peer.begin()?;
            peer.send(&Msg::new(5, SCRIPT, 1, 0, [amf(&["onMetaData".into()]), bomb.clone()].concat()))?;
            peer.media(&clip(5)[1..])?;
            peer.end_of_file()?;
            peer.wait_closed()
        })
        .expect_code(0);
    }
}

#[test]
fn an_amf_bomb_instead_of_an_answer_to_connect() {
    for bomb in bombs() {
        let finished = survive(&["-V"], MEMORY, move |peer| {
            peer.handshake()?;
            let call = peer.wait_call("connect")?;
            peer.send(&Msg::new(
                3,
                20,
                0,
                0,
                [amf(&["_error".into(), call.transaction.into()]), bomb.clone()].concat(),
            ))?;
            peer.wait_closed()
        });
        finished.expect_code(1);
    }
}

// --- Chunks ---------------------------------------------------------------------------------------------------------

#[test]
fn a_chunk_size_of_zero_and_more_than_31_bits() {
    for size in [0, 0x8000_0000, 0xffff_ffff] {
        survive(&[], LITTLE, move |peer| {
            peer.begin()?;
            peer.media(&clip(3))?;
            peer.send(&Msg::control(1, u32::to_be_bytes(size)))?;
            peer.media(&clip(3)[3..])?;
            peer.wait_closed()
        });
    }
}

#[test]
fn announced_lengths_cost_nothing() {
    // One chunk each of messages of 16 MB, on every chunk stream that there is.
    let finished = survive(&[], MEMORY, |peer| {
        peer.begin()?;
        for csid in 64..65_600 {
            let mut chunk = basic_header(0, csid, IdForm::Three);
            chunk.extend([0, 0, 0, 0xff, 0xff, 0xff, VIDEO, 1, 0, 0, 0]);
            chunk.extend([0x27; 4096]);
            if peer.raw(&chunk).is_err() {
                break;
            }
        }
        peer.wait_closed()
    });
    assert_ne!(finished.code, Some(0));
}

#[test]
fn half_messages_are_held_up_to_a_limit() {
    // Messages of 16 MB in turn, a chunk of each at a time: none ends before all are there.
    let finished = survive(&[], MEMORY, |peer| {
        peer.begin()?;
        peer.set_chunk_size(65_536)?;
        for round in 0..250 {
            for csid in 100..160 {
                let mut chunk = basic_header(if round == 0 { 0 } else { 3 }, csid, IdForm::Two);
                if round == 0 {
                    chunk.extend([0, 0, 0, 0xff, 0xff, 0xff, VIDEO, 1, 0, 0, 0]);
                }
                chunk.extend([0x27; 65_536]);
                if peer.raw(&chunk).is_err() {
                    return Ok(());
                }
            }
        }
        peer.wait_closed()
    });
    assert_ne!(finished.code, Some(0));
}

#[test]
fn a_message_of_16_megabytes_in_chunks_of_one_byte() {
    // Correct, if foolish: 2 bytes on the wire for each. It is short enough here to come through.
    let payload = Dice(5).bytes(200_000);
    let sent = payload.clone();
    let finished = survive(&[], LITTLE, move |peer| {
        peer.begin()?;
        peer.media(&clip(1))?;
        peer.set_chunk_size(1)?;
        peer.send(&Msg::new(6, VIDEO, 1, 40, [&[0x27, 1, 0, 0, 0][..], &sent].concat()))?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    finished.expect_code(0);
    assert!(Flv::parse(&finished.stdout).unwrap().tags.last().unwrap().payload.ends_with(&payload));
}

#[test]
fn continuations_of_nothing() {
    for fmt in 1..=3 {
        let finished = survive(&[], LITTLE, move |peer| {
            peer.begin()?;
            peer.media(&clip_with(3, None))?;
            let message = Msg::new(77, VIDEO, 1, 0, vec![0; 100]);
            peer.raw(&chunks(&message, Shape::plain(128).fmt(fmt, 40)).concat())?;
            peer.wait_closed()
        });
        finished.expect_code(2);
    }
}

#[test]
fn control_messages_of_every_wrong_length() {
    survive(&[], LITTLE, |peer| {
        peer.begin()?;
        for kind in 1..=6 {
            for length in 0..8 {
                if kind == 1 && length >= 4 {
                    continue;
                }
                peer.send(&Msg::control(kind, vec![0; length]))?;
            }
        }
        peer.media(&clip(5))?;
        peer.end_of_file()?;
        peer.wait_closed()
    })
    .expect_code(0);
}

// --- Floods ---------------------------------------------------------------------------------------------------------

#[test]
fn pings_without_end() {
    let finished = survive(&[], LITTLE, |peer| {
        peer.begin()?;
        let ping = chunks(&Msg::control(4, [0, 6, 1, 2, 3, 4]), Shape::plain(128)).concat();
        flood(peer, &ping, 3_000_000)?;
        peer.wait_closed()
    });
    finished.expect_code(1);
}

#[test]
fn pings_from_a_server_that_does_not_read() {
    let finished = survive(&[], LITTLE, |peer| {
        // The handshake and the dialogue, blindly.
        let c0_c1 = peer.read(1537)?;
        peer.raw(&[&[3][..], &[0; 1536], &c0_c1[1..]].concat())?;
        let ping = chunks(&Msg::control(4, [0, 6, 1, 2, 3, 4]), Shape::plain(128)).concat();
        flood(peer, &ping, 3_000_000)?;
        peer.wait_closed()
    });
    assert!(matches!(finished.code, Some(1 | 3)), "{finished:?}");
}

#[test]
fn messages_of_no_length_without_end() {
    for kind in [VIDEO, AUDIO, SCRIPT, 22, 20, 99] {
        survive(&[], LITTLE, move |peer| {
            peer.begin()?;
            flood(peer, &chunks(&Msg::new(6, kind, 1, 0, []), Shape::plain(128)).concat(), 1_000_000)?;
            peer.wait_closed()
        });
    }
}

#[test]
fn aggregates_that_lead_nowhere() {
    let tag = |size: [u8; 3], body: &[u8]| [&[VIDEO][..], &size, &[0; 7], body, &[0, 0, 0, 11]].concat();
    let bodies = [
        vec![],
        vec![VIDEO],
        vec![0; 10],
        vec![0; 11],
        vec![0; 15],
        tag([0, 0, 0], &[]).repeat(1000),
        tag([0xff, 0xff, 0xff], &[1, 2, 3]),
        [&[22][..], &tag([0, 0, 0], &[])[1..]].concat().repeat(1000),
        vec![0xff; 5000],
    ];
    for body in bodies {
        survive(&[], LITTLE, move |peer| {
            peer.begin()?;
            peer.media(&clip(2))?;
            for _ in 0..1000 {
                peer.send(&Msg::new(6, 22, 1, 80, body.clone()))?;
            }
            peer.end_of_file()?;
            peer.wait_closed()
        });
    }
}

#[test]
fn commands_without_end() {
    for name in ["_result", "onStatus", "onBWDone", "_onbwcheck", "ping", "close?", "anything"] {
        survive(&[], LITTLE, move |peer| {
            peer.begin()?;
            let call = Msg::command(
                0,
                &[name.into(), 5.0.into(), Amf::Null, Amf::obj(&[("level", "status".into()), ("code", "x".into())])],
            );
            flood(peer, &chunks(&call, Shape::plain(4096)).concat(), 100_000)?;
            peer.wait_closed()
        });
    }
}

// --- Garbage --------------------------------------------------------------------------------------------------------

#[test]
fn endless_garbage_after_the_handshake() {
    for seed in 0..6 {
        let finished = survive(&["-V"], MEMORY, move |peer| {
            peer.handshake()?;
            let garbage = Dice(seed).bytes(1 << 20);
            for _ in 0..64 {
                if peer.raw(&garbage).is_err() {
                    break;
                }
            }
            peer.wait_closed()
        });
        finished.expect_code(1);
        assert!(finished.stderr.lines().count() > 0, "a reason is given");
    }
}

#[test]
fn garbage_in_mid_stream_keeps_what_was_saved() {
    for seed in 10..16 {
        let finished = survive(&[], MEMORY, move |peer| {
            peer.begin()?;
            peer.media(&clip(20))?;
            let garbage = Dice(seed).bytes(1 << 16);
            for _ in 0..32 {
                if peer.raw(&garbage).is_err() {
                    break;
                }
            }
            peer.wait_closed()
        });
        let saved = Flv::parse(&finished.stdout).unwrap();
        assert!(saved.tags.len() >= 43, "the {} tags before the garbage are there", saved.tags.len());
    }
}

#[test]
fn garbage_instead_of_a_handshake() {
    for seed in 20..30 {
        let finished = survive(&[], LITTLE, move |peer| {
            let garbage = Dice(seed).bytes(1 << 16);
            let first = if garbage[0] == 3 { 4 } else { garbage[0] };
            peer.raw(&[&[first][..], &garbage[1..]].concat())?;
            peer.wait_closed()
        });
        finished.expect_code(3);
    }
}

#[test]
fn a_tls_alert_is_called_that() {
    let finished = survive(&[], LITTLE, |peer| {
        peer.raw(&[0x15, 3, 1, 0, 2, 2, 0x28])?;
        peer.wait_closed()
    });
    finished.expect_code(3).expect_stderr("TLS");
}

#[test]
fn a_handshake_that_never_gets_anywhere_is_left_in_time() {
    let finished = survive(&["--connect-timeout", "2"], LITTLE, |peer| {
        peer.read(1537)?;
        peer.raw(&[3])?;
        // A byte now and then, so that the line is never quiet.
        while peer.raw(&[0]).is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    });
    finished.expect_code(3);
    assert!(finished.took < Duration::from_secs(8), "{:?}", finished.took);
}

// --- Words ----------------------------------------------------------------------------------------------------------

/// What a terminal would act on: titles, colours, clearing, C1 controls, direction overrides.
const EVIL: &str = "\x1b]0;title\x07\x1b[2J\x1b[31m\u{9b}1m\u{90}q\u{9c}\x08\x08\x7f\r\n\u{202e}end";

#[test]
fn terminal_escapes_never_reach_the_terminal() {
    for args in [&[][..], &["-V"], &["-z"]] {
        let finished = survive(args, LITTLE, |peer| {
            peer.handshake()?;
            let connect = peer.wait_call("connect")?;
            let mut properties = connect_properties();
            if let Amf::Obj(list) = &mut properties {
                list.push((EVIL.into(), EVIL.into()));
            }
            peer.answer("_result", &connect, properties, connect_information())?;
            peer.accept_create_stream(1)?;
            peer.accept_play()?;
            peer.command(0, &[EVIL.into(), 0.0.into(), Amf::Null, EVIL.into()])?;
            let evil = Tag::new(
                SCRIPT,
                0,
                amf(&["onMetaData".into(), Amf::ecma(&[(EVIL, EVIL.into()), ("encoder", EVIL.into())])]),
            );
            peer.media(&[evil])?;
            peer.media(&clip(5)[1..])?;
            peer.send(&Msg::status(1, "error", &format!("NetStream.Play.Failed{EVIL}"), EVIL))?;
            peer.send(&Msg::status(1, "error", "NetStream.Play.Failed", EVIL))?;
            peer.wait_closed()
        });
        finished.expect_code(2).expect_stderr("end");
    }
}

#[test]
fn words_of_a_megabyte_are_cut() {
    let long = "long ".repeat(200_000);
    let finished = survive(&[], LITTLE, move |peer| {
        peer.begin()?;
        peer.send(&Msg::status(1, "error", "NetStream.Play.Failed", &long))?;
        peer.wait_closed()
    });
    finished.expect_code(1).expect_stderr("NetStream.Play.Failed");
    assert!(finished.stderr.len() < 20_000, "{} bytes on stderr", finished.stderr.len());
}
