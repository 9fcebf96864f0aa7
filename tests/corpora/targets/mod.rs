//! What hostile bytes are thrown at: each target takes any bytes at all, and must neither panic nor hang nor hold more than
//! it may. Where there is something to compare with (another cut of the same bytes, an encoding read again) it is compared.
//!
//! The fuzzer in `tests/fuzz` and the replay in `main.rs` share this.

mod files;
mod rtmfp;
pub mod sessions;
mod transport;
mod values;

use rtmpcat::proto::handshake::Random;

/// Takes any bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its folder of inputs too.
pub const TARGETS: [(&str, Target); 19] = [
    ("handshake_client", sessions::handshake_client),
    ("handshake_server", sessions::handshake_server),
    ("chunk", sessions::chunk),
    ("session_client", sessions::session_client),
    ("session_server", sessions::session_server),
    ("amf0", values::amf0),
    ("amf3", values::amf3),
    ("command", values::command),
    ("enhanced", values::enhanced),
    ("url", values::url),
    ("flv_reader", files::flv_reader),
    ("recorder", files::recorder),
    ("swf", files::swf),
    ("capture", files::capture),
    ("http", transport::http),
    ("rtmfp_flow", rtmfp::rtmfp_flow),
    ("rtmfp_keying", rtmfp::rtmfp_keying),
    ("rtmfp_packet", rtmfp::rtmfp_packet),
    ("rtmpt", transport::rtmpt),
];

/// The same "random" bytes each time, so that an input means the same each time.
pub fn random() -> Random {
    let mut bytes = [0; Random::BYTES];
    let mut state = 1u32;
    for byte in &mut bytes {
        state = state.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
        *byte = (state >> 24) as u8;
    }
    Random::from_bytes(&bytes)
}

/// Cuts `input` into pieces of sizes that `seed` decides: whole, byte by byte, or anything between.
pub fn pieces(input: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
    let size = match seed {
        0 => input.len().max(1),
        1..=7 => usize::from(seed),
        _ => usize::from(seed) * 17,
    };
    input.chunks(size)
}
