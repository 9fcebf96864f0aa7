//! What the integration tests share: running programs with a limit on everything, waiting for events instead of
//! sleeping, free ports, and what is skipped where a program is not installed.
//!
//! | module | holds |
//! |---|---|
//! | [`flv_index`] | the metadata of a file, and its index of keyframes |
//! | [`flvcmp`] | an FLV walker of its own, and exact comparison of tag lists |
//! | [`heard`] | what a client sent to a scripted server |
//! | [`media`] | small test files, made once with ffmpeg |
//! | [`netns`] | a network of namespaces, with faults |
//! | [`nginx`] | nginx with its RTMP module: VOD, live, dropping clients |
//! | [`peers`] | Node-Media-Server, ffmpeg as a publisher, rtmpdump |
//! | [`proxy`] | a SOCKS and HTTP proxy that accepts and refuses |
//! | [`relay`] | a TCP relay that delays, throttles, cuts and swallows |
//! | [`rtmp_bytes`] | AMF0, messages and chunks in any shape, written by hand |
//! | [`scratch`] | a folder of a test's own, and recording into it |
//! | [`script_server`] | an RTMP server that does what a test says, right or wrong |
//! | [`serve`] | `rtmpcat serve` as a program of its own |
//! | [`web`] | a web server with one file |

pub mod flv_index;
pub mod flvcmp;
pub mod heard;
pub mod media;
pub mod netns;
pub mod nginx;
pub mod peers;
pub mod proxy;
pub mod relay;
pub mod rtmp_bytes;
pub mod scratch;
pub mod script_server;
pub mod serve;
pub mod web;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex, Once};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a test waits for anything at all before it gives up. Generous: it is only ever reached by a failure.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The program under test, with nothing of the user's environment that would change what it does. With `RTMPCAT_BIN`
/// it is another one: a release build, or rtmpdump, to see what the original makes of a test.
pub fn rtmpcat() -> Command {
    let binary = std::env::var_os("RTMPCAT_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_rtmpcat").into());
    let mut command = Command::new(binary);
    for name in ["ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "RUST_LOG", "SSLKEYLOGFILE"] {
        command.env_remove(name);
    }
    command
}

/// The program under test with arguments.
pub fn rtmpcat_with<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = rtmpcat();
    command.args(args);
    command
}

/// What a program left behind.
#[derive(Debug)]
pub struct Finished {
    /// Exit code, or `None` if a signal ended it.
    pub code: Option<i32>,
    /// How it ended, in full.
    pub status: ExitStatus,
    /// All of standard output.
    pub stdout: Vec<u8>,
    /// All of standard error; what is not UTF-8 is replaced.
    pub stderr: String,
    /// From start to end.
    pub took: Duration,
    /// The highest resident set seen, in bytes (0 where the system does not tell).
    pub peak_rss: u64,
}

impl Finished {
    /// Standard output as text.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Fails, with all the program said, unless it ended with `code`.
    #[track_caller]
    pub fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(
            self.code,
            Some(code),
            "exit status {}, {} bytes on stdout, stderr:\n{}",
            self.status,
            self.stdout.len(),
            self.stderr
        );
        self
    }

    /// Fails unless standard error says `needle`.
    #[track_caller]
    pub fn expect_stderr(&self, needle: &str) -> &Self {
        assert!(self.stderr.contains(needle), "stderr does not say {needle:?}:\n{}", self.stderr);
        self
    }
}

/// Runs a program to its end, which must come within `limit`.
#[track_caller]
pub fn run(command: &mut Command, limit: Duration) -> Finished {
    Running::start(command).finish(limit)
}

/// A program that runs; it is killed when this is dropped. Its outputs are collected by threads, so it never blocks
/// on a full pipe.
pub struct Running {
    child: Child,
    name: String,
    begun: Instant,
    stdout: Collected,
    stderr: Collected,
    readers: Vec<JoinHandle<()>>,
    peak_rss: u64,
}

impl Running {
    /// Starts it with both outputs collected and no standard input.
    #[track_caller]
    pub fn start(command: &mut Command) -> Running {
        Self::start_with(command.stdin(Stdio::null()))
    }

    /// Starts it with a pipe to its standard input; see [`Running::stdin`].
    #[track_caller]
    pub fn start_with_stdin(command: &mut Command) -> Running {
        Self::start_with(command.stdin(Stdio::piped()))
    }

