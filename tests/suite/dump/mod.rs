//! The main job against a server that does everything a server can do, right or wrong: for each fault and each quirk the
//! exact tags that must be saved, and the exit code (0 complete, 1 failed, 2 incomplete, 3 no session).

mod auth_redirect;
mod buffer_refresh;
mod chunk_shapes;
mod commands;
mod completeness;
mod connection_faults;
mod dialogue;
mod ends;
mod enhanced;
mod fallbacks;
mod output;
mod quirks;
mod start;
mod swf_verification;

use crate::common::flvcmp::{AUDIO, Flv, SCRIPT, Tag, VIDEO, expect_equal};
use crate::common::rtmp_bytes::{Amf, IdForm, Msg, Shape, aggregate, amf, chunks, interleave};
use crate::common::script_server::{
    Peer, ScriptServer, clip, clip_with, connect_information, connect_properties, metadata,
};
use crate::common::{self, Finished, PATIENCE, rtmpcat, rtmpcat_with, run};
use std::io::Result;
use std::ops::Deref;
use std::time::Duration;

/// What a dump to standard output came to.
struct Dump {
    finished: Finished,
    flv: Option<Flv>,
    server: ScriptServer,
}

impl Deref for Dump {
    type Target = Finished;

    fn deref(&self) -> &Finished {
        &self.finished
    }
}

impl Dump {
    /// Exactly these tags were written, and the exit code is `code`.
    #[track_caller]
    fn expect(&self, code: i32, tags: &[Tag]) -> &Dump {
        let trouble = self.server.trouble();
        if let Some(flv) = &self.flv {
            if let Some(difference) = common::flvcmp::diff(tags, &flv.tags) {
                panic!("{difference}server: {trouble:?}\nstderr:\n{}", self.stderr);
            }
            flv.expect_true_flags();
        } else {
            assert!(tags.is_empty(), "nothing was written; server: {trouble:?}\nstderr:\n{}", self.stderr);
        }
        self.expect_code(code);
        self
    }

    /// Nothing was written, and the exit code is `code`.
    #[track_caller]
    fn expect_nothing(&self, code: i32) -> &Dump {
        assert_eq!(self.stdout.len(), 0, "bytes on stdout; stderr:\n{}", self.stderr);
        self.expect_code(code);
        self
    }
}

/// Dumps a stream of a server that follows `script`.
#[track_caller]
fn dump(args: &[&str], script: impl Fn(&mut Peer) -> Result<()> + Send + Sync + 'static) -> Dump {
    let server = ScriptServer::start(script);
    let url = server.url("stream");
    let finished = run(&mut rtmpcat_with(["-r", &url, "-o", "-"].iter().chain(args)), PATIENCE);
    let flv = (!finished.stdout.is_empty()).then(|| {
        Flv::parse(&finished.stdout)
            .unwrap_or_else(|error| panic!("stdout is no FLV: {error}; stderr:\n{}", finished.stderr))
    });
    assert_eq!(server.garbled(), None, "what the client sends makes sense");
    Dump { finished, flv, server }
}

/// The tags with a time added to each audio and video tag.
fn later(tags: &[Tag], by: u32) -> Vec<Tag> {
    tags.iter()
        .map(
            |tag| if tag.kind == SCRIPT { tag.clone() } else { Tag { time: tag.time.wrapping_add(by), ..tag.clone() } },
        )
        .collect()
}

#[test]
fn a_file_arrives_tag_by_tag() {
    let dump = dump(&[], |peer| peer.plays(&clip(50)));
    dump.expect(0, &clip(50));
    let heard = dump.server.all_heard();
    let connect = heard.call("connect");
    let text = |name| connect.args[0].get(name).and_then(Amf::text).map(str::to_string);
    assert_eq!(text("app").as_deref(), Some("app"));
    assert_eq!(text("tcUrl"), Some(format!("rtmp://127.0.0.1:{}/app", dump.server.port)));
    let play = heard.call("play");
    assert_eq!(play.args[1].text(), Some("stream"));
    assert!(heard.names().contains(&"deleteStream".to_string()), "{:?}", heard.names());
}

#[test]
fn the_shortest_clip_is_complete() {
    for frames in [1, 2, 10] {
        let dump = dump(&[], move |peer| peer.plays(&clip(frames)));
        dump.expect(0, &clip(frames));
    }
}

#[test]
fn the_five_byte_end_of_sequence_tag_is_kept() {
    let tags = || [clip(10), vec![Tag::new(VIDEO, 400, [0x17, 2, 0, 0, 0]), Tag::new(AUDIO, 400, [0xaf])]].concat();
    let dump = dump(&[], move |peer| peer.plays(&tags()));
    dump.expect(0, &tags());
}

#[test]
fn script_data_is_kept_as_it_is() {
    let extra = Tag::new(SCRIPT, 200, amf(&["onTextData".into(), Amf::obj(&[("text", "Grüße".into())])]));
    let cue = Tag::new(SCRIPT, 240, amf(&["onCuePoint".into(), Amf::Null]));
    let mut tags = clip(10);
    tags.insert(14, extra);
    tags.insert(16, cue);
    let sent = tags.clone();
    let dump = dump(&[], move |peer| peer.plays(&sent));
    dump.expect(0, &tags);
}

#[test]
fn set_data_frame_is_taken_off() {
    let dump = dump(&[], |peer| {
        peer.begin()?;
        let mut tags = clip(10);
        tags[0].payload = [amf(&["@setDataFrame".into()]), tags[0].payload.clone()].concat();
        peer.media(&tags)?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    dump.expect(0, &clip(10));
}

#[test]
fn audio_alone_and_video_alone_have_true_header_flags() {
    for (kind, codec) in [(AUDIO, ("audiocodecid", 10.0)), (VIDEO, ("videocodecid", 7.0))] {
        let only = move || {
            let mut tags: Vec<Tag> =
                clip(30).into_iter().filter(|tag| tag.kind == kind || tag.kind == SCRIPT).collect();
            let properties = Amf::ecma(&[("duration", 1.2.into()), (codec.0, codec.1.into())]);
            tags[0].payload = amf(&["onMetaData".into(), properties]);
            tags
        };
        let dump = dump(&[], move |peer| peer.plays(&only()));
        dump.expect(0, &only());
    }
}
