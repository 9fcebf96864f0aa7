//! The commands that options ask for, to the byte: what stands in them, in which order they come, and that nothing is
//! too long for them.

use super::*;
use crate::common::script_server::Heard;

/// Plays ten frames to whoever comes.
fn plays(peer: &mut Peer) -> Result<()> {
    peer.plays(&clip(10))
}

/// What a client with these arguments sends to a server that lets it play.
#[track_caller]
fn heard(args: &[&str]) -> Heard {
    let dump = dump(args, plays);
    dump.expect(0, &clip(10));
    dump.server.all_heard()
}

/// The bytes of the command of that name, and the streams that it came on.
#[track_caller]
fn sent(heard: &Heard, name: &str) -> (Msg, usize) {
    let begin = amf(&[name.into()]);
    let is_it = |message: &Msg| message.kind == 20 && message.payload.starts_with(&begin);
    let at = heard.messages.iter().position(is_it).unwrap_or_else(|| panic!("no {name} in {:?}", heard.names()));
    (heard.messages[at].clone(), at)
}

/// The command came on this chunk stream and message stream with these bytes, and its place among the messages.
#[track_caller]
fn expect_sent(heard: &Heard, csid: u32, msid: u32, values: &[Amf]) -> usize {
    let (message, at) = sent(heard, values[0].text().unwrap());
    assert_eq!(
        (message.csid, message.msid, message.time, message.payload == amf(values)),
        (csid, msid, 0, true),
        "{:?}",
        message.payload.get(..400.min(message.payload.len()))
    );
    at
}

/// connect's object as rtmpdump orders it.
fn connect_object(port: u16, app: &str, more: &[(&str, Amf)]) -> Amf {
    let tc_url = format!("rtmp://127.0.0.1:{port}/{app}");
    let mut properties: Vec<(&str, Amf)> = vec![("app", app.into()), ("flashVer", "LNX 10,0,32,18".into())];
    properties.extend(more.iter().filter(|(name, _)| *name == "swfUrl").cloned());
    properties.push(("tcUrl", tc_url.as_str().into()));
    properties.push(("fpad", false.into()));
    for (name, number) in
        [("capabilities", 15.0), ("audioCodecs", 3191.0), ("videoCodecs", 252.0), ("videoFunction", 7.0)]
    {
        properties.push((name, number.into()));
    }
    properties.extend(more.iter().filter(|(name, _)| *name != "swfUrl").cloned());
    properties.push(("capsEx", 15.0.into()));
    Amf::obj(&properties)
}

#[test]
fn auth_and_conn_follow_connects_object() {
    for (args, more, behind) in [
        (&[][..], &[][..], vec![]),
        (&["-u", "se cret"], &[], vec![Amf::Bool(true), "se cret".into()]),
        (&["-u", "", "-p", "", "-s", "", "-f", ""], &[], vec![]),
        (
            &["-C", "S:first", "-u", "x", "-C", "Z:", "-C", "O:1", "-C", "NN:n:1.5", "-C", "O:0", "-C", "S:"],
            &[],
            vec![true.into(), "x".into(), "first".into(), Amf::Null, Amf::obj(&[("n", 1.5.into())]), "".into()],
        ),
        (
            &["-p", "http://page", "-s", "http://swf"],
            &[("pageUrl", "http://page".into()), ("swfUrl", "http://swf".into())],
            vec![],
        ),
    ] {
        let dump = dump(args, plays);
        dump.expect(0, &clip(10));
        let object = connect_object(dump.server.port, "app", more);
        let values = [vec!["connect".into(), 1.0.into(), object], behind].concat();
        expect_sent(&dump.server.all_heard(), 3, 0, &values);
    }
}

#[test]
fn usher_token_goes_between_create_stream_and_play() {
    let json = r#"{"swfDomains":["a"],"sig":"x"}"#;
    let heard = heard(&["-j", json, "--strict-order"]);
    let create = expect_sent(&heard, 3, 0, &["createStream".into(), 2.0.into(), Amf::Null]);
    let words = ["NetStream.Authenticate.UsherToken".into(), 3.0.into(), Amf::Null, json.into()];
    let usher = expect_sent(&heard, 3, 0, &words);
    assert!(create < usher && usher < sent(&heard, "play").1);
}

#[test]
fn set_playlist_goes_before_play() {
    let heard = heard(&["-Y", "--strict-order", "-y", "mp4:a b?c=d"]);
    // The original says that the array has three elements, and writes this one.
    let list = Amf::ecma(&[("0", "mp4:a b?c=d".into())]);
    let before = expect_sent(&heard, 8, 1, &["set_playlist".into(), 0.0.into(), Amf::Null, list]);
    let (play, at) = sent(&heard, "play");
    assert_eq!(at, before + 1);
    let rest = [Amf::Null, "mp4:a b?c=d".into(), 0.0.into()];
    assert!(play.payload.ends_with(&amf(&rest)), "{play:?}");
}

#[test]
fn fc_subscribe_is_sent_for_a_name_or_for_live() {
    for (args, name) in [
        (&["-d", "other"][..], Some("other")),
        (&["-v"], Some("stream")),
        (&["-v", "-d", "other"], Some("other")),
        (&["-d", ""], None),
        (&["-v", "-d", ""], Some("stream")),
        (&[], None),
    ] {
        let heard = heard(&[args, &["--strict-order"]].concat());
        match name {
            Some(name) => {
                let words = ["FCSubscribe".into(), 3.0.into(), Amf::Null, name.into()];
                let at = expect_sent(&heard, 3, 0, &words);
                assert!(sent(&heard, "createStream").1 < at && at < sent(&heard, "play").1);
            }
            None => assert!(!heard.names().contains(&"FCSubscribe".to_string())),
        }
    }
}

