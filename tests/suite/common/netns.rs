//! A network of its own for a test: hosts around a router, each in a network namespace, and what can break between them.
//!
//! ```text
//! srv 10.9.1.2 ──┐
//! far 10.9.2.2 ──┼── net: packets are dropped, refused, and links pulled here
//! cli 10.9.3.2 ──┘
//! ```
//!
//! The test runs again, as a process in `srv`, so what it serves is on the network; the program under test runs in `cli`.
//! Needs root, `ip` and `nft`. The namespaces go when the test ends, however it does.

use super::{PATIENCE, Running, find_program, have, run, skip_anyway};
use std::process::Command;

/// The host that the test runs in.
pub const SERVER: &str = "srv";
/// One more host, for a server that is to vanish with all it has.
pub const FAR: &str = "far";
/// The host of the program under test.
pub const CLIENT: &str = "cli";

const HOSTS: [&str; 3] = [SERVER, FAR, CLIENT];

/// A running network.
pub struct Network {
    prefix: String,
    is_owner: bool,
}

impl Network {
    /// Runs `test` within a new network. `name` is the test's own, in full.
    #[track_caller]
    pub fn run(name: &str, test: impl FnOnce(&Network)) {
        if let Ok(prefix) = std::env::var(INSIDE) {
            return test(&Network { prefix, is_owner: false });
        }
        let Some(network) = Network::new() else { return };
        let mut again = network.on(SERVER, std::env::current_exe().expect("the test's own program"));
        again.args(["--exact", name, "--nocapture"]).env(INSIDE, &network.prefix);
        let finished = run(&mut again, 2 * PATIENCE);
        let out = finished.out();
        assert!(finished.code == Some(0) && out.contains("1 passed"), "{}\n{out}{}", finished.status, finished.stderr);
    }

    /// Sets one up; `None` where that cannot be.
    fn new() -> Option<Network> {
        if run(Command::new("id").arg("-u"), PATIENCE).stdout != b"0\n" {
            skip_anyway("network namespaces need root");
            return None;
        }
        if !have(&["ip", "nft"]) {
            return None;
        }
        sweep();
        let network =
            Network { prefix: format!("{NAME}{}-{}", std::process::id(), super::free_port()), is_owner: true };
        let made = run(&mut ip(&["netns", "add", &network.namespace(ROUTER)]), PATIENCE);
        // In a container root is not allowed everything.
        if made.stderr.contains("not permitted") {
            skip_anyway("network namespaces are not permitted here");
            return None;
        }
        made.expect_code(0);
        let router = network.namespace(ROUTER);
        network.script(&format!("ip netns exec {router} sysctl -q -w net.ipv4.ip_forward=1"));
        network.nft(
            "add table inet faults
             add chain inet faults forward { type filter hook forward priority 0; }",
        );
        HOSTS.iter().for_each(|host| network.add(host));
        Some(network)
    }

    /// A host's address.
    pub fn address(&self, host: &str) -> String {
        format!("10.9.{}.2", number(host))
    }

    /// What comes before a program that is to run on a host.
    pub fn launcher(&self, host: &str) -> Vec<String> {
        ["ip", "netns", "exec", &self.namespace(host)].map(str::to_owned).to_vec()
    }

    /// A program that is to run on a host.
    pub fn on(&self, host: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = ip(&["netns", "exec", &self.namespace(host)]);
        command.arg(program);
        command
    }

    /// The same for a program that is made up already, with its arguments and its environment.
    pub fn takes(&self, host: &str, inner: &Command) -> Command {
        let mut command = self.on(host, inner.get_program());
        command.args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// Pulls a host's cable, or puts it in again.
    pub fn link(&self, host: &str, state: &str) {
        self.script(&format!("ip -n {} link set {host} {state}", self.namespace(ROUTER)));
    }

    /// Adds a rule on what is forwarded, counted: nftables' words for the packets, and what becomes of them.
    pub fn rule(&self, packets: &str, verdict: &str) {
        self.nft(&format!("add rule inet faults forward {packets} counter {verdict}"));
    }

    /// How many packets a rule was for, all rules together.
    pub fn counted(&self) -> u64 {
        let list = run(self.on(ROUTER, "nft").args(["list", "chain", "inet", "faults", "forward"]), PATIENCE);
        let list = list.expect_code(0).out();
        list.split("packets ").skip(1).filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// Takes all rules away.
    pub fn mend(&self) {
        self.nft("flush chain inet faults forward");
    }

    /// Has a host vanish with all its sockets, as if its power had gone: no connection is closed.
    pub fn remove(&self, host: &str) {
        // The cable first, or the system would say it for the processes that go.
        self.link(host, "down");
        self.script(&format!("ip -n {} link del {host}", self.namespace(ROUTER)));
        self.remove_namespace(host);
    }

    /// A host that was not there, or is again.
    pub fn add(&self, host: &str) {
        let (namespace, router, net) = (self.namespace(host), self.namespace(ROUTER), number(host));
        self.script(&format!(
            "ip netns add {namespace}
            ip -n {router} link add {host} type veth peer name eth0 netns {namespace}
            ip -n {router} addr add 10.9.{net}.1/24 dev {host}
            ip -n {router} link set {host} up
            ip -n {namespace} addr add 10.9.{net}.2/24 dev eth0
            ip -n {namespace} link set lo up
            ip -n {namespace} link set eth0 up
            ip -n {namespace} route add default via 10.9.{net}.1"
        ));
    }

    fn namespace(&self, host: &str) -> String {
        format!("{}-{host}", self.prefix)
    }

    #[track_caller]
    fn nft(&self, commands: &str) {
        use std::io::Write;
        let mut nft = Running::start_with_stdin(self.on(ROUTER, "nft").args(["-f", "-"]));
        nft.stdin().expect("a pipe").write_all(commands.as_bytes()).expect("nft reads");
        nft.finish(PATIENCE).expect_code(0);
    }

    #[track_caller]
    fn script(&self, commands: &str) {
        run(Command::new("sh").args(["-e", "-c", commands]), PATIENCE).expect_code(0);
    }

    fn remove_namespace(&self, host: &str) {
        remove_namespace(&self.namespace(host));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if self.is_owner {
            HOSTS.iter().chain([&ROUTER]).for_each(|host| self.remove_namespace(host));
        }
    }
}

/// Ends what runs in a namespace and takes it away. No panic: it may be one that this is called by.
fn remove_namespace(namespace: &str) {
    let commands = format!("ip netns pids {namespace} | xargs -r kill -KILL; ip netns del {namespace}");
    let _ = Command::new("sh").args(["-c", &commands]).stderr(std::process::Stdio::null()).status();
}

/// Takes away what tests left that were killed.
fn sweep() {
    let list = run(&mut ip(&["netns", "list"]), PATIENCE).out();
    for namespace in list.lines().filter_map(|line| line.split(' ').next()) {
        let process = namespace.strip_prefix(NAME).and_then(|rest| rest.split('-').next());
        if process.is_some_and(|id| !std::path::Path::new("/proc").join(id).exists()) {
            remove_namespace(namespace);
        }
    }
}

fn ip(args: &[&str]) -> Command {
    let mut command = Command::new(find_program("ip").expect("ip is installed"));
    command.args(args);
    command
}

fn number(host: &str) -> usize {
    1 + HOSTS.iter().position(|other| *other == host).expect("such a host")
}

/// The namespace in the middle.
const ROUTER: &str = "net";

/// Names of namespaces begin with this and the process that made them.
const NAME: &str = "rtmpcat-test-";

/// Tells the process in `srv` whose network it is in.
const INSIDE: &str = "RTMPCAT_TEST_WIRE";