    #[track_caller]
    fn start_with(command: &mut Command) -> Running {
        let name = format!("{command:?}");
        restore_signals();
        // Messages in the user's language would not be the ones that a test looks for.
        if !command.get_envs().any(|(name, _)| name == "LC_ALL") {
            command.env("LC_ALL", "C.UTF-8");
        }
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let (stdout, stderr) = (Collected::default(), Collected::default());
        let readers = vec![
            stdout.collect(child.stdout.take().expect("a pipe was asked for")),
            stderr.collect(child.stderr.take().expect("a pipe was asked for")),
        ];
        Running { child, name, begun: Instant::now(), stdout, stderr, readers, peak_rss: 0 }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard input, once, if it was started with one.
    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Waits until standard error contains `needle`; returns all that was said up to then.
    #[track_caller]
    pub fn wait_stderr(&self, needle: &str) -> String {
        let bytes = self.stderr.wait(PATIENCE, |bytes| find(bytes, needle.as_bytes()));
        let text = String::from_utf8_lossy(&self.stderr.snapshot()).into_owned();
        assert!(bytes, "{}: stderr never said {needle:?}, but:\n{text}", self.name);
        text
    }

    /// Waits until standard output holds at least `count` bytes.
    #[track_caller]
    pub fn wait_stdout_bytes(&self, count: usize) {
        let enough = self.stdout.wait(PATIENCE, |bytes| bytes.len() >= count);
        let stderr = String::from_utf8_lossy(&self.stderr.snapshot()).into_owned();
        assert!(
            enough,
            "{}: {} bytes on stdout, not {count}; stderr:\n{stderr}",
            self.name,
            self.stdout.snapshot().len()
        );
    }

    /// What standard output holds so far.
    pub fn stdout_so_far(&self) -> Vec<u8> {
        self.stdout.snapshot()
    }

    /// What standard error holds so far.
    pub fn stderr_so_far(&self) -> String {
        String::from_utf8_lossy(&self.stderr.snapshot()).into_owned()
    }

    /// True while it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal by name (`INT`, `TERM`, `HUP`, `KILL`, `STOP`, `CONT`).
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status().expect("kill runs");
        assert!(status.success(), "kill -s {name} {id}");
    }

    /// Waits for the end, which must come within `limit`.
    #[track_caller]
    pub fn finish(mut self, limit: Duration) -> Finished {
        let deadline = Instant::now() + limit;
        // The pipes end with the process: waiting for that needs no polling. What it leaves running in the
        // background may hold them open, hence the look at the process itself.
        let status = loop {
            self.peak_rss = self.peak_rss.max(peak_rss(self.child.id()));
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                break status;
            }
            if Instant::now() >= deadline {
                let stderr = self.stderr_so_far();
                let _ = self.child.kill();
                panic!(
                    "{}: still running after {limit:?}; {} bytes on stdout, stderr:\n{stderr}",
                    self.name,
                    self.stdout.snapshot().len()
                );
            }
            self.stderr.wait_change(Duration::from_millis(10));
        };
        let took = self.begun.elapsed();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        Finished {
            code: status.code(),
            status,
            stdout: self.stdout.snapshot(),
            stderr: String::from_utf8_lossy(&self.stderr.snapshot()).into_owned(),
            took,
            peak_rss: self.peak_rss,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes that a thread collects and others wait for.
#[derive(Clone, Default)]
struct Collected(Arc<(Mutex<Vec<u8>>, Condvar)>);

impl Collected {
    fn collect(&self, mut source: impl Read + Send + 'static) -> JoinHandle<()> {
        let sink = self.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(count @ 1..) = source.read(&mut buffer) {
                sink.0.0.lock().unwrap().extend_from_slice(&buffer[..count]);
                sink.0.1.notify_all();
            }
            sink.0.1.notify_all();
        })
    }

    fn snapshot(&self) -> Vec<u8> {
        self.0.0.lock().unwrap().clone()
    }

    fn wait(&self, limit: Duration, enough: impl Fn(&[u8]) -> bool) -> bool {
        let guard = self.0.0.lock().unwrap();
        !self.0.1.wait_timeout_while(guard, limit, |bytes| !enough(bytes)).unwrap().1.timed_out()
    }

    fn wait_change(&self, limit: Duration) {
        let guard = self.0.0.lock().unwrap();
        drop(self.0.1.wait_timeout(guard, limit).unwrap());
    }
}

/// Undoes what `nohup`, or `&` in a script, does to the programs that tests start: ignored signals are inherited. A
/// handler is not, so these programs begin with the default; the tests themselves still survive the signal.
fn restore_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 1) {
            signal_hook::flag::register(signal, Arc::default()).expect("a signal that can be caught");
        }
    });
}

