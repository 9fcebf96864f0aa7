//! Schemes and proxies: one stream over each scheme and each proxy, byte for byte the same; certificates; what goes wrong on each
//! layer; and the programs that prove that others understand the same by a scheme's name.

mod certificates;
mod datagrams;
mod faults;
mod programs;
mod proxies;
mod schemes;

use crate::common::flvcmp::{self, Flv, Tag};
use crate::common::media::Media;
use crate::common::script_server::clip;
use crate::common::{Finished, PATIENCE, rtmpcat_with, run};
use rcgen::{CertificateParams, KeyPair};
use rtmpcat::serve::{Listen, Pace, ServeOptions, Server};
use rtmpcat::transport::ServerTlsOptions;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// All schemes over TCP.
const SCHEMES: [&str; 6] = ["rtmp", "rtmps", "rtmpe", "rtmpt", "rtmpts", "rtmpte"];

/// Those and the one over UDP.
fn all_schemes() -> impl Iterator<Item = &'static str> {
    SCHEMES.into_iter().chain(["rtmfp"])
}

/// A certificate and its key in files.
struct Identity {
    pair: KeyPair,
    folder: tempfile::TempDir,
}

impl Identity {
    /// A self-signed one for these names, changed by `change`.
    fn new(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        let mut params = CertificateParams::new(names).expect("names for a certificate");
        change(&mut params);
        let pair = KeyPair::generate().expect("a key");
        let folder = tempfile::tempdir().expect("a folder for a certificate");
        let made = params.self_signed(&pair).expect("a certificate");
        std::fs::write(folder.path().join("cert.pem"), made.pem()).expect("cert.pem can be written");
        std::fs::write(folder.path().join("key.pem"), pair.serialize_pem()).expect("key.pem can be written");
        Identity { pair, folder }
    }

    fn cert(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }
}

/// Our server with an endpoint for each scheme, and what is played there.
struct Endpoints {
    server: Server,
    identity: Identity,
    _folder: tempfile::TempDir,
    name: String,
    tags: Vec<Tag>,
}

impl Endpoints {
    fn new() -> Endpoints {
        Endpoints::with(Identity::new(&["localhost", "127.0.0.1", "server.test"], |_| {}))
    }

    /// With another certificate.
    fn with(identity: Identity) -> Endpoints {
        let folder = tempfile::tempdir().expect("a folder for a file");
        let file = folder.path().join("clip.flv");
        std::fs::write(&file, flvcmp::write(true, true, &clip(250))).expect("a file to serve");
        Endpoints::playing(file, identity, folder)
    }

    /// With a file that decoders like.
    fn with_film() -> Endpoints {
        let folder = tempfile::tempdir().expect("a folder");
        Endpoints::playing(Media::BFrames.path(), Identity::new(&["localhost"], |_| {}), folder)
    }

    fn playing(file: PathBuf, identity: Identity, folder: tempfile::TempDir) -> Endpoints {
        let plain = Listen::plain(SocketAddr::from(([127, 0, 0, 1], 0)));
        let options_of_tls = ServerTlsOptions { cert: Some(identity.cert()), key: Some(identity.key()), names: vec![] };
        let tls = Listen { tls: Some(options_of_tls), ..plain.clone() };
        let tunnels = [plain.clone(), tls.clone()].map(|listen| Listen { tunnel: true, ..listen });
        let listen = [plain.clone(), tls, Listen { rtmfp: true, ..plain }].into_iter().chain(tunnels).collect();
        let tags = Flv::read(&file).tags;
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let options = ServeOptions { listen, paths: vec![file], pace: Pace::Fast, ..ServeOptions::default() };
        Endpoints { server: Server::start(options).expect("the server starts"), identity, _folder: folder, name, tags }
    }

    /// The port where a scheme is spoken.
    fn port(&self, scheme: &str) -> u16 {
        let plain = scheme.replace('e', "");
        self.server.endpoints().iter().find(|endpoint| endpoint.scheme == plain).expect("an endpoint").address.port()
    }

    fn url(&self, scheme: &str, host: &str) -> String {
        format!("{scheme}://{host}:{}/vod/{}", self.port(scheme), self.name)
    }

    /// The certificate, for `--cafile`.
    fn cafile(&self) -> String {
        self.identity.cert().display().to_string()
    }
}

/// Dumps to standard output.
#[track_caller]
fn dump<S: AsRef<OsStr>>(url: &str, args: &[S]) -> Finished {
    let words = ["-r", url, "-o", "-"].map(OsStr::new).into_iter();
    run(&mut rtmpcat_with(words.chain(args.iter().map(AsRef::as_ref))), PATIENCE)
}

/// Writes a file that other programs read.
fn text_file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path
}