#[test]
fn play_says_from_where_and_how_long() {
    for (args, start, length) in [
        (&[][..], 0.0, None),
        (&["-v"], -1000.0, None),
        (&["-A", "1.5"], 1500.0, None),
        (&["-A", "1.5", "-v"], -1000.0, None),
        (&["-B", "2.25"], 0.0, Some(2250.0)),
        (&["-A", "1", "-B", "2.25"], 1000.0, Some(1250.0)),
    ] {
        let dump = dump(args, plays);
        let heard = dump.server.all_heard();
        let (play, at) = sent(&heard, "play");
        let rest =
            [vec![Amf::Null, "stream".into(), start.into()], length.map(Amf::from).into_iter().collect()].concat();
        assert!(play.payload.ends_with(&amf(&rest)), "{args:?}: {play:?}");
        assert_eq!((play.csid, play.msid), (8, 1));
        // Set Buffer Length for stream 1: ten hours.
        let behind = &heard.messages[at + 1];
        assert_eq!((behind.kind, &behind.payload[..]), (4, &[0, 3, 0, 0, 0, 1, 2, 0x25, 0x51, 0][..]));
    }
}

#[test]
fn nothing_is_too_long() {
    for length in [65_535, 65_536, 100_000] {
        let long = |first: &str| format!("{first}{}", "0123456789".repeat(length / 10 + 1))[..length].to_string();
        let (auth, json, name, playpath, app) = (long("auth"), long("{"), long("name"), long("mp4:"), long("app/"));
        let (page, swf, conn) = (long("http://page/"), long("http://swf/"), long("conn"));
        let conn_word = format!("S:{conn}");
        let args = [
            &["-u", &auth, "-j", &json, "-d", &name, "-y", &playpath, "-a", &app][..],
            &["-p", &page, "-s", &swf, "-C", &conn_word, "-Y", "--strict-order", "-T", &auth, "-m", "20"],
        ];
        let dump = dump(&args.concat(), plays);
        dump.expect(0, &clip(10));
        let heard = dump.server.all_heard();
        let more = [("swfUrl", swf.as_str().into()), ("pageUrl", page.as_str().into())];
        let object = connect_object(dump.server.port, &app, &more);
        let connect = ["connect".into(), 1.0.into(), object, true.into(), auth.as_str().into(), conn.as_str().into()];
        expect_sent(&heard, 3, 0, &connect);
        let usher = "NetStream.Authenticate.UsherToken".into();
        expect_sent(&heard, 3, 0, &[usher, 3.0.into(), Amf::Null, json.as_str().into()]);
        expect_sent(&heard, 3, 0, &["FCSubscribe".into(), 4.0.into(), Amf::Null, name.as_str().into()]);
        let list = Amf::ecma(&[("0", playpath.as_str().into())]);
        expect_sent(&heard, 8, 1, &["set_playlist".into(), 0.0.into(), Amf::Null, list]);
        expect_sent(&heard, 8, 1, &["play".into(), 6.0.into(), Amf::Null, playpath.as_str().into(), 0.0.into()]);
    }
}

/// XXTEA of David Wheeler and Roger Needham, in little-endian words.
fn xxtea(words: &mut [u32], key: &[u32; 4]) {
    let count = words.len();
    let (mut sum, mut before) = (0u32, words[count - 1]);
    for _ in 0..6 + 52 / count {
        sum = sum.wrapping_add(0x9e37_79b9);
        let e = (sum >> 2) & 3;
        for place in 0..count {
            let after = words[(place + 1) % count];
            let mixed = ((before >> 5) ^ (after << 2)).wrapping_add((after >> 3) ^ (before << 4))
                ^ (sum ^ after).wrapping_add(key[(place & 3) ^ e as usize] ^ before);
            words[place] = words[place].wrapping_add(mixed);
            before = words[place];
        }
    }
}

#[test]
fn secure_tokens_of_any_length_are_answered_before_create_stream() {
    let key = "#ed%h0#w@1";
    let mut key_words = [0; 4];
    let padded: Vec<u8> = key.bytes().chain([0; 6]).collect();
    for (word, bytes) in key_words.iter_mut().zip(padded.chunks(4)) {
        *word = u32::from_le_bytes(bytes.try_into().unwrap());
    }
    for text in ["a token".to_string(), "0123456789abcdef".to_string(), "long ".repeat(20_000)] {
        let mut bytes = text.clone().into_bytes();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        let mut words: Vec<u32> = bytes.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
        xxtea(&mut words, &key_words);
        let challenge: String =
            words.iter().flat_map(|word| word.to_le_bytes()).map(|byte| format!("{byte:02x}")).collect();
        let dump = dump(&["-T", key], move |peer| {
            peer.handshake()?;
            let call = peer.wait_call("connect")?;
            peer.set_chunk_size(4096)?;
            let mut information = connect_information();
            if let Amf::Obj(properties) = &mut information {
                properties.push(("secureToken".into(), challenge.as_str().into()));
            }
            peer.answer("_result", &call, connect_properties(), information)?;
            peer.accept_create_stream(1)?;
            peer.accept_play()?;
            peer.media(&clip(10))?;
            peer.end_of_file()?;
            peer.wait_closed()
        });
        dump.expect(0, &clip(10));
        let heard = dump.server.all_heard();
        // With the zeros that fill it up to whole words, as the original answers.
        let filled = format!("{text}{}", "\0".repeat(text.len().next_multiple_of(4) - text.len()));
        let words = ["secureTokenResponse".into(), 0.0.into(), Amf::Null, filled.as_str().into()];
        let at = expect_sent(&heard, 3, 0, &words);
        assert!(at < sent(&heard, "createStream").1);
    }
}