/// The highest resident set of a running process, in bytes. Until the child has become its program, it is this process's.
pub fn peak_rss(process: u32) -> u64 {
    let program = |process: &str| std::fs::read_link(format!("/proc/{process}/exe")).ok();
    if program(&process.to_string()) == program("self") {
        return 0;
    }
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// True if `needle` occurs in `haystack`.
pub fn find(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// A TCP port of the loopback interface that nothing uses. Ports are handed out in turn, from below the range that
/// the system takes outgoing connections' ports from, so no one else comes upon it before its server binds it.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 12_000;
    const COUNT: u16 = 18_000;
    // Programs that run at the same time begin at different places.
    let offset = (std::process::id() % 180) as u16 * 100;
    for _ in 0..COUNT {
        let port = FIRST + offset.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port");
}

/// Waits until something accepts connections at `port`, or `child` ends.
#[track_caller]
pub fn wait_listening(port: u16, child: Option<&mut Running>) {
    wait_listening_at("127.0.0.1", port, child);
}

/// The same at another address.
#[track_caller]
pub fn wait_listening_at(host: &str, port: u16, mut child: Option<&mut Running>) {
    let address = SocketAddr::new(host.parse().expect("an address"), port);
    let deadline = Instant::now() + PATIENCE;
    loop {
        if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
            return;
        }
        if let Some(running) = child.as_deref_mut() {
            assert!(
                running.is_running(),
                "{} ended: {}{}",
                running.name,
                running.stderr_so_far(),
                String::from_utf8_lossy(&running.stdout_so_far())
            );
        }
        assert!(Instant::now() < deadline, "nothing listens on port {port}");
        // The system has no event for another program's listen().
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits for something that has no event of its own.
#[track_caller]
pub fn wait_until(what: &str, mut reached: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !reached() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Where a program is, looking in `PATH` and where servers are kept.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.extend(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from));
    places.push(peers_dir().join("python/bin"));
    places.into_iter().map(|place| place.join(name)).find(|file| file.is_file())
}

/// The folder that tests/all.sh fetches servers and tools from npm and PyPI into.
pub fn peers_dir() -> PathBuf {
    std::env::var_os("RTMPCAT_PEERS").map_or_else(|| target_dir().join("peers"), PathBuf::from)
}

/// The build's target folder, which holds what tests keep between runs.
pub fn target_dir() -> PathBuf {
    // .../target/debug/rtmpcat
    let binary = Path::new(env!("CARGO_BIN_EXE_rtmpcat"));
    binary.parent().and_then(Path::parent).expect("the binary lies in target/PROFILE").to_path_buf()
}

/// True if all `names` are installed. Otherwise the test is to return at once: it is noted as skipped, or, with
/// `RTMPCAT_INTEROP` set, which says that everything is there, it fails.
///
/// Names are programs, or `nms2`, `nms4`, `imageio-ffmpeg`, `nginx-rtmp`, `nginx-stream`.
#[track_caller]
pub fn have(names: &[&str]) -> bool {
    let lacking = names.iter().find(|name| match **name {
        "nms2" | "nms4" => {
            !peers_dir().join(name).join("node_modules/node-media-server").is_dir() || find_program("node").is_none()
        }
        "imageio-ffmpeg" => !peers_dir().join(name).exists(),
        "nginx-rtmp" => find_program("nginx").is_none() || nginx::module("ngx_rtmp_module.so").is_none(),
        "nginx-stream" => find_program("nginx").is_none() || nginx::module("ngx_stream_module.so").is_none(),
        program => find_program(program).is_none(),
    });
    let Some(lacking) = lacking else { return true };
    skip(&format!("{lacking} not found"));
    false
}

/// Notes that the calling test is skipped; the caller returns. Fails where `RTMPCAT_INTEROP` is set.
#[track_caller]
pub fn skip(why: &str) {
    assert!(
        std::env::var_os("RTMPCAT_INTEROP").is_none(),
        "{why}, and RTMPCAT_INTEROP says that it is there (bash tests/all.sh installs it)"
    );
    skip_anyway(why);
}

/// The same for what cannot be installed here, or takes too long to be fetched for each run: it is never a failure.
pub fn skip_anyway(why: &str) {
    println!("skipped: {why}");
    if let Some(log) = std::env::var_os("RTMPCAT_SKIP_LOG")
        && let Ok(mut log) = std::fs::OpenOptions::new().create(true).append(true).open(log)
    {
        let thread = std::thread::current();
        let _ = writeln!(log, "{}: {why}", thread.name().unwrap_or("?"));
    }
}

/// Numbers that look random and are the same in every run (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.roll() as u8).collect()
    }
}
