//! nginx with its RTMP module on a free port, in a folder of its own.

use super::{Finished, Running, free_port, run, wait_listening_at};
use std::fmt::Write;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What nginx is to be like. Applications: `live`, and `vod` if a folder is given.
#[derive(Debug, Clone)]
pub struct Config {
    /// Bytes a chunk.
    pub chunk_size: u32,
    /// The folder that application `vod` plays from.
    pub vod: Option<PathBuf>,
    /// Whether players of `live` hear that the publisher left; by default nginx says nothing.
    pub publish_notify: bool,
    /// Messages that may wait for a player. nginx's default of 256 drops messages of a VOD played at full speed.
    pub out_queue: u32,
    /// More directives for the `rtmp { server { … } }` block.
    pub server_extra: String,
    /// The address to listen at.
    pub host: String,
    /// What comes before nginx on its command line, if another program is to start it.
    pub launcher: Vec<String>,
    /// More blocks beside `rtmp`, e.g. `stream { … }` (its module is loaded if this is not empty).
    pub main_extra: String,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            chunk_size: 4096,
            vod: None,
            publish_notify: false,
            out_queue: 65_536,
            server_extra: String::new(),
            host: "127.0.0.1".into(),
            launcher: Vec::new(),
            main_extra: String::new(),
        }
    }
}

/// A running nginx; it ends when this is dropped.
pub struct Nginx {
    /// Where RTMP is spoken.
    pub port: u16,
    http_port: u16,
    config: Config,
    folder: tempfile::TempDir,
    process: Option<Running>,
}

impl Nginx {
    /// Starts one; callers have asked [`super::have`] for `nginx-rtmp`.
    #[track_caller]
    pub fn start(config: Config) -> Nginx {
        let folder = tempfile::tempdir().expect("a folder for nginx");
        let mut nginx = Nginx { port: free_port(), http_port: free_port(), config, folder, process: None };
        nginx.restart();
        nginx
    }

    /// One that plays files of `folder` as `vod`.
    #[track_caller]
    pub fn vod(folder: &Path, chunk_size: u32) -> Nginx {
        Nginx::start(Config { vod: Some(folder.to_path_buf()), chunk_size, ..Config::default() })
    }

    /// The URL of a stream: `app` is `live` or `vod`.
    pub fn url(&self, app: &str, stream: &str) -> String {
        format!("rtmp://{}:{}/{app}/{stream}", self.config.host, self.port)
    }

    /// Ends it at once: every connection breaks.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it (again) on the same port.
    #[track_caller]
    pub fn restart(&mut self) {
        self.process = None;
        let file = self.folder.path().join("nginx.conf");
        std::fs::write(&file, self.text()).expect("nginx.conf can be written");
        let nginx = super::find_program("nginx").expect("nginx is installed");
        let mut words: Vec<_> = self.config.launcher.iter().map(Into::into).chain([nginx.into_os_string()]).collect();
        let mut command = Command::new(words.remove(0));
        command
            .args(words)
            .arg("-p")
            .arg(self.folder.path())
            .arg("-e")
            .arg(self.folder.path().join("error.log"))
            .arg("-c")
            .arg(&file);
        let mut process = Running::start(&mut command);
        wait_listening_at(&self.config.host, self.port, Some(&mut process));
        self.process = Some(process);
    }

    /// Has nginx close the connections of a live stream's players (`client`, `subscriber`) or publisher (`publisher`);
    /// returns how many.
    #[track_caller]
    pub fn drop_from(&self, who: &str, stream: &str) -> u32 {
        self.control(&format!("drop/{who}?app=live&name={stream}"))
    }

    #[track_caller]
    fn control(&self, what: &str) -> u32 {
        let mut socket = TcpStream::connect(("127.0.0.1", self.http_port)).expect("nginx's control port");
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a read timeout");
        write!(socket, "GET /control/{what} HTTP/1.0\r\n\r\n").expect("the request is sent");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default().trim();
        body.parse().unwrap_or_else(|_| panic!("control/{what}: {answer}"))
    }

    /// What nginx wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }

    fn text(&self) -> String {
        let Config { chunk_size, out_queue, server_extra, main_extra, .. } = &self.config;
        let mut text = String::new();
        let mut modules = vec!["ngx_rtmp_module.so"];
        if !main_extra.is_empty() {
            modules.push("ngx_stream_module.so");
        }
        for name in modules {
            let _ = writeln!(text, "load_module {};", module(name).expect("the module is installed").display());
        }
        // One process: killing it kills all of it.
        let _ = writeln!(text, "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log error.log info;");
        if is_root() {
            let _ = writeln!(text, "user root;");
        }
        let notify = if self.config.publish_notify { "on" } else { "off" };
        let vod = self
            .config
            .vod
            .as_ref()
            .map(|folder| format!("application vod {{ play {}; }}", folder.display()))
            .unwrap_or_default();
        let paths: String =
            ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path tmp; ")).concat();
        let _ = write!(
            text,
            "events {{ worker_connections 1024; }}
rtmp {{
  access_log off;
  server {{
    listen {host}:{port};
    chunk_size {chunk_size};
    out_queue {out_queue};
    application live {{ live on; publish_notify {notify}; }}
    {vod}
    {server_extra}
  }}
}}
http {{
  access_log off;
  {paths}
  server {{ listen 127.0.0.1:{http_port}; location /control {{ rtmp_control all; }} }}
}}
{main_extra}
",
            host = self.config.host,
            port = self.port,
            http_port = self.http_port,
        );
        text
    }
}

fn is_root() -> bool {
    let Finished { stdout, .. } = run(Command::new("id").arg("-u"), super::PATIENCE);
    stdout == b"0\n"
}

/// Where a module of nginx is.
pub fn module(name: &str) -> Option<PathBuf> {
    ["/usr/lib/nginx/modules", "/usr/share/nginx/modules"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|file| file.exists())
}
