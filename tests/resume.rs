//! Going on with a file (`--resume`): wherever the file was cut, and whatever a server makes of a start, the file becomes
//! the whole that an unbroken run saves, byte for byte. What cannot be gone on with stays as it is.

mod common;

use common::flvcmp::{AUDIO, Flv, SCRIPT, Tag, VIDEO, expect_equal, is_sequence_header};
use common::media::{Media, folder};
use common::nginx::Nginx;
use common::rtmp_bytes::{Amf, amf};
use common::script_server::{Peer, ScriptServer, clip, metadata};
use common::{Dice, Finished, PATIENCE, have, rtmpcat_with, run};
use std::io::Result;
use std::path::{Path, PathBuf};

fn is_keyframe(tag: &Tag) -> bool {
    tag.kind == VIDEO && tag.payload[0] >> 4 & 7 == 1 && !is_sequence_header(tag)
}

/// What a server makes of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// From the keyframe before, with the file's own times.
    Absolute,
    /// From the keyframe behind, with the file's own times.
    Late,
    /// From the keyframe before, which gets time 0.
    Relative,
    /// From the beginning, every time shifted by the start.
    Shifted,
    /// From the beginning, with the file's own times.
    Deaf,
}

const KINDS: [Kind; 5] = [Kind::Absolute, Kind::Late, Kind::Relative, Kind::Shifted, Kind::Deaf];

impl Kind {
    /// What is sent of a stream.
    fn stream(self, whole: &[Tag], start: u32) -> Vec<Tag> {
        let keys = || (0..whole.len()).filter(|at| is_keyframe(&whole[*at]));
        let from = match self {
            Kind::Absolute | Kind::Relative => keys().rfind(|at| whole[*at].time <= start),
            Kind::Late => keys().find(|at| whole[*at].time >= start).or(keys().next_back()),
            Kind::Shifted | Kind::Deaf => None,
        };
        let from = from.filter(|at| Some(*at) != keys().next()).unwrap_or(0);
        let base = whole[from].time;
        let time = |time: u32| match self {
            Kind::Relative => time - base,
            Kind::Shifted => time + start,
            _ => time,
        };
        let headers = whole.iter().take(3).take_while(|_| from > 0);
        let headers = headers.map(|tag| Tag { time: if tag.kind == SCRIPT { 0 } else { time(base) }, ..tag.clone() });
        let body = whole.iter().skip(from).map(|tag| Tag { time: time(tag.time), ..tag.clone() });
        headers.chain(body).collect()
    }
}

/// A server of one recorded stream.
fn server(kind: Kind, whole: Vec<Tag>) -> ScriptServer {
    ScriptServer::start(move |peer| {
        let start = begin(peer)?;
        peer.media(&kind.stream(&whole, start))?;
        peer.end_of_file()?;
        peer.wait_closed()
    })
}

/// Everything up to play; the start that was asked for.
fn begin(peer: &mut Peer) -> Result<u32> {
    peer.handshake()?;
    peer.accept_connect()?;
    peer.accept_create_stream(1)?;
    let play = peer.accept_play()?;
    Ok(play.args[2].num().unwrap_or_default().max(0.0) as u32)
}

/// The starts that were asked for, connection by connection.
fn starts(server: &ScriptServer) -> Vec<f64> {
    (0..server.connections()).map(|number| server.heard(number).call("play").args[2].num().unwrap()).collect()
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join("saved.flv");
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// Saves a stream, or goes on with it.
#[track_caller]
fn save(url: &str, file: &Path, args: &[&str]) -> Finished {
    run(rtmpcat_with(["-r", url, "-o"]).arg(file).args(args), PATIENCE)
}

/// What an unbroken run saves.
#[track_caller]
fn unbroken(url: &str) -> Vec<u8> {
    let place = Place::new();
    let path = place.folder.path().join("whole.flv");
    save(url, &path, &[]).expect_code(0);
    std::fs::read(path).unwrap()
}

/// The places where a file is cut: around each keyframe, within tags and headers, at both ends. In words, and in bytes.
fn cuts(bytes: &[u8]) -> Vec<(String, usize)> {
    let tags = Flv::parse(bytes).unwrap().tags;
    let mut ends = vec![13];
    for tag in &tags {
        ends.push(ends[ends.len() - 1] + tag.payload.len() + 15);
    }
    let mut cuts = vec![("no byte".to_string(), 0), ("within the file header".into(), 7), ("a file header".into(), 13)];
    let mut key = 0;
    for (at, _) in tags.iter().enumerate().filter(|(_, tag)| is_keyframe(tag)) {
        let (start, end) = (ends[at], ends[at + 1]);
        cuts.push((format!("a tag before keyframe {key}"), ends[at - 1]));
        cuts.push((format!("before keyframe {key}"), start));
        cuts.push((format!("within the header of keyframe {key}"), start + 5));
        cuts.push((format!("within keyframe {key}"), start + 11 + tags[at].payload.len() / 2));
        cuts.push((format!("within the PreviousTagSize of keyframe {key}"), end - 2));
        cuts.push((format!("behind keyframe {key}"), end));
        cuts.push((format!("a tag behind keyframe {key}"), ends[at + 2]));
        key += 1;
    }
    cuts.push(("before the last tag".into(), ends[tags.len() - 1]));
    cuts.push(("within the last tag".into(), bytes.len() - 6));
    cuts.push(("nowhere".into(), bytes.len()));
    cuts
}

/// Cuts what an unbroken run saves at every place, and has it mended.
#[track_caller]
fn matrix(url: &str, what: &str) {
    let whole = unbroken(url);
    let place = Place::new();
    for (cut, length) in cuts(&whole) {
        let file = place.file(&whole[..length]);
        let finished = save(url, &file, &["-e"]);
        let got = std::fs::read(&file).unwrap();
        if got != whole {
            let difference =
                Flv::parse(&got).map(|got| common::flvcmp::diff(&Flv::parse(&whole).unwrap().tags, &got.tags));
            panic!("{what}, cut {cut}: {difference:?}\n{}", finished.stderr);
        }
        assert_eq!(finished.code, Some(0), "{what}, cut {cut}: {}", finished.stderr);
    }
}

#[test]
fn matrix_of_servers_with_absolute_times() {
    let server = server(Kind::Absolute, clip(50));
    matrix(&server.url("stream"), "absolute");
}

#[test]
fn matrix_of_servers_that_begin_late() {
    let server = server(Kind::Late, clip(50));
    matrix(&server.url("stream"), "late");
}

#[test]
fn matrix_of_servers_with_times_from_zero() {
    let server = server(Kind::Relative, clip(50));
    matrix(&server.url("stream"), "relative");
}

#[test]
fn matrix_of_servers_with_shifted_times() {
    let server = server(Kind::Shifted, clip(50));
    matrix(&server.url("stream"), "shifted");
}

#[test]
fn matrix_of_servers_that_do_not_seek() {
    let server = server(Kind::Deaf, clip(50));
    matrix(&server.url("stream"), "from the beginning");
}

#[test]
fn matrix_of_nginx_without_an_index() {
    if !have(&["nginx-rtmp", "ffmpeg"]) {
        return;
    }
    let nginx = Nginx::vod(&folder(), 4096);
    matrix(&nginx.url("vod", Media::BFrames.name()), "nginx without an index");
}

#[test]
fn matrix_of_nginx_with_an_index() {
    if !have(&["nginx-rtmp", "ffmpeg"]) {
        return;
    }
    let nginx = Nginx::vod(&folder(), 4096);
    matrix(&nginx.url("vod", Media::Indexed.name()), "nginx with an index");
}
