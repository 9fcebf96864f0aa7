//! `rtmpcat inspect`: what is in FLV files, and what is wrong with them.
//!
//! JSON (`--json`), one object; numbers are in bytes, milliseconds, bits in a second. New names may be added, none go:
//!
//! ```text
//! file           name as given
//! sound          no errors (with --strict: no warnings either)
//! bytes          size of the file
//! header         {audio, video}: what its flags announce; null without a header
//! tags           {audio, video, script, other}: how many
//! stream         messages, bytes, duration_ms, bitrate_bps, av_offset_ms {start, mean, min, max}, tracks [TrackReport]
//! metadata       properties of the last onMetaData, in the forms of `call`; of `keyframes` only the number of entries
//! color_info     the last colorInfo
//! errors         how many; warnings: how many
//! findings       [{offset, severity: "error" | "warning" | "info", code, text}], at most 1000, by offset
//! ```
//!
//! With `--tags` a line for each tag goes before it: `{"tag": {offset, type, time_ms, bytes, …}}`.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::flv::reader::Tag;
use crate::flv::tag::{FileHeader, tag_type};
use crate::inspect::Severity;
use crate::inspect::file::{FileReport, Located, inspect};
use crate::proto::amf0::{self, Value};
use crate::proto::media::{AudioTag, FrameType, VideoTag};

use crate::cli::args::InspectArgs;
use crate::cli::exit::Code;
use crate::cli::json::{from_amf0, one_line};
use crate::cli::log::{Level, Log};
use crate::cli::report::{bits, metadata, short, stream_lines};
use crate::util::text::{os_words, printable};

use super::{file_type, table};

/// Inspects files, one after the other. Several are listed in a table, unless more of each was asked for.
pub fn run(args: &InspectArgs) -> Code {
    let log = Log::new(Level::Info);
    let mut out = BufWriter::new(io::stdout().lock());
    let as_table = args.files.len() > 1 && !args.json && !args.tags && !args.quiet;
    let mut code = Code::Complete;
    if as_table {
        let _ = writeln!(out, "{}", table::HEAD);
    }
    for file in &args.files {
        match inspect_one(args, file, as_table, &mut out) {
            Ok(true) => {}
            Ok(false) => code = Code::Failed,
            // The reader has enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Code::Failed,
            Err(error) => {
                if as_table {
                    let _ = writeln!(out, "{}", table::unreadable(file, &error));
                } else {
                    let _ = out.flush();
                    log.error(&format!("{}: {}", file.display(), os_words(&error)));
                }
                code = Code::Failed;
            }
        }
    }
    match out.flush() {
        Ok(()) => code,
        Err(_) => Code::Failed,
    }
}

/// Whether the file is valid.
fn inspect_one(args: &InspectArgs, path: &Path, as_table: bool, out: &mut impl Write) -> io::Result<bool> {
    let mut source: Box<dyn Read> =
        if path.as_os_str() == "-" { Box::new(io::stdin().lock()) } else { Box::new(File::open(path)?) };
    let beginning = read_beginning(&mut source)?;
    if let Some(name) = file_type::name(beginning.get_ref()) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("not an FLV file: this is {name}")));
    }
    let lists = args.tags && !args.quiet;
    let report = inspect(beginning.chain(source), |tag| match (lists, args.json) {
        (false, _) => Ok(()),
        (true, true) => writeln!(out, "{}", one_line(&json!({ "tag": tag_json(tag) }))),
        (true, false) => writeln!(out, "{}", tag_line(tag)),
    })?;
    let valid = report.errors == 0 && (!args.strict || report.warnings == 0);
    match (args.quiet, args.json) {
        (true, _) => {}
        (_, true) => writeln!(out, "{}", one_line(&as_json(path, &report, valid)))?,
        (_, false) if as_table => writeln!(out, "{}", table::row(path, &report))?,
        (_, false) => out.write_all(as_text(path, &report).as_bytes())?,
    }
    Ok(valid)
}

/// As many bytes as tell what kind of file it is, or all of a shorter one.
fn read_beginning(source: &mut impl Read) -> io::Result<io::Cursor<Vec<u8>>> {
    let mut beginning = Vec::with_capacity(file_type::BYTES);
    source.take(file_type::BYTES as u64).read_to_end(&mut beginning)?;
    Ok(io::Cursor::new(beginning))
}

