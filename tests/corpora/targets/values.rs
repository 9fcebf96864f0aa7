//! Values and texts: AMF, commands, codec headers, URLs.

use rtmpcat::proto::amf0 as amf0_room;
use rtmpcat::proto::amf3 as amf3_room;
use rtmpcat::proto::auth::{self, Credentials};
use rtmpcat::proto::command::{Command, NetStatus, Redirect, body};
use rtmpcat::proto::media as codecs;
use rtmpcat::proto::message::{Message, MessageHeader};
use rtmpcat::proto::swfv;
use rtmpcat::url::{Overrides, TcUrlStyle, Url, conn, keys, without_secrets};
use rtmpcat::util::percent::decode_text;

/// Any number of AMF 0 values. Encoded and decoded again they are encoded the same.
pub fn amf0(data: &[u8]) {
    if let Ok((value, used)) = amf0_room::decode(data) {
        assert!((1..=data.len()).contains(&used));
        let _ = value.describe();
    }
    let Ok(values) = amf0_room::decode_all(data) else { return };
    let encode = |values: &[amf0_room::Value]| {
        let mut out = Vec::new();
        values.iter().for_each(|value| amf0_room::encode(value, &mut out));
        out
    };
    let first = encode(&values);
    let again = amf0_room::decode_all(&first).expect("what was encoded can be decoded");
    assert_eq!(first, encode(&again));
}

/// One AMF 3 value, likewise.
pub fn amf3(data: &[u8]) {
    let Ok((value, used)) = amf3_room::decode(data) else { return };
    assert!((1..=data.len()).contains(&used));
    let mut first = Vec::new();
    amf3_room::encode(&value, &mut first);
    let (again, used) = amf3_room::decode(&first).expect("what was encoded can be decoded");
    assert_eq!(used, first.len());
    let mut second = Vec::new();
    amf3_room::encode(&again, &mut second);
    assert_eq!(first, second);
}

/// message type · payload: a command, and what is made of it.
pub fn command(data: &[u8]) {
    let Some((&kind, payload)) = data.split_first() else { return };
    let header = MessageHeader {
        chunk_stream_id: 3,
        message_type_id: if kind & 1 == 0 { 20 } else { 17 },
        timestamp: 0,
        message_stream_id: 0,
        length: payload.len() as u32,
    };
    let message = Message { header, payload };
    assert!(body(&message).len() <= payload.len());
    let text = String::from_utf8_lossy(payload);
    let credentials = Credentials { user: "u", password: "p" };
    let _ = auth::next_step(&text, "live", Some(credentials), 0x1234_5678);
    let _ = auth::secure_token_response(&text, "key");
    let _ = swfv::verify(payload, &[1; 32], 7, &[2; 32]);
    let Ok(command) = Command::decode(&message) else { return };
    let status = NetStatus::of(&command);
    let _ = auth::next_step(&status.description, "live?x", Some(credentials), 0);
    let again = Command::decode(&Message {
        header: MessageHeader { message_type_id: 20, ..header },
        payload: &command.encode(),
    });
    assert_eq!(again.expect("what was encoded can be decoded").encode(), command.encode());
}

/// track · payload of an audio or video message.
pub fn enhanced(data: &[u8]) {
    let Some((&track, payload)) = data.split_first() else { return };
    let most = payload.len() + 1;
    if let Ok(tag) = codecs::VideoTag::parse(payload) {
        assert_eq!(
            tag.is_keyframe() && tag.is_coded(),
            codecs::is_video_keyframe(payload) && codecs::is_video_coded(payload)
        );
        assert!(tag.tracks().inspect(|track| drop(track.metadata())).count() <= most);
    }
    if let Ok(tag) = codecs::AudioTag::parse(payload) {
        assert!(tag.tracks().inspect(|track| drop(track.channels())).count() <= most);
    }
    let _ = (codecs::is_video_sequence_header(payload), codecs::is_audio_sequence_header(payload));
    let _ = codecs::is_audio_coded(payload);
    for rewrite in [codecs::video_to_legacy, codecs::audio_to_legacy] {
        let mut out = Vec::new();
        let _ = rewrite(payload, &mut out);
        assert!(out.len() <= payload.len() + 5);
    }
    for select in [codecs::select_video_track, codecs::select_audio_track] {
        let mut out = Vec::new();
        let _ = select(payload, track, &mut out);
        assert!(out.len() <= payload.len() + 8);
    }
}

/// Lines: a URL with keys, where it redirects to, items of `--conn`.
pub fn url(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let second = lines.next().unwrap_or_default();
    let _ = conn::parse(&lines.collect::<Vec<_>>());
    let _ = decode_text(first);
    let _ = without_secrets(first);
    let keyed = [keys::parse(first), keys::parse_trailing(first)];
    for keyed in keyed.into_iter().flatten() {
        let _ = keyed.keys.iter().any(|(_, value)| keys::is_true(value));
        for style in [TcUrlStyle::WithPort, TcUrlStyle::AsWritten] {
            let Ok(target) = Url::new(Some(&keyed.url), &Overrides::default(), style) else { continue };
            assert!(!target.host.is_empty() && target.port != 0);
            let _ = target.require_playpath();
            if let Ok(other) = target.redirected(&Redirect { url: second, is_tc_url: first.len().is_multiple_of(2) }) {
                assert!(!other.host.is_empty());
                let back = Url::new(Some(&other.tc_url), &Overrides::default(), style);
                assert!(back.is_ok() || other.host.contains('%'), "{}: {back:?}", other.tc_url);
            }
        }
    }
}
