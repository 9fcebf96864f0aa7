//! Every lawful shape of chunks, some that are not, aggregates, and acknowledgements.

use super::*;

/// Sends a clip after the beginning, each tag by `send`.
fn in_shape(frames: u32, send: impl Fn(&mut Peer, &[Tag]) -> Result<()> + Send + Sync + 'static) -> Dump {
    dump(&[], move |peer| {
        peer.begin()?;
        send(peer, &clip(frames))?;
        peer.end_of_file()?;
        peer.wait_closed()
    })
}

#[test]
fn every_length_of_basic_header() {
    for (csid, form) in [
        (63, IdForm::Shortest),
        (64, IdForm::Two),
        (319, IdForm::Two),
        (64, IdForm::Three),
        (320, IdForm::Three),
        (65_599, IdForm::Three),
    ] {
        let dump = in_shape(6, move |peer, tags| {
            tags.iter().try_for_each(|tag| {
                let message = Msg { csid, ..Msg::tag(1, tag) };
                peer.raw(&chunks(&message, Shape { id: form, ..Shape::plain(4096) }).concat())
            })
        });
        dump.expect(0, &clip(6));
    }
}

#[test]
fn any_chunk_size() {
    for size in [1, 2, 127, 128, 129, 5000, 65_536, 0x7fff_ffff] {
        let dump = in_shape(4, move |peer, tags| {
            peer.set_chunk_size(size)?;
            peer.media(tags)
        });
        dump.expect(0, &clip(4));
    }
}

#[test]
fn deltas_of_formats_1_2_and_3() {
    let dump = in_shape(20, |peer, tags| {
        let mut last: [Option<(u32, u32, usize)>; 19] = [None; 19];
        for tag in tags {
            let message = Msg::tag(1, tag);
            let shape = Shape::plain(4096);
            let size = tag.payload.len();
            let bytes = match last[usize::from(tag.kind)] {
                None => chunks(&message, shape),
                Some((time, delta, same)) if size == same && tag.time - time == delta => {
                    chunks(&message, shape.fmt(3, 0))
                }
                Some((time, _, same)) if size == same => chunks(&message, shape.fmt(2, tag.time - time)),
                Some((time, ..)) => chunks(&message, shape.fmt(1, tag.time - time)),
            };
            let delta = last[usize::from(tag.kind)].map_or(u32::MAX, |(time, ..)| tag.time - time);
            last[usize::from(tag.kind)] = Some((tag.time, delta, size));
            peer.raw(&bytes.concat())?;
        }
        Ok(())
    });
    dump.expect(0, &clip(20));
}

#[test]
fn interleaved_chunk_streams() {
    let dump = in_shape(12, |peer, tags| {
        peer.media(&tags[..3])?;
        for pair in tags[3..].chunks(2) {
            let messages: Vec<_> = pair.iter().map(|tag| chunks(&Msg::tag(1, tag), Shape::plain(64))).collect();
            peer.set_chunk_size(64)?;
            peer.raw(&interleave(&messages))?;
        }
        Ok(())
    });
    // The order in which messages end decides.
    let mut tags = clip(12);
    tags[3..].chunks_mut(2).for_each(|pair| pair.reverse());
    let flv = dump.flv.as_ref().expect("something was written");
    let of = |kind| tags.iter().filter(|tag| tag.kind == kind).cloned().collect::<Vec<_>>();
    expect_equal(&of(VIDEO), &flv.of(VIDEO));
    expect_equal(&of(AUDIO), &flv.of(AUDIO));
    dump.expect_code(0);
}

#[test]
fn a_chunk_size_set_between_the_chunks_of_a_message() {
    let dump = in_shape(2, |peer, tags| {
        peer.media(&tags[..3])?;
        peer.set_chunk_size(1000)?;
        for tag in &tags[3..] {
            let message = Msg::tag(1, tag);
            let (first, rest) = message.payload.split_at(message.payload.len().min(1000));
            let head = chunks(&message, Shape::plain(1000))[0].clone();
            assert!(head.ends_with(first));
            peer.raw(&head)?;
            if !rest.is_empty() {
                let size = rest.len().div_ceil(3).max(1);
                peer.raw(&chunks(&Msg::control(1, (size as u32).to_be_bytes()), Shape::plain(1000)).concat())?;
                for piece in rest.chunks(size) {
                    peer.raw(&[&[0xc0 | message.csid as u8][..], piece].concat())?;
                }
                peer.raw(&chunks(&Msg::control(1, 1000u32.to_be_bytes()), Shape::plain(size)).concat())?;
            }
        }
        Ok(())
    });
    dump.expect(0, &clip(2));
}

