//! Other people's programs: Node-Media-Server, ffmpeg as a publisher and as a judge, rtmpdump, flvmeta.

use super::{Finished, PATIENCE, Running, find_program, free_port, peers_dir, run, wait_listening};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Node-Media-Server, at loopback only.
pub struct NodeMediaServer {
    /// Where RTMP is spoken.
    pub port: u16,
    _process: Running,
    _folder: tempfile::TempDir,
}

impl NodeMediaServer {
    /// Starts `nms2` or `nms4`, which [`super::have`] was asked for.
    #[track_caller]
    pub fn start(version: &str) -> NodeMediaServer {
        let (port, http_port) = (free_port(), free_port());
        let package = peers_dir().join(version).join("node_modules/node-media-server");
        let folder = tempfile::tempdir().expect("a folder for the server");
        // Version 2 would listen on every address.
        let program = format!(
            "const net = require('net'), listen = net.Server.prototype.listen;
            net.Server.prototype.listen = function (port, ...rest) {{
                return typeof rest[0] === 'string' ? listen.call(this, port, ...rest) : listen.call(this, port, '127.0.0.1', ...rest);
            }};
            const Server = require({package:?});
            new Server({{
                logType: 1, bind: '127.0.0.1',
                rtmp: {{ port: {port}, chunk_size: 60000, gop_cache: true, ping: 30, ping_timeout: 60 }},
                http: {{ port: {http_port}, allow_origin: '*', mediaroot: './media' }},
                store: {{ path: './data' }}, notify: {{}}, record: {{}}, webadmin: {{ enable: false }},
                auth: {{ play: false, publish: false, secret: 'none', jwt: {{ secret: 'none', users: [] }} }},
            }}).run();"
        );
        let mut command = Command::new(find_program("node").expect("node is installed"));
        command.current_dir(folder.path()).arg("-e").arg(program);
        let mut process = Running::start(&mut command);
        wait_listening(port, Some(&mut process));
        NodeMediaServer { port, _process: process, _folder: folder }
    }

    /// The URL of a stream in application `live`.
    pub fn url(&self, stream: &str) -> String {
        format!("rtmp://127.0.0.1:{}/live/{stream}", self.port)
    }
}

/// xiu, a server in Rust. It is optional: `cargo install xiu` takes minutes and wants libopus. It listens on every address.
pub struct Xiu {
    port: u16,
    _process: Running,
    _folder: tempfile::TempDir,
}

impl Xiu {
    /// Where it is: `RTMPCAT_XIU`, or `xiu` on the path.
    pub fn program() -> Option<PathBuf> {
        std::env::var_os("RTMPCAT_XIU").map(PathBuf::from).or_else(|| find_program("xiu"))
    }

    /// Starts it.
    #[track_caller]
    pub fn start(program: &Path) -> Xiu {
        let (port, http_port) = (free_port(), free_port());
        let folder = tempfile::tempdir().expect("a folder for the server");
        let config = format!(
            "[rtmp]\nenabled = true\nport = {port}\ngop_num = 1\n[httpapi]\nport = {http_port}\n\
             [authsecret]\nkey = 'none'\npassword = 'none'\n[log]\nlevel = 'info'\n"
        );
        let file = folder.path().join("xiu.toml");
        std::fs::write(&file, config).expect("xiu.toml can be written");
        let mut command = Command::new(program);
        let mut process = Running::start(command.current_dir(folder.path()).arg("-c").arg(&file));
        wait_listening(port, Some(&mut process));
        Xiu { port, _process: process, _folder: folder }
    }

    /// The URL of a stream in application `live`.
    pub fn url(&self, stream: &str) -> String {
        format!("rtmp://127.0.0.1:{}/live/{stream}", self.port)
    }
}

/// Starts ffmpeg publishing a file as it is, in real time.
#[track_caller]
pub fn publish(file: &Path, url: &str) -> Running {
    publish_with(Path::new("ffmpeg"), file, url, &[])
}

/// The same with a given ffmpeg and further arguments before the file, e.g. `-stream_loop -1`.
#[track_caller]
pub fn publish_with(ffmpeg: &Path, file: &Path, url: &str, before: &[&str]) -> Running {
    let mut command = Command::new(ffmpeg);
    command.args(["-hide_banner", "-nostdin", "-loglevel", "info", "-re"]).args(before).arg("-i").arg(file);
    command.args(["-c", "copy", "-f", "flv", "-flvflags", "no_duration_filesize", url]);
    let publisher = Running::start(&mut command);
    // Printed once the connection stands and the header was sent.
    publisher.wait_stderr("Output #0");
    publisher
}

/// The recent ffmpeg (Enhanced RTMP) that comes with a package of PyPI; [`super::have`] was asked for it.
pub fn recent_ffmpeg() -> PathBuf {
    peers_dir().join("imageio-ffmpeg")
}

/// Runs rtmpdump to its end.
#[track_caller]
pub fn rtmpdump(args: &[&str]) -> Finished {
    run(Command::new("rtmpdump").args(args), PATIENCE)
}

/// Fails unless ffprobe reads the whole file, decoding every frame, without a complaint; returns the
/// codecs' names in the order of the alphabet.
#[track_caller]
pub fn expect_playable(file: &Path) -> Vec<String> {
    let mut decode = Command::new("ffmpeg");
    decode.args(["-v", "error", "-nostdin", "-xerror", "-i"]).arg(file).args(["-f", "null", "-"]);
    let decoded = run(&mut decode, PATIENCE);
    assert!(decoded.code == Some(0) && decoded.stderr.is_empty(), "{}: {}", file.display(), decoded.stderr);
    let mut probe = Command::new("ffprobe");
    probe.args(["-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0"]).arg(file);
    let mut codecs: Vec<String> =
        run(&mut probe, PATIENCE).expect_code(0).out().split_whitespace().map(str::to_string).collect();
    codecs.sort();
    codecs
}

/// Fails unless flvmeta finds no error in the file (its warnings are about what the source had or had not).
#[track_caller]
pub fn expect_flvmeta_valid(file: &Path) {
    let checked = run(Command::new("flvmeta").arg("--check").arg(file), PATIENCE);
    let sound = checked.out().lines().any(|line| line.starts_with("0 error(s)"));
    assert!(checked.code == Some(0) && sound, "{}: {}{}", file.display(), checked.out(), checked.stderr);
}