fn as_json(path: &Path, report: &FileReport, valid: bool) -> Json {
    let header = report
        .flags
        .map(|flags| json!({ "audio": flags & FileHeader::AUDIO != 0, "video": flags & FileHeader::VIDEO != 0 }));
    let finding = |located: &Located| {
        json!({
            "offset": located.offset,
            "severity": located.finding.severity(),
            "code": located.finding.code(),
            "text": located.finding.to_string(),
        })
    };
    json!({
        "file": path.to_string_lossy(),
        "sound": valid,
        "bytes": report.bytes,
        "header": header,
        "tags": report.tags,
        "stream": report.stream,
        "metadata": metadata(report.metadata.as_ref()),
        "color_info": report.color_info.as_ref().map(|object| metadata(Some(object))),
        "errors": report.errors,
        "warnings": report.warnings,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn as_text(path: &Path, report: &FileReport) -> String {
    let stream = &report.stream;
    let mut text = format!(
        "{}: {} bytes, {} s{}\n",
        printable(&path.to_string_lossy()),
        report.bytes,
        short(stream.duration_ms as f64 / 1000.0),
        stream.bitrate_bps.map(|bps| format!(", {}", bits(bps))).unwrap_or_default()
    );
    text.push_str(&stream_lines(stream));
    if let Some(object) = &report.metadata {
        let shown: Vec<_> = object.properties.iter().filter_map(|(name, value)| metadata_word(name, value)).collect();
        text.push_str(&format!("  {:<10} {}\n", "onMetaData", shown.join(", ")));
    }
    if report.color_info.is_some() {
        let shown = metadata(report.color_info.as_ref()).to_string();
        text.push_str(&format!("  {:<10} {}\n", "colorInfo", printable(&shown)));
    }
    for located in &report.findings {
        let finding = &located.finding;
        let line = format!("{}: {} {}: {finding}", located.offset, finding.severity(), finding.code());
        text.push_str(&format!("  byte {}\n", printable(&line)));
    }
    let shown = report.findings.len() as u64;
    let found = report.errors + report.warnings + report.infos;
    if found > shown {
        text.push_str(&format!("  ... and {} more\n", found - shown));
    }
    text.push_str(&match (report.errors, report.warnings) {
        (0, 0) => "Valid.\n".to_owned(),
        (errors, warnings) => {
            format!("{}, {}.\n", counted(errors, Severity::Error), counted(warnings, Severity::Warning))
        }
    });
    text
}

fn counted(count: u64, severity: Severity) -> String {
    match count {
        1 => format!("1 {severity}"),
        count => format!("{count} {severity}s"),
    }
}

/// A property of the metadata in a few words; `None` for what has no place on a line.
fn metadata_word(name: &str, value: &Value) -> Option<String> {
    let shown = match value {
        Value::Number(number) => from_amf0(&Value::Number((number * 1000.0).round() / 1000.0)).to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::String(text) => printable(&text.chars().take(60).collect::<String>()),
        value if name == "keyframes" => {
            let Some(Value::StrictArray(times)) = value.as_object()?.get("times") else { return None };
            format!("{} entries", times.len())
        }
        _ => return None,
    };
    Some(format!("{} {shown}", printable(name)))
}

fn tag_line(tag: &Tag<'_>) -> String {
    let name = type_name(tag.tag_type());
    let (offset, time, bytes) = (tag.offset, tag.timestamp_ms(), tag.header.payload_bytes);
    format!("{offset:>10}  {time:>9} ms  {bytes:>8} B  {name:<6}  {}", printable(&about(tag)))
}

fn tag_json(tag: &Tag<'_>) -> Json {
    json!({
        "offset": tag.offset,
        "type": tag.tag_type(),
        "name": type_name(tag.tag_type()),
        "time_ms": tag.timestamp_ms(),
        "bytes": tag.header.payload_bytes,
        "about": about(tag),
    })
}

fn type_name(tag_type: u8) -> &'static str {
    match tag_type {
        tag_type::AUDIO => "audio",
        tag_type::VIDEO => "video",
        tag_type::SCRIPT => "script",
        tag_type::SCRIPT_AMF3 => "script3",
        _ => "other",
    }
}

/// What the payload is, in words.
fn about(tag: &Tag<'_>) -> String {
    if tag.header.encrypted() {
        return "encrypted".to_owned();
    }
    match tag.tag_type() {
        tag_type::VIDEO => about_video(tag.payload),
        tag_type::AUDIO => match AudioTag::parse(tag.payload) {
            Ok(parsed) => {
                let tracks: Vec<_> = parsed.tracks().map(|track| numbered(track.codec, track.id)).collect();
                format!("{} {:?}", tracks.join(" + "), parsed.packet).trim_start().to_owned()
            }
            Err(error) => error.to_string(),
        },
        tag_type::SCRIPT | tag_type::SCRIPT_AMF3 => {
            let body = match tag.payload {
                [0, rest @ ..] if tag.tag_type() == tag_type::SCRIPT_AMF3 => rest,
                payload => payload,
            };
            match amf0::decode(body) {
                Ok((Value::String(name), _)) => name,
                Ok((value, _)) => value.describe(),
                Err(error) => error.to_string(),
            }
        }
        other => format!("type {other}"),
    }
}

fn about_video(payload: &[u8]) -> String {
    let parsed = match VideoTag::parse(payload) {
        Ok(parsed) => parsed,
        Err(error) => return error.to_string(),
    };
    let tracks: Vec<_> = parsed
        .tracks()
        .map(|track| match track.composition_time_ms {
            0 => numbered(track.codec, track.id),
            time => format!("{} {time:+} ms", numbered(track.codec, track.id)),
        })
        .collect();
    let frame = match parsed.frame_type {
        FrameType::Key => " key",
        FrameType::Inter => " inter",
        FrameType::DisposableInter => " disposable",
        FrameType::GeneratedKey => " generated key",
        FrameType::Command | FrameType::Reserved(_) => "",
    };
    let frame = if parsed.is_coded() { frame } else { "" };
    format!("{} {:?}{frame}", tracks.join(" + "), parsed.packet).trim_start().to_owned()
}

/// A codec, with the number of its track where it has one.
fn numbered(codec: impl std::fmt::Display, id: u8) -> String {
    if id == 0 { codec.to_string() } else { format!("{codec} #{id}") }
}