#[test]
fn an_aborted_message_is_gone_and_harms_nothing() {
    let dump = in_shape(6, |peer, tags| {
        peer.media(&tags[..7])?;
        let given_up = Msg::new(6, VIDEO, 1, 70, vec![0xee; 9000]);
        peer.raw(&chunks(&given_up, Shape::plain(4096))[0])?;
        peer.send(&Msg::control(2, 6u32.to_be_bytes()))?;
        peer.send(&Msg::control(2, 4u32.to_be_bytes()))?;
        peer.send(&Msg::control(2, 1000u32.to_be_bytes()))?;
        peer.media(&tags[7..])
    });
    dump.expect(0, &clip(6));
}

#[test]
fn zero_length_messages_harm_nothing() {
    let dump = in_shape(6, |peer, tags| {
        peer.media(&tags[..5])?;
        peer.send(&Msg::new(4, AUDIO, 1, 50, []))?;
        peer.send(&Msg::new(6, VIDEO, 1, 50, []))?;
        peer.send(&Msg::new(5, SCRIPT, 1, 50, []))?;
        peer.send(&Msg::new(5, 22, 1, 50, []))?;
        peer.media(&tags[5..])
    });
    let tags: Vec<Tag> =
        dump.flv.as_ref().expect("media").tags.iter().filter(|tag| !tag.payload.is_empty()).cloned().collect();
    expect_equal(&clip(6), &tags);
    dump.expect_code(0);
}

#[test]
fn a_message_larger_than_any_buffer() {
    let tags = || {
        let mut tags = clip(3);
        tags[5].payload.resize(3_000_001, 0x77);
        tags
    };
    for chunk_size in [128, 4096, 0xff_ffff] {
        let dump = dump(&[], move |peer| {
            peer.begin()?;
            peer.set_chunk_size(chunk_size)?;
            peer.media(&tags())?;
            peer.end_of_file()?;
            peer.wait_closed()
        });
        dump.expect(0, &tags());
    }
}

#[test]
fn extended_timestamps_repeated_or_not() {
    const BASE: u32 = 0x0100_0000;
    for repeat_extended in [true, false] {
        let dump = dump(&["-v"], move |peer| {
            peer.begin()?;
            let shape = Shape { repeat_extended, ..Shape::plain(128) };
            peer.set_chunk_size(128)?;
            for tag in later(&clip(15), BASE) {
                peer.raw(&chunks(&Msg::tag(1, &tag), shape).concat())?;
            }
            peer.status("status", "NetStream.Play.UnpublishNotify")?;
            peer.wait_closed()
        });
        dump.expect(0, &clip(15));
    }
}

#[test]
fn an_extended_timestamp_as_a_delta() {
    // One frame 5 hours after the one before it, and the next by format 3 with the same delta again.
    const DELTA: u32 = 18_000_000;
    let frames: Vec<Tag> =
        (0..3).map(|number| Tag::new(VIDEO, number * DELTA, vec![0x17, 1, 0, 0, 0, number as u8, 1, 2, 3])).collect();
    let sent = frames.clone();
    let dump = dump(&["--absolute-timestamps"], move |peer| {
        peer.begin()?;
        let shape = Shape::plain(4096);
        peer.raw(&chunks(&Msg::tag(1, &sent[0]), shape).concat())?;
        peer.raw(&chunks(&Msg::tag(1, &sent[1]), shape.fmt(2, DELTA)).concat())?;
        peer.raw(&chunks(&Msg::tag(1, &sent[2]), shape.fmt(3, DELTA)).concat())?;
        peer.play_stop()?;
        peer.wait_closed()
    });
    dump.expect(0, &frames);
}

#[test]
fn the_clock_may_pass_the_end_of_its_32_bits() {
    let dump = dump(&["-v"], |peer| {
        peer.begin()?;
        peer.media(&later(&clip(50), 0u32.wrapping_sub(1000)))?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(50));
}

#[test]
fn aggregates_are_split_and_rebased() {
    let dump = in_shape(21, |peer, tags| {
        peer.media(&tags[..3])?;
        for group in tags[3..].chunks(7) {
            // Inside, the times count from anywhere.
            let inside = later(group, 500_000);
            peer.send(&Msg::new(7, 22, 1, group[0].time, aggregate(&inside)))?;
        }
        Ok(())
    });
    dump.expect(0, &clip(21));
}

#[test]
fn an_aggregate_without_its_last_back_pointer() {
    let dump = in_shape(5, |peer, tags| {
        peer.media(&tags[..3])?;
        let mut body = aggregate(&tags[3..]);
        body.truncate(body.len() - 4);
        peer.send(&Msg::new(7, 22, 1, tags[3].time, body))
    });
    dump.expect(0, &clip(5));
}

#[test]
fn an_aggregate_without_back_pointers_or_with_wrong_ones() {
    for pointer in [None, Some(0), Some(0x0900_0001_u32)] {
        let dump = in_shape(20, move |peer, tags| {
            peer.media(&tags[..3])?;
            for group in tags[3..].chunks(7) {
                let body = group.iter().flat_map(|tag| {
                    let whole = aggregate(std::slice::from_ref(tag));
                    let bytes = whole[..whole.len() - 4].iter().copied();
                    bytes.chain(pointer.into_iter().flat_map(u32::to_be_bytes)).collect::<Vec<_>>()
                });
                peer.send(&Msg::new(7, 22, 1, group[0].time, body.collect::<Vec<_>>()))?;
            }
            Ok(())
        });
        dump.expect(0, &clip(20));
    }
}

#[test]
fn an_end_within_an_aggregate_is_an_end() {
    let complete = Amf::obj(&[("level", "status".into()), ("code", "NetStream.Play.Complete".into())]);
    let end = Tag::new(SCRIPT, 400, amf(&["onPlayStatus".into(), complete]));
    let dump = dump(&["-m", "8"], move |peer| {
        peer.begin()?;
        let tags = clip(10);
        let inner = Tag::new(22, tags[3].time, aggregate(&tags[3..9]));
        let outer = [&[inner], &tags[9..], std::slice::from_ref(&end)].concat();
        peer.media(&tags[..3])?;
        peer.send(&Msg::new(7, 22, 1, 0, aggregate(&outer)))?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(10));
    assert!(dump.took < Duration::from_secs(4), "{:?}", dump.took);
}

#[test]
fn acknowledgements_every_2800_bytes_as_tcserver_wants_them() {
    let dump = in_shape(200, |peer, tags| {
        peer.window_ack_size(2800)?;
        let mut sent = 0;
        for tag in tags {
            peer.media(std::slice::from_ref(tag))?;
            sent += tag.payload.len() as u32;
            // Like the real one: not more than so much unacknowledged.
            if sent > 20_000 {
                peer.wait_ack(sent - 20_000, Duration::from_secs(5))?;
            }
        }
        Ok(())
    });
    dump.expect(0, &clip(200));
    let acks = dump.server.all_heard().acks();
    assert!(acks.windows(2).all(|pair| pair[0] < pair[1]), "running totals grow: {acks:?}");
}

#[test]
fn peer_bandwidth_is_answered_with_a_window() {
    let dump = in_shape(5, |peer, tags| {
        peer.peer_bandwidth(123_456, 0)?;
        peer.media(tags)
    });
    dump.expect(0, &clip(5));
    let windows = dump.server.all_heard().messages.into_iter().filter(|message| message.kind == 5);
    let windows: Vec<Vec<u8>> = windows.map(|message| message.payload).collect();
    assert!(windows.contains(&123_456u32.to_be_bytes().to_vec()), "{windows:?}");
}
